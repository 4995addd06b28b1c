#!/usr/bin/env python3
"""The benchmark of instructions tells apart the threads of a node, and what it tells adds up.

usage: instructions_test.py BUILD-FOLDER
"""

import json
import pathlib
import shutil
import subprocess
import sys
import unittest

SKIPPED = 77  # SKIP_RETURN_CODE in CMakeLists.txt
PROGRAM = pathlib.Path(sys.argv[1]) / "bench/instructions_bench"
THREADS = ["actors (CAF's workers)", "handler pool", "journal"]


class Instructions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # More than twice as many as are in flight: of those that were when counting began the handlers may be done.
        run = subprocess.run([PROGRAM, "--quick", "--orders", "200", "--json", "rows.json", "--dir", "."],
                             capture_output=True, text=True, timeout=240)
        assert run.returncode == 0, run.stderr
        cls.printed = run.stdout
        cls.rows = json.loads(pathlib.Path("rows.json").read_text())["rows"]

    def test_rows(self):
        """a row for each store, with all that an order costs"""
        self.assertEqual([row["store"] for row in self.rows], ["memory", "disk"])
        for row in self.rows:
            for figure in ["instructions", "allocations", "switches", "store_bytes", "syncs"]:
                self.assertGreater(row[figure + "_per_order"], 0, figure)

    def test_threads(self):
        """each thread that has a part in an order is there by its role, in the rows and on the screen"""
        for row in self.rows:
            for thread in THREADS:
                self.assertGreater(row["roles"][thread]["instructions_per_order"], 0, thread)
                self.assertGreater(row["roles"][thread]["switches_per_order"], 0, thread)
        for thread in THREADS:
            self.assertEqual(self.printed.count(f"  {thread} "), len(self.rows), thread)

    def test_sums(self):
        """the threads add up to the whole, and hardly anything is left to threads without a name"""
        for row in self.rows:
            for figure in ["instructions_per_order", "allocations_per_order", "switches_per_order"]:
                whole = row[figure]
                self.assertAlmostEqual(sum(role[figure] for role in row["roles"].values()), whole, delta=1e-6 * whole)
            named = sum(row["roles"][thread]["instructions_per_order"] for thread in THREADS)
            self.assertGreater(named, 0.9 * row["instructions_per_order"])


if __name__ == "__main__":
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        sys.exit(SKIPPED)
    unittest.main(argv=sys.argv[:1], verbosity=2)
