# SPDX-License-Identifier: Apache-2.0
"""An upstream that does on the wire exactly what a test wrote down for a model, and records what it saw.

A model without a script is answered well: the dialect of the path, streaming or not as asked.
"""

import dataclasses
import json
import re
import select
import socket
import struct
import threading
import time

from dialects import BY_PATH, CHAT


class Pause(float):
    """Seconds of silence."""


HANG = Pause(60)
# Ends of a connection inside an answer: with a FIN, with a RST.
CLOSE = object()
RESET = object()

EVENT_STREAM = ("Content-Type", "text/event-stream; charset=utf-8")
JSON = ("Content-Type", "application/json")


@dataclasses.dataclass
class Script:
    """What to do with a request: `before` the head, then the head, then each piece of the body.

    Pieces are bytes, Pause, CLOSE or RESET. `framing` is "chunked" (one chunk for each piece), "length" or "close".
    `alone`: every byte is sent by a call of its own, and time is left for it to be read alone.
    """

    pieces: list
    status: int = 200
    headers: list = dataclasses.field(default_factory=lambda: [EVENT_STREAM])
    framing: str = "chunked"
    before: list = dataclasses.field(default_factory=list)
    alone: bool = False

    def head(self):
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{name}: {value}" for name, value in self.headers)]
        if self.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
        elif self.framing == "length":
            lines.append(f"Content-Length: {sum(len(p) for p in self.pieces if isinstance(p, bytes))}")
        else:
            lines.append("Connection: close")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"

    def steps(self):
        yield from self.before
        yield self.head()
        for piece in self.pieces:
            yield b"%x\r\n%s\r\n" % (len(piece), piece) if self.is_chunk(piece) else piece
        if self.framing == "chunked":
            yield b"0\r\n\r\n"
        elif self.framing == "close":
            yield CLOSE

    def is_chunk(self, piece):
        return self.framing == "chunked" and isinstance(piece, bytes)


def whole(body, status=200, headers=(JSON,), **more):
    return Script([body], status, list(headers), "length", **more)


def slow(events, gap):
    """The events with a silence before each but the first."""
    pieces = [events[0]]
    for e in events[1:]:
        pieces += [Pause(gap), e]
    return Script(pieces)


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: list
    body: bytes
    model: str
    received_at: float

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    def header(self, name):
        values = self.all(name)
        return values[0] if values else None


class Gone(Exception):
    """The client of this upstream has closed its connection."""


class Upstream:
    """The server on a free port of 127.0.0.1. Use it as a context manager."""

    def __init__(self):
        # model -> Script, or a function of the Request that returns one.
        self.scripts = {}
        self.requests = []
        # (model, time) of answers whose client went away.
        self.cancelled = []
        # model -> bytes of answers that the socket took, and their times.
        self.sent = {}
        self.connections = 0
        self.active = 0
        self.lock = threading.Lock()
        # Small buffers, so that a client that does not read is felt soon.
        self.send_buffer = None

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.send_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.send_buffer)
        with connection:
            try:
                file = connection.makefile("rb")
                while request := self.read(connection, file):
                    with self.lock:
                        self.requests.append(request)
                        self.active += 1
                    try:
                        if not self.play(connection, request):
                            return
                    finally:
                        with self.lock:
                            self.active -= 1
            except (OSError, ValueError):
                return

    def read(self, connection, file):
        """The next request, or None at the end of the connection."""
        line = file.readline()
        if not line:
            return None
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = []
        while (line := file.readline()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name.lower(), value.strip()))
        fields = dict(headers)
        if "expect" in fields:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self.read_body(connection, file, fields)
        try:
            model = json.loads(body).get("model") or ""
        except (ValueError, AttributeError):
            model = ""
        return Request(method, target, headers, body, model, time.monotonic())

    def read_body(self, connection, file, fields):
        if fields.get("transfer-encoding") != "chunked":
            return file.read(int(fields.get("content-length", 0)))
        body = b""
        while size := int(file.readline(), 16):
            body += file.read(size)
            file.readline()
        file.readline()
        return body

    def script(self, request):
        script = self.scripts.get(request.model)
        if callable(script):
            return script(request)
        if script is not None:
            return script
        return self.standard(request)

    def standard(self, request):
        """A good answer."""
        dialect = BY_PATH.get(request.target.split("?")[0], CHAT)
        if re.search(rb'"stream" ?: ?true', request.body):
            return Script(dialect.events())
        return whole(dialect.whole())

    def play(self, connection, request):
        """Answers; False when the connection is of no further use."""
        script = self.script(request)
        try:
            for step in script.steps():
                if isinstance(step, Pause):
                    self.wait(connection, step)
                elif step is CLOSE:
                    return False
                elif step is RESET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return False
                elif script.alone:
                    for i in range(len(step)):
                        self.send(connection, request, step[i : i + 1])
                        time.sleep(0.0001)
                else:
                    self.send(connection, request, step)
            return True
        except (Gone, ConnectionError):
            with self.lock:
                self.cancelled.append((request.model, time.monotonic()))
            return False

    def send(self, connection, request, data):
        poll = select.poll()
        poll.register(connection, select.POLLOUT | select.POLLIN)
        view = memoryview(data)
        while view:
            ready = poll.poll(60_000)
            if not ready:
                return
            if ready[0][1] & ~select.POLLOUT:
                self.check(connection)
            if ready[0][1] & select.POLLOUT:
                count = connection.send(view, socket.MSG_DONTWAIT)
                view = view[count:]
                with self.lock:
                    self.sent[request.model] = self.sent.get(request.model, 0) + count

    def wait(self, connection, seconds):
        """Silence that ends at once when the client leaves."""
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        if poll.poll(seconds * 1000):
            self.check(connection)
            time.sleep(seconds)

    def check(self, connection):
        if not connection.recv(1, socket.MSG_PEEK):
            raise Gone

    # What tests ask.

    def seen(self, model):
        with self.lock:
            return [r for r in self.requests if r.model == model]

    def cancellations(self, model):
        """The times at which clients of this model's answers went away."""
        with self.lock:
            return [at for name, at in self.cancelled if name == model]
