"""Writes and reads documents with Python's own modules, for tests/documents.rs.

One request a line, one answer a line, both JSON; bytes in hex.
"""

import base64
import json
import os
import pickle
import sys
import xml.etree.ElementTree as ElementTree

INTEGERS = [0, 1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**63, 2**64, 2**127, 10**299]
FLOATS = [0.0, -0.0, 0.1, 1.5, 1e15, 1e16, 1.25e-7, 0.0001, 1e300, 5e-324, 123456789.125]
TEXTS = ["", "a", "é", "☃", "😀", "back\\slash", "no escape: \\u0041 \\\\u0041", "two\nlines\t\r\0\x1a\x01", 'a "b"',
         "x" * 255, "é" * 200, "y" * 70_000]
SHARED = ["in two places", {"k": [None]}]
PLAIN = {
    "nothing": None,
    "booleans": [True, False],
    "integers": INTEGERS + [-n for n in INTEGERS] + [-(2**31) - 1, -(2**63) - 1],
    "floats": FLOATS,
    "texts": TEXTS,
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    "empty": [[], {}],
    "nested": {"a": {"b": [{"c": "d"}]}},
    "many": list(range(2500)),
    "large": {f"key {n}": n for n in range(2500)},
    "shared": [SHARED, SHARED, {"again": SHARED}],
    "": "an empty key",
    **{n: "a number" for n in [7, -7, 2**70]},
    **{x: "a float" for x in [0.5, 1e16, 1e-7]},
    True: "yes", False: "no", None: "none", "ключ": "значение",
}
BYTES = {"bytes": [b"", b"\0\xff", b"z" * 300, b"z" * 70_000]}
SETS = {"sets": [set(), {1}, {"a", "b", "c"}, frozenset(), frozenset({1, 2, 3}), set(range(1500))]}
BYTEARRAYS = {"bytearray": [bytearray(b""), bytearray(b"\0\xff")]}
# What each can be pickled with as data.
PICKLES = [(PLAIN, 0), (BYTES, 3), (SETS, 4), (BYTEARRAYS, 5), ({}, 0)]

FLAT = {"name": "Ada", "empty": "", "text": "é ☃ 😀 <&> \"'", "lines": " two\n\tlines ", "name-1.x_": "]]>"}
TREE = {"at": {"x": "1", "deep": {"er": "2"}}, "tag": ["a", "b", {"c": "d"}], "after": " "}


def as_json(value):
    def rest(value):
        if isinstance(value, (bytes, bytearray)):
            return {"$base64": base64.b64encode(value).decode()}
        return list(value)

    return json.dumps(value, ensure_ascii=False, default=rest)


def element(name, value):
    made = ElementTree.Element(name)
    if isinstance(value, dict):
        for key, part in value.items():
            made.extend([element(key, item) for item in (part if isinstance(part, list) else [part])])
    else:
        made.text = value
    return made


def pickles():
    for value, first in PICKLES:
        for protocol in range(first, 6):
            for dumps in [pickle.dumps, pickle._dumps]:
                yield "binary", f"{list(value)[:1]}, protocol {protocol}", dumps(value, protocol=protocol), as_json(value)


def xml_documents():
    for value in [FLAT, TREE, {**TREE, **FLAT}, {}]:
        root = element("data", value)
        for options in [{}, {"encoding": "utf-8"}, {"encoding": "utf-8", "xml_declaration": False},
                        {"encoding": "us-ascii", "xml_declaration": True}, {"short_empty_elements": False}]:
            yield "xml", f"{list(value)[:1]}, {options}", ElementTree.tostring(root, **options), as_json(value)
        root.append(element("имя", "x"))
        value = {**value, "имя": "x"}
        yield "xml", "a name beyond us-ascii", ElementTree.tostring(root, encoding="utf-8"), as_json(value)
        ElementTree.indent(root)
        yield "xml", f"{list(value)[:1]}, indented", ElementTree.tostring(root, encoding="utf-8"), as_json(value)


def json_documents():
    value = json.loads(json.dumps(PLAIN))
    for options in [{}, {"ensure_ascii": False}, {"indent": 1}, {"separators": (",", ":")}]:
        yield "json", str(options), json.dumps(value, **options).encode(), as_json(value)
    yield "json", "with a mark", json.dumps(value).encode("utf-8-sig"), as_json(value)


