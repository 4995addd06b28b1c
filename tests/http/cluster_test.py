"""A node that is down, or hangs, while others are asked; and who may ask at all."""

import os
import socket
import subprocess
import sys
import time
import unittest

from cluster import GO_ON, HANG, NODES, SLOW, Cluster, build_of, eventually, order_of

BUILD = build_of(sys.argv)

TOKEN = "0123456789abcdef0123456789abcdef"

# Others have three seconds for their part (docs/http.md promises a list all the same).
DEADLINE = 6 * SLOW


class Down(unittest.TestCase):
    def setUp(self):
        self.shop = Cluster(BUILD)
        self.addCleanup(self.shop.__exit__)
        self.shop.__enter__()
        self.shop.wait_ready()
        self.shop.wait_linked()

    def unavailable(self, answer):
        self.assertEqual((answer.status, answer.error()), (503, "unavailable"), answer)
        self.assertTrue(answer.headers["Retry-After"].isdigit(), answer.headers)

    def timed(self, node, method, target, body=None):
        begun = time.monotonic()
        answer = self.shop.ask(node, method, target, body, timeout=60)
        self.assertLess(time.monotonic() - begun, DEADLINE, target)
        return answer

    def check_without_ordering(self, node):
        """What `node` says while `ordering` does not."""
        for target in ("/api/v1/instances", "/api/v1/services", "/api/v1/dead-letters", "/api/v1/instances?kind=command"):
            page = self.timed(node, "GET", target)
            self.assertEqual(page.status, 200, page)
            missing = page.json["unreachable"]
            self.assertEqual([one["node"] for one in missing], ["ordering"], page)
            self.assertEqual(list(missing[0]), ["node", "reason"])
            self.assertTrue(missing[0]["reason"])
        one = "/api/v1/instances/fulfilment/before"
        for target in (one, one + "/history", one + "/result", one + "/result?wait=100ms"):
            self.unavailable(self.timed(node, "GET", target))
        for verb in ("cancel", "pause", "resume", "retry"):
            self.unavailable(self.timed(node, "POST", f"{one}/{verb}"))
        self.unavailable(self.timed(node, "POST", f"{one}/skip", {"note": "n"}))
        self.unavailable(self.timed(node, "GET", "/api/v1/dead-letters/unknown"))
        self.unavailable(self.timed(node, "GET", f"/api/v1/commands/{self.made_by_ordering}"))
        for target in ("/healthz", "/readyz", "/api/v1/node", "/api/v1/nodes", "/api/v1/message-types"):
            self.assertEqual(self.timed(node, "GET", target).status, 200)
        # An event without a key is taken in anywhere, and waits.
        self.assertEqual(self.timed(node, "POST", "/api/v1/publish/order_placed", order_of(f"while-{node}")).status, 202)

    def state_of(self, node, seen_from):
        nodes = self.shop.get(seen_from, "/api/v1/nodes").json["nodes"]
        return next(one for one in nodes if one["name"] == node)

    def prepare(self):
        self.assertEqual(self.shop.place("payment", "before").status, 202)
        self.assertEqual(self.shop.result("payment", "before").status, 200)
        self.made_by_ordering = self.shop.post(
            "ordering", "/api/v1/send/payment/make_payment", {"order_id": "b", "cents": 1, "method": "card"}
        ).json["message_id"]

    def check_all_is_well(self):
        self.shop.wait_ready()
        self.shop.wait_linked()
        for node in NODES:
            page = self.shop.get(node, "/api/v1/instances?limit=1000").json
            self.assertEqual(page["unreachable"], [])
            self.assertLessEqual(
                {"before", "while-payment", "while-warehouse"}, {one["key"] for one in page["instances"]}
            )
            for order in ("before", "while-payment", "while-warehouse"):
                end = self.shop.result(node, order, "60s")
                self.assertEqual((end.status, end.json["status"]), (200, "completed"), end)
            self.assertEqual(self.shop.get(node, "/api/v1/services").json["unreachable"], [])
            self.assertEqual(self.shop.get(node, f"/api/v1/commands/{self.made_by_ordering}?wait=20s").status, 200)
            self.assertEqual(self.shop.get(node, "/api/v1/dead-letters/unknown").status, 404)

    def test_a_node_that_is_killed(self):
        self.prepare()
        self.shop.kill("ordering")
        for node in ("payment", "warehouse"):
            self.assertTrue(
                eventually(lambda node=node: self.state_of("ordering", node)["state"] == "down", 20 * SLOW)
            )
            self.assertTrue(self.state_of("ordering", node)["last_error"])
            self.check_without_ordering(node)
        self.shop.start("ordering")
        self.check_all_is_well()
        self.assertEqual(self.state_of("ordering", "payment")["last_error"], "")

    def test_a_node_that_hangs(self):
        self.prepare()
        self.shop.signal("ordering", HANG)
        try:
            self.check_without_ordering("payment")  # at first it still counts as up
            self.assertTrue(
                eventually(lambda: self.state_of("ordering", "warehouse")["state"] == "down", 60 * SLOW)
            )
            self.check_without_ordering("warehouse")
        finally:
            self.shop.signal("ordering", GO_ON)
        self.check_all_is_well()

    def test_a_wait_that_a_kill_cuts_off(self):
        """Who waits is told, and does not wait for the limit of its patience."""
        self.shop.signal("payment", HANG)  # so that the order does not end
        try:
            self.assertEqual(self.shop.place("ordering", "cut").status, 202)
            self.made_by_ordering = None
            begun = time.monotonic()
            import threading

            said = []
            waiter = threading.Thread(
                target=lambda: said.append(self.shop.result("warehouse", "cut", "60s")), daemon=True
            )
            # `ask` gives up after 30 s: less than the wait
            waiter.start()
            time.sleep(0.5)
            self.shop.kill("ordering")
            waiter.join(25 * SLOW)
            self.assertEqual(len(said), 1, "no answer")
            self.unavailable(said[0])
            self.assertLess(time.monotonic() - begun, 20 * SLOW)
        finally:
            self.shop.signal("payment", GO_ON)
        self.shop.start("ordering")
        self.shop.wait_ready()
        end = self.shop.result("warehouse", "cut", "20s")
        self.assertEqual(end.status, 200, end)

    def test_waits_for_a_node_that_hangs_take_no_others_place(self):
        """100 calls wait for a node that hangs; calls that need it not are answered meanwhile."""
        import threading

        self.prepare()
        self.shop.signal("ordering", HANG)
        try:
            threads = [
                threading.Thread(
                    target=lambda: self.shop.get("payment", "/api/v1/instances/fulfilment/before/result?wait=5s"),
                    daemon=True,
                )
                for _ in range(100)
            ]
            for one in threads:
                one.start()
            for _ in range(20):
                begun = time.monotonic()
                self.assertEqual(self.shop.get("payment", "/healthz").status, 200)
                self.assertEqual(self.shop.get("payment", "/api/v1/node").status, 200)
                self.assertLess(time.monotonic() - begun, 2 * SLOW)
        finally:
            self.shop.signal("ordering", GO_ON)
        for one in threads:
            one.join(40 * SLOW)
            self.assertFalse(one.is_alive())
        self.shop.wait_linked()


