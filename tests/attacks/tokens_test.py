"""Who may ask nodes over HTTP, seen from outside: strangers without the token, with another one, and those that answer in
the place of a node."""

import ctypes
import fcntl
import http.server
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "http"))

from cluster import NODES, SLOW, Cluster, build_of, eventually, order_of  # noqa: E402

BUILD = build_of(sys.argv)
CONTINUO = os.path.join(BUILD, "continuo")


def run(*words, folder, check=True):
    """`continuo` as its user runs it; nothing of our environment tells it whom to ask."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONTINUO_")}
    ended = subprocess.run(
        [CONTINUO, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120 * SLOW
    )
    if check and ended.returncode != 0:
        raise AssertionError(f"{words}: {ended.returncode}\n{ended.stdout}{ended.stderr}")
    return ended


def all_calls():
    """Method and path of every call of docs/openapi.yaml, with something in the place of its names."""
    with open(os.path.join(ROOT, "docs", "openapi.yaml")) as file:
        paths = json.loads("".join(line for line in file if not line.startswith("#")))["paths"]
    for path, methods in paths.items():
        for method in methods:
            if method in ("get", "post", "delete", "put"):
                yield method.upper(), re.sub(r"{\w+}", "x", path)


class Test(unittest.TestCase):
    def start(self, **options):
        shop = Cluster(BUILD, **options)
        self.addCleanup(shop.__exit__)
        shop.__enter__()
        shop.wait_ready()
        shop.wait_linked()
        return shop

    def other_cluster(self, shop, name, change=lambda text: text):
        """The files of another cluster beside that one, of its file with a change. Its folder is beside the first one's."""
        folder = os.path.join(shop.folder, name)
        os.mkdir(folder)
        with open(shop.file) as file, open(os.path.join(folder, "continuo.conf"), "w") as out:
            out.write(change(file.read()))
        run("cluster", "init", "continuo.conf", folder=folder)
        return folder


class Tokens(Test):
    def test_strangers(self):
        shop = self.start()
        path = os.path.join(shop.folder, "http-token")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertGreaterEqual(len(shop.token), 43)  # 32 bytes, in whatever letters
        with open(os.path.join(self.other_cluster(shop, "other"), "http-token")) as file:
            other = file.read().strip()
        self.assertNotEqual(other, shop.token)
        calls = list(all_calls())
        self.assertGreater(len(calls), 20)
        ours, shop.token = shop.token, None
        for node in NODES:
            for headers in ({}, {"Authorization": f"Bearer {other}"}):
                for method, target in calls:
                    said = shop.ask(node, method, target, headers=headers)
                    expected = 200 if target == "/healthz" else 401
                    self.assertEqual(said.status, expected, (node, method, target, said))
            self.assertEqual(shop.get(node, "/api/v1/nodes", headers={"Authorization": f"Bearer {ours}"}).status, 200)
            self.assertNotIn("asks for no token", shop.log(node))
        shop.token = ours

    def test_a_cluster_as_a_newcomer_has_it(self):
        """Nobody types a token, and the cluster is started, asked and backed up."""
        shop = self.start()
        order = json.dumps(order_of("o-1"))
        run("publish", "order_placed", order, "--config", "shop.conf", folder=shop.folder)
        os.rename(shop.file, os.path.join(shop.folder, "continuo.conf"))
        self.addCleanup(os.rename, os.path.join(shop.folder, "continuo.conf"), shop.file)
        run("wait", "fulfilment", "o-1", folder=shop.folder)
        run("cluster", "status", "continuo.conf", folder=shop.folder)
        run("journal", "backup", "data/ordering", "data/backups/ordering", folder=shop.folder)
        url = f"http://localhost:{shop.http['payment']}"
        run("nodes", "--node", url, folder=shop.folder)
        stranger = run("nodes", "--node", url, folder="/", check=False)
        self.assertEqual(stranger.returncode, 1)
        self.assertIn("--token-file", stranger.stderr)

    def test_nodes_without_a_token_say_so(self):
        shop = self.start(token=False)
        for node in NODES:
            self.assertEqual(shop.get(node, "/api/v1/nodes").status, 200)
            log = shop.log(node)
            self.assertEqual(log.count("asks for no token"), 1, log)
            self.assertIn("continuo cluster init", log)
        # As soon as there is one, it is asked for.
        shop.run("init", shop.file)
        shop.stop("payment")
        shop.start("payment")
        self.assertEqual(shop.get("payment", "/api/v1/nodes").status, 401)
        shop.with_token = True
        shop.find_token()
        self.assertEqual(shop.get("payment", "/api/v1/nodes").status, 200)

    def test_a_directory_that_names_a_stranger(self):
        """The token goes to no address that a file in somebody's data directory names."""
        shop = self.start()
        asked = []

        class Stranger(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                asked.append(dict(self.headers))
                self.send_response(401)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Stranger)
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.addCleanup(server.shutdown)
        forged = os.path.join(shop.folder, "forged")
        os.makedirs(os.path.join(forged, "journal"))
        with open(os.path.join(forged, "FORMAT"), "w") as file:
            file.write("continuo data directory, format 1\n")
        with open(os.path.join(forged, "LOCK"), "w") as lock:
            lock.write(f"{os.getpid()}\nhttp://127.0.0.1:{server.server_port}\n")
            lock.flush()
            fcntl.flock(lock, fcntl.LOCK_EX)
            for more in (["--config", "shop.conf"], []):
                ended = run("journal", "backup", forged, "backup", *more, folder=shop.folder, check=False)
                self.assertEqual(ended.returncode, 1, ended.stderr)
                self.assertIn("wants a token", ended.stderr)
            self.assertEqual(len(asked), 2)
            token = ["--token-file", "http-token"]
            ended = run("journal", "backup", forged, "backup", *token, folder=shop.folder, check=False)
            self.assertEqual(ended.returncode, 2, ended.stderr)
            self.assertIn("gets no token", ended.stderr)
            self.assertEqual(len(asked), 2)
            # Who says himself that it is the node has said it.
            url = ["--node", f"http://127.0.0.1:{server.server_port}"]
            run("journal", "backup", forged, "backup", *token, *url, folder=shop.folder, check=False)
        self.assertEqual([headers.get("Authorization") for headers in asked], [None, None, f"Bearer {shop.token}"])


