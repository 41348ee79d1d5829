# SPDX-License-Identifier: Apache-2.0
"""10,000 generated requests: each gets an answer below 500 or a close, and nothing is left behind."""

import random
import re
import select
import socket
import time
import unittest

from dialects import DIALECTS
from harness import ECHO, Case, Stack, wait_for
from wire import encoded, post_bytes, request_bytes

COUNT = 10_000
BATCH = 250
SEED = 3456

ODD = [
    b"\r\n", b"\n", b"\r", b"\0", b"\x7f", b"\xff", b" ", b"\t", b":", b";", b",", b"\r\n\r\n", b"\r\n ", b"HTTP/1.1",
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Content-Length: 99999999999999999999\r\n",
    b"Host: x\r\n", b"Expect: 100-continue\r\n", b"Content-Encoding: gzip\r\n", b"Connection: close\r\n",
    b"0\r\n\r\n", b"ffffffff\r\n", b"{", b"}", b"[" * 2000, b'"', b"\\", b"\\u", b"\xed\xa0\x80", b'"model":', b"%00", b"..",
]  # fmt: skip


def seeds():
    """Valid requests of all kinds."""
    for d in DIALECTS:
        for streaming in (True, False):
            yield post_bytes(d.path, d.request("echo", stream=streaming))
    body = encoded(DIALECTS[0].request("echo"))
    chunks = b"%x\r\n%s\r\n%x;a=b\r\n%s\r\n0\r\nX: y\r\n\r\n" % (10, body[:10], len(body) - 10, body[10:])
    yield request_bytes("POST", DIALECTS[0].path, chunks, [("Transfer-Encoding", "chunked")])
    yield request_bytes("GET", "/v1/models", headers=[("User-Agent", "codex_cli_rs/1"), ("X", "y" * 300)])
    yield request_bytes("GET", "/metrics?x=%20")
    yield request_bytes("HEAD", "/")
    yield post_bytes("/v1/embeddings", {"model": "echo", "input": "x"})
    yield post_bytes("/preset/none/v1/messages", DIALECTS[2].request("echo"))


def mutate(data, r):
    data = bytearray(data)
    for _ in range(r.choice((1, 1, 1, 2, 3, 8))):
        at = r.randrange(len(data) + 1)
        kind = r.randrange(7)
        if kind == 0 and at < len(data):
            data[at] = r.randrange(256)
        elif kind == 1:
            data[at:at] = r.choice(ODD)
        elif kind == 2:
            del data[at : at + r.choice((1, 2, 5, 40))]
        elif kind == 3:
            data[at : at + 30] = data[at : at + 30] * r.choice((2, 3))
        elif kind == 4:
            data = data[: max(1, at)]
        elif kind == 5 and at < len(data):
            data[at] ^= 1 << r.randrange(8)
        else:
            data[at:at] = bytes(r.randrange(256) for _ in range(r.choice((1, 4, 60))))
        if not data:
            data = bytearray(b"\0")
    return bytes(data)


def generate():
    r = random.Random(SEED)
    valid = list(seeds())
    for i in range(COUNT):
        if i % 50 == 0:
            yield r.randbytes(r.randrange(1, 400))
        else:
            yield mutate(r.choice(valid), r)


class Exchange:
    """One connection: sends the bytes, collects the answer, half-closes after a while, waits for the end."""

    def __init__(self, port, data):
        self.data, self.received = data, b""
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        try:
            self.socket.sendall(data)
        except ConnectionError:
            pass
        self.socket.setblocking(False)

    def read(self):
        """False at the end of the connection."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return True
        except ConnectionError:
            data = b""
        self.received += data
        return bool(data)

    def half_close(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Malformed(Case):
    @classmethod
    def open_all(cls):
        limits = {"headerTimeoutMs": 60_000, "bodyTimeoutMs": 60_000}
        cls.stack = cls.enterClassContext(Stack(ECHO, Limits=limits))

    def run_batch(self, batch):
        """Returns the status of each exchange, 0 for a close without an answer."""
        exchanges = {e.socket.fileno(): e for e in (Exchange(self.stack.port, data) for data in batch)}
        poll = select.poll()
        for number in exchanges:
            poll.register(number, select.POLLIN)
        open_ones, half_closed, end = set(exchanges), False, time.monotonic() + 10
        while open_ones:
            ready = poll.poll(25 if not half_closed else 1000)
            for number, _ in ready:
                if not exchanges[number].read():
                    poll.unregister(number)
                    open_ones.discard(number)
            if not ready and not half_closed:
                half_closed = True
                for number in open_ones:
                    exchanges[number].half_close()
            if time.monotonic() > end:
                hanging = exchanges[next(iter(open_ones))]
                self.fail(
                    f"{len(open_ones)} connections hang, one after {hanging.data!r}: {hanging.received!r}"
                )
        statuses = []
        for e in exchanges.values():
            e.socket.close()
            statuses.append(self.status(e))
        return statuses

    def status(self, e):
        if not e.received:
            return 0
        if not e.received.startswith(b"HTTP/1.1 "):
            self.fail(f"no HTTP after {e.data!r}: {e.received[:200]!r}")
        # Mutations may leave several requests; each answer matters.
        return max(int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", e.received))

    def test_each_gets_4xx_or_a_close_and_nothing_grows(self):
        requests = list(generate())
        # Warm: pools, caches and allocators reach their size.
        for start in range(0, 1000, BATCH):
            self.run_batch(requests[start : start + BATCH])
        pids, memory = self.stack.pids(), self.stack.resident()
        try:
            files = self.stack.descriptors()
        except unittest.SkipTest:
            files = None
        counts = {}
        for start in range(0, COUNT, BATCH):
            batch = requests[start : start + BATCH]
            for data, status in zip(batch, self.run_batch(batch)):
                counts[status] = counts.get(status, 0) + 1
                if status >= 500:
                    self.fail(f"{status} after {data!r}")
        shown = f"answers by status: {dict(sorted(counts.items()))}"
        self.assertGreater(counts.get(400, 0), COUNT // 5, shown)
        self.assertEqual(self.stack.pids(), pids, f"processes were replaced; {shown}")
        if files:
            wait_for(
                f"descriptors as before: {files}, now {self.stack.descriptors()}",
                5,
                lambda: all(n <= files[name] + 4 for name, n in self.stack.descriptors().items()),
            )
        for name, now in self.stack.resident().items():
            grown = now - memory[name]
            self.assertLess(grown, 8 << 20, f"{name} grew by {grown >> 10} KB; {shown}")
        self.assertTrue(self.stack.serves())
