# SPDX-License-Identifier: Apache-2.0
"""kill -9 of front while streams run in the workers."""

import time

from dialects import BY_PATH, CHAT
from harness import ECHO, Case, Stack, Upstream, provider, wait_for
from parallel import Streams
from scripted import slow
from wire import Wire, post_bytes

STREAMS = 50
DELTAS = 15


def paced(request):
    """A stream of about two seconds in the dialect of the request."""
    return slow(BY_PATH[request.target].events(DELTAS), 0.1)


class FrontDeath(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        cls.stack = cls.enterClassContext(
            Stack(
                provider("up", cls.up.url + "/v1", ["paced", "ok"]),
                ECHO,
                crashes=True,
            )
        )
        cls.up.scripts["paced"] = paced

    def test_all_running_streams_finish_and_new_connections_are_served(self):
        streams = Streams(self.stack.port, "paced", STREAMS)
        worker = self.stack.child("worker up")
        old = self.stack.kill_child("front")
        at = time.monotonic()
        # The listening socket stays open: a client that connects now waits instead of being refused.
        with Wire(self.stack.port) as wire:
            wire.send(post_bytes(CHAT.path, CHAT.request("ok")))
            CHAT.assert_complete(wire.read_answer(), 10)
        self.assertLess(time.monotonic() - at, 1, "a new connection waited for too long")
        self.stack.wait_replaced("front", old)
        streams.assert_complete(DELTAS)
        self.assertEqual(self.stack.child("worker up"), worker, "the worker was replaced, too")

    def test_a_client_that_leaves_after_the_front_is_noticed(self):
        self.up.scripts["endless"] = lambda request: slow(CHAT.events(600), 0.1)
        with self.stack.stream(CHAT.path, CHAT.request("up,endless")) as wire:
            wire.read_until(b"@0@")
            old = self.stack.kill_child("front")
            self.stack.wait_replaced("front", old)
            wire.read_until(b"@3@")
        wait_for("the upstream is cancelled", 2, self.up.cancellations, "endless")

    def test_repeated_deaths(self):
        for _ in range(3):
            old = self.stack.kill_child("front")
            self.stack.wait_replaced("front", old, 2)
            wait_for("an answer", 2, self.stack.serves)
        self.assertGreaterEqual(self.stack.health()["front"]["restarts"], 3)
