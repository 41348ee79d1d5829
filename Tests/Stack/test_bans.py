# SPDX-License-Identifier: Apache-2.0
"""Bans of fail2ban and of operators: what they keep from being asked, how they are shown, how they end."""

import json
import os
import pathlib
import subprocess
import tempfile
import time

from dialects import CHAT
from harness import ECHO, PROGRAM, Case, Stack, Upstream, provider, wait_for
from scripted import JSON, whole
from test_manager import Managed, ask
from wire import Wire, post_bytes

ADMIN = "test-admin-key"
BUSY = b'{"error":{"message":"busy","type":"requests","code":"rate_limit_exceeded"}}'
OVERLOADED = b'{"error":{"message":"overloaded","type":"overloaded_error"}}'
RULE = {"max_attempts": 3, "error_codes": [429]}


class Bans(Case):
    """A provider with two keys; the first one is asked as long as it may be."""

    def setUp(self):
        self.up = self.enterContext(Upstream())
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in ("one", "two"):
            (folder / name).write_text(f"sk-{name}")
            (folder / name).chmod(0o600)
        keys = [
            {"name": "one", "kind": "static", "secret": f"file:{folder}/one"},
            {"name": "two", "kind": "static", "secret": f"file:{folder}/two", "priority": 1},
        ]
        pool = provider("pool", self.up.url + "/v1", ["m", "n"], api_key="", credentials=keys)
        self.failing = set()
        self.up.scripts["m"] = self.script
        self.stack = self.enterContext(
            Stack(pool, ECHO, crashes=True, fail2ban=RULE, ADMIN_API_KEY=ADMIN)
        )
        wait_for("both keys", 10, lambda: self.usable() == {"one", "two"} and self.key("n") == "one")

    def usable(self):
        return {c["name"] for c in self.stack.get("/health").json().get("credentials", []) if c["usable"]}

    def script(self, request):
        if request.header("authorization").removeprefix("Bearer sk-") in self.failing:
            return whole(BUSY, 429, [JSON, ("retry-after-ms", "1")])
        return self.up.standard(request)

    def key(self, model="m"):
        """The key that answers a request."""
        answer = self.stack.post(CHAT.path, CHAT.request(model, stream=False))
        self.assertEqual(answer.status, 200, answer.body)
        return self.up.seen(model)[-1].header("authorization").removeprefix("Bearer sk-")

    def ccr(self, *arguments, status=0):
        done = subprocess.run(
            [PROGRAM, *arguments, "--config", str(self.stack.path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            env={"PATH": os.environ["PATH"], "HOME": self.stack.folder.name},
        )
        self.assertEqual(done.returncode, status, f"ccr {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def bans(self):
        return json.loads(self.ccr("bans", "--json"))["bans"]

    def ban_by_rule(self):
        self.failing = {"one"}
        wait_for("the ban", 10, lambda: self.key() and self.bans())
        asked = [r.header("authorization") for r in self.up.seen("m")]
        self.assertEqual(asked.count("Bearer sk-one"), 3)

    def test_a_key_that_fails_as_the_rule_says_is_banned_until_an_operator_says_otherwise(self):
        self.ban_by_rule()
        self.failing = set()
        self.assertEqual({self.key() for _ in range(5)}, {"two"})
        self.assertEqual(self.key("n"), "one", "the rule is about a model")
        (ban,) = self.bans()
        self.assertRegex(ban.pop("since"), r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(
            ban,
            {
                "provider": "pool",
                "credential": "one",
                "model": "m",
                "origin": "fail2ban",
                "reason": "3 times status 429",
                "error_code": 429,
                "permanent": True,
                "until": None,
                "remaining_seconds": None,
            },
        )
        head, line = self.ccr("bans").splitlines()
        self.assertEqual(head.split(), "PROVIDER CREDENTIAL MODEL BY SINCE UNTIL LEFT REASON".split())
        self.assertRegex(line, r"^pool +one +m +fail2ban +20\S+Z +ccr unban +3 times status 429$")
        self.stack.wait_for_log(r"error front: credential one is banned for model m, for ever \(fail2ban: 3 times")
        self.assertEqual(self.ccr("unban", "one"), "credential one of provider pool for model m is banned no more\n")
        self.assertEqual(self.key(), "one", "at once")
        self.assertEqual(self.ccr("bans"), "nothing is banned\n")
        self.stack.wait_for_log("notice front: credential one is banned no more for model m")
        # The count begins anew.
        self.failing = {"one"}
        self.key()
        self.assertEqual(self.bans(), [])

    def test_a_ban_ends_by_itself(self):
        for name, ban in (("an operator's", self.ban_for_a_second), ("a rule's", self.rule_of_a_second)):
            with self.subTest(name):
                at = time.monotonic()
                ban()
                self.failing = set()
                wait_for("the first key is asked again", 30, lambda: self.key() == "one")
                self.assertGreaterEqual(time.monotonic() - at, 1)
                self.assertEqual(self.bans(), [])

    def ban_for_a_second(self):
        self.assertRegex(self.ccr("ban", "one", "--for", "1s"), "^credential one of provider pool is banned until 20")

    def rule_of_a_second(self):
        self.stack.reload(fail2ban={**RULE, "max_attempts": 1, "ban_duration": "1s"})
        self.failing = {"one"}
        self.assertEqual(self.key(), "two")

    def test_an_operators_ban_holds_at_once_and_over_a_reload_and_a_dead_front(self):
        self.assertEqual(self.key(), "one")
        self.ccr("ban", "one,m", "--reason", "leaked")
        old = self.stack.kill_child("front")
        self.stack.wait_replaced("front", old, 5)
        self.assertEqual({self.key() for _ in range(3)}, {"two"})
        self.stack.reload(Presets={"p": {"route": "pool,m"}})
        self.assertEqual({self.key() for _ in range(3)}, {"two"})
        self.assertEqual([(b["credential"], b["reason"]) for b in self.bans()], [("one", "leaked")])
        self.ccr("unban", "one,m")
        old = self.stack.kill_child("front")
        self.stack.wait_replaced("front", old, 5)
        self.assertEqual(self.bans(), [], "the end of a ban is kept as well")
        self.assertEqual(self.key(), "one")

    def test_a_front_that_is_about_to_end_takes_no_operators_word(self):
        """What it learns now no front knows after it."""
        raw = post_bytes("/api/ban", {"credential": "one"}, [("Authorization", f"Bearer {ADMIN}")])
        with Wire(self.stack.port) as wire:
            wire.send(raw[:-5])
            wait_for("its beginning is there", 5, lambda: self.stack.metric("ccr_front_connections") == 2)
            self.stack.reload(Presets={"p": {"route": "pool,m"}})
            wire.send(raw[-5:])
            answer = wire.read_answer()
            self.assertEqual((answer.status, answer.header("retry-after")), (503, "1"))
            self.assertEqual(answer.header("connection"), "close", "the next try is for the new front")
        self.assertEqual(self.bans(), [])
        self.assertEqual(self.key(), "one")

    def test_a_provider_as_a_whole(self):
        self.assertEqual(self.ccr("ban", "pool", "--for", "1h").split(" until ")[0], "provider pool is banned")
        refused = self.stack.post(CHAT.path, CHAT.request("m"))
        self.assertEqual(refused.status, 503)
        self.assertIn("every provider of this model (pool) is banned", refused.json()["error"]["message"])
        self.assertLessEqual(3590, self.bans()[0]["remaining_seconds"])
        self.assertIn("no such ban, but a wider one: provider pool is banned", self.ccr("unban", "one", status=1))
        self.ccr("ban", "two")
        self.assertEqual(len(self.bans()), 2)
        self.assertEqual(len(self.ccr("unban", "pool").splitlines()), 2, "its credentials' bans are within it")
        self.assertEqual(self.key(), "one")

    def test_whoever_waits_goes_on_when_a_ban_is_lifted(self):
        self.ccr("ban", "one")
        limited = whole(BUSY, 429, [JSON, ("retry-after", "25")])
        self.up.scripts["m"] = lambda r: limited if "two" in r.header("authorization") else self.up.standard(r)
        with Wire(self.stack.port) as wire:
            wire.send(post_bytes(CHAT.path, CHAT.request("m")))
            self.stack.wait_for_log("waits [0-9]+ ms until somebody can be asked")
            self.ccr("unban", "one")
            # Its time would be much later than this connection's patience.
            CHAT.assert_complete(wire.read_answer(), 10)

    def test_of_a_model_that_no_list_has_but_a_client_has_asked_for(self):
        self.assertIn("has no model “extra”", self.ccr("ban", "one,extra", status=1))
        self.assertEqual(self.stack.post(CHAT.path, CHAT.request("pool,extra")).status, 200)
        self.ccr("ban", "one,extra")
        self.assertEqual([(b["credential"], b["model"]) for b in self.bans()], [("one", "extra")])
        self.assertIn("no such ban", told := self.ccr("unban", "one,n", status=1))
        self.assertNotIn("wider", told, "another model's is no wider one")

    def test_requests_of_operators_that_are_wrong(self):
        key = [("Authorization", f"Bearer {ADMIN}")]
        for path, body, status, words in (
            ("/api/ban", {"credential": "oen"}, 404, "no credential or provider “oen” (did you mean “one”?)"),
            ("/api/ban", {"credential": "one", "model": "mm"}, 404, "provider “pool” has no model “mm”"),
            ("/api/ban", {"credential": "one", "ttl": "soon"}, 400, "“ttl” is “soon”"),
            ("/api/ban", {"credential": "one", "until": "x"}, 400, "unknown member “until”"),
            ("/api/ban", [], 400, "no JSON object"),
            ("/api/ban", {"credential": "one", "reason": "x" * 70_000}, 413, "larger than 65536 bytes"),
            ("/api/unban", {"credential": "one"}, 404, "no such ban"),
            ("/api/unban", {}, 400, "“credential” is missing"),
        ):
            with self.subTest(path, body=str(body)[:60]):
                answer = self.stack.post(path, body, key)
                self.assertEqual(answer.status, status, answer.body)
                self.assertIn(words, CHAT.error_message(answer))
                self.assertEqual(self.stack.post(path, body).status, 401)
                self.assertEqual(self.stack.get(path, headers=key).status, 405)
        self.assertEqual(self.stack.get("/api/bans").status, 401)
        self.assertEqual(self.bans(), [])
        self.assertIn("allowed are times such as", self.ccr("ban", "one", "--for", "10", status=2))
        self.assertIn("did you mean “two”", self.ccr("ban", "twoo", status=1))


class Sight(Case):
    """What the policy does, in metrics, in /health and in ccr status."""

    def setUp(self):
        self.up = self.enterContext(Upstream())
        urls = [self.up.url] * 2
        pool = [provider(f"p{n}", url + "/v1", ["m", "n"], api_key=f"sk-{n}") for n, url in enumerate(urls)]
        self.stack = self.enterContext(Stack(*pool, ECHO, crashes=True, ADMIN_API_KEY=ADMIN, fail2ban=RULE))

    def ask(self, model):
        return self.stack.post(CHAT.path, CHAT.request(model, stream=False)).status

    def refuse_first(self, status, body):
        def script(request):
            if request.header("authorization") == "Bearer sk-0":
                return whole(body, status, [JSON, ("retry-after", "600")])
            return self.up.standard(request)

        return script

    def test_a_circuit_a_pause_and_a_ban(self):
        metric = self.stack.metric
        self.up.scripts["m"] = self.refuse_first(529, OVERLOADED)
        self.up.scripts["n"] = self.refuse_first(429, BUSY)
        self.assertEqual([self.ask(m) for m in ("m", "n", "m")], [200, 200, 200])
        key = [("Authorization", f"Bearer {ADMIN}")]
        body = {"credential": "echo", "ttl": "1h", "reason": "secret"}
        self.assertEqual(self.stack.post("/api/ban", body, key).status, 200)
        for series, labels, value in (
            ("ccr_circuit_state", {"tier": "p0", "model": "m"}, 2),
            ("ccr_circuit_state", {"tier": "p1", "model": "m"}, 0),
            ("ccr_circuit_opened_total", {"tier": "p0"}, 1),
            ("ccr_credential_pauses_total", {"tier": "p0", "reason": "rate"}, 1),
            ("ccr_retries_total", {"tier": "p1", "reason": "overload"}, 1),
            ("ccr_retries_total", {"tier": "p1", "reason": "rate"}, 1),
            ("ccr_bans", {"tier": "echo", "origin": "admin"}, 1),
            ("ccr_fail2ban_total", {}, 0),
            ("ccr_retry_budget", {"tier": "p1"}, 10),
        ):
            with self.subTest(series, **labels):
                self.assertEqual(metric(series, **labels), value)
        left = metric("ccr_credential_pause_seconds", provider="p0", scope="model")
        self.assertTrue(500 < left <= 600, left)
        health = self.stack.get("/health")
        self.assertNotIn(b"secret", health.body)
        told = health.json()
        self.assertEqual([(c["provider"], c["model"], c["state"]) for c in told["circuits"]], [("p0", "m", "open")])
        self.assertEqual([(p["provider"], p["credential"], p["model"]) for p in told["pauses"]], [("p0", None, "n")])
        self.assertEqual([(b["provider"], b["origin"]) for b in told["bans"]], [("echo", "admin")])
        done = subprocess.run(
            [PROGRAM, "status", "--config", str(self.stack.path)],
            capture_output=True,
            text=True,
            timeout=20,
            env={"PATH": os.environ["PATH"], "HOME": self.stack.folder.name},
        )
        for line in ("circuit open: provider p0 for model m", "paused: provider p0 for model n", "banned by admin:"):
            self.assertIn(line, done.stdout)
        # The next front goes on with it, and what was counted stays counted.
        self.stack.reload(Presets={"p": {"route": "p1,m"}})
        self.assertEqual(metric("ccr_circuit_state", tier="p0", model="m"), 2)
        self.assertEqual(metric("ccr_circuit_opened_total", tier="p0"), 1)

    def test_waits_are_measured_and_unknown_models_are_no_labels(self):
        left = iter(range(2))

        def script(request):
            return self.up.standard(request) if next(left, None) is None else whole(
                BUSY, 429, [JSON, ("retry-after-ms", "300")])

        self.up.scripts["invented-by-a-client"] = script
        self.assertEqual([self.ask("p0,invented-by-a-client") for _ in range(2)], [200, 200])
        count = wait_for("the wait", 5, lambda: self.stack.metric("ccr_request_wait_seconds_count"))
        self.assertEqual(count, 1)
        self.assertGreaterEqual(self.stack.metric("ccr_request_wait_seconds_sum"), 0.59)
        text = self.stack.get("/metrics").body
        self.assertNotIn(b"invented", text)
        self.assertIn(b'ccr_circuit_state{tier="p0",model="other"} 0', text)


class Administrators(Case):
    def test_their_socket_needs_no_key_and_clients_without_one_may_not(self):
        stack = self.enterContext(Managed(admin=True, Providers=[ECHO]))
        self.assertEqual(stack.get("/api/bans").status, 403)
        self.assertEqual(stack.post("/api/ban", {"credential": "echo"}).status, 403)
        status, body = ask(stack.admin_path, "/api/ban", b'{"credential":"echo","ttl":"10m"}')
        self.assertEqual((status, json.loads(body)["provider"]), (200, "echo"))
        status, body = ask(stack.admin_path, "/api/bans")
        self.assertEqual([(b["provider"], b["credential"]) for b in json.loads(body)["bans"]], [("echo", None)])