def own_network():
    """A network of this process's own, with a second address (10.9.9.1) and a third (10.9.9.2) in the subnet of it. False:
    it may have none."""
    if ctypes.CDLL(None).unshare(0x40000000) != 0:  # CLONE_NEWNET
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for name, address in (("lo", "127.0.0.1"), ("lo:1", "10.9.9.1"), ("lo:2", "10.9.9.2")):
            asked = struct.pack("16sH2s4s8x", name.encode(), socket.AF_INET, b"", socket.inet_aton(address))
            fcntl.ioctl(one, 0x8916, asked)  # SIOCSIFADDR
            if name != "lo":
                mask = struct.pack("16sH2s4s8x", name.encode(), socket.AF_INET, b"", socket.inet_aton("255.255.255.0"))
                fcntl.ioctl(one, 0x891C, mask)  # SIOCSIFNETMASK
        fcntl.ioctl(one, 0x8914, struct.pack("16sH14x", b"lo", 0x1))  # SIOCSIFFLAGS, IFF_UP
    return True


def squat(port, manner, told, address="127.0.0.1"):
    """Listens in the place of a node, and answers what might be believed. `manner`: "stays"; "both", for IPv4 and IPv6;
    "beside", for IPv6 alone; "device", bound to one, for which the kernel names no socket; "leaves", as soon as somebody
    is there. Writes what it hears."""
    if manner == "device":
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        listening.bind((address, port))
        listening.listen()
    elif manner == "beside":
        listening = socket.create_server(("::", port), family=socket.AF_INET6)
    elif manner == "both":
        listening = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        listening = socket.create_server((address, port))
    told.write("listens\n")
    told.flush()
    body = b'{"nodes": [], "message_id": "1-1-0", "instances": [], "status": "completed"}'
    while True:
        one, _ = listening.accept()
        if manner == "leaves":
            listening.close()
        told.write(f"{one.recv(65536)!r}\n")
        told.flush()
        try:
            one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        except OSError:
            pass
        one.close()
        if manner == "leaves":
            return


