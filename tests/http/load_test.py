"""Clients that are slow, idle, or never read; many of them at once. A healthy one is served all the while."""

import errno
import http.client
import json
import resource
import selectors
import socket
import sys
import threading
import time
import unittest

from cluster import NODES, SLOW, Cluster, build_of, eventually, files_of, memory_of, order_of

BUILD = build_of(sys.argv)

CLIENTS = 10_000
NODE_FILES = 1_024  # what most systems allow a process unless told otherwise
SERVED = 1_024  # server_limits::connections
MEMORY_MORE_MAX = 200 << 20  # bytes that a node may grow by under any load here


class Healthy:
    """A client that asks again and again from a thread of its own, over a connection that it keeps. One that was closed
    while it asked for nothing, to make room, is opened again, as HTTP clients do."""

    def __init__(self, shop, node):
        self.connection = http.client.HTTPConnection("127.0.0.1", shop.http[node], timeout=30 * SLOW)
        self.count = 0
        self.reopened = 0
        self.slowest = 0.0
        self.wrong = []
        self.ended = threading.Event()
        self.ask()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def ask(self):
        begun = time.monotonic()
        number = self.count
        if number % 3 == 0:
            body = json.dumps(order_of(f"healthy-{id(self)}-{number}"))
            asked = ("POST", "/api/v1/publish/order_placed", body)
            right = 202
        else:
            asked = ("GET", ("/readyz", "/api/v1/instances?limit=10")[number % 3 - 1])
            right = 200
        try:
            answer = self.exchange(asked)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.reopened += 1
            answer = self.exchange(asked)
        body = answer.read()
        if answer.status != right:
            self.wrong.append((answer.status, body[:200]))
        self.count += 1
        self.slowest = max(self.slowest, time.monotonic() - begun)

    def exchange(self, asked):
        try:
            self.connection.request(*asked)
            return self.connection.getresponse()
        except OSError:
            self.connection.close()  # the next request opens it
            raise

    def run(self):
        while not self.ended.is_set():
            try:
                self.ask()
            except (OSError, http.client.HTTPException) as what:
                self.wrong.append(what)
                return
            time.sleep(0.05)

    def end(self):
        self.ended.set()
        self.thread.join()
        self.connection.close()


