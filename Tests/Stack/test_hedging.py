# SPDX-License-Identifier: Apache-2.0
"""A second request beside one whose first event is late: one answer, whoever is faster, and nothing left behind."""

import os
import signal
import threading

from dialects import CHAT, DIALECTS, MESSAGES, RESPONSES
from harness import Case, Stack, Upstream, exists, open_files, provider, wait_for
from parallel import Background
from scripted import HANG, JSON, Pause, Script, whole
from test_client_words import CODEX
from test_failover import together
from wire import Wire, post_bytes, request_bytes

# What the policy wants to have seen of a provider before it calls one late.
ENOUGH = 20


def late(seconds, d=CHAT):
    return Script(d.events(), before=[Pause(seconds)])


class Hedging(Case):
    def setUp(self):
        self.slow = self.enterContext(Upstream())
        self.fast = self.enterContext(Upstream())

    def start(self, hedge=True, headers=(), pause=0, **config):
        """A stack that has learnt what is usual at the first provider: the pause, or hardly any."""
        prices = {"input_per_million_tokens": 1_000_000, "output_per_million_tokens": 1_000_000}
        providers = [
            provider(name, up.url + "/v1", ["m", "held"], pricing=prices)
            for name, up in (("slow", self.slow), ("fast", self.fast))
        ]
        router = {"default": "slow,m", "tiers": ["fast,m"]}
        if hedge:
            router["hedge"] = True
        stack = self.enterContext(Stack(*providers, crashes=True, Router=router, **config))
        self.slow.scripts["m"] = late(pause)

        def ask(_):
            return stack.post(CHAT.path, CHAT.request("slow,m"), headers).header("x-ccr-tier")

        self.assertEqual(together(ENOUGH, ENOUGH if pause else 1, ask), ["slow"] * ENOUGH)
        known = lambda: stack.metric("ccr_requests_total", headers, tier="slow")
        wait_for("front knows of all of them", 5, lambda: known() == ENOUGH)
        return stack

    def asked(self):
        """How often each has been asked since the start."""
        return len(self.slow.seen("m")) - ENOUGH, len(self.fast.seen("m"))

    def settled(self, stack):
        """Nothing of a request is left at any process."""
        wait_for(
            "no request under way",
            5,
            lambda: stack.metric("ccr_active_requests") <= 1 and not self.slow.active and not self.fast.active,
        )

    def test_the_faster_answer_comes_once_and_the_slower_request_is_cancelled(self):
        stack = self.start()
        for number, d in enumerate(DIALECTS, 1):
            with self.subTest(d.name):
                self.slow.scripts["m"] = late(HANG, d)
                answer = stack.post(d.path, d.request("slow,m"))
                d.assert_complete(answer, 10)
                self.assertEqual(answer.header("x-ccr-tier"), "fast")
                wait_for("the slower one is cancelled", 5, lambda: len(self.slow.cancellations("m")) == number)
                self.assertEqual(self.asked(), (number, number))
        count = len(DIALECTS)
        stack.wait_for_log("provider slow is late; provider fast is asked too")
        self.settled(stack)
        wait_for("counted", 5, lambda: stack.metric("ccr_hedged_requests_total", tier="slow") == count)
        self.assertEqual(stack.metric("ccr_requests_total", tier="fast"), count)
        self.assertEqual(stack.metric("ccr_requests_total", tier="slow"), ENOUGH)
        self.assertEqual(stack.metric("ccr_failures_total"), 0)

    def test_the_connection_serves_on_whoever_was_faster(self):
        stack = self.start()
        turn = iter(range(100))
        # The first one is the faster one in the end, every second time.
        self.slow.scripts["m"] = lambda _: late(0.5 if next(turn) % 2 else HANG)
        self.fast.scripts["m"] = lambda _: late(HANG if len(self.fast.seen("m")) % 2 == 0 else 0)
        tiers = []
        with Wire(stack.port) as wire:
            for _ in range(4):
                wire.send(post_bytes(CHAT.path, CHAT.request("slow,m")))
                answer = wire.read_answer()
                CHAT.assert_complete(answer, 10)
                tiers.append(answer.header("x-ccr-tier"))
        self.assertEqual(tiers, ["fast", "slow"] * 2)
        self.assertEqual(self.asked(), (4, 4))
        wait_for("cancelled", 5, lambda: len(self.slow.cancellations("m")) == 2)
        wait_for("cancelled", 5, lambda: len(self.fast.cancellations("m")) == 2)
        self.settled(stack)

    def test_two_answers_at_the_same_moment_are_one(self):
        stack = self.start()
        gate = threading.Barrier(2)

        def meet(_):
            # Both providers begin their answers together.
            gate.wait(10)
            return self.slow.standard(_)

        self.slow.scripts["m"] = meet
        self.fast.scripts["m"] = meet
        with Wire(stack.port) as wire:
            for _ in range(10):
                wire.send(post_bytes(CHAT.path, CHAT.request("slow,m")))
                CHAT.assert_complete(wire.read_answer(), 10)
        self.assertEqual(self.asked(), (10, 10))
        self.settled(stack)

    def test_nobody_else_is_asked_by_default(self):
        stack = self.start(hedge=False)
        self.slow.scripts["m"] = late(1)
        answer = stack.post(CHAT.path, CHAT.request("slow,m"))
        CHAT.assert_complete(answer, 10)
        self.assertEqual(answer.header("x-ccr-tier"), "slow")
        self.assertEqual(self.asked(), (1, 0))

    def test_nobody_else_is_asked_before_it_is_late(self):
        stack = self.start(pause=1)
        self.slow.scripts["m"] = late(0.3)
        self.assertEqual(stack.post(CHAT.path, CHAT.request("slow,m")).header("x-ccr-tier"), "slow")
        self.assertEqual(self.asked(), (1, 0))

    def test_each_of_those_that_are_late_is_asked_for_elsewhere(self):
        stack = self.start()
        self.slow.scripts["m"] = late(HANG)
        readers = []
        for number in range(1, 6):
            readers.append(Background(stack.post, CHAT.path, CHAT.request("slow,m")))
            wait_for("it is asked", 5, lambda n=number: self.asked()[0] == n)
        self.assertEqual([r.result().header("x-ccr-tier") for r in readers], ["fast"] * 5)

    def test_nobody_else_is_asked_while_requests_wait_for_their_turn(self):
        stack = self.start(Limits={"concurrentRequests": 1})
        goes_on = threading.Event()
        self.fast.scripts["held"] = lambda r: goes_on.wait(10) and self.fast.standard(r)
        self.slow.scripts["m"] = late(1)
        held = Background(stack.post, CHAT.path, CHAT.request("fast,held"))
        wait_for("the turn is taken", 5, lambda: self.fast.seen("held"))
        readers = []
        with Wire(stack.port) as first, Wire(stack.port) as second:
            for wire in (first, second):
                wire.send(post_bytes(CHAT.path, CHAT.request("slow,m")))
            wait_for("they are there", 5, lambda: stack.metric("ccr_active_requests") >= 3)
            goes_on.set()
            self.assertEqual(held.result().status, 200)
            tiers = sorted(wire.read_answer().header("x-ccr-tier") for wire in (first, second))
        # The first one's provider is late while the second one waits, the second one's while nobody does.
        self.assertEqual(tiers, ["fast", "slow"])

    def test_nobody_else_is_asked_for_a_client_that_has_left(self):
        stack = self.start()
        worker = stack.child("worker slow")
        os.kill(worker, signal.SIGSTOP)
        try:
            with Wire(stack.port) as wire:
                wire.send(post_bytes(CHAT.path, CHAT.request("slow,m")))
            # The next one is late after it, and is answered.
            answer = stack.post(CHAT.path, CHAT.request("slow,m"))
            self.assertEqual(answer.header("x-ccr-tier"), "fast")
            self.assertEqual(self.asked()[1], 1)
        finally:
            os.kill(worker, signal.SIGCONT)

    def test_what_the_slower_one_says_while_front_ends_is_counted(self):
        stack = self.start()
        stopped = [stack.child(name) for name in ("worker slow", "exporter")]
        front = stack.child("front")
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            answer = stack.post(CHAT.path, CHAT.request("slow,m"))
            self.assertEqual(answer.header("x-ccr-tier"), "fast")
            # The old front waits for the exporter, which has its last records still to read.
            stack.reload(Presets={"p": {"route": "slow,m"}})
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        wait_for("the end of the old front", 10, lambda: not exists(front))
        self.assertNotIn("were not acknowledged", stack.log_text())
        wait_for("counted", 5, lambda: stack.metric("ccr_hedged_requests_total", tier="slow") == 1)

    def test_the_token_is_closed_as_soon_as_it_decides_nothing_any_more(self):
        stack = self.start()

        def tokens():
            return sum("eventfd" in name for name, _ in open_files(stack.child("front")))

        before = tokens()
        with self.subTest("the answer has begun"):
            self.slow.scripts["m"] = late(HANG)
            self.fast.scripts["m"] = Script([*CHAT.events(2)[:2], HANG])
            for number in range(1, 4):
                wire = self.enterContext(Wire(stack.port))
                wire.send(post_bytes(CHAT.path, CHAT.request("slow,m")))
                wire.read_head()
                wait_for("the slower one's end", 5, lambda n=number: len(self.slow.cancellations("m")) == n)
            wait_for(f"{before} tokens", 5, lambda: tokens() == before)
        with self.subTest("the request waits"):
            fields = [JSON, ("retry-after", "20")]
            self.slow.scripts["m"] = whole(b"{}", 429, fields, before=[Pause(0.8)])
            self.fast.scripts["m"] = whole(b"{}", 429, fields, before=[Pause(1.2)])
            wire = self.enterContext(Wire(stack.port))
            wire.send(post_bytes(CHAT.path, CHAT.request("slow,m")))
            stack.wait_for_log("waits [0-9]+ ms until somebody can be asked")
            wait_for(f"{before} tokens", 5, lambda: tokens() == before)

    def test_what_the_slower_one_cost_is_counted_for_the_key(self):
        key = [("Authorization", "Bearer sk-ci")]
        stack = self.start(headers=key, Clients=[{"name": "ci", "key": "sk-ci"}])

        def cost(**labels):
            return tuple(stack.metric(f"ccr_{name}cost_usd_total", key, **labels) for name in ("", "key_"))

        # Its provider has counted the input of the request, and says nothing of it.
        self.slow.scripts["m"] = Script([*MESSAGES.opening(), HANG])
        self.fast.scripts["m"] = Script(MESSAGES.events())
        before, of_key = cost(tier="slow")[0], cost()[1]
        answer = stack.post(MESSAGES.path, MESSAGES.request("slow,m"), key)
        self.assertEqual(answer.header("x-ccr-tier"), "fast")
        wait_for("counted", 5, lambda: stack.metric("ccr_hedged_requests_total", key, tier="slow") == 1)
        self.assertEqual(cost(tier="slow")[0], before + 12)
        self.assertEqual(cost()[1], of_key + 12 + cost(tier="fast")[0])

    def test_a_failure_of_one_leaves_the_answer_to_the_other(self):
        stack = self.start()
        for who in (self.slow, self.fast):
            other = self.fast if who is self.slow else self.slow
            with self.subTest(fails="slow" if who is self.slow else "fast"):
                who.scripts["m"] = whole(b"{}", 500, [JSON], before=[Pause(0.8)])
                other.scripts["m"] = late(1.5)
                before = self.asked()
                answer = stack.post(CHAT.path, CHAT.request("slow,m"))
                CHAT.assert_complete(answer, 10)
                self.assertEqual(answer.header("x-ccr-tier"), "slow" if other is self.slow else "fast")
                self.assertEqual(self.asked(), (before[0] + 1, before[1] + 1))
        self.settled(stack)

    def test_when_both_fail_the_client_reads_what_a_provider_says(self):
        stack = self.start()
        bad = b'{"error":{"message":"no such tool","type":"invalid_request_error"}}'
        down = b'{"error":{"message":"in a maintenance","type":"server_error"}}'
        for slow, fast, later, status, body, tier in (
            # What is wrong with the request says more than a provider's trouble.
            ((400, bad), (500, down), "fast", 400, bad, "slow"),
            ((500, down), (400, bad), "fast", 400, bad, "fast"),
            ((500, down), (400, bad), "slow", 400, bad, "fast"),
            ((500, bad), (503, down), "fast", 503, down, "fast"),
        ):
            with self.subTest(slow=slow[0], fast=fast[0], later=later):
                fields = [JSON, ("x-should-retry", "false")]
                for name, up, said in (("slow", self.slow, slow), ("fast", self.fast, fast)):
                    pause = Pause(1.2 if name == later else 0.8)
                    up.scripts["m"] = whole(said[1], said[0], fields, before=[pause])
                before = self.asked()
                counted = lambda: stack.metric("ccr_requests_total", tier=tier)
                known = counted()
                with Wire(stack.port) as wire:
                    wire.send(post_bytes(CHAT.path, CHAT.request("slow,m")))
                    answer = wire.read_answer()
                    self.assertEqual((answer.status, answer.body), (status, body))
                    self.assertEqual(answer.header("x-ccr-tier"), tier)
                    wait_for("it is counted", 5, lambda: counted() == known + 1)
                    wire.send(request_bytes("GET", "/v1/models"))
                    self.assertEqual(wire.read_answer().status, 200, "the connection serves on")
                self.assertEqual(self.asked(), (before[0] + 1, before[1] + 1))
        self.settled(stack)

    def test_when_both_fail_a_client_is_told_in_the_words_that_it_acts_on(self):
        stack = self.start()
        body = b'{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}'
        self.slow.scripts["m"] = whole(body, 400, [JSON], before=[Pause(0.8)])
        self.fast.scripts["m"] = whole(body, 400, [JSON], before=[Pause(1.2)])
        answer = stack.post(RESPONSES.path, RESPONSES.request("slow,m"), CODEX)
        self.assertEqual(answer.status, 200)
        self.assertIn(b"event: response.failed", answer.body)
        self.assertEqual(self.asked()[0], 1)

    def test_a_client_that_leaves_cancels_both(self):
        stack = self.start()
        self.slow.scripts["m"] = self.fast.scripts["m"] = late(HANG)
        with Wire(stack.port) as wire:
            wire.send(post_bytes(CHAT.path, CHAT.request("slow,m")))
            wait_for("both are asked", 5, lambda: self.asked() == (1, 1))
        for up in (self.slow, self.fast):
            wait_for("cancelled", 5, lambda up=up: len(up.cancellations("m")) == 1)
        stack.wait_for_log("CCR_OUTCOME=aborted")
        self.settled(stack)

    def test_a_worker_that_dies_leaves_the_answer_to_the_other(self):
        stack = self.start()
        self.slow.scripts["m"] = late(2)
        for victim, winner in (("slow", "fast"), ("fast", "slow")):
            with self.subTest(victim):
                self.slow.scripts["m"] = late(HANG if victim == "slow" else 2)
                self.fast.scripts["m"] = late(2 if victim == "slow" else HANG)
                before = self.asked()
                answers = []
                thread = threading.Thread(
                    target=lambda: answers.append(stack.post(CHAT.path, CHAT.request("slow,m"), timeout=30))
                )
                thread.start()
                wait_for("both are asked", 5, lambda: self.asked() == (before[0] + 1, before[1] + 1))
                old = stack.kill_child(f"worker {victim}")
                thread.join()
                CHAT.assert_complete(answers[0], 10)
                self.assertEqual(answers[0].header("x-ccr-tier"), winner)
                stack.wait_replaced(f"worker {victim}", old, 5)
                stack.wait_until_healthy()

    def test_many_at_once_are_all_answered_within_the_budget(self):
        stack = self.start()
        self.slow.scripts["m"] = late(0.2)

        def ask(_):
            answer = stack.post(CHAT.path, CHAT.request("slow,m"), timeout=60)
            CHAT.assert_complete(answer, 10)
            return answer.header("x-ccr-tier")

        tiers = together(200, 8, ask)
        slow, fast = self.asked()
        self.assertEqual(slow, 200)
        # Ten are saved, a tenth of a request is paid in by each.
        self.assertLessEqual(fast, 10 + (200 + ENOUGH) // 10)
        self.assertGreater(tiers.count("fast"), 0)
        self.settled(stack)
