#!/usr/bin/env python3
"""A client of Fernwire, written from docs/protocol.md, whose sections the numbers here name.

It needs Python 3.11 and `cryptography`. The client in Rust also connects again, asks, and has unix://.
"""
import argparse, asyncio, base64, fcntl, getpass, hashlib, hmac, json, os, re, socket, ssl, sys, time
from pathlib import Path
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

MODES = ("x25519+psk", "x25519", "psk")  # in the order of preference; a code is the place + 1
ALERTS = {b"\3": "no key mode in common; see --kex and --secret-key", b"\4": "it holds another secret key"}
HOWS = ("confirmed", "accepted-new", "by-certificate", "by-secret-key")  # in known_hosts
DATA, CLOSE, REKEY, PING, PONG, MORE = 1, 2, 3, 4, 5, 0x81  # types of records
PIECE, MESSAGE, CREDIT, KEY_RECORDS, KEY_BYTES = 65_527, 1 << 20, 262_144, 1 << 20, 1 << 30
REKEY_RECORDS, REKEY_BYTES, REKEY_SECONDS = 1 << 19, 1 << 29, 3600  # after which we change our key
HANDSHAKE_SECONDS, PING_SECONDS, DEAD_SECONDS, GOODBYE_SECONDS = 10, 20, 60, 2

class Failure(Exception):
    """What failed, why, and what to do; and the alert that tells the server, if one is due."""
def must(true, text, alert=None):
    if not true:
        raise Failure(text, alert)

def mac(key, data): return hmac.digest(key, data, "sha256")
def expand(key, info): return mac(key, info + b"\1")  # HKDF-Expand is no more than this up to 32 bytes
def sized(value): return len(value).to_bytes(2) + value
def text_of(identity): return "fwk1_" + base64.urlsafe_b64encode(identity).decode()[:-1]

def shown(text):  # with what would steer a terminal, or turn the direction of text, made visible (6.2)
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in str(text))

async def handshake(reader, writer, server):  # proves both sides; each direction's secret (3)
    ephemeral, nonce = X25519PrivateKey.generate(), os.urandom(32)
    share = ephemeral.public_key().public_bytes_raw()
    codes = {bytes([MODES.index(mode) + 1]): mode for mode in server.modes}
    fields = {1: b"".join(codes), 2: nonce}
    if server.modes != ["psk"]:
        fields[3] = share
    if server.modes != ["x25519"]:
        fields[4] = mac(expand(server.secret, b"fernwire key tag"), nonce)[:8]
    encoded = b"".join(kind.to_bytes(2) + sized(fields[kind]) for kind in fields)
    client_hello = b"\1" + sized(b"FERNWIRE\1" + encoded)
    writer.write(client_hello)
    server_hello = await frame(reader, 2)
    fields = fields_of(server_hello[3:])
    mode = codes.get(fields.get(1))
    must(mode, "the server chose a key mode that was not offered", 1)
    lengths = {1: 1, 2: 32} if mode == "psk" else {1: 1, 2: 32, 3: 32, 5: 32}
    must({kind: len(fields[kind]) for kind in fields} == lengths, "a field of the server is amiss", 1)
    must(share not in fields.values(), "the server sent our own key back", 1)
    keys = [fields[kind] for kind in (3, 5) if kind in fields]
    try:
        agreed = [ephemeral.exchange(X25519PublicKey.from_public_bytes(key)) for key in keys]
    except ValueError:  # it is all zero
        raise Failure("a key of the server is good for nothing", 1) from None
    parts = [server.secret if "psk" in mode else b"", *(agreed or (b"", b""))]
    prk = mac(b"fernwire v1 " + mode.encode(), b"".join(map(sized, parts)))  # HKDF-Extract
    def derive(label, transcript):
        return expand(prk, bytes([len(label)]) + label + transcript)
    h0 = hashlib.sha256(client_hello + server_hello).digest()
    finished = await frame(reader, 3)
    h1 = hashlib.sha256(client_hello + server_hello + finished).digest()
    proof = mac(derive(b"server finished", h0), h0)
    must(hmac.compare_digest(finished[3:], proof), "the server's proof does not verify", 5)
    server.decide(mode, fields.get(5))
    writer.write(b"\4" + sized(mac(derive(b"client finished", h0), h1)))
    return derive(b"c2s", h1), derive(b"s2c", h1)

