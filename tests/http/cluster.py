"""A cluster of the order example's nodes as processes, and a client that speaks HTTP to them, for black-box tests.

Everything is in a temporary folder and gone at the end; only processes that the cluster started are ended.
"""

import atexit
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

NODES = ("ordering", "payment", "warehouse")
HOSTS = {"ordering": ["fulfilment"], "payment": ["payment"], "warehouse": ["warehouse"]}

# What tests/programs/parcel_node hosts: a saga, a service, and a keyed service whose keys are on two nodes.
PARCEL_HOSTS = {"ordering": ["delivery"], "payment": ["carrier", "depot"], "warehouse": ["customs", "depot"]}

# Under sanitizers everything takes longer: the factor for all time limits of tests.
SLOW = float(os.environ.get("CONTINUO_TEST_SLOW", "1"))


def build_of(words):
    """The build folder: the first argument of a test, which unittest must not see."""
    given = words.pop(1) if len(words) > 1 and os.path.isdir(words[1]) else os.path.join("build", "release")
    return os.path.abspath(given)


def free_ports(count):
    """Ports that the kernel says are free. They are given back before they are used: a test that loses one fails."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def kills_at_the_end(continuo, folder):
    """Kills the nodes of the cluster files in a folder once the pipe to it is closed, also where this process is killed:
    nodes outlive whoever started them."""
    kill = f"for node in {' '.join(NODES)}; do '{continuo}' cluster kill \"$file\" $node; done"
    return subprocess.Popen(
        ["sh", "-c", f"cat >/dev/null; find '{folder}' -name '*.conf' | while read -r file; do {kill}; done"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def error(self):
        """The code of the error, or None."""
        try:
            return self.json["error"]["code"]
        except (ValueError, KeyError, TypeError):
            return None

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def memory_of(pid):
    """Resident bytes of a process."""
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS")


def files_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Cluster:
    """Three nodes; `arguments` are for the node program, `extra` are lines for the [cluster] section.

    With `parcels` the nodes run tests/programs/parcel_node instead of the order example. They ask for the token that
    `init` makes, which goes with each call here; without `token` it is taken away again, and they ask for none. `more` gives
    lines for the section of a node, of its name, the port of its peers and that of HTTP.
    """

    def __init__(self, build, arguments=(), extra="", parcels=False, token=True, more=lambda node, peers, http: []):
        self.continuo = os.path.join(build, "continuo")
        self.folder = tempfile.mkdtemp(prefix="continuo-http-")
        self.file = os.path.join(self.folder, "shop.conf")
        self.token = None
        self.with_token = token
        self.with_tls = 'http-tls="on"' in extra
        atexit.register(self.__exit__)  # where a test is interrupted
        self.last_resort = kills_at_the_end(self.continuo, self.folder)
        ports = free_ports(6)
        self.http = dict(zip(NODES, ports[3:]))
        program = os.path.join(build, "examples", "order_fulfilment", "order-node")
        arguments = ["--ledgers", "ledgers", *arguments]
        hosts = HOSTS
        if parcels:
            program = os.path.join(build, "tests", "programs", "parcel_node")
            arguments = []
            hosts = PARCEL_HOSTS
        lines = [
            "[cluster]",
            'name="shop"',
            f'program="{program}"',
            "arguments=" + json.dumps(arguments),
            extra,
        ]
        for name, port in zip(NODES, ports):
            lines += [
                f"[nodes.{name}]",
                f'address="127.0.0.1:{port}"',
                f'http="127.0.0.1:{self.http[name]}"',
                "hosts=" + json.dumps(hosts[name]),
                *more(name, port, self.http[name]),
            ]
        with open(self.file, "w") as out:
            out.write("\n".join(lines) + "\n")

    # -- processes ---------------------------------------------------------------------------
    def run(self, *words, check=True):
        ended = subprocess.run(
            [self.continuo, "cluster", *words], capture_output=True, text=True, timeout=120, cwd=self.folder
        )
        if check and ended.returncode != 0:
            raise RuntimeError(f"{words}: {ended.returncode}\n{ended.stdout}{ended.stderr}{self.logs()}")
        return ended

    def __enter__(self):
        try:
            self.run("init", self.file)
            self.find_token()
            self.run("up", "--detach", self.file)
        except BaseException:
            self.__exit__()
            raise
        return self

    def find_token(self):
        """After `init`."""
        path = os.path.join(self.folder, "http-token")
        if not os.path.exists(path):
            return  # the file names another one, which the test knows
        if self.with_token:
            with open(path) as file:
                self.token = file.readline().strip()
        else:
            os.remove(path)

    def __exit__(self, *_):
        if not os.path.isdir(self.folder):
            return
        orphans = self.orphans()
        self.run("down", self.file, check=False)
        self.last_resort.stdin.close()
        self.last_resort.wait()
        if not os.environ.get("CONTINUO_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
        if orphans:
            raise AssertionError(f"instances without a cause: {orphans}")

    def orphans(self):
        """What the nodes that answer count as orphaned, where that is not 0."""
        found = {}
        for node in NODES:
            try:
                text = self.get(node, "/metrics", timeout=10).body
            except OSError:
                continue
            for line in text.splitlines():
                if line.startswith("continuo_orphaned_instances") and float(line.split()[-1]) != 0:
                    found[node] = line
        return found

    def kill(self, node):
        self.run("kill", self.file, node)

    def start(self, node):
        self.run("start", self.file, node)

    def stop(self, node):
        self.run("stop", self.file, node)

    def pid(self, node):
        with open(os.path.join(self.folder, "data", node + ".pid")) as mark:
            return int(mark.read().split()[0])

    def signal(self, node, which):
        os.kill(self.pid(node), which)

    def log(self, node):
        """All that the node has written."""
        with open(os.path.join(self.folder, "data", node + ".log"), errors="replace") as log:
            return log.read()

    def ledger(self, name):
        """The entries of a provider's book: `payment` or what the warehouse keeps."""
        path = os.path.join(self.folder, "ledgers", name + ".jsonl")
        if not os.path.exists(path):
            return []
        with open(path) as book:
            return [json.loads(line) for line in book.read().split("\n") if line]

    def wait_ready(self, nodes=NODES, seconds=60):
        """Until the nodes take messages; raises where one does not."""
        for node in nodes:
            if not eventually(lambda: self.is_ready(node), seconds * SLOW):
                raise RuntimeError(f"{node} is not ready\n{self.logs()}")

    def is_ready(self, node):
        try:
            return self.get(node, "/readyz", timeout=5).status == 200
        except OSError:
            return False

    def wait_linked(self, seconds=60):
        """Until all nodes see all others as up."""
        for node in NODES:
            if not eventually(lambda: self.sees_all(node), seconds * SLOW):
                raise RuntimeError(f"{node} does not see all others\n{self.logs()}")

    def sees_all(self, node):
        try:
            seen = self.get(node, "/api/v1/nodes", timeout=5)
        except OSError:
            return False
        return seen.status == 200 and all(one["state"] == "up" for one in seen.json["nodes"])

    def logs(self):
        text = ""
        for node in NODES:
            path = os.path.join(self.folder, "data", node + ".log")
            if os.path.exists(path):
                with open(path, errors="replace") as log:
                    text += f"--- {node}\n" + "".join(log.readlines()[-15:])
        return text

    # -- HTTP ------------------------------------------------------------------------------------
    def authorization(self):
        """The headers that a call needs."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def connect(self, node, timeout=30):
        """A connection to the node, whose certificate is looked at where it speaks TLS."""
        made = http.client.HTTPConnection("127.0.0.1", self.http[node], timeout=timeout)
        if self.with_tls:
            known = ssl.create_default_context(cafile=os.path.join(self.folder, "certificates", "ca.pem"))
            made.connect()
            made.sock = known.wrap_socket(made.sock, server_hostname=node)
        return made

    def ask(self, node, method, target, body=None, headers=None, timeout=30):
        connection = self.connect(node, timeout)
        sent = {**self.authorization(), **(headers or {})}
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        try:
            connection.request(method, target, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode("utf-8", "replace"))
        finally:
            connection.close()

    def get(self, node, target, **more):
        return self.ask(node, "GET", target, **more)

    def post(self, node, target, body=None, **more):
        return self.ask(node, "POST", target, body, **more)

    def place(self, node, order, cents=4200, key=None):
        headers = {"Idempotency-Key": key} if key else None
        return self.post(
            node, "/api/v1/publish/order_placed", order_of(order, cents), headers=headers
        )

    def result(self, node, order, wait="20s"):
        return self.get(node, f"/api/v1/instances/fulfilment/{order}/result?wait={wait}")


def order_of(order, cents=4200):
    return {
        "order_id": order,
        "cents": cents,
        "item": "kettle",
        "quantity": 1,
        "method": "card",
        "pay_within": "30min",
    }


def eventually(what, seconds=20.0, every=0.05):
    """Asks again until `what` gives something true, or the time is over; the last answer."""
    deadline = time.monotonic() + seconds
    while True:
        seen = what()
        if seen or time.monotonic() > deadline:
            return seen
        time.sleep(every)


HANG = signal.SIGSTOP
GO_ON = signal.SIGCONT
