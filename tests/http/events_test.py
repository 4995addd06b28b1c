"""Server-sent events: what happens anywhere reaches whoever watches any node, once, and a broken stream goes on."""

import json
import socket
import sys
import time
import unittest

from cluster import SLOW, Cluster, build_of

BUILD = build_of(sys.argv)


class Watcher:
    """A stream of events, read as a browser would."""

    def __init__(self, cluster, node, last=None):
        self.connection = socket.create_connection(("127.0.0.1", cluster.http[node]), timeout=5)
        sent = {"Host": "localhost", **cluster.authorization(), **({"Last-Event-ID": last} if last else {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        self.connection.sendall(f"GET /api/v1/events HTTP/1.0\r\n{lines}\r\n".encode())
        self.text = ""
        self.events = []
        self.greeted = False
        self.until(lambda: self.greeted)

    def until(self, wanted, seconds=20 * SLOW):
        """Reads until that holds, or the time is over; whether it holds."""
        deadline = time.monotonic() + seconds
        while not wanted():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.connection.settimeout(left)
            try:
                got = self.connection.recv(65536)
            except TimeoutError:
                return False
            if not got:
                return wanted()
            self.text += got.decode()
            *blocks, rest = self.text.split("\n\n")
            for block in blocks:
                fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and line[0] != ":")
                if "event" in fields and "data" in fields:
                    self.events.append((fields["event"], json.loads(fields["data"]), fields.get("id")))
                self.greeted = self.greeted or "the events of this cluster" in block
            self.text = rest
        return True

    def statuses(self, order):
        return [data["status"] for event, data, _ in self.events if event == "instance" and data["key"] == order]

    def close(self):
        self.connection.close()


class Events(unittest.TestCase):
    def test_watching(self):
        with Cluster(BUILD) as cluster:
            cluster.wait_ready()
            cluster.wait_linked()
            first = Watcher(cluster, "warehouse")
            self.addCleanup(first.close)
            # From when all nodes are watched; until then an order may come too early.
            number = 0
            while not first.statuses(f"o-{number}"):
                number += 1
                self.assertLess(number, 50, "no event comes")
                self.assertEqual(cluster.place("payment", f"o-{number}").status, 202)
                first.until(lambda: "completed" in first.statuses(f"o-{number}"), 1)
            self.assertTrue(first.until(lambda: "completed" in first.statuses(f"o-{number}")))
            self.assertEqual(first.statuses(f"o-{number}"), ["running", "completed"])

            with self.subTest("one that comes later gets what comes later"):
                second = Watcher(cluster, "ordering")
                self.addCleanup(second.close)
                self.assertFalse(second.until(lambda: second.events, 1))
                cluster.place("ordering", "later")
                self.assertTrue(second.until(lambda: "completed" in second.statuses("later")))
                self.assertEqual({data["key"] for event, data, _ in second.events if event == "instance"}, {"later"})

            with self.subTest("a node that goes and comes"):
                cluster.kill("payment")
                self.assertTrue(
                    first.until(lambda: any(e == "node" and d["peer"] == "payment" and d["state"] == "down"
                                            for e, d, _ in first.events))
                )
                cluster.start("payment")
                self.assertTrue(
                    first.until(lambda: any(e == "node" and d["peer"] == "payment" and d["state"] == "up"
                                            for e, d, _ in first.events))
                )

            with self.subTest("a broken stream goes on"):
                self.assertTrue(first.until(lambda: "completed" in first.statuses("later")))
                seen = first.events[-1][2]
                self.assertTrue(seen)
                first.close()
                cluster.place("warehouse", "meanwhile")
                self.assertEqual(cluster.result("ordering", "meanwhile").status, 200)
                again = Watcher(cluster, "warehouse", seen)
                self.addCleanup(again.close)
                self.assertTrue(again.until(lambda: "completed" in again.statuses("meanwhile")))
                self.assertEqual(again.statuses("meanwhile"), ["running", "completed"])
                self.assertEqual(again.statuses("later"), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