async def frame(reader, kind):  # the next frame, whole, which has to be of this type (3.2)
    head = await reader.readexactly(3)
    size, alert = int.from_bytes(head[1:]), head == b"\5\0\1"
    must((head[0] == kind or alert) and size <= 4_096, "this is not the handshake of a Fernwire server", 1)
    body = await reader.readexactly(size)
    must(not alert, f"the server says, unverified: {ALERTS.get(body, f'alert {body.hex()}')}")
    return head + body

def fields_of(hello):  # the fields of a hello that this version knows, by their types, which ascend (3.2)
    must(hello[:8] == b"FERNWIRE" and hello[8:], "the server's hello is malformed", 1)
    must(hello[8] == 1, "the server speaks another version of Fernwire", 2)
    fields, rest, last = {}, hello[9:], -1
    while rest:
        kind, end = int.from_bytes(rest[:2]), 4 + int.from_bytes(rest[2:4])
        must(kind > last and len(rest) >= end, "the server's hello is malformed", 1)
        fields[kind], rest, last = rest[4:end], rest[end:], kind
    return {kind: fields[kind] for kind in fields if 1 <= kind <= 5}

class Keys:
    """The record key of one direction, what it has sealed, and the secret of the next (4)."""
    def __init__(self, secret):
        self.next, self.sequence = secret, 0
        self.rekey()

    def rekey(self):
        self.fernet = Fernet(base64.urlsafe_b64encode(expand(self.next, b"key")))
        self.next, self.since = expand(self.next, b"next"), time.monotonic()
        self.records = self.bytes = 0

    def count(self, token):
        self.sequence, self.records, self.bytes = self.sequence + 1, self.records + 1, self.bytes + len(token)

class Session:
    """The records, messages and requests of one connection (4, 5, 6)."""
    def __init__(self, reader, writer, sending, receiving):
        self.reader, self.writer, self.closed = reader, writer, False
        self.sending, self.receiving = Keys(sending), Keys(receiving)
        self.last, self.requests, self.credit = 0, {}, {}

    def seal(self, kind, payload=b""):
        keys = self.sending
        if kind != REKEY and (keys.records >= REKEY_RECORDS or keys.bytes >= REKEY_BYTES
                              or time.monotonic() - keys.since >= REKEY_SECONDS):
            self.seal(REKEY)
            keys.rekey()
        plain = bytes([kind]) + keys.sequence.to_bytes(8) + payload
        token = base64.urlsafe_b64decode(keys.fernet.encrypt(plain))
        keys.count(token)
        if not self.closed:
            self.writer.write(len(token).to_bytes(4) + token)
        self.closed |= kind == CLOSE

    async def record(self):
        keys, head = self.receiving, await self.reader.readexactly(4)
        must(keys.sequence or head[:3] != b"\5\0\1", f"the server refused with alert {head[3]}")
        size = int.from_bytes(head)
        must(73 <= size <= 65_609 and size % 16 == 9, "the server sent what is no record")
        token = await self.reader.readexactly(size)
        plain = keys.fernet.decrypt(base64.urlsafe_b64encode(token))
        must(plain[1:9] == keys.sequence.to_bytes(8), "a record of the server is out of order")
        keys.count(token)
        must(keys.records <= KEY_RECORDS and keys.bytes <= KEY_BYTES, "the server did not rekey")
        return plain[0], plain[9:]

    async def read(self):  # takes what the server sends until its goodbye (4, 5)
        message = b""  # what there is of it: a piece that more follows is never empty
        while True:
            coming = asyncio.create_task(self.record())
            if not (await asyncio.wait({coming}, timeout=PING_SECONDS))[0]:
                self.seal(PING)
            kind, payload = await asyncio.wait_for(coming, DEAD_SECONDS - PING_SECONDS)
            if kind == DATA or kind == MORE and payload:
                message += payload
                must(len(message) <= MESSAGE, "the server sent too long a message")
                if kind == DATA:
                    self.dispatch(message)
                    message = b""
            elif kind == CLOSE and 1 <= len(payload) <= 1025 and not message:
                self.seal(CLOSE, b"\0")
                return f"{shown(payload[1:].decode('utf-8', 'replace'))} (reason {payload[0]})"
            else:
                must(kind in (REKEY, PING, PONG) and not payload, "the server sent a bad record")
                if kind == REKEY:
                    self.receiving.rekey()
                elif kind == PING and not self.writer.transport.get_write_buffer_size():
                    self.seal(PONG)

    def dispatch(self, raw):
        message = json.loads(raw[1:].decode())
        number, kind = message["id"], message["type"]
        due = self.credit[number] > 0 if kind == "reply" else kind in ("end", "error", "cancelled")
        if raw[0] or not due:
            raise ValueError(f"the server sent {shown(kind)}, which is not due")
        self.credit[number] -= len(raw)
        self.requests[number].put_nowait(message)
        if kind != "reply":
            del self.requests[number]

    async def send(self, message, head=b"\0"):
        message = head + (json.dumps(message).encode() if head == b"\0" else message)
        for at in range(0, len(message), PIECE):
            self.seal(DATA if at + PIECE >= len(message) else MORE, message[at:at + PIECE])
        await self.writer.drain()

    async def ask(self, service, body, document=b""):  # yields the replies (6)
        self.last += 1
        number, answers = self.last, asyncio.Queue()
        self.requests[number], self.credit[number] = answers, CREDIT
        await self.send({"type": "request", "id": number, "service": service, "body": body})
        for at in range(0, len(document), 16_000):  # as much as an unproven client may send
            await self.send(document[at:at + 16_000], b"\1" + number.to_bytes(8))
        while (answer := await answers.get())["type"] == "reply":
            yield answer["body"]
            used = CREDIT - self.credit[number]
            if used > CREDIT // 2 and answers.empty():  # so all that was used is consumed
                self.credit[number] = CREDIT
                await self.send({"type": "credit", "id": number, "bytes": used})
        must(answer["type"] != "error", f"the server refused: {shown(answer.get('message'))}")

    async def tell(self, *request):
        return ([reply async for reply in self.ask(*request)] or [{}])[0]

