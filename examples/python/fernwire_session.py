"""The inner half of a client of Fernwire: handshake, records, messages and requests.

The numbers are sections of docs/protocol.md, from which alone this was written.
"""
import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import time
import unicodedata

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

MODES = ("x25519+psk", "x25519", "psk")  # in the order of preference; a code is the place + 1
ALERTS = {1: "it cannot read our handshake", 2: "it does not speak version 1",
          3: "it allows none of the key modes offered; see --kex and --secret-key",
          4: "it holds another secret key", 5: "our proof does not verify"}
DATA, CLOSE, REKEY, PING, PONG, MORE = 1, 2, 3, 4, 5, 0x81
PIECE, MESSAGE, UNPROVEN_MESSAGE, CREDIT = 65_527, 1 << 20, 16_384, 262_144
MAX_FRAME, MAX_BULK_PIECE = 4_096, 16_375
KEY_RECORDS, KEY_BYTES = 1 << 20, 1 << 30  # what a record key of the server may seal
REKEY_RECORDS, REKEY_BYTES, REKEY_SECONDS = 1 << 19, 1 << 29, 3600  # after which we change ours
PING_SECONDS, DEAD_SECONDS = 20, 60  # of silence


class Failure(Exception):
    """What failed, why, and what to do; and the alert for the server, where one is due."""


def must(true, text, alert=None):
    if not true:
        raise Failure(text, alert)


@contextlib.contextmanager
def explained(text, *kinds):
    try:
        yield
    except kinds as error:
        reason = getattr(error, "strerror", None)
        raise Failure(f"{text}: {reason}" if reason else text, None) from None


def mac(key, data):
    return hmac.digest(key, data, "sha256")


def expand(key, info, length=32):
    return HKDFExpand(SHA256(), length, info).derive(key)


def sized(value):
    return len(value).to_bytes(2) + value


def json_of(value):
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def shown(text):
    """Makes visible what would steer a terminal or turn the direction of text (6.2)."""
    return "".join(f"\\u{{{ord(c):x}}}" if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")
                   else c for c in str(text))


async def handshake(reader, writer, trust):
    """Agrees on a mode and proves both sides; the mode and each direction's secret (3)."""
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    transcript = client_hello(trust, share)
    writer.write(transcript)
    answer = await frame(reader, 2)
    transcript += answer
    mode, keys = read_server_hello(answer[3:], trust.modes)
    must(share not in keys, "the server sent our own key back", 1)
    with explained("a key of the server is good for nothing", ValueError):  # it is all zero then
        agreed = [ephemeral.exchange(X25519PublicKey.from_public_bytes(key)) for key in keys]
    parts = [trust.secret if "psk" in mode else b"", *(agreed or (b"", b""))]
    prk = mac(b"fernwire v1 " + mode.encode(), b"".join(map(sized, parts)))

    def derive(label):
        length = bytes([len(label)])
        return expand(prk, length + label + hashlib.sha256(transcript).digest())

    server_key, client_key = derive(b"server finished"), derive(b"client finished")
    expected = mac(server_key, hashlib.sha256(transcript).digest())
    finished = await frame(reader, 3)
    must(hmac.compare_digest(finished[3:], expected), "the server's proof does not verify", 5)
    transcript += finished
    trust.decide(mode, keys[1] if keys else None)
    writer.write(b"\4" + sized(mac(client_key, hashlib.sha256(transcript).digest())))
    return mode, derive(b"c2s"), derive(b"s2c")


def client_hello(trust, share):
    nonce = secrets.token_bytes(32)
    fields = {1: bytes(MODES.index(mode) + 1 for mode in trust.modes), 2: nonce}
    if trust.modes != ["psk"]:
        fields[3] = share
    if trust.modes != ["x25519"]:
        fields[4] = mac(expand(trust.secret, b"fernwire key tag"), nonce)[:8]
    hello = b"".join(kind.to_bytes(2) + sized(value) for kind, value in fields.items())
    return b"\1" + sized(b"FERNWIRE\1" + hello)