class Tokens(unittest.TestCase):
    def cluster(self, token, mode=0o600):
        shop = Cluster(BUILD, extra='token-file="./token"')
        self.addCleanup(shop.__exit__)
        if token is not None:
            path = os.path.join(shop.folder, "token")
            with open(path, "w") as out:
                out.write(token)
            os.chmod(path, mode)
        return shop

    def test_with_a_token(self):
        shop = self.cluster(TOKEN + "\nwhat stands below is nothing\n")
        shop.token = TOKEN
        shop.__enter__()
        shop.wait_ready()
        shop.wait_linked()
        for node in NODES:
            right = {"Authorization": f"Bearer {TOKEN}"}
            self.assertEqual(shop.get(node, "/api/v1/nodes", headers=right).status, 200)
            for scheme in ("bearer", "BEARER"):
                said = shop.get(node, "/api/v1/nodes", headers={"Authorization": f"{scheme} {TOKEN}"})
                self.assertEqual(said.status, 200)
            self.assertEqual(shop.place(node, f"token-{node}").status, 202)
            self.assertEqual(shop.result("warehouse", f"token-{node}").status, 200)
            self.assertEqual(shop.get(node, "/api/v1/instances").json["unreachable"], [])
        shop.token = None
        wrong = [
            None, "", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}",
            f"Bearer x{TOKEN[1:]}", f"Bearer {TOKEN.upper()}", f"Bearer  {TOKEN}", f"Bearer {TOKEN} {TOKEN}",
            "Bearer " + "0" * 10_000, f"Bearer {TOKEN}\x00",
        ]  # fmt: skip
        targets = [
            ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/api/v1/nodes"), ("GET", "/api/v1/instances"),
            ("POST", "/api/v1/publish/order_placed"), ("POST", "/api/v1/instances/fulfilment/x/cancel"),
            ("GET", "/no/such/call"), ("GET", "/healthz/"), ("GET", "//healthz"), ("GET", "/healthz/../api/v1/nodes"),
            ("GET", "/%68ealthz/x"),
        ]  # fmt: skip
        for node in NODES:
            for given in wrong:
                headers = {} if given is None else {"Authorization": given}
                try:
                    said = shop.get(node, "/api/v1/nodes", headers=headers)
                except ValueError:
                    continue  # http.client does not send it
                self.assertIn(said.status, (400, 401), given)
                if said.status == 401:
                    self.assertEqual(said.error(), "unauthorized")
                    self.assertEqual(said.headers["WWW-Authenticate"], "Bearer")
            for method, target in targets:
                said = shop.ask(node, method, target)
                self.assertEqual((said.status, said.error()), (401, "unauthorized"), (method, target, said))
            self.assertEqual(shop.get(node, "/healthz").status, 200)
            self.assertNotIn(TOKEN, shop.log(node))
        # It is looked at before the body, and a trailer holds none.
        publish = "POST /api/v1/publish/order_placed HTTP/1.1\r\nHost: localhost\r\n"
        trailer = f"Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        for rest in ("Content-Length: 1000000\r\n\r\n", "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n", trailer):
            with socket.create_connection(("127.0.0.1", shop.http["payment"]), timeout=10) as wire:
                wire.sendall((publish + rest).encode())
                self.assertTrue(wire.recv(65536).startswith(b"HTTP/1.1 401 "), rest)
        # `continuo cluster status` reads the token by itself.
        self.assertEqual(shop.run("status", shop.file, check=False).returncode, 0)

    def refused(self, shop, *words):
        """A node of the cluster does not start, and says why with these words."""
        token = os.path.join(shop.folder, "token")
        kept = os.path.exists(token)
        if kept:
            self.assertEqual(shop.run("init", shop.file, check=False).returncode, 2)  # it would not do either
            os.rename(token, token + ".kept")
        shop.run("init", shop.file)
        if kept:
            os.replace(token + ".kept", token)
        else:
            os.remove(token)
        program = os.path.join(BUILD, "examples", "order_fulfilment", "order-node")
        ended = subprocess.run(
            [program, "--ledgers", os.path.join(shop.folder, "l"), "--config", shop.file, "--node", "payment"],
            capture_output=True,
            text=True,
            timeout=60 * SLOW,
        )
        self.assertEqual(ended.returncode, 2, ended.stderr)
        for word in words:
            self.assertIn(word, ended.stderr)

    def test_tokens_that_are_none(self):
        self.refused(self.cluster(None), "token is missing", "continuo cluster init")
        self.refused(self.cluster(""), "token")
        self.refused(self.cluster("\n" + TOKEN), "token")
        self.refused(self.cluster("short"), "token")
        self.refused(self.cluster("with a blank in it, but long enough"), "token")
        self.refused(self.cluster("ümläüte-sind-keine-guten-zeichen"), "token")

    def test_token_files_that_others_can_read(self):
        for mode in (0o644, 0o604, 0o606, 0o620):
            self.refused(self.cluster(TOKEN, mode), "token", "chmod")


if __name__ == "__main__":
    unittest.main(verbosity=2)
