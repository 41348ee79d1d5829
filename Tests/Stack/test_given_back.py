# SPDX-License-Identifier: Apache-2.0
"""What front holds for a request is free for the next one when the request is over, however it ended."""

import os
import signal
import threading
from contextlib import ExitStack

from dialects import CHAT
from harness import Case, Stack, Upstream, body_files, provider, wait_for
from scripted import HANG, JSON, Script, whole
from test_hedging import ENOUGH, late
from wire import Wire, post_bytes

LARGE = "x" * 100_000
FAILED = whole(b"{}", 500, [JSON, ("x-should-retry", "false")])
LIMITED = whole(b"{}", 429, [JSON, ("retry-after", "20")])
STREAM = Script([*CHAT.opening(), CHAT.delta("@0@"), HANG])


class GivenBack(Case):
    """Two providers of the model m that are used alike; p1 has more models."""

    def setUp(self):
        self.ups = [self.enterContext(Upstream()) for _ in range(2)]
        self.both = threading.Event()

    def start(self, router=None, learnt=0, models=()):
        providers = [
            {**provider(f"p{n}", up.url + "/v1", ["m", *models]), "weight": 1} for n, up in enumerate(self.ups)
        ]
        stack = self.enterContext(Stack(*providers, crashes=True, Router={"tiers": ["p1,m"], **(router or {})}))
        for _ in range(learnt):
            self.assertEqual(stack.post(CHAT.path, CHAT.request("p0,m")).header("x-ccr-tier"), "p0")
        wait_for("front knows of all of them", 5, lambda: stack.metric("ccr_requests_total", tier="p0") == learnt)
        return stack

    def script(self, first, second):
        self.ups[0].scripts["m"], self.ups[1].scripts["m"] = first, second

    def asked(self, number):
        return len(self.ups[number].seen("m"))

    def over(self, stack):
        """Nothing of a request is left at any process."""
        wait_for(
            "no request under way", 10,
            lambda: stack.metric("ccr_active_requests") <= 1 and not any(up.active for up in self.ups),
        )


class BodyMemory(GivenBack):
    """A worker reads a large body in memory that serves the next request to its provider as soon as it is not read any more.
    A stream is under way all the time."""

    def start(self, *arguments, **more):
        stack = super().start(*arguments, **more, models=["held"])
        self.ups[1].scripts["held"] = STREAM
        self.held = self.enterContext(stack.stream(CHAT.path, CHAT.request("p1,held")))
        return stack

    def kept(self, stack):
        """The memory for bodies that front has, by inode."""
        return body_files(stack.child("front"))

    def assert_reused(self, stack, count, ask, beside=None):
        """What is asked again and again needs as many pieces of memory as asked once, and they are the same ones.

        `beside`: the metric that counts what went on beside the request, which may end after its answer.
        """
        first = None
        for _ in range(3):
            before = stack.metric(beside) if beside else -1
            ask()
            wait_for(
                "the end of the request", 10,
                lambda b=before: stack.metric("ccr_active_requests") <= 2
                and (stack.metric(beside) if beside else 0) > b,
            )
            kept = self.kept(stack)
            self.assertEqual((len(kept), kept), (count, first or kept))
            first = kept

    def ask(self, stack, status=200, stream=True, model="p0,m"):
        answer = stack.post(CHAT.path, CHAT.request(model, text=LARGE, stream=stream), timeout=20)
        self.assertEqual(answer.status, status)
        return answer

    def test_of_a_request_that_is_answered(self):
        stack = self.start()
        self.assert_reused(stack, 1, lambda: self.ask(stack, stream=False))
        wait_for("nothing is kept", 20, lambda: not self.kept(stack))

    def test_of_a_stream_is_free_as_soon_as_it_has_begun(self):
        stack = self.start()
        with ExitStack() as streams:
            for count in range(1, 4):
                self.script(STREAM, None)
                streams.enter_context(stack.stream(CHAT.path, CHAT.request("p0,m", text=LARGE)))
                # The worker tells of the stream before it tells of what comes behind it.
                self.script(None, None)
                stack.post(CHAT.path, CHAT.request("p0,m"))
                wait_for(
                    "front knows that it has begun", 5,
                    lambda n=count: stack.metric("ccr_requests_total", tier="p0") == n,
                )
                self.assertEqual(len(self.kept(stack)), 1, f"{count} streams run")

    def test_of_a_request_that_another_provider_answers(self):
        stack = self.start()
        self.script(FAILED, None)
        self.assert_reused(stack, 2, lambda: self.ask(stack))
        self.assertEqual(self.asked(1), 3)

    def test_of_a_copy(self):
        stack = self.start({"default": {"route": "p1,m", "shadow": {"target": "p0,m", "percent": 100}}})
        self.assert_reused(stack, 2, lambda: self.ask(stack, model="unlisted"), "ccr_shadow_requests_total")
        self.assertEqual(self.asked(0), 3)

    def test_of_those_who_are_asked_beside_each_other(self):
        stack = self.start({"hedge": True}, ENOUGH)
        with self.subTest("the slower one is cancelled"):
            self.script(late(HANG), None)
            self.assert_reused(stack, 2, lambda: self.ask(stack), "ccr_hedged_requests_total")
        with self.subTest("one fails before the other one answers"):
            self.script(lambda _: self.after_both(FAILED), lambda _: self.after_failure(stack, None))
            self.assert_reused(stack, 2, lambda: self.ask(stack))
        with self.subTest("both fail"):
            # Failures in a row would open a circuit.
            self.script(None, None)
            self.ask(stack)
            self.script(lambda _: self.after_both(FAILED), lambda _: self.after_failure(stack, FAILED))
            self.assert_reused(stack, 2, lambda: self.ask(stack, 500))

    def after_both(self, script):
        """The script as soon as both are asked."""
        self.assertTrue(self.both.wait(10))
        self.both.clear()
        return script

    def after_failure(self, stack, script):
        """The script as soon as the other one's failure is known."""
        count = stack.log_text().count("CCR_FAILURE=server")
        self.both.set()
        wait_for("its failure", 10, lambda: stack.log_text().count("CCR_FAILURE=server") > count)
        return script or Script(CHAT.events())


