"""Traces: a client's traceparent goes with everything that its message causes, through all nodes and over a restart."""

import glob
import http.server
import json
import os
import sys
import threading
import unittest

from cluster import Cluster, build_of, eventually, order_of

BUILD = build_of(sys.argv)

TRACE = "0af7651916cd43dd8448eb211c80319c"
CLIENT = "b7ad6b7169203331"


class Collector:
    """Takes what nodes POST to it."""

    def __init__(self):
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def spans_in(requests):
    for request in requests:
        for resource in request["resourceSpans"]:
            node = resource["resource"]["attributes"][0]["value"]["stringValue"]
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    yield node, span


def spans_of_files(folder):
    found = []
    for path in glob.glob(os.path.join(folder, "*.jsonl")):
        with open(path) as lines:
            found += spans_in(json.loads(line) for line in lines if line.endswith("\n"))
    return found


class Tracing(unittest.TestCase):
    def setUp(self):
        self.collector = Collector()
        self.addCleanup(self.collector.close)

    def test_a_trace_spans_all_nodes_and_a_restart(self):
        extra = f'\n[node]\ntrace-folder="traces"\ntrace-url="http://127.0.0.1:{self.collector.port}/v1/traces"\n'
        with Cluster(BUILD, extra=extra) as cluster:
            cluster.kill("payment")
            sent = cluster.post(
                "warehouse",
                "/api/v1/publish/order_placed",
                order_of("o-1"),
                headers={"traceparent": f"00-{TRACE}-{CLIENT}-01"},
            )
            self.assertEqual(sent.status, 202, sent)
            folder = os.path.join(cluster.folder, "traces")

            def names():
                return {(node, span["name"]) for node, span in spans_of_files(folder) if span["traceId"] == TRACE}

            # What is told and not written is gone with the process, so it must be written first.
            self.assertTrue(eventually(lambda: ("ordering", "fulfilment start") in names()), names())
            cluster.kill("ordering")  # what it has to send again has the trace too
            cluster.start("ordering")
            cluster.start("payment")
            ended = cluster.result("ordering", "o-1")
            self.assertEqual(ended.status, 200, ended)
            wanted = {
                ("warehouse", "publish order_placed"),
                ("ordering", "fulfilment start"),
                ("ordering", "fulfilment reply"),
                ("payment", "payment make_payment"),
                ("warehouse", "warehouse create_shipping_label"),
            }
            self.assertTrue(eventually(lambda: wanted <= names()), wanted - names())
            mine = lambda: [one for one in spans_of_files(folder) if one[1]["traceId"] == TRACE]  # noqa: E731
            self.assertTrue(eventually(lambda: any(is_end(span) for _, span in mine())))
            spans = mine()
            known = {span["spanId"]: span for _, span in spans}
            for node, span in spans:
                self.assertRegex(span["spanId"], "^[0-9a-f]{16}$")
                parent = span["parentSpanId"]
                self.assertTrue(parent == CLIENT or parent in known, f"{node} {span['name']} has no known parent")
                self.assertLessEqual(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]))
            first = [span for _, span in spans if span["parentSpanId"] == CLIENT]
            self.assertEqual([span["name"] for span in first], ["publish order_placed"])
            posted = list(spans_in(body for _, body in self.collector.requests))
            self.assertTrue(all(path == "/v1/traces" for path, _ in self.collector.requests))
            self.assertLessEqual({span["spanId"] for node, span in posted if span["traceId"] == TRACE}, set(known))
            self.assertTrue(any(span["traceId"] == TRACE for _, span in posted))

    def test_an_http_service_is_handed_the_trace(self):
        seen = []

        class Provider(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                seen.append((self.headers["Continuo-Message-Type"], self.headers["traceparent"]))
                body = json.dumps({"order_id": asked["order_id"], "payment_id": "p-1"}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
        server.daemon_threads = True
        self.addCleanup(server.server_close)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        self.addCleanup(serving.join)
        self.addCleanup(server.shutdown)
        extra = f'\n[services.payment]\nurl="http://127.0.0.1:{server.server_address[1]}"\n'
        with Cluster(BUILD, extra=extra) as cluster:
            for order, headers in (("o-1", {"traceparent": f"00-{TRACE}-{CLIENT}-01"}), ("o-2", {})):
                sent = cluster.post("ordering", "/api/v1/publish/order_placed", order_of(order), headers=headers)
                self.assertEqual(sent.status, 202, sent)
                ended = cluster.result("ordering", order)
                self.assertEqual((ended.status, ended.json["status"]), (200, "completed"), ended)
        self.assertEqual([what for what, _ in seen], ["make_payment", "make_payment"])
        self.assertRegex(seen[0][1], f"^00-{TRACE}-[0-9a-f]{{16}}-01$")
        self.assertNotIn(CLIENT, seen[0][1])  # its parent is the call, not the client
        self.assertIsNone(seen[1][1])

    def test_without_a_header_a_trace_begins_and_a_bad_one_is_none(self):
        with Cluster(BUILD, extra='\n[node]\ntrace-folder="traces"\n') as cluster:
            for number, header in enumerate([None, "00-zz-b7ad6b7169203331-01", "", "00-" + "0" * 32 + f"-{CLIENT}-01"]):
                headers = {} if header is None else {"traceparent": header}
                sent = cluster.post(
                    "ordering", "/api/v1/publish/order_placed", order_of(f"o-{number}"), headers=headers
                )
                self.assertEqual(sent.status, 202, sent)
                self.assertEqual(cluster.result("ordering", f"o-{number}").status, 200)
            folder = os.path.join(cluster.folder, "traces")
            roots = eventually(
                lambda: len([1 for _, span in spans_of_files(folder) if "parentSpanId" not in span]) >= 4
            )
            self.assertTrue(roots)
            begun = [span for _, span in spans_of_files(folder) if "parentSpanId" not in span]
            self.assertEqual(len({span["traceId"] for span in begun}), 4)
            self.assertEqual({span["name"] for span in begun}, {"publish order_placed"})

    def test_an_unsampled_trace_is_carried_and_not_written(self):
        with Cluster(BUILD, extra='\n[node]\ntrace-folder="traces"\n') as cluster:
            sent = cluster.post(
                "ordering",
                "/api/v1/publish/order_placed",
                order_of("o-1"),
                headers={"traceparent": f"00-{TRACE}-{CLIENT}-00"},
            )
            self.assertEqual(sent.status, 202, sent)
            self.assertEqual(cluster.result("ordering", "o-1").status, 200)
            self.assertEqual(cluster.place("ordering", "o-2").status, 202)  # one that is written, behind it
            self.assertEqual(cluster.result("ordering", "o-2").status, 200)
            folder = os.path.join(cluster.folder, "traces")
            self.assertTrue(eventually(lambda: spans_of_files(folder)))
            self.assertFalse([1 for _, span in spans_of_files(folder) if span["traceId"] == TRACE])


def is_end(span):
    return any(
        one["key"] == "continuo.status" and one["value"]["stringValue"] in ("completed", "compensated")
        for one in span["attributes"]
    )


if __name__ == "__main__":
    unittest.main(verbosity=2)