def key_of(text):  # the 32 bytes behind `fwk1_` in canonical base64url, or None (8)
    key = re.fullmatch(r"fwk1_[\w-]{43}", text, re.A) and base64.urlsafe_b64decode(text[5:] + "=")
    return key if key and text_of(key) == text else None

def read_private(path):
    must(os.stat(path).st_mode & 0o077 == 0, f"others can read {path}; run: chmod 600 {path}")
    return Path(path).read_text("utf-8", "replace").rstrip("\r\n")

class Server:
    """Where the server is, what is offered to it, and whether it is the right one (2, 3.3, 8)."""
    def __init__(self, url, options):
        place, mark, pin = url.partition("#")
        match = re.fullmatch(r"(tcp|tls)://(\[[\da-fA-F:.]+]|[\w.-]+)(:\d{1,5})?/?", place, re.A)
        self.pin = key_of(pin)
        must(match and bool(self.pin) == bool(mark), f"`{url}` is no address, which is tcp:// or tls:// and "
             "host:port, and perhaps # and the identity that `fernwire id` prints on the server")
        self.scheme, host, self.port = match[1], match[2].lower(), int((match[3] or ":3376")[1:])
        if host.startswith("["):  # in its shortest form
            host = f"[{socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, host[1:-1]))}]"
        self.host, self.address = host.strip("[]"), f"{self.scheme}://{host}:{self.port}"
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        self.known_hosts, self.accept_new = home / "fernwire" / "known_hosts", options.accept_new
        self.ca, self.certified = options.ca, self.scheme == "tls" and bool(options.ca or not pin)
        path, self.secret = Path(options.secret_key or "secret.key"), None
        if options.secret_key or path.exists() and path.stat().st_uid == os.geteuid():
            self.secret = key_of("fwk1_" + read_private(path).removesuffix("="))
            must(self.secret, f"{path} holds no secret key; `fernwire keygen` makes one")
        listed = [] if options.kex in (None, "auto") else options.kex.split(",")
        must({*listed} <= {*MODES}, f"--kex is auto, or some of {', '.join(MODES)}, with commas")
        must(not pin or "psk" not in listed, "psk proves no identity, and the address has one")
        auto = ("x25519+psk", "x25519" if pin or self.known()[1] else "psk") if self.secret else ("x25519",)
        self.modes = [mode for mode in MODES if mode in (listed or auto)]
        must(self.secret or self.modes == ["x25519"], "psk needs a secret key; see --secret-key")

    async def connect(self):  # a pin without --ca takes the place of TLS's verification (2.1)
        tls = ssl.create_default_context()
        tls.minimum_version, tls.hostname_checks_common_name = ssl.TLSVersion.TLSv1_3, False
        tls.set_alpn_protocols(["fernwire/1"])
        if not self.certified:
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a server's own stands for itself
        if self.ca:
            tls.load_verify_locations(cadata=Path(self.ca).read_text())
        return await asyncio.open_connection(self.host, self.port, ssl=tls if self.scheme == "tls" else None)

    def known(self):  # of known_hosts the lines about others, and this server's identity and its proof (8)
        others, identity, how = [], None, None
        text = self.known_hosts.read_text() if self.known_hosts.exists() else ""
        for number, line in enumerate(text.splitlines(), 1):
            words = [] if line.startswith("#") else line.split()
            must(not words or len(words) == 3 and key_of(words[1]) and words[2] in HOWS,
                 f"{self.known_hosts} line {number} is not `ADDRESS IDENTITY HOW`; mend that")
            if words[:1] != [self.address]:
                others.append(line)
            elif not identity:
                identity, how = key_of(words[1]), words[2]
        return others, identity, how

    def decide(self, mode, identity):  # fails unless it is the right one, and records a new one (8)
        if mode == "psk":
            self.proven = self.certified or self.modes == ["psk"]  # enough for a password (7.2)
            return
        shows, (_, known, how) = f"{self.address} shows {text_of(identity)}", self.known()
        for due, where in ((self.pin, "the address"), (known, self.known_hosts)):
            must(due in (None, identity), f"{shows}, {where} has {text_of(due or b'')}; ask who runs it", 6)
        firm = bool(self.pin or known and how != "by-secret-key")
        self.proven = self.certified or firm
        new = "by-certificate" if self.certified else "by-secret-key" if "psk" in mode else "accepted-new"
        must(firm or new != "accepted-new" or self.accept_new, f"{shows}, and is not known here; compare it "
             "with `fernwire id` there, and put that behind the address after a #, or say --accept-new", 6)
        if firm or new == how:
            return
        self.known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(f"{self.known_hosts}.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            others, now, _ = self.known()
            must(now in (None, identity), f"{self.known_hosts} got another identity just now")
            with open(f"{self.known_hosts}.{os.getpid()}", "w") as file:
                file.write("\n".join([*others, f"{self.address} {text_of(identity)} {new}", ""]))
                file.flush()
                os.fsync(file.fileno())
            os.rename(file.name, self.known_hosts)

async def inputs(words=()):  # or else the lines of stdin, while the session goes on living
    for word in words:
        yield word
    while not words and (line := await asyncio.to_thread(sys.stdin.readline)):
        yield line.rstrip("\r\n")

async def chat(session, options):  # others to stdout and, once all has come, stdin to a room (7.3)
    for room in options.room:
        await session.tell("chat", {"verb": "join", "room": room})
    listening = session.last + 1
    async for event in session.ask("chat", {"verb": "listen"}):
        if event["kind"] == "ready":
            talking = asyncio.create_task(talk(session, options.room[0], listening))
        elif event["kind"] == "entry" and event["from"] != options.user:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event["time"] / 1000))
            where, who, text = (shown(event[part]) for part in ("with", "from", "text"))
            print(f"[{when}]", f"{where} <{who}> {text}" if where[0] == "#" else f"{who} -> you: {text}")
            await session.tell("chat", {"verb": "read", "with": event["with"], "seq": event["seq"]})
    return await talking

