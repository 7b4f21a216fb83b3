"""Works out again what the files of records say: sessions, rekeys, closes, messages, and records that are refused."""

import base64
import struct

from .basics import Refused, agree, compare, expand, public, require, secret, sha256, spliced, unhex
from .handshake import (
    CLIENT_HELLO,
    FIELD_KEY_TAG,
    FIELD_MODES,
    FIELD_NONCE,
    FIELD_SHARE,
    MODES,
    Side,
    client_reads_hello,
    finish,
    has_psk,
    has_share,
    hello,
    key_tag,
    server_flight,
    server_reads_hello,
)
from .records import (
    MAX_MESSAGE,
    MORE,
    REASONS,
    TYPES,
    Reader,
    message_limit,
    open_token,
    padded,
    plaintext,
    record_key,
    seal,
)
from .records import secret as traffic_secret

PERIOD = 251
MAX_SHOWN = 2048


def bytes_of(payload):
    """A payload in hex, or one that counts."""
    if isinstance(payload, str):
        return unhex(payload)
    require(type(payload["from"]) is int and type(payload["bytes"]) is int, "a payload counts in whole numbers")
    # No vector is longer, and a changed digit must not fill the memory.
    require(0 <= payload["from"] <= MAX_MESSAGE and 0 <= payload["bytes"] <= MAX_MESSAGE, "a payload is too long")
    return counting(payload["from"], payload["bytes"])


