# SPDX-License-Identifier: Apache-2.0
"""A client that does not read: the upstream is throttled, memory is bounded, and no byte is lost."""

import hashlib
import pathlib

from dialects import CHAT
from harness import Case, Stack, Upstream, provider, resident, taken, wait_for
from scripted import JSON, Script
from wire import Wire, post_bytes


def maximum(name):
    """The largest socket buffer in one direction (tcp(7))."""
    return int(pathlib.Path(f"/proc/sys/net/ipv4/{name}").read_text().split()[2])


# What sockets of the kernel may hold on the way, and what ccr may hold itself.
SOCKETS = maximum("tcp_rmem") + maximum("tcp_wmem") + (4 << 20)
MEMORY = 12 << 20
EVENT = CHAT.delta("x" * 16_000)
EVENTS = 2 * SOCKETS // len(EVENT)
SIZE = len(EVENT) * EVENTS


class BackPressure(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        cls.up.send_buffer = 65_536
        cls.stack = cls.enterClassContext(Stack(provider("up", cls.up.url + "/v1", ["stream", "whole"])))
        cls.stack.post(CHAT.path, CHAT.request("up,warm"))
        cls.up.scripts["stream"] = lambda r: Script(CHAT.opening() + [EVENT] * EVENTS + CHAT.closing())
        cls.up.scripts["whole"] = lambda r: Script([EVENT] * EVENTS, headers=[JSON], framing="length")

    def check(self, model, streaming, expected):
        worker = self.stack.child("worker up")
        before = resident(worker)
        with Wire(self.stack.port, timeout=30, receive_buffer=65_536) as wire:
            wire.send(post_bytes(CHAT.path, CHAT.request(model, stream=streaming)))
            wire.read_head()
            sent = taken(self.up, model)
            grown = resident(worker) - before
            self.assertLess(sent, SOCKETS, f"the upstream could send {sent >> 20} MB of {SIZE >> 20} MB")
            self.assertLess(grown, MEMORY, f"the worker grew by {grown >> 20} MB")
            digest = wire.hash_body()
            self.assertEqual(wire.answer.ending, "complete")
        self.assertEqual(digest, hashlib.sha256(expected).digest(), "bytes were lost or changed")
        grown = resident(worker) - before
        self.assertLess(grown, MEMORY, f"the worker grew by {grown >> 20} MB")

    def test_a_stream(self):
        self.check("stream", True, b"".join(CHAT.opening() + [EVENT] * EVENTS + CHAT.closing()))
        pressed = wait_for(
            "back-pressure in the metrics", 5, lambda: self.stack.metric("ccr_stream_backpressure_total")
        )
        self.assertGreater(pressed, 0)

    def test_a_whole_answer(self):
        self.check("whole", False, EVENT * EVENTS)

    def test_a_client_that_leaves_while_its_socket_is_full(self):
        with Wire(self.stack.port, receive_buffer=65_536) as wire:
            wire.send(post_bytes(CHAT.path, CHAT.request("stream")))
            wire.read_head()
            taken(self.up, "stream")
            count = len(self.up.cancellations("stream"))
        wait_for("the upstream is cancelled", 2, lambda: len(self.up.cancellations("stream")) > count)


class NeverRead(Case):
    def test_a_client_that_never_reads_is_dropped(self):
        up = self.enterContext(Upstream())
        up.send_buffer = 65_536
        up.scripts["m"] = lambda r: Script(CHAT.opening() + [EVENT] * EVENTS + CHAT.closing())
        stack = self.enterContext(Stack(provider("up", up.url + "/v1", ["m"]), Timeouts={"idleMs": 700}))
        with Wire(stack.port, receive_buffer=65_536) as wire:
            wire.send(post_bytes(CHAT.path, CHAT.request("m")))
            wire.read_head()
            wait_for("the upstream is cancelled", 10, up.cancellations, "m")
            self.assertEqual(wire.read_body().ending, "broken")
