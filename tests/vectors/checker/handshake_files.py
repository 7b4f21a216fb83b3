"""Works out again what the files of handshakes say: negotiation, and frames that are refused."""

from .basics import Refused, agree, compare, public, require, secret, spliced, unhex
from .handshake import (
    CLIENT_FINISHED,
    CLIENT_HELLO,
    FIELD_KEY_TAG,
    FIELD_MODES,
    FIELD_NONCE,
    FIELD_SHARE,
    MODES,
    REASONS,
    SERVER_FINISHED,
    Schedule,
    Side,
    alert_for,
    client_reads_hello,
    finish,
    has_psk,
    has_share,
    hello,
    key_tag,
    reads_finished,
    server_flight,
    server_reads_hello,
)


class Parties:
    """Client and server with what the inputs of a file give them."""

    def __init__(self, inputs):
        self.keys = {name: unhex(inputs[name]) for name in ("psk", "other_psk")}
        require(all(len(key) == 32 for key in self.keys.values()), "a psk is not 32 bytes")
        self.client_nonce, self.server_nonce = unhex(inputs["client_nonce"]), unhex(inputs["server_nonce"])
        self.client_ephemeral = secret(inputs["client_ephemeral_secret"])
        self.server_ephemeral = secret(inputs["server_ephemeral_secret"])
        self.server_identity = secret(inputs["server_identity_secret"])

    def held(self, described):
        return self.keys[described["secret_key"]] if "secret_key" in described else None

    def client(self, modes, psk):
        return Side(self.client_nonce, modes, psk, self.client_ephemeral)

    def server(self, modes, psk):
        return Side(self.server_nonce, modes, psk, self.server_ephemeral, self.server_identity)

    def client_hello(self, codes, share, psk, unknown=()):
        fields = [(FIELD_MODES, bytes(codes)), (FIELD_NONCE, self.client_nonce), *unknown]
        fields += [(FIELD_SHARE, public(self.client_ephemeral))] if share else []
        fields += [(FIELD_KEY_TAG, key_tag(psk, self.client_nonce))] if psk else []
        return hello(CLIENT_HELLO, fields)


def unknown_fields(described):
    return [(field["type"], unhex(field["value"])) for field in described.get("unknown_fields", [])]


class Negotiation:
    """negotiation.json"""

    entries = what = "handshakes"

    def context(self, given):
        return Parties(given["inputs"])

    def check(self, parties, given, path):
        """Computes one handshake and compares it."""
        client, server = given["client"], given["server"]
        require(type(client["share"]) is bool, f"{path}.client.share: another type of value is due")
        require(set(server["allowed_modes"]) <= MODES.keys(), f"{path}.server.allowed_modes: there is no such mode")
        client_hello = parties.client_hello(
            client["offered_codes"], client["share"], parties.held(client), unknown_fields(client)
        )
        computed = {"client": client, "server": server, "client_hello": client_hello}
        own = parties.server(server["allowed_modes"], parties.held(server))
        try:
            mode = server_reads_hello(own, client_hello)
        except Refused as refused:
            computed |= {"refused": refused.reason, "alert": alert_for(refused.reason)}
        else:
            computed["chosen"] = self.chosen(parties, own, mode, given, client_hello)
        compare(computed, given, path)

    def chosen(self, parties, server, mode, given, client_hello):
        """The rest of the handshake, by the server, and read by the client."""
        server_hello, schedule = server_flight(server, mode, client_hello, unknown_fields(given["server"]))
        offered = [name for name, code in MODES.items() if code in given["client"]["offered_codes"]]
        client = parties.client(offered, parties.held(given["client"]))
        seen, clients = client_reads_hello(client, server_hello)
        require(seen == mode and clients.prk == schedule.prk, "the two sides disagree")
        _, server_finished, h1, client_finished = finish(schedule, client_hello, server_hello)
        return {
            "mode": mode,
            "server_hello": server_hello,
            "server_finished": server_finished,
            "client_finished": client_finished,
            "session_id": h1,
        }