async def talk(session, room, listening):
    failed = 0
    async for line in inputs():
        command = re.fullmatch(r"/msg (\S+) (.*)", line)
        to, text = command.groups() if command else (room, line)
        try:
            must(command or not line.startswith("/"), "the only command is /msg NAME TEXT")
            post = {"verb": "post", "to": to, "text": text, "post_id": os.urandom(16).hex()}
            if text.strip():
                await session.tell("chat", post)
        except Failure as failure:
            print(f"! not done: {failure.args[0]}", file=sys.stderr)
            failed = 2
    await session.send({"type": "cancel", "id": listening})
    return failed

async def serve(session, options, server, password):  # the exit code (7)
    if options.user:
        must(server.proven, "no password was sent, as nothing proves the server; put its identity after a #")
        body = {"verb": "signup" if options.signup else "login", "name": options.user, "password": password}
        options.user = (await session.tell("account", body))["name"]
    code = 0
    if options.service == "query":
        async for word in inputs(options.words):
            async for reply in session.ask("query", {"query": word}):
                print(shown(reply.get("time", "EMPTY")))
                code = max(code, reply["kind"] == "empty")
    elif options.service == "log":
        lines = {"verb": "append", "stream": os.urandom(16).hex(), "number": 0}
        async for line in inputs(options.words):
            for at in range(0, len(line) or 1, 1_024):  # so many characters always fit, whatever they are
                lines |= {"number": lines["number"] + 1, "texts": [line[at:at + 1_024]]}
                await session.tell("log", lines)
            print("Message received")
    elif options.service == "submit":
        data = dict(word.split("=", 1) for word in options.words if word.find("=") > 0)
        must(len(data) == len(options.words) and bool(data) != bool(options.file), "give KEY=VALUE or --file")
        document = Path(options.file).read_bytes() if options.file else json.dumps(data).encode()
        body = {"format": options.format} if options.format else {}
        body |= {"id": os.urandom(16).hex(), "length": len(document)}
        stored = await session.tell("submit", body, document)
        print(f"Stored as number {shown(stored['row'])} ({shown(stored['format'])})")
    else:
        code = await chat(session, options)
    return int(code)