class InFlight(GivenBack):
    """Of two providers that are used alike the first one is asked, unless more is under way there."""

    def next(self, stack):
        answer = stack.post(CHAT.path, CHAT.request("m"))
        CHAT.assert_complete(answer, 10)
        return answer.header("x-ccr-tier")

    def assert_free(self, stack):
        self.script(None, None)
        self.over(stack)
        self.assertEqual(self.next(stack), "p0", "something counts as being under way there")

    def test_nothing_of_a_stream_whatever_ends_it(self):
        stack = self.start()
        self.assert_free(stack)
        self.script(STREAM, None)
        with stack.stream(CHAT.path, CHAT.request("p0,m")):
            self.assertEqual(self.next(stack), "p1", "a stream is under way at the first one")
        with self.subTest("its client has left"):
            self.assert_free(stack)
        with self.subTest("its client leaves before it begins"):
            self.script(late(HANG), None)
            count = self.asked(0)
            with Wire(stack.port) as wire:
                wire.send(post_bytes(CHAT.path, CHAT.request("p0,m")))
                wait_for("it is asked", 5, lambda: self.asked(0) > count)
            self.assert_free(stack)
        with self.subTest("its worker has died"):
            self.script(STREAM, None)
            with stack.stream(CHAT.path, CHAT.request("p0,m")) as wire:
                old = stack.kill_child("worker p0")
                wire.wait_end()
            stack.wait_replaced("worker p0", old, 5)
            stack.wait_until_healthy()
            self.assert_free(stack)

    def test_nothing_of_a_request_whose_worker_dies_after_its_client_has_left(self):
        stack = self.start()
        self.script(late(HANG), None)
        with Wire(stack.port) as wire:
            wire.send(post_bytes(CHAT.path, CHAT.request("p0,m")))
            wait_for("it is asked", 5, lambda: self.asked(0) == 1)
            old = stack.child("worker p0")
            os.kill(old, signal.SIGSTOP)
        # Front hears of this client before the next one is answered.
        self.assertEqual(stack.get("/health").status, 200)
        os.kill(old, signal.SIGKILL)
        stack.wait_for_log("CCR_STATUS=499")
        stack.wait_replaced("worker p0", old, 5)
        stack.wait_until_healthy()
        self.assertEqual(self.asked(1), 0, "nobody is asked for a client that has left")
        self.assert_free(stack)

    def test_nothing_of_a_copy(self):
        stack = self.start({"default": {"route": "p1,m", "shadow": {"target": "p0,m", "percent": 100}}})
        CHAT.assert_complete(stack.post(CHAT.path, CHAT.request("unlisted")), 10)
        wait_for("the copy", 5, lambda: stack.metric("ccr_shadow_requests_total", outcome="completed") == 1)
        self.assert_free(stack)

    def test_nothing_of_the_slower_one_of_two(self):
        stack = self.start({"hedge": True}, ENOUGH)
        with self.subTest("it is cancelled"):
            self.script(late(HANG), None)
            answer = stack.post(CHAT.path, CHAT.request("p0,m"))
            self.assertEqual(answer.header("x-ccr-tier"), "p1")
            self.assert_free(stack)
        with self.subTest("its worker dies"):
            first, second = self.asked(0), self.asked(1)
            answers = []
            goes_on = threading.Event()
            self.script(late(HANG), lambda r: goes_on.wait(10) and self.ups[1].standard(r))
            thread = threading.Thread(target=lambda: answers.append(stack.post(CHAT.path, CHAT.request("p0,m"))))
            thread.start()
            wait_for("both are asked", 5, lambda: (self.asked(0), self.asked(1)) == (first + 1, second + 1))
            stack.wait_replaced("worker p0", stack.kill_child("worker p0"), 5)
            goes_on.set()
            thread.join()
            self.assertEqual(answers[0].header("x-ccr-tier"), "p1")
            stack.wait_until_healthy()
            self.assert_free(stack)
