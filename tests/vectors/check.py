#!/usr/bin/env python3
"""Computes every value of our test vectors again, from docs/protocol.md alone and with none of the crate's code.

    check.py              checks the three files beside it
    check.py --self-test  also changes every character of every value, one at a time, and expects each to be noticed
"""

import base64
import copy
import hashlib
import hmac
import json
import struct
import sys
from pathlib import Path

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

MODES = {"x25519+psk": 1, "x25519": 2, "psk": 3}
FIELD_MODES, FIELD_NONCE, FIELD_SHARE, FIELD_KEY_TAG, FIELD_IDENTITY = 1, 2, 3, 4, 5
CLIENT_HELLO, SERVER_HELLO, SERVER_FINISHED, CLIENT_FINISHED = 1, 2, 3, 4
RECORD_TYPES = {1: "data", 2: "close", 3: "rekey", 4: "ping", 5: "pong"}
MORE = 0x80


class Wrong(Exception):
    """A vector does not hold."""


def require(holds, what):
    if not holds:
        raise Wrong(what)


def unhex(text):
    data = bytes.fromhex(text)
    require(data.hex() == text, f"not lower-case hex: {text}")
    return data


# Primitives


def expand(key, info, length=32):
    return HKDFExpand(SHA256(), length, info).derive(key)


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def secret(text):
    """An X25519 secret in its clamped form, so that no bit of it is without effect."""
    data = unhex(text)
    require(len(data) == 32 and data[0] & 7 == 0 and data[31] >> 6 == 1, "an X25519 secret is not clamped")
    return X25519PrivateKey.from_private_bytes(data)


def public(key):
    return key.public_key().public_bytes_raw()


def agree(key, share):
    return key.exchange(X25519PublicKey.from_public_bytes(share))


# Handshake


def body(frame, kind):
    """The body of a handshake frame."""
    require(len(frame) >= 3 and frame[0] == kind, f"not a handshake frame of type {kind}")
    (length,) = struct.unpack(">H", frame[1:3])
    require(length == len(frame) - 3, "a handshake frame has the wrong length")
    return frame[3:]


def fields(frame, kind):
    """A hello's fields, which must ascend."""
    hello = body(frame, kind)
    require(hello[:9] == b"FERNWIRE\x01", "a hello has the wrong magic or version")
    found, last, at = {}, 0, 9
    while at < len(hello):
        number, length = struct.unpack(">HH", hello[at : at + 4])
        value = hello[at + 4 : at + 4 + length]
        require(number > last and len(value) == length, "a hello's fields are cut off or out of order")
        found[number], last, at = value, number, at + 4 + length
    return found


def handshake(mode, inputs, given):
    """The handshake's values, with the frames taken from `given` and held to the inputs; and the PRK and H1."""
    offered = [MODES[name] for name in inputs["offered_modes"]]
    require(MODES[mode] in offered and offered == sorted(set(offered)), "the offered modes are wrong")
    client_fields = {FIELD_MODES: bytes(offered), FIELD_NONCE: unhex(inputs["client_nonce"])}
    server_fields = {FIELD_MODES: bytes([MODES[mode]]), FIELD_NONCE: unhex(inputs["server_nonce"])}
    values = {}
    psk = dh_ee = dh_es = b""

    if mode != "psk":
        client = secret(inputs["client_ephemeral_secret"])
        server = secret(inputs["server_ephemeral_secret"])
        identity = secret(inputs["server_identity_secret"])
        values["client_ephemeral_public"] = client_fields[FIELD_SHARE] = public(client)
        values["server_ephemeral_public"] = server_fields[FIELD_SHARE] = public(server)
        values["server_identity_public"] = server_fields[FIELD_IDENTITY] = public(identity)
        text = base64.urlsafe_b64encode(public(identity)).decode().rstrip("=")
        values["server_identity_text"] = f"fwk1_{text}"
        dh_ee, dh_es = agree(client, public(server)), agree(client, public(identity))
        require(dh_ee == agree(server, public(client)), "the two sides disagree on DH(ee)")
        require(dh_es == agree(identity, public(client)), "the two sides disagree on DH(es)")
    if mode != "x25519":
        psk = unhex(inputs["psk"])
        require(len(psk) == 32, "the psk is not 32 bytes")
        tag = mac(expand(psk, b"fernwire key tag"), client_fields[FIELD_NONCE])[:8]
        values["key_tag"] = client_fields[FIELD_KEY_TAG] = tag

    client_hello, server_hello = unhex(given["client_hello"]), unhex(given["server_hello"])
    require(fields(client_hello, CLIENT_HELLO) == client_fields, "ClientHello does not carry the inputs")
    require(fields(server_hello, SERVER_HELLO) == server_fields, "ServerHello does not carry the inputs")
    h0 = hashlib.sha256(client_hello + server_hello).digest()

    salt = b"fernwire v1 " + mode.encode()
    ikm = b"".join(struct.pack(">H", len(part)) + part for part in (psk, dh_ee, dh_es))
    prk = mac(salt, ikm)
    server_key = labelled(prk, b"server finished", h0)
    client_key = labelled(prk, b"client finished", h0)
    server_finished, client_finished = unhex(given["server_finished"]), unhex(given["client_finished"])
    require(body(server_finished, SERVER_FINISHED) == mac(server_key, h0), "ServerFinished does not verify")
    h1 = hashlib.sha256(client_hello + server_hello + server_finished).digest()
    require(body(client_finished, CLIENT_FINISHED) == mac(client_key, h1), "ClientFinished does not verify")

    if mode != "psk":
        values |= {"dh_ee": dh_ee, "dh_es": dh_es}
    values |= {
        "client_hello": client_hello,
        "server_hello": server_hello,
        "h0": h0,
        "ikm": ikm,
        "salt": salt,
        "prk": prk,
        "server_finished_key": server_key,
        "server_finished": server_finished,
        "h1": h1,
        "client_finished_key": client_key,
        "client_finished": client_finished,
        "exporter": labelled(prk, b"exporter", h1),
        "session_id": h1,
    }
    return values, prk, h1


