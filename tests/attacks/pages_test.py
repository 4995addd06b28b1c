"""Web pages that are looked at on the machine of a node: a browser asks on their behalf, and says so."""

import os
import unittest

from attacks import connect, start

TOKEN = "0123456789abcdef-token"

# What browsers add to a request: for whom it is, and with what right.
PAGES = [
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": "https://example.com"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Origin": "http://localhost:3000"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    {"sec-fetch-site": "Cross-Site"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "none, cross-site"},
]
# Of older browsers, and of a page whose name was made to stand for this machine: without a token these are refused.
OLDER = [
    {"Origin": "https://example.com"},
    {"Origin": "null"},
    {"Host": "example.com"},
    {"Host": "example.com:8101"},
    {"Host": "127.0.0.1.example.com"},
    {"Host": "localhost.example.com"},
    {"Host": "example.com", "Sec-Fetch-Site": "same-origin"},
]
NO_PAGES = [
    {},
    {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},  # who sits before the browser
    {"Sec-Fetch-Site": "same-origin"},
    {"Host": "localhost:8101"},
    {"Host": "127.0.0.1"},
    {"Host": "[::1]:8101"},
]
CALLS = [
    ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/api/v1/nodes"), ("GET", "/api/v1/events"),
    ("GET", "/api/v1/instances/fulfilment/x/result?wait=60s"), ("POST", "/api/v1/publish/order_placed"),
    ("POST", "/api/v1/backup"), ("DELETE", "/api/v1/dead-letters/x"), ("OPTIONS", "/api/v1/publish/order_placed"),
    ("GET", "/no/such/call"),
]  # fmt: skip


class Pages(unittest.TestCase):
    def check(self, shop, pages, others):
        for headers in pages:
            for method, target in CALLS:
                said = shop.ask("payment", method, target, headers=headers)
                self.assertEqual((said.status, said.error()), (403, "forbidden"), (headers, method, target, said))
                self.assertTrue(said.json["error"]["message"])
                self.assertFalse([name for name in said.headers if name.lower().startswith("access-control")])
            self.assertEqual(shop.get("payment", "/healthz", headers=headers).status, 200)
        for headers in others:
            self.assertEqual(shop.get("payment", "/api/v1/nodes", headers=headers).status, 200, headers)

    def test_without_a_token(self):
        shop = start(self)
        self.check(shop, PAGES + OLDER, NO_PAGES)
        # Nothing of the body is waited for.
        head = b"POST /api/v1/publish/order_placed HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n"
        for rest in (b"Content-Length: 1000000\r\n\r\n", b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n"):
            wire = connect(self, shop.http["payment"])
            wire.sendall(head + rest)
            self.assertTrue(wire.recv(65536).startswith(b"HTTP/1.1 403 "), rest)

    def test_with_a_token(self):
        shop = self.with_token()
        self.check(shop, PAGES, OLDER + NO_PAGES)

    def with_token(self):
        def write(shop):
            path = os.path.join(shop.folder, "token")
            with open(path, "w") as out:
                out.write(TOKEN + "\n")
            os.chmod(path, 0o600)
            shop.token = TOKEN

        return start(self, before=write, extra='token-file="./token"')


if __name__ == "__main__":
    unittest.main(verbosity=2)
