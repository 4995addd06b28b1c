"""Power cuts on a file system of our own: nothing that was accepted is lost.

The node works under load. Then its file system is shut down in the kernel, so that whatever was not synced is gone,
and comes back as after a power cut: its journal is replayed, the node starts. Every second time the node is frozen
before (a power cut stops everything at the same time), every other time it sees its disk go away below its hands, and
must end by itself. The client and the ledgers, which are the outside world, stand elsewhere.

A judge that has never found anything proves nothing: the same is done to a node whose syncs do nothing and say that all
went well, and that must be found out.
"""

import http.client
import os
import random
import signal
import sys
import threading
import time
import unittest

from one_node import DISK_FAILED, LONG, MIB, SLOW, Shop, Tracer, cannot_mount, cannot_trace, eventually, main

CUTS = 50 if LONG else 4
CUTS_OF_A_LIE = 5 if LONG else 1
CLIENTS = 8
SYNCS = "fdatasync,fsync,sync_file_range,msync,syncfs,sync"


def lie(syncs):
    """For strace: they are not done, and say that they were."""
    return ("-e", f"trace={syncs}", "-e", f"inject={syncs}:retval=0")


class Clients:
    """They place orders, each one after the other, until there are no more answers."""

    def __init__(self, shop, name):
        self.shop = shop
        self.stopped = threading.Event()
        self.placed = [0] * CLIENTS
        self.threads = [
            threading.Thread(target=self.place_orders, args=(number, f"{name}-{number}")) for number in range(CLIENTS)
        ]
        for one in self.threads:
            one.start()

    def place_orders(self, number, name):
        connection = http.client.HTTPConnection("127.0.0.1", self.shop.ports[1], timeout=30 * SLOW)
        while not self.stopped.is_set():
            if self.shop.place(f"{name}-{self.placed[number]:05}", connection=connection) is None:
                break
            self.placed[number] += 1
        connection.close()

    def end(self):
        self.stopped.set()
        for one in self.threads:
            one.join()


class PowerCuts(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        why = cannot_mount()
        if why:
            self.skipTest(why)
        self.seed = random.randrange(sys.maxsize)
        self.random = random.Random(self.seed)
        print(f"seed {self.seed}", flush=True)
        self.open_shop()

    def open_shop(self):
        self.shop = Shop("disk-reserve=0")
        self.addCleanup(self.shop.close)
        self.shop.put_on_disk(512 * MIB)

    def freeze(self):
        pid = self.shop.process.pid

        def is_frozen():  # below strace a thread stands still for a moment at each call
            return all(state in "Tt" for _ in range(3) for state in states(pid))

        os.kill(pid, signal.SIGSTOP)
        self.assertTrue(eventually(is_frozen, 10 * SLOW, every=0.001), states(pid))

    def cut(self, name, freezes, *tracing, log_lies=False):
        """One life under load, and its end: what is wrong with what is on the disk then, how many were accepted."""
        shop = self.shop
        shop.start(*tracing)
        if log_lies:
            shop.place(f"{name}-first")
            shop.result(f"{name}-first", wait="30s")
            tracer = Tracer(shop.journal_thread(), shop.folder, *lie("fdatasync"))
        before = len(shop.accepted)
        clients = Clients(shop, name)
        # At any moment once there are answers.
        eventually(lambda: len(shop.accepted) > before, 60 * SLOW, every=0.01)
        time.sleep(self.random.uniform(0, 1.0))
        if freezes:
            self.freeze()
        shop.disk.cut_power()
        if freezes:
            shop.kill()
        code = shop.wait()
        if log_lies:
            tracer.process.communicate(timeout=30 * SLOW)
        clients.end()
        shop.disk.come_back()
        wrong = [] if freezes or code == DISK_FAILED else [f"a node whose disk is gone ended with {code}: {shop.log()}"]
        return wrong + shop.judge_disk(), len(shop.accepted) - before

    def test_nothing_is_lost(self):
        """nothing accepted is lost when the power goes"""
        begun = time.monotonic()
        for number in range(CUTS):
            freezes = number % 2 == 0
            wrong, count = self.cut(f"cut-{number}", freezes)
            print(f"cut {number}: {count} accepted{', the node frozen' if freezes else ''}", flush=True)
            self.assertEqual(wrong, [], f"at cut {number}")
            self.assertGreater(count, 0)
        self.shop.start()
        self.assertEqual(self.shop.judge_orders(), [])
        self.assertEqual(self.shop.judge_stopped(), [])
        print(
            f"{CUTS} power cuts, {len(self.shop.accepted)} orders accepted, all completed,"
            f" {time.monotonic() - begun:.0f} s",
            flush=True,
        )

    def cut_a_liar(self, *tracing, log_lies=False):
        """What is wrong on the disk of a node that lied in its last life, and with its accepted orders."""
        wrong, _ = self.cut("truth", True)
        self.assertEqual(wrong, [])
        wrong, count = self.cut("lie", True, *tracing, log_lies=log_lies)
        self.shop.launch()
        if self.shop.wait_ready():
            lost = self.shop.judge_orders(patience=3)
            self.shop.kill()
        else:
            lost = [f"it does not start: {self.shop.log()}"]
        print(f"{count} accepted with a lie; on the disk: {wrong[:1]}; {len(lost)} lost: {lost[:1]}", flush=True)
        self.shop.close()
        self.open_shop()
        return wrong, lost

    def test_a_lie_is_found(self):
        """a node whose syncs do nothing is found out by the same judge"""
        why = cannot_trace()
        if why:
            self.skipTest(why)
        for tracing, log_lies in (((), True), (("--seccomp-bpf", *lie(SYNCS)), False)):
            found = [self.cut_a_liar(*tracing, log_lies=log_lies) for _ in range(CUTS_OF_A_LIE)]
            self.assertTrue(any(wrong for wrong, _ in found), "all is on the disk though nothing was synced")
            self.assertTrue(any(lost for _, lost in found), "nothing was lost though nothing was synced")


def states(pid):
    """Of all threads of a process, in one letter each."""
    found = []
    for number in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{number}/stat") as stat:
            found.append(stat.read().rsplit(")", 1)[1].split()[0])
    return found


if __name__ == "__main__":
    main()
