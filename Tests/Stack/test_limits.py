# SPDX-License-Identifier: Apache-2.0
"""Bounds on what clients may send and hold, and what they are told at each."""

import gzip
import random
import subprocess
import zlib

from dialects import CHAT, DIALECTS, MESSAGES
from harness import ECHO, HELLO, Case, Stack, Upstream, provider, wait_for
from parallel import Background
from scripted import Pause, whole
from wire import JSON_TYPE, Wire, post_bytes, request_bytes

CHUNKED = ("Transfer-Encoding", "chunked")


class Sizes(Case):
    @classmethod
    def open_all(cls):
        limits = {"headBytes": 8_192, "bodyBytes": 100_000}
        cls.stack = cls.enterClassContext(Stack(ECHO, Limits=limits))

    def test_a_head_that_is_too_large(self):
        for headers in ([("X-Large", "y" * 9_000)], [(f"X-{i}", "y") for i in range(1_000)]):
            answer = self.stack.post(CHAT.path, HELLO, headers)
            self.assertEqual((answer.status, answer.header("connection")), (431, "close"))
        self.assertEqual(self.stack.get("/" + "x" * 9_000).status, 431)
        self.assertEqual(self.stack.post(CHAT.path, HELLO, [("X-Fits", "y" * 7_000)]).status, 200)

    def test_a_head_without_end(self):
        with Wire(self.stack.port) as wire:
            wire.send(b"GET / HTTP/1.1\r\n")
            wire.send(b"X: " + b"y" * 20_000)
            self.assertEqual(wire.read_answer().status, 431)

    def test_a_length_that_is_too_large_is_refused_before_the_body(self):
        for d in DIALECTS:
            with Wire(self.stack.port) as wire:
                wire.send(request_bytes("POST", d.path, headers=[JSON_TYPE, ("Content-Length", "100001")]))
                answer = wire.read_answer()
                self.assertEqual((answer.status, answer.header("connection")), (413, "close"))
                d.error_message(answer)

    def test_the_answer_to_a_body_that_is_too_large_can_be_read(self):
        """The client is still sending; a reset would destroy the answer."""
        for _ in range(5):
            answer = self.stack.post(MESSAGES.path, b" " * 2_000_000)
            self.assertEqual(answer.status, 413)
            MESSAGES.error_message(answer)

    def test_chunks_that_grow_too_large(self):
        with Wire(self.stack.port) as wire:
            wire.send(request_bytes("POST", CHAT.path, headers=[JSON_TYPE, CHUNKED]))
            for _ in range(11):
                wire.send(b"2710\r\n" + b" " * 10_000 + b"\r\n")
            self.assertEqual(wire.read_answer().status, 413)
        with Wire(self.stack.port) as wire:
            wire.send(
                request_bytes("POST", CHAT.path, headers=[JSON_TYPE, CHUNKED]) + b"7fffffffffffffff\r\n"
            )
            self.assertEqual(wire.read_answer().status, 413)

    def test_the_largest_body_fits(self):
        body = post_bytes(CHAT.path, HELLO).split(b"\r\n\r\n", 1)[1]
        for size, status in ((100_000, 200), (100_001, 413)):
            self.assertEqual(self.stack.post(CHAT.path, body + b" " * (size - len(body))).status, status)

    def test_compressed_bombs(self):
        plain = b'{"model":"echo","x":"%s"}' % (b"\0" * 50_000_000)
        zstd = subprocess.run(
            ["zstd", "-q", "-c", "-19"], input=plain, capture_output=True, check=True
        ).stdout
        before = self.stack.resident()["front"]
        for coding, data in (("gzip", gzip.compress(plain)), ("zstd", zstd)):
            with self.subTest(coding):
                answer = self.stack.post(CHAT.path, data, [("Content-Encoding", coding)])
                self.assertEqual(answer.status, 413, answer.body)
        grown = self.stack.resident()["front"] - before
        self.assertLess(grown, 10 << 20, f"front grew by {grown >> 20} MB")

    def test_deep_json(self):
        for body in (b"[" * 50_000, b'{"model":"echo","x":' + b"[" * 40_000 + b"]" * 40_000 + b"}"):
            self.assertIn(self.stack.post(CHAT.path, body).status, (400, 413))
        self.assertTrue(self.stack.serves())

    def test_a_long_model_name(self):
        answer = self.stack.post(CHAT.path, CHAT.request("x" * 5_000, stream=False))
        self.assertIn(answer.status, (400, 404))
        self.assertLess(len(answer.body), 3_000)


class Ratio(Case):
    def test_a_body_that_grows_too_much(self):
        """A small body may be a long run of one letter; a large one that grows so much is an attack."""
        stack = self.enterContext(Stack(ECHO, Limits={"decodedRatio": 50}))
        noise = random.Random(1).randbytes(60_000).hex().encode()
        for text, status in ((b"a" * 2_000_000, 413), (b"a" * 900_000, 200), (noise * 16, 200)):
            body = b'{"model":"echo","messages":[],"x":"%s"}' % text
            for coding, encode in (("gzip", gzip.compress), ("deflate", zlib.compress)):
                with self.subTest(coding, size=len(text)):
                    answer = stack.post(CHAT.path, encode(body), [("Content-Encoding", coding)])
                    self.assertEqual(answer.status, status, answer.body[:300])


class Counts(Case):
    def test_connections(self):
        stack = self.enterContext(Stack(ECHO, Limits={"connections": 5}))
        held = [self.enterContext(Wire(stack.port)) for _ in range(5)]
        for wire in held:
            wire.send(post_bytes(CHAT.path, HELLO))
            self.assertEqual(wire.read_answer().status, 200)
        for _ in range(3):
            with Wire(stack.port) as wire:
                answer = wire.read_answer()
                self.assertEqual((answer.status, answer.header("connection")), (503, "close"))
                self.assertGreater(int(answer.header("retry-after")), 0)
                self.assertEqual(wire.wait_end(), b"")
        held[0].socket.close()
        wait_for("an answer after a connection was given back", 2, stack.serves)
        held[1].send(post_bytes(CHAT.path, HELLO))
        self.assertEqual(held[1].read_answer().status, 200)

    def test_requests_in_flight(self):
        up = self.enterContext(Upstream())
        up.scripts["slow"] = whole(CHAT.whole(), before=[Pause(1)])
        stack = self.enterContext(
            Stack(provider("up", up.url + "/v1", ["slow", "m"]), Limits={"requestsInFlight": 3})
        )
        running = [Background(stack.post, CHAT.path, CHAT.request("slow", stream=False)) for _ in range(3)]
        wait_for("three running requests", 3, lambda: len(up.seen("slow")) == 3)
        for d in DIALECTS:
            answer = stack.post(d.path, d.request("m"))
            self.assertEqual(answer.status, 503)
            self.assertGreater(int(answer.header("retry-after")), 0)
            d.error_message(answer)
        self.assertEqual(stack.get("/health").status, 200, "/health has to answer at the limit")
        self.assertEqual([r.result().status for r in running], [200] * 3)
        self.assertEqual(len(up.seen("m")), 0)
        self.assertEqual(stack.post(CHAT.path, CHAT.request("m")).status, 200)