class Squatters(Test):
    """Another user of this machine listens at the port of a node that is down."""

    NOBODY = 65534

    def squat(self, port, manner, address="127.0.0.1"):
        """What the other user hears, by a pipe, and how to end it."""
        heard, told = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(heard)
                os.setgroups([])
                os.setgid(self.NOBODY)
                os.setuid(self.NOBODY)
                with os.fdopen(told, "w") as out:
                    squat(port, manner, out, address)
            finally:
                os._exit(0)
        os.close(told)
        out = os.fdopen(heard)
        self.addCleanup(out.close)

        def end():
            nonlocal child
            if child:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                child = 0
            return "" if out.closed else out.read()

        self.addCleanup(end)
        self.assertEqual(out.readline(), "listens\n")
        return end

    @unittest.skipIf(os.geteuid() != 0, "only root can be another user")
    def test_the_token_stays_at_other_addresses_of_this_machine(self):
        """In a network of the test's own, which a child of it has."""
        heard, told = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(heard)
                said = "no network"
                if own_network():
                    said = self.ask_squatters_at_other_addresses()
                os.write(told, said.encode())
            except BaseException:  # of a failed assertion too: the parent has to hear of it
                os.write(told, traceback.format_exc().encode())
            finally:
                self.doCleanups()
                os._exit(0)
        os.close(told)
        with os.fdopen(heard) as out:
            said = out.read()
        os.waitpid(child, 0)
        if said == "no network":
            self.skipTest("no network of its own can be made here")
        self.assertEqual(said, "done")

    def ask_squatters_at_other_addresses(self):
        folder = tempfile.mkdtemp(prefix="continuo-squatters-")
        self.addCleanup(shutil.rmtree, folder)
        for address in ("127.0.0.1", "127.0.0.2", "10.9.9.1", "10.9.9.2"):
            with open(os.path.join(folder, "shop.conf"), "w") as file:
                file.write(f'[cluster]\nname="shop"\n[nodes.a]\naddress="127.0.0.1:7001"\nhttp="{address}:8001"\nhosts=[]\n')
            run("cluster", "init", "shop.conf", folder=folder)
            with open(os.path.join(folder, "http-token")) as file:
                token = file.read().strip()
            for manner in ("stays", "device"):
                end = self.squat(8001, manner, address)
                ended = run("nodes", "--config", "shop.conf", folder=folder, check=False)
                self.assertNotIn(token, end(), (address, manner))
                self.assertEqual(ended.returncode, 1, ended.stdout)
                self.assertRegex(ended.stderr, "is not asked: (user 65534|the kernel names nobody)", (address, manner))
        return "done"

    @unittest.skipIf(os.geteuid() != 0, "only root can be another user")
    def test_the_token_stays(self):
        shop = self.start()
        shop.stop("ordering")
        port = shop.http["ordering"]
        order = json.dumps(order_of("o-1"))
        asking = (["nodes"], ["publish", "order_placed", order], ["wait", "fulfilment", "o-1", "--timeout", "1s"])
        for manner in ("stays", "both", "leaves"):
            for words in asking:
                with self.subTest(manner=manner, words=words):
                    end = self.squat(port, manner)
                    ended = run(*words, "--config", "shop.conf", folder=shop.folder, check=False)
                    self.assertNotIn(shop.token, end())
                    self.assertIn(ended.returncode, (1, 125), ended.stdout)
                    self.assertRegex(ended.stderr, r"is not asked: .*65534.* answers there, who may not read the token in ")
        end = self.squat(port, "stays")
        ended = run("cluster", "status", "shop.conf", folder=shop.folder, check=False)
        self.assertEqual(ended.returncode, 1, ended.stdout)
        self.assertRegex(ended.stdout, r"ordering +unknown .*65534")
        self.assertNotIn(shop.token, end())

        # Nobody is kept from a node by who listens beside it.
        end = self.squat(shop.http["payment"], "beside")
        for node in NODES:
            if node != "ordering":
                run("nodes", "--node", f"http://127.0.0.1:{shop.http[node]}", "--config", "shop.conf", folder=shop.folder)
        self.assertEqual(end(), "")

        # Who may read the token may have it: by its group, and by the word of who asks.
        token = os.path.join(shop.folder, "http-token")
        end = self.squat(port, "stays")
        run("nodes", "--config", "shop.conf", "--token-file", "http-token", folder=shop.folder)
        run("cluster", "status", "shop.conf", "--token-file", "http-token", folder=shop.folder, check=False)
        os.chmod(token, 0o640)
        os.chown(token, 0, self.NOBODY)
        run("nodes", "--config", "shop.conf", folder=shop.folder)
        self.assertEqual(end().count(shop.token), 3)


