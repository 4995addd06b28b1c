"""Writes and syncs that fail, and a file system without room: the node stops with the exit code that says so.

After such an error nobody knows what is on the disk. The node may not go on with the same file, though the next call
would succeed: each error here is the only one of its life.
"""

import collections
import itertools
import os
import time
import unittest

from one_node import (
    DISK_FAILED, LONG, MIB, SLOW, Shop, TracedShop, Tracer, calls_in, cannot_mount, eventually, main,
)  # fmt: skip


class Errors(TracedShop):
    def order_with_an_error(self, call, error, number):
        """Places an order while one call of the journal fails. Whether it came to that."""
        tracer = Tracer(
            self.shop.journal_thread(), self.shop.folder, "-e", f"trace={call}",
            "-e", f"inject={call}:error={error}:when={number}",
        )  # fmt: skip
        order = self.shop.next_order()
        said = self.shop.place(order)
        if said is not None and said.status == 202:
            self.shop.result(order, wait="10s")
        if not eventually(lambda: "(INJECTED)" in read(tracer.file), 0.3):
            tracer.end()
            return None
        code = self.shop.wait(30)
        tracer.process.communicate(timeout=30)
        when = f"{call} {number} failed with {error}"
        self.assertEqual(code, DISK_FAILED, f"{when}\n{self.shop.log()}")
        calls = calls_in(tracer.file)
        self.assertIn("(INJECTED)", calls[-1][2], f"{when}, and the journal went on: {calls[-3:]}")
        self.assertRegex(self.shop.log(), r"cannot (write|sync) .*/journal/log/", when)
        if call == "pwrite64":
            # What failed is not in the file: nothing that rests on it may have left the node. (After a failed sync the
            # bytes can be read all the same.)
            self.assertEqual(self.shop.judge_disk(), [], when)
        if number == 1:
            self.assertNotIn(order, self.shop.accepted, f"{when}: accepted, though nothing is durable")
            self.assertEqual([line for line in self.shop.ledger() if line["order"] == order], [], when)
        return order

    def test_each_write_and_sync_of_the_journal(self):
        """a write or sync that fails ends the node with 4, and what was accepted is finished by the next life"""
        begun = time.monotonic()
        failures = collections.Counter()
        accepted = 0
        self.shop.start()
        self.complete_one()
        for call, error in itertools.product(("fdatasync", "pwrite64"), ("EIO", "ENOSPC")):
            missed = 0
            for number in itertools.count(1):
                if missed == 2 or number > (20 if LONG else 4):
                    break
                order = self.order_with_an_error(call, error, number)
                if order is None:
                    missed += 1
                    continue
                failures[f"{call} {error}"] += 1
                was_accepted = order in self.shop.accepted
                accepted += was_accepted
                self.assertEqual(self.shop.judge_disk(), [])
                self.shop.start()
                if was_accepted:
                    self.assertEqual(self.shop.judge_orders([order]), [])
                self.assertEqual(self.shop.place(order).status, 202)
                self.assertEqual(self.shop.judge_orders([order]), [])
                self.complete_one()
            self.assertGreater(failures[f"{call} {error}"], 1)
        self.assertEqual(self.shop.judge_stopped(), [])
        print(
            f"{sum(failures.values())} failures ({dict(failures)}), {accepted} with the 202 out, each ended the node"
            f" with 4, {self.shop.starts} starts, {time.monotonic() - begun:.0f} s",
            flush=True,
        )

    def start_with_an_error(self, call, number):
        """A start with work to recover, one of whose syncs fails. Whether it came to that, and whether it is ready."""
        self.shop.place(self.shop.next_order())
        self.shop.kill()
        self.shop.launch("-y", "-e", f"trace={call},rename,openat", "-e", f"inject={call}:error=EIO:when={number}")
        ready = self.shop.wait_ready()
        calls = calls_in(os.path.join(self.shop.folder, "calls"))
        hits = [place for place, (_, _, rest) in enumerate(calls) if "(INJECTED)" in rest]
        if not hits:
            self.assertTrue(ready, self.shop.log())
            self.shop.kill()
            return None
        thread, _, hit = calls[hits[0]]
        when = f"{call} {number} of a start failed: {hit}"
        # RocksDB writes down its options in a file that nobody needs, and goes on where it cannot.
        before = [rest for by, _, rest in calls[: hits[0] + 1] if by == thread and "/tables/" in rest]
        is_needed = "/tables/OPTIONS" not in before[-1]
        code = self.shop.wait(30) if is_needed else self.shop.kill()
        self.assertEqual(self.shop.judge_disk(), [], when)
        if ready and not is_needed:
            return "ready without RocksDB's OPTIONS"
        self.assertEqual(code, DISK_FAILED, f"{when}\n{self.shop.log()}")
        self.assertIn("Input/output error", self.shop.log(), when)
        return "ended with 4"

    def test_each_sync_of_a_start(self):
        """a start whose sync fails ends with 4, and what was accepted is finished by the next life"""
        begun = time.monotonic()
        outcomes = collections.Counter()
        self.shop.start()
        self.complete_one()
        # Not sync_file_range, which RocksDB calls to learn whether it is there, and on which nothing rests.
        for call in ("fdatasync", "fsync"):
            for number in range(1, 40 if LONG else 4):
                outcome = self.start_with_an_error(call, number)
                self.shop.start()
                self.assertEqual(self.shop.judge_orders(), [])
                if outcome is None:
                    break
                outcomes[outcome] += 1
        self.assertEqual(self.shop.judge_stopped(), [])
        self.assertGreater(outcomes["ended with 4"], 2)
        print(f"failed syncs of a start: {dict(outcomes)}, {time.monotonic() - begun:.0f} s", flush=True)


