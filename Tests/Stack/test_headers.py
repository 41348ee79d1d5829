# SPDX-License-Identifier: Apache-2.0
"""Which header fields cross the gateway, in both directions.

Source: RFC 9110 §7.6.1 (fields of one hop).
"""

from dialects import CHAT, DIALECTS, MESSAGES
from harness import Case, Stack, Upstream, provider
from scripted import JSON, Script, whole

UNKNOWN = [
    ("X-Unknown-Field", 'a b;c="d", e'),
    ("X-Twice", "1"),
    ("X-Twice", "2"),
    ("X-Latin", "gr\u00fcn"),
    ("X-Empty", ""),
    ("User-Agent", "odd/1.0 (x)"),
    ("OpenAI-Beta", "responses=v9"),
    ("anthropic-beta", "a-2026,b-2027"),
    ("Idempotency-Key", "k1"),
    ("Accept-Language", "de"),
]
HOP_BY_HOP = [
    ("Connection", "keep-alive, X-Nominated"),
    ("X-Nominated", "1"),
    ("Keep-Alive", "timeout=5"),
    ("Proxy-Connection", "keep-alive"),
    ("Proxy-Authorization", "Basic cHJveHk="),
    ("TE", "trailers"),
    ("Trailer", "X-End"),
    ("Upgrade", "h2c"),
]
CREDENTIALS = [("Authorization", "Bearer sk-of-the-client"), ("Cookie", "session=1")]

ANSWER = [
    JSON,
    ("X-New-Field", "a b"),
    ("X-Ratelimit-Remaining-Requests", "59"),
    ("anthropic-ratelimit-tokens-remaining", "1000"),
    ("Retry-After", "7"),
    ("openai-processing-ms", "12"),
    ("X-Request-Id", "req_upstream_1"),
    ("X-Twice", "1"),
    ("X-Twice", "2"),
]
DROPPED = [
    ("Set-Cookie", "secret=1"),
    ("Set-Cookie", "second=2"),
    ("Keep-Alive", "timeout=5"),
    ("Connection", "keep-alive, X-Nominated"),
    ("X-Nominated", "1"),
    ("Proxy-Authenticate", "Basic"),
    ("OpenAI-Organization", "org-secret"),
    ("Alt-Svc", 'h3=":443"'),
]


class Headers(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        cls.stack = cls.enterClassContext(
            Stack(
                provider(
                    "up", cls.up.url + "/v1", ["m"], extra_headers={"X-Extra": "from the configuration"}
                ),
                provider("keyed", cls.up.url + "/v1", ["k"], auth_header="x-api-key", api_key="sk-keyed"),
            )
        )

    def test_unknown_fields_of_a_request_pass(self):
        self.stack.post(CHAT.path, CHAT.request("m"), UNKNOWN)
        request = self.up.seen("m")[-1]
        for name in {name for name, _ in UNKNOWN}:
            expected = [value for key, value in UNKNOWN if key == name]
            self.assertEqual(request.all(name.lower()), expected, f"{name} of the request")
        self.assertEqual(request.all("x-extra"), ["from the configuration"])

    def test_hop_by_hop_fields_of_a_request_do_not_pass(self):
        self.stack.post(CHAT.path, CHAT.request("m"), HOP_BY_HOP)
        request = self.up.seen("m")[-1]
        for name, value in HOP_BY_HOP:
            self.assertNotIn(value, request.all(name.lower()), f"{name} of the request")
        self.assertEqual(request.all("expect"), [], "an Expect costs a round trip")
        self.assertEqual(request.header("host"), f"127.0.0.1:{self.up.port}")

    def test_the_clients_credential_is_replaced(self):
        for model, name, value, other in (
            ("m", "authorization", "Bearer sk-upstream", "x-api-key"),
            ("k", "x-api-key", "sk-keyed", "authorization"),
        ):
            self.stack.post(CHAT.path, CHAT.request(model), [*CREDENTIALS, ("x-api-key", "sk-of-the-client")])
            request = self.up.seen(model)[-1]
            self.assertEqual(request.all(name), [value])
            self.assertEqual(request.all(other) + request.all("cookie"), [])

    def test_fields_of_an_answer(self):
        for d in DIALECTS:
            with self.subTest(d.name):
                self.up.scripts["m"] = whole(d.whole(), headers=ANSWER + DROPPED)
                answer = self.stack.post(d.path, d.request("m", stream=False))
                for name in {name for name, _ in ANSWER}:
                    expected = [value for key, value in ANSWER if key == name]
                    self.assertEqual(answer.all(name.lower()), expected, f"{name} of the answer")
                for name, value in DROPPED:
                    self.assertNotIn(value, answer.all(name.lower()), f"{name} of the answer")
                self.assertTrue(answer.header("x-ccr-request-id").startswith("req_"))

    def test_fields_of_a_stream(self):
        headers = [("Content-Type", "text/event-stream"), *ANSWER[1:], *DROPPED]
        self.up.scripts["m"] = Script(CHAT.events(), headers=headers)
        answer = self.stack.post(CHAT.path, CHAT.request("m"))
        CHAT.assert_complete(answer, 10)
        self.assertEqual(answer.header("x-request-id"), "req_upstream_1")
        self.assertEqual(answer.all("set-cookie"), [])

    def test_interim_answers_of_the_upstream(self):
        """Their fields are not those of the answer."""
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 7\r\n\r\n"
        self.up.scripts["m"] = Script(CHAT.events(), before=[b"HTTP/1.1 100 Continue\r\n\r\n", hints])
        answer = self.stack.post(CHAT.path, CHAT.request("m"))
        CHAT.assert_complete(answer, 10)
        self.assertEqual((answer.all("link"), answer.all("content-length")), ([], []))

    def test_trailers_of_the_upstream(self):
        body = b"5\r\n{    \r\n5\r\n    }\r\n0\r\nX-Trailer: 1\r\nContent-Length: 3\r\n\r\n"
        chunked = [JSON, ("Transfer-Encoding", "chunked")]
        self.up.scripts["m"] = Script([body], headers=chunked, framing="close")
        answer = self.stack.post(CHAT.path, CHAT.request("m", stream=False))
        self.assertEqual((answer.status, answer.body, answer.ending), (200, b"{        }", "complete"))
        self.assertEqual(answer.all("x-trailer"), [])

    def test_every_answer_has_a_request_id_of_its_own(self):
        self.up.scripts.pop("m", None)
        ids = {self.stack.post(CHAT.path, CHAT.request("m")).header("x-ccr-request-id") for _ in range(5)}
        ids |= {self.stack.post(CHAT.path, b"{").header("x-request-id") for _ in range(5)}
        self.assertEqual(len(ids), 10)

    def test_the_query_reaches_the_upstream(self):
        self.stack.post(MESSAGES.path + "?beta=true&x=%20", MESSAGES.request("m"))
        self.assertEqual(self.up.seen("m")[-1].target, MESSAGES.path + "?beta=true&x=%20")
