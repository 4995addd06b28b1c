#!/usr/bin/env python3
"""Runs the program `continuo` against a small server that answers as docs/http.md says, and checks what is asked, exit
codes, standard output and standard error.

usage: commands_test.py PROGRAM [unittest's arguments]
"""

import contextlib
import dataclasses
import fcntl
import http.server
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

PROGRAM = ""
PATIENCE = 60  # seconds for one run, far more than any needs


@dataclasses.dataclass
class Answer:
    status: int = 200
    body: object = None  # bytes as they are, all else as JSON
    headers: dict = dataclasses.field(default_factory=dict)
    held_until: threading.Event = None  # the connection stays open after the body


@dataclasses.dataclass
class Request:
    line: str  # "GET /api/v1/nodes"
    headers: dict
    body: str


class FakeNode:
    """Answers each line of a request with the answers given for it: one after the other, the last one for ever."""

    def __init__(self, family=socket.AF_INET, host="127.0.0.1", port=0, certificate=None):
        """With a certificate, which is a file, and its key beside it, it speaks TLS."""
        self.answers = {}
        self.requests = []
        node = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length", 0))
                line = f"{self.command} {self.path}"
                node.requests.append(Request(line, dict(self.headers), self.rfile.read(length).decode()))
                # A wait's length depends on the time that is left.
                known = node.answers.get(line) or node.answers.get(line.split("wait=")[0])
                if isinstance(known, list):
                    known = known.pop(0) if len(known) > 1 else known[0]
                if known is None:
                    known = refused(404, f"the test has no answer to {line}")
                body = known.body if isinstance(known.body, bytes) else json.dumps(known.body).encode()
                self.send_response(known.status)
                for name, value in known.headers.items():
                    self.send_header(name, value)
                if known.held_until is None:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()
                if known.held_until is not None:
                    known.held_until.wait(PATIENCE)
                    self.close_connection = True

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            address_family = family
            daemon_threads = True

        self.server = Server((host, port), Handler)
        if certificate:
            shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            shown.load_cert_chain(certificate, certificate.with_suffix(".key"))
            self.server.socket = shown.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def refused(status, message, headers=None):
    return Answer(status, {"error": {"code": "x", "message": message}}, headers or {})


@dataclasses.dataclass
class Case:
    """`out` and `err`: a string is all of it; a list: each of these stands in it."""

    name: str
    arguments: list
    answers: dict = dataclasses.field(default_factory=dict)
    code: int = 0
    out: object = ""
    err: object = ""
    sent: object = None  # lines of requests, or (line, body) of the first one
    headers: dict = dataclasses.field(default_factory=dict)  # of the first request; None: not there
    input: str = ""
    files: dict = dataclasses.field(default_factory=dict)
    environment: dict = dataclasses.field(default_factory=dict)


ORDER = {
    "type": "fulfilment", "key": "o-1", "kind": "saga", "node": "ordering", "status": "running", "revision": 17,
    "waiting_for": [{"kind": "reply", "command": "make_payment", "service": "payment", "node": "payment",
                     "sent_at": "2024-05-01T12:00:00Z", "attempts": 2, "last_error": "no route"}],
    "reason": None, "started_at": "2024-05-01T12:00:00Z", "updated_at": "2024-05-01T12:00:00Z",
}
STUCK = ORDER | {"key": "o/2 ü", "status": "stuck", "waiting_for": [{"kind": "operator", "reason": "bank is gone"}]}
PAGE = "GET /api/v1/instances"
ONE = "GET /api/v1/instances/fulfilment/o-1"
SCHEDULE = {
    "name": "nightly", "node": "ordering", "status": "running", "when": "30 2 * * *", "zone": "Europe/Berlin",
    "event": "report_due", "body": {"id": "{due}"}, "catch_up": "once", "overlap": "allow",
    "next": ["2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"],
    "last": {"due": "2026-03-28T01:30:00.000Z", "at": "2026-03-28T01:30:00.001Z", "message_id": "s1:7:0"},
    "fired": 41, "overlapped": 0, "failed": 0, "note": None, "noted_at": None, "paused_by": None,
}  # fmt: skip
LETTER = {"id": "s1:7:0", "node": "payment", "type": "make_payment", "from": {"type": "fulfilment", "key": "o-1"},
          "to": {"type": "payment", "key": ""}, "reason": "no\x1b[2J such card", "attempts": 5,
          "since": "2024-05-01T12:00:00Z", "may_redrive": True}
RESULT = {"type": "fulfilment", "key": "o-1", "status": "completed", "result": "T-1", "reason": None}
PUBLISH = "POST /api/v1/publish/order_placed"
NONE = '{"nodes":[]}\n'
NODES = {"GET /api/v1/nodes": Answer(200, NONE.strip().encode())}
PUBLISHED = Answer(202, {"message_id": "s1:1:0", "instances": [{"type": "fulfilment", "key": "o-1"}]})
SEND = "POST /api/v1/send/payment/make_payment"
OUTCOME = {"message_id": "s1:4:0", "status": "completed",
           "reply_type": "payment_completed", "reply": {"receipt": "r-1"}, "failure": None}
CONFIGURATION = """[cluster]
name="shop"
tls="off"
[nodes.silent]
address="127.0.0.1:4701"
hosts=["fulfilment"]
[nodes.payment]
address="127.0.0.1:4702"
http="127.0.0.1:PORT"
hosts=["payment"]
"""