class FullDisk(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        why = cannot_mount()
        if why:
            self.skipTest(why)

    def make_shop(self, size, reserve):
        shop = Shop(f'disk-reserve="{reserve}MiB"' if reserve else "disk-reserve=0")
        self.addCleanup(shop.close)
        shop.put_on_disk(size)
        return shop

    def fill_up(self, leaving):
        """A life that ends for want of room, starts that are refused for it, and one that has room again."""
        shop = self.make_shop(128 * MIB, 0)
        shop.start()
        count = 0
        while shop.place(f"order-{count:04}", method="card" * 25_000) is not None:
            count += 1
            if count == 20:
                shop.disk.fill(leaving)
            self.assertLess(count, 2000, "the disk does not get full")
        self.assertEqual(shop.wait(), DISK_FAILED, shop.log())
        self.assertIn("No space left on device", shop.log())
        self.assertEqual(shop.judge_disk(), [])
        shop.disk.fill()
        for _ in range(3):
            shop.launch()
            self.assertFalse(shop.wait_ready())
            self.assertEqual(shop.process.poll(), DISK_FAILED, shop.log())
            self.assertIn("No space left on device", shop.log())
            self.assertEqual(shop.judge_disk(), [])
        shop.disk.make_room()
        shop.start()
        self.assertEqual(shop.judge_orders(), [])
        self.assertEqual(shop.place("the-next-one").status, 202)
        self.assertEqual(shop.judge_orders(), [])
        self.assertEqual(shop.judge_stopped(), [])
        print(f"full with {len(shop.accepted) - 1} orders accepted, all completed", flush=True)
        shop.close()

    def test_no_room(self):
        """a full disk ends the node with 4, and it starts again and finishes everything when there is room"""
        for mebibytes in (0, 1, 3, 9, 17, 30) if LONG else (0,):
            self.fill_up(mebibytes * MIB)

    def test_little_room(self):
        """with less room than the reserve starts are refused, and taken again when there is room"""
        shop = self.make_shop(128 * MIB, 40)
        shop.start()

        def next_is(status):
            said = shop.place(shop.next_order())
            return said.status == status and said

        self.assertTrue(next_is(202))
        shop.disk.fill(leaving=30 * MIB)
        refused = eventually(lambda: next_is(429), 30 * SLOW)
        self.assertTrue(refused)
        self.assertIn("Retry-After", refused.headers)
        shop.disk.make_room()
        # The customer asks for nothing else meanwhile: it is for the node to see that there is room.
        self.assertTrue(eventually(lambda: next_is(202), 30 * SLOW), "still refused")
        self.assertEqual(shop.judge_orders(), [])
        self.assertEqual(shop.judge_stopped(), [])


def read(file):
    with open(file, errors="replace") as text:
        return text.read()


if __name__ == "__main__":
    main()
