#!/usr/bin/env python3
"""A client of Fernwire in Python, written from docs/protocol.md alone.

    fernwire.py query|log|submit|chat [URL] [WORDS]... [flags]

It needs Python 3.11, the package `cryptography`, and the two files beside it. The client in Rust
can do more: it connects again after a loss, asks a person about an unknown server, and has
prompts, --json and a full screen.
"""
import argparse
import asyncio
import contextlib
import getpass
import os
import pickle
import re
import secrets
import ssl
import sys
import threading
import time
from xml.sax.saxutils import escape

from fernwire_session import (CLOSE, MESSAGE, Failure, Session, explained, handshake, json_of, must,
                              shown)
from fernwire_trust import Endpoint, Trust, connect, read_private

HANDSHAKE_SECONDS, GOODBYE_SECONDS = 10, 2


def out(text):
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os._exit(2)  # nobody reads any more


async def query(session, options):
    empty = 0
    async for word in inputs(options.words, "exit"):
        if word.strip():
            async for body in session.ask("query", {"query": word}):
                empty |= body["kind"] == "empty"
                out("EMPTY" if body["kind"] == "empty" else shown(body["time"]))
    return int(empty)


def pieces(text):
    """Parts of at most 8,192 bytes that fit in an unproven client's messages too (5, 7.5)."""
    for size in (8_192, 2_048):
        parts = [text[at:at + size] for at in range(0, len(text) or 1, size)]
        if all(len(part.encode()) <= 8_192 and len(json_of(part)) < 16_000 for part in parts):
            break
    return parts


async def log(session, options):
    stream, number = secrets.token_urlsafe(16), 1
    async for line in inputs(options.words, "!DISCONNECT"):
        for text in pieces(line):
            await session.tell("log", {"verb": "append", "stream": stream, "number": number,
                                       "texts": [text]})
            number += 1
        out("Message received")


async def submit(session, options):
    form = options.format or (None if options.file else "json")
    pairs = [word.partition("=") for word in options.words]
    data = {key: value for key, _, value in pairs}
    must(options.file or data, "there is nothing to submit: give KEY=VALUE, or name a --file")
    must(all(key and mark for key, mark, _ in pairs) and len(data) == len(pairs),
         "what is submitted is KEY=VALUE, such as first_name=Ada, and each key once")
    if options.file:
        with explained(f"cannot read {options.file}", OSError):
            document = open(0 if options.file == "-" else options.file, "rb").read()
    elif form == "xml":
        must(all(re.fullmatch(r"[^\W\d][\w.-]*", key) for key in data), "a key is no name in XML")
        inner = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in data.items())
        document = f"<data>{inner}</data>".encode()
    else:
        document = pickle.dumps(data) if form == "binary" else json_of(data)
    body = {"id": secrets.token_urlsafe(16), "length": len(document)}
    stored = await session.tell("submit", body | ({"format": form} if form else {}), document)
    print(f"Stored as number {stored['row']} ({shown(stored['format'])})")


