# SPDX-License-Identifier: Apache-2.0
"""A second request beside one whose first event is late: one answer, whoever is faster, and nothing left behind."""

import threading

from dialects import CHAT, DIALECTS
from harness import Case, Stack, Upstream, provider, wait_for
from scripted import HANG, JSON, Pause, Script, whole
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

    def start(self, hedge=True, **config):
        providers = [
            provider(name, up.url + "/v1", ["m"]) for name, up in (("slow", self.slow), ("fast", self.fast))
        ]
        router = {"default": "slow,m", "tiers": ["fast,m"]}
        if hedge:
            router["hedge"] = True
        stack = self.enterContext(Stack(*providers, crashes=True, Router=router, **config))
        for _ in range(ENOUGH):
            self.assertEqual(stack.post(CHAT.path, CHAT.request("slow,m")).header("x-ccr-tier"), "slow")
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
        for slow, fast, status, body, tier in (
            # What is wrong with the request says more than a provider's trouble.
            ((400, bad), (500, down), 400, bad, "slow"),
            ((500, down), (400, bad), 400, bad, "fast"),
            ((500, bad), (503, down), 503, down, "fast"),
        ):
            with self.subTest(slow=slow[0], fast=fast[0]):
                fields = [JSON, ("x-should-retry", "false")]
                self.slow.scripts["m"] = whole(slow[1], slow[0], fields, before=[Pause(0.8)])
                self.fast.scripts["m"] = whole(fast[1], fast[0], fields, before=[Pause(1.2)])
                before = self.asked()
                with Wire(stack.port) as wire:
                    wire.send(post_bytes(CHAT.path, CHAT.request("slow,m")))
                    answer = wire.read_answer()
                    self.assertEqual((answer.status, answer.body), (status, body))
                    self.assertEqual(answer.header("x-ccr-tier"), tier)
                    wire.send(request_bytes("GET", "/v1/models"))
                    self.assertEqual(wire.read_answer().status, 200, "the connection serves on")
                self.assertEqual(self.asked(), (before[0] + 1, before[1] + 1))
        self.settled(stack)

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
