"""Submits a record in every form, then ends: submit_client.py PORT [together]"""

import json
import pickle
import socket
import sys
import xml.etree.ElementTree as ET

from cryptography.fernet import Fernet

record = {'first_name': 'Ada', 'last_name': 'Lovelace'}
root = ET.Element('data')
for name, value in record.items():
    ET.SubElement(root, name).text = value

documents = [json.dumps(record).encode(), ET.tostring(root)]
for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    documents.append(pickle.dumps(record, protocol))

cipher = Fernet(open('legacy.key').read())
server = socket.socket()
server.connect(('127.0.0.1', int(sys.argv[1])))
tokens = [cipher.encrypt(document) for document in documents + [b'session_end']]
if 'together' in sys.argv:
    server.sendall(b''.join(tokens))
else:
    for token in tokens:
        server.sendall(token)
# A server that had something to say would be heard here.
print('sent', len(documents), 'heard', server.recv(4096))
server.close()
