"""Requests and answers that never end: they cost a node little memory, and end all the same."""

import json
import selectors
import socket
import threading
import time
import unittest

from attacks import MIB, SLOW, connect, eventually, files_of, healthz, memory_of, start

CONNECTIONS = 24
MEMORY_MORE_MAX = 64 * MIB  # bytes
TO_SEND = 10  # seconds: server_limits::to_send

POST = b"POST /api/v1/publish/order_placed HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
KINDS = {
    "a target": (b"GET /", b"x"),
    "a header": (POST + b"X: ", b"x"),
    "headers": (POST, b"X: y\r\n"),
    "a chunk's extension": (CHUNKED + b"1;a=", b"x"),
    "chunks' extensions": (CHUNKED, b"1;" + b"a=b;" * 100 + b"c\r\nx\r\n"),
    "a trailer": (CHUNKED + b"1\r\nx\r\n0\r\nX: ", b"x"),
    "trailers": (CHUNKED + b"1\r\nx\r\n0\r\n", b"X: y\r\n"),
    "a body": (CHUNKED, b"1\r\nx\r\n"),
}


class Requests(unittest.TestCase):
    def setUp(self):
        self.shop = start(self)
        self.port = self.shop.http["payment"]
        self.pid = self.shop.pid("payment")
        self.memory = memory_of(self.pid)
        self.files = files_of(self.pid)

    def send(self, begin, more, seconds, every=0.0):
        """On many connections at once: a beginning, then more and more. Gives how many are open after that time, and the
        most memory that the node had meanwhile."""
        ready = selectors.DefaultSelector()
        for _ in range(CONNECTIONS):
            one = connect(self, self.port)
            one.sendall(begin)
            one.setblocking(False)
            ready.register(one, selectors.EVENT_READ | (selectors.EVENT_WRITE if not every else 0))
        most, due = 0, time.monotonic() + every
        deadline = time.monotonic() + seconds
        while ready.get_map() and time.monotonic() < deadline:
            drips = every and time.monotonic() >= due
            if drips:
                due += every
            for key in list(ready.get_map().values()) if drips else [key for key, _ in ready.select(every or 1)]:
                one = key.fileobj
                try:
                    if one.recv(65536) == b"":
                        raise ConnectionResetError
                except BlockingIOError:
                    pass
                except OSError:
                    ready.unregister(one)
                    one.close()
                    continue
                try:
                    one.send(more)
                except BlockingIOError:
                    pass
                except OSError:
                    pass  # what the node says to that can still be read
            most = max(most, memory_of(self.pid))
        left = len(ready.get_map())
        ready.close()
        return left, most - self.memory

    def test_as_fast_as_they_can(self):
        for what, (begin, more) in KINDS.items():
            with self.subTest(what):
                left, memory = self.send(begin, more * (65536 // len(more)), 6 * TO_SEND * SLOW)
                print(f"{what}: {memory / MIB:.1f} MiB more", flush=True)
                self.assertEqual(left, 0, "connections are open")
                self.assertLess(memory, MEMORY_MORE_MAX * SLOW)
                self.assertLess(healthz(self.port), 5 * SLOW)
        self.assertTrue(eventually(lambda: files_of(self.pid) < self.files + 10, 20 * SLOW))

    def test_bytes_that_dribble_in(self):
        """each of them would be in time: all together are not"""
        threads = []
        left = {}
        for what, (begin, more) in KINDS.items():

            def drip(what=what, begin=begin, more=more):
                left[what] = self.send(begin, more, 6 * TO_SEND * SLOW, every=1)[0]

            threads.append(threading.Thread(target=drip))
            threads[-1].start()
        for one in threads:
            one.join()
        self.assertEqual(left, dict.fromkeys(KINDS, 0))


class Endless:
    """An HTTP service whose first answer to each command has no end, of the kind that the order's number names. The
    second one is as it should be."""

    OK = b"HTTP/1.1 200 OK\r\n"
    CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    KINDS = {
        "interim": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        "hints": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </" + b"x" * 1000 + b">\r\n\r\n"),
        "header": (OK + b"X: ", b"x" * 1000),
        "headers": (OK, b"X: " + b"x" * 1000 + b"\r\n"),
        "extension": (CHUNKED + b"1;a=", b"x" * 1000),
        "extensions": (CHUNKED, b"1;" + b"a=b;" * 100 + b"c\r\nx\r\n"),
        "trailer": (CHUNKED + b"1\r\nx\r\n0\r\nX: ", b"x" * 1000),
        "trailers": (CHUNKED + b"1\r\nx\r\n0\r\n", b"X: y\r\n" * 100),
        "body": (OK + b"\r\n", b"x" * 1000),
        "chunks": (CHUNKED, b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
        "silence": (b"", b""),
        "behind": (None, None),  # a good answer, and behind it one to the next command
    }

    def __init__(self):
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listening.getsockname()[1]
        self.calls = []  # (kind, order, attempt), one for each
        self.seconds = {}  # by kind: how long the call was held
        self.over = False
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.over = True
        self.listening.close()

    def accept(self):
        while True:
            try:
                one, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(one,), daemon=True).start()

    def serve(self, one):
        with one, one.makefile("rb") as lines:
            while True:
                first = lines.readline()
                if not first:
                    return
                headers = {}
                for line in iter(lines.readline, b"\r\n"):
                    name, _, value = line.decode().partition(":")
                    headers[name.lower()] = value.strip()
                order = json.loads(lines.read(int(headers["content-length"])))["order_id"]
                kind = order.partition("-")[0]
                attempt = int(headers["continuo-attempt"])
                self.calls.append((kind, order, attempt))
                try:
                    if not self.answer(one, kind, order, attempt):
                        return
                except OSError:
                    return

    def good(self, order):
        body = json.dumps({"order_id": order, "payment_id": "p-" + order}).encode()
        return self.OK + f"Content-Length: {len(body)}\r\n\r\n".encode() + body

    def answer(self, one, kind, order, attempt):
        """False where the connection is not used any more."""
        begin, more = self.KINDS[kind]
        if begin is None:
            one.sendall(self.good(order) + self.good("smuggled"))
            return True
        if attempt > 1:
            one.sendall(self.good(order))
            return True
        begun = time.monotonic()
        try:
            one.sendall(begin)
            while more and not self.over:
                one.sendall(more)
            if not more:
                one.recv(1)  # until the node has enough
        finally:
            self.seconds[kind] = time.monotonic() - begun
        return False


class Answers(unittest.TestCase):
    def test_a_service_that_answers_without_end(self):
        service = Endless()
        self.addCleanup(service.close)
        section = f'[services.payment]\nurl="http://127.0.0.1:{service.port}"\ntimeout=3s\nattempts=5\nconnections=4'
        shop = start(self, extra=section)
        pid = shop.pid("payment")
        memory = memory_of(pid)
        orders = [f"{kind}-{number}" for kind in Endless.KINDS for number in range(4)]
        for order in orders:
            self.assertEqual(shop.place("ordering", order).status, 202)
        most = 0
        for order in orders:
            ended = None
            while ended is None or ended.status == 202:
                ended = shop.result("ordering", order, wait="1s")
                most = max(most, memory_of(pid))
            self.assertEqual(ended.json["status"], "completed", ended)
        print(f"{(most - memory) / MIB:.1f} MiB more; seconds: {service.seconds}", flush=True)
        self.assertLess(most - memory, MEMORY_MORE_MAX * SLOW)
        # Each order has cost one call more than it should; what stood behind an answer was never one.
        expected = [(order.partition("-")[0], order, 1) for order in orders]
        expected += [(order.partition("-")[0], order, 2) for order in orders if not order.startswith("behind")]
        self.assertEqual(sorted(service.calls), sorted(expected))
        self.assertLess(max(service.seconds.values()), 30 * SLOW)


if __name__ == "__main__":
    unittest.main(verbosity=2)
