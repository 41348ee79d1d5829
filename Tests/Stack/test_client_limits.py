# SPDX-License-Identifier: Apache-2.0
"""What client keys may do: models, requests a minute, turns, money; and the commands that make and take them back."""

import json
import subprocess
import threading

from dialects import CHAT, RESPONSES
from harness import PROGRAM, Case, Stack, Upstream, provider, wait_for
from parallel import Background
from scripted import JSON, Pause, Script, whole
from test_manager import Managed
from test_manager import ask as ask_admin
from wire import Wire, post_bytes

CODEX = ("User-Agent", "codex_cli_rs/0.163.0")


def key(value):
    return ("Authorization", f"Bearer {value}")


class Limits(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        cls.stack = cls.enterClassContext(
            Stack(
                provider("up", cls.up.url + "/v1", ["m", "other", "slow"]),
                APIKEY="k",
                Clients=[
                    {"name": "few", "key": "few", "rpm": 2},
                    {"name": "small", "key": "small", "tpm": 10},
                    {"name": "narrow", "key": "narrow", "models": ["m"]},
                    {"name": "single", "key": "single", "concurrency": 1},
                    {"name": "old", "key": "old", "expires": "2020-01-01"},
                ],
            )
        )

    def ask(self, who, model="m", dialect=CHAT, *headers):
        return self.stack.post(dialect.path, dialect.request(model), [key(who), *headers])

    def test_requests_of_a_minute(self):
        self.assertEqual([self.ask("few").status for _ in range(2)], [200, 200])
        refused = self.ask("few")
        self.assertEqual(refused.status, 429)
        self.assertIn(int(refused.header("retry-after")), range(1, 62))
        self.assertEqual(self.ask("k").status, 200)

    def test_windows_go_on_over_a_reload(self):
        with Stack(
            provider("up", self.up.url + "/v1", ["m"]), Clients=[{"name": "few", "key": "few", "rpm": 2}]
        ) as stack:
            ask = lambda: stack.post(CHAT.path, CHAT.request("m"), [key("few")]).status
            self.assertEqual([ask(), ask()], [200, 200])
            stack.reload()
            self.assertEqual(ask(), 429)
            stack.reload(Clients=[{"name": "few", "key": "few", "rpm": 3}])
            self.assertEqual([ask(), ask()], [200, 429], "of the three, two are used")

    def test_more_tokens_than_a_minute_has(self):
        refused = self.stack.post(CHAT.path, CHAT.request("m") | {"user": "x " * 100}, [key("small")])
        self.assertEqual(refused.status, 413)

    def test_models(self):
        self.assertEqual(self.ask("narrow").status, 200)
        refused = self.ask("narrow", "other")
        self.assertEqual(refused.status, 403)
        self.assertIn("“narrow”", CHAT.error_message(refused))

    def test_codex_is_told_in_words_that_it_does_not_try_again_after(self):
        refused = self.ask("narrow", "other", RESPONSES, CODEX)
        self.assertEqual(refused.status, 400)
        self.assertEqual(refused.json()["error"]["code"], "invalid_prompt")

    def test_an_expired_key(self):
        self.assertEqual(self.ask("old").status, 401)

    def test_one_at_a_time(self):
        body = json.dumps(CHAT.whole()).encode() if not isinstance(CHAT.whole(), bytes) else CHAT.whole()
        self.up.scripts["slow"] = lambda _: Script([Pause(0.3), body], 200, [JSON], "close")
        statuses = []
        threads = [
            threading.Thread(target=lambda: statuses.append(self.ask("single", "slow").status)) for _ in range(3)
        ]
        for t in threads:
            t.start()
        wait_for("the first request", 5, lambda: len(self.up.seen("slow")) == 1)
        # While it runs, nobody else of this key reaches the provider, but another key does.
        self.assertEqual(self.ask("k").status, 200)
        for t in threads:
            t.join()
        self.assertEqual(statuses, [200] * 3)
        times = [r.received_at for r in self.up.seen("slow")]
        self.assertTrue(all(b - a >= 0.3 for a, b in zip(times, times[1:])), times)


class Turns(Case):
    """One request at a time."""

    def setUp(self):
        self.up = self.enterContext(Upstream())
        self.goes_on = threading.Event()
        self.up.scripts["held"] = lambda r: self.goes_on.wait(20) and self.up.standard(r)

    def start(self, kind=Stack, **config):
        # The embedded provider of a managed stack is beside it.
        config.setdefault("Providers", [provider("up", self.up.url + "/v1", ["m", "held"])])
        return self.enterContext(kind(**config))

    def hold(self, stack, *headers):
        """A request that takes the turn until `goes_on`."""
        held = Background(stack.post, CHAT.path, CHAT.request("held"), headers)
        wait_for("it is asked", 5, lambda: self.up.seen("held"))
        return held

    def test_nobody_waits_for_a_turn_longer_than_is_allowed(self):
        stack = self.start(Limits={"concurrentRequests": 1, "queueTimeoutMs": 300})
        held = self.hold(stack)
        refused = stack.post(CHAT.path, CHAT.request("m"))
        self.assertEqual(refused.status, 429)
        self.assertIn("other requests took every turn", CHAT.error_message(refused))
        self.goes_on.set()
        self.assertEqual(held.result().status, 200)
        self.assertEqual(stack.post(CHAT.path, CHAT.request("m")).status, 200)
        self.assertEqual(len(self.up.seen("m")), 1)

    def test_no_more_may_wait_than_are_allowed(self):
        stack = self.start(Limits={"concurrentRequests": 1, "queuedRequests": 1})
        held = self.hold(stack)
        waits = Background(stack.post, CHAT.path, CHAT.request("m"))
        wait_for("it waits", 5, lambda: stack.metric("ccr_active_requests") == 3)
        refused = stack.post(CHAT.path, CHAT.request("m"))
        self.assertEqual(refused.status, 429)
        self.assertIn("too many requests wait for their turn (limit 1)", CHAT.error_message(refused))
        self.goes_on.set()
        self.assertEqual([held.result().status, waits.result().status], [200, 200])

    def test_a_client_that_leaves_while_it_waits_for_its_turn_is_forgotten(self):
        stack = self.start(Limits={"concurrentRequests": 1, "queuedRequests": 1})
        held = self.hold(stack)
        with Wire(stack.port) as wire:
            wire.send(post_bytes(CHAT.path, CHAT.request("m")))
            wait_for("it waits", 5, lambda: stack.metric("ccr_active_requests") == 3)
        stack.wait_for_log("CCR_STATUS=499")
        # Its place is free.
        waits = Background(stack.post, CHAT.path, CHAT.request("m"))
        wait_for("the next one waits", 5, lambda: stack.metric("ccr_active_requests") == 3)
        self.goes_on.set()
        self.assertEqual([held.result().status, waits.result().status], [200, 200])
        self.assertEqual(len(self.up.seen("m")), 1)

    def test_whoever_needs_no_key_stands_in_nobodys_line(self):
        stack = self.start(
            lambda **config: Managed(admin=True, **config),
            Clients=[{"name": "single", "key": "single", "concurrency": 1}],
        )
        held = self.hold(stack, key("single"))
        status, _ = ask_admin(stack.admin_path, CHAT.path, json.dumps(CHAT.request("m")).encode())
        self.assertEqual(status, 200)
        self.goes_on.set()
        self.assertEqual(held.result().status, 200)


class Unasked(Case):
    def test_a_request_for_which_nobody_was_asked_takes_nothing_of_its_keys_minute(self):
        up = self.enterContext(Upstream())
        stack = self.enterContext(
            Stack(
                provider("up", up.url + "/v1", ["m"]), ADMIN_API_KEY="admin",
                Clients=[{"name": "few", "key": "few", "rpm": 1, "tpm": 1000}],
            )
        )

        def ask():
            return stack.post(CHAT.path, CHAT.request("m"), [key("few")]).status

        def administer(verb):
            self.assertEqual(stack.post(f"/api/{verb}", {"provider": "up"}, [key("admin")]).status, 200)

        administer("ban")
        self.assertEqual([ask() for _ in range(3)], [503] * 3)
        administer("unban")
        self.assertEqual([ask(), ask()], [200, 429])
        self.assertEqual(len(up.seen("m")), 1)


class Money(Case):
    def test_an_answer_whose_provider_counts_nothing_costs_its_estimated_input(self):
        up = self.enterContext(Upstream())
        up.scripts["m"] = whole(b'{"id":"c1","object":"chat.completion","choices":[]}')
        up.scripts["n"] = whole(b"{}", 400)
        prices = {"input_per_million_tokens": 1_000_000, "output_per_million_tokens": 1_000_000}
        stack = self.enterContext(
            Stack(
                provider("up", up.url + "/v1", ["m", "n"], pricing=prices),
                Clients=[{"name": "ci", "key": "ci", "budget": {"daily_usd": 1}}],
            )
        )

        def ask(model):
            return stack.post(CHAT.path, CHAT.request(model, stream=False), [key("ci")]).status

        self.assertEqual([ask("n"), ask("n")], [400, 400], "a refusal costs nothing")
        self.assertEqual(ask("m"), 200)
        wait_for("the end of the budget", 5, lambda: ask("n") == 402)

    def test_a_budget_is_spent_and_stays_so_over_reloads_and_restarts(self):
        up = self.enterContext(Upstream())
        # 18 tokens of the scripted answer cost 0.018 USD.
        prices = {"input_per_million_tokens": 1000, "output_per_million_tokens": 1000}
        stack = self.enterContext(
            Stack(
                provider("up", up.url + "/v1", ["m"], pricing=prices),
                APIKEY="k",
                Clients=[{"name": "ci", "key": "ci", "budget": {"daily_usd": 0.03}}],
                crashes=True,
            )
        )

        def ask(*headers):
            return stack.post(CHAT.path, CHAT.request("m") | {"stream": False}, [key("ci"), *headers])

        # What a request has cost is known a moment after its answer.
        wait_for("the end of the budget", 5, lambda: ask().status == 402)
        refused = ask()
        self.assertIn("the daily budget of “ci” is spent (0.03 USD)", CHAT.error_message(refused))
        self.assertEqual(ask(CODEX).status, 402, "Chat is not Codex's dialect")
        told = stack.post(RESPONSES.path, RESPONSES.request("m"), [key("ci"), CODEX])
        self.assertEqual((told.status, told.json()["error"]["code"]), (400, "invalid_prompt"))
        self.assertEqual(stack.post(CHAT.path, CHAT.request("m"), [key("k")]).status, 200)

        listed = self.ccr(stack, "key", "list", "--json", "--port", str(stack.port))
        ci = next(k for k in json.loads(listed) if k["name"] == "ci")
        answered = len(up.requests) - 1
        self.assertIn(answered, range(2, 10))
        self.assertAlmostEqual(ci["today_usd"], 0.018 * answered)
        self.assertEqual((ci["tokens"], ci["daily_usd"]), (18 * answered, 0.03))

        # A new front knows it from the exporter.
        stack.reload(Limits={"connections": 5000})
        wait_for("the budget after a reload", 5, lambda: ask().status == 402)
        old = stack.child("front")
        stack.kill_child("front")
        stack.wait_replaced("front", old, 5)
        wait_for("the budget after a crash", 5, lambda: ask().status == 402)

    def ccr(self, stack, *arguments):
        done = subprocess.run(
            [PROGRAM, *arguments, "--config", str(stack.path)], capture_output=True, text=True, timeout=20
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_keys_are_made_shown_once_and_taken_back(self):
        up = self.enterContext(Upstream())
        stack = self.enterContext(Stack(provider("up", up.url + "/v1", ["m"]), APIKEY="k"))
        made = self.ccr(stack, "key", "add", "laptop", "--models", "m,fast*", "--rpm", "1", "--expires", "2999-12-31")
        secret = made.strip()
        self.assertRegex(secret, r"^ccr-[A-Za-z0-9_-]{43}$")
        written = stack.path.parent.joinpath("config.d/client-laptop.json").read_text()
        self.assertNotIn(secret, written)

        def ask():
            return stack.post(CHAT.path, CHAT.request("m"), [key(secret)]).status

        self.assertEqual(ask(), 401)
        stack.reload()
        self.assertEqual([ask(), ask()], [200, 429])
        self.assertRegex(self.ccr(stack, "key", "list"), r"laptop +m,fast\* +1 +.*2999-12-31")

        again = subprocess.run(
            [PROGRAM, "key", "add", "laptop", "--config", str(stack.path)], capture_output=True, text=True
        )
        self.assertEqual(again.returncode, 2)
        self.assertIn("already", again.stderr)
        for option, value, words in (
            ("--rpm", "0", "ccr key add: --rpm: is 0, allowed is a whole number from 1 to"),
            ("--rpm", "x", "ccr key add: --rpm is “x”, allowed is a whole number"),
            ("--daily-usd", "-1", "ccr key add: --daily-usd: is -1.0, allowed is a number from"),
            ("--expires", "tomorrow", "ccr key add: --expires: allowed is a day as"),
            ("--expires", "2020-01-01", "this day is over"),
        ):
            wrong = subprocess.run(
                [PROGRAM, "key", "add", "b", option, value, "--config", str(stack.path)],
                capture_output=True,
                text=True,
            )
            self.assertEqual(wrong.returncode, 2)
            self.assertIn(words, wrong.stderr)
            self.assertFalse(stack.path.parent.joinpath("config.d/client-b.json").exists())

        self.ccr(stack, "key", "revoke", "laptop")
        stack.reload()
        self.assertEqual(ask(), 401)
        self.assertNotIn(secret, stack.log_text())