async def frame(reader, kind):
    """The next frame, whole, which has to be of this type (3.2)."""
    head = await reader.readexactly(3)
    must(int.from_bytes(head[1:]) <= MAX_FRAME, "the server's handshake is malformed", 1)
    body = await reader.readexactly(int.from_bytes(head[1:]))
    must(head != b"\5\0\1", claim(body))
    must(head[0] == kind, "this is not the handshake of a Fernwire server", 1)
    return head + body


def read_server_hello(hello, offered):
    """The chosen mode, and the server's share and identity where it has them (3.2)."""
    must(hello[:9] == b"FERNWIRE\1", "the server speaks another version of Fernwire", 2)
    fields, rest, last = {}, hello[9:], -1
    while rest:
        kind, length = int.from_bytes(rest[:2]), int.from_bytes(rest[2:4])
        must(kind > last and len(rest) >= 4 + length, "the server's hello is malformed", 1)
        fields[kind], rest, last = rest[4:4 + length], rest[4 + length:], kind
    mode = dict(zip((b"\1", b"\2", b"\3"), MODES)).get(fields.get(1))
    must(mode in offered, "the server chose a key mode that was not offered", 1)
    lengths = {1: 1, 2: 32} | ({} if mode == "psk" else {3: 32, 5: 32})
    must({kind: len(value) for kind, value in fields.items() if 1 <= kind <= 5} == lengths,
         "the server's hello lacks a field, or has one too many", 1)
    return mode, [fields[kind] for kind in (3, 5) if kind in fields]


def claim(code):
    code = int.from_bytes(code)
    return f"the server says, unverified: {ALERTS.get(code, f'alert {code}')}"


class Keys:
    """The secret of one direction, its record key, and what this has done (4)."""

    def __init__(self, secret, sequence=0):
        self.secret, self.sequence, self.since = secret, sequence, time.monotonic()
        self.fernet = Fernet(base64.urlsafe_b64encode(expand(secret, b"key")))
        self.records = self.bytes = 0

    def next(self):
        return Keys(expand(self.secret, b"next"), self.sequence)

    def count(self, size):
        self.sequence += 1
        self.records += 1
        self.bytes += size


