# SPDX-License-Identifier: Apache-2.0
"""Paths and methods that are not served, models that lead nowhere, and the documents that front answers itself."""

from dialects import CHAT, DIALECTS, RESPONSES
from harness import ECHO, HELLO, Case, Stack, provider, free_port
from wire import Wire, encoded, post_bytes, request_bytes


class Paths(Case):
    @classmethod
    def open_all(cls):
        dead = provider("dead", f"http://127.0.0.1:{free_port()}/v1", ["claude-opus-4", "gpt-5"])
        cls.stack = cls.enterClassContext(
            Stack(
                ECHO,
                dead,
                ModelAliases={"fast": "echo,echo"},
                Presets={"review": {"route": "echo,echo", "max_tokens": 77}},
            )
        )

    def test_unknown_paths_list_the_known_ones(self):
        for method, path in (
            ("GET", "/nothing"),
            ("POST", "/v1/chat"),
            ("GET", "/V1/models"),
            ("POST", "/v1/messages/"),
        ):
            answer = self.stack.get(path, method=method)
            self.assertEqual(answer.status, 404, path)
            for d in DIALECTS:
                self.assertIn(d.path, answer.body.decode(), path)

    def test_wrong_methods_say_which_are_allowed(self):
        for method, path, allowed in (
            ("GET", CHAT.path, "POST"),
            ("DELETE", RESPONSES.path, "POST"),
            ("PUT", "/v1/messages", "POST"),
            ("POST", "/v1/models", "GET"),
            ("DELETE", "/metrics", "GET"),
            ("GET", "/preset/review/v1/messages", "POST"),
        ):
            answer = self.stack.get(path, method=method)
            self.assertEqual(answer.status, 405, f"{method} {path}")
            self.assertIn(allowed, answer.header("allow"))

    def test_errors_are_in_the_dialect_of_the_path(self):
        for d in DIALECTS:
            answer = self.stack.post(d.path, {"model": "no-such-model"})
            self.assertEqual(answer.status, 404)
            self.assertIn("no-such-model", d.error_message(answer))
            d.error_message(self.stack.post(d.path, b"{"))
            d.error_message(self.stack.get(d.path))

    def test_near_names_are_listed_for_an_unknown_model(self):
        answer = self.stack.post(CHAT.path, CHAT.request("claude-opus-5"))
        self.assertEqual(answer.status, 404)
        self.assertIn("claude-opus-4", CHAT.error_message(answer))

    def test_a_connection_survives_errors(self):
        with Wire(self.stack.port) as wire:
            for raw, status in (
                (request_bytes("GET", "/nothing"), 404),
                (post_bytes(CHAT.path, b"{"), 400),
                (post_bytes(CHAT.path, CHAT.request("nobody,m")), 404),
                (post_bytes(CHAT.path, HELLO), 200),
                (request_bytes("GET", CHAT.path), 405),
                (post_bytes(CHAT.path, HELLO), 200),
            ):
                wire.send(raw)
                self.assertEqual(wire.read_answer().status, status)

    def test_websocket_upgrades_are_refused_at_once(self):
        headers = [
            ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]  # fmt: skip
        answer = self.stack.get(RESPONSES.path, headers=headers)
        self.assertEqual(answer.status, 426)

    def test_head_requests_have_no_body(self):
        for path in ("/", "/api/hello", "/health/readiness"):
            with Wire(self.stack.port) as wire:
                wire.send(request_bytes("HEAD", path) + post_bytes(CHAT.path, HELLO))
                self.assertEqual(wire.read_answer("HEAD").status, 200)
                self.assertEqual(wire.read_answer().status, 200)

    def test_models(self):
        value = self.stack.get("/v1/models").json()
        self.assertEqual(value["object"], "list")
        self.assertLessEqual({"echo", "fast", "gpt-5", "dead,gpt-5"}, {m["id"] for m in value["data"]})
        self.assertIn("gpt-5", {m["slug"] for m in value["models"]})

    def test_health_names_every_process(self):
        value = self.stack.get("/health").json()
        self.assertEqual(value["status"], "healthy")
        self.assertRegex(value["version"], r"^\d+\.\d+\.\d+")
        roles = {(p["role"], p.get("provider")) for p in value["processes"]}
        self.assertEqual(
            roles,
            {
                ("supervisor", None),
                ("front", None),
                ("exporter", None),
                ("worker", "echo"),
                ("worker", "dead"),
            },
        )
        for process in value["processes"]:
            self.assertGreater(process["pid"], 0)
            self.assertEqual((process["state"], process["restarts"]), ("ready", 0))

    def test_presets(self):
        [preset] = self.stack.get("/v1/presets").json()
        self.assertEqual((preset["name"], preset["max_tokens"]), ("review", 77))
        for d in DIALECTS:
            self.assertEqual(self.stack.post("/preset/review" + d.path, d.request("any")).status, 200)
        answer = self.stack.post("/preset/reveiw" + CHAT.path, HELLO)
        self.assertEqual(answer.status, 404)
        self.assertIn("review", CHAT.error_message(answer))

    def test_metrics_and_latencies(self):
        self.assertEqual(self.stack.post(CHAT.path, HELLO).status, 200)
        metrics = self.stack.get("/metrics")
        self.assertTrue(metrics.header("content-type").startswith("text/plain"))
        for name in (
            b"ccr_build_info",
            b"ccr_requests_total",
            b"ccr_process_resident_bytes",
            b"ccr_front_handoffs_total",
        ):
            self.assertIn(name, metrics.body)
        for path in ("/v1/latencies", "/v1/usage"):
            self.assertEqual(self.stack.get(path).status, 200)
            self.stack.get(path).json()

    def test_the_body_of_a_get_does_not_shift_the_next_request(self):
        with Wire(self.stack.port) as wire:
            wire.send(request_bytes("GET", "/v1/models", encoded(HELLO)) + post_bytes(CHAT.path, HELLO))
            first = wire.read_answer()
            if first.status == 200:
                self.assertEqual(wire.read_answer().status, 200)
            else:
                self.assertEqual((first.status, first.header("connection")), (400, "close"))
