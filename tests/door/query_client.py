"""Asks for timestamps: query_client.py PORT QUERY..."""

import socket
import sys

from cryptography.fernet import Fernet

cipher = Fernet(open('legacy.key').read())
server = socket.socket()
server.connect(('127.0.0.1', int(sys.argv[1])))
for query in sys.argv[2:]:
    server.sendall(cipher.encrypt(query.encode()))
    answer = ''
    while answer not in ('END', 'EMPTY'):
        answer = cipher.decrypt(server.recv(1024)).decode()
        print(answer, flush=True)
server.close()
