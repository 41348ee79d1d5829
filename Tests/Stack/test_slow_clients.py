# SPDX-License-Identifier: Apache-2.0
"""Clients that send slowly or nothing: 408 or a close, whether they are silent or trickle."""

import time

from dialects import CHAT, DIALECTS, MESSAGES
from harness import ECHO, HELLO, Case, Stack
from parallel import Background
from wire import JSON_TYPE, Wire, post_bytes, request_bytes


class SlowClients(Case):
    @classmethod
    def open_all(cls):
        limits = {"headerTimeoutMs": 500, "bodyTimeoutMs": 700, "idleTimeoutMs": 600}
        cls.stack = cls.enterClassContext(Stack(ECHO, Limits=limits))

    def trickle(self, wire, data, gap=0.05):
        """One byte after the other until the connection refuses them."""
        try:
            for i in range(len(data)):
                wire.send(data[i : i + 1])
                end = time.monotonic() + gap
                while time.monotonic() < end:
                    if wire.is_closed() or wire.buffer:
                        return
                    time.sleep(0.01)
        except ConnectionError:
            return

    def check(self, first, rest, limit, expect=(408,)):
        """`first` at once, then `rest` slowly or not at all; answered and closed soon after `limit`."""

        def run(data):
            with Wire(self.stack.port, timeout=5) as wire:
                at = time.monotonic()
                wire.send(first)
                self.trickle(wire, data)
                answer = wire.read_answer()
                seconds = time.monotonic() - at
                wire.wait_end()
                return answer, seconds

        for reader in [Background(run, rest), Background(run, b"")]:
            answer, seconds = reader.result()
            self.assertIn(answer.status, expect)
            self.assertEqual(answer.header("connection"), "close")
            self.assertGreater(seconds, limit - 0.1)
            self.assertLess(seconds, limit + 1.5)
        return answer

    def test_a_head_that_does_not_end(self):
        head = b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        self.check(head, b"X-Slow: " + b"y" * 200, 0.5)
        self.check(b"P", b"OST /v1/messages HTTP/1.1\r\n", 0.5)

    def test_a_body_that_does_not_end(self):
        for d in DIALECTS:
            raw = post_bytes(d.path, d.request("echo", text="x" * 300))
            answer = self.check(raw[:-200], raw[-200:], 0.7)
            d.error_message(answer)

    def test_a_chunked_body_that_does_not_end(self):
        head = request_bytes("POST", MESSAGES.path, headers=[JSON_TYPE, ("Transfer-Encoding", "chunked")])
        self.check(head + b"5\r\n", b'{"a":' + b"\r\n1\r\n " * 30, 0.7)

    def test_an_idle_connection_is_closed_without_an_answer(self):
        for first in (b"", post_bytes(CHAT.path, HELLO)):
            with Wire(self.stack.port, timeout=5) as wire:
                at = time.monotonic()
                if first:
                    wire.send(first)
                    self.assertEqual(wire.read_answer().status, 200)
                self.assertEqual(wire.wait_end(), b"")
                seconds = time.monotonic() - at
                self.assertGreater(seconds, 0.4)
                self.assertLess(seconds, 2.5)
