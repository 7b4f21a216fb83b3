"""Records and messages: sections 4 and 5."""

import base64
import struct
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from .basics import Refused, expand, mac, refuse_unless

TYPES = {"data": 1, "close": 2, "rekey": 3, "ping": 4, "pong": 5}
DATA, CLOSE, REKEY = TYPES["data"], TYPES["close"], TYPES["rekey"]
MORE = 0x80
MIN_TOKEN, MAX_TOKEN = 73, 65_609
MAX_MESSAGE, MAX_UNPROVEN_MESSAGE = 1_048_576, 16_384

REASONS = {
    "bad_length",
    "not_authentic",
    "wrong_sequence",
    "malformed_record",
    "after_close",
    "cut_message",
    "message_too_long",
    "truncated",
}


@lru_cache(maxsize=4096)
def secret(secret_0, generation):
    return secret_0 if generation == 0 else expand(secret(secret_0, generation - 1), b"next")


def record_key(secret_0, generation):
    return expand(secret(secret_0, generation), b"key")


def padded(plaintext):
    missing = 16 - len(plaintext) % 16
    return plaintext + bytes([missing]) * missing


def plaintext(kind, more, sequence, payload):
    return struct.pack(">BQ", TYPES[kind] | (MORE if more else 0), sequence) + payload


@lru_cache(maxsize=256)
def seal(key, time, iv, blocks, version=0x80):
    """A whole record around padded plaintext."""
    encryptor = Cipher(AES(key[16:]), CBC(iv)).encryptor()
    token = struct.pack(">BQ", version, time) + iv + encryptor.update(blocks) + encryptor.finalize()
    token += mac(key[:16], token)
    return struct.pack(">I", len(token)) + token


@lru_cache(maxsize=256)
def open_token(key, token):
    """The plaintext, opened by an implementation of Fernet that knows nothing of Fernwire."""
    try:
        return Fernet(base64.urlsafe_b64encode(key)).decrypt(base64.urlsafe_b64encode(token))
    except InvalidToken:
        raise Refused("not_authentic") from None


def message_limit(mode, direction):
    return MAX_UNPROVEN_MESSAGE if (mode, direction) == ("x25519", "c2s") else MAX_MESSAGE


class Reader:
    """Reads one direction of a session, up to its end or to what makes it refuse."""

    def __init__(self, secret_0, limit):
        self.secret_0, self.limit = secret_0, limit
        self.generation = self.sequence = 0
        self.messages, self.pieces, self.closed = [], b"", None

    def read(self, stream):
        """The reason to refuse the stream, or None."""
        try:
            while len(stream) >= 4:
                (length,) = struct.unpack(">I", stream[:4])
                refuse_unless(MIN_TOKEN <= length <= MAX_TOKEN and (length - 57) % 16 == 0, "bad_length")
                if len(stream) < 4 + length:
                    break
                self.take(stream[4 : 4 + length])
                stream = stream[4 + length :]
            refuse_unless(self.closed is not None and not stream, "truncated")
        except Refused as refused:
            return refused.reason

    def take(self, token):
        refuse_unless(self.closed is None, "after_close")
        plain = open_token(record_key(self.secret_0, self.generation), token)
        refuse_unless(len(plain) >= 9, "malformed_record")
        kind, sequence = struct.unpack(">BQ", plain[:9])
        refuse_unless(sequence == self.sequence, "wrong_sequence")
        payload = plain[9:]
        refuse_unless(fits(kind, payload), "malformed_record")
        self.sequence += 1
        if kind & ~MORE == DATA:
            self.pieces += payload
            refuse_unless(len(self.pieces) <= self.limit, "message_too_long")
            if not kind & MORE:
                self.messages.append(self.pieces)
                self.pieces = b""
        elif kind == CLOSE:
            refuse_unless(not self.pieces, "cut_message")
            self.closed = payload
        elif kind == REKEY:
            self.generation += 1


def fits(kind, payload):
    """Whether the payload is one for the type."""
    if kind == CLOSE:
        return 1 <= len(payload) <= 1025
    if kind == DATA | MORE:
        return payload != b""
    return kind == DATA or (kind in TYPES.values() and payload == b"")
