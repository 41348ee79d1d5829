# SPDX-License-Identifier: Apache-2.0
"""Connections of clients: kept, pipelined, of HTTP/1.0, over a Unix socket.

Source: RFC 9112 §9.3 (persistence, pipelining), RFC 9112 §6.3 (HTTP/1.0 has no chunks).
"""

import pathlib
import re
import tempfile
import time

from dialects import CHAT, DIALECTS
from harness import Case, Stack, Upstream, provider, wait_for
from parallel import Background
from scripted import Pause, whole
from wire import JSON_TYPE, Wire, encoded, get, post, post_bytes, request_bytes


def sleeps(pid):
    """How often a process has waited for something."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE).group(1))


class Connections(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.path = str(pathlib.Path(folder, "ccr.sock"))
        cls.stack = cls.enterClassContext(
            Stack(provider("up", cls.up.url + "/v1", ["m", "slow", "slower", "number"]), SOCKET=cls.path)
        )
        cls.up.scripts["slow"] = whole(b'{"id":"slow"}', before=[Pause(0.2)])
        cls.up.scripts["slower"] = whole(b'{"id":"slower"}', before=[Pause(2)])
        cls.up.scripts["number"] = lambda request: whole(request.body)

    def test_many_requests_on_one_connection(self):
        with Wire(self.stack.port) as wire:
            for i in range(20):
                d = DIALECTS[i % 3]
                wire.send(post_bytes(d.path, d.request("m", stream=i % 2 == 0)))
                answer = wire.read_answer()
                self.assertEqual((answer.status, answer.ending), (200, "complete"))
                self.assertIsNone(answer.header("connection"))

    def test_pipelined_requests_are_answered_in_order(self):
        raw, expected = b"", []
        for i in range(10):
            body = b'{"model":"number","n":%d}' % i
            raw += request_bytes("POST", CHAT.path, body, [JSON_TYPE]) + request_bytes("GET", "/v1/models")
            raw += request_bytes("POST", CHAT.path, b'{"model":"slow"}', [JSON_TYPE]) if i == 3 else b""
            expected += [body, None] + ([b'{"id":"slow"}'] if i == 3 else [])
        with Wire(self.stack.port) as wire:
            wire.send(raw)
            for body in expected:
                answer = wire.read_answer()
                self.assertEqual(answer.status, 200)
                if body is None:
                    self.assertIn(b'"models"', answer.body)
                else:
                    self.assertEqual(answer.body, body)

    def test_a_request_that_comes_with_the_end_of_a_large_body_is_answered(self):
        # Of a body above 64 KiB front receives no byte too much, so the next request stays in the socket.
        large = b'{"model":"number","text":"%s"}' % (b"x" * 300_000)
        small = b'{"model":"number","n":1}'
        raw = b"".join(request_bytes("POST", CHAT.path, body, [JSON_TYPE]) for body in (large, small, large, small))
        for step in (len(raw), 65_536, 100_000):
            with self.subTest(step), Wire(self.stack.port) as wire:
                sender = Background(lambda: [wire.send(raw[i : i + step]) for i in range(0, len(raw), step)])
                for body in (large, small, large, small):
                    self.assertEqual(wire.read_answer().body, body)
                sender.result()

    def test_a_request_that_was_sent_while_another_one_was_answered_is_read_afterwards(self):
        body = b'{"model":"number","n":1}'
        with Wire(self.stack.port) as wire:
            for _ in range(5):
                self.ask_slowly(wire, "slow")
                wire.send(request_bytes("POST", CHAT.path, body, [JSON_TYPE]))
                self.assertEqual(wire.read_answer().body, b'{"id":"slow"}')
                self.assertEqual(wire.read_answer().body, body)

    def test_a_request_that_comes_in_pieces_during_an_answer_does_not_wake_front(self):
        raw = request_bytes("POST", CHAT.path, b'{"model":"number","n":1}', [JSON_TYPE])
        front = self.stack.child("front")
        with Wire(self.stack.port) as wire:
            self.ask_slowly(wire, "slower")
            before = sleeps(front)
            for i in range(len(raw)):
                wire.send(raw[i : i + 1])
                time.sleep(0.002)
            self.assertLess(sleeps(front) - before, len(raw) / 3)
            self.assertEqual(wire.read_answer().body, b'{"id":"slower"}')
            self.assertEqual(wire.read_answer().body, b'{"model":"number","n":1}')

    def ask_slowly(self, wire, model):
        """Sends a request; returns when the upstream, which takes its time, has it."""
        count = len(self.up.seen(model)) + 1
        wire.send(request_bytes("POST", CHAT.path, encoded({"model": model}), [JSON_TYPE]))
        wait_for("the request at the upstream", 3, lambda: len(self.up.seen(model)) == count)

    def test_a_request_behind_a_running_stream_waits(self):
        raw = post_bytes(CHAT.path, CHAT.request("m"))
        with Wire(self.stack.port) as wire:
            wire.send(raw + raw)
            CHAT.assert_complete(wire.read_answer(), 10)
            CHAT.assert_complete(wire.read_answer(), 10)

    def test_connection_close_is_obeyed(self):
        with Wire(self.stack.port) as wire:
            wire.send(post_bytes(CHAT.path, CHAT.request("m"), [("Connection", "close")]))
            answer = wire.read_answer()
            CHAT.assert_complete(answer, 10)
            self.assertEqual(answer.header("connection"), "close")
            self.assertEqual(wire.wait_end(), b"")

    def test_http_1_0(self):
        for streaming in (True, False):
            with Wire(self.stack.port) as wire:
                body = encoded(CHAT.request("m", stream=streaming))
                wire.send(request_bytes("POST", CHAT.path, body, [JSON_TYPE], version="1.0"))
                answer = wire.read_answer()
                self.assertEqual(answer.status, 200)
                self.assertIsNone(answer.header("transfer-encoding"), "HTTP/1.0 has no chunks")
                expected = b"".join(CHAT.events()) if streaming else CHAT.whole()
                self.assertEqual(answer.body, expected)
                self.assertEqual(wire.wait_end(), b"")

    def test_the_unix_socket_serves_as_the_port_does(self):
        for d in DIALECTS:
            d.assert_complete(post(self.path, d.path, d.request("m")), 10)
        self.assertEqual(get(self.path, "/health").json()["status"], "healthy")

    def test_an_absolute_target(self):
        body = encoded(CHAT.request("m"))
        with Wire(self.stack.port) as wire:
            wire.send(request_bytes("POST", "http://127.0.0.1" + CHAT.path, body, [JSON_TYPE]))
            CHAT.assert_complete(wire.read_answer(), 10)
