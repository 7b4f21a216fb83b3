"""The handshake: sections 3.1 to 3.5."""

import struct

from .basics import Refused, agree, expand, mac, public, refuse_unless, sha256

MODES = {"x25519+psk": 1, "x25519": 2, "psk": 3}
NAMES = {code: name for name, code in MODES.items()}
FIELD_MODES, FIELD_NONCE, FIELD_SHARE, FIELD_KEY_TAG, FIELD_IDENTITY = 1, 2, 3, 4, 5
CLIENT_HELLO, SERVER_HELLO, SERVER_FINISHED, CLIENT_FINISHED, ALERT = 1, 2, 3, 4, 5
MAX_BODY = 4096
MAGIC = b"FERNWIRE"

# The alert for each reason to refuse a handshake frame. An alert is not answered.
REASONS = {
    "unexpected_frame": 1,
    "frame_too_long": 1,
    "bad_magic": 1,
    "wrong_version": 2,
    "cut_field": 1,
    "duplicate_field": 1,
    "field_order": 1,
    "bad_field": 1,
    "missing_field": 1,
    "needless_field": 1,
    "no_common_mode": 3,
    "unknown_key": 4,
    "mode_not_offered": 1,
    "reflected_share": 1,
    "low_order_point": 1,
    "bad_finished": 5,
    "alert": None,
}


def has_psk(mode):
    return mode != "x25519"


def has_share(mode):
    return mode != "psk"


# Making frames


def frame(kind, body):
    return struct.pack(">BH", kind, len(body)) + body


def hello(kind, fields):
    """A hello frame; `fields` are pairs of type and value."""
    body = MAGIC + b"\x01"
    for number, value in sorted(fields):
        body += struct.pack(">HH", number, len(value)) + value
    return frame(kind, body)


def alert_for(reason):
    code = REASONS[reason]
    return None if code is None else frame(ALERT, bytes([code]))


def key_tag(psk, client_nonce):
    return mac(expand(psk, b"fernwire key tag"), client_nonce)[:8]


# Keys


class Schedule:
    """The keys of one handshake, from its secrets and its frames."""

    def __init__(self, mode, psk=b"", dh_ee=b"", dh_es=b""):
        self.salt = b"fernwire v1 " + mode.encode()
        self.ikm = b"".join(struct.pack(">H", len(part)) + part for part in (psk, dh_ee, dh_es))
        self.prk = mac(self.salt, self.ikm)

    def expand(self, label, transcript):
        return expand(self.prk, bytes([len(label)]) + label + transcript)

    def server_finished(self, h0, over=None):
        return mac(self.expand(b"server finished", h0), over or h0)

    def client_finished(self, h0, over):
        return mac(self.expand(b"client finished", h0), over)


class Side:
    """What one side of a handshake has; None where it has none."""

    def __init__(self, nonce, modes, psk=None, ephemeral=None, identity=None):
        self.nonce, self.modes, self.psk, self.ephemeral, self.identity = nonce, modes, psk, ephemeral, identity


def server_flight(server, mode, client_hello, unknown=()):
    """ServerHello and the schedule of a server that has chosen, with fields that nobody knows."""
    fields = [(FIELD_MODES, bytes([MODES[mode]])), (FIELD_NONCE, server.nonce), *unknown]
    secrets = {"psk": server.psk} if has_psk(mode) else {}
    if has_share(mode):
        share = dict(parse_hello(body_of(client_hello, CLIENT_HELLO)))[FIELD_SHARE]
        fields += [(FIELD_SHARE, public(server.ephemeral)), (FIELD_IDENTITY, public(server.identity))]
        secrets |= {"dh_ee": agree(server.ephemeral, share), "dh_es": agree(server.identity, share)}
    return hello(SERVER_HELLO, fields), Schedule(mode, **secrets)


def finish(schedule, client_hello, server_hello):
    """H0, SF, H1 and CF."""
    h0 = sha256(client_hello, server_hello)
    server_finished = frame(SERVER_FINISHED, schedule.server_finished(h0))
    h1 = sha256(client_hello, server_hello, server_finished)
    return h0, server_finished, h1, frame(CLIENT_FINISHED, schedule.client_finished(h0, h1))


