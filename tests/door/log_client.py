"""Sends what is typed to a log, and shows what it says: log_client.py PORT"""

import socket
import sys

from cryptography.fernet import Fernet

cipher = Fernet(open('legacy.key').read())
server = socket.socket()
server.connect(('127.0.0.1', int(sys.argv[1])))
for line in sys.stdin:
    message = line.rstrip('\n')
    server.sendall(cipher.encrypt(message.encode()))
    if message.lower() == 'exit':
        break
    print('Server:', cipher.decrypt(server.recv(1024)).decode(), flush=True)
server.close()
