"""One node of the order example as a child of the test, what the kernel can do to it, and the judge of it all.

The node hosts everything; its journal can stand on a file system of the test's own. Its ledgers, which are the outside
world, and the test's own list of what was accepted never stand there: they outlive what the node must outlive.

Nothing is left behind, however a test ends. The node dies with the test (a parent-death signal). File systems are
mounted in a mount namespace that only the test and its children are in, so that mount and loop device go with the last
of them. The folder is removed when a pipe that only the test holds is closed.
"""

import atexit
import collections
import ctypes
import fcntl
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "http"))

from cluster import SLOW, Answer, build_of, eventually, free_ports, order_of  # noqa: E402

LONG = os.environ.get("CONTINUO_LONG") == "1" or "--long" in sys.argv
if "--long" in sys.argv:
    sys.argv.remove("--long")
BUILD = build_of(sys.argv)

NODE = "shop"
SKIPPED = 77  # SKIP_RETURN_CODE in CMakeLists.txt
DISK_FAILED = 4  # the exit codes of a node, see docs/operations.md
MIB = 1 << 20


# -- what the machine must allow -------------------------------------------------------------------------------------


def cannot_trace():
    """Why system calls cannot be tampered with here, or None."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "-e", "inject=getppid:retval=1", "true"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return f"strace may not trace here: {tried.stderr.strip()}" if tried.returncode != 0 else None


def cannot_mount():
    """Why no file system of our own can be mounted here, or None. Enters a mount namespace of our own."""
    global cannot_mount_because
    if cannot_mount_because is None:
        cannot_mount_because = try_to_mount()
    return cannot_mount_because or None


cannot_mount_because = None


def try_to_mount():
    for program in ("mkfs.ext4", "mount", "umount"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if os.geteuid() != 0:
        return "mounting a file system needs root"
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newns, ms_rec, ms_private = 0x20000, 0x4000, 0x40000
    # Before any thread is there: it is this thread, and those made later, that move.
    if libc.unshare(clone_newns) != 0 or libc.mount(None, b"/", None, ms_rec | ms_private, None) != 0:
        return f"no mount namespace of our own: {os.strerror(ctypes.get_errno())}"
    with tempfile.TemporaryDirectory(prefix="continuo-faults-") as folder:
        try:
            with Disk(folder, 8 * MIB):
                pass
        except subprocess.CalledProcessError as failed:
            return f"no loop device with ext4: {' '.join(failed.cmd)}: {failed.stderr.strip()}"
    return ""


def interrupt(*_):
    """As Ctrl-C, the only one that unittest lets through; once, since what follows is the tidying up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    """Runs the tests of a program. Its exit code says so where one was skipped: that is not the same as passed."""
    signal.signal(signal.SIGTERM, interrupt)
    ran = unittest.main(verbosity=2, exit=False).result
    for why in dict.fromkeys(why for _, why in ran.skipped):
        print(f"skipped: {why}", flush=True)
    sys.exit(SKIPPED if ran.wasSuccessful() and ran.skipped else not ran.wasSuccessful())


# -- file systems ----------------------------------------------------------------------------------------------------


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60 * SLOW)


class Disk:
    """A small ext4 file system in a file, whose power can be cut."""

    def __init__(self, folder, size, options=""):
        self.image = os.path.join(folder, "image")
        self.path = os.path.join(folder, "disk")
        self.options = "loop" + (options and "," + options)
        self.mounted = False
        os.makedirs(self.path)
        with open(self.image, "wb") as file:
            file.truncate(size)
        run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)

    def __enter__(self):
        run("mount", "-o", self.options, self.image, self.path)
        self.mounted = True
        return self

    def __exit__(self, *_):
        if self.mounted:
            self.mounted = False
            run("umount", self.path)  # the loop device goes with it

    def cut_power(self):
        """Nothing more reaches the file system, not even what it has in memory; everything that asks it fails."""
        ext4_ioc_shutdown, no_log_flush = 0x8004587D, 2
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, ext4_ioc_shutdown, no_log_flush.to_bytes(4, sys.byteorder))
        finally:
            os.close(folder)

    def come_back(self):
        """The power is there again. Nobody may have a file open; the file system's journal is replayed."""
        self.__exit__()
        self.__enter__()

    def fill(self, leaving=0):
        """Takes all room but so many bytes."""
        with open(os.path.join(self.path, "filler"), "ab", buffering=0) as filler:
            for block in (MIB, 4096, 512):
                try:
                    while self.free() > leaving + block:
                        filler.write(bytes(block))
                except OSError:
                    pass

    def free(self):
        space = os.statvfs(self.path)
        return space.f_bavail * space.f_frsize

    def make_room(self):
        os.unlink(os.path.join(self.path, "filler"))


