#!/usr/bin/env python3
"""A node whose keys, reasons, names and states steer terminals: no command for people passes on a byte of it, and with
--json all of it comes as it was sent.

usage: terminal_test.py [BUILD] [unittest's arguments]
"""

import json
import os
import sys
import unittest

from hostile import PATIENCE, Place, build_of, raw_in, run

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))

import commands_test  # noqa: E402
from commands_test import Answer, FakeNode  # noqa: E402

BUILD = build_of(sys.argv)
CONTINUO = os.path.join(BUILD, "continuo")
commands_test.PATIENCE = PATIENCE

# Steers, ends lines, turns text around: each in C0, C1 and Unicode.
DIRT = "a\x1b[2J\x1b]0;t\x07\r\n\x00\x7f\u0085\u009b31m\u2028\u2029\u202e\u2066\u200f\u061cz"

CAUSES = [
    {"kind": "reply", "command": DIRT, "service": DIRT, "node": DIRT, "attempts": 1, "last_error": DIRT},
    {"kind": "timer", "name": DIRT, "due": DIRT},
    {"kind": "event", "types": [DIRT]},
    {"kind": "delivery", "message": DIRT, "node": DIRT, "last_error": DIRT},
    {"kind": "operator", "reason": DIRT},
    {"kind": DIRT, "what": {DIRT: DIRT}},
]
INSTANCE = {
    "type": DIRT, "key": DIRT, "kind": DIRT, "node": DIRT, "status": DIRT, "revision": DIRT, "waiting_for": CAUSES,
    "reason": DIRT, "result": DIRT, "definition_version": DIRT, "started_at": DIRT, "updated_at": DIRT,
    "state": {DIRT: [DIRT, {DIRT: DIRT}]},
}
ENTRY = {
    "at": DIRT, "revision": DIRT, "kind": DIRT, "message_type": DIRT, "answers": {"type": DIRT, "message_id": DIRT},
    "from": {"type": DIRT, "key": DIRT}, "status": DIRT, "sent": [DIRT], "note": DIRT,
}
LETTER = {
    "id": DIRT, "node": DIRT, "type": DIRT, "from": {"type": DIRT, "key": DIRT}, "to": {"type": DIRT, "key": DIRT},
    "reason": DIRT, "attempts": DIRT, "since": DIRT, "payload": {DIRT: DIRT},
}
UNREACHABLE = [{"node": DIRT, "reason": DIRT}]
ENDED = {"type": DIRT, "key": DIRT, "status": DIRT, "result": DIRT, "reason": DIRT}

# Words of a command, the line of its request, and the answer.
SHOWN = [
    (["instances"], "GET /api/v1/instances", {"instances": [INSTANCE], "unreachable": UNREACHABLE, "next_cursor": DIRT}),
    (["show", "t", "k"], "GET /api/v1/instances/t/k", INSTANCE),
    (["dead-letters"], "GET /api/v1/dead-letters", {"dead_letters": [LETTER], "unreachable": UNREACHABLE}),
    (["dead-letters", "show", "x"], "GET /api/v1/dead-letters/x", LETTER),
    (["services"], "GET /api/v1/services", {"services": [dict.fromkeys(
        ["name", "kind", "state", "waiting", "in_execution", "completed", "failed", "oldest_waiting"], DIRT)
        | {"nodes": [DIRT]}]}),
    (["nodes"], "GET /api/v1/nodes", {"nodes": [dict.fromkeys(
        ["name", "state", "since", "address", "http", "unacknowledged", "version", "last_error"], DIRT)
        | {"hosts": [DIRT]}]}),
    (["message-types"], "GET /api/v1/message-types", {"message_types": [
        {"name": DIRT, "version": DIRT, "fields": [{"name": DIRT, "type": DIRT}]}]}),
    (["publish", "t", "{}"], "POST /api/v1/publish/t", {"message_id": DIRT, "instances": [{"type": DIRT, "key": DIRT}]}),
    (["send", "s", "t", "{}"], "POST /api/v1/send/s/t", {"message_id": DIRT}),
    (["cancel", "t", "k"], "POST /api/v1/instances/t/k/cancel", {"verb": DIRT}),
    (["wait", "t", "k", "--timeout", "1s"], "GET /api/v1/instances/t/k/result?", ENDED | {"status": "compensated"}),
]
HISTORY = "GET /api/v1/instances/t/k/history?limit=1000"


