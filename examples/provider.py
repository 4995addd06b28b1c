"""What the examples' providers have in common: a ledger, and an HTTP server in front of it.

A provider stands for another company: a bank, a printer of labels, an airline. Continuo sends it commands, each a POST of
JSON to /<command type> with an Idempotency-Key header. It answers 200 with the reply, or 422 with {"reason": ...} where it
will not do it. A command comes again under the same key when its answer got lost or came too late.
"""

import argparse
import datetime
import fcntl
import http.server
import json
import os
import sys
import threading
import time


class Declined(Exception):
    """The provider will not do it; the text says why."""


class Ledger:
    """What the provider did, one line of JSON each, appended before it answers; read again at its start. The file is
    this process's alone. A last line without an end is what a killed process left, before anybody was told: cut off."""

    def __init__(self, path):
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        self.file = open(path, "a+b", buffering=0)
        fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.file.seek(0)
        text = self.file.read()
        whole = text.rfind(b"\n") + 1
        self.file.truncate(whole)
        self.entries = [json.loads(line) for line in text[:whole].splitlines()]

    def append(self, entry):
        line = json.dumps(entry).encode() + b"\n"
        if self.file.write(line) != len(line):
            raise OSError("the ledger cannot be written")
        self.entries.append(entry)
        return entry

    def find(self, **wanted):
        """The last entry that has these values, or None."""
        for entry in reversed(self.entries):
            if all(entry.get(name) == value for name, value in wanted.items()):
                return entry
        return None

    def count(self, kind):
        return sum(entry["kind"] == kind for entry in self.entries)


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def arguments(description):
    """The arguments that all providers take."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0: the kernel chooses (default)")
    parser.add_argument("--ledger", required=True, metavar="FILE", help="what was done; created if missing")
    parser.add_argument("--delay", type=float, default=0, metavar="SECONDS", help="how long everything takes")
    parser.add_argument("--fail-first", type=int, default=0, metavar="N", help="answer 503 to the first N calls")
    parser.add_argument("--hang-first", type=int, default=0, metavar="N", help="never answer the first N calls")
    return parser


def serve(chosen, commands):
    """Serves until it is killed. `commands` has a function for each command type: it gets the command and the key, and
    gives the reply or raises Declined. One runs at a time, so looking up and writing down are one step."""
    lock = threading.Lock()
    calls = [0]

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # keeps connections
        disable_nagle_algorithm = True

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                calls[0] += 1
                call = calls[0]
            if call <= chosen.hang_first:
                threading.Event().wait()
            if call <= chosen.hang_first + chosen.fail_first:
                return self.answer(503, {"error": "told to fail"})
            time.sleep(chosen.delay)
            command = commands.get(self.path.rsplit("/", 1)[-1])
            if command is None:
                return self.answer(404, {"error": f"no command {self.path}; there are {', '.join(commands)}"})
            try:
                with lock:
                    reply = command(json.loads(body), self.headers["Idempotency-Key"])
                self.answer(200, reply)
            except Declined as why:
                self.answer(422, {"reason": str(why)})

        def answer(self, status, value):
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request, client_address):
            if not isinstance(sys.exc_info()[1], ConnectionError):  # who called has gone: it will ask again
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", chosen.port), Handler)
    print(f"listening on http://127.0.0.1:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
