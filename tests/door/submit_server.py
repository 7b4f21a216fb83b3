"""Prints what is submitted, and never answers: submit_server.py [SECONDS BEFORE IT LOOKS]"""

import json
import pickle
import socket
import sys
import time
import xml.etree.ElementTree as ET

from cryptography.fernet import Fernet

cipher = Fernet(open('legacy.key').read())
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen()
print('port', listener.getsockname()[1], flush=True)
while True:
    client, address = listener.accept()
    while True:
        time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 0)
        token = client.recv(4096)
        if not token:
            print('hung up', flush=True)
            break
        data = cipher.decrypt(token)
        if data == b'session_end':
            print('session_end', flush=True)
            break
        if data.startswith(b'{'):
            print('json', json.loads(data), flush=True)
        elif data.startswith(b'<'):
            print('xml', {child.tag: child.text for child in ET.fromstring(data)}, flush=True)
        else:
            print('binary', pickle.loads(data), flush=True)
    client.close()