class Chat:
    """Lines of stdin to rooms and people, and what others say to stdout (7.3, 7.4)."""

    def __init__(self, session, rooms):
        self.session, self.rooms, self.to, self.failed = session, rooms, None, 0
        self.ready, self.mine, self.positions = asyncio.Event(), set(), {}

    async def listen(self):
        async for event in self.session.ask("chat", {"verb": "listen"}):
            if event["kind"] == "conversation" and not self.ready.is_set():
                self.positions[event["with"]] = event["read"]
            elif event["kind"] == "ready":
                self.ready.set()
            elif event["kind"] == "entry" and event["seq"] > self.positions.get(event["with"], 0):
                self.positions[event["with"]] = event["seq"]
                if event["post_id"] not in self.mine:
                    self.show(event)
                    read = {"verb": "read", "with": event["with"], "seq": event["seq"]}
                    await self.session.tell("chat", read)

    def show(self, entry):
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry["time"] / 1000))
        where, who, text = (shown(entry[part]) for part in ("with", "from", "text"))
        if entry["style"] == "action":
            said = f"{where} * {who} {text}"
        elif where.startswith("#"):
            said = f"{where} <{who}> {text}"
        else:
            said = f"{who} -> you: {text}" if who == where else f"you -> {where}: {text}"
        out(f"[{when}] {said}")

    async def join(self, room):
        self.to = (await self.session.tell("chat", {"verb": "join", "room": room}))["with"]

    async def say(self, to, text, style="text"):
        post = {"verb": "post", "to": to, "post_id": secrets.token_urlsafe(16), "style": style}
        self.mine.add(post["post_id"])
        await self.session.tell("chat", post | {"text": text})

    async def obey(self, line):
        word, _, rest = line.partition(" ")
        if not line.startswith("/") or line.startswith("//"):
            await self.say(self.to, line[line.startswith("//"):])
        elif word == "/msg" and " " in rest:
            await self.say(*rest.split(" ", 1))
        elif word == "/me":
            await self.say(self.to, rest, "action")
        else:
            must(word == "/join", "the commands are /msg NAME TEXT, /me TEXT, /join #ROOM, /quit")
            await self.join(rest)

    async def talk(self):
        """Obeys lines once everything that was missed has come (7.3)."""
        await self.ready.wait()
        async for line in inputs([], "/quit"):
            try:
                if line.strip():
                    await self.obey(line)
            except Failure as failure:
                print(f"! not done: {failure.args[0]}", file=sys.stderr)
                self.failed = 2
        return self.failed


async def chat(session, options):
    room = Chat(session, options.room)
    for name in reversed(options.room):
        await room.join(name)
    listening, talking = asyncio.create_task(room.listen()), asyncio.create_task(room.talk())
    await asyncio.wait({listening, talking}, return_when=asyncio.FIRST_COMPLETED)
    return talking.result() if talking.done() else listening.result()


