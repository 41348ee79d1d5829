# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the supervisor, a child that hangs, a child that crashes again and again."""

import os
import signal
import time

from dialects import CHAT
from harness import ECHO, Case, Stack, Upstream, exists, provider, wait_for
from scripted import slow


class SupervisorDeath(Case):
    def test_no_child_outlives_the_supervisor(self):
        up = self.enterContext(Upstream())
        up.scripts["endless"] = slow(CHAT.events(600), 0.1)
        stack = self.enterContext(Stack(provider("up", up.url + "/v1", ["endless"]), ECHO, crashes=True))
        with stack.stream(CHAT.path, CHAT.request("endless")) as wire:
            wire.read_until(b"@0@")
            children = stack.children()
            self.assertEqual(set(children), {"front", "worker up", "worker echo", "exporter"})
            os.kill(stack.pid, signal.SIGKILL)
            stack.process.wait(2)
            wait_for("the end of all children", 2, lambda: not any(map(exists, children.values())))
            self.assertEqual(wire.read_body().ending, "broken")


class Watchdog(Case):
    @classmethod
    def open_all(cls):
        cls.stack = cls.enterClassContext(Stack(ECHO, crashes=True, Timeouts={"watchdogMs": 1000}))

    def test_a_stopped_process_is_killed_and_replaced(self):
        for name in ("worker echo", "front", "exporter"):
            with self.subTest(name):
                start = len(self.stack.log_text())
                old = self.stack.kill_child(name, signal.SIGSTOP)
                self.stack.wait_replaced(name, old, 6)
                self.assertFalse(exists(old), f"the stopped {name} was not killed")
                self.stack.wait_for_log(rf"{name} gave no sign of life", 1, start)
                wait_for("an answer", 2, self.stack.serves)
        self.assertEqual(self.stack.health()["worker echo"]["restarts"], 1)


class CrashLoop(Case):
    @classmethod
    def open_all(cls):
        cls.stack = cls.enterClassContext(Stack(ECHO, crashes=True))

    def test_restarts_are_counted_and_come_later_and_later(self):
        waits = []
        for _ in range(4):
            old = self.stack.kill_child("worker echo")
            at = time.monotonic()
            self.stack.wait_replaced("worker echo", old, 3)
            waits.append(time.monotonic() - at)
        seen = f"seconds until the restart: {[round(w, 3) for w in waits]}"
        self.assertLess(waits[0], 0.35, seen)
        self.assertGreater(waits[3], 0.39, seen)
        wait_for("4 restarts in /health", 3, lambda: self.stack.health()["worker echo"]["restarts"] == 4)
        wait_for("an answer", 3, self.stack.serves)
        wait_for(
            "4 restarts in /metrics",
            3,
            lambda: self.stack.metric("ccr_process_restarts_total", role="worker") == 4,
        )