class Terminal(unittest.TestCase):
    def setUp(self):
        self.node = FakeNode()
        self.addCleanup(self.node.close)
        self.at = f"http://127.0.0.1:{self.node.port}"

    def run_at(self, *words):
        return run(CONTINUO, *words, "--node", self.at)

    def check_shown(self, ended):
        self.assertEqual((raw_in(ended.out), raw_in(ended.err)), (set(), set()), ended)

    def test_nothing_raw_is_shown(self):
        for words, line, body in SHOWN:
            self.node.answers = {line: Answer(202 if line.startswith("POST") else 200, body)}
            with self.subTest(command=words):
                shown = self.run_at(*words)
                self.check_shown(shown)
                if words[0] != "cancel":  # which shows nothing of the answer
                    self.assertIn(rb"\x1b[2J", shown.out, shown)
                self.assertEqual([line for line in shown.out.splitlines() if line == b"z"], [])
            with self.subTest(command=words, json=True):
                told = self.run_at(*words, "--json")
                self.assertEqual(told.out.strip(), json.dumps(body).encode(), told)
                self.check_shown(run("true") if not told.err else told)

    def test_nothing_raw_is_shown_of_a_history(self):
        self.node.answers = {
            "GET /api/v1/instances/t/k": Answer(200, INSTANCE),
            HISTORY: Answer(200, {"entries": [ENTRY]}),
        }
        shown = self.run_at("show", "t", "k", "--history")
        self.assertEqual(shown.code, 0, shown)
        self.check_shown(shown)

    def test_nothing_raw_is_shown_of_a_failure(self):
        for words, line, _ in SHOWN:
            for answer in (
                Answer(400, {"error": {"code": DIRT, "message": DIRT}}, {"Retry-After": "\x1b[2J\x85"}),
                Answer(503, {"error": {"code": DIRT, "message": DIRT}}),
                Answer(500, DIRT.encode()),
                Answer(200, DIRT.encode()),
                Answer(200, [DIRT]),
                Answer(200, DIRT),
            ):
                self.node.answers = {line: answer}
                with self.subTest(command=words, status=answer.status, body=answer.body):
                    self.check_shown(self.run_at(*words))

    def test_nothing_raw_is_shown_of_events(self):
        for name, data in (("instance", json.dumps({DIRT: DIRT})), (DIRT, DIRT), ("x", json.dumps(DIRT))):
            lines = [f"id: {DIRT}", f"event: {name}", f"data: {data}"]
            text = "\n".join(line.replace("\r", "").replace("\n", "") for line in lines) + "\n\n"
            self.node.answers = {"GET /api/v1/events": Answer(200, text.encode(), {"Content-Type": "text/event-stream"})}
            with self.subTest(event=name):
                shown = self.run_at("events")
                self.assertNotEqual(shown.out, b"", shown)
                self.check_shown(shown)

    def test_nothing_raw_is_shown_of_arguments_and_files(self):
        with Place() as place:
            odd = os.path.join(place, "\x1b[2J\u0085\u202e")
            os.mkdir(odd)
            for words in (
                ["journal", "verify", odd], ["journal", "dump", odd], ["journal", "backup", odd, odd],
                ["journal", "restore", odd, odd], ["cluster", "status", odd], ["cluster", "up", odd + ".conf"],
                ["cluster", "start", odd, odd], ["\x1b[2J"], ["instances", "--status", "\x1b[2J\u0085"],
                ["instances", "--node", "\x1b[2J"], ["publish", "t", "\x1b[2J", "--node", self.at],
                ["publish", "t", "@" + odd, "--node", self.at], ["--\x1b[2J"],
            ):
                with self.subTest(words=words):
                    ended = run(CONTINUO, *words)
                    self.assertNotEqual(ended.code, 0)
                    self.check_shown(ended)

    def test_nothing_raw_is_shown_of_a_cluster(self):
        with Place() as place:
            file = os.path.join(place, "shop.conf")
            with open(file, "w") as out:
                out.write(f'[cluster]\nname="shop"\ntls="off"\n[nodes.a]\naddress="127.0.0.1:1"\n'
                          f'http="127.0.0.1:{self.node.port}"\nhosts=["x"]\n')
            for ready in (Answer(200, b"ready, process 1\x1b[2J\n"), Answer(503, {"error": {"message": DIRT}})):
                self.node.answers = {
                    "GET /readyz": ready,
                    "GET /api/v1/nodes": Answer(200, {"nodes": [{"name": DIRT, "state": "down", "last_error": DIRT}]}),
                    "GET /api/v1/services": Answer(200, {"services": [{"name": DIRT, "nodes": ["a"], "waiting": 1}]}),
                    "GET /api/v1/node": Answer(200, {"instances": {DIRT: {"running": 1}}}),
                }
                self.check_shown(run(CONTINUO, "cluster", "status", file))

    def test_nothing_raw_is_shown_of_what_a_node_says(self):
        with Place() as place:
            program = os.path.join(place, "program")
            with open(program, "w") as out:
                out.write(f"#!{sys.executable}\nimport sys\n"
                          f"for to in (sys.stdout, sys.stderr):\n    print({DIRT!r}, file=to)\nsys.exit(3)\n")
            os.chmod(program, 0o755)
            file = os.path.join(place, "shop.conf")
            with open(file, "w") as out:
                out.write(f'[cluster]\nname="shop"\ntls="off"\nprogram="{program}"\n[nodes.a]\naddress="127.0.0.1:1"\n'
                          'hosts=["x"]\n')
            for words in (["up"], ["up", "--detach"]):
                shown = run(CONTINUO, "cluster", *words, file)
                self.assertEqual(shown.code, 3, shown)
                self.assertIn(rb"\x7f", shown.out + shown.err)
                self.check_shown(shown)


if __name__ == "__main__":
    unittest.main(verbosity=2)
