#!/usr/bin/env python3
"""Computes every value of our test vectors again, from docs/protocol.md alone and with none of the crate's code.

    check.py [FOLDER]              checks the files in the folder; that of this program unless told otherwise
    check.py --self-test [FOLDER]  also changes every character of every value, one at a time, and expects each to be
                                   noticed
"""

import argparse
import copy
import json
import multiprocessing
import sys
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True

from checker.basics import Wrong, require  # noqa: E402
from checker.handshake import MODES  # noqa: E402
from checker.handshake_files import BrokenHandshakes, Negotiation  # noqa: E402
from checker.stream_files import Session, Streams  # noqa: E402

PROCESSES = 2


def load(folder):
    """The files and what checks each, by name."""
    sessions = {mode: read(folder, mode) for mode in MODES}
    kinds = {mode: Session(mode) for mode in MODES} | {
        "negotiation": Negotiation(),
        "rekey": Streams(sessions),
        "close": Streams(sessions),
        "messages": Streams(sessions),
        "broken-handshakes": BrokenHandshakes(),
        "broken-records": Streams(sessions, are_refused=True),
    }
    return {name: (kind, sessions.get(name) or read(folder, name)) for name, kind in kinds.items()}


def read(folder, name):
    path = folder / f"{name}.json"
    try:
        text = path.read_text(encoding="utf-8")
        given = json.loads(text)
    except (OSError, ValueError) as error:
        raise Wrong(f"{path}: {error}") from error
    laid_out = json.dumps(given, indent=2, ensure_ascii=False) + "\n"
    require(laid_out == text, f"{path}: is not laid out as ours, with an indent of two spaces")
    return given


def attempt(path, check, *args):
    """What a broken vector sets off is as good a refusal as any."""
    try:
        return check(*args)
    except Wrong as wrong:
        said = str(wrong)
        raise Wrong(said if said.startswith(path) else f"{path}: {said}") from wrong
    except Exception as error:
        raise Wrong(f"{path}: {type(error).__name__}: {error}") from error


def check_entry(kind, context, entry, name, number):
    path = f"{kind.entries}[{number}]"
    attempt(f"{name}.json", attempt, path, kind.check, context, entry, path)


def check(kind, given, name):
    """Checks a whole file."""
    context = attempt(f"{name}.json", kind.context, given)
    for number, entry in enumerate(entries(kind, given)):
        check_entry(kind, context, entry, name, number)


def entries(kind, given):
    return given[kind.entries] if kind.entries else []


def told(kind, given):
    """How many vectors of which kind there are in the file."""
    if not kind.entries:
        return "1 session"
    vectors = given[kind.entries]
    refused = Counter(each["refused"] for each in vectors if "refused" in each)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items()))
    return f"{len(vectors)} {kind.what}" + (f", of which are refused: {reasons}" if reasons else "")


def leaves(value, path=()):
    """Where every value stands that is neither an object nor a list."""
    if isinstance(value, (dict, list)):
        for name in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[name], path + (name,))
    else:
        yield path, value


def changes(value):
    """The value with one character changed, for each of its characters."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (int(changed) for changed in changes(str(value)))
    else:
        for i, character in enumerate(value):
            # The lowest bit of a digit: the smallest change that there is.
            other = format(int(character, 16) ^ 1, "x") if character in "0123456789abcdef" else chr(ord(character) ^ 1)
            yield value[:i] + other + value[i + 1 :]


def forgeries(given):
    """Changes the value in place, in every way; says where, and puts back what was there."""
    for path, value in leaves(given):
        holder = given
        for name in path[:-1]:
            holder = holder[name]
        for changed in changes(value):
            holder[path[-1]] = changed
            yield path, changed
        holder[path[-1]] = value


def self_test(job):
    """Counts the changes that were noticed; the first that was not is returned besides.

    A vector is checked by itself, from the part of the file that all share. So a change in a vector need not be looked
    for in the others; one in the shared part is.
    """
    folder, name, numbers = job
    kind, given = load(folder)[name]
    noticed = 0
    if numbers is None:
        shared = {key: value for key, value in given.items() if key != kind.entries}
        rest = {kind.entries: entries(kind, given)} if kind.entries else {}
        for path, changed in forgeries(shared):
            if is_right(check, kind, shared | rest, name):
                return noticed, f"{name}: nobody noticed {path} = {changed}"
            noticed += 1
        return noticed, None
    context = kind.context(given)
    for number in numbers:
        entry = copy.deepcopy(given[kind.entries][number])
        for path, changed in forgeries(entry):
            if is_right(check_entry, kind, context, entry, name, number):
                return noticed, f"{name}: nobody noticed {(kind.entries, number, *path)} = {changed}"
            noticed += 1
    return noticed, None


def is_right(check, *args):
    try:
        check(*args)
    except Wrong:
        return False
    return True


def jobs(folder, files):
    """The self-test in parts: for each file the part that its vectors share, and the vectors by tens."""
    for name, (kind, given) in files.items():
        yield folder, name, None
        count = len(entries(kind, given))
        for start in range(0, count, 10):
            yield folder, name, range(start, min(start + 10, count))


def test_self(folder, files):
    noticed = dict.fromkeys(files, 0)
    waiting = list(jobs(folder, files))
    with multiprocessing.Pool(PROCESSES) as pool:
        for (_, name, _), (count, missed) in zip(waiting, pool.imap(self_test, waiting)):
            require(missed is None, missed)
            noticed[name] += count
    for name, count in noticed.items():
        print(f"{name}: {count} changes were noticed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    try:
        files = load(args.folder)
        for name, (kind, given) in files.items():
            check(kind, given, name)
            print(f"{name}: {sum(1 for _ in leaves(given))} values hold, in {told(kind, given)}")
        if args.self_test:
            test_self(args.folder, files)
    except Wrong as wrong:
        sys.exit(f"{wrong}")


if __name__ == "__main__":
    main()
