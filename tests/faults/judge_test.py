"""The judge of the other tests here finds what it is there for, each thing by itself."""

import os
import unittest

from one_node import NODE, Shop, main


class Judge(unittest.TestCase):
    def setUp(self):
        self.shop = Shop()
        self.addCleanup(self.shop.close)
        self.shop.start()
        for number in range(3):
            self.assertEqual(self.shop.place(f"order-{number}").status, 202)
        self.assertEqual(self.shop.judge_orders(), [])

    def edit(self, name, change):
        """Changes the lines of a ledger."""
        path = os.path.join(self.shop.folder, "ledgers", name + ".jsonl")
        with open(path) as book:
            lines = book.readlines()
        change(lines)
        with open(path, "w") as book:
            book.writelines(lines)

    def test_ledgers(self):
        """a charge too many, a label too few, and an effect that nobody asked for are found"""
        self.assertEqual(self.shop.judge_stopped(), [])
        self.edit("payment", lambda lines: lines.append(lines[0]))
        self.assertEqual(len(self.shop.judge_ledgers()), 2)  # the key twice, the order twice
        self.edit("payment", lambda lines: lines.pop())
        self.edit("warehouse", lambda lines: lines.pop())
        self.assertEqual(len(self.shop.judge_ledgers()), 1)
        self.edit("payment", lambda lines: lines.append(lines[0].replace("order-0", "order-9").replace("-0", "-1")))
        self.assertEqual(len(self.shop.judge_ledgers()), 2)

    def test_lost_orders(self):
        """an accepted order that is not there is found, in a node that runs and in one that has stopped"""
        answer = dict(self.shop.accepted["order-0"])
        store = answer["message_id"].split("-")[0]
        self.shop.accepted["order-9"] = {**answer, "message_id": f"{store}-1000-0"}
        self.assertEqual(len(self.shop.judge_orders(patience=1)), 1)
        self.shop.stop()
        self.assertEqual(len(self.shop.judge_disk()), 1)
        self.assertEqual(len(self.shop.judge_dump()), 1)
        self.assertEqual(len(self.shop.judge_ledgers()), 2)

    def test_another_answer(self):
        """a second answer to the same key that is not the first one is found"""
        self.shop.accepted["order-0"] = self.shop.accepted["order-1"]
        self.shop.place("order-0")
        self.assertEqual(len(self.shop.judge_orders()), 1)

    def test_damage(self):
        """a flipped bit in the journal is found"""
        self.shop.stop()
        log = os.path.join(self.shop.data, NODE, "journal", "log")
        newest = os.path.join(log, max(name for name in os.listdir(log) if name.endswith(".log")))
        with open(newest, "r+b") as file:
            file.seek(600)
            byte = file.read(1)[0]
            file.seek(600)
            file.write(bytes([byte ^ 1]))
        self.assertEqual(len(self.shop.judge_disk()), 1)


if __name__ == "__main__":
    main()
