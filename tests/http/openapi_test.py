"""docs/openapi.yaml and what the nodes do are the same: its calls are there, all calls are in it, and answers match."""

import glob
import json
import os
import re
import sys
import unittest

from cluster import NODES, SLOW, Cluster, build_of, eventually

BUILD = build_of(sys.argv)

# In the description, and in no node yet: nothing of them is checked.
NOT_YET = []

# A stream does not end, and is looked at by its own test.
STREAMS = ["GET /api/v1/events"]

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
}
KNOWN_WORDS = {
    "type", "properties", "required", "enum", "nullable", "items", "additionalProperties", "format", "description",
    "minimum", "maximum", "minLength", "maxLength", "pattern", "default", "$ref",
}  # fmt: skip
DATE_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")  # milliseconds, always


def read_description():
    with open(os.path.join(ROOT, "docs", "openapi.yaml"), encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith("#")]
    return json.loads("".join(lines))


API = read_description()


def resolve(node):
    """What a reference stands for."""
    while "$ref" in node:
        at = API
        for part in node["$ref"].removeprefix("#/").split("/"):
            at = at[part]
        node = at
    return node


def objections(value, schema, where="$", name=""):
    """Why the value is not what the schema says; empty if it is."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        schema = resolve(schema)
    unknown = set(schema) - KNOWN_WORDS
    if unknown:
        return [f"{where}: the test knows nothing of {unknown}"]
    if value is None and (schema.get("nullable") or "type" not in schema):
        return []
    found = []
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (kind == "integer" and isinstance(value, bool))):
        return [f"{where}: {value!r:.80} is no {kind}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r:.80} is none of {schema['enum']}")
    if schema.get("format") == "date-time" and not DATE_TIME.match(value):
        found.append(f"{where}: {value!r:.80} is no time")
    if kind == "array":
        for number, one in enumerate(value):
            found += objections(one, schema.get("items", {}), f"{where}[{number}]")
    if kind == "object":
        properties = schema.get("properties", {})
        for field in schema.get("required", []):
            if field not in value:
                found.append(f"{where}: {field} is missing")
        for field, one in value.items():
            more = schema.get("additionalProperties", True)
            if field in properties:
                found += objections(one, properties[field], f"{where}.{field}")
            elif more is False:
                found.append(f"{where}: {field} is not in the schema {name}")
            elif isinstance(more, dict):
                found += objections(one, more, f"{where}.{field}")
    return found


def calls():
    """Method, path and operation of each call."""
    for path, operations in API["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path, operation


class Description(unittest.TestCase):
    def test_the_validator_refuses(self):
        one = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
        self.assertEqual(objections({"a": 1}, one), [])
        for wrong in ({}, {"a": "1"}, {"a": True}, {"a": None}, {"a": 1, "b": 2}, [], None):
            self.assertNotEqual(objections(wrong, one), [], wrong)
        listed = {"type": "array", "items": {"type": "string", "enum": ["x"], "nullable": True}}
        self.assertEqual(objections(["x", None], listed), [])
        self.assertNotEqual(objections(["y"], listed), [])
        self.assertNotEqual(objections("now", {"type": "string", "format": "date-time"}), [])

    def test_it_is_sound(self):
        ids = [operation["operationId"] for _, _, operation in calls()]
        self.assertEqual(len(ids), len(set(ids)))
        for method, path, operation in calls():
            named = {
                one["name"] for one in map(resolve, operation.get("parameters", [])) if one["in"] == "path"
            }
            self.assertEqual(named, set(re.findall(r"{(\w+)}", path)), path)
            for answer in map(resolve, operation["responses"].values()):
                self.assertTrue(answer["description"])

        def references(node):
            if isinstance(node, dict):
                if "$ref" in node:
                    resolve(node)
                    yield node["$ref"]
                for one in node.values():
                    yield from references(one)
            elif isinstance(node, list):
                for one in node:
                    yield from references(one)

        used = set(references(API))
        for kind in ("schemas", "parameters", "responses"):
            for name in API["components"][kind]:
                self.assertIn(f"#/components/{kind}/{name}", used, "nobody uses it")

    def test_every_route_is_in_it(self):
        routes = set()
        for source in glob.glob(os.path.join(ROOT, "nodes", "http", "*.cpp")):
            with open(source) as file:
                routes |= set(re.findall(r'route\s*{\s*"([A-Z]+)",\s*"([^"]+)"', file.read()))
        self.assertGreater(len(routes), 20)
        described = {(method, re.sub(r"{\w+}", "{}", path)) for method, path, _ in calls()}
        self.assertEqual(routes - described, set(), "not in docs/openapi.yaml")
        for method, path in described - routes:
            self.assertIn(f"{method} {path}", NOT_YET, "in no node")


def with_schedule(node, _peers, _http):
    """Lines behind the last node's."""
    lines = ["[schedules.hourly]", 'when="@hourly"', 'event="parcel_sent"']
    lines.append("body=" + json.dumps(json.dumps({"id": "{name}-{due}", "how": "well"})))
    return lines if node == NODES[-1] else []


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shop = Cluster(BUILD, parcels=True, more=with_schedule)
        cls.shop.__enter__()
        cls.shop.wait_ready()
        cls.shop.wait_linked()
        cls.seen = {}

    @classmethod
    def tearDownClass(cls):
        cls.shop.__exit__()

    def ask(self, node, method, path, body=None, query="", headers=None, **names):
        """Makes a call and holds the answer against the description."""
        operation = API["paths"][path][method.lower()]
        target = re.sub(r"{(\w+)}", lambda part: names[part.group(1)], path) + query
        said = self.shop.ask(node, method, target, body, headers)
        status = str(said.status)
        self.assertIn(status, operation["responses"], f"{method} {target}: {said}")
        answer = resolve(operation["responses"][status])
        for header in answer.get("headers", {}):
            self.assertIn(header, said.headers)
        (kind, content), *others = answer["content"].items()
        self.assertEqual(others, [])
        self.assertTrue(said.headers["Content-Type"].startswith(kind), said.headers)
        if kind == "application/json":
            self.assertEqual(objections(said.json, content["schema"]), [], f"{method} {target}: {said.body}")
        self.seen.setdefault(f"{method} {path}", set()).add(said.status)
        return said

    def test_every_call_is_there(self):
        for method, path, operation in calls():
            name = f"{method} {path}"
            if name in NOT_YET or name in STREAMS:
                continue
            target = re.sub(r"{\w+}", "x", path)
            for node in NODES:
                said = self.shop.ask(node, method, target)
                self.assertNotEqual(said.status, 405, name)
                self.assertNotIn("there is no call", said.body, name)
                self.assertIn(str(said.status), operation["responses"], f"{name}: {said}")

    def test_unauthorized_is_described(self):
        for method, path, operation in calls():
            for status in ("401", "403"):
                self.assertEqual(status in operation["responses"], path != "/healthz", path)

    def test_answers(self):
        shop = self.shop
        one = "/api/v1/instances/{type}/{key}"
        letters = "/api/v1/dead-letters"
        for node in NODES:
            for how in ("well", "wait", "boom", "undo", "throw", "decline", "store", "slow"):
                body = {"id": f"{how}-{node}", "how": how}
                self.ask(
                    node, "POST", "/api/v1/publish/{event_type}", body, event_type="parcel_sent",
                    headers={"Idempotency-Key": f"{how}-{node}"},
                )  # fmt: skip
            for key in (f"slow-{node}", f"wait-{node}"):
                self.ask(node, "GET", one, type="delivery", key=key)
            for kind in ("saga", "service", "command"):
                self.ask(node, "GET", "/api/v1/instances", query=f"?kind={kind}")
            self.ask(node, "GET", one + "/result", type="delivery", key=f"wait-{node}", query="?wait=10ms")
            sent = []
            for how in ("slow", "decline", "throw"):
                said = self.ask(
                    node, "POST", "/api/v1/send/{service}/{command_type}", {"id": "s", "how": how},
                    service="carrier", command_type="carry",
                )  # fmt: skip
                sent.append(said.json["message_id"])
            for made in sent:
                self.ask(node, "GET", "/api/v1/commands/{message_id}", message_id=made)
                self.ask(node, "GET", "/api/v1/commands/{message_id}", message_id=made, query="?wait=20s")
            for how, end in (("well", "completed"), ("throw", "compensated"), ("decline", "compensated")):
                said = self.ask(
                    node, "GET", one + "/result", type="delivery", key=f"{how}-{node}", query="?wait=20s"
                )
                self.assertEqual(said.json["status"], end)
            for how in ("boom", "undo"):
                eventually(
                    lambda how=how: shop.get(node, f"/api/v1/instances/delivery/{how}-{node}").json["status"]
                    == "stuck",
                    20 * SLOW,
                )
            for how in ("well", "boom", "undo", "throw", "wait", "store"):
                self.ask(node, "GET", one, type="delivery", key=f"{how}-{node}")
                self.ask(node, "GET", one + "/history", type="delivery", key=f"{how}-{node}")
            for verb in ("pause", "resume", "pause", "cancel"):
                self.ask(node, "POST", f"{one}/{verb}", {"who": "ann"}, type="delivery", key=f"wait-{node}")
            self.ask(node, "POST", one + "/retry", type="delivery", key=f"boom-{node}")
            self.ask(node, "POST", one + "/skip", {"note": "by hand"}, type="delivery", key=f"undo-{node}")
            for verb in ("cancel", "pause", "resume", "retry"):
                self.ask(node, "POST", f"{one}/{verb}", type="delivery", key=f"well-{node}")
            self.ask(node, "GET", one, type="depot", key=f"store-{node}")
            self.ask(node, "GET", one + "/history", type="depot", key=f"store-{node}")
            for kind in ("saga", "service", "command"):
                self.ask(node, "GET", "/api/v1/instances", query=f"?kind={kind}&limit=2")
            listed = self.ask(node, "GET", letters).json["dead_letters"]
            self.assertTrue(listed)
            self.ask(node, "GET", letters, query="?limit=1")
            self.ask(node, "GET", letters + "/{id}", id=sent[2])
            self.ask(node, "POST", letters + "/{id}/redrive", {"id": "s", "how": "well"}, id=sent[2])
            told = [letter for letter in listed if not letter["may_redrive"]]
            self.assertTrue(told)
            self.ask(node, "GET", letters + "/{id}", id=told[0]["id"])
            self.ask(node, "POST", letters + "/{id}/redrive", id=told[0]["id"])
            self.ask(node, "DELETE", letters + "/{id}", id=told[0]["id"])
            self.ask(node, "DELETE", letters + "/{id}", id=told[0]["id"])
            schedule = "/api/v1/schedules/{name}"
            self.ask(node, "GET", "/api/v1/schedules")
            self.ask(node, "GET", schedule, name="hourly")
            for verb in ("pause", "pause", "trigger", "resume", "resume"):
                self.ask(node, "POST", f"{schedule}/{verb}", {"who": "ann"}, name="hourly")
                self.ask(node, "GET", schedule, name="hourly")
            self.ask(node, "GET", schedule, name="nobody")
            for verb in ("pause", "resume"):
                self.ask(node, "POST", "/api/v1/services/{service}/" + verb, {"who": "ann", "note": "x"}, service="carrier")
                self.ask(node, "GET", "/api/v1/services")
            self.ask(node, "POST", "/api/v1/services/{service}/pause", service="depot")
            for path in ("/healthz", "/readyz", "/metrics", "/api/v1/node", "/api/v1/nodes", "/api/v1/services", "/api/v1/message-types"):
                self.ask(node, "GET", path)
            self.ask(node, "POST", "/api/v1/backup", {"to": os.path.join(shop.folder, "data", "backups", node)})
        missing = [
            f"{method} {path} {status}"
            for method, path, operation in calls()
            for status in operation["responses"]
            if status.startswith("2")
            and f"{method} {path}" not in NOT_YET + STREAMS
            and int(status) not in self.seen.get(f"{method} {path}", set())
        ]
        self.assertEqual(missing, [], "no such answer was seen")


if __name__ == "__main__":
    unittest.main(verbosity=2)
