"""Which server this is, and whether it is the right one: addresses, key files, known_hosts, TLS.

The numbers are sections of docs/protocol.md, from which alone this was written.
"""
import asyncio
import base64
import contextlib
import fcntl
import ipaddress
import os
import re
import socket
import ssl
import struct
import sys
from pathlib import Path
from urllib.parse import quote, unquote

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fernwire_session import MODES, expand, explained, must

UNENCODED = "!$&()*+,/:;<=>@[\\]^`{|}~"  # in a unix:// address, beside letters and digits


def text_of(key, prefix="fwk1_", padding=""):
    return prefix + base64.urlsafe_b64encode(key).decode().rstrip("=") + padding


def key_of(text, prefix="fwk1_", padding=""):
    """The 32 bytes behind a prefix in canonical base64url, or None (8)."""
    with contextlib.suppress(ValueError):
        key = base64.urlsafe_b64decode(text[len(prefix):].removesuffix(padding) + "=")
        return key if len(key) == 32 and text == text_of(key, prefix, padding) else None


def read_private(path):
    """The text of a file that nobody else may read."""
    with explained(f"cannot read {path}", OSError):
        mode, text = os.stat(path).st_mode, Path(path).read_text("utf-8", "replace")
    must(mode & 0o077 == 0, f"{path} can be read by other users; run: chmod 600 {path}")
    return text.rstrip("\r\n")


def read_secret(named):
    """The secret key of the file that the user named, or of ./secret.key if it is theirs (8)."""
    path = named or "./secret.key"
    if not named and not (os.path.exists(path) and os.stat(path).st_uid == os.geteuid()):
        return None
    key = key_of(read_private(path), "", "=")
    must(key, f"{path} holds no secret key, which is 44 characters; `fernwire keygen` makes one")
    if not named:
        key_id = expand(key, b"fernwire key id", 8).hex()
        print(f"Using {path}, key id {key_id}.", file=sys.stderr)
    return key


