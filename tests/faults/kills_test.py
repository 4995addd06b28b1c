"""A kill at every system call: of the journal's thread in one order, of a start, of a stop.

What a process did to the outside it did by a system call, so the state that a kill leaves behind is the same wherever
it hits between two of them. The kill comes from outside, when the call is entered and before it does anything.
"""

import collections
import itertools
import os
import re
import shutil
import signal
import time

from one_node import LONG, NODE, TracedShop, Tracer, calls_in, eventually, main

# What can change a file, a name or a folder. Between two of them a kill leaves the same behind.
CHANGING = (
    "openat write pwrite64 writev pwritev fsync fdatasync sync_file_range msync ftruncate fallocate rename renameat"
    " renameat2 unlink unlinkat rmdir mkdir mkdirat link linkat chmod fchmod copy_file_range"
).split()
TRACE_CHANGING = "trace=" + ",".join(CHANGING)


def kill_at(name, number):
    """For strace: the process dies where a thread enters this call for the so-manieth time."""
    return ("-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}")


class Kills(TracedShop):
    def setUp(self):
        super().setUp()
        self.begun = time.monotonic()

    def judge(self, wrong, when):
        self.assertEqual(wrong, [], f"after a kill at {when}")

    def come_back(self, order, when):
        """After a death: the journal is whole, the node starts, and the order completes, asked again or not."""
        self.judge(self.shop.judge_disk(), when)
        was_accepted = order in self.shop.accepted
        self.shop.start()
        if was_accepted:  # whoever has his answer need not ask again
            self.judge(self.shop.judge_orders([order]), when)
        self.assertEqual(self.shop.place(order).status, 202, when)
        self.judge(self.shop.judge_orders([order]), when)
        return was_accepted

    def finish(self, what):
        self.judge(self.shop.judge_stopped(), "everything")
        print(f"{what}, {self.shop.starts} starts, {time.monotonic() - self.begun:.0f} s", flush=True)

    # -- in an order -----------------------------------------------------------------------------
    def calls_of_an_order(self):
        """How often the journal's thread makes each call in one order; it is seen to be the only one that syncs."""
        tracer = Tracer(self.shop.process.pid, self.shop.folder, "-f", "-e", "trace=fdatasync")
        self.complete_one()
        self.assertEqual({thread for thread, _, _ in tracer.end()}, {self.shop.journal_thread()})
        tracer = Tracer(self.shop.journal_thread(), self.shop.folder)
        self.complete_one()
        time.sleep(0.1)
        return collections.Counter(name for _, name, _ in tracer.end())

    def kill_in_an_order(self, name, number):
        """Whether an order makes the journal's thread enter this call so often; then the node is dead."""
        tracer = Tracer(self.shop.journal_thread(), self.shop.folder, *kill_at(name, number))
        order = self.shop.next_order()
        answered = self.shop.place(order) is not None and self.shop.result(order, wait="20s") is not None
        # What follows an outcome, such as receipts, may still hit. Where there was no answer, it has hit.
        if answered and not eventually(lambda: self.shop.process.poll() is not None, 0.2):
            tracer.end()
            self.judge(self.shop.judge_orders([order]), f"no {name} {number}")
            return None
        self.assertEqual(self.shop.wait(), -signal.SIGKILL)
        tracer.process.communicate(timeout=30)
        return order

    def test_every_call_of_the_journal_in_an_order(self):
        """nothing accepted is lost wherever a kill hits an order"""
        self.shop.start()
        self.complete_one()
        calls = self.calls_of_an_order()
        print("calls of the journal's thread in one order:", dict(calls), flush=True)
        self.assertIn("fdatasync", calls)
        self.assertIn("pwrite64", calls)
        # Not all orders make the same calls: how commits share a sync, and who waits for whom, is a matter of chance.
        names = sorted(calls, key=lambda name: (name not in CHANGING, name))
        kills = collections.Counter()
        accepted = 0
        for name in names * (5 if LONG else 1):
            missed = 0
            for number in itertools.count(1):
                order = self.kill_in_an_order(name, number)
                if order is None:  # this order made fewer; perhaps another one makes more
                    missed += 1
                    if missed == 2:
                        break
                    continue
                kills[name] += 1
                accepted += self.come_back(order, f"{name} {number}")
                self.complete_one()
        self.assertGreater(kills["fdatasync"], 2)
        self.assertGreater(accepted, 0)
        self.assertLess(accepted, sum(kills.values()))
        self.finish(
            f"{sum(kills.values())} kills, at every call of an order ({dict(kills)}), {accepted} with the 202 out"
        )

    def test_a_lie_is_found(self):
        """a node whose writes do nothing is found out by the same judge"""
        self.shop.start()
        self.complete_one()
        tracer = Tracer(
            self.shop.journal_thread(), self.shop.folder, "-e", "trace=pwrite64", "-e", "inject=pwrite64:retval=512"
        )
        order = self.shop.next_order()
        self.assertEqual(self.shop.place(order).status, 202)
        self.judge(self.shop.judge_orders([order]), "nothing")
        self.shop.kill()
        tracer.process.communicate(timeout=30)
        on_disk = self.shop.judge_disk()
        self.shop.start()
        lost = self.shop.judge_orders(patience=1)
        print(f"found: {on_disk + lost}", flush=True)
        self.assertEqual(len(on_disk), 3, "the 202, the charge and the label have no cause")
        self.assertEqual(len(lost), 1)

    # -- where the log goes on in another file -----------------------------------------------------
    def fill_a_segment(self, name, number):
        """Orders on a new journal until the log goes on in its second file; whether the kill has hit by then."""
        for folder in ("data", "ledgers"):
            shutil.rmtree(os.path.join(self.shop.folder, folder), ignore_errors=True)
        self.shop.accepted.clear()
        self.shop.start()
        self.complete_one()
        log = os.path.join(self.shop.data, NODE, "journal", "log")
        segment = os.path.join(log, f"{2:010}")
        files = ("-P", segment + ".new", "-P", segment + ".log", "-P", log)
        tracer = Tracer(self.shop.journal_thread(), self.shop.folder, *files, *kill_at(name, number))
        begun = False
        while not begun:
            begun = os.path.exists(segment + ".log")  # one more, to have it written there
            if self.shop.place(self.shop.next_order(), method="card" * 50_000) is None:
                self.assertEqual(self.shop.wait(), -signal.SIGKILL)
                tracer.process.communicate(timeout=30)
                return True
        tracer.end()
        self.shop.kill()
        return False

    def test_every_call_of_a_new_segment(self):
        """nothing accepted is lost wherever a kill hits the beginning of a log segment"""
        kills = collections.Counter()
        for name in ("openat", "pwrite64", "fsync", "fdatasync", "rename", "close"):
            for number in itertools.count(1):
                when = f"{name} {number} of a new segment"
                hit = self.fill_a_segment(name, number)
                self.judge(self.shop.judge_disk(), when)
                self.shop.start()
                self.judge(self.shop.judge_orders(), when)
                self.judge(self.shop.judge_stopped(), when)
                kills[name] += hit
                if not hit or number == (20 if LONG else 1):
                    break
        self.assertEqual({name for name, count in kills.items() if count == 0}, set())
        self.shop.start()
        self.finish(f"killed at {sum(kills.values())} calls ({dict(kills)})")

    # -- in a start ------------------------------------------------------------------------------
    def leave_work_behind(self):
        """Lives whose work is in the tables, in the log, and not done yet. Kept, to be started from again and again."""
        self.shop.start()
        for _ in range(10):
            self.complete_one()
        self.shop.kill()
        self.shop.start(arguments=["--provider-time", "5s"])
        for _ in range(5):
            self.assertEqual(self.shop.place(self.shop.next_order()).status, 202)
        self.shop.kill()
        self.kept = os.path.join(self.shop.folder, "kept")
        for name in ("data", "ledgers"):
            shutil.copytree(os.path.join(self.shop.folder, name), os.path.join(self.kept, name))

    def restore(self):
        """What was kept; else nothing, as before a first start."""
        for name in ("data", "ledgers"):
            path = os.path.join(self.shop.folder, name)
            shutil.rmtree(path, ignore_errors=True)
            if self.kept:
                shutil.copytree(os.path.join(self.kept, name), path)

    def calls_of_a_start(self):
        """Every call that can change something: name, number, and the options that make strace find it.

        strace counts the calls of each thread for itself and takes the first thread that comes to a number, which is
        the one with the most; the calls of others are found by the file that they are about.
        """
        self.restore()
        self.shop.start("-y", "-e", TRACE_CHANGING)
        calls = calls_in(os.path.join(self.shop.folder, "calls"))
        self.shop.kill()
        by_thread = collections.Counter((name, thread) for thread, name, _ in calls)
        found = []
        on_files = collections.Counter()
        numbers = collections.Counter()
        for thread, name, rest in calls:
            most = max(count for (other, _), count in by_thread.items() if other == name)
            if by_thread[name, thread] == most:
                numbers[name, thread] += 1
                found.append((name, numbers[name, thread], ()))
                continue
            path = re.search(r'[<"](/[^>"]*)[>"]', rest)
            if path and path[1].startswith(self.shop.data):
                on_files[name, path[1]] += 1
                found.append((name, on_files[name, path[1]], ("-P", path[1])))
        return sorted(set(found), key=found.index)

    def kill_starts(self, most):
        """Kills starts from what was kept, at every call or at so many; after each the node starts."""
        calls = self.calls_of_a_start()
        chosen = calls if LONG else calls[:: max(1, len(calls) // most)]
        kills = collections.Counter()
        for name, number, more in chosen:
            self.restore()
            when = " ".join((name, str(number), *more))
            self.shop.launch(*more, *kill_at(name, number))
            if self.shop.wait_ready():
                self.shop.kill()  # this start made fewer
            else:
                self.assertEqual(self.shop.wait(), -signal.SIGKILL, when)
                kills[name] += 1
            if self.kept:  # before there is a whole directory there is nothing to verify
                self.judge(self.shop.judge_disk(), when)
            self.shop.start()
            if not self.kept:
                self.shop.accepted.clear()
                self.complete_one()
            self.judge(self.shop.judge_orders(), when)
            self.judge(self.shop.judge_stopped(), when)
        self.assertGreater(sum(kills.values()), len(chosen) * 0.8)
        self.finish(f"killed at {sum(kills.values())} of {len(calls)} calls of a start ({dict(kills)})")

    def test_every_call_of_a_first_start(self):
        """a node can be started wherever a kill hit its first start"""
        self.kept = None
        self.kill_starts(6)

    def test_every_call_of_a_start(self):
        """nothing accepted is lost wherever a kill hits a start"""
        self.leave_work_behind()
        self.kill_starts(12)

    # -- in a stop -------------------------------------------------------------------------------
    def begin_to_stop(self, *tracing):
        """A life with work under way is told to stop."""
        self.shop.start(arguments=["--provider-time", "100ms"])
        tracer = Tracer(self.shop.process.pid, self.shop.folder, "-f", *tracing)
        for _ in range(3):
            self.shop.place(self.shop.next_order())
        self.shop.process.terminate()
        code = self.shop.wait()
        tracer.process.communicate(timeout=30)
        return code, calls_in(tracer.file)

    def test_every_call_of_a_stop(self):
        """nothing accepted is lost wherever a kill hits a stop, or an order before it"""
        code, calls = self.begin_to_stop("-e", TRACE_CHANGING)
        self.assertEqual(code, 0)
        calls = collections.Counter(name for _, name, _ in calls)
        kills = collections.Counter()
        for name in sorted(calls):
            for number in itertools.count(1):
                if not LONG and number > 2:
                    break
                code, _ = self.begin_to_stop(*kill_at(name, number))
                self.assertIn(code, (0, -signal.SIGKILL))
                when = f"{name} {number}"
                self.judge(self.shop.judge_disk(), when)
                self.shop.start()
                self.judge(self.shop.judge_orders(), when)
                self.shop.stop()
                if code == 0:
                    break  # no thread made so many
                kills[name] += 1
        self.assertGreater(sum(kills.values()), 0)
        self.shop.start()
        self.finish(f"killed at {sum(kills.values())} of {sum(calls.values())} calls of a stop ({dict(kills)})")


if __name__ == "__main__":
    main()
