"""Every call of docs/http.md, asked on the node that owns the instance and on those that do not."""

import http.client
import re
import sys
import threading
import time
import unittest
import urllib.parse

from cluster import NODES, SLOW, Cluster, build_of, eventually

BUILD = build_of(sys.argv)

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")  # milliseconds, always
ENTRY = [
    "type", "key", "kind", "node", "status", "revision", "waiting_for", "reason", "started_at", "updated_at",
]  # fmt: skip
WHOLE = ENTRY + ["definition_version", "state", "result", "parent", "children"]
STEP = [
    "at", "revision", "kind", "message_type", "message_id", "answers", "from", "to", "attempt", "payload", "status", "sent",
    "note",
]  # fmt: skip
LETTER = ["id", "node", "type", "from", "to", "reason", "attempts", "since", "parked", "may_redrive"]
SERVICE = ["name", "kind", "nodes", "state", "paused", "breaker_open_on", "waiting", "in_execution", "completed", "failed", "oldest_waiting"]
NODE = [
    "name", "address", "http", "hosts", "state", "since", "version", "waiting", "unacknowledged", "connections",
    "last_error",
]  # fmt: skip
COMMAND = ["message_id", "status", "reply_type", "reply", "failure"]


def quoted(key):
    return urllib.parse.quote(key, safe="")


