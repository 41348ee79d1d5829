# SPDX-License-Identifier: Apache-2.0
"""A client that goes away: its upstream is cancelled at once."""

import os
import signal
import statistics
import time

from dialects import CHAT, DIALECTS
from harness import Case, Stack, Upstream, provider, wait_for
from scripted import HANG, Script, slow, whole
from wire import Wire, post_bytes

# The promise is 0.1 s; a loaded machine gets time.
LIMIT = 0.5
PROMISE = 0.1


class Abort(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        cls.stack = cls.enterClassContext(Stack(provider("up", cls.up.url + "/v1", ["m"])))

    def measure(self, name, leave, ready, rounds=6):
        """Opens requests until `ready`, leaves by `leave`, returns the seconds until the upstream felt it."""
        delays = []
        for i in range(rounds):
            d = DIALECTS[i % 3]
            seen, cancelled = len(self.up.seen("m")), len(self.up.cancellations("m"))
            with Wire(self.stack.port) as wire:
                wire.send(post_bytes(d.path, d.request("m")))
                wait_for("the request at the upstream", 3, lambda: len(self.up.seen("m")) > seen)
                ready(wire)
                at = time.monotonic()
                leave(wire)
                wait_for("the upstream is cancelled", 5, lambda: len(self.up.cancellations("m")) > cancelled)
            delays.append(self.up.cancellations("m")[-1] - at)
        shown = f"{name}: seconds until the upstream was cancelled: {[round(x, 4) for x in delays]}"
        self.assertLess(max(delays), LIMIT, shown)
        self.assertLess(statistics.median(delays), PROMISE, shown)

    def close(self, wire):
        wire.socket.close()

    def in_stream(self, wire):
        wire.read_head()
        wire.read_until(b"@0@")

    def test_when_the_end_comes_with_the_request(self):
        self.up.scripts["m"] = whole(b"{}", before=[HANG])
        front = self.stack.child("front")
        for d in DIALECTS:
            with self.subTest(d.name):
                start = len(self.stack.log_text())
                os.kill(front, signal.SIGSTOP)
                try:
                    with Wire(self.stack.port) as wire:
                        wire.send(post_bytes(d.path, d.request("m")))
                finally:
                    os.kill(front, signal.SIGCONT)
                self.stack.wait_for_log("CCR_OUTCOME=aborted", 5, start)

    def test_in_a_busy_stream(self):
        self.up.scripts["m"] = lambda r: slow(by_path(r).events(3000), 0.01)
        self.measure("close", self.close, self.in_stream)
        self.measure("reset", Wire.abort, self.in_stream)

    def test_in_a_silent_stream(self):
        self.up.scripts["m"] = lambda r: Script([*by_path(r).opening(), by_path(r).delta("@0@"), HANG])
        self.measure("close", self.close, self.in_stream)
        self.measure("reset", Wire.abort, self.in_stream)

    def test_before_the_head(self):
        self.up.scripts["m"] = whole(b"{}", before=[HANG])
        self.measure("close", self.close, lambda wire: None)
        self.measure("reset", Wire.abort, lambda wire: None)

    def test_in_an_opening_that_is_held(self):
        self.up.scripts["m"] = lambda r: Script([*by_path(r).opening(), HANG])
        self.measure("close", self.close, lambda wire: None)

    def test_aborts_are_counted_as_such(self):
        self.up.scripts["m"] = lambda r: slow(CHAT.events(3000), 0.01)
        before = self.stack.metric("ccr_request_outcomes_total", outcome="aborted")
        with self.stack.stream(CHAT.path, CHAT.request("m")) as wire:
            wire.read_until(b"@0@")
        wait_for(
            "the abort in the metrics",
            5,
            lambda: self.stack.metric("ccr_request_outcomes_total", outcome="aborted") == before + 1,
        )
        wait_for("no active stream", 5, lambda: self.stack.metric("ccr_active_streams") == 0)


def by_path(request):
    return next(d for d in DIALECTS if d.path == request.target)
