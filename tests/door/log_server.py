"""Shows messages, and replies with what is typed: log_server.py"""

import socket

from cryptography.fernet import Fernet

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
            print('hung up', flush=True)
            break
        message = cipher.decrypt(token).decode()
        print('message', message, flush=True)
        if message.lower() == 'exit':
            break
        client.sendall(cipher.encrypt(input().encode()))
    client.close()