class Load(unittest.TestCase):
    def setUp(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(NODE_FILES, hard), hard))
        self.shop = Cluster(BUILD, token=False)  # the nodes inherit the limit
        self.addCleanup(self.shop.__exit__)
        self.shop.__enter__()
        self.allowed = hard if hard != resource.RLIM_INFINITY else 1 << 20
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.allowed, hard))
        self.shop.wait_ready()
        self.shop.wait_linked()
        self.pid = self.shop.pid("payment")
        self.before = memory_of(self.pid)
        self.files_before = files_of(self.pid)

    def tearDown(self):
        for node in NODES:
            written = self.shop.log(node)
            self.assertNotIn("[error]", written)
            self.assertNotIn("[critical]", written)

    def check_memory(self):
        grown = memory_of(self.pid) - self.before
        self.assertLess(grown, MEMORY_MORE_MAX * SLOW, f"{grown >> 20} MiB more")

    def crowd(self, count, window=0):
        """As many connections as asked for, or as allowed; with a window, each takes only so many bytes ahead."""
        made = []
        for _ in range(min(count, self.allowed - 200)):
            one = socket.socket()
            if window:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
            one.settimeout(30)
            try:
                one.connect(("127.0.0.1", self.shop.http["payment"]))
            except OSError as failed:
                one.close()
                if failed.errno in (errno.EMFILE, errno.EADDRNOTAVAIL):
                    break
                continue  # refused or reset, as one of too many
            one.setblocking(False)
            self.addCleanup(one.close)
            made.append(one)
        return made

    def feed(self, crowd, seconds, data):
        """Each sends one byte of `data` a second. Gives how many the node has closed."""
        ready = selectors.DefaultSelector()
        for one in crowd:
            ready.register(one, selectors.EVENT_READ)
        alive = set(crowd)
        self.refusals = 0
        begun = time.monotonic()
        at = 0
        while alive and time.monotonic() - begun < seconds:
            second = time.monotonic()
            if at < len(data):
                for one in list(alive):
                    try:
                        one.send(data[at : at + 1])
                    except BlockingIOError:
                        pass
                    except OSError:
                        alive.discard(one)
                        ready.unregister(one)
            at += 1
            while time.monotonic() - second < 1:
                for key, _ in ready.select(0.1):
                    try:
                        got = key.fileobj.recv(65536)
                        self.refusals += bool(got)
                    except BlockingIOError:
                        continue
                    except OSError:
                        got = b""
                    if not got:
                        alive.discard(key.fileobj)
                        ready.unregister(key.fileobj)
        ready.close()
        return len(crowd) - len(alive)

    def check_after(self):
        """The node serves new clients, and has given back what it had opened."""
        self.assertTrue(eventually(lambda: self.shop.is_ready("payment"), 90 * SLOW))
        self.assertTrue(
            eventually(lambda: files_of(self.pid) < self.files_before + 50, 90 * SLOW), files_of(self.pid)
        )
        self.assertEqual(self.shop.place("payment", "after").status, 202)
        self.assertEqual(self.shop.result("payment", "after").json["status"], "completed")
        self.assertEqual(self.shop.pid("payment"), self.pid)
        self.check_memory()

    def judge(self, healthy):
        healthy.end()
        self.assertEqual(healthy.wrong[:3], [])
        self.assertGreater(healthy.count, 10)
        self.assertLess(healthy.slowest, 10 * SLOW)

    def test_slow_clients(self):
        healthy = Healthy(self.shop, "payment")
        try:
            crowd = self.crowd(CLIENTS)
            asked = b"GET /api/v1/instances HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200
            closed = self.feed(crowd, 40 * SLOW, asked)
            self.check_memory()
            files = files_of(self.pid)
            print(
                f"{len(crowd)} slow clients, {closed} closed, {healthy.count} calls of a healthy one, "
                f"the slowest {healthy.slowest:.3f} s, {files} files, {(memory_of(self.pid) - self.before) >> 20} MiB more",
                flush=True,
            )
            self.assertEqual(closed, len(crowd), "a slow client was not closed")
        finally:
            self.judge(healthy)
        self.check_after()

    def test_idle_clients(self):
        healthy = Healthy(self.shop, "payment")
        try:
            crowd = self.crowd(3_000)
            # Each makes room for one that comes later; the last ones are closed after a minute.
            closed = self.feed(crowd, 5 * SLOW, b"")
            self.assertGreater(closed, len(crowd) - SERVED - 100)
            closed = self.feed(crowd, 80 * SLOW, b"")
            self.assertEqual(closed, len(crowd), "an idle client was not closed")
        finally:
            self.judge(healthy)
        self.check_after()

    def test_clients_that_do_not_read(self):
        for number in range(300):
            self.shop.place(NODES[number % 3], f"unread-{number:03}")
        healthy = Healthy(self.shop, "payment")
        try:
            crowd = self.crowd(300, 4096)
            asked = b"GET /api/v1/instances?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200
            most = 0
            for one in crowd:
                try:
                    one.send(asked)
                except OSError:
                    pass
            begun = time.monotonic()
            while time.monotonic() - begun < 15 * SLOW:
                most = max(most, memory_of(self.pid) - self.before)
                time.sleep(0.2)
            print(f"{most >> 20} MiB more at most, for 300 that do not read", flush=True)
            self.assertLess(most, MEMORY_MORE_MAX * SLOW)
        finally:
            self.judge(healthy)
        self.check_after()

    def test_bodies_over_the_limit(self):
        healthy = Healthy(self.shop, "payment")
        unexpected = []

        def pour(number):
            for _ in range(5):
                one = socket.create_connection(("127.0.0.1", self.shop.http["payment"]), timeout=30 * SLOW)
                try:
                    head = b"POST /api/v1/publish/order_placed HTTP/1.1\r\nHost: localhost\r\n"
                    if number % 2:
                        one.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
                    else:
                        one.sendall(head + b"Content-Length: 1000000000\r\n\r\n")
                    for _ in range(20):
                        part = b"x" * 0x100000
                        one.sendall(b"100000\r\n" + part + b"\r\n" if number % 2 else part)
                except OSError:
                    pass  # closed, as it should be
                try:
                    got = one.recv(65536)
                    if b" 413 " not in got and got:
                        unexpected.append(got[:200])
                except OSError:
                    pass
                one.close()

        threads = [threading.Thread(target=pour, args=(number,)) for number in range(20)]
        for one in threads:
            one.start()
        most = 0
        while any(one.is_alive() for one in threads):
            most = max(most, memory_of(self.pid) - self.before)
            time.sleep(0.1)
        self.judge(healthy)
        self.assertEqual(unexpected, [])
        self.assertLess(most, MEMORY_MORE_MAX * SLOW)
        self.check_after()

    def test_lists_under_load(self):
        """Pages of all nodes are whole while orders stream in."""
        for number in range(200):
            self.assertEqual(self.shop.place(NODES[number % 3], f"list-{number:03}").status, 202)
        expected = {f"list-{number:03}" for number in range(200)}
        ended = threading.Event()
        placed = [0, 0, 0]
        unexpected = []

        def stream(number):
            connection = http.client.HTTPConnection("127.0.0.1", self.shop.http[NODES[number]], timeout=30 * SLOW)
            while not ended.is_set():
                body = json.dumps(order_of(f"stream-{number}-{placed[number]}"))
                connection.request("POST", "/api/v1/publish/order_placed", body)
                answer = connection.getresponse()
                answer.read()
                if answer.status not in (202, 429):
                    unexpected.append(answer.status)
                placed[number] += 1
            connection.close()

        threads = [threading.Thread(target=stream, args=(number,)) for number in range(3)]
        for one in threads:
            one.start()
        try:
            for round_ in range(6):
                node = NODES[round_ % 3]
                seen, cursor = [], None
                while True:
                    more = f"&cursor={cursor}" if cursor else ""
                    page = self.shop.get(node, f"/api/v1/instances?limit=50{more}", timeout=30 * SLOW)
                    self.assertEqual((page.status, page.json["unreachable"]), (200, []), page)
                    seen += [one["key"] for one in page.json["instances"]]
                    cursor = page.json["next_cursor"]
                    if cursor is None or seen[-1] > "list-999":
                        break
                self.assertEqual(len(seen), len(set(seen)))
                self.assertEqual(expected - set(seen), set())
        finally:
            ended.set()
            for one in threads:
                one.join()
        self.assertEqual(unexpected, [])
        self.assertTrue(all(placed), placed)
        self.check_after()


if __name__ == "__main__":
    unittest.main(verbosity=2)
