"""Primitives, and how computed values are held to given ones."""

import hashlib
import hmac
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand


class Wrong(Exception):
    """A vector does not hold."""


class Refused(Exception):
    """The peer has to be refused, for the reason that the exception names in one word."""

    @property
    def reason(self):
        return self.args[0]


def require(holds, what):
    if not holds:
        raise Wrong(what)


def refuse_unless(holds, reason):
    if not holds:
        raise Refused(reason)


def unhex(text):
    data = bytes.fromhex(text)
    require(data.hex() == text, f"not lower-case hex: {text}")
    return data


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def mac(key, data):
    return hmac.digest(key, data, "sha256")


@lru_cache(maxsize=4096)
def expand(key, info, length=32):
    return HKDFExpand(SHA256(), length, info).derive(key)


def secret(text):
    """An X25519 secret in its clamped form, so that no bit of it is without effect."""
    data = unhex(text)
    require(len(data) == 32 and data[0] & 7 == 0 and data[31] >> 6 == 1, "an X25519 secret is not clamped")
    return data


@lru_cache(maxsize=4096)
def public(key):
    return X25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()


@lru_cache(maxsize=4096)
def agree(key, share):
    """X25519, or None where the result is all zeros."""
    try:
        return X25519PrivateKey.from_private_bytes(key).exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError:
        return None


def compare(computed, given, path):
    """Holds each value and the set of names to what was computed; a type that differs is a difference."""
    if isinstance(computed, bytes):
        computed = computed.hex()
    if type(computed) is not type(given):
        raise Wrong(f"{path}: another type of value is due")
    if isinstance(computed, dict):
        if computed.keys() != given.keys():
            raise Wrong(f"{path}: has too much or too little: {', '.join(sorted(computed.keys() ^ given.keys()))}")
        for name, value in computed.items():
            compare(value, given[name], f"{path}.{name}")
    elif isinstance(computed, list):
        if len(computed) != len(given):
            raise Wrong(f"{path}: has {len(given)} entries, not {len(computed)}")
        for i, value in enumerate(computed):
            compare(value, given[i], f"{path}[{i}]")
    elif computed != given:
        raise Wrong(f"{path}: {difference(computed, given)}")


def difference(computed, given):
    if not isinstance(given, str) or len(given) <= 80:
        return f"is {given!r}; from the other values it follows that it is {computed!r}"
    pairs = enumerate(zip(computed, given))
    at = next((i for i, (due, there) in pairs if due != there), min(len(computed), len(given)))
    there, due = given[at : at + 16], computed[at : at + 16]
    return f"goes on with {there!r} after {at} characters; from the other values it follows that it is {due!r}"


def spliced(frame, changes, made=None):
    """The frame after its changes, and the changes as they ought to be written down."""
    result, at, written = b"", 0, []
    for change in changes:
        begin, remove, insert = change["at"], unhex(change["remove"]), unhex(change["insert"])
        require(at <= begin and begin + len(remove) <= len(frame), "the changes of a frame are out of order")
        due = {"at": begin, "remove": frame[begin : begin + len(remove)], "insert": insert}
        if "insert_is" in change:
            due |= {"insert_is": change["insert_is"], "insert": made(change["insert_is"])}
        result += frame[at:begin] + due["insert"]
        at = begin + len(remove)
        written.append(due)
    return result + frame[at:], written