CASES = [
    # -- publish and send
    Case("an event is published", ["publish", "order_placed", '{"order_id": "o-1"}'], {PUBLISH: PUBLISHED},
         out="message s1:1:0\nstarts fulfilment o-1, unless it is there already\n", sent=(PUBLISH, '{"order_id": "o-1"}'),
         headers={"Content-Type": "application/json", "Idempotency-Key": None, "Authorization": None}),
    Case("with a key", ["publish", "order_placed", "{}", "--key", "k-1"], {PUBLISH: PUBLISHED},
         out=["s1:1:0"], headers={"Idempotency-Key": "k-1"}),
    Case("an event that starts nothing", ["publish", "order_placed", "{}"],
         {PUBLISH: Answer(202, {"message_id": "s1:1:0", "instances": []})},
         out="message s1:1:0\naccepted: it starts no instance, and goes to those that take it\n"),
    Case("the node's JSON as it is", ["publish", "order_placed", "{}", "--json"],
         {PUBLISH: Answer(202, b'{"message_id" :"a","instances":[ ]}')}, out='{"message_id" :"a","instances":[ ]}\n'),
    Case("JSON from standard input", ["publish", "order_placed", "-"], {PUBLISH: PUBLISHED}, out=["s1:1:0"],
         input='{"order_id":\n"o-9"}\n', sent=(PUBLISH, '{"order_id":\n"o-9"}\n')),
    Case("JSON from a file", ["publish", "order_placed", "@order.json"], {PUBLISH: PUBLISHED}, out=["s1:1:0"],
         files={"order.json": '{"order_id": "o-8"}'}, sent=(PUBLISH, '{"order_id": "o-8"}')),
    Case("names are percent-encoded", ["publish", "a/b c?ü", "{}"],
         {"POST /api/v1/publish/a%2Fb%20c%3F%C3%BC": PUBLISHED}, out=["s1:1:0"]),
    Case("JSON that ends too early", ["publish", "order_placed", '{"order_id": '], code=2,
         err=["continuo: the argument is no JSON: parse error at line 1, column 14"], sent=[]),
    Case("JSON with a mistake in its second line", ["publish", "order_placed", "@order.json"], code=2,
         files={"order.json": '{"order_id":\n  o-8}'}, err=["order.json is no JSON: parse error at line 2, column 3"],
         sent=[]),
    Case("JSON of nothing", ["publish", "order_placed", "-"], code=2, err=["standard input is no JSON"], sent=[]),
    Case("a file that is not there", ["publish", "order_placed", "@none.json"], code=2,
         err=["continuo: none.json cannot be read: No such file"], sent=[]),
    Case("an unknown type, and the node's suggestion", ["publish", "order_placd", "{}"],
         {"POST /api/v1/publish/order_placd": refused(404, "there is no event order_placd; did you mean order_placed?")},
         code=1, err="continuo: there is no event order_placd; did you mean order_placed?\n"),
    Case("a key used with another body", ["publish", "order_placed", "{}", "--key", "k"],
         {PUBLISH: refused(409, "the key k came with another body")}, code=1,
         err="continuo: the key k came with another body\n"),
    Case("an overloaded node", ["publish", "order_placed", "{}"],
         {PUBLISH: refused(429, "no room now", {"Retry-After": "2"})}, code=1,
         err="continuo: no room now (try again after 2 s)\n"),
    Case("a key with a blank", ["publish", "order_placed", "{}", "--key", "a b"], code=2,
         err=["--key: it has 1 to 256 visible characters"], sent=[]),
    Case("no JSON at all", ["publish", "order_placed"], code=2,
         err="continuo: JSON is required (`continuo publish --help` shows how)\n", sent=[]),
    Case("an empty type", ["publish", "", "{}"], code=2, err=["TYPE: it is empty"], sent=[]),
    Case("a command is sent", ["send", "payment", "make_payment", "{}"], {SEND: Answer(202, {"message_id": "s1:4:0"})},
         out="message s1:4:0\n", sent=(SEND, "{}")),
    Case("and its outcome waited for", ["send", "payment", "make_payment", "{}", "--wait", "10s", "--key", "k"],
         {SEND: Answer(202, {"message_id": "s1:4:0"}),
          "GET /api/v1/commands/s1%3A4%3A0?": [Answer(202, {"status": "running"}), Answer(200, OUTCOME)]},
         out='message s1:4:0\ncompleted\npayment_completed {"receipt":"r-1"}\n',
         headers={"Idempotency-Key": "k"}),
    Case("an outcome that is a failure", ["send", "payment", "make_payment", "{}", "--wait", "10s"],
         {SEND: Answer(202, {"message_id": "m"}),
          "GET /api/v1/commands/m?": Answer(200, OUTCOME | {
              "status": "failed", "failure": {"kind": "declined", "reason": "card refused"}})},
         code=1, out="message m\nfailed\ndeclined: card refused\n"),
    Case("an outcome that is not there in time", ["send", "payment", "make_payment", "{}", "--wait", "300ms"],
         {SEND: Answer(202, {"message_id": "m"}), "GET /api/v1/commands/m?": Answer(202, {"status": "running"})},
         code=124, out="message m\n", err="continuo: the outcome of m is not there after 300 ms: it is running\n"),
    Case("an outcome as JSON", ["send", "payment", "make_payment", "{}", "--wait", "1s", "--json"],
         {SEND: Answer(202, {"message_id": "m"}), "GET /api/v1/commands/m?": Answer(200, b'{"status":"completed"}')},
         out='{"status":"completed"}\n'),
    # -- instances
    Case("instances as a table", ["instances"],
         {PAGE: Answer(200, {"instances": [ORDER, STUCK], "next_cursor": None, "unreachable": []})},
         out=["TYPE        KEY    STATUS   NODE", "fulfilment  o-1    running  ordering",
              "make_payment of payment (no route)\n", "fulfilment  o/2 ü  stuck    ordering", "operator: bank is gone\n"]),
    Case("every filter", ["instances", "--type", "a b", "--status", "stuck", "--waiting-for", "payment", "--kind",
                          "service", "--limit", "5", "--cursor", "x+y"],
         {PAGE + "?type=a%20b&status=stuck&waiting_for=payment&kind=service&limit=5&cursor=x%2By":
          Answer(200, {"instances": [], "next_cursor": None, "unreachable": []})}, out="no instances\n"),
    Case("more than one page", ["instances"],
         {PAGE: Answer(200, {"instances": [ORDER], "next_cursor": "c1", "unreachable": []})},
         out=["o-1"], err="continuo: there is more: add --all, or --cursor c1\n"),
    Case("all pages", ["instances", "--all"],
         {PAGE + "?limit=1000": Answer(200, {"instances": [ORDER], "next_cursor": "c1", "unreachable": []}),
          PAGE + "?limit=1000&cursor=c1": Answer(200, {"instances": [STUCK], "next_cursor": None, "unreachable": []})},
         out=["o-1", "o/2"], sent=[PAGE + "?limit=1000", PAGE + "?limit=1000&cursor=c1"]),
    Case("all pages as JSON", ["instances", "--all", "--json", "--limit", "1"],
         {PAGE + "?limit=1": Answer(200, b'{"instances":[1],"next_cursor":"c"}'),
          PAGE + "?limit=1&cursor=c": Answer(200, b'{"instances":[2],"next_cursor":null}')},
         out='{"instances":[1],"next_cursor":"c"}\n{"instances":[2],"next_cursor":null}\n'),
    Case("a page that fails shows those before it", ["instances", "--all"],
         {PAGE + "?limit=1000": Answer(200, {"instances": [ORDER], "next_cursor": "c1"}),
          PAGE + "?limit=1000&cursor=c1": refused(503, "it stops")}, code=1, out=["o-1"], err="continuo: it stops\n"),
    Case("nodes that did not answer", ["instances"],
         {PAGE: Answer(200, {"instances": [ORDER], "next_cursor": None,
                             "unreachable": [{"node": "payment", "reason": "down since 12:00"},
                                             {"node": "warehouse", "reason": "too late"}]})},
         out=["o-1"], err="continuo: not complete, these nodes did not answer: payment (down since 12:00), "
                          "warehouse (too late)\n"),
    Case("a list of another shape", ["instances"], {PAGE: Answer(200, {"instances": [3, None, {"type": [1]}]})},
         out=["[1]"]),
    Case("a wrong status", ["instances", "--status", "done"], code=2,
         err=["--status: done not in {running,compensating,paused,stuck,completed,compensated}"], sent=[]),
    Case("a wrong kind", ["instances", "--kind", "actor"], code=2, err=["not in {saga,service,command}"], sent=[]),
    Case("a limit that is too high", ["instances", "--limit", "1001"], code=2, err=["--limit", "1000"], sent=[]),
    Case("one instance", ["show", "fulfilment", "o-1"],
         {ONE: Answer(200, ORDER | {"definition_version": 2, "state": {"name": "Müller\nx"}, "result": None})},
         out=["fulfilment o-1\n", "status       running\n", "waits for    make_payment of payment (no route)\n",
              "version      2\n", 'state\n  {\n    "name": "Müller\\nx"\n  }\n']),
    Case("when its timers are due", ["show", "fulfilment", "o-1"],
         {"GET /api/v1/instances/fulfilment/o-1": Answer(200, ORDER | {"waiting_for": [
             {"kind": "timer", "name": "overdue", "due": "2026-01-02T03:04:05.678Z"},
             {"kind": "timer", "name": "asleep", "due": "2262-04-11T23:47:16.854Z"}]})},
         out=["timer overdue at 2026-01-02T03:04:05.678Z\n", "timer asleep, never\n"]),
    Case("its history", ["show", "fulfilment", "o-1", "--history"],
         {ONE: Answer(200, ORDER),
          ONE + "/history?limit=1000": Answer(200, {"entries": [
              {"at": "2024-05-01T12:00:00Z", "revision": 17, "kind": "reply", "message_type": "payment_completed",
               "answers": {"type": "make_payment", "message_id": "0000000000000001-16-0"},
               "from": {"type": "payment", "key": ""}, "status": "running", "sent": ["create_label", "x"], "note": ""}],
              "next_cursor": None})},
         out=["status       running\n", "AT ", "2024-05-01T12:00:00Z        17  reply  payment_completed  make_payment 16-0  payment  "
              "running  create_label, x  -\n"]),
    Case("its history as JSON", ["show", "fulfilment", "o-1", "--history", "--json"],
         {ONE + "/history?limit=1000": Answer(200, b'{"entries":[]}')}, out='{"entries":[]}\n'),
    Case("a key with special characters", ["show", "fulfilment", "o/2 ü", "--json"],
         {"GET /api/v1/instances/fulfilment/o%2F2%20%C3%BC": Answer(200, b'{"status":"stuck"}')},
         out='{"status":"stuck"}\n'),
    Case("names that are commands too", ["show", "services", "list", "--json"],
         {"GET /api/v1/instances/services/list": Answer(200, b'{"status":"stuck"}')}, out='{"status":"stuck"}\n'),
    Case("an instance that is not there", ["show", "fulfilment", "o-7"],
         {"GET /api/v1/instances/fulfilment/o-7": refused(404, "there is no fulfilment o-7\nat all")}, code=1,
         err="continuo: there is no fulfilment o-7\\nat all\n"),
    Case("the end of one that completes", ["wait", "fulfilment", "o-1"],
         {ONE + "/result?": [Answer(202, RESULT | {"status": "running"}), Answer(200, RESULT)]},
         out="fulfilment o-1 is completed: T-1\n"),
    Case("of one that is compensated", ["wait", "fulfilment", "o-1", "--timeout", "5min"],
         {ONE + "/result?": Answer(200, RESULT | {"status": "compensated", "result": None, "reason": "declined"})},
         code=1, out="fulfilment o-1 is compensated: declined\n", sent=[ONE + "/result?wait=30000ms"]),
    Case("of one that does not end", ["wait", "fulfilment", "o-1", "--timeout", "300ms"],
         {ONE + "/result?": Answer(202, RESULT | {"status": "stuck"})}, code=124,
         err="continuo: the end of fulfilment o-1 is not there after 300 ms: it is stuck\n"),
    Case("of one while its node is away", ["wait", "fulfilment", "o-1"],
         {ONE + "/result?": [Answer(202, RESULT), refused(503, "ordering is down"), Answer(200, RESULT)]},
         out=["is completed"]),
    Case("of one that is not there", ["wait", "fulfilment", "o-1"], {ONE + "/result?": refused(404, "no such")},
         code=125, err="continuo: no such\n"),
    Case("of one at a node that is not there", ["wait", "fulfilment", "o-1", "--node", "http://127.0.0.1:1"], {},
         code=125, err=["127.0.0.1:1"], sent=[]),
    Case("an outcome that cannot be asked for", ["send", "payment", "make_payment", "{}", "--wait", "1s"],
         {SEND: Answer(202, {"message_id": "m"}), "GET /api/v1/commands/m?": refused(404, "no such")},
         code=125, out="message m\n", err="continuo: no such\n"),
    Case("a timeout without a unit", ["wait", "fulfilment", "o-1", "--timeout", "30"], code=2,
         err=['--timeout: "30" is no duration from 0s to 8760h; write a whole number with ms, s, min or h, as 30s'], sent=[]),
    Case("a negative timeout", ["wait", "fulfilment", "o-1", "--timeout=-3s"], code=2, err=["is no duration"], sent=[]),
    # -- an operator's verbs
    *(Case(f"{verb}", [verb, "fulfilment", "o-1", "--note", "by hand"],
           {f"POST /api/v1/instances/fulfilment/o-1/{verb}": Answer(202, {"verb": verb})},
           out=f"fulfilment o-1: {verb} is done\n", environment={"USER": "ann"},
           sent=(f"POST /api/v1/instances/fulfilment/o-1/{verb}", '{"note":"by hand","who":"ann"}'))
      for verb in ("cancel", "pause", "resume", "retry", "skip")),
    Case("a verb without a note", ["pause", "fulfilment", "o-1"],
         {"POST /api/v1/instances/fulfilment/o-1/pause": Answer(202, {"verb": "pause"})}, out=["is done"],
         environment={"USER": "ann"}, sent=("POST /api/v1/instances/fulfilment/o-1/pause", '{"who":"ann"}')),
    Case("skip without a note", ["skip", "fulfilment", "o-1"], code=2, err=["--note is required"], sent=[]),
    Case("a verb that the status forbids", ["resume", "fulfilment", "o-1"],
         {"POST /api/v1/instances/fulfilment/o-1/resume": refused(409, "it is running: only paused ones resume")},
         code=1, err="continuo: it is running: only paused ones resume\n"),
    # -- dead letters
    *(Case(f"letters: {words}", words, {"GET /api/v1/dead-letters": Answer(200, {"dead_letters": [LETTER]})},
           out=["s1:7:0  make_payment  fulfilment o-1  payment         5", "no\\x1b[2J such card\n"])
      for words in (["dead-letters"], ["dead-letters", "list"])),
    Case("no letters", ["dead-letters", "--limit", "3"],
         {"GET /api/v1/dead-letters?limit=3": Answer(200, {"dead_letters": []})}, out="no dead letters\n"),
    Case("one letter", ["dead-letters", "show", "s1:7:0"],
         {"GET /api/v1/dead-letters/s1%3A7%3A0": Answer(200, LETTER | {"payload": {"card": "x"}})},
         out=["to           payment\n", 'payload      {"card":"x"}\n', "redrive      possible\n"]),
    Case("a letter sent again", ["dead-letters", "redrive", "s1:7:0"],
         {"POST /api/v1/dead-letters/s1%3A7%3A0/redrive": Answer(202, {"id": "s1:7:0"})}, out="s1:7:0 is sent again\n",
         sent=("POST /api/v1/dead-letters/s1%3A7%3A0/redrive", "")),
    Case("a letter corrected", ["dead-letters", "redrive", "7", "--payload", '{"card": "y"}'],
         {"POST /api/v1/dead-letters/7/redrive": Answer(202, {"id": "7"})}, out=["sent again"],
         sent=("POST /api/v1/dead-letters/7/redrive", '{"card": "y"}')),
    Case("a letter corrected wrongly", ["dead-letters", "redrive", "7", "--payload", "{card}"], code=2,
         err=["line 1, column 2"], sent=[]),
    Case("a letter that cannot be sent again", ["dead-letters", "redrive", "7"],
         {"POST /api/v1/dead-letters/7/redrive": refused(409, "the requester was told")}, code=1,
         err="continuo: the requester was told\n"),
    Case("a letter discarded", ["dead-letters", "discard", "7"],
         {"DELETE /api/v1/dead-letters/7": Answer(202, {"id": "7"})}, out="7 is discarded\n"),
    Case("a letter without its id", ["dead-letters", "discard"], code=2, err=["ID is required"], sent=[]),
    # -- the cluster
    Case("services", ["services"],
         {"GET /api/v1/services": Answer(200, {"services": [
             {"name": "payment", "kind": "stateless", "nodes": ["a", "b"], "state": "up", "waiting": 12,
              "in_execution": 3, "completed": 1041, "failed": 0, "oldest_waiting": None}], "unreachable": []})},
         out=["payment  stateless  a, b  up          12        3       1041       0       -  -\n"]),
    Case("services of which one is paused", ["services", "list"],
         {"GET /api/v1/services": Answer(200, {"services": [
             {"name": "payment", "kind": "stateless", "nodes": ["a", "b"], "state": "up", "waiting": 12,
              "paused": {"by": "ann", "note": "the bank\x1b is closed", "since": "2026-01-01T00:00:00.000Z"},
              "in_execution": 3, "completed": 1041, "failed": 0, "oldest_waiting": None}], "unreachable": []})},
         out=["payment  stateless  a, b  paused       12        3       1041       0       -  "
              "paused by ann: the bank\\x1b is closed\n"]),
    Case("services of which one fails", ["services"],
         {"GET /api/v1/services": Answer(200, {"services": [
             {"name": "payment", "kind": "stateless", "nodes": ["a", "b"], "state": "up", "waiting": 12,
              "paused": None, "breaker_open_on": ["a"], "in_execution": 3, "completed": 1041, "failed": 0,
              "oldest_waiting": None}], "unreachable": []})},
         out=["       0       -  breaker open on a\n"]),
    Case("a service paused", ["services", "pause", "payment", "--note", "the bank is closed"],
         {"POST /api/v1/services/payment/pause": Answer(202, {"service": "payment", "paused": True, "unreachable": [
             {"node": "b", "reason": "it is down"}]})},
         out="payment is paused; who did not answer hears of it when it is connected again\n",
         err="continuo: not complete, these nodes did not answer: b (it is down)\n"),
    Case("a service resumed", ["services", "resume", "payment"],
         {"POST /api/v1/services/payment/resume": Answer(202, {"service": "payment", "paused": False})},
         out="payment is resumed\n"),
    Case("a pause without a service", ["services", "pause"], code=2, err=["SERVICE is required"], sent=[]),
    Case("nodes", ["nodes"],
         {"GET /api/v1/nodes": Answer(200, {"nodes": [
             {"name": "payment", "address": "127.0.0.1:7102", "http": "127.0.0.1:8102", "hosts": ["payment"],
              "state": "down", "since": None, "version": "0.1.0", "unacknowledged": 4, "last_error": "refused"}]})},
         out=["payment  down       -  127.0.0.1:7102  127.0.0.1:8102  payment               4  0.1.0    refused\n"]),
    Case("message types", ["message-types"],
         {"GET /api/v1/message-types": Answer(200, {"message_types": [
             {"name": "order_placed", "version": 0,
              "fields": [{"name": "order_id", "type": "string"}, {"name": "cents", "type": "int64"}]}]})},
         out="MESSAGE       VERSION  FIELDS\norder_placed        0  order_id: string, cents: int64\n"),
    Case("no JSON for an answer", ["nodes"], {"GET /api/v1/nodes": Answer(200, b"<html>\nhello")}, code=1,
         err=['answers with what is no JSON ("<html>"): is it a node?']),
    Case("trouble of something in between", ["nodes"], {"GET /api/v1/nodes": Answer(502, b"Bad\x1b gateway\r\nx")},
         code=1, err=["answers 502 Bad\\x1b gateway\n"]),
    # -- answers of something that is no node
    *(Case(f"{' '.join(words)} answered with {body}", words, {line: Answer(status, body)}, code=code,
           err=["127.0.0.1:PORT answers with what no node says (\"", f"\" has no {field}): is it a node?\n"])
      for words, line, status, field, code in (
          (["publish", "order_placed", "{}"], PUBLISH, 202, "message_id", 1),
          (["send", "payment", "make_payment", "{}"], SEND, 202, "message_id", 1),
          (["wait", "fulfilment", "o-1"], ONE + "/result?", 200, "status", 125),
          (["show", "fulfilment", "o-1"], ONE, 200, "status", 1),
          (["cancel", "fulfilment", "o-1"], ONE.replace("GET", "POST") + "/cancel", 202, "verb", 1),
          (["instances"], PAGE, 200, "instances", 1),
          (["nodes"], "GET /api/v1/nodes", 200, "nodes", 1),
          (["services"], "GET /api/v1/services", 200, "services", 1),
          (["dead-letters"], "GET /api/v1/dead-letters", 200, "dead_letters", 1),
          (["dead-letters", "show", "7"], "GET /api/v1/dead-letters/7", 200, "id", 1),
          (["dead-letters", "redrive", "7"], "POST /api/v1/dead-letters/7/redrive", 202, "id", 1),
          (["dead-letters", "discard", "7"], "DELETE /api/v1/dead-letters/7", 202, "id", 1),
          (["schedules"], "GET /api/v1/schedules", 200, "schedules", 1),
          (["schedules", "show", "x"], "GET /api/v1/schedules/x", 200, "name", 1),
          (["schedules", "pause", "x"], "POST /api/v1/schedules/x/pause", 202, "name", 1))
      for body in (b"{}", b"[1]", b"true", f'{{"{field}": null}}'.encode())),
    # -- schedules
    *(Case(f"schedules: {words}", words, {"GET /api/v1/schedules": Answer(200, {"schedules": [SCHEDULE]})},
           out=["nightly  30 2 * * *  Europe/Berlin  report_due  ordering  running  2026-03-29T01:00:00.000Z",
                "2026-03-28T01:30:00.000Z     41\n"])
      for words in (["schedules"], ["schedules", "list"])),
    Case("no schedules", ["schedules", "--limit", "3"],
         {"GET /api/v1/schedules?limit=3": Answer(200, {"schedules": []})}, out="no schedules\n"),
    Case("one schedule", ["schedules", "show", "nightly"], {"GET /api/v1/schedules/nightly": Answer(200, SCHEDULE)},
         out=["status      running\n", "next        2026-03-29T01:00:00.000Z\nnext        2026-03-30T00:30:00.000Z\n",
              'body        {"id":"{due}"}\n', "as          s1:7:0\n"]),
    Case("a paused schedule", ["schedules", "show", "nightly"],
         {"GET /api/v1/schedules/nightly": Answer(200, SCHEDULE | {"status": "paused", "next": [], "paused_by": "an\x1bn"})},
         out=["status      paused by an\\x1bn\n"]),
    *(Case(f"a schedule: {verb}", ["schedules", verb, "nightly"],
           {f"POST /api/v1/schedules/nightly/{verb}": Answer(202, {"name": "nightly"})},
           out=f"nightly: {verb} is done\n", environment={"USER": "ann"},
           sent=(f"POST /api/v1/schedules/nightly/{verb}", '{"who":"ann"}'))
      for verb in ("pause", "resume")),
    Case("a schedule: trigger", ["schedules", "trigger", "nightly"],
         {"POST /api/v1/schedules/nightly/trigger": Answer(202, {"name": "nightly", "message_id": "s1:7:0"})},
         out="nightly: trigger is done, as message s1:7:0\n"),
    Case("a schedule that is not paused", ["schedules", "resume", "nightly"],
         {"POST /api/v1/schedules/nightly/resume": refused(409, "it is not paused")}, code=1,
         err="continuo: it is not paused\n"),
    Case("a schedule without its name", ["schedules", "pause"], code=2, err=["NAME is required"], sent=[]),
    # -- which node, and the token
    Case("nobody is there", ["nodes", "--node", "http://127.0.0.1:CLOSED"], code=1,
         err=["continuo: 127.0.0.1:CLOSED cannot be asked: Connection refused; is the node up? "
              "`continuo cluster status FILE` shows it\n"]),
    Case("a node of a file that is down", ["nodes"], environment={"CONTINUO_NODE": ""}, code=1,
         files={"continuo.conf": CONFIGURATION.replace("PORT", "CLOSED")},
         err=["127.0.0.1:CLOSED cannot be asked", "`continuo cluster status continuo.conf` shows it\n"]),
    Case("the first node of the file with HTTP", ["nodes", "--json"], NODES,
         environment={"CONTINUO_NODE": ""}, files={"continuo.conf": CONFIGURATION}, out=NONE),
    Case("a file without such a node", ["nodes"], environment={"CONTINUO_NODE": ""}, code=2,
         files={"continuo.conf": CONFIGURATION.replace('http="127.0.0.1:PORT"\n', "")},
         err=["no node of continuo.conf has an http address"]),
    Case("a file with a mistake", ["nodes"], environment={"CONTINUO_NODE": ""}, code=2,
         files={"continuo.conf": "[cluster]\nnam=\"x\"\n"}, err=["continuo.conf:2: cluster.nam"]),
    Case("no node named", ["nodes"], environment={"CONTINUO_NODE": ""}, code=2, err=["continuo: which node?"]),
    Case("without a scheme", ["nodes", "--json", "--node", "127.0.0.1:PORT/"],
         NODES, out=NONE),
    *(Case(f"the address {text}", ["nodes", "--node", text], code=2, err=[f'"{text}" {why}'], sent=[])
      for text, why in (("127.0.0.1", "has no port"),
                        ("http://127.0.0.1:0", "has a port that is none"), ("127.0.0.1:70000", "has a port that is none"),
                        ("http://a:1/api", "has more than host and port"), ("::1:8101", "has an IPv6 address without"),
                        ("[::1]", "has no port"), ("ftp://a:1", "has another scheme"), (":8101", "has no host"))),
    Case("a token", ["nodes", "--json", "--token-file", "token"], NODES,
         files={"token": "s3cret\n"}, out=NONE, headers={"Authorization": "Bearer s3cret"}),
    Case("a token of the environment", ["nodes", "--json"], NODES,
         files={"token": "s3cret"}, environment={"CONTINUO_TOKEN_FILE": "token"}, out=NONE,
         headers={"Authorization": "Bearer s3cret"}),
    Case("no token where one is needed", ["nodes"], {"GET /api/v1/nodes": refused(401, "a token is needed")}, code=1,
         err="continuo: a token is needed (give the token with --token-file, or with --config the cluster file in which the "
             "node stands)\n"),
    Case("another token", ["nodes", "--token-file", "token"], {"GET /api/v1/nodes": refused(401, "wrong token")},
         files={"token": "x"}, code=1, err="continuo: wrong token (the one of --token-file does not fit)\n"),
    Case("a token with lines below it", ["nodes", "--json", "--token-file", "token"],
         NODES, files={"token": "a\r\nX: b\n"}, out=NONE,
         headers={"Authorization": "Bearer a"}),
    Case("a token of two words", ["nodes", "--token-file", "token"], code=2, files={"token": "a b\n"},
         err=["the token file token does not begin with a line of one token"], sent=[]),
    Case("an empty first line", ["nodes", "--token-file", "token"], code=2, files={"token": "\na\n"},
         err=["the token file token does not begin with a line of one token"], sent=[]),
    Case("a token file that is not there", ["nodes", "--token-file", "none"], code=2,
         err="continuo: the token file none cannot be read\n", sent=[]),
    # -- the cluster file, by which a token is found
    Case("the token of the cluster file", ["nodes", "--json"], NODES,
         environment={"CONTINUO_NODE": ""}, files={"continuo.conf": CONFIGURATION, "http-token": "found\n"}, out=NONE,
         headers={"Authorization": "Bearer found"}),
    Case("a cluster file without a token", ["nodes", "--json"], NODES,
         environment={"CONTINUO_NODE": ""}, files={"continuo.conf": CONFIGURATION}, out=NONE,
         headers={"Authorization": None}),
    Case("a token that the cluster file demands", ["nodes"], environment={"CONTINUO_NODE": ""}, code=2, sent=[],
         files={"continuo.conf": CONFIGURATION.replace("[cluster]\n", '[cluster]\ntoken-file="keys"\n')},
         err=["the token file ", "/keys cannot be read"]),
    Case("another cluster file", ["nodes", "--json", "--config", "other.conf"], NODES,
         environment={"CONTINUO_NODE": ""}, out=NONE, headers={"Authorization": "Bearer other"},
         files={"continuo.conf": "nothing", "other.conf": CONFIGURATION.replace("[cluster]\n",
                '[cluster]\ntoken-file="other"\n'), "other": "other"}),
    Case("another cluster file of the environment", ["nodes", "--json"], NODES,
         environment={"CONTINUO_NODE": "", "CONTINUO_CONFIG": "other.conf"}, out=NONE,
         headers={"Authorization": "Bearer found"}, files={"other.conf": CONFIGURATION, "http-token": "found"}),
    Case("another cluster file that is not there", ["nodes", "--config", "none.conf"], code=2, sent=[],
         err=["none.conf: the cluster file cannot be read"]),
    *(Case(f"the token of the cluster file goes to {url}", ["nodes", "--json", "--node", url],
           NODES, files={"continuo.conf": CONFIGURATION, "http-token": "found"},
           out=NONE, headers={"Authorization": "Bearer found"})
      for url in ("http://127.0.0.1:PORT", "localhost:PORT", "http://LOCALHOST:PORT/")),
    Case("the token of the cluster file goes to no other address", ["nodes", "--json"],
         NODES,
         files={"continuo.conf": CONFIGURATION.replace("PORT", "CLOSED"), "http-token": "found"},
         out=NONE, headers={"Authorization": None}),
    Case("no token where one of the cluster file is needed", ["nodes"], {"GET /api/v1/nodes": refused(401, "a token!")},
         environment={"CONTINUO_NODE": ""}, files={"continuo.conf": CONFIGURATION}, code=1,
         err=["a token! (the one in ", "/http-token is missing, or the node has started with another one)"]),
    Case("a node that is named and a cluster file with a mistake", ["nodes", "--json"],
         NODES, files={"continuo.conf": "nothing"}, out=NONE),
    Case("a node of a cluster file that speaks TLS", ["nodes", "--node", "http://127.0.0.1:PORT"], code=2, sent=[],
         files={"continuo.conf": CONFIGURATION.replace("[cluster]\n", '[cluster]\nhttp-tls="on"\n')},
         err=['the node\'s address "http://127.0.0.1:PORT" is https://127.0.0.1:PORT in ']),
    Case("TLS where there is none", ["nodes", "--node", "https://127.0.0.1:PORT"], code=1, sent=[],
         err=["127.0.0.1:PORT does not speak TLS as it should: "]),
    # -- the command line itself
    Case("no command", [], code=2, err="continuo: A subcommand is required (`continuo --help` shows how)\n"),
    Case("an unknown command", ["publsh", "x"], code=2,
         err="continuo: there is no command `continuo publsh` (`continuo --help` shows how)\n"),
    Case("an unknown option", ["nodes", "--colour"], code=2,
         err=["continuo: ", "--colour", "(`continuo nodes --help` shows how)\n"]),
    Case("the help of a command", ["dead-letters", "redrive", "--help"],
         out=["Usage: continuo dead-letters redrive", "Example: continuo dead-letters redrive ID"]),
    Case("an unknown shell", ["completion", "fish"], code=2, err=["{bash,zsh}"]),
]


