"""Schedules of a cluster file: fired, listed, stopped and triggered on any node, over restarts."""

import json
import os
import subprocess
import sys
import unittest

from cluster import NODES, SLOW, Cluster, build_of, eventually

BUILD = build_of(sys.argv)
COUNT = 12


def sections(node, _peers, _http):
    """Lines behind the last node's: schedules that fire each second, and one that never does while this runs."""
    if node != NODES[-1]:
        return []
    lines = []
    for number in range(COUNT):
        lines += [f"[schedules.tick-{number}]", 'when="@every 1s"', 'event="parcel_sent"']
        lines.append("body=" + json.dumps(json.dumps({"id": "{name}-{due}", "how": "well"})))
    lines += ["[schedules.yearly]", 'when="30 2 29 2 *"', 'zone="Europe/Berlin"', 'event="parcel_sent"']
    lines.append("body=" + json.dumps(json.dumps({"id": "{name}-{due}", "how": "well"})))
    return lines


class Schedules(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shop = Cluster(BUILD, parcels=True, more=sections)
        cls.shop.__enter__()
        cls.shop.wait_ready()
        cls.shop.wait_linked()

    @classmethod
    def tearDownClass(cls):
        cls.shop.__exit__()

    def all(self, node="ordering", limit=100):
        """By name, read page by page."""
        found, cursor = {}, ""
        while True:
            page = self.shop.get(node, f"/api/v1/schedules?limit={limit}{cursor}").json
            for one in page["schedules"]:
                self.assertNotIn(one["name"], found)
                found[one["name"]] = one
            if not page["next_cursor"]:
                return found
            cursor = "&cursor=" + page["next_cursor"]

    def tool(self, *words):
        return subprocess.run(
            [self.shop.continuo, *words, "--config", self.shop.file], capture_output=True, text=True, timeout=60
        )

    def test_each_lives_on_one_node_and_all_nodes_say_so(self):
        names = {f"tick-{number}" for number in range(COUNT)} | {"yearly"}
        for node in NODES:
            for limit in (100, 5, 1):
                self.assertEqual(set(self.all(node, limit)), names)
        self.assertGreater(len({one["node"] for one in self.all().values()}), 1)
        for one in self.all().values():
            for node in NODES:
                self.assertEqual(self.shop.get(node, f"/api/v1/schedules/{one['name']}").json["node"], one["node"])

    def test_the_next_times_are_shown(self):
        one = self.shop.get("payment", "/api/v1/schedules/yearly").json
        self.assertEqual(len(one["next"]), 5)
        self.assertTrue(all("-02-29T01:30:00.000Z" in at for at in one["next"]), one["next"])

    def test_each_time_starts_one_instance(self):
        before = self.all()["tick-3"]["fired"]
        self.assertTrue(eventually(lambda: self.all()["tick-3"]["fired"] > before + 2, 20 * SLOW))
        due = self.all()["tick-3"]["last"]["due"].replace(".000Z", "Z")
        path = f"/api/v1/instances/delivery/tick-3-{due}/result?wait=20s"
        self.assertEqual(self.shop.get("warehouse", path).json["status"], "completed")

    def test_a_restart_misses_nothing_but_what_was_due_meanwhile(self):
        self.assertTrue(eventually(lambda: self.all()["tick-5"]["fired"] > 0, 20 * SLOW))
        one = self.all()["tick-5"]
        self.shop.kill(one["node"])
        self.shop.start(one["node"])
        self.shop.wait_ready()
        self.shop.wait_linked()
        before = self.all()["tick-5"]["fired"]
        self.assertGreaterEqual(before, one["fired"])
        self.assertTrue(eventually(lambda: self.all()["tick-5"]["fired"] > before + 1, 20 * SLOW))

    def test_an_operator_stops_one_and_lets_it_go_on(self):
        paused = self.tool("schedules", "pause", "tick-1")
        self.assertEqual(paused.stdout, "tick-1: pause is done\n", paused.stderr)
        one = self.shop.get("ordering", "/api/v1/schedules/tick-1").json
        self.assertEqual((one["status"], one["next"]), ("paused", []))
        again = self.tool("schedules", "pause", "tick-1")
        self.assertEqual((again.returncode, again.stderr), (1, "continuo: it is paused already\n"))
        triggered = self.tool("schedules", "trigger", "tick-1")
        self.assertIn("tick-1: trigger is done, as message ", triggered.stdout)
        later = self.shop.get("warehouse", "/api/v1/schedules/tick-1").json
        self.assertEqual(later["fired"], one["fired"] + 1)
        self.assertEqual(self.tool("schedules", "resume", "tick-1").returncode, 0)
        self.assertTrue(
            eventually(lambda: self.all()["tick-1"]["fired"] > later["fired"] + 1, 20 * SLOW)
        )
        listed = self.tool("schedules")
        self.assertIn("yearly", listed.stdout)

    def test_a_schedule_that_there_is_not(self):
        for node in NODES:
            said = self.shop.get(node, "/api/v1/schedules/nobody")
            self.assertEqual((said.status, said.error()), (404, "not_found"))
            said = self.shop.post(node, "/api/v1/schedules/nobody/trigger")
            self.assertEqual((said.status, said.error()), (404, "not_found"))

    def test_a_mistake_is_named_with_its_place_as_the_node_starts(self):
        with open(self.shop.file) as file:
            text = file.read()
        path = os.path.join(self.shop.folder, "wrong.conf")
        with open(path, "w") as out:
            out.write(text.replace("30 2 29 2 *", "30 2 30 2 *"))
        ended = subprocess.run(
            [os.path.join(BUILD, "tests", "programs", "parcel_node"), "--config", path, "--node", "ordering"],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        line = text.split("\n").index("[schedules.yearly]") + 1
        self.assertEqual(ended.returncode, 2)
        self.assertIn(f'{path}:{line}: schedules.yearly: when: "30 2 30 2 *" never comes', ended.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