class Session:
    """The records, messages and requests of one connection (4, 5, 6)."""

    def __init__(self, reader, writer, mode, sending, receiving):
        self.reader, self.writer = reader, writer
        self.sending, self.receiving = Keys(sending), Keys(receiving)
        self.limit = UNPROVEN_MESSAGE if mode == "x25519" else MESSAGE
        self.left, self.last, self.requests, self.credit = False, 0, {}, {}

    def seal(self, kind, payload=b""):
        """Writes a record, with a rekey before it if this key may not do more than that."""
        keys = self.sending
        if self.left:
            return
        if kind != REKEY and (keys.records >= REKEY_RECORDS or keys.bytes >= REKEY_BYTES
                              or time.monotonic() - keys.since >= REKEY_SECONDS):
            self.seal(REKEY)
            keys = self.sending = keys.next()
        plain = bytes([kind]) + keys.sequence.to_bytes(8) + payload
        token = base64.urlsafe_b64decode(keys.fernet.encrypt(plain))
        keys.count(len(token))
        self.writer.write(len(token).to_bytes(4) + token)
        self.left = kind == CLOSE

    async def send(self, message):
        must(len(message) <= self.limit, f"the server takes {self.limit} bytes in a message of "
             f"this session, and this one has {len(message)}")
        for at in range(0, len(message), PIECE):
            self.seal(DATA if at + PIECE >= len(message) else MORE, message[at:at + PIECE])
        await self.writer.drain()

    async def record(self):
        """The next record, opened."""
        keys, head = self.receiving, await self.reader.readexactly(4)
        must(keys.sequence or head[:3] != b"\5\0\1", claim(head[3:]))
        length = int.from_bytes(head)
        must(73 <= length <= 65_609 and length % 16 == 9, "the server sent what is no record")
        token = await self.reader.readexactly(length)
        with explained("a record of the server was changed on its way", InvalidToken):
            plain = keys.fernet.decrypt(base64.urlsafe_b64encode(token))
        must(plain[1:9] == keys.sequence.to_bytes(8), "a record of the server is out of order")
        keys.count(length)
        must(keys.records <= KEY_RECORDS and keys.bytes <= KEY_BYTES, "the server did not rekey")
        return plain[0], plain[9:]

    async def living_record(self):
        """The next record, with a ping in the silence before it, which ends after a minute."""
        coming = asyncio.create_task(self.record())
        if not (await asyncio.wait({coming}, timeout=PING_SECONDS))[0]:
            self.seal(PING)
            heard, _ = await asyncio.wait({coming}, timeout=DEAD_SECONDS - PING_SECONDS)
            must(heard, "the server has been silent for a minute; it is gone, or the net is")
        return coming.result()

    async def read(self):
        """Hands the server's messages to their requests; its goodbye, as a text."""
        message, more = b"", False
        while True:
            kind, payload = await self.living_record()
            if kind == DATA or kind == MORE and payload:
                message, more = message + payload, kind == MORE
                must(len(message) <= MESSAGE, "the server sent too long a message")
                if not more:
                    self.dispatch(message)
                    message = b""
            elif kind == CLOSE and 1 <= len(payload) <= 1025 and not more:
                return f"{shown(payload[1:].decode('utf-8', 'replace'))} (reason {payload[0]})"
            else:
                must(kind in (REKEY, PING, PONG) and not payload, "the server sent a bad record")
                if kind == REKEY:
                    self.receiving = self.receiving.next()
                elif kind == PING and not self.writer.transport.get_write_buffer_size():
                    self.seal(PONG)

    def dispatch(self, raw):
        """A message to its request; whatever breaks the rules ends the session (6)."""
        try:
            message = json.loads(raw[1:].decode(), object_pairs_hook=unique, parse_float=unique,
                                 parse_constant=unique)
            number, kind, known = message["id"], message["type"], ("end", "error", "cancelled")
            if raw[0] or number not in self.requests or kind not in ("reply", *known):
                raise ValueError(f"it sent {kind} of {number}")
            if kind == "reply" and (self.credit[number] <= 0 or type(message["body"]) is not dict):
                raise ValueError("it sent a reply beyond the credit, or without a body")
            self.credit[number] -= len(raw)
            self.requests[number].put_nowait((message, len(raw)))
            if kind in known:
                del self.requests[number]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            self.seal(CLOSE, b"\2")
            raise Failure(f"the server broke the protocol: {shown(error)}", None) from None

    async def ask(self, service, body, document=b""):
        """Sends a request, and yields its replies until its end (6)."""
        self.last += 1
        number, spent, replies = self.last, 0, asyncio.Queue()
        self.requests[number], self.credit[number] = replies, CREDIT
        await self.send(b"\0" + json_of(
            {"type": "request", "id": number, "service": service, "body": body}))
        for at in range(0, len(document), MAX_BULK_PIECE):
            await self.send(b"\1" + number.to_bytes(8) + document[at:at + MAX_BULK_PIECE])
        while (answer := await replies.get())[0]["type"] == "reply":
            yield answer[0]["body"]
            spent += answer[1]
            if spent > CREDIT // 2:
                self.credit[number] += spent
                await self.send(b"\0" + json_of({"type": "credit", "id": number, "bytes": spent}))
                spent = 0
        must(answer[0]["type"] == "end",
             f"the server refused: {shown(answer[0].get('message', 'it gives no reason'))}")

    async def tell(self, service, body, document=b""):
        """The only reply to a request that has no more than one."""
        return ([reply async for reply in self.ask(service, body, document)] or [{}])[0]


def unique(pairs):
    """An object without a key twice; what is no object, such as a fraction, is refused (6)."""
    if isinstance(pairs, str) or len(dict(pairs)) != len(pairs):
        raise ValueError("it sent JSON with a key twice, or a number that is not whole")
    return dict(pairs)
