# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the exporter: no count is lost and none is counted twice."""

import os
import signal
import tempfile
import threading

from dialects import CHAT
from harness import ECHO, HELLO, Case, Stack, Upstream, exists, provider, wait_for
from scripted import Pause, Script
from wire import Wire, post_bytes

REQUESTS = 500
CLIENTS = 5


class ExporterDeath(Case):
    @classmethod
    def open_all(cls):
        cls.stack = cls.enterClassContext(Stack(ECHO, crashes=True))

    def send(self, count):
        raw = post_bytes(CHAT.path, HELLO)
        with Wire(self.stack.port) as wire:
            for _ in range(count):
                wire.send(raw)
                if wire.read_answer().status == 200:
                    with self.lock:
                        self.answered += 1

    def test_counts_are_right_afterwards(self):
        self.lock, self.answered = threading.Lock(), 0
        before = self.stack.metric("ccr_requests_total", tier="echo")
        senders = [
            threading.Thread(target=self.send, args=(REQUESTS // CLIENTS,), daemon=True)
            for _ in range(CLIENTS)
        ]
        for thread in senders:
            thread.start()
        for part in (0.2, 0.6):
            wait_for("the requests go on", 20, lambda: self.answered >= REQUESTS * part)
            old = self.stack.child("exporter")
            os.kill(old, signal.SIGKILL)
            self.stack.wait_replaced("exporter", old, 2)
        for thread in senders:
            thread.join(30)
        self.assertEqual(self.answered, REQUESTS, "requests failed while the exporter was away")

        def counted():
            try:
                return self.stack.metric("ccr_requests_total", tier="echo") - before
            except (OSError, AssertionError):
                return 0

        wait_for("all requests are counted", 10, lambda: counted() >= REQUESTS)
        self.assertEqual(counted(), REQUESTS)
        self.assertEqual(self.stack.metric("ccr_front_dropped_records_total"), 0)

    def test_metrics_are_served_again(self):
        old = self.stack.kill_child("exporter")
        self.stack.wait_replaced("exporter", old, 3)
        answer = wait_for("metrics", 3, lambda: (a := self.stack.get("/metrics")).status == 200 and a)
        self.assertIn(b"ccr_build_info", answer.body)


class SlowExporter(Case):
    def test_a_front_that_has_drained_gives_its_records_to_the_next_exporter(self):
        stack = self.enterContext(Stack(ECHO, crashes=True))
        exporter, front = stack.child("exporter"), stack.child("front")
        os.kill(exporter, signal.SIGSTOP)
        self.assertEqual(stack.post(CHAT.path, HELLO).status, 200)
        stack.reload(Presets={"p": {"route": "echo,echo"}})
        stack.kill_child("exporter")
        wait_for("the end of the old front", 5, lambda: not exists(front))
        wait_for("its records", 5, lambda: stack.metric("ccr_requests_total", tier="echo") == 1)

    def test_a_stack_that_ends_without_an_exporter_starts_one_for_its_records(self):
        state = self.enterContext(tempfile.TemporaryDirectory())
        with Stack(ECHO, STATE_DIR=state, crashes=True) as stack:
            os.kill(stack.child("exporter"), signal.SIGSTOP)
            self.assertEqual(stack.post(CHAT.path, HELLO).status, 200)
            stack.process.send_signal(signal.SIGTERM)
            stack.wait_for_log("draining")
            stack.kill_child("exporter")
            self.assertEqual(stack.process.wait(10), 0)
        with Stack(ECHO, STATE_DIR=state) as stack:
            self.assertEqual(stack.metric("ccr_requests_total", tier="echo"), 1)

    def test_a_front_that_has_drained_waits_until_its_records_are_kept(self):
        up = self.enterContext(Upstream())
        up.scripts["two seconds"] = Script(CHAT.events(), before=[Pause(2)])
        stack = self.enterContext(Stack(provider("up", up.url + "/v1", ["two seconds"]), ECHO, crashes=True))
        exporter, front = stack.child("exporter"), stack.child("front")
        os.kill(exporter, signal.SIGSTOP)
        try:
            self.assertEqual(stack.post(CHAT.path, HELLO).status, 200)
            stack.reload(Presets={"p": {"route": "echo,echo"}})
            self.assertEqual(stack.post(CHAT.path, CHAT.request("two seconds")).status, 200)
            self.assertTrue(exists(front), "nobody has its records")
        finally:
            os.kill(exporter, signal.SIGCONT)
        wait_for("the end of the old front", 5, lambda: not exists(front))
        wait_for("its records", 5, lambda: stack.metric("ccr_requests_total", tier="echo") == 1)