class Good:
    """A handshake between sides that know one mode; broken frames are made from its frames."""

    def __init__(self, parties, mode):
        psk = parties.keys["psk"] if has_psk(mode) else None
        self.mode, self.parties = mode, parties
        self.client, self.server = parties.client([mode], psk), parties.server([mode], psk)
        hello = parties.client_hello([MODES[mode]], has_share(mode), psk)
        server_hello, self.schedule = server_flight(self.server, mode, hello)
        self.h0, server_finished, self.h1, client_finished = finish(self.schedule, hello, server_hello)
        self.frames = {
            "client_hello": hello,
            "server_hello": server_hello,
            "server_finished": server_finished,
            "client_finished": client_finished,
        }

    def read(self, step, frame):
        """Gives the frame to whoever reads it at this step."""
        if step == "client_hello":
            server_reads_hello(self.server, frame)
        elif step == "server_hello":
            client_reads_hello(self.client, frame)
        elif step == "server_finished":
            reads_finished(frame, SERVER_FINISHED, self.schedule.server_finished(self.h0))
        else:
            reads_finished(frame, CLIENT_FINISHED, self.schedule.client_finished(self.h0, self.h1))

    def made(self, name):
        """The bytes that an inserted value's name stands for."""
        schedule, h0, h1, parties = self.schedule, self.h0, self.h1, self.parties
        makers = {
            "client_share": lambda: public(parties.client_ephemeral),
            "server_share": lambda: public(parties.server_ephemeral),
            "server_identity": lambda: public(parties.server_identity),
            "key_tag_of_other_psk": lambda: key_tag(parties.keys["other_psk"], parties.client_nonce),
            "client_mac": lambda: schedule.client_finished(h0, h1),
            "server_mac": lambda: schedule.server_finished(h0),
            "client_key_over_h0": lambda: schedule.client_finished(h0, h0),
            "client_key_from_h1": lambda: schedule.client_finished(h1, h1),
            "server_key_over_h1": lambda: schedule.server_finished(h0, h1),
            "server_without_dh_es": lambda: self.schedule_without_dh_es().server_finished(h0),
            "server_with_other_psk": lambda: self.schedule_with_other_psk().server_finished(h0),
            "client_with_other_psk": lambda: self.schedule_with_other_psk().client_finished(h0, h1),
        }
        return makers[name]()

    def schedule_without_dh_es(self):
        psk = self.server.psk if has_psk(self.mode) else b""
        return Schedule(self.mode, psk or b"", agree(self.server.ephemeral, public(self.client.ephemeral)))

    def schedule_with_other_psk(self):
        client = self.parties.client([self.mode], self.parties.keys["other_psk"])
        return client_reads_hello(client, self.frames["server_hello"])[1]


class BrokenHandshakes:
    """broken-handshakes.json"""

    entries, what = "broken", "frames"

    def context(self, given):
        parties = Parties(given["inputs"])
        good = {mode: Good(parties, mode) for mode in MODES}
        compare([{"mode": mode} | each.frames for mode, each in good.items()], given["good"], "good")
        require({each["refused"] for each in given["broken"]} == REASONS.keys(), "not every reason is there")
        return good

    def check(self, good, given, path):
        """Makes the broken frame again, and finds what is wrong with it."""
        good, step = good[given["mode"]], given["step"]
        frame, changes = spliced(good.frames[step], given["changes"], good.made)
        computed = {"mode": good.mode, "step": step, "changes": changes, "frame": frame}
        # The frame itself is compared before anybody reads it.
        compare(computed, {name: given[name] for name in computed}, path)
        try:
            good.read(step, frame)
        except Refused as refused:
            computed["refused"] = refused.reason
            if alert := alert_for(refused.reason):
                computed["alert"] = alert
        compare(computed, given, path)