def needing_imports():
    """Data that older protocols have no opcodes for, and the protocol that has them."""
    for value, first in PICKLES:
        for protocol in range(first):
            yield {"bytes": pickle.dumps(value, protocol=protocol).hex(), "first": first}
    for value, first in [(b"", 3), ({1}, 4), (frozenset([1]), 4), (bytearray(b"x"), 5)]:
        for protocol in range(first):
            yield {"bytes": pickle.dumps({"x": value}, protocol=protocol).hex(), "first": first}


class Calls:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


class Stateful:
    pass


def programs(folder):
    """Pickles that leave a file in the folder when Python loads them: the file, what is imported for it, the bytes."""

    def file(name):
        return os.path.join(folder, name)

    for protocol in range(6):
        # Before protocol 3 the module has the name that it had in Python 2.
        builtins = "__builtin__" if protocol < 3 else "builtins"
        path = file(f"system-{protocol}")
        yield path, "posix.system", pickle.dumps({"x": Calls(os.system, (f"touch '{path}'",))}, protocol=protocol)
        path = file(f"eval-{protocol}")
        call = Calls(eval, (f"open({path!r}, 'w').close()",))
        yield path, f"{builtins}.eval", pickle.dumps({"x": [call]}, protocol=protocol)
        path = file(f"key-{protocol}")
        call = Calls(eval, (f"open({path!r}, 'w').close()",))
        yield path, f"{builtins}.eval", pickle.dumps({call: "x"}, protocol=protocol)
        path = file(f"nested-{protocol}")
        call = Calls(eval, (f"open({path!r}, 'w').close()",))
        yield path, f"{builtins}.repr", pickle.dumps({"x": Calls(repr, (Calls(repr, (call,)),))}, protocol=protocol)
    path = file("posix")
    yield path, "posix.system", f"(dVx\ncposix\nsystem\n(Vtouch '{path}'\ntRs.".encode()
    path = file("inst")
    yield path, "posix.system", f"(dVx\n(Vtouch '{path}'\niposix\nsystem\ns.".encode()
    path = file("obj")
    yield path, "posix.system", f"(dVx\n(cposix\nsystem\nVtouch '{path}'\nos.".encode()
    path = file("thrown-away")
    yield path, "posix.system", f"cposix\nsystem\n(Vtouch '{path}'\ntR0(d.".encode()
    path = file("stack-global")
    command = f"touch '{path}'".encode()
    length = bytes([len(command)])
    yield path, "posix.system", b"\x80\x04}\x8c\x01x\x8c\x05posix\x8c\x06system\x93\x8c" + length + command + b"\x85Rs."


def loops():
    inside = []
    inside.append(inside)
    around = {}
    around["around"] = around
    within = ([],)
    within[0].append(within)
    for protocol in range(6):
        for value in [{"x": inside}, around, {"x": within}]:
            yield pickle.dumps(value, protocol=protocol)


def bombs():
    """Short pickles of 2^40 values, and of many times the same text."""
    laughs = "ha"
    for _ in range(10):
        laughs = [laughs] * 16
    text = "x" * 1000
    for protocol in range(6):
        yield "values", pickle.dumps({"x": laughs}, protocol=protocol)
        yield "text", pickle.dumps({"x": [text] * 5000}, protocol=protocol)
        yield "text", pickle.dumps({"x": [{text: None}] * 2000}, protocol=protocol)


def load(form, content):
    if form == "binary":
        return pickle.loads(content)
    if form == "json":
        return json.loads(content)
    root = ElementTree.fromstring(content)
    assert root.tag == "data"
    return {child.tag: child.text or "" for child in root}


def written_by_element_tree(pairs):
    return ElementTree.tostring(element("data", dict(pairs)), encoding="utf-8")


def answer(request):
    match request["do"]:
        case "documents":
            made = [*pickles(), *xml_documents(), *json_documents()]
            return [{"format": f, "name": n, "bytes": b.hex(), "json": j} for f, n, b, j in made]
        case "needing imports":
            return list(needing_imports())
        case "programs":
            made = programs(request["folder"])
            return [{"file": path, "imports": name, "bytes": content.hex()} for path, name, content in made]
        case "object":
            thing = Stateful()
            thing.state = "x"
            return [pickle.dumps({"x": thing}, protocol=protocol).hex() for protocol in range(6)]
        case "loops":
            return [content.hex() for content in loops()]
        case "bombs":
            return [{"kind": kind, "bytes": content.hex()} for kind, content in bombs()]
        case "load":
            return list(load(request["format"], bytes.fromhex(request["bytes"])).items())
        case "run":
            pickle.loads(bytes.fromhex(request["bytes"]))
            return None
        case "write xml":
            return written_by_element_tree(request["pairs"]).hex()


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
