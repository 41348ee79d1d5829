# SPDX-License-Identifier: Apache-2.0
"""A client that sends exactly the bytes it is given and shows exactly what came back.

Source: RFC 9112 §6 and §7 (framing of answers).
"""

import contextlib
import dataclasses
import hashlib
import json
import re
import select
import socket
import struct
import time


@dataclasses.dataclass
class Answer:
    """One answer. `ending` is "open" while the body is incomplete, then

    complete   the framing says that the body has ended
    closed     the connection ended, and only this ends a body without a length
    broken     the connection ended inside a body that has a length or chunks
    """

    status: int
    headers: list
    head: bytes
    received_at: float
    body: bytes = b""
    ending: str = "open"

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    def header(self, name):
        """The field's value, None without it; two of it are a failure."""
        values = self.all(name)
        if len(values) > 1:
            raise AssertionError(f"{name} occurs {len(values)} times: {values}")
        return values[0] if values else None

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError as e:
            raise AssertionError(f"no JSON in the answer {self.status}: {self.body[:300]!r}") from e


class NoAnswer(AssertionError):
    """The connection ended before a whole head was there."""


class Wire:
    """A connection to a TCP port of 127.0.0.1 or to a Unix socket. Use it as a context manager."""

    def __init__(self, address, timeout=10, receive_buffer=None):
        is_path = isinstance(address, str)
        self.socket = socket.socket(socket.AF_UNIX if is_path else socket.AF_INET)
        self.socket.settimeout(timeout)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.socket.connect(address if is_path else ("127.0.0.1", address))
        except OSError:
            self.socket.close()
            raise
        if not is_path:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.ended = False
        self.answer = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def abort(self):
        """Close so that the other side gets a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def fill(self):
        """Receive more; False at the end of the connection."""
        if self.ended:
            return False
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        self.buffer += data
        self.ended = not data
        return not self.ended

    def take(self, count):
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def line(self):
        while b"\n" not in self.buffer:
            if not self.fill():
                return None
        return self.take(self.buffer.index(b"\n") + 1)

    def read_head(self, method="POST"):
        """The head of the next final answer; interim ones are passed over."""
        while True:
            answer = self.read_any_head(method)
            if answer.status >= 200:
                return answer

    def read_any_head(self, method="POST"):
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill():
                raise NoAnswer(f"the connection ended after {len(self.buffer)} bytes: {self.buffer[:200]!r}")
        head = self.take(self.buffer.index(b"\r\n\r\n") + 4)
        first, *lines = head[:-4].split(b"\r\n")
        version, status = first.split(b" ", 2)[:2]
        if version != b"HTTP/1.1":
            raise AssertionError(f"no HTTP/1.1 status line: {first!r}")
        headers = []
        for line in lines:
            name, _, value = line.partition(b":")
            headers.append((name.decode("latin-1").lower(), value.strip().decode("latin-1")))
        self.answer = answer = Answer(int(status), headers, head, time.monotonic())
        length = answer.header("content-length")
        self.chunked = (answer.header("transfer-encoding") or "").lower() == "chunked"
        if self.chunked and length is not None:
            raise AssertionError(f"an answer with both lengths: {head!r}")
        self.left = None if length is None else int(length)
        if method == "HEAD" or answer.status < 200 or answer.status in (204, 304) or self.left == 0:
            answer.ending = "complete"
        return answer

    def more(self):
        """Read more of the body; False when it has ended."""
        answer = self.answer
        if answer.ending != "open":
            return False
        if self.chunked:
            self.read_chunk()
        elif self.left is not None:
            if self.buffer or self.fill():
                data = self.take(self.left)
                self.left -= len(data)
                answer.body += data
                if self.left == 0:
                    answer.ending = "complete"
            else:
                answer.ending = "broken"
        elif self.buffer or self.fill():
            answer.body += self.take(len(self.buffer))
        else:
            answer.ending = "closed"
        return answer.ending == "open"

    def read_chunk(self):
        answer = self.answer
        line = self.line()
        if line is None:
            answer.ending = "broken"
            return
        size = int(line, 16)
        if size == 0:
            if self.line() != b"\r\n":
                raise AssertionError("trailers or a bad end behind the last chunk")
            answer.ending = "complete"
            return
        while len(self.buffer) < size + 2:
            if not self.fill():
                # What is there of a broken chunk is data that a client would see.
                answer.body += self.take(size)
                answer.ending = "broken"
                return
        answer.body += self.take(size)
        if self.take(2) != b"\r\n":
            raise AssertionError("a chunk is longer than its size")

    def read_body(self):
        while self.more():
            pass
        return self.answer

    def hash_body(self):
        """SHA-256 of the body, which is not kept."""
        digest = hashlib.sha256()
        more = True
        while more:
            more = self.more()
            digest.update(self.answer.body)
            self.answer.body = b""
        return digest.digest()

    def read_answer(self, method="POST"):
        self.read_head(method)
        return self.read_body()

    def read_until(self, text):
        """Read until the body contains `text`."""
        while text not in self.answer.body:
            if not self.more() and text not in self.answer.body:
                raise AssertionError(
                    f"the body ended ({self.answer.ending}) without {text!r}: {self.answer.body[-400:]!r}"
                )
        return self.answer

    def wait_end(self):
        """Read until the connection ends; returns the bytes that still came."""
        while self.fill():
            pass
        return self.take(len(self.buffer))

    def is_closed(self):
        """Whether the other side has closed the connection, without waiting."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        if poll.poll(0):
            self.fill()
        return self.ended


def request_bytes(method, path, body=b"", headers=(), version="1.1"):
    """A request. `headers`: (name, value) pairs behind Host; a Content-Length is added when there is a body."""
    lines = [f"{method} {path} HTTP/{version}", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers]
    names = {name.lower() for name, _ in headers}
    if body and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


JSON_TYPE = ("Content-Type", "application/json")


def encoded(body):
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def post_bytes(path, body, headers=()):
    """A POST with a body of bytes, or of what becomes JSON."""
    return request_bytes("POST", path, encoded(body), [JSON_TYPE, *headers])


def post(address, path, body, headers=(), timeout=10):
    """POST on a connection of its own and read the whole answer."""
    with Wire(address, timeout) as wire:
        wire.send(post_bytes(path, body, headers))
        return wire.read_answer()


def get(address, path, headers=(), method="GET", timeout=10):
    with Wire(address, timeout) as wire:
        wire.send(request_bytes(method, path, headers=headers))
        return wire.read_answer(method)


def metric(address, name, headers=(), **labels):
    """The sum of a metric's series that carry these labels, as GET /metrics shows them."""
    total = 0.0
    for line in get(address, "/metrics", headers).body.decode().splitlines():
        found = re.fullmatch(rf"{name}(?:\{{(.*)\}})? ([-+0-9.eE]+)", line)
        if found:
            series = dict(re.findall(r'(\w+)="([^"]*)"', found[1] or ""))
            if labels.items() <= series.items():
                total += float(found[2])
    return total


@contextlib.contextmanager
def stream(address, path, body, headers=(), timeout=10):
    """POST and yield the connection once the answer's head is there."""
    with Wire(address, timeout) as wire:
        wire.send(post_bytes(path, body, headers))
        wire.read_head()
        yield wire