def labelled(prk, label, transcript):
    return expand(prk, bytes([len(label)]) + label + transcript)


# Records


def direction(secret_0, given):
    """One direction's keys and records, with the frames taken from `given` and opened."""
    secrets = [secret_0, expand(secret_0, b"next")]
    keys = [expand(each, b"key") for each in secrets]
    generation, records = 0, []
    for sequence, record in enumerate(given["records"]):
        require(not records or records[-1]["type"] != "close", "a record follows close")
        records.append(open_record(keys[generation], sequence, unhex(record["frame"])))
        generation += records[-1]["type"] == "rekey"
    types = [record["type"] for record in records]
    require(set(types) == set(RECORD_TYPES.values()), "not every type of record is there")
    require("data" in types[types.index("rekey") :], "no data is sealed under the second key")
    return {
        "secret_0": secrets[0],
        "record_key_0": keys[0],
        "secret_1": secrets[1],
        "record_key_1": keys[1],
        "records": records,
    }


def open_record(key, sequence, frame):
    (length,) = struct.unpack(">I", frame[:4])
    token = frame[4:]
    require(length == len(token), "a record has the wrong length")
    plaintext = Fernet(base64.urlsafe_b64encode(key)).decrypt(base64.urlsafe_b64encode(token))
    version, time = struct.unpack(">BQ", token[:9])
    require(version == 0x80, "a token has the wrong version")
    kind, number = struct.unpack(">BQ", plaintext[:9])
    require(number == sequence, "a record is out of sequence")
    payload = plaintext[9:]
    record = {"type": RECORD_TYPES[kind & ~MORE], "more": kind & MORE != 0, "sequence": number, "payload": payload}
    if record["type"] == "close":
        record |= {"close_reason": payload[0], "close_text": payload[1:].decode()}
    elif record["type"] != "data":
        require(payload == b"" and not record["more"], "a record without content has content")
    return record | {"time": time, "iv": token[9:25], "plaintext": plaintext, "frame": frame}


# Files


def session(given):
    """The whole file as it ought to be, from its inputs, its frames and nothing else."""
    mode, inputs = given["mode"], given["inputs"]
    names = ["offered_modes", "client_nonce", "server_nonce"]
    names += [] if mode == "x25519" else ["psk"]
    names += [] if mode == "psk" else ["client_ephemeral_secret", "server_ephemeral_secret", "server_identity_secret"]
    values, prk, h1 = handshake(mode, inputs, given["handshake"])
    computed = {
        "mode": mode,
        "mode_code": MODES[mode],
        "inputs": {name: inputs[name] for name in names},
        "handshake": values,
        "c2s": direction(labelled(prk, b"c2s", h1), given["c2s"]),
        "s2c": direction(labelled(prk, b"s2c", h1), given["s2c"]),
    }
    if mode != "x25519":
        computed["key_id"] = expand(unhex(inputs["psk"]), b"fernwire key id", 8)
    return computed


def compare(computed, given, path):
    """Holds each value and the set of names to what was computed; a type that differs is a difference."""
    if isinstance(computed, bytes):
        computed = computed.hex()
    require(type(computed) is type(given), f"{path}: another type of value is due")
    if isinstance(computed, dict):
        require(computed.keys() == given.keys(), f"{path}: differs in {computed.keys() ^ given.keys()}")
        for name, value in computed.items():
            compare(value, given[name], f"{path}.{name}")
    elif isinstance(computed, list):
        require(len(computed) == len(given), f"{path}: has {len(given)} entries, not {len(computed)}")
        for i, value in enumerate(computed):
            compare(value, given[i], f"{path}[{i}]")
    else:
        require(computed == given, f"{path}: is {given}, not {computed}")


def check(given, mode):
    try:
        require(given["mode"] == mode, "the mode is not the file's")
        compare(session(given), given, mode)
    except Wrong:
        raise
    except Exception as error:  # What a broken vector sets off is as good a refusal as any.
        raise Wrong(f"{mode}: {type(error).__name__}: {error}") from error


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


def self_test(given, mode):
    """Counts the changes that were noticed; fails on the first that was not."""
    noticed = 0
    for path, value in leaves(given):
        for changed in changes(value):
            forged = copy.deepcopy(given)
            holder = forged
            for name in path[:-1]:
                holder = holder[name]
            holder[path[-1]] = changed
            try:
                check(forged, mode)
            except Wrong:
                noticed += 1
            else:
                raise Wrong(f"{mode}: nobody noticed {path} = {changed}")
    return noticed


def main():
    for mode in MODES:
        text = (Path(__file__).parent / f"{mode}.json").read_text(encoding="utf-8")
        given = json.loads(text)
        try:
            check(given, mode)
            require(json.dumps(given, indent=2, ensure_ascii=False) + "\n" == text, f"{mode}: is not laid out as ours")
            print(f"{mode}: {sum(1 for _ in leaves(given))} values hold")
            if "--self-test" in sys.argv[1:]:
                print(f"{mode}: {self_test(given, mode)} changes were noticed")
        except Wrong as wrong:
            sys.exit(f"{mode}.json: {wrong}")


if __name__ == "__main__":
    main()
