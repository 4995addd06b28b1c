"""What no client should send. Each request gets the error that docs/http.md names, soon; the nodes go on."""

import json
import os
import re
import socket
import sys
import time
import unittest

from cluster import NODES, SLOW, Cluster, build_of, order_of

BUILD = build_of(sys.argv)

ORDER = json.dumps(order_of("bad-1")).encode()
CODES = {
    400: {"bad_request", "malformed"},
    404: {"not_found", "unknown_type"},
    405: {"method_not_allowed"},
    409: {"conflict"},
    413: {"too_large"},
    431: {"too_large"},
    503: {"unavailable"},
}
PUBLISH = "/api/v1/publish/order_placed"
ONE = "/api/v1/instances/fulfilment/x"


def raw(method, target, body=None, headers=(), version="HTTP/1.1", host="localhost"):
    """The bytes of a request; what is not given is right."""
    lines = [f"{method} {target} {version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    lines += headers
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + (body or b"")


def get(target, *headers):
    return raw("GET", target, headers=headers)


def post(target, body=b"", *headers):
    return raw("POST", target, body, headers)


def publish(body, *headers):
    return post(PUBLISH, body, *headers)


def order(**other):
    return json.dumps({**order_of("bad-1"), **other}).encode()


# What it is, what is sent, the statuses that are right; 0 means that the connection is closed without an answer.
TABLE = [
    # -- methods
    ("a method of another call", raw("POST", "/api/v1/instances", b""), [405]),
    ("GET where there is POST", get(PUBLISH), [405]),
    ("DELETE of an instance", raw("DELETE", ONE), [405]),
    ("PUT of an instance", raw("PUT", ONE, b"{}"), [405]),
    ("PATCH of an instance", raw("PATCH", ONE, b"{}"), [405]),
    ("OPTIONS", raw("OPTIONS", ONE), [405]),
    ("OPTIONS *", raw("OPTIONS", "*"), [400, 404]),
    ("TRACE", raw("TRACE", ONE), [405]),
    ("CONNECT", raw("CONNECT", "host:443"), [400, 404]),
    ("a method nobody knows", raw("BREW", ONE), [400, 405]),
    ("a method in lower case", raw("get", ONE), [400, 405]),
    ("a very long method", raw("X" * 5_000, ONE), [400, 405, 431]),
    ("DELETE without a letter", raw("DELETE", "/api/v1/dead-letters"), [405]),
    ("DELETE of a schedule", raw("DELETE", "/api/v1/schedules/x"), [405]),
    ("a schedule that there is not", get("/api/v1/schedules/x"), [404]),
    ("a schedule of a long name", get("/api/v1/schedules/" + "x" * 2_000), [404]),
    ("a schedule of an odd name", get("/api/v1/schedules/%00%2f%ff"), [404]),
    ("a schedule's list without a cursor", get("/api/v1/schedules?cursor=%2e%2e"), [400]),
    ("a schedule's list without end", get("/api/v1/schedules?limit=0"), [400]),
    ("a verb of a schedule that there is not", raw("POST", "/api/v1/schedules/x/pause", b"{}"), [404]),
    ("a verb with a wrong body", raw("POST", "/api/v1/schedules/x/pause", b'{"who": 5}'), [400]),
    ("a verb with another field", raw("POST", "/api/v1/schedules/x/trigger", b'{"due": 5}'), [400]),
    # -- paths
    ("no such call", get("/api/v2/instances"), [404]),
    ("the root", get("/"), [404]),
    ("an empty part", get("/api/v1//instances"), [404]),
    ("a slash at the end", get("/api/v1/instances/"), [404]),
    ("too many parts", get(ONE + "/history/more"), [404]),
    ("two dots", get("/api/v1/../v1/instances"), [404]),
    ("no slash", get("api/v1/instances"), [400]),
    ("% alone", get("/api/v1/instances/fulfilment/%"), [400]),
    ("% and one digit", get("/api/v1/instances/fulfilment/%4"), [400]),
    ("% and no digits", get("/api/v1/instances/fulfilment/%zz"), [400]),
    ("% in the type", get("/api/v1/instances/%%/x"), [400]),
    ("bytes that are no UTF-8", get("/api/v1/instances/fulfilment/%ff%fe"), [404]),
    ("raw bytes that are no UTF-8", get("/api/v1/instances/fulfilment/\udcff\udcfe"), [400, 404]),
    ("an overlong slash", get("/api/v1/instances/fulfilment/%c0%af"), [404]),
    ("NUL in the key", get("/api/v1/instances/fulfilment/%00"), [404]),
    ("NUL in the type", get("/api/v1/instances/%00/x"), [404]),
    ("an unknown type", get("/api/v1/instances/nothing/x"), [404]),
    ("a type of the runtime's own", get("/api/v1/instances/continuo.dead_letter/x"), [404]),
    ("a service on no node", get("/api/v1/instances/payment@nowhere/x"), [404]),
    ("a service on an empty node", get("/api/v1/instances/payment@/x"), [404]),
    ("a type that is only @", get("/api/v1/instances/@/x"), [404]),
    ("a type of two @", get("/api/v1/instances/payment@payment@payment/x"), [404]),
    ("a key of 10,000 bytes", get("/api/v1/instances/fulfilment/" + "k" * 10_000), [404]),
    ("a fragment", get(ONE + "#part"), [400, 404]),
    ("a blank in the path", get("/api/v1/instances/fulfilment/a b"), [400]),
    # -- parameters
    ("an unknown parameter", get("/api/v1/instances?what=1"), [400]),
    ("a parameter where none is", get(ONE + "?limit=1"), [400]),
    ("a parameter of publish", post(PUBLISH + "?x=1", ORDER), [400]),
    ("a parameter twice", get("/api/v1/instances?limit=1&limit=2"), [400]),
    ("a parameter in capitals", get("/api/v1/instances?Limit=1"), [400]),
    ("limit 0", get("/api/v1/instances?limit=0"), [400]),
    ("limit 1001", get("/api/v1/instances?limit=1001"), [400]),
    ("limit -1", get("/api/v1/instances?limit=-1"), [400]),
    ("limit +1", get("/api/v1/instances?limit=%2b1"), [400]),
    ("limit 1.5", get("/api/v1/instances?limit=1.5"), [400]),
    ("limit 0x10", get("/api/v1/instances?limit=0x10"), [400]),
    ("limit of 40 digits", get("/api/v1/instances?limit=" + "9" * 40), [400]),
    ("limit of text", get("/api/v1/instances?limit=ten"), [400]),
    ("a status nobody knows", get("/api/v1/instances?status=sleeping"), [400]),
    ("a status in capitals", get("/api/v1/instances?status=RUNNING"), [400]),
    ("a kind nobody knows", get("/api/v1/instances?kind=thing"), [400]),
    ("waiting for nobody", get("/api/v1/instances?waiting_for=godot"), [400]),
    ("an unknown type of a list", get("/api/v1/instances?type=nothing"), [404]),
    ("% in a parameter", get("/api/v1/instances?type=%"), [400]),
    ("% in a parameter's name", get("/api/v1/instances?%g=1"), [400]),
    ("wait that is no time", get(ONE + "/result?wait=soon"), [400]),
    ("wait without a unit", get(ONE + "/result?wait=5"), [400]),
    ("wait below nothing", get(ONE + "/result?wait=-1s"), [400]),
    ("wait over the limit", get(ONE + "/result?wait=61s"), [400]),
    ("wait of years", get(ONE + "/result?wait=99999999999999999999s"), [400]),
    ("wait that overflows", get(ONE + "/result?wait=9223372036854775807h"), [400]),
    ("wait with a quote", get(ONE + "/result?wait=%221s%22"), [400]),
    ("wait of a command", get("/api/v1/commands/0000000000000001-1-0?wait=1y"), [400]),
    ("an id that is none", get("/api/v1/commands/x"), [400]),
    ("an id of many digits", get("/api/v1/commands/0000000000000001-" + "9" * 40 + "-0"), [400]),
    # -- cursors
    ("a cursor that is text", get("/api/v1/instances?cursor=next"), [400]),
    ("a cursor of an odd length", get("/api/v1/instances?cursor=abc"), [400]),
    ("a cursor in capitals", get("/api/v1/instances?cursor=ABCD"), [400]),
    ("a cursor of a list for a history", get(ONE + "/history?cursor=72660066"), [400]),
    ("a cursor below nothing", get(ONE + "/history?cursor=2d31"), [400]),
    ("a cursor too large", get(ONE + "/history?cursor=" + "39" * 40), [400]),
    ("a cursor of JSON", get(ONE + "/history?cursor=7b7d"), [400]),
    ("a cursor with an escape", get("/api/v1/dead-letters?cursor=%2e%2e"), [400]),
    # -- JSON
    ("an empty body", publish(b""), [400]),
    ("blanks", publish(b"  \n "), [400]),
    ("half of it", publish(ORDER[:-5]), [400]),
    ("something behind it", publish(ORDER + b"x"), [400]),
    ("two of it", publish(ORDER + ORDER), [400]),
    ("a comma too many", publish(ORDER[:-1] + b",}"), [400]),
    ("a comment", publish(b"/* hi */" + ORDER), [400]),
    ("single quotes", publish(ORDER.replace(b'"', b"'")), [400]),
    ("null", publish(b"null"), [400]),
    ("a number", publish(b"1"), [400]),
    ("a list", publish(b"[" + ORDER + b"]"), [400]),
    ("a string", publish(b'"x"'), [400]),
    ("an empty object", publish(b"{}"), [400]),
    ("a field missing", publish(json.dumps({"order_id": "bad-1"}).encode()), [400]),
    ("a field too many", publish(order(colour="red")), [400]),
    ("a field twice", publish(ORDER[:-1] + b', "cents": 1}'), [400]),
    ("text for a number", publish(order(cents="42")), [400]),
    ("a number for text", publish(order(order_id=42)), [400]),
    ("null for a number", publish(order(cents=None)), [400]),
    ("a list for text", publish(order(item=["kettle"])), [400]),
    ("an object for text", publish(order(item={"a": 1})), [400]),
    ("a fraction", publish(order(cents=1.5)), [400]),
    ("a number of 30 digits", publish(order(cents=10**30)), [400]),
    ("2^63", publish(order(cents=2**63)), [400]),
    ("a number below all", publish(order(cents=-(2**63) - 1)), [400]),
    ("1e400", publish(ORDER.replace(b"4200", b"1e400")), [400]),
    ("a number of 100,000 digits", publish(ORDER.replace(b"4200", b"9" * 100_000)), [400]),
    ("a long text for a number", publish(order(cents="9" * 1_000_000)), [400]),
    ("a long name of a field of a message", publish(order(**{"f" * 1_000_000: 1})), [400]),
    ("NaN", publish(ORDER.replace(b"4200", b"NaN")), [400]),
    ("Infinity", publish(ORDER.replace(b"4200", b"-Infinity")), [400]),
    ("a number with a zero before it", publish(ORDER.replace(b"4200", b"04200")), [400]),
    ("hexadecimal", publish(ORDER.replace(b"4200", b"0x10")), [400]),
    ("a duration without a unit", publish(order(pay_within="30")), [400]),
    ("a duration that overflows", publish(order(pay_within="9223372036854775807h")), [400]),
    ("a duration that is a number", publish(order(pay_within=30)), [400]),
    ("an empty key", publish(order(order_id="")), [400]),
    ("lists 100,000 deep", publish(b"[" * 100_000), [400]),
    ("objects 100,000 deep", publish(b'{"a":' * 100_000), [400]),
    ("lists deep within a field", publish(ORDER.replace(b'"kettle"', b"[" * 100_000 + b"]" * 100_000)), [400]),
    ("a verb's body 1,000,000 deep", post(ONE + "/cancel", b'{"note":' + b"[" * 1_000_000), [400]),
    (
        "a whole body 900,000 deep",
        post(ONE + "/cancel", b'{"note":' + b"[" * 900_000 + b"]" * 900_000 + b"}"),
        [400],
    ),
    ("bytes that are no UTF-8 in JSON", publish(ORDER.replace(b"kettle", b"ket\xff\xfetle")), [400]),
    ("an overlong sequence", publish(ORDER.replace(b"kettle", b"\xc0\xaf")), [400]),
    ("a surrogate alone", publish(ORDER.replace(b"kettle", b"\\ud800")), [400]),
    ("an escape that is none", publish(ORDER.replace(b"kettle", b"\\x41")), [400]),
    ("a control character", publish(ORDER.replace(b"kettle", b"ket\x01tle")), [400]),
    ("a line's end in text", publish(ORDER.replace(b"kettle", b"ket\ntle")), [400]),
    ("UTF-16", publish(ORDER.decode().encode("utf-16")), [400]),
    ("NUL behind it", publish(ORDER + b"\0"), [400]),
    ("a form", publish(b"order_id=bad-1&cents=1"), [400]),
    ("XML", publish(b"<order/>"), [400]),
    ("a verb with a list", post(ONE + "/pause", b"[]"), [400]),
    ("a verb with a number for who", post(ONE + "/pause", b'{"who": 1}'), [400]),
    ("a verb with a number that no double holds", post(ONE + "/pause", b'{"who": 1e999}'), [400]),
    ("a backup with a number that no double holds", post("/api/v1/backup", b'{"to": 1e999}'), [400]),
    ("a verb with null", post(ONE + "/pause", b'{"note": null}'), [400]),
    ("a verb with an unknown field", post(ONE + "/pause", b'{"why": ""}'), [400]),
    ("a verb with no UTF-8", post(ONE + "/pause", b'{"note": "\xff"}'), [400]),
    ("an unknown field that is no UTF-8", post(ONE + "/pause", b'{"\xff": ""}'), [400]),
    ("a long text that ends nowhere", post(ONE + "/pause", b'{"note": "' + b"n" * 1_000_000 + b"\n"), [400]),
    ("a long name of a field", post(ONE + "/pause", b'{"' + b"n" * 1_000_000 + b'": 1}'), [400]),
    ("NUL behind a verb's body", post(ONE + "/pause", b"{}\0{"), [400]),
    ("skip without a note", post(ONE + "/skip", b"{}"), [400]),
    ("a verb nobody knows", post(ONE + "/explode", b"{}"), [404]),
    ("an unknown event", post("/api/v1/publish/nothing", b"{}"), [404]),
    ("an event with a slash", post("/api/v1/publish/a%2fb", b"{}"), [404]),
    ("an event of 5,000 bytes", post("/api/v1/publish/" + "e" * 5_000, b"{}"), [404]),
    ("an unknown command", post("/api/v1/send/payment/nothing", b"{}"), [404]),
    ("an unknown service", post("/api/v1/send/nothing/make_payment", b"{}"), [404]),
    ("a service with a node", post("/api/v1/send/payment@payment/make_payment", b"{}"), [404]),
    ("an event as a command", post("/api/v1/send/payment/order_placed", ORDER), [404]),
    ("a reply published", post("/api/v1/publish/payment_completed", b"{}"), [404]),
    # -- Idempotency-Key
    ("an empty key header", publish(ORDER, "Idempotency-Key: "), [400]),
    ("a key of 257", publish(ORDER, "Idempotency-Key: " + "k" * 257), [400]),
    ("a key with a blank", publish(ORDER, "Idempotency-Key: a b"), [400]),
    ("a key with a tab", publish(ORDER, "Idempotency-Key: a\tb"), [400]),
    ("a key beyond ASCII", publish(ORDER, "Idempotency-Key: ä"), [400]),
    ("a key with a control character", publish(ORDER, "Idempotency-Key: a\x01b"), [400]),
    ("a key with NUL", publish(ORDER, "Idempotency-Key: a\0b"), [400]),
    ("two keys", publish(ORDER, "Idempotency-Key: a", "Idempotency-Key: b"), [400]),
    ("a key of a send, too long", post("/api/v1/send/payment/make_payment", b"{}", "Idempotency-Key: " + "k" * 300), [400]),
    # -- headers
    ("two lengths", raw("POST", PUBLISH, ORDER, [f"Content-Length: {len(ORDER) + 1}"]), [400]),
    ("a length below nothing", raw("POST", PUBLISH, None, ["Content-Length: -1"]), [400]),
    ("a length that is text", raw("POST", PUBLISH, None, ["Content-Length: many"]), [400]),
    ("a length with a sign", raw("POST", PUBLISH, None, ["Content-Length: +5"]) + b"{}   ", [400]),
    ("a list of lengths", raw("POST", PUBLISH, None, ["Content-Length: 2, 3"]) + b"{} ", [400]),
    ("a length of 30 digits", raw("POST", PUBLISH, None, ["Content-Length: " + "9" * 30]), [400, 413]),
    ("a length over the limit", raw("POST", PUBLISH, None, ["Content-Length: 2097153"]), [413]),
    ("a length of 2^63", raw("POST", PUBLISH, None, [f"Content-Length: {2**63}"]), [400, 413]),
    ("a length of 2^64-1", raw("POST", PUBLISH, None, [f"Content-Length: {2**64 - 1}"]), [400, 413]),
    (
        "both lengths and chunks",
        raw("POST", PUBLISH, None, ["Content-Length: 3", "Transfer-Encoding: chunked"]) + b"0\r\n\r\n",
        [400],
    ),
    (
        "chunks and lengths",
        raw("POST", PUBLISH, None, ["Transfer-Encoding: chunked", "Content-Length: 3"]) + b"0\r\n\r\n",
        [400],
    ),
    ("chunks of no size", raw("POST", PUBLISH, None, ["Transfer-Encoding: chunked"]) + b"zz\r\n", [400]),
    ("a chunk below nothing", raw("POST", PUBLISH, None, ["Transfer-Encoding: chunked"]) + b"-1\r\nx\r\n", [400]),
    ("a huge chunk", raw("POST", PUBLISH, None, ["Transfer-Encoding: chunked"]) + b"f" * 16 + b"\r\nx", [400, 413]),
    ("a chunk of 17 digits", raw("POST", PUBLISH, None, ["Transfer-Encoding: chunked"]) + b"1" * 17 + b"\r\nx", [400, 413]),
    ("a chunk without an end", raw("POST", PUBLISH, None, ["Transfer-Encoding: chunked"]) + b"2\r\n{}xx\r\n0\r\n\r\n", [400]),
    ("no end of chunks before it", raw("POST", PUBLISH, None, ["Transfer-Encoding: gzip, chunked"]) + b"0\r\n\r\n", [400, 501]),
    ("an encoding nobody knows", raw("POST", PUBLISH, None, ["Transfer-Encoding: rot13"]), [400, 501]),
    ("a coding nobody knows", raw("POST", PUBLISH, b"{}", ["Transfer-Encoding: gzip"]), [400]),
    (
        "a chunk's header of 200,000 bytes",
        raw("POST", PUBLISH, None, ["Transfer-Encoding: chunked"]) + b"2;x=" + b"y" * 200_000 + b"\r\n{}\r\n0\r\n\r\n",
        [431],
    ),
    (
        "trailers of 200,000 bytes",
        raw("POST", PUBLISH, None, ["Transfer-Encoding: chunked"]) + b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * 30_000 + b"\r\n",
        [431],
    ),
    ("chunked twice", raw("POST", PUBLISH, None, ["Transfer-Encoding: chunked, chunked"]) + b"0\r\n\r\n", [400, 501]),
    ("chunks in HTTP/1.0", raw("POST", PUBLISH, None, ["Transfer-Encoding: chunked"], "HTTP/1.0") + b"0\r\n\r\n", [400]),
    ("no host", raw("GET", "/healthz", host=None), [400]),
    ("two hosts", raw("GET", "/healthz", headers=["Host: other"]), [400]),
    ("a header of 20,000", get("/healthz", "X: " + "x" * 20_000), [431]),
    ("2,000 headers", get("/healthz", *[f"X-{n}: {n:010}" for n in range(2_000)]), [431]),
    ("a path of 20,000", get("/" + "p" * 20_000), [431]),
    ("a header without a colon", get("/healthz", "nonsense"), [400]),
    ("a header without a name", get("/healthz", ": x"), [400]),
    ("a blank before the colon", get("/healthz", "X : x"), [400]),
    ("a folded header", get("/healthz", "X: a", " b"), [200, 400]),
    ("NUL in a header", get("/healthz", "X: a\0b"), [400]),
    ("a line feed alone", b"GET /healthz HTTP/1.1\nHost: localhost\n\n", [200, 400]),
    ("a carriage return in a header", get("/healthz", "X: a\rb"), [400]),
    # -- versions and what is no HTTP
    ("HTTP/2.0", raw("GET", "/healthz", version="HTTP/2.0"), [400]),
    ("HTTP/0.9", b"GET /healthz\r\n\r\n", [400]),
    ("HTTP/1.2", raw("GET", "/healthz", version="HTTP/1.2"), [200, 400]),
    ("HTTP/11", raw("GET", "/healthz", version="HTTP/11"), [400]),
    ("no version", b"GET /healthz \r\nHost: localhost\r\n\r\n", [400]),
    ("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500, [400]),
    ("zeros", b"\0" * 1_000, [400]),
    ("a line of text", b"hello\r\n\r\n", [400]),
    ("an answer", b"HTTP/1.1 200 OK\r\n\r\n", [400]),
    ("20,000 letters and no end", b"A" * 20_000, [400, 431]),
    ("20,000 line ends", b"\r\n" * 10_000, [400, 431]),
]


class Wire:
    """A connection that sends bytes and reads answers one by one."""

    def __init__(self, port, timeout=15 * SLOW):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.got = b""

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the answer may be there all the same

    def more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.got += data
        return bool(data)

    def answer(self, without_body=False):
        """Status, headers and body of the next answer; None where the connection ends before."""
        while b"\r\n\r\n" not in self.got:
            if not self.more():
                return None
        head, _, self.got = self.got.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(re.match(r"HTTP/1\.[01] (\d{3}) ", first).group(1))
        headers = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip() for line in lines}
        size = 0 if without_body or status < 200 else int(headers.get("content-length", "0"))
        while len(self.got) < size:
            if not self.more():
                return None
        body, self.got = self.got[:size], self.got[size:]
        return status, headers, body

    def close(self):
        self.socket.close()


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shop = Cluster(BUILD, token=False)  # else most would be refused before it is read
        cls.shop.__enter__()
        cls.shop.wait_ready()
        cls.shop.wait_linked()
        cls.before = {node: len(cls.shop.log(node)) for node in NODES}
        cls.pids = {node: cls.shop.pid(node) for node in NODES}

    @classmethod
    def tearDownClass(cls):
        cls.shop.__exit__()

    def alive(self):
        for node in NODES:
            self.assertTrue(os.path.exists(f"/proc/{self.pids[node]}"), f"{node} has crashed\n{self.shop.logs()}")

    def tearDown(self):
        self.alive()
        for node in NODES:
            self.assertEqual(self.shop.get(node, "/readyz").status, 200)
            self.assertEqual(self.shop.pid(node), self.pids[node], "the process is another one")
            written = self.shop.log(node)[self.before[node] :]
            loud = [line for line in written.split("\n") if re.search(r"\b(warn|warning|error|critical)\b", line)]
            self.assertEqual(loud, [], "a client's mistake is no reason to wake anybody")

    def wire(self, node):
        made = Wire(self.shop.http[node])
        self.addCleanup(made.close)
        return made

    def check_error(self, what, answer):
        status, headers, body = answer
        said = json.loads(body.decode("utf-8"))
        self.assertEqual(list(said), ["error"], what)
        self.assertEqual(list(said["error"]), ["code", "message"], what)
        self.assertIn(said["error"]["code"], CODES[status], what)
        self.assertTrue(said["error"]["message"], what)
        self.assertLess(len(said["error"]["message"]), 3_000, what)
        self.assertEqual(headers["content-type"], "application/json", what)
        if status == 405:
            self.assertRegex(headers.get("allow", ""), r"^[A-Z]+(, [A-Z]+)*$", what)

    def test_the_table(self):
        self.assertGreaterEqual(len(TABLE), 70)
        self.assertEqual(len({name for name, _, _ in TABLE}), len(TABLE))
        for number, (name, data, right) in enumerate(TABLE):
            self.alive()
            for node in (NODES[number % 3], NODES[(number + 1) % 3]):
                with self.subTest(name, node=node):
                    wire = self.wire(node)
                    begun = time.monotonic()
                    wire.send(data)
                    if not data.startswith((b"GET", b"POST", b"DEL", b"PUT", b"PATCH")):
                        try:
                            wire.socket.shutdown(socket.SHUT_WR)
                        except OSError:
                            pass
                    answer = wire.answer()
                    took = time.monotonic() - begun
                    self.assertIsNotNone(answer, "no answer")
                    self.assertIn(answer[0], right, answer)
                    if answer[0] >= 400:
                        self.check_error(name, answer)
                    self.assertLess(took, 8 * SLOW)
                    wire.close()

    def test_json_with_a_mark_before_it(self):
        """Either is right (RFC 8259, 8.1), but it must be an answer."""
        wire = self.wire("ordering")
        wire.send(publish(b"\xef\xbb\xbf" + order(order_id="bom")))
        self.assertIn(wire.answer()[0], (202, 400))

    def test_long_names_are_not_a_way_to_waste_time(self):
        """Names are compared with all known ones, for what was meant: one of the header's length must not be dear."""
        begun = time.monotonic()
        for _ in range(20):
            wire = self.wire("ordering")
            wire.send(get("/api/v1/instances/" + "f" * 15_000 + "/x"))
            self.assertEqual(wire.answer()[0], 404)
        self.assertLess(time.monotonic() - begun, 5 * SLOW)

    def test_halves(self):
        """Requests that stop in the middle, and clients that go."""
        whole = publish(order(order_id="halves"))
        wires = []
        for cut in range(1, len(whole), 7):
            wire = self.wire(NODES[cut % 3])
            wire.send(whole[:cut])
            wires.append(wire)
        for wire in wires:
            wire.socket.shutdown(socket.SHUT_WR)
        for wire in wires:
            answer = wire.answer()
            self.assertTrue(answer is None or answer[0] == 400, answer)
            wire.close()
        self.assertEqual(self.shop.get("payment", "/api/v1/instances/fulfilment/halves").status, 404)

    def test_byte_by_byte(self):
        wire = self.wire("payment")
        for byte in publish(order(order_id="bytes")):
            wire.send(bytes([byte]))
        self.assertEqual(wire.answer()[0], 202)

    def test_pipelining(self):
        wire = self.wire("warehouse")
        wire.send(b"".join(get(f"/api/v1/instances/fulfilment/p-{n}") for n in range(100)) + get("/healthz"))
        for number in range(100):
            status, _, body = wire.answer()
            self.assertEqual(status, 404)
            self.assertIn(f"p-{number}", body.decode())
        self.assertEqual(wire.answer()[0], 200)

    def test_a_good_request_before_a_bad_one(self):
        wire = self.wire("ordering")
        wire.send(get("/healthz") + b"nonsense\r\n\r\n" + get("/healthz"))
        self.assertEqual(wire.answer()[0], 200)
        self.assertEqual(wire.answer()[0], 400)
        self.assertIsNone(wire.answer(), "what follows something unreadable must not be read")

    def test_what_stands_behind_a_body(self):
        wire = self.wire("ordering")
        wire.send(publish(order(order_id="behind")) + b"garbage")
        self.assertEqual(wire.answer()[0], 202)
        wire.socket.shutdown(socket.SHUT_WR)
        answer = wire.answer()
        self.assertTrue(answer is None or answer[0] == 400, answer)

    def test_a_body_of_a_get(self):
        wire = self.wire("ordering")
        wire.send(raw("GET", "/api/v1/node", ORDER) + get("/readyz"))
        self.assertEqual(wire.answer()[0], 200)
        self.assertTrue(wire.answer()[2].startswith(b"ready"))
        stranger = self.wire("ordering")  # whom nobody asks for a token
        stranger.send(raw("GET", "/healthz", ORDER))
        self.assertEqual(stranger.answer()[0], 413)

    def test_head_has_no_body(self):
        """RFC 9110, 9.3.2: else the next answer on the connection would be read from the body of this one."""
        for target in ("/healthz", "/nothing", PUBLISH):
            wire = self.wire("ordering")
            wire.send(raw("HEAD", target) + get("/readyz"))
            self.assertIn(wire.answer(without_body=True)[0], (200, 404, 405))
            answer = wire.answer()
            self.assertEqual(answer[0], 200)
            self.assertTrue(answer[2].startswith(b"ready"), answer)

    def test_continue(self):
        """A client that asks first is told to go on, and is not left to its own patience."""
        body = order(order_id="continue")
        wire = self.wire("payment")
        wire.send(raw("POST", PUBLISH, None, [f"Content-Length: {len(body)}", "Expect: 100-continue"]))
        self.assertEqual(wire.answer()[0], 100)
        wire.send(body)
        self.assertEqual(wire.answer()[0], 202)
        wire.send(raw("POST", PUBLISH, None, ["Content-Length: 999999999", "Expect: 100-continue"]))
        answer = wire.answer()
        self.assertEqual(answer[0], 413)
        self.check_error("continue", answer)

    def test_continue_at_once(self):
        """One that does not wait gets both."""
        body = order(order_id="at-once")
        wire = self.wire("payment")
        wire.send(raw("POST", PUBLISH, body, ["Expect: 100-continue"]))
        answer = wire.answer()
        if answer[0] == 100:
            answer = wire.answer()
        self.assertEqual(answer[0], 202)

    def test_http_1_0(self):
        wire = self.wire("ordering")
        wire.send(raw("GET", "/healthz", version="HTTP/1.0", host=None))
        self.assertEqual(wire.answer()[0], 200)
        self.assertIsNone(wire.answer(), "without keep-alive it is closed")
        kept = self.wire("ordering")
        for _ in range(3):
            kept.send(raw("GET", "/healthz", headers=["Connection: keep-alive"], version="HTTP/1.0"))
            self.assertEqual(kept.answer()[0], 200)

    def test_close_is_done(self):
        wire = self.wire("ordering")
        wire.send(get("/healthz", "Connection: close"))
        self.assertEqual(wire.answer()[0], 200)
        self.assertIsNone(wire.answer())

    def test_the_whole_address_as_target(self):
        """RFC 9112, 3.2.2: a server takes it, and proxies send it."""
        wire = self.wire("ordering")
        wire.send(get(f"http://127.0.0.1:{self.shop.http['ordering']}/healthz"))
        self.assertEqual(wire.answer()[0], 200)

    def test_chunks(self):
        body = order(order_id="chunks")
        wire = self.wire("ordering")
        sent = raw("POST", PUBLISH, None, ["Transfer-Encoding: chunked"])
        for at in range(0, len(body), 10):
            part = body[at : at + 10]
            sent += f"{len(part):x};name=value\r\n".encode() + part + b"\r\n"
        wire.send(sent + b"0\r\nTrailer: x\r\n\r\n")
        self.assertEqual(wire.answer()[0], 202)

    def big(self, size):
        return b'{"note": "' + b"n" * (size - 12) + b'"}'

    def test_bodies_at_the_limit(self):
        limit = 2 << 20
        at = self.wire("ordering")
        at.send(post(ONE + "/pause", self.big(limit)))  # which has a note that is too long
        self.assertEqual(at.answer()[0], 400)
        for node in NODES:
            over = self.wire(node)
            over.send(post(ONE + "/pause", self.big(limit + 1)))
            answer = over.answer()
            self.assertIsNotNone(answer, "the answer was lost")
            self.assertEqual(answer[0], 413)
            self.check_error("over the limit", answer)

    def test_long_words_of_an_operator(self):
        """They are kept for as long as the instance."""
        for words, status in (
            ({"who": "w" * 257}, 400),
            ({"note": "n" * 4097}, 400),
            ({"who": "w" * 256, "note": "n" * 4096}, 404),  # there is no such instance
        ):
            wire = self.wire("ordering")
            wire.send(post(ONE + "/pause", json.dumps(words).encode()))
            answer = wire.answer()
            self.assertEqual(answer[0], status, answer)
            if status == 400:
                self.assertIn(b"they are kept", answer[2])

    def test_bodies_over_the_limit_in_chunks(self):
        for node in NODES:
            for _ in range(5):
                wire = self.wire(node)
                wire.send(raw("POST", PUBLISH, None, ["Transfer-Encoding: chunked"]))
                chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
                for _ in range(4):
                    wire.send(chunk)
                answer = wire.answer()
                self.assertIsNotNone(answer, "the answer was lost")
                self.assertEqual(answer[0], 413)

    def test_bodies_that_no_record_could_hold(self):
        """Below the limit of bodies; it comes in, or is refused with a reason."""
        wire = self.wire("payment")
        wire.send(publish(order(order_id="large", item="i" * 1_900_000)))
        answer = wire.answer()
        self.assertIn(answer[0], (202, 400), answer)
        if answer[0] == 400:
            self.check_error("large", answer)

    def test_keys_with_special_bytes_are_taken_as_they_are(self):
        """Bytes that are no UTF-8 in a path are a key like others, and answers are UTF-8 all the same."""
        for target in ("%ff", "%f0%9f%98%80", "%00%01", "%ed%a0%80"):
            wire = self.wire("payment")
            wire.send(get(f"/api/v1/instances/fulfilment/{target}"))
            status, _, body = wire.answer()
            self.assertEqual(status, 404)
            json.loads(body.decode("utf-8"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
