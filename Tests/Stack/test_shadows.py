# SPDX-License-Identifier: Apache-2.0
"""Copies of requests to another model: the client notices nothing, whatever becomes of them."""

from dialects import CHAT, DIALECTS
from harness import Case, Stack, Upstream, free_port, provider, wait_for
from scripted import CLOSE, HANG, JSON, Pause, Script, whole
from wire import Wire, post_bytes


PRICES = {"input_per_million_tokens": 1_000_000, "output_per_million_tokens": 1_000_000}


class Shadows(Case):
    def setUp(self):
        self.main = self.enterContext(Upstream())
        self.other = self.enterContext(Upstream())

    def start(self, percent=100, url=None, **config):
        providers = [
            provider("main", self.main.url + "/v1", ["m"]),
            {
                **provider("other", (url or self.other.url) + "/v1", ["c"], pricing=PRICES),
                "api_key": "sk-other",
            },
        ]
        router = {"default": {"route": "main,m", "shadow": {"target": "other,c", "percent": percent}}}
        return self.enterContext(Stack(*providers, crashes=True, Router=router, **config))

    def ask(self, stack, d=CHAT, **more):
        answer = stack.post(d.path, d.request("unlisted", **more), timeout=30)
        self.assertEqual((answer.status, answer.header("x-ccr-tier")), (200, "main"))
        return answer

    def ended(self, stack, outcome, count):
        wait_for(
            f"{count} copies {outcome}", 10,
            lambda: stack.metric("ccr_shadow_requests_total", tier="other", outcome=outcome) == count,
        )
        # They are no requests, no failures and no work of the other provider's.
        self.assertEqual(stack.metric("ccr_requests_total", tier="other"), 0)
        self.assertEqual(stack.metric("ccr_failures_total"), 0)
        self.assertEqual(stack.metric("ccr_input_tokens_total", tier="other"), 0)

    def test_a_copy_goes_to_the_other_model_and_its_answer_to_nobody(self):
        stack = self.start()
        large = {"user": "x" * 100_000}
        for number, d in enumerate(DIALECTS, 1):
            more = large if d is CHAT else {}
            with self.subTest(d.name):
                d.assert_complete(self.ask(stack, d, **more), 10)
                wait_for("the copy", 5, lambda n=number: len(self.other.seen("c")) == n)
        self.ended(stack, "completed", len(DIALECTS))
        tokens = stack.metric("ccr_shadow_tokens_total", tier="other")
        self.assertGreater(tokens, 0)
        self.assertAlmostEqual(stack.metric("ccr_shadow_cost_usd_total", tier="other"), tokens)
        for request in self.other.seen("c"):
            self.assertIn("sk-other", str(request.headers))
        self.assertEqual(len(self.main.seen("m")), len(DIALECTS))

    def test_whatever_becomes_of_copies_the_client_has_its_answer(self):
        stack = self.start()
        scripts = {
            "refused": whole(b"{}", 500, [JSON]), "limited": whole(b"{}", 429, [JSON, ("retry-after", "9")]),
            "broken": Script([CHAT.events()[0], CLOSE]), "nothing": Script([], before=[CLOSE]),
        }
        for number, (name, script) in enumerate(scripts.items(), 1):
            self.other.scripts["c"] = script
            with self.subTest(name):
                CHAT.assert_complete(self.ask(stack), 10)
                # Its end is waited for: a connection that it still holds would be the next but one's.
                self.ended(stack, "upstream_failed", number)
                self.assertEqual(len(self.other.seen("c")), number)

    def test_a_target_that_is_dead_is_noticed_by_nobody(self):
        stack = self.start(url=f"http://127.0.0.1:{free_port()}")
        for _ in range(10):
            CHAT.assert_complete(self.ask(stack), 10)
        wait_for(
            "copies that failed", 10,
            lambda: stack.metric("ccr_shadow_requests_total", tier="other", outcome="upstream_failed") > 0,
        )
        self.assertNotIn("candidateFailed", stack.log_text())
        self.assertEqual(stack.metric("ccr_failures_total"), 0)

    def test_copies_that_hang_are_few_and_delay_neither_answers_nor_the_end(self):
        stack = self.start()
        self.other.scripts["c"] = Script(CHAT.events(), before=[HANG])
        for _ in range(30):
            CHAT.assert_complete(self.ask(stack), 10)
        self.assertEqual(len(self.other.seen("c")), 8)
        self.assertEqual(stack.metric("ccr_shadow_requests_total"), 0)
        # A reload ends those of the old front.
        stack.reload(Presets={"p": {"route": "main,m"}})
        wait_for("they are cancelled", 10, lambda: len(self.other.cancellations("c")) == 8)
        self.ended(stack, "aborted", 8)
        CHAT.assert_complete(self.ask(stack), 10)
        wait_for("a copy again", 5, lambda: len(self.other.seen("c")) == 9)
        # And the end of the stack, which the harness waits for, ends this one.

    def test_a_front_that_is_about_to_end_makes_none(self):
        stack = self.start()
        raw = post_bytes(CHAT.path, CHAT.request("unlisted"))
        with Wire(stack.port) as wire:
            wire.send(raw[:-5])
            wait_for("its beginning is there", 5, lambda: stack.metric("ccr_front_connections") == 2)
            stack.reload(Presets={"p": {"route": "main,m"}})
            wire.send(raw[-5:])
            CHAT.assert_complete(wire.read_answer(), 10)
        CHAT.assert_complete(self.ask(stack), 10)
        self.ended(stack, "completed", 1)
        self.assertEqual(len(self.other.seen("c")), 1)

    def test_a_front_that_dies_takes_its_copies_with_it(self):
        stack = self.start()
        self.other.scripts["c"] = Script(CHAT.events(), before=[HANG])
        CHAT.assert_complete(self.ask(stack), 10)
        wait_for("the copy", 5, lambda: len(self.other.seen("c")) == 1)
        stack.wait_replaced("front", stack.kill_child("front"))
        wait_for("it is cancelled", 5, lambda: len(self.other.cancellations("c")) == 1)

    def test_a_worker_that_dies_takes_its_copies_with_it(self):
        stack = self.start()
        self.other.scripts["c"] = Script(CHAT.events(), before=[HANG])
        CHAT.assert_complete(self.ask(stack), 10)
        wait_for("the copy", 5, lambda: len(self.other.seen("c")) == 1)
        stack.wait_replaced("worker other", stack.kill_child("worker other"), 5)
        self.ended(stack, "upstream_failed", 1)

    def test_clients_limits_are_not_touched_and_no_copy_is_made_where_requests_wait(self):
        stack = self.start(Clients=[{"name": "few", "key": "few", "rpm": 2}], Limits={"concurrentRequests": 1})
        key = [("Authorization", "Bearer few")]
        statuses = [stack.post(CHAT.path, CHAT.request("unlisted"), key).status for _ in range(3)]
        self.assertEqual(statuses, [200, 200, 429])
        self.assertEqual(len(self.other.seen("c")), 0)

    def test_a_request_that_is_asked_again_is_copied_once(self):
        bad = self.enterContext(Upstream())
        bad.scripts["b"] = whole(b"{}", 500, [JSON])
        stack = self.enterContext(Stack(
            provider("bad", bad.url + "/v1", ["b"]), provider("main", self.main.url + "/v1", ["m"]),
            provider("other", self.other.url + "/v1", ["c"]),
            Router={
                "default": {"route": "bad,b", "shadow": {"target": "other,c", "percent": 100}}, "tiers": ["main,m"]}))
        self.assertEqual(self.copies(stack, bad), 1)
        self.assertGreater(len(bad.seen("b")), 0)

    def test_no_copy_is_made_of_a_large_request_nor_when_half_of_all_requests_are_under_way(self):
        with self.subTest("large"):
            self.assertEqual(self.copies(self.start(), user="x" * (9 << 20)), 0)
        with self.subTest("half"):
            self.assertEqual(self.copies(self.start(Limits={"requestsInFlight": 2})), 0)

    def copies(self, stack, *asked, **more):
        """How many copies of a request front hands over, besides what it hands over for those who are asked themselves."""
        asked = [self.main, *asked]
        before = len([r for upstream in asked for r in upstream.requests])
        handed = stack.metric("ccr_front_handoffs_total")
        CHAT.assert_complete(self.ask(stack, **more), 10)
        handed = stack.metric("ccr_front_handoffs_total") - handed
        return handed - len([r for upstream in asked for r in upstream.requests]) + before

    def test_there_are_none_by_default(self):
        providers = [provider("main", self.main.url + "/v1", ["m"]), provider("other", self.other.url + "/v1", ["c"])]
        stack = self.enterContext(Stack(*providers, Router={"default": "main,m"}))
        self.main.scripts["m"] = Script(CHAT.events(), before=[Pause(0.2)])
        CHAT.assert_complete(self.ask(stack), 10)
        self.assertEqual(len(self.other.requests), 0)
