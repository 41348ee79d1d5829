# SPDX-License-Identifier: Apache-2.0
"""Keys that clients have to send, and the refusal to be open to a network without one."""

import subprocess

from dialects import DIALECTS
from harness import ECHO, Case, Gateway, Stack, Upstream, provider
from wire import Wire

KEY = "sk-client-0123456789"


class ClientKeys(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        cls.stack = cls.enterClassContext(
            Stack(
                provider("up", cls.up.url + "/v1", ["m"]),
                APIKEY=KEY,
                Clients=[{"name": "laptop", "key": "sk-laptop"}],
            )
        )

    def test_wrong_keys_are_refused_in_the_dialect_of_the_path(self):
        for d in DIALECTS:
            for headers in (
                [],
                [("Authorization", "Bearer wrong")],
                [("Authorization", f"Bearer {KEY}x")],
                [("Authorization", f"Bearer {KEY[:-1]}")],
                [("Authorization", KEY)],
                [("Authorization", "Basic " + KEY)],
                [("x-api-key", "")],
                [("x-api-key", KEY.upper())],
            ):
                with self.subTest(d.name, headers=headers):
                    answer = self.stack.post(d.path, d.request("m"), headers)
                    self.assertEqual(answer.status, 401)
                    d.error_message(answer)
                    self.assertNotIn(KEY.encode(), answer.body)
        self.assertEqual(self.up.requests, [])
        self.assertEqual(self.stack.get("/v1/models").status, 401)
        self.assertEqual(self.stack.get("/metrics").status, 401)

    def test_right_keys_are_accepted_in_every_header(self):
        for d in DIALECTS:
            for headers in (
                [("Authorization", f"Bearer {KEY}")],
                [("authorization", f"bearer {KEY}")],
                [("x-api-key", KEY)],
                [("X-API-Key", "sk-laptop")],
                [("x-goog-api-key", KEY)],
                [("Authorization", "Bearer something-else"), ("x-api-key", KEY)],
            ):
                with self.subTest(d.name, headers=headers):
                    self.assertEqual(self.stack.post(d.path, d.request("m"), headers).status, 200)
                    request = self.up.requests.pop()
                    self.assertEqual(request.header("authorization"), "Bearer sk-upstream")
                    self.assertNotIn(KEY, str(request.headers))

    def test_gemini_clients_may_send_theirs_in_the_address_as_well(self):
        path = "/v1beta/models/m:generateContent"
        body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
        for query, headers, status, words in (
            (f"?key={KEY}", [], 200, None),
            ("?alt=json&key=sk-laptop", [], 200, None),
            ("?key=wrong", [("x-goog-api-key", KEY)], 200, None),
            ("?key=wrong", [], 401, "the client key is not valid"),
            (f"?key={KEY}x", [], 401, "the client key is not valid"),
            ("", [("x-goog-api-key", "wrong")], 401, "the client key is not valid"),
            (f"?xkey={KEY}", [], 401, "a client key is needed"),
            ("", [], 401, "a client key is needed"),
        ):
            with self.subTest(query, headers=headers):
                answer = self.stack.post(path + query, body, headers)
                self.assertEqual(answer.status, status, answer.body)
                if words:
                    self.assertEqual(answer.json()["error"]["message"], words)
                else:
                    request = self.up.requests.pop()
                    self.assertNotIn(KEY, request.target + str(request.headers))
        self.assertEqual(self.up.requests, [])

    def test_health_needs_no_key(self):
        self.assertEqual(self.stack.get("/health").status, 200)
        self.assertEqual(self.stack.get("/", method="HEAD").status, 200)

    def test_a_key_is_not_read_from_the_address(self):
        d = DIALECTS[0]
        self.assertEqual(self.stack.post(f"{d.path}?key={KEY}", d.request("m")).status, 401)


class AdminKeys(Case):
    ADMIN = "sk-admin-0123456789"

    def test_whoever_may_send_requests_may_not_administer_and_the_other_way_round(self):
        up = self.enterContext(Upstream())
        stack = self.enterContext(
            Stack(provider("up", up.url + "/v1", ["m"]), APIKEY=KEY, ADMIN_API_KEY=self.ADMIN)
        )
        for headers, status in (
            ([("Authorization", f"Bearer {self.ADMIN}")], 200),
            ([("authorization", f"bearer {self.ADMIN}")], 200),
            ([("x-api-key", self.ADMIN)], 200),
            ([("Authorization", "Bearer wrong"), ("x-api-key", self.ADMIN)], 200),
            ([], 401),
            ([("Authorization", f"Bearer {KEY}")], 401),
            ([("x-api-key", KEY)], 401),
            ([("Authorization", f"Bearer {self.ADMIN}x")], 401),
            ([("Authorization", f"Bearer {self.ADMIN[:-1]}")], 401),
            ([("Authorization", self.ADMIN)], 401),
            ([("Authorization", "Bearer ")], 401),
            ([("x-api-key", "")], 401),
        ):
            with self.subTest(headers=headers):
                self.assertEqual(stack.get("/api/bans", headers=headers).status, status)
                answer = stack.post("/api/ban", {"provider": "up", "model": "other"}, headers)
                self.assertEqual(answer.status, 404 if status == 200 else 401, "there is no such model to ban")
        d = DIALECTS[0]
        for headers in ([("Authorization", f"Bearer {self.ADMIN}")], [("x-api-key", self.ADMIN)]):
            self.assertEqual(stack.post(d.path, d.request("m"), headers).status, 401)
        self.assertEqual(up.requests, [])


class OtherAddresses(Case):
    def test_an_open_address_without_a_key_refuses_to_start(self):
        for host in ("0.0.0.0", "::", "192.0.2.1"):
            gateway = Gateway(Providers=[ECHO], HOST=host)
            gateway.write_config()
            gateway.start()
            try:
                self.assertEqual(gateway.process.wait(5), 78, f"{host}: {gateway.tail()}")
                self.assertRegex(gateway.tail(), r"config\.json:\d+:\d+: error: HOST: ")
            except subprocess.TimeoutExpired:
                self.fail(f"it runs on {host} without a key")
            finally:
                gateway.kill()

    def test_an_open_address_with_a_key_starts(self):
        stack = self.enterContext(Stack(ECHO, HOST="0.0.0.0", APIKEY=KEY))
        d = DIALECTS[0]
        self.assertEqual(stack.post(d.path, d.request("echo")).status, 401)
        self.assertEqual(stack.post(d.path, d.request("echo"), [("x-api-key", KEY)]).status, 200)


class WebPages(Case):
    """A browser on this machine runs code of strangers; without a key its requests are not served."""

    @classmethod
    def open_all(cls):
        cls.stack = cls.enterClassContext(Stack(ECHO))

    def ask(self, host, *headers):
        body = b'{"model":"echo","messages":[]}'
        lines = [f"Host: {host}", f"Content-Length: {len(body)}", *headers]
        head = "POST /v1/chat/completions HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n"
        with Wire(self.stack.port) as wire:
            wire.send(head.encode() + body)
            return wire.read_answer().status

    def test_other_origins_are_refused(self):
        for origin, status in (
            ("https://example.com", 403),
            ("http://127.0.0.1.example.com", 403),
            ("http://localhost.example.com:80", 403),
            ("null", 403),
            ("http://localhost:5173", 200),
            ("http://127.0.0.1:8080", 200),
            ("http://[::1]:8080", 200),
        ):
            self.assertEqual(self.ask("127.0.0.1", f"Origin: {origin}"), status, origin)

    def test_rebound_names_are_refused(self):
        for host, status in (
            ("rebound.example.com", 403),
            ("127.0.0.1.example.com:3456", 403),
            ("localhost:3456", 200),
            ("LOCALHOST", 200),
            ("[::1]:3456", 200),
            ("127.0.0.1", 200),
        ):
            self.assertEqual(self.ask(host), status, host)

    def test_a_key_opens_the_gateway_to_web_pages(self):
        stack = self.enterContext(Stack(ECHO, APIKEY=KEY))
        d = DIALECTS[0]
        headers = [("x-api-key", KEY), ("Origin", "https://example.com")]
        self.assertEqual(stack.post(d.path, d.request("echo"), headers).status, 200)