def counting(begin, length):
    begin %= PERIOD
    return (bytes(range(PERIOD)) * ((begin + length) // PERIOD + 1))[begin : begin + length]


def shown(data, begin=0):
    """How bytes are written down."""
    return data if len(data) <= MAX_SHOWN else {"from": begin, "bytes": len(data)}


class Session:
    """The file of a key mode: its inputs alone decide the rest, but for what is said in records."""

    def __init__(self, mode):
        self.mode = mode
        self.entries = None

    def context(self, given):
        computed, schedule, h1 = session_handshake(self.mode, given)
        compare(computed, {name: given[name] for name in given if name not in ("c2s", "s2c")}, self.mode)
        for direction in ("c2s", "s2c"):
            secret_0 = schedule.expand(direction.encode(), h1)
            computed = session_direction(secret_0, given[direction], f"{self.mode}.{direction}")
            compare(computed, given[direction], f"{self.mode}.{direction}")


def session_handshake(mode, given):
    """All but the records; the schedule, and H1."""
    inputs, values = given["inputs"], {}
    offered = inputs["offered_modes"]
    codes = [MODES[name] for name in offered]
    require(mode in offered and codes == sorted(set(codes)), "inputs.offered_modes: is not what a client offers")
    psk = unhex(inputs["psk"]) if has_psk(mode) else None
    require(psk is None or len(psk) == 32, "inputs.psk: is not 32 bytes")
    names = ["client_ephemeral_secret", "server_ephemeral_secret", "server_identity_secret"]
    keys = [secret(inputs[name]) if has_share(mode) else None for name in names]
    client = Side(unhex(inputs["client_nonce"]), offered, psk, keys[0])
    server = Side(unhex(inputs["server_nonce"]), [mode], psk, *keys[1:])

    fields = [(FIELD_MODES, bytes(codes)), (FIELD_NONCE, client.nonce)]
    if has_share(mode):
        text = base64.urlsafe_b64encode(public(server.identity)).decode().rstrip("=")
        values |= {
            "client_ephemeral_public": public(client.ephemeral),
            "server_ephemeral_public": public(server.ephemeral),
            "server_identity_public": public(server.identity),
            "server_identity_text": f"fwk1_{text}",
            "dh_ee": agree(client.ephemeral, public(server.ephemeral)),
            "dh_es": agree(client.ephemeral, public(server.identity)),
        }
        fields.append((FIELD_SHARE, public(client.ephemeral)))
    if has_psk(mode):
        values["key_tag"] = key_tag(psk, client.nonce)
        fields.append((FIELD_KEY_TAG, values["key_tag"]))
    client_hello = hello(CLIENT_HELLO, fields)
    require(server_reads_hello(server, client_hello) == mode, "the server chooses another mode")
    server_hello, schedule = server_flight(server, mode, client_hello)
    chosen, clients = client_reads_hello(client, server_hello)
    require(chosen == mode and clients.prk == schedule.prk, "the two sides disagree")
    h0, server_finished, h1, client_finished = finish(schedule, client_hello, server_hello)
    values |= {
        "client_hello": client_hello,
        "server_hello": server_hello,
        "h0": h0,
        "ikm": schedule.ikm,
        "salt": schedule.salt,
        "prk": schedule.prk,
        "server_finished_key": schedule.expand(b"server finished", h0),
        "server_finished": server_finished,
        "h1": h1,
        "client_finished_key": schedule.expand(b"client finished", h0),
        "client_finished": client_finished,
        "exporter": schedule.expand(b"exporter", h1),
        "session_id": h1,
    }
    names = ["offered_modes", "client_nonce", "server_nonce"]
    names += ["psk"] if has_psk(mode) else []
    names += ["client_ephemeral_secret", "server_ephemeral_secret", "server_identity_secret"] if has_share(mode) else []
    computed = {
        "mode": mode,
        "mode_code": MODES[mode],
        "inputs": {name: inputs[name] for name in names},
        "handshake": values,
    }
    if has_psk(mode):
        computed["key_id"] = expand(psk, b"fernwire key id", 8)
    return computed, schedule, h1


def session_direction(secret_0, given, path):
    """One direction's keys and records, sealed again and read."""
    generation, records, frames = 0, [], b""
    for sequence, record in enumerate(given["records"]):
        payload = unhex(record["payload"])
        plain = plaintext(record["type"], record["more"], sequence, payload)
        key = record_key(secret_0, generation)
        frame = seal(key, record["time"], unhex(record["iv"]), padded(plain))
        computed = {name: record[name] for name in ("type", "more", "time", "iv")}
        computed |= {"sequence": sequence, "payload": payload, "plaintext": plain, "frame": frame}
        computed |= by_its_frame(key, frame, record)
        if record["type"] == "close":
            computed |= {"close_reason": computed["payload"][0], "close_text": computed["payload"][1:].decode()}
        records.append(computed)
        frames += frame
        generation += record["type"] == "rekey"
    # What is made up of wrong values is refused by comparison, and not by the reader.
    compare(records, given["records"], f"{path}.records")
    reason = Reader(secret_0, MAX_MESSAGE).read(frames)
    require(reason is None, f"{path}.records: are refused as {reason}")
    types = [record["type"] for record in records]
    require(set(types) == TYPES.keys(), f"{path}.records: not every type of record is there")
    require("data" in types[types.index("rekey") :], f"{path}.records: no data is sealed under the second key")
    return {
        "secret_0": secret_0,
        "record_key_0": record_key(secret_0, 0),
        "secret_1": traffic_secret(secret_0, 1),
        "record_key_1": record_key(secret_0, 1),
        "records": records,
    }


def by_its_frame(key, frame, given):
    """What a record's frame says of it, if that is another and yet authentic: then what stands beside it is wrong."""
    given = unhex(given["frame"])
    if given == frame:
        return {}
    try:
        plain = open_token(key, given[4:])
        (code, sequence), (time,) = struct.unpack(">BQ", plain[:9]), struct.unpack(">Q", given[5:13])
    except (Refused, struct.error):
        return {}
    names = {code: name for name, code in TYPES.items()}
    said = {"type": names.get(code & ~MORE), "more": code & MORE != 0, "sequence": sequence, "payload": plain[9:]}
    return said | {"time": time, "iv": given[13:29]}


class Streams:
    """A file of streams, whose secrets are those of the sessions."""

    entries = what = "streams"

    def __init__(self, sessions, are_refused=False):
        self.sessions, self.are_refused = sessions, are_refused

    def context(self, given):
        computed, secrets = [], {}
        for each in given["secrets"]:
            mode = each["mode"]
            _, schedule, h1 = session_handshake(mode, self.sessions[mode])
            secrets[mode] = {direction: schedule.expand(direction.encode(), h1) for direction in ("c2s", "s2c")}
            computed.append({"mode": mode} | secrets[mode])
        compare(computed, given["secrets"], "secrets")
        if self.are_refused:
            require({each["refused"] for each in given["streams"]} == REASONS, "not every reason is there")
        return secrets

    def check(self, secrets, given, path):
        """Seals the records of one stream again, and reads them."""
        mode, direction = given["mode"], given["direction"]
        secret_0 = secrets[mode][direction]
        generation, records, frames = 0, [], []
        from_ = 0
        for record in given["records"]:
            computed, frame = self.record(secrets[mode], direction, generation, from_, record)
            records.append(computed)
            frames.append(frame)
            generation += record.get("type") == "rekey"
            if record.get("type") == "data":
                from_ = from_ + len(bytes_of(record["payload"])) if record["more"] else 0
        computed = {"mode": mode, "direction": direction, "records": records}
        if "keys" in given:
            generations = range(generation + 1)
            computed["keys"] = [
                {"secret": traffic_secret(secret_0, i), "record_key": record_key(secret_0, i)} for i in generations
            ]
        compare(computed, {name: given[name] for name in computed}, path)
        compare(computed | self.outcome(secret_0, message_limit(mode, direction), frames, path), given, path)

    def outcome(self, secret_0, limit, frames, path):
        """What the reader hands up, and how it ends."""
        reader = Reader(secret_0, limit)
        reason = reader.read(b"".join(frames))
        require((reason is not None) == self.are_refused, f"{path}: its reader says {reason or 'that all is well'}")
        for message in reader.messages:
            counts = len(message) <= MAX_SHOWN or message == counting(0, len(message))
            require(counts, f"{path}: a long message does not count")
        ends = {"messages": [shown(message) for message in reader.messages]}
        if reason is None:
            ends["close"] = goodbye(reader.closed)
        else:
            # The last record alone is at fault.
            before = Reader(secret_0, limit)
            require(not frames or before.read(b"".join(frames[:-1])) == "truncated" or reason == "after_close", path)
            ends["refused"] = reason
        return ends

    def record(self, secrets, direction, generation, from_, given):
        """One record as it ought to be, and its frame."""
        computed = {name: given[name] for name in ("time", "iv")}
        time, iv = given["time"], unhex(given["iv"])
        if "sealed_by" in given:
            computed["sealed_by"] = by = given["sealed_by"]
            require(type(by["generation"]) is int and 0 <= by["generation"] < 100, "there is no such generation")
            direction, generation = by["direction"], by["generation"]
        key = record_key(secrets[direction], generation)
        if "padded" in given:
            blocks = unhex(given["padded"])
            computed |= {"version": given["version"], "padded": blocks}
            frame = seal(key, time, iv, blocks, given["version"])
        else:
            payload = bytes_of(given["payload"])
            require(type(given["more"]) is bool, "another type of value is due for more")
            computed |= {name: given[name] for name in ("type", "more", "sequence")}
            computed["payload"] = shown(payload, from_)
            frame = seal(key, time, iv, padded(plaintext(given["type"], given["more"], given["sequence"], payload)))
            if "frame" in given and "changes" not in given:
                computed |= by_its_frame(key, frame, given)
        if "changes" in given:
            frame, computed["changes"] = spliced(frame, given["changes"])
        if len(frame) <= 2 * MAX_SHOWN:
            computed["frame"] = frame
        else:
            computed["frame_sha256"] = sha256(frame)
        return computed, frame


def goodbye(payload):
    try:
        return {"reason": payload[0], "text": payload[1:].decode()}
    except UnicodeDecodeError:
        return {"reason": payload[0]}
