# SPDX-License-Identifier: Apache-2.0
"""kill -9 of a worker, before and behind the commit."""

import os
import signal
import subprocess
import threading
import time

from dialects import CHAT, DIALECTS, MESSAGES, RESPONSES
from harness import Case, Stack, Upstream, exists, provider, wait_for
from parallel import Background
from scripted import HANG, Script, whole
from wire import Wire, post_bytes


# Each kill doubles the time until the next start, so that there are not many of them on one stack.
KILLS = [(CHAT, True), (RESPONSES, False), (MESSAGES, True)]


class WorkerDeath(Case):
    def setUp(self):
        self.up = self.enterContext(Upstream())
        self.up.scripts["silent"] = whole(b"{}", before=[HANG])
        self.stack = self.start(
            provider("first", self.up.url + "/v1", ["silent", "slow", "ok"]),
            provider("second", self.up.url + "/v1", ["fallback"]),
            Router={"tiers": ["second,fallback"]},
        )

    def start(self, *providers, **config):
        return self.enterContext(Stack(*providers, crashes=True, **config))

    def kill_during(self, stack, name, d, model, streaming):
        """Kill the worker while it waits for the upstream's head; returns the answer and how long it took."""
        count = len(self.up.seen(model))
        reader = Background(stack.post, d.path, d.request(model, stream=streaming))
        wait_for("the request at the upstream", 3, lambda: len(self.up.seen(model)) > count)
        at = time.monotonic()
        old = stack.kill_child(name)
        answer = reader.result(10)
        seconds = reader.ended_at - at
        stack.wait_replaced(name, old)
        return answer, seconds

    def test_before_the_commit_the_next_candidate_answers(self):
        for d, streaming in KILLS:
            with self.subTest(d.name, streaming=streaming):
                answer, seconds = self.kill_during(self.stack, "worker first", d, "silent", streaming)
                self.assertEqual(answer.status, 200, answer.body)
                if streaming:
                    d.assert_complete(answer, 10)
                self.assertEqual(answer.header("x-ccr-tier"), "second")
                self.assertLess(seconds, 1)

    def test_before_the_commit_without_another_candidate_the_next_worker_answers(self):
        stack = self.start(provider("only", self.up.url + "/v1", ["once"]))
        for d, streaming in KILLS:
            with self.subTest(d.name, streaming=streaming):
                answers = iter([whole(b"{}", before=[HANG])])
                self.up.scripts["once"] = lambda request, left=answers: next(left, None) or self.up.standard(request)
                answer, seconds = self.kill_during(stack, "worker only", d, "once", streaming)
                self.assertEqual(answer.status, 200, answer.body)
                if streaming:
                    d.assert_complete(answer, 10)
                self.assertLess(seconds, 2)

    def test_a_request_that_ends_two_workers_ends_no_third(self):
        stack = self.start(provider("only", self.up.url + "/v1", ["silent"]))
        reader = Background(stack.post, CHAT.path, CHAT.request("silent"))
        for count in (1, 2):
            wait_for("the request at the upstream", 3, lambda: len(self.up.seen("silent")) == count)
            old = stack.kill_child("worker only")
        answer = reader.result(10)
        self.assertEqual(answer.status, 502)
        self.assertIn("only", CHAT.error_message(answer))
        stack.wait_replaced("worker only", old)
        self.assertEqual(len(self.up.seen("silent")), 2)

    def test_behind_the_commit_the_stream_is_ended_at_once(self):
        for d in DIALECTS:
            with self.subTest(d.name):
                events = d.events(5)
                first = len(d.opening()) + 1
                self.up.scripts["slow"] = Script(events[:first] + [HANG])
                with self.stack.stream(d.path, d.request("slow")) as wire:
                    answer = wire.read_until(b"@0@")
                    at = time.monotonic()
                    old = self.stack.kill_child("worker first")
                    wire.read_body()
                    seconds = time.monotonic() - at
                    self.assertLess(seconds, 1, "the client hangs")
                    self.assertNotIn(d.terminal, answer.body)
                    self.assertEqual(answer.ending, "broken", "a broken stream with a clean end")
                self.stack.wait_replaced("worker first", old)

    def test_what_the_client_has_seen_is_not_asked_for_again_although_front_was_not_told(self):
        # No notice to the supervisor's watchdog comes in between.
        stack = self.start(
            provider("first", self.up.url + "/v1", ["slow"]),
            provider("second", self.up.url + "/v1", ["fallback"]),
            Router={"tiers": ["second,fallback"]},
            Timeouts={"watchdogMs": 600_000},
        )
        for d in DIALECTS:
            with self.subTest(d.name):
                release = threading.Event()
                script = Script(d.events(5)[: len(d.opening()) + 1] + [HANG])
                self.up.scripts["slow"] = lambda _, release=release, script=script: release.wait(10) and script
                count = len(self.up.seen("slow"))
                with Wire(stack.port, timeout=10) as wire:
                    wire.send(post_bytes(d.path, d.request("slow")))
                    wait_for("the request at the upstream", 3, lambda: len(self.up.seen("slow")) > count)
                    old = stack.child("worker first")
                    # Its first message is the first byte for the client, the second one tells front.
                    self.end_at_message(old, 2)
                    release.set()
                    wire.read_head()
                    answer = wire.read_until(b"@0@")
                    wire.read_body()
                self.assertEqual(answer.ending, "broken")
                self.assertEqual(answer.body.count(b"@0@"), 1)
                self.assertEqual(self.up.seen("fallback"), [])
                stack.wait_replaced("worker first", old)

    def end_at_message(self, pid, number):
        """Let the kernel end a process in place of its next so many messages' last one."""
        tracer = subprocess.Popen(
            ["strace", "-p", str(pid), "-e", "trace=sendmsg", "-e", f"inject=sendmsg:signal=KILL:when={number}"],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(tracer.stderr.close)
        self.addCleanup(tracer.wait, 10)
        first = tracer.stderr.readline()
        if "not permitted" in first:
            self.skipTest("needs the right to trace processes")
        self.assertIn("attached", first)

    def test_another_candidate_answers_while_a_worker_is_kept_from_starting_too_often(self):
        # After the sixth death the next worker starts 1.6 s later.
        for _ in range(5):
            old = self.stack.kill_child("worker first")
            self.stack.wait_replaced("worker first", old, 5)
        self.stack.kill_child("worker first")
        wait_for("the end of the worker", 1, lambda: "worker first" not in self.stack.children())
        answer = self.stack.post(CHAT.path, CHAT.request("ok"))
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.header("x-ccr-tier"), "second")

    def test_an_answer_that_has_begun_is_not_begun_again_whatever_front_hears_first(self):
        """Front hears of the worker's death by sending to it, before it has read that the answer has begun."""
        goes_on = threading.Event()
        self.up.scripts["slow"] = lambda r: goes_on.wait(10) and Script([*CHAT.events(2)[:2], HANG])
        front = self.stack.child("front")
        with Wire(self.stack.port) as begun, Wire(self.stack.port) as other:
            other.send(post_bytes(CHAT.path, CHAT.request("ok")))
            CHAT.assert_complete(other.read_answer(), 10)
            begun.send(post_bytes(CHAT.path, CHAT.request("slow")))
            wait_for("the request at the upstream", 5, lambda: self.up.seen("slow"))
            os.kill(front, signal.SIGSTOP)
            try:
                other.send(post_bytes(CHAT.path, CHAT.request("ok")))
                goes_on.set()
                begun.read_head()
                begun.read_until(b"@0@")
                old = self.stack.kill_child("worker first")
                wait_for("its end", 5, lambda: not exists(old))
            finally:
                os.kill(front, signal.SIGCONT)
            begun.read_body()
            self.assertEqual((begun.answer.ending, begun.buffer), ("broken", b""))
            # The other one waits for the next worker, or another candidate answers it.
            CHAT.assert_complete(other.read_answer(), 10)

    def test_the_worker_is_back_within_a_second(self):
        old = self.stack.kill_child("worker first")
        at = time.monotonic()
        self.stack.wait_replaced("worker first", old)
        answer = self.stack.post(MESSAGES.path, MESSAGES.request("ok"))
        MESSAGES.assert_complete(answer, 10)
        self.assertLess(time.monotonic() - at, 1)
        self.assertEqual(answer.header("x-ccr-tier"), "first")

    def test_requests_wait_for_a_worker_that_is_being_started(self):
        self.up.scripts["ok"] = whole(b"{}")
        old = self.stack.kill_child("worker first")
        answers = [self.stack.post(CHAT.path, CHAT.request("ok")) for _ in range(5)]
        self.assertEqual([a.status for a in answers], [200] * 5)
        self.stack.wait_replaced("worker first", old)

    def kill_for_good(self, stack, name):
        """Kill a worker of which nobody starts another one until the supervisor goes on."""
        os.kill(stack.pid, signal.SIGSTOP)
        old = stack.kill_child(name)
        wait_for("its end", 5, lambda: not exists(old))
        return old

    def test_a_worker_that_does_not_come_back_is_not_waited_for(self):
        self.kill_for_good(self.stack, "worker first")
        try:
            answer = self.stack.post(CHAT.path, CHAT.request("ok"))
            CHAT.assert_complete(answer, 10)
            self.assertEqual(answer.header("x-ccr-tier"), "second")
        finally:
            os.kill(self.stack.pid, signal.SIGCONT)

    def test_a_client_that_leaves_while_its_request_waits_for_a_worker_has_taken_nothing(self):
        only = {**provider("only", self.up.url + "/v1", ["m"]), "rpm": 1}
        stack = self.start(only, RATE_LIMIT_MAX_TOTAL_WAIT_MS=1)
        old = self.kill_for_good(stack, "worker only")
        try:
            with Wire(stack.port) as wire:
                wire.send(post_bytes(CHAT.path, CHAT.request("m")))
                wait_for("it is there", 5, lambda: stack.metric("ccr_active_requests") == 2)
            stack.wait_for_log("CCR_STATUS=499")
        finally:
            os.kill(stack.pid, signal.SIGCONT)
        stack.wait_replaced("worker only", old, 5)
        self.assertEqual([stack.post(CHAT.path, CHAT.request("m")).status for _ in range(2)], [200, 429])
        self.assertEqual(len(self.up.seen("m")), 1)