class Calls(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.shop = Cluster(BUILD, parcels=True)
        cls.shop.__enter__()
        cls.shop.wait_ready()
        cls.shop.wait_linked()

    @classmethod
    def tearDownClass(cls):
        cls.shop.__exit__()

    # -- what is asked often ---------------------------------------------------------------------
    def ship(self, node, key, how="well"):
        answer = self.shop.post(node, "/api/v1/publish/parcel_sent", {"id": key, "how": how})
        self.assertEqual(answer.status, 202, answer)
        return answer.json

    def show(self, node, key, kind="delivery"):
        return self.shop.get(node, f"/api/v1/instances/{kind}/{quoted(key)}")

    def status_of(self, key):
        seen = self.show("ordering", key)
        return seen.json["status"] if seen.status == 200 else None

    def until(self, key, status):
        self.assertTrue(eventually(lambda: self.status_of(key) == status, 20 * SLOW), self.show("ordering", key))

    def verb(self, node, key, verb, body=None):
        return self.shop.post(node, f"/api/v1/instances/delivery/{quoted(key)}/{verb}", body)

    def pages(self, node, target, name, between=lambda: None):
        """All entries of all pages, and how many pages there were."""
        entries, cursor, count = [], None, 0
        while True:
            page = self.shop.get(node, target + (f"&cursor={cursor}" if cursor else ""))
            self.assertEqual(page.status, 200, page)
            entries += page.json[name]
            count += 1
            cursor = page.json["next_cursor"]
            if cursor is None:
                return entries, count
            between()

    def refused(self, answer, status, code):
        self.assertEqual((answer.status, answer.error()), (status, code), answer)
        self.assertEqual(list(answer.json["error"]), ["code", "message"])
        self.assertTrue(answer.json["error"]["message"])

    def letters(self, node="ordering"):
        return self.pages(node, "/api/v1/dead-letters?limit=1000", "dead_letters")[0]

    # -- messages --------------------------------------------------------------------------------
    def test_publish_on_every_node(self):
        for node in NODES:
            said = self.ship(node, f"publish-{node}")
            self.assertEqual(list(said), ["message_id", "instances"])
            self.assertEqual(said["instances"], [{"type": "delivery", "key": f"publish-{node}"}])
            for other in NODES:
                end = self.shop.get(other, f"/api/v1/instances/delivery/publish-{node}/result?wait=20s")
                self.assertEqual(end.status, 200, end)
                self.assertEqual(
                    end.json,
                    {
                        "type": "delivery",
                        "key": f"publish-{node}",
                        "status": "completed",
                        "result": f"publish-{node}",
                        "reason": None,
                    },
                )

    def test_publish_that_starts_nothing(self):
        for node in NODES:
            key = f"starts-{node}"
            self.ship("ordering", key, "wait")
            said = self.shop.post(node, "/api/v1/publish/parcel_released", {"id": key})
            self.assertEqual((said.status, said.json["instances"]), (202, []))
            self.until(key, "completed")

    def test_publish_of_unknown_types(self):
        for node in NODES:
            near = self.shop.post(node, "/api/v1/publish/parcel_sended", {"id": "x", "how": ""})
            self.refused(near, 404, "unknown_type")
            self.assertIn("parcel_sent", near.json["error"]["message"])
            self.refused(self.shop.post(node, "/api/v1/publish/carry", {"id": "x", "how": ""}), 404, "unknown_type")
            self.refused(self.shop.post(node, "/api/v1/publish/qqqqqqqqq", {}), 404, "unknown_type")

    def command(self, node, service, kind, body):
        said = self.shop.post(node, f"/api/v1/send/{service}/{kind}", body)
        self.assertEqual(said.status, 202, said)
        self.assertEqual(list(said.json), ["message_id"])
        return said.json["message_id"]

    def test_commands_with_wait(self):
        for node in NODES:
            made = self.command(node, "carrier", "carry", {"id": "c", "how": "slow"})
            for other in NODES:
                early = self.shop.get(other, f"/api/v1/commands/{made}")
                self.assertEqual((early.status, early.json["status"]), (202, "running"), early)
                self.assertLessEqual(set(early.json), set(COMMAND))
            begun = time.monotonic()
            over = self.shop.get(node, f"/api/v1/commands/{made}?wait=100ms")
            self.assertEqual(over.status, 202, over)
            self.assertGreater(time.monotonic() - begun, 0.09)
            for other in NODES:
                end = self.shop.get(other, f"/api/v1/commands/{made}?wait=20s")
                self.assertEqual(end.status, 200, end)
                self.assertLessEqual(set(end.json), set(COMMAND))
                self.assertEqual(
                    [end.json[x] for x in ("message_id", "status", "reply_type", "reply", "failure")],
                    [made, "completed", "carried", {"id": "c"}, None],
                )

    def test_commands_that_fail(self):
        for node in NODES:
            for how, kind, reason in (("decline", "declined", "too heavy"), ("throw", None, "the van broke down")):
                made = self.command(node, "carrier", "carry", {"id": "f", "how": how})
                end = self.shop.get("warehouse", f"/api/v1/commands/{made}?wait=20s")
                self.assertEqual((end.status, end.json["status"]), (200, "failed"), end)
                self.assertEqual((end.json["reply"], end.json["reply_type"]), (None, None))
                self.assertEqual(list(end.json["failure"]), ["kind", "reason"])
                if kind:
                    self.assertEqual(end.json["failure"]["kind"], kind)
                self.assertIn(reason, end.json["failure"]["reason"])

    def test_commands_to_a_keyed_service(self):
        for number, node in enumerate(NODES, 1):
            made = self.command(node, "depot", "store", {"place": "hall", "pieces": 2})
            end = self.shop.get(node, f"/api/v1/commands/{made}?wait=20s")
            self.assertEqual((end.status, end.json["reply"]), (200, {"pieces": 2 * number}), end)
        for node in NODES:
            hall = self.show(node, "hall", "depot")
            self.assertEqual(hall.status, 200, hall)
            self.assertEqual((hall.json["kind"], hall.json["state"]), ("service", {"pieces": 6}))
            self.assertIn(hall.json["node"], ("payment", "warehouse"))

    def test_commands_that_are_not_there(self):
        known = self.command("ordering", "carrier", "carry", {"id": "c", "how": ""})
        for node in NODES:
            self.refused(self.shop.get(node, "/api/v1/commands/0123456789abcdef-99-0"), 404, "not_found")
            other = known.split("-")[0] + "-999999999-0"
            self.refused(self.shop.get(node, f"/api/v1/commands/{other}"), 404, "not_found")
            self.refused(self.shop.get(node, "/api/v1/commands/nonsense"), 400, "malformed")
            self.refused(self.shop.post(node, "/api/v1/send/carrer/carry", {}), 404, "unknown_type")
            self.refused(self.shop.post(node, "/api/v1/send/carrier/carri", {}), 404, "unknown_type")
            self.refused(self.shop.post(node, "/api/v1/send/carrier/parcel_sent", {}), 404, "unknown_type")

    def test_message_types(self):
        for node in NODES:
            said = self.shop.get(node, "/api/v1/message-types")
            self.assertEqual(said.status, 200)
            types = {one["name"]: one for one in said.json["message_types"]}
            self.assertEqual(list(types["store"]), ["name", "version", "fields"])
            self.assertEqual([one["name"] for one in types["store"]["fields"]], ["place", "pieces"])
            self.assertTrue(all(one["type"] for one in types["store"]["fields"]))
            self.assertIn("carried", types)

    # -- instances -------------------------------------------------------------------------------
    def test_an_instance_in_all_its_fields(self):
        self.ship("warehouse", "fields", "wait")
        self.until("fields", "running")
        seen = []
        for node in NODES:
            whole = self.show(node, "fields")
            self.assertEqual(whole.status, 200, whole)
            self.assertEqual(list(whole.json), WHOLE)
            seen.append(whole.json)
        self.assertEqual(seen[0], seen[1])
        self.assertEqual(seen[1], seen[2])
        one = seen[0]
        self.assertEqual(
            [one[x] for x in ("type", "key", "kind", "node", "status", "reason", "result")],
            ["delivery", "fields", "saga", "ordering", "running", None, None],
        )
        self.assertEqual(one["state"], {"sent": {"id": "fields", "how": "wait"}})
        self.assertGreater(one["revision"], 0)
        self.assertIsInstance(one["definition_version"], int)
        self.assertRegex(one["started_at"], TIME)
        self.assertRegex(one["updated_at"], TIME)
        causes = {cause["kind"]: cause for cause in one["waiting_for"]}
        self.assertEqual(list(causes["timer"]), ["kind", "name", "due"])
        self.assertEqual(causes["timer"]["name"], "patience")
        self.assertRegex(causes["timer"]["due"], TIME)
        self.assertEqual(list(causes["event"]), ["kind", "types"])
        self.assertEqual(set(causes["event"]["types"]), {"parcel_released", "parcel_lost"})

    def test_what_waits_for_a_reply(self):
        self.ship("payment", "slowly", "slow")
        self.until("slowly", "running")
        for node in NODES:
            whole = self.show(node, "slowly").json
            replies = [cause for cause in whole["waiting_for"] if cause["kind"] == "reply"]
            if whole["status"] == "completed":
                break
            if replies:
                self.assertEqual(
                    list(replies[0]),
                    ["kind", "command", "service", "node", "sent_at", "attempts", "last_error"],
                )
                self.assertEqual(
                    [replies[0][x] for x in ("command", "service", "node")], ["carry", "carrier", "payment"]
                )
                self.assertRegex(replies[0]["sent_at"], TIME)
        self.until("slowly", "completed")

    def test_instances_that_are_not_there(self):
        for node in NODES:
            self.refused(self.show(node, "no such"), 404, "not_found")
            near = self.show(node, "x", "deliverie")
            self.refused(near, 404, "unknown_type")
            self.assertIn("delivery", near.json["error"]["message"])
            self.refused(self.show(node, "x", "carrier"), 404, "not_found")
            self.refused(self.show(node, "x", "carrier@payment"), 404, "not_found")
            self.refused(self.show(node, "x", "carrier@nowhere"), 404, "unknown_type")
            for rest in ("history", "result"):
                self.refused(self.shop.get(node, f"/api/v1/instances/delivery/none/{rest}"), 404, "not_found")
            self.refused(self.verb(node, "none", "cancel"), 404, "not_found")

    def test_history_in_pages(self):
        self.ship("payment", "history")
        self.until("history", "completed")
        whole = self.shop.get("ordering", "/api/v1/instances/delivery/history/history").json
        self.assertEqual(list(whole), ["entries", "next_cursor"])
        self.assertIsNone(whole["next_cursor"])
        steps = whole["entries"]
        self.assertEqual([step["message_type"] for step in steps], ["parcel_sent", "carried"])
        self.assertEqual([step["sent"] for step in steps], [["carry"], []])
        self.assertEqual([step["status"] for step in steps], ["running", "completed"])
        self.assertLess(steps[0]["revision"], steps[1]["revision"])
        for step in steps:
            self.assertEqual(list(step), STEP)
            self.assertRegex(step["at"], TIME)
            self.assertEqual(step["to"], {"type": "delivery", "key": "history"})
            self.assertEqual(list(step["from"]), ["type", "key"])
        self.assertEqual(steps[0]["payload"], {"id": "history", "how": "well"})
        self.assertIsNone(steps[0]["answers"])
        self.assertEqual(steps[1]["answers"]["type"], "carry")
        self.assertIn(f"-{steps[0]['revision']}-", steps[1]["answers"]["message_id"])
        for node in NODES:
            for limit in (1, 2, 3):
                paged, count = self.pages(
                    node, f"/api/v1/instances/delivery/history/history?limit={limit}", "entries"
                )
                self.assertEqual(paged, steps)
                self.assertEqual(count, -(-len(steps) // limit))

    def test_result_before_and_after(self):
        self.ship("ordering", "result", "wait")
        for node in NODES:
            begun = time.monotonic()
            early = self.shop.get(node, "/api/v1/instances/delivery/result/result?wait=200ms")
            self.assertEqual((early.status, early.json["status"]), (202, "running"), early)
            self.assertGreaterEqual(time.monotonic() - begun, 0.19)
            self.assertEqual((early.json["result"], early.json["reason"]), (None, None))
        ends = []
        waiters = [
            threading.Thread(
                target=lambda node=node: ends.append(
                    self.shop.get(node, "/api/v1/instances/delivery/result/result?wait=20s")
                )
            )
            for node in NODES
        ]
        for one in waiters:
            one.start()
        self.shop.post("warehouse", "/api/v1/publish/parcel_released", {"id": "result"})
        for one in waiters:
            one.join()
        self.assertEqual([(end.status, end.json["status"]) for end in ends], [(200, "completed")] * 3)
        self.refused(self.shop.get("ordering", "/api/v1/instances/depot/x/result"), 404, "unknown_type")

    def test_result_of_one_that_has_just_ended(self):
        """Asked without a wait, while the instance is leaving memory: what has ended is a 200."""
        for number in range(150):
            key = f"just-{number}"
            self.ship("ordering", key)
            self.assertEqual(
                self.shop.get("payment", f"/api/v1/instances/delivery/{key}/result?wait=20s").status, 200
            )
            for node in NODES:
                for wait in ("", "?wait=0s"):
                    end = self.shop.get(node, f"/api/v1/instances/delivery/{key}/result{wait}")
                    self.assertEqual((end.status, end.json["result"]), (200, key), end)

    # -- lists -----------------------------------------------------------------------------------
    def test_lists_and_their_filters(self):
        self.ship("ordering", "list-wait", "wait")
        self.ship("ordering", "list-boom", "boom")
        self.ship("ordering", "list-well")
        self.command("ordering", "depot", "store", {"place": "list-here", "pieces": 1})
        self.until("list-boom", "stuck")
        self.until("list-well", "completed")

        def keys(node, query):
            return {
                one["key"]
                for one in self.pages(node, f"/api/v1/instances?limit=1000{query}", "instances")[0]
                if one["key"].startswith("list-")
            }

        everything = {"list-wait", "list-boom", "list-well"}
        for node in NODES:
            page = self.shop.get(node, "/api/v1/instances").json
            self.assertEqual(list(page), ["instances", "next_cursor", "unreachable"])
            self.assertEqual(page["unreachable"], [])
            self.assertTrue(all(list(one) == ENTRY for one in page["instances"]))
            self.assertEqual(page["instances"], sorted(page["instances"], key=lambda x: (x["type"], x["key"])))
            self.assertEqual(keys(node, ""), everything)
            self.assertEqual(keys(node, "&type=delivery"), everything)
            self.assertEqual(keys(node, "&kind=saga&type=delivery"), everything)
            self.assertEqual(keys(node, "&status=running"), {"list-wait"})
            self.assertEqual(keys(node, "&status=stuck"), {"list-boom"})
            self.assertEqual(keys(node, "&status=completed"), {"list-well"})
            self.assertEqual(keys(node, "&status=paused"), set())
            self.assertEqual(keys(node, "&waiting_for=timer"), {"list-wait"})
            self.assertEqual(keys(node, "&waiting_for=event"), {"list-wait"})
            self.assertEqual(keys(node, "&waiting_for=operator"), {"list-boom"})
            self.assertEqual(keys(node, "&waiting_for=reply"), set())
            self.assertEqual(keys(node, "&waiting_for=delivery"), set())
            self.assertTrue(eventually(lambda: keys(node, "&kind=service") == {"list-here"}), node)
            self.assertEqual(keys(node, "&kind=service&type=depot"), {"list-here"})
            self.assertEqual(keys(node, "&type=delivery&status=running&waiting_for=event"), {"list-wait"})
            wrong = self.shop.get(node, "/api/v1/instances?kind=service&type=delivery")
            self.refused(wrong, 404, "unknown_type")

    def test_commands_in_execution(self):
        """A command has a record from its first failure on; until then only who waits for it shows it."""
        for node in NODES:
            self.ship(node, f"exec-{node}", "never")
            self.until(f"exec-{node}", "compensating")
        mine = {f"exec-{node}" for node in NODES}
        for node in NODES:

            def retried(node=node):
                found = self.pages(node, "/api/v1/instances?kind=command&limit=1000", "instances")[0]
                return [one for one in found if one["reason"] and "ramp" in one["reason"]]

            self.assertTrue(eventually(lambda: len(retried()) == 3, 20 * SLOW), retried())
            for one in retried():
                self.assertEqual(list(one), ENTRY)
                self.assertEqual((one["kind"], one["type"], one["node"]), ("command", "carrier@payment", "payment"))
                whole = self.show(node, one["key"], "carrier@payment")
                self.assertEqual(whole.status, 200, whole)
                self.assertEqual(list(whole.json), WHOLE + ["attempts"])
                self.assertGreater(whole.json["attempts"], 0)
            only = self.pages(node, "/api/v1/instances?kind=command&type=carrier&limit=1000", "instances")[0]
            self.assertEqual({one["type"] for one in only}, {"carrier@payment"})
            waiting = self.pages(node, "/api/v1/instances?waiting_for=carrier&limit=1000", "instances")[0]
            self.assertLessEqual(mine, {one["key"] for one in waiting})
            replies = self.pages(node, "/api/v1/instances?waiting_for=reply&limit=1000", "instances")[0]
            self.assertLessEqual(mine, {one["key"] for one in replies})
            depot = self.pages(node, "/api/v1/instances?waiting_for=depot&limit=1000", "instances")[0]
            self.assertEqual(mine & {one["key"] for one in depot}, set())
            compensating = self.pages(node, "/api/v1/instances?status=compensating&limit=1000", "instances")[0]
            self.assertEqual({one["key"] for one in compensating}, mine)
            cause = self.show(node, f"exec-{node}").json["waiting_for"][0]
            self.assertEqual(list(cause), ["kind", "command", "service", "node", "sent_at", "attempts", "last_error"])
            self.assertGreater(cause["attempts"], 0)
            self.assertIn("ramp", cause["last_error"])
            for verb in ("cancel", "resume", "retry"):
                self.refused(self.verb(node, f"exec-{node}", verb), 409, "conflict")
            self.done(node, f"exec-{node}", "pause")
            self.assertEqual(self.status_of(f"exec-{node}"), "paused")
            self.refused(self.verb(node, f"exec-{node}", "cancel"), 409, "conflict")
            self.done(node, f"exec-{node}", "resume")

    def test_pages_stay_valid_while_orders_come(self):
        for number in range(60):
            self.ship(NODES[number % 3], f"page-{number:03}", "wait")
            made = {"place": f"page-{number:03}", "pieces": 1}
            self.command(NODES[number % 3], "depot", "store", made)
        expected = {f"page-{number:03}" for number in range(60)}
        self.assertTrue(
            eventually(
                lambda: expected
                <= {
                    one["key"]
                    for one in self.pages("ordering", "/api/v1/instances?kind=service&limit=1000", "instances")[0]
                },
                20 * SLOW,
            )
        )
        fresh = iter(range(1_000_000))

        def disturb():
            number = next(fresh)
            if number % 40 >= 20:  # what comes behind the cursor must not keep it from the end
                return
            for prefix in ("a", "page-0305", "zz"):
                self.ship("payment", f"{prefix}-new-{number}")
                self.command("ordering", "depot", "store", {"place": f"{prefix}-new-{number}", "pieces": 1})

        for kind in ("saga", "service"):
            for node in NODES:
                for limit in (1, 7, 25) if kind == "saga" and node == "payment" else (7, 59):
                    seen, count = self.pages(
                        node, f"/api/v1/instances?kind={kind}&limit={limit}", "instances", disturb
                    )
                    keys = [one["key"] for one in seen]
                    self.assertEqual(len(keys), len(set(keys)), "something is there twice")
                    self.assertEqual(expected - set(keys), set(), "something is missing")
                    self.assertEqual(keys, sorted(keys))
                    self.assertGreater(count, 1)

    # -- verbs -----------------------------------------------------------------------------------
    def verdicts(self, node, key):
        """Which verbs are allowed now, without doing one: those that are not."""
        return {
            verb
            for verb in ("cancel", "pause", "resume", "retry", "skip")
            if self.verb(node, key, verb, {"note": "n"}).status == 409
        }

    def done(self, node, key, verb, body=None):
        said = self.verb(node, key, verb, body)
        self.assertEqual((said.status, said.json), (202, {"type": "delivery", "key": key, "verb": verb}), said)

    def test_verbs_in_every_status(self):
        every = {"cancel", "pause", "resume", "retry", "skip"}
        for node in NODES:
            # completed, compensated: none
            ended = f"verbs-end-{node}"
            self.ship(node, ended)
            self.until(ended, "completed")
            self.assertEqual(self.verdicts(node, ended), every)
            # running: pause and cancel
            key = f"verbs-{node}"
            self.ship(node, key, "wait")
            self.until(key, "running")  # an event taken in elsewhere is on its way for a moment
            for verb in ("resume", "retry"):
                self.refused(self.verb(node, key, verb), 409, "conflict")
            self.refused(self.verb(node, key, "skip", {"note": "n"}), 409, "conflict")
            self.done(node, key, "pause", {"who": "ann", "note": "a look"})
            self.assertEqual(self.status_of(key), "paused")
            # paused: resume and cancel
            for verb in ("pause", "retry"):
                self.refused(self.verb(node, key, verb), 409, "conflict")
            self.done(node, key, "resume", "")
            self.assertEqual(self.status_of(key), "running")
            self.done(node, key, "pause", {})
            self.done(node, key, "cancel", {"who": "ann"})
            self.until(key, "compensated")
            self.assertEqual(self.verdicts(node, key), every)
            kinds = [
                (step["kind"], step["note"])
                for step in self.shop.get(node, f"/api/v1/instances/delivery/{key}/history").json["entries"]
            ]
            self.assertTrue(any(kind == "pause" and "ann" in note and "a look" in note for kind, note in kinds), kinds)
            # stuck in a handler: retry, cancel
            stuck = f"verbs-boom-{node}"
            self.ship(node, stuck, "boom")
            self.until(stuck, "stuck")
            whole = self.show(node, stuck).json
            self.assertIn("illegible", whole["reason"])
            self.assertEqual([cause["kind"] for cause in whole["waiting_for"]], ["operator"])
            self.assertEqual(list(whole["waiting_for"][0]), ["kind", "reason", "since"])
            for verb in ("pause", "resume"):
                self.refused(self.verb(node, stuck, verb), 409, "conflict")
            self.refused(self.verb(node, stuck, "skip", {"note": "n"}), 409, "conflict")
            self.done(node, stuck, "retry")
            self.until(stuck, "stuck")
            self.done(node, stuck, "cancel", {"note": "gone"})
            self.until(stuck, "compensated")
            # stuck on a compensation: retry, skip
            undo = f"verbs-undo-{node}"
            self.ship(node, undo, "undo")
            self.until(undo, "stuck")
            for verb in ("pause", "resume", "cancel"):
                self.refused(self.verb(node, undo, verb), 409, "conflict")
            self.refused(self.verb(node, undo, "skip"), 400, "malformed")
            self.refused(self.verb(node, undo, "skip", {"note": ""}), 400, "malformed")
            self.done(node, undo, "retry")
            self.until(undo, "stuck")
            self.done(node, undo, "skip", {"who": "ann", "note": "fetched it by hand"})
            self.until(undo, "compensated")

    def test_verbs_are_for_sagas(self):
        made = self.command("ordering", "depot", "store", {"place": "verbless", "pieces": 1})
        self.shop.get("ordering", f"/api/v1/commands/{made}?wait=20s")
        for node in NODES:
            self.refused(self.shop.post(node, "/api/v1/instances/depot/verbless/pause"), 409, "conflict")

    # -- dead letters -----------------------------------------------------------------------------
    def letter_of(self, message_id, node="ordering"):
        """The letter of a command that was given up."""
        self.assertTrue(
            eventually(lambda: any(one["id"] == message_id for one in self.letters()), 20 * SLOW),
            self.letters(),
        )
        return next(one for one in self.letters(node) if one["id"] == message_id)

    def test_letters_shown_and_corrected(self):
        for node in NODES:
            for service, kind, wrong, right in (
                ("carrier", "carry", {"id": "L", "how": "throw"}, {"id": "L", "how": "well"}),
                ("depot", "store", {"place": f"L-{node}", "pieces": -1}, {"place": f"L-{node}", "pieces": 1}),
            ):
                made = self.command(node, service, kind, wrong)
                letter = self.letter_of(made, node)
                self.assertEqual(list(letter), LETTER)
                self.assertEqual((letter["type"], letter["attempts"], letter["may_redrive"]), (kind, 2, True))
                self.assertRegex(letter["since"], TIME)
                self.assertEqual(list(letter["from"]), ["type", "key"])
                self.assertTrue(letter["to"]["type"].startswith(service), letter)
                shown = self.shop.get(node, f"/api/v1/dead-letters/{made}")
                self.assertEqual((shown.status, shown.json), (200, {**letter, "payload": wrong}))
                path = f"/api/v1/dead-letters/{made}/redrive"
                self.refused(self.shop.post(node, path, {"nonsense": 1}), 400, "malformed")
                self.refused(self.shop.post(node, path, "{"), 400, "malformed")
                said = self.shop.post(node, path, right)
                self.assertEqual((said.status, said.json), (202, {"id": made}))
                self.assertTrue(
                    eventually(lambda: self.shop.get(node, f"/api/v1/dead-letters/{made}").status == 404, 20 * SLOW)
                )
                self.assertNotIn(made, [one["id"] for one in self.letters()])
        place = f"L-{NODES[0]}"
        self.assertEqual(self.show("ordering", place, "depot").json["state"], {"pieces": 1})

    def test_letters_sent_again_as_they_were(self):
        made = self.command("payment", "carrier", "carry", {"id": "again", "how": "throw"})
        self.letter_of(made)
        before = {one["id"] for one in self.letters()}
        said = self.shop.post("warehouse", f"/api/v1/dead-letters/{made}/redrive")
        self.assertEqual(said.status, 202, said)

        def another():
            return {one["id"] for one in self.letters()} - before

        self.assertTrue(eventually(another, 20 * SLOW), "what fails again makes another letter")
        (new,) = another()
        for node in NODES:
            self.refused(self.shop.get(node, f"/api/v1/dead-letters/{made}"), 404, "not_found")
        gone = self.shop.ask("ordering", "DELETE", f"/api/v1/dead-letters/{new}")
        self.assertEqual((gone.status, gone.json), (202, {"id": new}), gone)
        for node in NODES:
            self.refused(self.shop.get(node, f"/api/v1/dead-letters/{new}"), 404, "not_found")
            self.refused(self.shop.ask(node, "DELETE", f"/api/v1/dead-letters/{new}"), 404, "not_found")
            self.refused(self.shop.post(node, f"/api/v1/dead-letters/{new}/redrive"), 404, "not_found")

    def test_letters_whose_requester_was_told(self):
        before = {one["id"] for one in self.letters()}
        self.ship("payment", "told", "throw")
        self.until("told", "compensated")
        new = [one for one in self.letters() if one["id"] not in before and one["from"]["key"] == "told"]
        self.assertEqual(len(new), 1, new)
        self.assertEqual((new[0]["may_redrive"], new[0]["node"]), (False, "payment"))
        self.assertEqual(new[0]["from"], {"type": "delivery", "key": "told"})
        for node in NODES:
            self.refused(self.shop.post(node, f"/api/v1/dead-letters/{new[0]['id']}/redrive"), 409, "conflict")
        gone = self.shop.ask("warehouse", "DELETE", f"/api/v1/dead-letters/{new[0]['id']}")
        self.assertEqual(gone.status, 202, gone)

    def test_letters_of_events_and_their_pages(self):
        before = {one["id"] for one in self.letters()}
        for number in range(7):
            self.shop.post(NODES[number % 3], "/api/v1/publish/parcel_lost", {"id": f"unknown-{number}"})

        def new():
            return [one for one in self.letters() if one["id"] not in before and one["type"] == "parcel_lost"]

        self.assertTrue(eventually(lambda: len(new()) == 7, 20 * SLOW), new())
        for node in NODES:
            whole = self.letters(node)
            for limit in (1, 3):
                paged, _ = self.pages(node, f"/api/v1/dead-letters?limit={limit}", "dead_letters")
                self.assertEqual(paged, whole)
        one = new()[0]
        self.ship("ordering", one["to"]["key"], "wait")
        said = self.shop.post("payment", f"/api/v1/dead-letters/{one['id']}/redrive")
        self.assertEqual(said.status, 202, said)
        self.until(one["to"]["key"], "compensated")
        for other in new():
            self.shop.ask("payment", "DELETE", f"/api/v1/dead-letters/{other['id']}")
        self.assertTrue(eventually(lambda: not new(), 20 * SLOW), new())

    def test_parked_commands_are_letters(self):
        for node, how in (("ordering", "later"), ("payment", "hopeless")):
            sent = self.shop.post(node, "/api/v1/send/customs/clear_customs", {"id": "p", "how": how})
            self.assertEqual(sent.status, 202, sent)
            made = sent.json["message_id"]
            letter = self.letter_of(made, node)
            self.assertEqual(list(letter), LETTER)
            self.assertEqual((letter["parked"], letter["may_redrive"], letter["attempts"]), (True, True, 2))
            self.assertEqual((letter["type"], letter["node"]), ("clear_customs", "warehouse"))
            self.assertIn("on strike", letter["reason"])
            # Its requester goes on waiting.
            self.assertEqual(self.shop.get("warehouse", f"/api/v1/commands/{made}").status, 202)
            path = f"/api/v1/dead-letters/{made}"
            self.assertEqual(self.shop.get("ordering", path).json, {**letter, "payload": {"id": "p", "how": how}})
            self.refused(self.shop.post(node, path + "/redrive", {"id": "p", "how": "well"}), 409, "conflict")
            verb, end = ("POST", "completed") if how == "later" else ("DELETE", "failed")
            said = self.shop.ask("payment", verb, path + ("/redrive" if verb == "POST" else ""))
            self.assertEqual((said.status, said.json), (202, {"id": made}), said)
            outcome = self.shop.get(node, f"/api/v1/commands/{made}?wait=20s")
            self.assertEqual((outcome.status, outcome.json["status"]), (200, end), outcome)
            if how == "hopeless":
                self.assertEqual(outcome.json["failure"]["kind"], "unknown")
            self.assertTrue(eventually(lambda: self.shop.get(node, path).status == 404, 20 * SLOW))

    def test_letters_that_never_were(self):
        for node in NODES:
            for name in ("nonsense", "0123456789abcdef-1-0", "%00", "a%2Fb", "x" * 1000):
                self.refused(self.shop.get(node, f"/api/v1/dead-letters/{name}"), 404, "not_found")

    # -- the cluster ------------------------------------------------------------------------------
    def test_the_cluster(self):
        for node in NODES:
            self.assertEqual(self.shop.get(node, "/healthz").status, 200)
            self.assertEqual(self.shop.get(node, "/readyz").status, 200)
            here = self.shop.get(node, "/api/v1/node")
            self.assertEqual((here.status, here.json["name"], here.json["cluster"]), (200, node, "shop"))
            self.assertRegex(here.json["started_at"], TIME)
            self.assertGreater(here.json["memory_bytes"], 1_000_000)
            seen = self.shop.get(node, "/api/v1/nodes").json["nodes"]
            self.assertEqual([one["name"] for one in seen], list(NODES))
            for one in seen:
                self.assertEqual(list(one), NODE)
                self.assertEqual((one["state"], one["last_error"]), ("up", ""))
                self.assertEqual(one["http"], f"127.0.0.1:{self.shop.http[one['name']]}")
                self.assertRegex(one["since"], TIME)
            said = self.shop.get(node, "/api/v1/services").json
            self.assertEqual(list(said), ["services", "unreachable"])
            services = {one["name"]: one for one in said["services"]}
            self.assertEqual(set(services), {"carrier", "customs", "depot"})
            for one in services.values():
                self.assertLessEqual(set(one), set(SERVICE))
                self.assertEqual(one["state"], "up")
            self.assertEqual((services["carrier"]["kind"], services["carrier"]["nodes"]), ("stateless", ["payment"]))
            self.assertEqual(
                (services["depot"]["kind"], sorted(services["depot"]["nodes"])), ("keyed", ["payment", "warehouse"])
            )

    def test_waiting_commands_are_counted(self):
        self.shop.signal("payment", 19)
        try:
            self.ship("ordering", "counted", "well")

            def counted():
                said = self.shop.get("ordering", "/api/v1/services", timeout=30).json
                carrier = [one for one in said["services"] if one["name"] == "carrier"]
                return carrier and carrier[0]["waiting"] >= 1 and TIME.match(carrier[0]["oldest_waiting"])

            self.assertTrue(eventually(counted, 20 * SLOW))
        finally:
            self.shop.signal("payment", 18)
        self.until("counted", "completed")
        self.shop.wait_linked()

    # -- keys -------------------------------------------------------------------------------------
    def test_keys_of_every_kind(self):
        keys = [
            "a/b", "//", "100%", "%2F", "a b", " ", "Grüße-äöüß", "📦🚚", "a?b=c&d", "#", "..", ".", "a;b", "+", "'\"<>\\",
            "k" * 512, "@payment",
        ]  # fmt: skip
        for number, key in enumerate(keys):
            with self.subTest(key=key[:20]):
                node = NODES[number % 3]
                other = NODES[(number + 1) % 3]
                self.assertEqual(self.ship(node, key)["instances"], [{"type": "delivery", "key": key}])
                path = f"/api/v1/instances/delivery/{quoted(key)}"
                end = self.shop.get(other, f"{path}/result?wait=20s")
                self.assertEqual((end.status, end.json["key"], end.json["result"]), (200, key, key), end)
                self.assertEqual(self.shop.get(other, path).json["key"], key)
                steps = self.shop.get(node, f"{path}/history").json["entries"]
                self.assertEqual(steps[0]["to"]["key"], key)
                self.refused(self.shop.post(other, f"{path}/pause"), 409, "conflict")
        listed = [one["key"] for one in self.pages("payment", "/api/v1/instances?limit=3", "instances")[0]]
        self.assertLessEqual(set(keys), set(listed))
        self.assertEqual(len(listed), len(set(listed)))

    def test_keys_that_cannot_be_shown(self):
        for key in ("k" * 513, "📦" * 129, "\t\n", "a\x00b", "\x1b[2J", "\x9b2J", "\u202egpj.exe", "a\u2028b"):
            with self.subTest(key=key[:20]):
                said = self.shop.post("payment", "/api/v1/publish/parcel_sent", {"id": key, "how": "well"})
                self.refused(said, 400, "malformed")

    def test_an_empty_key(self):
        for node in NODES:
            said = self.shop.post(node, "/api/v1/publish/parcel_sent", {"id": "", "how": "well"})
            self.refused(said, 400, "malformed")
            self.refused(self.shop.get(node, "/api/v1/instances/delivery/"), 404, "not_found")

    # -- connections ------------------------------------------------------------------------------
    def test_a_connection_is_used_again(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.shop.http["payment"], timeout=30)
        for number in range(50):
            body = f'{{"id": "kept-{number}", "how": ""}}'
            connection.request("POST", "/api/v1/publish/parcel_sent", body, self.shop.authorization())
            answer = connection.getresponse()
            self.assertEqual(answer.status, 202)
            self.assertIn("application/json", answer.getheader("Content-Type"))
            answer.read()
            number_of_socket = connection.sock.fileno()
            if number == 0:
                first = number_of_socket
            self.assertEqual(number_of_socket, first)
        connection.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