class Fixture(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="continuo-commands-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.node = FakeNode()
        self.addCleanup(self.node.close)
        self.closed = socket.socket()  # bound and not listening: nobody else gets the port
        self.closed.bind(("127.0.0.1", 0))
        self.addCleanup(self.closed.close)

    def filled(self, text):
        return text.replace("PORT", str(self.node.port)).replace("CLOSED", str(self.closed.getsockname()[1]))

    def environment(self, more=None):
        made = {"PATH": os.environ["PATH"], "CONTINUO_NODE": f"http://127.0.0.1:{self.node.port}"}
        return {**{k: v for k, v in os.environ.items() if k.startswith(("ASAN", "UBSAN", "LSAN", "TSAN"))}, **made,
                **(more or {})}

    def run_program(self, arguments, more=None, text=""):
        return subprocess.run([PROGRAM, *map(self.filled, arguments)], cwd=self.folder, env=self.environment(more),
                              input=text, capture_output=True, text=True, timeout=PATIENCE)

    @contextlib.contextmanager
    def start_program(self, arguments, more=None, **how):
        child = subprocess.Popen([PROGRAM, *arguments], cwd=self.folder, env=self.environment(more), **how)
        try:
            yield child
        finally:
            child.kill()
            child.wait()
            for end in (child.stdout, child.stderr):
                if end:
                    end.close()

    def run_on_terminal(self, arguments, more=None, columns=60):
        """Everything that the program says on a terminal as wide as that."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        said = b""
        with self.start_program(arguments, more, stdin=theirs, stdout=theirs, stderr=theirs) as child:
            os.close(theirs)
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline and select.select([ours], [], [], PATIENCE)[0]:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # its end is closed
                    break
                if not part:
                    break
                said += part
            code = child.wait(PATIENCE)
        os.close(ours)
        return code, said.decode().replace("\r\n", "\n")


class CommandsTest(Fixture):
    def check_text(self, expected, got):
        if isinstance(expected, str):
            self.assertEqual(got, self.filled(expected))
        else:
            for part in expected:
                self.assertIn(self.filled(part), got)

    def check(self, case):
        self.node.answers = {line: list(a) if isinstance(a, list) else a for line, a in case.answers.items()}
        self.node.requests.clear()
        for old in self.folder.iterdir():
            old.unlink()
        for name, text in case.files.items():
            (self.folder / name).write_text(self.filled(text))
        done = self.run_program(case.arguments, case.environment, case.input)
        self.assertEqual(done.returncode, case.code, done.stdout + done.stderr)
        self.check_text(case.out, done.stdout)
        self.check_text(case.err, done.stderr)
        if case.code == 2:
            self.assertEqual(done.stderr.count("\n"), 1 if "conf" not in done.stderr else done.stderr.count("\n"))
            self.assertTrue(done.stderr.startswith("continuo: "), done.stderr)
        if isinstance(case.sent, tuple):
            first = self.node.requests[0]
            self.assertEqual((first.line, first.body), case.sent)
        elif case.sent is not None:
            self.assertEqual([one.line for one in self.node.requests], case.sent)
        for name, value in case.headers.items():
            self.assertEqual(self.node.requests[0].headers.get(name), value, name)

    def test_cases(self):
        names = [case.name for case in CASES]
        self.assertEqual(len(names), len(set(names)))
        for case in CASES:
            with self.subTest(case.name):
                self.check(case)

    def test_ipv6(self):
        try:
            node = FakeNode(socket.AF_INET6, "::1")
        except OSError:
            self.skipTest("no IPv6 here")
        self.addCleanup(node.close)
        node.answers = NODES
        done = self.run_program(["nodes", "--json", "--node", f"http://[::1]:{node.port}"])
        self.assertEqual((done.returncode, done.stdout), (0, NONE), done.stderr)
        self.assertEqual(node.requests[0].headers["Host"], f"[::1]:{node.port}")

    def test_output_that_cannot_be_written(self):
        self.node.answers = NODES
        for words in (["nodes", "--json"], ["help-markdown"]):  # what waits for the end, and more than waits
            with self.subTest(words=words), open("/dev/full", "w", encoding="utf-8") as full:
                done = subprocess.run([PROGRAM, *words], env=self.environment(), stdout=full,
                                      stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(b"standard output cannot be written", done.stderr)

    def test_every_command_has_help_with_an_example(self):
        document = self.run_program(["help-markdown"]).stdout
        commands = [line[4:-1] for line in document.splitlines() if line.startswith("## `")]
        self.assertGreater(len(commands), 25)
        for command in commands:
            with self.subTest(command):
                done = self.run_program([*command.split()[1:], "--help"])
                self.assertEqual(done.returncode, 0)
                self.assertIn(done.stdout, document)
                self.assertIn(command, done.stdout[done.stdout.index("Example: ") :])


class TerminalTest(Fixture):
    def setUp(self):
        super().setUp()
        self.node.answers = {PAGE: Answer(200, {"instances": [STUCK | {
            "waiting_for": [{"kind": "operator", "reason": "ü" * 200}]}]})}

    def lines(self, **how):
        code, said = self.run_on_terminal(["instances"], **how)
        self.assertEqual(code, 0, said)
        return said.splitlines()

    def test_long_cells_are_cut_to_the_width(self):
        lines = self.lines(more={"NO_COLOR": "1"}, columns=60)
        self.assertEqual(len(lines[1]), 60)
        self.assertTrue(lines[1].endswith("ü…"), lines[1])
        self.assertNotIn("\x1b", lines[1])

    def test_columns_of_the_environment(self):
        self.assertEqual(len(self.lines(more={"NO_COLOR": "1", "COLUMNS": "72"})[1]), 72)

    def test_colours(self):
        self.assertIn("\x1b[31mstuck\x1b[0m", self.lines()[1])
        self.assertEqual(self.lines()[1].count("\x1b"), 2)

    def test_nothing_is_cut_or_coloured_in_a_pipe(self):
        done = self.run_program(["instances"], {"COLUMNS": "40"})
        self.assertIn("ü" * 200, done.stdout)
        self.assertNotIn("\x1b", done.stdout)

    def test_progress_of_a_long_wait(self):
        until = time.monotonic() + 1.5
        node = self.node

        class Later(dict):
            def get(self, line, default=None):
                if line.startswith(ONE) and line.endswith("?"):
                    return Answer(200 if time.monotonic() > until else 202, RESULT)
                return default

        node.answers = Later()
        code, said = self.run_on_terminal(["wait", "fulfilment", "o-1"])
        self.assertEqual(code, 0, said)
        self.assertIn("\r\x1b[Kwaiting for the end of fulfilment o-1 (1.", said)
        self.assertTrue(said.endswith("\r\x1b[Kfulfilment o-1 is \x1b[32mcompleted\x1b[0m: T-1\n"), repr(said))


class SlowNodeTest(Fixture):
    def test_a_wait_ends_in_time(self):
        """Its node takes the question, and says nothing."""
        released = threading.Event()
        self.addCleanup(released.set)
        self.node.answers = {ONE + "/result?": Answer(202, RESULT, held_until=released)}
        begun = time.monotonic()
        done = self.run_program(["wait", "fulfilment", "o-1", "--timeout", "300ms"])
        self.assertEqual(done.returncode, 125, done.stdout + done.stderr)
        self.assertLess(time.monotonic() - begun, 20)

    def test_a_stream_ends_that_is_silent(self):
        """A node says something every 10 s, also where nothing happens."""
        released = threading.Event()
        self.addCleanup(released.set)
        self.node.answers = {"GET /api/v1/events": Answer(200, b": hello\n\n", held_until=released)}
        begun = time.monotonic()
        done = self.run_program(["events"])
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertGreater(time.monotonic() - begun, 20)
        self.assertIn("127.0.0.1:", done.stderr)


class EventsTest(Fixture):
    STREAM = (b': hello\n\nid: ordering:41\nevent: instance\ndata: {"type": "fulfilment", "key": "o-1"}\n\n'
              b"event: lost\ndata: {\ndata: }\n\n")

    def test_lines_until_a_signal(self):
        released = threading.Event()
        self.addCleanup(released.set)
        self.node.answers = {"GET /api/v1/events": Answer(200, self.STREAM, held_until=released)}
        for words, expected in (([], ["instance     key=o-1 type=fulfilment\n", "lost\n"]),
                                (["--json"], ['{"data":{"key":"o-1","type":"fulfilment"},"event":"instance",'
                                              '"id":"ordering:41"}\n'])):
            with self.start_program(["events", *words], stdout=subprocess.PIPE, text=True) as child:
                for line in expected:
                    self.assertEqual(child.stdout.readline(), line)
                child.send_signal(signal.SIGINT)
                self.assertEqual(child.wait(PATIENCE), -signal.SIGINT)

    def test_a_connection_that_breaks(self):
        released = threading.Event()
        released.set()
        self.node.answers = {"GET /api/v1/events": Answer(200, self.STREAM, held_until=released)}
        done = self.run_program(["events", "--after", "ordering:40"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("instance     key=o-1", done.stdout)
        self.assertIn("`continuo events --after ordering:41` goes on from there\n", done.stderr)
        self.assertEqual(self.node.requests[0].headers["Last-Event-ID"], "ordering:40")

    def test_a_refusal(self):
        self.node.answers = {"GET /api/v1/events": refused(503, "it starts")}
        done = self.run_program(["events"])
        self.assertEqual((done.returncode, done.stdout, done.stderr), (1, "", "continuo: it starts\n"))


class TlsTest(Fixture):
    """The first node of the file answers https with a certificate of the cluster's own authority, or somebody else does."""

    def setUp(self):
        super().setUp()
        self.node.close()

    def init(self, folder):
        """A cluster's files in that folder; the nodes listen nowhere."""
        folder.mkdir()
        file = folder / "continuo.conf"
        file.write_text(self.filled(CONFIGURATION).replace("[cluster]\n", '[cluster]\nhttp-tls="on"\n'))
        done = subprocess.run([PROGRAM, "cluster", "init", file], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return folder / "certificates"

    def answer_with(self, certificate):
        self.node = FakeNode(port=self.node.port, certificate=certificate)
        self.node.answers = NODES
        self.addCleanup(self.node.close)

    def ask(self):
        return self.run_program(["nodes", "--json"], {"CONTINUO_NODE": "", "CONTINUO_CONFIG": "shop/continuo.conf"})

    def refused(self, *words):
        done = self.ask()
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(self.node.requests, [])  # nor the token

    def test_the_certificate_of_the_node(self):
        certificates = self.init(self.folder / "shop")
        self.answer_with(certificates / "payment.pem")
        done = self.ask()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, NONE, ""))
        token = (self.folder / "shop" / "http-token").read_text().strip()
        self.assertEqual(self.node.requests[0].headers["Authorization"], f"Bearer {token}")

    def test_the_certificate_of_another_node(self):
        certificates = self.init(self.folder / "shop")
        self.answer_with(certificates / "silent.pem")
        self.refused("is not asked: its certificate is not one of payment from ", "/shop/certificates/ca.pem: ", "ostname")

    def test_the_certificate_of_another_authority(self):
        self.init(self.folder / "shop")
        self.answer_with(self.init(self.folder / "other") / "payment.pem")
        self.refused("is not asked: its certificate is not one of payment from ", "/shop/certificates/ca.pem: ")

    def test_an_authority_that_the_system_does_not_know(self):
        self.answer_with(self.init(self.folder / "shop") / "payment.pem")
        done = self.run_program(["nodes", "--node", f"https://localhost:{self.node.port}"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("its certificate is not one of localhost from an authority that the system knows", done.stderr)
        self.assertEqual(self.node.requests, [])

    def test_no_authority(self):
        certificates = self.init(self.folder / "shop")
        self.answer_with(certificates / "payment.pem")
        (certificates / "ca.pem").unlink()
        done = self.ask()
        self.assertEqual(done.returncode, 2)
        self.assertIn("/shop/certificates/ca.pem cannot be read", done.stderr)
        self.assertEqual(self.node.requests, [])


class CompletionTest(Fixture):
    def complete(self, *words):
        """What bash offers for the last of the words."""
        script = ('source <("$0" completion bash) || exit 9; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _continuo; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "--norc", "-c", script, PROGRAM, PROGRAM, *words], cwd=self.folder,
                              env=self.environment(), capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return set(done.stdout.split("\n")) - {""}

    def test_bash(self):
        (self.folder / "shop.conf").touch()
        (self.folder / "with blank.json").touch()
        offered = self.complete("")
        self.assertLessEqual({"publish", "instances", "dead-letters", "cluster", "journal", "--version"}, offered)
        self.assertNotIn("help-markdown", offered)
        for words, expected in (
            (["dead"], {"dead-letters"}),
            (["dead-letters", "re"], {"redrive"}),
            (["instances", "--st"], {"--status"}),
            (["instances", "--status", "comp"], {"compensating", "completed", "compensated"}),
            (["instances", "--limit", ""], set()),
            (["completion", ""], {"bash", "zsh", "--help"}),
            (["show", "services", "--h"], {"--help", "--history"}),
            (["cluster", "up", "sh"], {"shop.conf"}),
            (["publish", "order_placed", "@w"], {"@with blank.json"}),
            (["nodes", "--token-file", "w"], {"with blank.json"}),
            (["nodes", "nothing"], set()),
        ):
            with self.subTest(words):
                self.assertEqual(self.complete(*words), expected)

    def test_nodes_of_a_file(self):
        (self.folder / "shop.conf").write_text('[cluster]\nname="shop"\ntls="off"\n' + "".join(
            f'[nodes.{name}]\naddress="127.0.0.1:{port}"\nhosts=[]\n' for name, port in (("ordering", 1), ("payment", 2))))
        self.assertEqual(self.complete("cluster", "run", "shop.conf", ""), {"ordering", "payment", "--help"})
        self.assertEqual(self.complete("cluster", "stop", "shop.conf", "p"), {"payment"})
        self.assertEqual(self.complete("cluster", "run", "sh"), {"shop.conf"})
        (self.folder / "shop.conf").write_text("nothing")
        self.assertEqual(self.complete("cluster", "run", "shop.conf", ""), {"--help"})

    @unittest.skipUnless(shutil.which("zsh"), "no zsh here")
    def test_zsh(self):
        done = subprocess.run(["zsh", "-f", "-c", 'autoload -U compinit && compinit -u -D && source <("$0" completion zsh) '
                               '&& whence -w _continuo && print ${_comps[continuo]}', PROGRAM], cwd=self.folder,
                              env=self.environment(), capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "_continuo: function\n_continuo\n"), done.stderr)


if __name__ == "__main__":
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
