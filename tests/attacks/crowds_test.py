"""Very many clients: some that say nothing, some that ask for what takes long and leave, some that wait for it."""

import http.client
import json
import unittest

from attacks import MIB, SLOW, connect, eventually, files_of, healthz, hear, memory_of, reset, start

SERVED = 1_024  # connections of a node, all together

# An answer in 100 ms, on a machine that does much else.
HEALTHZ_SECONDS_MAX = 1.0 * SLOW


def wait_request(number):
    """For an instance that never comes; its key says on which node it would be."""
    target = f"/api/v1/instances/fulfilment/never-{number}/result?wait=60s"
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


class Crowds(unittest.TestCase):
    def setUp(self):
        self.shop = start(self)
        self.port = self.shop.http["ordering"]
        self.pid = self.shop.pid("ordering")
        self.memory = memory_of(self.pid)
        self.files = files_of(self.pid)

    def check_health(self, times=20):
        slowest = max(healthz(self.port) for _ in range(times))
        print(f"/healthz: {slowest * 1000:.1f} ms at most", flush=True)
        self.assertLess(slowest, HEALTHZ_SECONDS_MAX)

    def check_work(self, order):
        self.assertEqual(self.shop.place("ordering", order).status, 202)
        self.assertEqual(self.shop.result("ordering", order).json["status"], "completed")

    def test_idle_and_abandoned_connections(self):
        """1,000 that say nothing and 1,500 whose clients have left: the next one is served at once"""
        idle = [connect(self, self.port) for _ in range(1_000)]
        self.check_health()
        for number in range(1_500):
            one = connect(self, self.port)
            one.sendall(wait_request(number))
            one.close()
        self.check_health()
        self.check_work("between")
        # What they waited for would come in a minute.
        self.assertTrue(eventually(lambda: files_of(self.pid) < self.files + len(idle) + 50, 20 * SLOW))
        self.assertLess(memory_of(self.pid) - self.memory, 64 * MIB * SLOW)
        for one in idle:
            one.close()
        self.assertTrue(eventually(lambda: files_of(self.pid) < self.files + 50, 20 * SLOW))

    def test_abandoned_connections_that_break(self):
        """so it is where they end with a reset, in answers that go on, and behind requests that were sent ahead"""
        kinds = [
            b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
            wait_request(0),
            wait_request(1) + b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10,
        ]
        for number in range(300):
            one = connect(self, self.port)
            one.sendall(kinds[number % len(kinds)])
            reset(one)
        self.check_health()
        self.assertTrue(eventually(lambda: files_of(self.pid) < self.files + 50, 20 * SLOW))
        self.check_work("after")

    def test_clients_that_wait(self):
        """more than are served at a time: those that are keep their place, the others are told so, /healthz is answered"""
        waiting = []
        for number in range(SERVED + 100):
            one = connect(self, self.port)
            one.sendall(wait_request(number))
            waiting.append(one)
        self.check_health()
        refused = self.shop.get("ordering", "/readyz")
        self.assertEqual((refused.status, refused.error()), (503, "unavailable"))
        self.assertIn("Retry-After", refused.headers)
        # An instance that they wait for comes; who was served first is answered.
        self.assertEqual(self.shop.place("payment", "never-0").status, 202)
        first = http.client.HTTPResponse(waiting[0])
        first.begin()
        self.assertEqual(json.loads(first.read())["status"], "completed")
        for one in waiting[-10:]:
            self.assertIn(hear(one)[:13], (b"", b"HTTP/1.1 503 "))
        for one in waiting:
            one.close()
        self.check_work("after")


if __name__ == "__main__":
    unittest.main(verbosity=2)
