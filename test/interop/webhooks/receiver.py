"""Receives webhooks, verifies each with the reference library, and writes down what it took.

usage: receiver.py PORT ORDERS JOURNAL

ORDERS is a JSON file that is read at each request: the secrets to verify with, of which one must do; "fail", the share of
requests that fail in one way or another; "hang", how many are left without an answer first. JOURNAL gets a JSON document a
line, on disk before the answer: what was taken, or why it was refused.
"""

import json
import os
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

PORT, ORDERS, JOURNAL = int(sys.argv[1]), sys.argv[2], sys.argv[3]
HANG = 17  # seconds: Mooring waits for 15

lock = threading.Lock()
hung = 0


def orders():
    with open(ORDERS) as f:
        return json.load(f)


def note(**entry):
    with lock, open(JOURNAL, "a") as f:
        f.write(json.dumps(entry) + "\n")
        f.flush()
        os.fsync(f.fileno())


def verified_by(secrets, body, headers):
    """The secrets that a message is signed with."""
    good = []
    for secret in secrets:
        try:
            Webhook(secret).verify(body, headers)
            good.append(secret)
        except WebhookVerificationError:
            pass
    return good


def forgeries(body, headers):
    """The message, changed in ways that no receiver may accept."""
    changed = body.replace(b'"type"', b'"Type"', 1)
    yield "body", changed, headers
    yield "id", body, {**headers, "webhook-id": headers["webhook-id"] + "0"}
    yield "timestamp", body, {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def fail(self):
        """Fails in one of the ways in which receivers do."""
        how = random.choice(["500", "503", "429", "400", "reset", "half"])
        if how == "429":
            self.answer(429, Retry_After="1")
        elif how.isdigit():
            self.answer(int(how))
        elif how == "half":
            self.wfile.write(b"HTTP/1.1 20")
            self.close_connection = True
        else:
            self.close_connection = True

    def do_POST(self):
        global hung
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        now = orders()
        with lock:
            hangs = hung < now.get("hang", 0)
            hung += hangs
        if hangs:
            time.sleep(HANG)
            self.close_connection = True
            return
        failing = random.random() < now.get("fail", 0)
        if failing and random.random() < 0.5:  # before it is taken
            return self.fail()
        good = verified_by(now["secrets"], body, headers)
        if not good:
            note(refused=headers.get("webhook-id"))
            return self.answer(401)
        for what, forged, forged_headers in forgeries(body, headers):
            if verified_by(good, forged, forged_headers):
                note(forged=what)
                return self.answer(500)
        note(id=headers["webhook-id"], signatures=len(headers["webhook-signature"].split()), message=json.loads(body))
        if failing:  # after it was taken: it comes again
            return self.fail()
        self.answer(204)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # the server under test was killed


server = Server(("127.0.0.1", PORT), Receiver)
print(server.server_address[1], flush=True)
server.serve_forever()