# Reading frames


def body_of(given, due):
    """The body of the frame, as far as it was the one that is due."""
    kind, length = struct.unpack(">BH", given[:3])
    refuse_unless(kind in (due, ALERT), "unexpected_frame")
    refuse_unless(length <= MAX_BODY, "frame_too_long")
    body = given[3:]
    if len(body) != length:
        raise ValueError("this is not one whole frame")
    if kind == ALERT:
        refuse_unless(length == 1, "bad_field")
        raise Refused("alert")
    return body


def parse_hello(body):
    """A hello's fields."""
    refuse_unless(body[:8] == MAGIC, "bad_magic")
    refuse_unless(len(body) > 8, "cut_field")
    refuse_unless(body[8] == 1, "wrong_version")
    fields, last, at = {}, -1, 9
    while at < len(body):
        refuse_unless(len(body) - at >= 4, "cut_field")
        number, length = struct.unpack(">HH", body[at : at + 4])
        at += 4
        refuse_unless(len(body) - at >= length, "cut_field")
        refuse_unless(number != last, "duplicate_field")
        refuse_unless(number > last, "field_order")
        fields[number] = body[at : at + length]
        last, at = number, at + length
    return fields


def take(fields, number, lengths, needed, needless=False):
    """One field's value, or None."""
    value = fields.get(number)
    if value is None:
        refuse_unless(not needed, "missing_field")
        return None
    refuse_unless(not needless, "needless_field")
    refuse_unless(len(value) in lengths, "bad_field")
    return value


def server_reads_hello(server, given):
    """The mode that the server chooses."""
    fields = parse_hello(body_of(given, CLIENT_HELLO))
    codes = take(fields, FIELD_MODES, range(1, 257), True)
    refuse_unless(len(set(codes)) == len(codes), "bad_field")
    offered = [NAMES[code] for code in codes if code in NAMES]
    all_known = len(offered) == len(codes)
    nonce = take(fields, FIELD_NONCE, [32], True)
    wants_share, wants_tag = any(map(has_share, offered)), any(map(has_psk, offered))
    share = take(fields, FIELD_SHARE, [32], wants_share, needless=all_known and not wants_share)
    tag = take(fields, FIELD_KEY_TAG, [8], wants_tag, needless=all_known and not wants_tag)
    take(fields, FIELD_IDENTITY, [], False, needless=True)

    chosen = [mode for mode in MODES if mode in server.modes and mode in offered]
    refuse_unless(chosen, "no_common_mode")
    refuse_unless(tag is None or server.psk is None or tag == key_tag(server.psk, nonce), "unknown_key")
    if has_share(chosen[0]):
        refuse_unless(share not in (public(server.ephemeral), public(server.identity)), "reflected_share")
        refuse_unless(agree(server.ephemeral, share) and agree(server.identity, share), "low_order_point")
    return chosen[0]


def client_reads_hello(client, given):
    """The mode that the server has chosen, and the schedule."""
    fields = parse_hello(body_of(given, SERVER_HELLO))
    code = take(fields, FIELD_MODES, [1], True)[0]
    refuse_unless(code in NAMES, "bad_field")
    mode = NAMES[code]
    take(fields, FIELD_NONCE, [32], True)
    share = take(fields, FIELD_SHARE, [32], has_share(mode), needless=not has_share(mode))
    identity = take(fields, FIELD_IDENTITY, [32], has_share(mode), needless=not has_share(mode))
    take(fields, FIELD_KEY_TAG, [], False, needless=True)

    refuse_unless(mode in client.modes, "mode_not_offered")
    secrets = {"psk": client.psk} if has_psk(mode) else {}
    if has_share(mode):
        refuse_unless(public(client.ephemeral) not in (share, identity), "reflected_share")
        secrets |= {"dh_ee": agree(client.ephemeral, share), "dh_es": agree(client.ephemeral, identity)}
        refuse_unless(secrets["dh_ee"] and secrets["dh_es"], "low_order_point")
    return mode, Schedule(mode, **secrets)


def reads_finished(given, kind, due):
    refuse_unless(body_of(given, kind) == due, "bad_finished")
