"""Answers queries with timestamps: query_server.py [SECONDS BETWEEN THEM]"""

import datetime
import socket
import sys
import time

from cryptography.fernet import Fernet

tick = float(sys.argv[1]) if len(sys.argv) > 1 else 1
table = {
    'SetA': {'One': 1, 'Two': 2},
    'SetB': {'Three': 3, 'Four': 4},
}

cipher = Fernet(open('legacy.key').read())
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen()
print('port', listener.getsockname()[1], flush=True)
while True:
    client, address = listener.accept()
    while True:
        token = client.recv(1024)
        if not token:
            break
        query = cipher.decrypt(token).decode()
        print('asked', query, flush=True)
        name, _, entry = query.partition('-')
        count = table.get(name, {}).get(entry)
        if count is None:
            client.sendall(cipher.encrypt(b'EMPTY'))
            continue
        for _ in range(count):
            now = datetime.datetime.now().strftime('%d-%m-%Y %H:%M:%S')
            client.sendall(cipher.encrypt(now.encode()))
            time.sleep(tick)
        client.sendall(cipher.encrypt(b'END'))
    print('gone', flush=True)
    client.close()
