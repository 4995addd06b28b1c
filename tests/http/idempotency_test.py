"""The same call again and again, from everywhere at once, while nodes are killed: it happens once."""

import collections
import http.client
import random
import sys
import threading
import time
import unittest

from cluster import NODES, SLOW, Cluster, build_of, order_of

BUILD = build_of(sys.argv)

THREADS = 50
KEYS = 20
KILLS = 6


class Idempotency(unittest.TestCase):
    def setUp(self):
        self.shop = Cluster(BUILD)
        self.addCleanup(self.shop.__exit__)
        self.shop.__enter__()
        self.shop.wait_ready()
        self.shop.wait_linked()
        self.unexpected = []

    def charges(self):
        return collections.Counter(
            entry["order"] for entry in self.shop.ledger("payment") if entry["kind"] == "charge"
        )

    def persist(self, node, target, body, key, until):
        """Asks until there is an answer that is none of a node in trouble; None if time runs out."""
        while time.monotonic() < until:
            try:
                said = self.shop.post(node, target, body, headers={"Idempotency-Key": key}, timeout=10)
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
                continue
            if said.status == 503:
                if said.headers.get("Retry-After") is None or said.error() is None:
                    self.unexpected.append(("a 503 without all that belongs to it", said))
                time.sleep(0.05)
                continue
            return said
        return None

    def publish(self, node, order, cents, key, until):
        return self.persist(node, "/api/v1/publish/order_placed", order_of(order, cents), key, until)

    def test_once_whatever_dies(self):
        ids = collections.defaultdict(set)  # by key
        counted = collections.Counter()
        lock = threading.Lock()
        done = threading.Event()
        until = time.monotonic() + 120 * SLOW

        def client(number):
            chance = random.Random(number)
            while not done.is_set() and time.monotonic() < until:
                n = chance.randrange(KEYS)
                node = chance.choice(NODES)
                what = chance.randrange(5)
                if what == 0:  # the same key with another body, once it has been used
                    with lock:
                        is_used = bool(ids[f"key-{n}"])
                    if is_used:
                        said = self.publish(node, f"once-{n}", 1, f"key-{n}", until)
                        if said and (said.status, said.error()) != (409, "conflict"):
                            self.unexpected.append(("another body", said))
                    continue
                said = self.publish(node, f"once-{n}", 4200, f"key-{n}", until)
                if said is None:
                    continue
                if said.status != 202 or said.json["instances"] != [{"type": "fulfilment", "key": f"once-{n}"}]:
                    self.unexpected.append(("the same", said))
                    continue
                with lock:
                    ids[f"key-{n}"].add(said.json["message_id"])
                    counted[node] += 1

        def command(number):
            """Charges alone, by commands with a key."""
            chance = random.Random(1_000 + number)
            while not done.is_set() and time.monotonic() < until:
                n = chance.randrange(KEYS)
                body = {"order_id": f"sent-{n}", "cents": 100, "method": "card"}
                said = self.persist(
                    chance.choice(NODES), "/api/v1/send/payment/make_payment", body, f"send-{n}", until
                )
                if said is None:
                    continue
                if said.status != 202:
                    self.unexpected.append(("a command", said))
                    continue
                with lock:
                    ids[f"send-{n}"].add(said.json["message_id"])

        threads = [threading.Thread(target=client, args=(number,)) for number in range(THREADS - 10)]
        threads += [threading.Thread(target=command, args=(number,)) for number in range(10)]
        for one in threads:
            one.start()
        try:
            chance = random.Random(7)
            for number in range(KILLS):
                time.sleep(0.5 + chance.random())  # the load goes on between two kills
                node = NODES[number % 3]
                self.shop.kill(node)
                time.sleep(chance.random() / 2)
                self.shop.start(node)
                self.shop.wait_ready([node])
            self.shop.wait_linked()
            time.sleep(1)
        finally:
            done.set()
            for one in threads:
                one.join()
        self.assertEqual(self.unexpected[:5], [])
        self.assertGreater(sum(counted.values()), KEYS)
        # Every key is used by now, and each of its answers is the same.
        until = time.monotonic() + 60 * SLOW
        for n in range(KEYS):
            for node in NODES:
                said = self.publish(node, f"once-{n}", 4200, f"key-{n}", until)
                self.assertIsNotNone(said)
                self.assertEqual(said.status, 202, said)
                ids[f"key-{n}"].add(said.json["message_id"])
                other = self.publish(node, f"once-{n}", 4201, f"key-{n}", until)
                self.assertEqual((other.status, other.error()), (409, "conflict"), other)
                body = {"order_id": f"sent-{n}", "cents": 100, "method": "card"}
                sent = self.persist(node, "/api/v1/send/payment/make_payment", body, f"send-{n}", until)
                self.assertEqual(sent.status, 202, sent)
                ids[f"send-{n}"].add(sent.json["message_id"])
                other = self.persist(
                    node, "/api/v1/send/payment/make_payment", {**body, "cents": 7}, f"send-{n}", until
                )
                self.assertEqual((other.status, other.error()), (409, "conflict"), other)
        self.assertEqual({key: made for key, made in ids.items() if len(made) != 1}, {})
        self.assertEqual(len({next(iter(made)) for made in ids.values()}), 2 * KEYS, "two keys share an id")
        for n in range(KEYS):
            end = self.shop.result("warehouse", f"once-{n}", "60s")
            self.assertEqual((end.status, end.json["status"]), (200, "completed"), end)
            said = self.shop.get("ordering", f"/api/v1/commands/{next(iter(ids[f'send-{n}']))}?wait=60s")
            self.assertEqual((said.status, said.json["status"]), (200, "completed"), said)
        expected = {f"once-{n}": 1 for n in range(KEYS)} | {f"sent-{n}": 1 for n in range(KEYS)}
        self.assertEqual(dict(self.charges()), expected)
        print("answers by node:", dict(counted), flush=True)

    def test_keys_survive_a_restart_of_all(self):
        until = time.monotonic() + 120 * SLOW
        first = self.publish("payment", "stays", 4200, "stays", until).json
        self.assertEqual(self.shop.result("payment", "stays").json["status"], "completed")
        for stop in (self.shop.kill, self.shop.stop):
            for node in NODES:
                stop(node)
            for node in NODES:
                self.shop.start(node)
            self.shop.wait_ready()
            self.shop.wait_linked()
            for node in NODES:
                self.assertEqual(self.publish(node, "stays", 4200, "stays", until).json, first)
                again = self.publish(node, "stays", 1, "stays", until)
                self.assertEqual((again.status, again.error()), (409, "conflict"), again)
        self.assertEqual(self.charges(), {"stays": 1})

    def test_what_is_the_same(self):
        """Blanks and the order of fields do not matter, the values do; another type is another message."""
        until = time.monotonic() + 60 * SLOW
        first = self.publish("ordering", "same", 4200, "same", until).json
        loose = '{ "pay_within":"30min", "method" : "card","quantity":1,"item":"kettle","cents":4200,"order_id":"same"}'
        for node in NODES:
            said = self.persist(node, "/api/v1/publish/order_placed", loose, "same", until)
            self.assertEqual((said.status, said.json), (202, first))
            without = self.publish(node, "same", 4200, "another-" + node, until)
            self.assertEqual(without.status, 202)
            self.assertNotEqual(without.json["message_id"], first["message_id"])
        longest = "!" + "~" * 255
        made = {self.publish(node, "longest", 1, longest, until).json["message_id"] for node in NODES}
        self.assertEqual(len(made), 1)
        # What was refused is not remembered.
        wrong = self.persist("payment", "/api/v1/publish/order_placed", {}, "refused", until)
        self.assertEqual(wrong.status, 400)
        self.assertEqual(self.publish("payment", "refused", 1, "refused", until).status, 202)

    def test_the_home_is_down(self):
        """A key whose home is down is a 503; nobody else may guess."""
        until = time.monotonic() + 120 * SLOW
        first = self.publish("payment", "home", 4200, "home", until).json
        self.shop.kill("ordering")
        for node in ("payment", "warehouse"):
            said = self.shop.place(node, "home", key="home")
            self.assertEqual((said.status, said.error()), (503, "unavailable"), said)
            self.assertIn("Retry-After", said.headers)
        self.shop.start("ordering")
        for node in NODES:
            self.assertEqual(self.publish(node, "home", 4200, "home", until).json, first)


if __name__ == "__main__":
    unittest.main(verbosity=2)