def own_identity():
    """The public identity of this user's own server, or None (8)."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    path = Path(os.environ.get("FERNWIRE_DATA") or Path(home) / "fernwire") / "identity.key"
    with contextlib.suppress(OSError, ValueError):
        key = key_of(path.read_text("ascii").strip(), "fernwire-identity-1 ")
        return key and X25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()


class Endpoint:
    """Where the server is, and which identity its address pins (2)."""

    def __init__(self, url):
        place, mark, pin = url.partition("#")
        self.scheme, _, rest = place.partition("://")
        self.pin, self.host, self.port = key_of(pin), unquote(rest), 0
        must(self.pin or not mark, "what follows the `#` is no identity, which is `fwk1_` and 43 "
             "characters, as `fernwire id` prints it on the server")
        if self.scheme == "unix" and self.host.startswith("/"):
            self.address, self.loopback = f"unix://{quote(self.host, safe=UNENCODED)}", True
            return
        match = re.fullmatch(r"(\[[\da-fA-F:.]+(%[\w.-]+)?]|[\w.-]+)(?::(\d{1,5}))?/?", rest, re.A)
        wrong = (f"`{place}` is no address; write tcp://host:port, tls://host:port or "
                 "unix:///absolute/path, and an IPv6 address in brackets")
        must(self.scheme in ("tcp", "tls") and match and int(match[3] or 3376) in range(1, 65536),
             wrong)
        self.host, self.port = match[1].lower(), int(match[3] or 3376)
        with explained(wrong, ValueError):
            self.host = shortest(match[1][1:-1]) if match[1].startswith("[") else self.host
        name = f"[{self.host}]" if ":" in self.host else self.host
        self.address, self.loopback = f"{self.scheme}://{name}:{self.port}", name == "localhost"
        with contextlib.suppress(ValueError):
            ip = ipaddress.ip_address(self.host)
            self.loopback = (getattr(ip, "ipv4_mapped", None) or ip).is_loopback


def shortest(text):
    """An IPv6 address as known_hosts has it; Python alone would not write ::ffff:1.2.3.4."""
    ip = ipaddress.IPv6Address(text)
    zone = f"%{ip.scope_id}" if ip.scope_id else ""
    return (f"::ffff:{ip.ipv4_mapped}" if ip.ipv4_mapped else ip.compressed.split("%")[0]) + zone


class Trust:
    """What is offered to a server, and whether it is the right one (3.3, 8)."""

    def __init__(self, endpoint, options):
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        self.endpoint, self.known_hosts = endpoint, home / "fernwire" / "known_hosts"
        self.accept_new, self.transport = options.accept_new, None
        kex = [] if options.kex == "auto" else options.kex.split(",")
        must(set(kex) <= set(MODES), f"--kex is auto, or some of {', '.join(MODES)}, with commas")
        must(not endpoint.pin or "psk" not in kex,
             "the address pins an identity, and psk proves none; leave psk out of --kex")
        self.secret = None if set(kex) == {"x25519"} else read_secret(options.secret_key)
        auto = [MODES[0], MODES[1] if endpoint.pin or self.known()[0] else MODES[2]]
        self.modes = [m for m in MODES if m in (kex or (auto if self.secret else ["x25519"]))]
        must(self.secret or self.modes == ["x25519"],
             "the key modes of --kex need a secret key; name its file with --secret-key")

    def lines(self):
        """The lines of known_hosts, each with its words, none for an empty line and a comment."""
        with explained(f"cannot read {self.known_hosts}", OSError, ValueError):
            text = self.known_hosts.read_text("utf-8") if self.known_hosts.exists() else ""
        for number, line in enumerate(text.splitlines(), 1):
            words = [] if line.startswith("#") else line.split()
            must(not words or len(words) == 3 and key_of(words[1]) and words[2] in (
                "confirmed", "accepted-new", "by-certificate", "by-secret-key"),
                f"{self.known_hosts} line {number} is not `ADDRESS IDENTITY HOW`; mend that")
            yield line, words

    def known(self):
        """The identity that known_hosts has for the server, and how it came there."""
        found = [words for _, words in self.lines() if words[:1] == [self.endpoint.address]]
        return (key_of(found[0][1]), found[0][2]) if found else (None, None)

    def record(self, identity, how):
        """Takes the place of the server's entry in known_hosts, in a new file, under the lock."""
        with explained(f"cannot write {self.known_hosts}", OSError):
            self.known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(f"{self.known_hosts}.lock", "a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                address, (now, _) = self.endpoint.address, self.known()
                must(now in (None, identity), f"{self.known_hosts} got another identity just now")
                lines = [line for line, words in self.lines() if words[:1] != [address]]
                new = self.known_hosts.with_name(f".known_hosts.{os.getpid()}")
                with open(new, "w") as file:
                    file.write("\n".join([*lines, f"{address} {text_of(identity)} {how}", ""]))
                    file.flush()
                    os.fsync(file.fileno())
                new.rename(self.known_hosts)

    def decide(self, mode, identity):
        """Fails unless the server is the right one; `proof` is more than the secret key."""
        endpoint, shows = self.endpoint, text_of(identity or b"")
        address, pin = endpoint.address, endpoint.pin
        if mode == "psk":
            self.proof = self.transport or self.modes == ["psk"]
            return
        known, how = self.known()
        for expected, where in ((pin, "the address"), (known, self.known_hosts)):
            must(expected in (None, identity), f"{address} shows {shows}, and {where} has "
                 f"{expected and text_of(expected)}: its key was changed, or somebody poses as it; "
                 "ask whoever runs it, and only then change that", 6)
        new, weak = how, how in (None, "by-secret-key")
        self.proof = pin or not weak or self.transport or (
            endpoint.loopback and identity == own_identity())
        if self.transport == "by-certificate" and weak and not pin:
            new = "by-certificate"
        elif not self.proof and mode == "x25519+psk":
            new = "by-secret-key"
        elif not self.proof:
            must(self.accept_new, f"{address} is not known here, and nothing proves that it is the "
                 f"right server. Compare {shows} with what `fernwire id` prints there, then use "
                 f"'{address}#{shows}', or --accept-new to trust what came", 6)
            new = "accepted-new"
        if new != how:
            self.record(identity, new)


async def connect(endpoint, trust, ca):
    """Opens the stream, and notes what it proves by itself (2, 8)."""
    if endpoint.scheme == "unix":
        reader, writer = await asyncio.open_unix_connection(endpoint.host)
        peer = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        trust.transport = struct.unpack("3i", peer)[1] in (0, os.geteuid()) and "by-socket"
        return reader, writer
    tls = ssl.create_default_context() if endpoint.scheme == "tls" else None
    if tls:
        tls.minimum_version, tls.hostname_checks_common_name = ssl.TLSVersion.TLSv1_3, False
        tls.set_alpn_protocols(["fernwire/1"])
        if ca:  # a certificate in it that is no authority's stands for itself, not for its key
            with explained(f"cannot read certificates from {ca}", OSError):
                tls.load_verify_locations(ca)
            tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        elif endpoint.pin:
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        trust.transport = tls.check_hostname and "by-certificate"
    host = endpoint.host
    name = host.partition("%")[0] if tls else None
    return await asyncio.open_connection(host, endpoint.port, ssl=tls, server_hostname=name)