# -- system calls ----------------------------------------------------------------------------------------------------


class Tracer:
    """strace, holding one thread of a process, or with `-f` among the options all of them."""

    def __init__(self, thread, folder, *options):
        self.file = os.path.join(folder, "calls")
        if os.path.exists(self.file):
            os.unlink(self.file)
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "strace", "-o", self.file, *options, "-p", str(thread)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        said = self.process.stderr.readline()
        if "attached" not in said:
            self.end()
            raise RuntimeError(f"strace: {said}")

    def end(self):
        """Lets go. The calls that it saw, see `calls_in`."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=30 * SLOW)
        return calls_in(self.file)


def calls_in(file):
    """What strace wrote: (thread, or 0 where there is one only; name of the call; the rest of the line)."""
    line = re.compile(r"^(?:(\d+) +)?(\w+)\((.*)")
    with open(file, errors="replace") as text:
        found = [line.match(one) for one in text]
    return [(int(one[1] or 0), one[2], one[3]) for one in found if one]


# -- the node --------------------------------------------------------------------------------------------------------


def revision_of(message_id):
    """Store and number of the transition that made a message."""
    store, revision, _ = message_id.split("-")
    return store, int(revision)


class Shop:
    """The node, life after life, what its client was told, and the judge.

    `disk` is where its data stands, by default in the folder of the test. `limits` are lines for the [node] section.
    """

    def __init__(self, limits=""):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="continuo-faults-"))
        atexit.register(self.close)
        # In case this process is killed: see above.
        self.last_resort = subprocess.Popen(
            ["sh", "-c", f"cat >/dev/null; sleep 1; umount '{self.folder}/disk'; rm -rf '{self.folder}'"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.limits = limits
        self.disk = None
        self.process = None
        self.starts = 0
        self.numbers = itertools.count(1)
        self.ports = free_ports(2)
        self.accepted = {}  # by order: what the 202 said
        self.asked = set()
        self.wrong = []  # answers that contradict each other
        self.lock = threading.Lock()
        self.data = os.path.join(self.folder, "data")
        self.write_file()

    def write_file(self):
        lines = [
            "[cluster]",
            'name="shop"',
            'tls="off"',
            f'data="{self.data}"',
            "[node]",
            self.limits,
            f"[nodes.{NODE}]",
            f'address="127.0.0.1:{self.ports[0]}"',
            f'http="127.0.0.1:{self.ports[1]}"',
            'hosts=["fulfilment", "payment", "warehouse"]',
        ]
        self.file = os.path.join(self.folder, "shop.conf")
        with open(self.file, "w") as out:
            out.write("\n".join(lines) + "\n")

    def put_on_disk(self, size, options=""):
        """From now on the data stands on a file system of its own."""
        self.disk = Disk(self.folder, size, options).__enter__()
        self.data = os.path.join(self.disk.path, "data")
        self.write_file()

    def close(self):
        atexit.unregister(self.close)
        self.kill()
        if self.disk is not None:
            self.disk.__exit__()
        self.last_resort.stdin.close()
        if os.environ.get("CONTINUO_KEEP"):
            self.last_resort.kill()
            print(f"kept: {self.folder}", flush=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.last_resort.wait()

    # -- processes -------------------------------------------------------------------------------
    def launch(self, *tracing, arguments=()):
        """A new life, below strace where its options are given; does not wait until it is ready."""
        program = os.path.join(BUILD, "examples", "order_fulfilment", "order-node")
        # -D: the node stays a child of ours, whose end we see.
        strace = ["strace", "-D", "-f", "-o", os.path.join(self.folder, "calls"), *tracing] if tracing else []
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *strace, program, "--config", self.file, "--node", NODE]
                + ["--ledgers", os.path.join(self.folder, "ledgers"), *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.starts += 1

    def start(self, *tracing, arguments=()):
        self.launch(*tracing, arguments=arguments)
        if not self.wait_ready():
            raise RuntimeError(f"the node is not ready: exit code {self.process.poll()}\n{self.log()}")

    def wait_ready(self):
        """Whether it became ready; false where it ended first."""
        eventually(lambda: self.is_ready() or self.process.poll() is not None, 60 * SLOW, every=0.01)
        return self.process.poll() is None and self.is_ready()

    def is_ready(self):
        try:
            return self.ask("GET", "/readyz", timeout=5).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        return self.wait()

    def stop(self):
        self.process.terminate()
        return self.wait()

    def wait(self, seconds=60):
        """How it ended: an exit code, or the signal below 0. None if it never ran."""
        return self.process and self.process.wait(seconds * SLOW)

    def log(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as log:
            return log.read()

    def threads(self):
        """The threads of the process: number and name."""
        found = {}
        for number in os.listdir(f"/proc/{self.process.pid}/task"):
            try:
                with open(f"/proc/{self.process.pid}/task/{number}/comm") as name:
                    found[int(number)] = name.read().strip()
            except OSError:
                pass  # it has ended
        return found

    def journal_thread(self):
        """The thread of the journal actor, which writes to the disk."""
        found = [number for number, name in self.threads().items() if name == "journal"]
        if len(found) != 1:
            raise RuntimeError(f"which thread is the journal's? {self.threads()}")
        return found[0]

    # -- its client ------------------------------------------------------------------------------
    def ask(self, method, target, body=None, headers=None, timeout=30, connection=None):
        asked = connection or http.client.HTTPConnection("127.0.0.1", self.ports[1], timeout=timeout * SLOW)
        try:
            asked.request(method, target, body, headers or {})
            answer = asked.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode("utf-8", "replace"))
        finally:
            if connection is None:
                asked.close()

    def next_order(self):
        return f"order-{next(self.numbers):04}"

    def place(self, order, method="card", connection=None):
        """Asks under the order's own idempotency key, and keeps what a 202 says. None: there was no answer."""
        body = order_of(order)
        body["method"] = method
        with self.lock:
            self.asked.add(order)
        try:
            said = self.ask(
                "POST",
                "/api/v1/publish/order_placed",
                json.dumps(body),
                {"Idempotency-Key": order},
                connection=connection,
            )
        except (OSError, http.client.HTTPException):
            return None
        if said.status == 202:
            with self.lock:
                first = self.accepted.setdefault(order, said.json)
            if said.json != first:
                self.wrong.append(f"{order} was accepted as {first}, and then as {said.json}")
        return said

    def result(self, order, wait=None, connection=None):
        """What became of an order; None: there was no answer."""
        waiting = f"?wait={wait}" if wait else ""
        try:
            return self.ask("GET", f"/api/v1/instances/fulfilment/{order}/result{waiting}", connection=connection)
        except (OSError, http.client.HTTPException):
            return None

    def ledger(self):
        """What happened outside."""
        found = []
        for name in ("payment", "warehouse"):
            path = os.path.join(self.folder, "ledgers", name + ".jsonl")
            if os.path.exists(path):
                with open(path) as book:
                    found += [json.loads(line) for line in book.read().split("\n")[:-1]]
        return found

    # -- the judge -------------------------------------------------------------------------------
    # Each judgement is a list of sentences, one for each thing that is wrong.

    def judge_disk(self):
        """Of a node that has ended: whether its journal is whole, and holds the cause of all that left it."""
        verified = subprocess.run(
            [os.path.join(BUILD, "continuo"), "journal", "verify", "--json", os.path.join(self.data, NODE)],
            capture_output=True,
            text=True,
            timeout=120 * SLOW,
        )
        if verified.returncode != 0:
            return [f"journal verify ends with {verified.returncode}: {verified.stderr.strip()}"]
        seen = json.loads(verified.stdout)
        causes = [(f"the 202 of {order}", answer["message_id"]) for order, answer in self.accepted.items()]
        causes += [(f"a {line['kind']} of {line['order']}", line["idempotency_key"]) for line in self.ledger()]
        wrong = []
        for what, cause in causes:
            store, revision = revision_of(cause)
            if store != seen["store"] or revision > seen["revision"]:
                wrong.append(f"{what} left the node, its cause {cause} is not on the disk (at {seen['revision']})")
        return wrong

    def judge_orders(self, orders=None, patience=10):
        """Of a node that runs: whether every accepted order is there, and completes. Gives those up of which none has
        ended for so many seconds.
        """
        wrong = list(self.wrong)
        waiting = sorted(self.accepted if orders is None else orders)
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[1], timeout=30 * SLOW)
        changed = time.monotonic()
        while waiting:
            left = []
            for order in waiting:
                said = self.result(order, connection=connection)
                if said is None or said.status != 200:
                    left.append((order, said))
                elif said.json["status"] != "completed":
                    wrong.append(f"{order} was accepted and ended otherwise: {said}")
            if len(left) < len(waiting):
                changed = time.monotonic()
            elif time.monotonic() - changed > patience * SLOW or self.process.poll() is not None:
                wrong += [f"{order} was accepted and is lost: {said}" for order, said in left]
                break
            waiting = [order for order, _ in left]
            time.sleep(0.01 if waiting else 0)
        connection.close()
        return wrong

    def judge_ledgers(self):
        """When all accepted orders are completed: whether each was charged and labelled once, each key used once."""
        lines = self.ledger()
        keys = collections.Counter(line["idempotency_key"] for line in lines)
        wrong = [f"{key} is in the ledgers {count} times" for key, count in keys.items() if count != 1]
        done = collections.Counter((line["kind"], line["order"]) for line in lines)
        for order in sorted(self.accepted):
            for kind in ("charge", "label"):
                if done[kind, order] != 1:
                    wrong.append(f"{order} has {done[kind, order]} lines of kind {kind}")
        for kind, order in done:
            if kind not in ("charge", "label") or order not in self.asked:
                wrong.append(f"a {kind} of {order}, which nobody asked for")
        return wrong

    def judge_stopped(self):
        """Stops the node and looks at everything once more."""
        code = self.stop()
        wrong = [] if code == 0 else [f"it was to stop, and ended with {code}: {self.log()}"]
        return wrong + self.judge_disk() + self.judge_ledgers() + self.judge_dump()

    def judge_dump(self):
        """Of a node that has stopped: what the journal says of each accepted order."""
        dumped = subprocess.run(
            [os.path.join(BUILD, "continuo"), "journal", "dump", os.path.join(self.data, NODE), "--type", "fulfilment"],
            capture_output=True,
            text=True,
            timeout=120 * SLOW,
        )
        status = {}
        for line in dumped.stdout.splitlines():
            record = json.loads(line)
            status[record["key"]] = record["status"]
        wrong = [f"journal dump ends with {dumped.returncode}: {dumped.stderr}"] if dumped.returncode != 0 else []
        return wrong + [
            f"{order} is {status.get(order, 'not there')} in the journal"
            for order in sorted(self.accepted)
            if status.get(order) != "completed"
        ]


class TracedShop(unittest.TestCase):
    """What all tests have in common whose node has its system calls tampered with."""

    maxDiff = None

    def setUp(self):
        why = cannot_trace()
        if why:
            self.skipTest(why)
        self.shop = Shop()
        self.addCleanup(self.shop.close)

    def complete_one(self):
        """A whole order without any fault: the node works."""
        order = self.shop.next_order()
        self.assertEqual(self.shop.place(order).status, 202)
        self.assertEqual(self.shop.judge_orders([order]), [])
