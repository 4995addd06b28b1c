#!/usr/bin/env python3
"""Neighbours on the machine of a cluster: what they plant or forge where its files are has no power, and what nodes and
tools make is nobody else's to write, whatever the umask was.

usage: files_test.py [BUILD] [unittest's arguments]
"""

import fcntl
import http.server
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
import unittest

from hostile import NOBODY, PATIENCE, SLOW, Place, build_of, run

from cluster import NODES, Cluster, eventually, free_ports

BUILD = build_of(sys.argv)
CONTINUO = os.path.join(BUILD, "continuo")
ORDER_NODE = os.path.join(BUILD, "examples", "order_fulfilment", "order-node")
ROOT = os.geteuid() == 0


def mark_of(pid):
    """What a pid file says of a process: its id, its start, the boot."""
    with open(f"/proc/{pid}/stat") as of_process, open("/proc/sys/kernel/random/boot_id") as boot:
        return f"{pid} {of_process.read().rsplit(')', 1)[1].split()[19]} {boot.read()}"


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as of_process:
            return of_process.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


class Victim:
    """A process that somebody would like to see ended."""

    def __init__(self):
        self.process = subprocess.Popen(["sleep", "600"])
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Files(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(BUILD)
        self.addCleanup(self.cluster.__exit__)
        self.data = os.path.join(self.cluster.folder, "data")

    def continuo(self, *words, **more):
        return run(CONTINUO, *words, cwd=self.cluster.folder, memory=8 << 30, **more)

    def of_node(self, ending, node="payment"):
        return os.path.join(self.data, node + ending)

    # -- what is made ---------------------------------------------------------------------------------------------

    def test_nobody_else_may_write_what_is_made(self):
        with open(self.cluster.file, "a") as file:
            file.write('\n[node]\ntrace-folder="traces"\n')
        self.assertEqual(self.continuo("cluster", "init", self.cluster.file, umask=0).code, 0)
        up = self.continuo("cluster", "up", self.cluster.file, "--detach", umask=0)
        self.assertEqual(up.code, 0, up)
        self.cluster.find_token()
        self.assertEqual(self.cluster.place("ordering", "o-1").status, 202)
        self.assertEqual(self.cluster.result("ordering", "o-1").json["status"], "completed")
        to = os.path.join(self.data, "backups", "of", "payment")
        made = self.continuo("journal", "backup", self.of_node(""), to, "--config", self.cluster.file, umask=0)
        self.assertEqual(made.code, 0, made)
        writable = []
        for where, folders, names in os.walk(self.cluster.folder):
            for name in folders + names:
                path = os.path.join(where, name)
                mode = os.lstat(path).st_mode
                if mode & 0o022 and not stat.S_ISLNK(mode):
                    writable.append((path, oct(mode)))
        self.assertEqual(writable, [])
        for name in ("data/payment", "data/backups", "data/backups/of", "data/backups/of/payment"):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.cluster.folder, name)).st_mode), 0o700, name)
        self.assertEqual(self.continuo("cluster", "down", self.cluster.file).code, 0)

    def test_a_node_inherits_nothing(self):
        with self.cluster:
            for node in NODES:
                pid = self.cluster.pid(node)
                files = {number: os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}
                self.assertEqual([number for number, file in files.items() if file == "/dev/null"], ["0"], files)
                self.assertEqual([file for file in files.values() if file.endswith("/data")], [], files)
                self.assertEqual([file for number, file in files.items() if file.endswith(".log") and "/" not in
                                  os.path.relpath(file, self.data) and number not in "12"], [], files)

    # -- what is planted ------------------------------------------------------------------------------------------

    def test_planted_files_are_not_used(self):
        self.assertEqual(self.continuo("cluster", "init", self.cluster.file).code, 0)
        os.makedirs(self.data)
        precious = os.path.join(self.cluster.folder, "precious")
        for name in ("payment.log", "payment.pid", "payment", "payment/LOCK"):
            for kind in ("link", "fifo", "socket", "second name"):
                if name == "payment" and kind == "second name":
                    continue
                with self.subTest(name=name, kind=kind):
                    shutil.rmtree(self.data)
                    os.makedirs(os.path.dirname(os.path.join(self.data, name)), mode=0o700)
                    with open(precious, "w") as file:
                        file.write("precious")
                    path = os.path.join(self.data, name)
                    if kind == "link":
                        os.symlink(precious, path)
                    elif kind == "fifo":
                        os.mkfifo(path)
                    elif kind == "socket":
                        with socket.socket(socket.AF_UNIX) as one:
                            one.bind(path)
                    else:
                        os.link(precious, path)
                    started = self.continuo("cluster", "start", self.cluster.file, "payment", umask=0)
                    # A pid file is replaced, not written to.
                    if name == "payment.pid" and kind == "second name":
                        self.assertEqual(started.code, 0, started)
                    else:
                        self.assertNotEqual(started.code, 0, started)
                        self.assertIn(name.split("/")[-1].encode(), started.err)
                    self.continuo("cluster", "stop", self.cluster.file, "payment")
                    with open(precious) as file:
                        self.assertEqual(file.read(), "precious")
                    os.remove(precious)

    @unittest.skipIf(not ROOT, "another user's link needs root")
    def test_another_users_link_leads_nowhere(self):
        self.assertEqual(self.continuo("cluster", "init", self.cluster.file).code, 0)
        elsewhere = os.path.join(self.cluster.folder, "elsewhere")
        os.makedirs(self.data)
        os.mkdir(elsewhere, mode=0o700)
        os.symlink(elsewhere, self.of_node(""))
        os.lchown(self.of_node(""), NOBODY, NOBODY)
        started = self.continuo("cluster", "start", self.cluster.file, "payment")
        self.assertEqual(started.code, 2, started)
        self.assertEqual(os.listdir(elsewhere), [])
        os.lchown(self.of_node(""), 0, 0)  # one's own leads to another disk, perhaps
        started = self.continuo("cluster", "start", self.cluster.file, "payment")
        self.assertEqual(started.code, 0, started)
        self.assertEqual(self.continuo("cluster", "stop", self.cluster.file, "payment").code, 0)

    # -- pid files ------------------------------------------------------------------------------------------------

    def test_a_forged_pid_file_ends_nobody(self):
        os.makedirs(self.data)
        path = self.of_node(".pid")
        forgeries = [("for all to write", 0o666, None), ("for a group to write", 0o660, None)]
        if ROOT:
            forgeries.append(("of another user", 0o644, NOBODY))
        with Victim() as victim:
            for name, mode, owner in forgeries:
                with open(path, "w") as file:
                    file.write(mark_of(victim.pid))
                os.chmod(path, mode)
                if owner is not None:
                    os.chown(path, owner, owner)
                for words in (["kill", "payment"], ["stop", "payment"], ["down"]):
                    with self.subTest(forgery=name, command=words[0]):
                        ended = self.continuo("cluster", words[0], self.cluster.file, *words[1:])
                        self.assertTrue(runs(victim.pid), ended)
                        self.assertNotEqual(ended.code, 0, ended)
                        self.assertIn(path.encode(), ended.err)
                os.remove(path)
            # What the same user has noted is believed, or nothing could be ended at all.
            with open(path, "w") as file:
                file.write(mark_of(victim.pid))
            os.chmod(path, 0o600)
            self.assertEqual(self.continuo("cluster", "kill", self.cluster.file, "payment").code, 0)
            self.assertFalse(runs(victim.pid))

    def test_a_pid_file_of_a_process_that_is_another_by_now(self):
        os.makedirs(self.data)
        with Victim() as victim:
            pid, start, boot = mark_of(victim.pid).split()
            for mark in (f"{pid} {int(start) - 1} {boot}", f"{pid} {start} {boot[::-1]}", pid, f"-{pid} {start} {boot}"):
                with open(self.of_node(".pid"), "w") as file:
                    file.write(mark + "\n")
                os.chmod(self.of_node(".pid"), 0o600)
                self.assertEqual(self.continuo("cluster", "kill", self.cluster.file, "payment").code, 1)
                self.assertTrue(runs(victim.pid))

    def test_a_process_runs_until_its_last_thread_has_ended(self):
        """As a node that was killed and writes its memory out: its first thread is gone, its data still held."""
        program = os.path.join(self.cluster.folder, "slow-node")
        with open(program, "w") as file:
            file.write(f"#!{sys.executable}\n" + SLOW_NODE)
        os.chmod(program, 0o755)
        with open(self.cluster.file) as file:
            text = file.read().replace(ORDER_NODE, program)
        with open(self.cluster.file, "w") as file:
            file.write(text)
        self.assertEqual(self.continuo("cluster", "init", self.cluster.file).code, 0)
        started = self.continuo("cluster", "start", self.cluster.file, "payment")
        self.assertEqual(started.code, 0, started)
        pid = self.cluster.pid("payment")
        self.assertTrue(eventually(lambda: not runs(pid)))  # its first thread
        twice = self.continuo("cluster", "start", self.cluster.file, "payment")
        self.assertEqual(twice.code, 6, twice)
        self.assertIn(f"payment runs already, as process {pid}".encode(), twice.err)
        ended = self.continuo("cluster", "kill", self.cluster.file, "payment")
        self.assertEqual(ended.code, 0, ended)
        with open(self.of_node("/LOCK")) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # or it is held still

    # -- backups --------------------------------------------------------------------------------------------------

    def test_backups_go_to_the_folder_for_them_alone(self):
        folder = os.path.join(self.cluster.folder, "kept")
        with open(self.cluster.file, "a") as file:
            file.write(f'\nbackup-folder="{folder}"\n')  # of the last section, [nodes.warehouse]
        with self.cluster as cluster:

            def ask(node, to):
                return cluster.post(node, "/api/v1/backup", {"to": to})

            outside = os.path.join(cluster.folder, "outside")
            os.mkdir(outside)
            for to in (
                outside, folder + "/..", folder + "/../outside/x", folder + "x", self.of_node("", "warehouse"),
                cluster.folder, "/", "/tmp", os.path.join(self.data, "backups"), folder + "/a/../../outside",
            ):
                with self.subTest(to=to):
                    answer = ask("warehouse", to)
                    self.assertEqual((answer.status, answer.error()), (400, "invalid_configuration"), answer)
                    self.assertIn("backup-folder", answer.body)
            self.assertFalse(os.path.exists(folder))
            self.assertEqual(os.listdir(outside), [])
            self.assertEqual(ask("warehouse", folder + "/a/b").status, 200)
            self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700)

            for to in ("/a/b/c", "/a/b/c/d", "/a/x\0y", "/a/x\x1b[2J", "/a/x\n", "/a/x\u202e"):
                with self.subTest(to=to):
                    answer = ask("warehouse", folder + to)
                    self.assertEqual((answer.status, answer.error()), (400, "invalid_configuration"), answer)
            self.assertEqual(os.listdir(folder + "/a"), ["b"])
            self.assertNotIn("c", os.listdir(folder + "/a/b"))

            for name, plant in {
                "link": lambda at: os.symlink(outside, at),
                "fifo": os.mkfifo,
                "file": lambda at: open(at, "w").close(),
                "open": lambda at: (os.mkdir(at), os.chmod(at, 0o777)),
                "theirs": lambda at: (os.mkdir(at), os.chown(at, NOBODY, NOBODY)),
            }.items():
                if name == "theirs" and not ROOT:
                    continue
                plant(os.path.join(folder, name))
                for to in (os.path.join(folder, name), os.path.join(folder, name, "below")):
                    with self.subTest(to=to):
                        self.assertEqual(ask("warehouse", to).status, 400)
            self.assertEqual(os.listdir(outside), [])

            # What stands in a backup may have been planted as well.
            at = os.path.join(folder, "a", "b")
            secret = os.path.join(cluster.folder, "secret")
            with open(secret, "w") as file:
                file.write("secret")
            for name in ("BACKUP", "meta/1"):
                os.rename(os.path.join(at, name), secret + ".aside")
                os.symlink(secret, os.path.join(at, name))
                with self.subTest(planted=name):
                    self.assertEqual(ask("warehouse", at).status, 400)
                os.remove(os.path.join(at, name))
                os.rename(secret + ".aside", os.path.join(at, name))
            with open(secret) as file:
                self.assertEqual(file.read(), "secret")
            self.assertEqual(ask("warehouse", at).status, 200)

            # The others have the folder beside their data, and `continuo journal backup` asks them.
            default = os.path.join(self.data, "backups", "payment")
            config = ("--config", self.cluster.file)
            made = self.continuo("journal", "backup", self.of_node(""), default, *config)
            self.assertEqual(made.code, 0, made)
            refused = self.continuo("journal", "backup", self.of_node(""), outside, *config)
            self.assertEqual(refused.code, 2, refused)
            self.assertIn(b"backup-folder", refused.err)
            cluster.stop("payment")
            made = self.continuo("journal", "backup", self.of_node(""), os.path.join(outside, "stopped"))
            self.assertEqual(made.code, 0, made)  # nobody else's right is used

    def test_a_lock_gets_nobody_a_token(self):
        heard = []

        class Listener(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                heard.append(dict(self.headers))
                self.send_error(503)

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Listener)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        token = os.path.join(self.cluster.folder, "token")
        with open(token, "w") as file:
            file.write("a-token-of-many-letters\n")
        os.chmod(token, 0o600)
        data = os.path.join(self.cluster.folder, "theirs")
        os.mkdir(data, mode=0o700)
        with open(os.path.join(data, "FORMAT"), "w") as file:
            file.write("continuo data directory, format 1\n")
        here = f"http://127.0.0.1:{server.server_port}"
        traps = [("an address elsewhere", "http://192.0.2.1:80", 0o700, 0o600, 0),
                 ("a name", f"http://attacker.invalid:{server.server_port}", 0o700, 0o600, 0),
                 ("a folder for all to write", here, 0o777, 0o600, 0), ("a file for all to write", here, 0o700, 0o666, 0)]
        if ROOT:
            traps.append(("another user's", here, 0o755, 0o644, NOBODY))
        for name, url, folder_mode, mode, owner in traps:
            with self.subTest(lock=name), open(os.path.join(data, "LOCK"), "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                lock.write(f"{os.getpid()}\n{url}\n")
                lock.flush()
                os.chmod(data, folder_mode)
                os.chmod(lock.fileno(), mode)
                if ROOT:
                    os.chown(data, owner, owner)
                    os.chown(lock.fileno(), owner, owner)
                begun = time.monotonic()
                refused = self.continuo("journal", "backup", data, "/nowhere", "--token-file", token)
                self.assertIn(refused.code, (2, 6), refused)
                self.assertEqual(heard, [])
                self.assertLess(time.monotonic() - begun, 30 * SLOW)  # nobody was asked

    # -- descriptors ----------------------------------------------------------------------------------------------

    def test_the_journal_has_descriptors_whatever_connects(self):
        """Every descriptor that clients can have is taken, and files of the store are opened anew all the while."""
        with Place() as place:
            peers, port = free_ports(2)
            file = os.path.join(place, "shop.conf")
            with open(file, "w") as out:
                out.write(
                    '[cluster]\nname="shop"\ntls="off"\n[node]\nstore-memory="8MiB"\n'
                    f'[nodes.alone]\naddress="127.0.0.1:{peers}"\nhttp="127.0.0.1:{port}"\n'
                    'hosts=["fulfilment", "payment", "warehouse"]\n'
                )
            ledgers = os.path.join(place, "ledgers")
            node = subprocess.Popen(
                ["sh", "-c", f"ulimit -n 220; exec '{ORDER_NODE}' --config '{file}' --node alone "
                 f"--ledgers '{ledgers}' --generate 2000 --rate 200"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=place)
            self.addCleanup(node.stdout.close)
            self.addCleanup(node.wait)
            self.addCleanup(node.kill)
            self.assertTrue(eventually(lambda: answers(port) or node.poll() is not None, PATIENCE))
            crowd = []

            def crowd_and_look():
                while len(crowd) < 400:
                    for to in (port, peers):
                        one = socket.socket()
                        one.setblocking(False)
                        one.connect_ex(("127.0.0.1", to))
                        crowd.append(one)
                crowd.pop(0).close()
                return node.poll() is not None or lines_of(os.path.join(ledgers, "payment.jsonl")) >= 1_500

            eventually(crowd_and_look, PATIENCE)
            charged = lines_of(os.path.join(ledgers, "payment.jsonl"))
            for one in crowd:
                one.close()
            ready = eventually(lambda: answers(port) or node.poll() is not None, PATIENCE)
            made = run(CONTINUO, "journal", "backup", os.path.join(place, "data", "alone"),
                       os.path.join(place, "data", "backups", "alone"), memory=8 << 30)
            node.terminate()
            said = node.communicate(timeout=PATIENCE)[0].decode(errors="replace")[-2000:]
            self.assertEqual(node.returncode, 0, said)
            self.assertGreaterEqual(charged, 1_500, said)
            self.assertTrue(ready, said)
            self.assertEqual(made.code, 0, made)


def lines_of(path):
    try:
        with open(path, "rb") as file:
            return file.read().count(b"\n")
    except FileNotFoundError:
        return 0


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as one:
            one.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return b" 200 " in one.recv(4096)
    except OSError:
        return False


# Says that it is ready, holds its data directory, and has no first thread any more.
SLOW_NODE = '''
import ctypes, fcntl, http.server, os, sys, threading

file, node = sys.argv[sys.argv.index("--config") + 1], sys.argv[sys.argv.index("--node") + 1]
section = open(file).read().split(f"[nodes.{node}]")[1]
port = int(section.split('http="127.0.0.1:')[1].split('"')[0])
data = os.path.join(os.path.dirname(file), "data", node)
os.makedirs(data, mode=0o700, exist_ok=True)
lock = open(os.path.join(data, "LOCK"), "w")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ready, process %d\\n" % os.getpid())


server = http.server.HTTPServer(("127.0.0.1", port), Ready)
threading.Thread(target=server.serve_forever).start()
ctypes.CDLL(None).syscall(60 if os.uname().machine == "x86_64" else 93, 0)  # exit, of this thread alone
'''


if __name__ == "__main__":
    unittest.main(verbosity=2)
