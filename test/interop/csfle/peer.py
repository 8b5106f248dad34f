"""Seals and opens with the official implementation what the test next to this asks for: one JSON object a line in, one out."""

import base64
import json
import socket
import ssl
import sys
import time

import bson
from bson.binary import Binary
from pymongocrypt.binding import lib, libmongocrypt_version
from pymongocrypt.errors import MongoCryptError
from pymongocrypt.mongocrypt import MongoCryptOptions
from pymongocrypt.synchronous.explicit_encrypter import ExplicitEncrypter
from pymongocrypt.synchronous.state_machine import MongoCryptCallback

RANDOM = "AEAD_AES_256_CBC_HMAC_SHA_512-Random"


class Vault(MongoCryptCallback):
    """A key vault that is a list of documents, and a client of key services that trusts one certificate and finds every host at
    one address, if one is given."""

    def __init__(self, keys, ca, address):
        self.keys = keys
        self.ca = ca
        self.address = address

    def kms_request(self, kms):
        host = kms.endpoint.partition(":")[0]
        address, _, port = (self.address or kms.endpoint).partition(":")
        context = ssl.create_default_context(cadata=self.ca)
        with socket.create_connection((address, int(port or 443)), timeout=30) as plain:
            with context.wrap_socket(plain, server_hostname=host) as conn:
                conn.sendall(kms.message)
                while kms.bytes_needed > 0:
                    data = conn.recv(kms.bytes_needed)
                    if not data:
                        raise OSError("the key service hung up")
                    kms.feed(data)

    def fetch_keys(self, filter):
        wanted = bson.decode(filter)["$or"]
        ids = [bytes(i) for w in wanted for i in w.get("_id", {}).get("$in", [])]
        names = [n for w in wanted for n in w.get("keyAltNames", {}).get("$in", [])]
        for key in self.keys:
            doc = bson.decode(key)
            if bytes(doc["_id"]) in ids or set(doc.get("keyAltNames", [])) & set(names):
                yield key

    def insert_data_key(self, data_key):
        self.keys.append(bytes(data_key))
        return bson.decode(data_key)["_id"]

    def bson_encode(self, doc):
        return bson.encode(doc)

    def collection_info(self, database, filter):
        raise NotImplementedError

    mark_command = collection_info

    def close(self):
        pass


def b64(b):
    return base64.b64encode(bytes(b)).decode()


def encrypter(order):
    providers = {"local": {"key": Binary(base64.b64decode(order["master"]))}} if order.get("master") else {}
    if order.get("provider"):
        providers[order["provider"]] = order["kms"]
    vault = Vault([base64.b64decode(k) for k in order["keys"]], order.get("ca"), order.get("address"))
    return ExplicitEncrypter(vault, MongoCryptOptions(providers)), vault


def open_all(order):
    e, _ = encrypter(order)
    out = []
    for value in order["values"]:
        try:
            out.append(b64(e.decrypt(base64.b64decode(value))))
        except MongoCryptError:
            out.append(None)
    return {"values": out}


def seal_all(order):
    e, vault = encrypter(order)
    if order.get("name"):
        key = None
    else:
        key = e.create_data_key(order.get("provider") or "local", master_key=order.get("key"), key_alt_names=["official"])
    out = []
    for value in order["values"]:
        sealed = e.encrypt(base64.b64decode(value), RANDOM, key_id=key, key_alt_name=order.get("name"))
        out.append(b64(sealed))
    return {"values": out, "keys": [b64(k) for k in vault.keys]}


def bench(order):
    """CPU time of sealing and opening with a key that is cached, the whole of a driver's call without its network."""
    e, _ = encrypter(order)
    value = bson.encode({"v": "x" * order["size"]})
    sealed = e.encrypt(value, RANDOM, key_alt_name=order["name"])

    def measure(call):
        best = None
        for _ in range(order["rounds"]):
            began = time.process_time_ns()
            for _ in range(order["ops"]):
                call()
            took = (time.process_time_ns() - began) / order["ops"]
            best = took if best is None else min(best, took)
        return best

    tiny = bson.encode({"v": True})
    sealed_tiny = e.encrypt(tiny, RANDOM, key_alt_name=order["name"])
    return {
        "seal": measure(lambda: e.encrypt(value, RANDOM, key_alt_name=order["name"])),
        "open": measure(lambda: e.decrypt(sealed)),
        "tiny_seal": measure(lambda: e.encrypt(tiny, RANDOM, key_alt_name=order["name"])),
        "tiny_open": measure(lambda: e.decrypt(sealed_tiny)),
        "version": libmongocrypt_version(),
        "own_crypto": bool(lib.mongocrypt_is_crypto_available()),
    }


for line in sys.stdin:
    order = json.loads(line)
    print(json.dumps({"open": open_all, "seal": seal_all, "bench": bench}[order["do"]](order)), flush=True)