class Tls(Test):
    def setUp(self):
        self.shop = self.start(extra='http-tls="on"')

    def handshake(self, node, name, **options):
        """The certificate that the node shows to who wants that name."""
        known = ssl.create_default_context(**options)
        with socket.create_connection(("127.0.0.1", self.shop.http[node]), timeout=10 * SLOW) as plain:
            with known.wrap_socket(plain, server_hostname=name) as wire:
                return wire.getpeercert(binary_form=True)

    def refused(self, folder, *words):
        ended = run("nodes", folder=folder, check=False)
        self.assertEqual(ended.returncode, 1, ended.stdout)
        for word in ("is not asked: its certificate is not one of ordering from ", "ca.pem: ", *words):
            self.assertIn(word, ended.stderr)

    def test_clients(self):
        shop = self.shop
        config = ["--config", "shop.conf"]
        run("publish", "order_placed", json.dumps(order_of("o-1")), *config, folder=shop.folder)
        run("wait", "fulfilment", "o-1", *config, folder=shop.folder)
        run("cluster", "status", "shop.conf", folder=shop.folder)
        run("journal", "backup", "data/ordering", "data/backups/ordering", *config, folder=shop.folder)
        for node in NODES:
            run("services", "--node", f"https://127.0.0.1:{shop.http[node]}", *config, folder=shop.folder)
            self.assertEqual(shop.get(node, "/api/v1/instances").json["unreachable"], [])
        # Many calls over one connection, and a body of some size.
        connection = shop.connect("payment")
        for number in range(20):
            body = json.dumps({**order_of(f"kept-{number}"), "item": "k" * 100_000})
            connection.request("POST", "/api/v1/publish/order_placed", body, shop.authorization())
            answer = connection.getresponse()
            self.assertEqual((answer.status, len(answer.read()) > 0), (202, True))
        connection.close()
        token, shop.token = shop.token, None
        self.assertEqual(shop.get("payment", "/api/v1/nodes").status, 401)
        self.assertEqual(shop.get("payment", "/healthz").status, 200)
        shop.token = token

    def test_plain_text(self):
        for said in (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\0" * 100):
            with socket.create_connection(("127.0.0.1", self.shop.http["payment"]), timeout=10 * SLOW) as wire:
                wire.sendall(said)
                try:
                    heard = wire.recv(4096)
                except ConnectionResetError:
                    heard = b""
                self.assertNotIn(b"HTTP/1.1 200", heard)
        ended = run("nodes", "--node", f"http://127.0.0.1:{self.shop.http['payment']}", folder="/", check=False)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("has closed the connection without an answer", ended.stderr)
        self.assertEqual(self.shop.get("payment", "/healthz").status, 200)

    def test_names_and_authorities(self):
        authority = os.path.join(self.shop.folder, "certificates", "ca.pem")
        self.handshake("payment", "payment", cafile=authority)
        with self.assertRaisesRegex(ssl.SSLError, "ostname mismatch"):
            self.handshake("payment", "ordering", cafile=authority)
        with self.assertRaisesRegex(ssl.SSLError, "certificate verify failed"):
            self.handshake("payment", "payment")

        # The tool asks nobody who shows a certificate of another authority, or of another node.
        self.refused(self.other_cluster(self.shop, "other"))
        ports = self.shop.http

        def swapped(text):
            text = text.replace(f":{ports['ordering']}", ":first").replace(f":{ports['payment']}", f":{ports['ordering']}")
            text = text.replace(":first", f":{ports['payment']}")
            return text.replace("[cluster]", '[cluster]\ncertificates="../certificates"\ntoken-file="../http-token"')

        self.refused(self.other_cluster(self.shop, "swapped", swapped), "ostname mismatch")

    def test_a_certificate_that_is_renewed(self):
        folder = os.path.join(self.shop.folder, "certificates")
        authority = os.path.join(folder, "ca.pem")
        first = self.handshake("payment", "payment", cafile=authority)
        kept = self.shop.connect("payment")
        for name in ("payment.key", "payment.pem"):
            os.remove(os.path.join(folder, name))
        self.assertEqual(self.handshake("payment", "payment", cafile=authority), first)  # what cannot be read stays
        self.shop.run("init", self.shop.file)
        renewed = eventually(lambda: self.handshake("payment", "payment", cafile=authority) != first)
        self.assertTrue(renewed, "the old certificate is still shown")
        kept.request("GET", "/api/v1/nodes", headers=self.shop.authorization())
        self.assertEqual(kept.getresponse().status, 200)
        kept.close()


class Listeners(Test):
    def test_an_address_of_its_own_to_listen_at(self):
        """Peers and clients come to 127.0.0.1, and the nodes listen at every address."""
        shop = self.start(
            more=lambda node, peers, http: [f'listen="0.0.0.0:{peers}"', f'http-listen="0.0.0.0:{http}"']
        )
        self.assertEqual(shop.place("payment", "o-1").status, 202)
        self.assertEqual(shop.result("payment", "o-1").status, 200)
        for node in NODES:
            with socket.create_connection(("127.0.0.2", shop.http[node]), timeout=10 * SLOW) as wire:
                wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertTrue(wire.recv(4096).startswith(b"HTTP/1.1 200"))
            self.assertIn("is plain text", shop.log(node))
        seen = shop.get("ordering", "/api/v1/nodes").json["nodes"]
        self.assertTrue(all(one["http"].startswith("127.0.0.1:") for one in seen), seen)

    def test_a_port_that_is_forwarded(self):
        """The address that peers and clients use is not the node's: somebody forwards what comes there."""
        held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        ports = [one.getsockname()[1] for one in held]
        for one in held:
            one.close()

        def moved(node, peers, http):
            return [f'listen="127.0.0.1:{ports[0]}"', f'http-listen="127.0.0.1:{ports[1]}"'] if node == "payment" else []

        shop = Cluster(BUILD, more=moved)
        self.addCleanup(shop.__exit__)
        with open(shop.file) as file:
            peers = int(re.search(r'\[nodes\.payment\]\naddress="127\.0\.0\.1:(\d+)"', file.read())[1])
        for seen, meant in ((peers, ports[0]), (shop.http["payment"], ports[1])):
            self.forward(seen, meant)
        shop.__enter__()
        shop.wait_ready()
        shop.wait_linked()
        self.assertEqual(shop.place("ordering", "o-1").status, 202)
        self.assertEqual(shop.result("payment", "o-1").json["status"], "completed")

    def forward(self, seen, meant):
        listening = socket.create_server(("127.0.0.1", seen))
        self.addCleanup(listening.close)

        def pass_on(source, to):
            try:
                while data := source.recv(65536):
                    to.sendall(data)
            except OSError:
                pass
            for one in (source, to):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

        def carry(one, other):
            with one, other:
                back = threading.Thread(target=pass_on, args=(other, one), daemon=True)
                back.start()
                pass_on(one, other)
                back.join()

        def serve():
            while True:
                try:
                    one, _ = listening.accept()
                except OSError:
                    return
                try:
                    other = socket.create_connection(("127.0.0.1", meant))
                except OSError:
                    one.close()
                    continue
                threading.Thread(target=carry, args=(one, other), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()

    def test_no_token_no_open_address(self):
        shop = Cluster(BUILD, token=False, more=lambda node, peers, http: [f'http-listen="0.0.0.0:{http}"'])
        self.addCleanup(shop.__exit__)
        shop.run("init", shop.file)
        shop.find_token()
        ended = run("cluster", "run", "shop.conf", "payment", folder=shop.folder, check=False)
        self.assertEqual(ended.returncode, 2, ended.stderr)
        self.assertIn("0.0.0.0 can be reached by others", ended.stderr)
        self.assertIn("continuo cluster init", ended.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