async def inputs(words, last_line):
    """The words, or else the lines of stdin, while the session goes on living."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue(64)

    def read():  # in a thread, which ends with the program
        with contextlib.suppress(Exception):
            for line in words or open(0, encoding="utf-8", errors="replace", closefd=False):
                asyncio.run_coroutine_threadsafe(queue.put(line), loop).result()
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(queue.put(None), loop)

    threading.Thread(target=read, daemon=True).start()
    while (line := await queue.get()) is not None and (words or line.strip() != last_line):
        yield line if words else line.rstrip("\r\n")


def read_password(options):
    """Before the connection: a person takes their time, and a server waits for none."""
    if not options.user or options.password_file:
        return options.user and read_private(options.password_file)
    must("FERNWIRE_PASSWORD" in os.environ or sys.stdin.isatty(), "the password is missing: name "
         "its file with --password-file, or set FERNWIRE_PASSWORD")
    return os.environ.get("FERNWIRE_PASSWORD") or getpass.getpass()


async def serve(session, options, trust, password):
    if options.user:
        must(trust.proof, "no password was sent, since nothing proves that this is the right "
             "server; put the identity that `fernwire id` prints there behind the address")
        await session.tell("account", {"verb": "signup" if options.signup else "login",
                                       "name": options.user, "password": password})
        session.limit = MESSAGE
    with explained("the server's answer is not what the protocol has", KeyError, TypeError):
        return await options.service(session, options)


async def start(endpoint, trust, ca):
    """Connects and shakes hands, and explains what may go wrong with that."""
    where, writer = endpoint.address, None
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            reader, writer = await connect(endpoint, trust, ca)
            return Session(reader, writer, *await handshake(reader, writer, trust))
    except ssl.SSLCertVerificationError as error:
        must(False, f"no TLS with {where}: {error.verify_message}; name the certificate of its "
             "authority with --ca, or put its identity behind the address, #fwk1_...")
    except asyncio.IncompleteReadError:
        must(False, f"{where} left in the middle of the handshake; is it a Fernwire server?")
    except ConnectionRefusedError:
        must(False, f"nothing is listening at {where}; start a server there with `fernwire serve`, "
             "or check the address")
    except (TimeoutError, OSError) as error:
        must(False, f"no connection to {where}: {str(error) or type(error).__name__}; check the "
             "address, and that both ends have the same idea of TLS")
    except Failure as failure:
        if failure.args[1]:
            await send_alert(reader, writer, failure.args[1])
        raise


async def send_alert(reader, writer, code):
    """Says why the handshake ends, and lets it arrive: unread bytes would take it away (3.5)."""
    with contextlib.suppress(TimeoutError, OSError, asyncio.IncompleteReadError):
        writer.write(b"\5\0\1" + bytes([code]))
        if writer.can_write_eof():
            writer.write_eof()
        async with asyncio.timeout(GOODBYE_SECONDS):
            await reader.readexactly(16_384)


async def run(options):
    """One session from its beginning to its end; the exit code."""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # all are told below
    endpoint, password = Endpoint(options.server), read_password(options)
    trust = Trust(endpoint, options)
    session = await start(endpoint, trust, options.ca)
    work = asyncio.create_task(serve(session, options, trust, password))
    reading = asyncio.create_task(session.read())
    with explained(f"the connection to {endpoint.address} was cut: it ended without a goodbye; "
                   "what was not answered may be lost", OSError, asyncio.IncompleteReadError):
        await asyncio.wait({work, reading}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({work}, timeout=0.5)  # the last replies may do, where the server left
        must(work.done(), f"the server said goodbye: {work.done() or reading.result()}")
        session.seal(CLOSE, b"\0")
        await asyncio.wait({reading}, timeout=GOODBYE_SECONDS)
        return work.result()


def main():
    services = {"query": query, "log": log, "submit": submit, "chat": chat}
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command not in services:
        wants_help = command in ("-h", "--help")
        print(__doc__, file=sys.stdout if wants_help else sys.stderr)
        sys.exit(0 if wants_help else 2)
    parser = argparse.ArgumentParser(prog=f"fernwire.py {command}", allow_abbrev=False)
    flag = parser.add_argument
    flag("words", nargs="*", metavar="URL | WORD", help="the address if it has ://, then words")
    flag("--server", default=os.environ.get("FERNWIRE_SERVER", "tcp://127.0.0.1:3376"))
    flag("--kex", default="auto", help="key modes to offer: auto, or x25519+psk, x25519, psk")
    flag("--secret-key", metavar="FILE", default=os.environ.get("FERNWIRE_SECRET_KEY_FILE"))
    flag("--ca", metavar="FILE", default=os.environ.get("FERNWIRE_CA"), help="authorities (PEM)")
    flag("--accept-new", action="store_true", help="trust and remember a server that is new")
    if command != "query":
        flag("--user", metavar="NAME", required=command == "chat")
        flag("--signup", action="store_true", help="make the account first")
        flag("--password-file", metavar="FILE", help="else FERNWIRE_PASSWORD, or a prompt")
    if command == "submit":
        flag("--format", choices=("json", "binary", "xml"))
        flag("--file", metavar="FILE", help="submit this file; - is stdin")
    if command == "chat":
        flag("--room", action="append", help="a room to join; lines go to the first")
    options = parser.parse_intermixed_args(sys.argv[2:])
    options.service, options.user = services[command], getattr(options, "user", None)
    options.words = [os.fsencode(word).decode("utf-8", "replace") for word in options.words]
    if options.words and re.match(r"[\w+.-]+://", options.words[0]):
        options.server = options.words.pop(0)
    options.room = getattr(options, "room", None) or ["#lobby"]
    os.umask(0o077)
    try:
        sys.exit(asyncio.run(run(options)))
    except Failure as failure:
        print(f"fernwire: {failure.args[0]}", file=sys.stderr)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(2)


if __name__ == "__main__":
    main()
