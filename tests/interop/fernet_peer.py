"""Seals and opens Fernet tokens with Python's `cryptography`: a JSON object a line in, one a line out.

    {"do": "seal", "key": ..., "text": hex}      {"token": ...}
    {"do": "open", "key": ..., "token": ...}     {"text": hex} or {"refused": true}
    {"do": "write_key", "path": ...}             {}

`key_file` may stand in place of `key`; its bytes are taken as they are, as scripts do.
"""

import json
import os
import sys
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken


def fernet(request):
    if "key_file" in request:
        return Fernet(Path(request["key_file"]).read_bytes())
    return Fernet(request["key"])


def answer(request):
    match request["do"]:
        case "seal":
            return {"token": fernet(request).encrypt(bytes.fromhex(request["text"])).decode()}
        case "open":
            try:
                return {"text": fernet(request).decrypt(request["token"]).hex()}
            except InvalidToken:
                return {"refused": True}
        case "write_key":
            with open(os.open(request["path"], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(Fernet.generate_key())
            return {}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