async def run(options, server, password):
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            reader, writer = await server.connect()
            session = Session(reader, writer, *await handshake(reader, writer, server))
    except Failure as failure:
        if failure.args[1]:  # it has to arrive, and unread bytes would take it away (3.5)
            writer.write(b"\5\0\1" + bytes(failure.args[1:]))
            await asyncio.wait({asyncio.create_task(reader.read())}, timeout=GOODBYE_SECONDS)
        raise
    work = asyncio.create_task(serve(session, options, server, password))
    work.add_done_callback(lambda _: session.seal(CLOSE, b"\0"))
    reading = asyncio.create_task(session.read())
    await asyncio.wait({work, reading}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait({work, reading}, timeout=GOODBYE_SECONDS)  # the last replies, or the server's goodbye
    if work.done():
        return work.result()
    if isinstance(reading.exception(), (LookupError, TypeError, ValueError, RecursionError)):
        session.seal(CLOSE, b"\2")  # it sent a message that breaks the rules (6)
    raise Failure(f"the server said goodbye: {reading.result()}", None)

async def main(options):  # a session, and what went wrong with it
    code, told, where = 2, None, options.url.partition("#")[0]
    os.umask(0o077)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # all are told here
    try:
        must(sys.stdin and sys.stdout, "it needs a stdin and a stdout; /dev/null will do")
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
        server, password = Server(options.url, options), os.environ.get("FERNWIRE_PASSWORD")
        if options.user and (options.password_file or not password):  # before the server waits for it
            password = read_private(options.password_file) if options.password_file else getpass.getpass()
        code = await run(options, server, password)
    except Failure as error:
        told = error.args[0]
    except (asyncio.IncompleteReadError, ConnectionResetError, InvalidToken, TimeoutError):
        told = f"the connection to {where} was cut, changed or silent: it ended without a goodbye"
    except Exception as error:
        told = f"cannot read {error.filename}: {error.strerror}" if getattr(error, "filename", None) else (
            f"no session with {where}: {str(error) or type(error).__name__}; check the address, whether "
            "a server is there and, over TLS, --ca; or put the server's identity behind it, after a #")
    finally:  # and at once: a thread may still be waiting for stdin
        if told:
            print(f"fernwire: {told}", file=sys.stderr)
        os._exit(code)

def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("service", choices=("query", "log", "submit", "chat"))
    parser.add_argument("url", help="tcp:// or tls://, perhaps with # and the server's identity")
    parser.add_argument("words", nargs="*", help="what to ask, to log, or KEY=VALUE; else stdin")
    for flag in ("--secret-key", "--ca", "--kex", "--user", "--password-file", "--file", "--format"):
        parser.add_argument(flag)
    parser.add_argument("--room", nargs="+", default=["#lobby"], help="lines go to the first")
    for flag in ("--signup", "--accept-new"):
        parser.add_argument(flag, action="store_true")
    return parser.parse_intermixed_args()

if __name__ == "__main__":
    asyncio.run(main(arguments()))
