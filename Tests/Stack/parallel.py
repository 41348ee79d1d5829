# SPDX-License-Identifier: Apache-2.0
"""Many clients at once: streams that are read in threads, and a steady rate of requests on kept connections."""

import threading
import time

from dialects import CHAT, DIALECTS
from wire import Wire, post_bytes


class Background:
    """Runs a function in a thread; `result` waits for it and raises what it raised."""

    def __init__(self, function, *args):
        self.value = self.error = None
        self.thread = threading.Thread(target=self.run, args=(function, args), daemon=True)
        self.thread.start()

    def run(self, function, args):
        try:
            self.value = function(*args)
            self.ended_at = time.monotonic()
        except BaseException as e:
            self.ended_at = time.monotonic()
            self.error = e

    def result(self, seconds=20):
        self.thread.join(seconds)
        if self.thread.is_alive():
            raise AssertionError(f"no end within {seconds} s")
        if self.error:
            raise self.error
        return self.value


class Streams:
    """Opens `count` streams in all dialects, waits for the first delta of each, reads on in the background."""

    def __init__(self, port, model, count):
        self.wires = []
        self.readers = []
        for i in range(count):
            d = DIALECTS[i % 3]
            wire = Wire(port, timeout=20)
            wire.send(post_bytes(d.path, d.request(model)))
            self.wires.append((d, wire))
        for d, wire in self.wires:
            answer = wire.read_head()
            assert answer.status == 200, (answer.status, answer.body)
            wire.read_until(b"@0@")
            self.readers.append((d, Background(wire.read_body)))

    def assert_complete(self, deltas):
        failures = []
        for number, (d, reader) in enumerate(self.readers):
            try:
                d.assert_complete(reader.result(), deltas)
            except AssertionError as e:
                failures.append(f"stream {number}: {e}")
        self.close()
        if failures:
            raise AssertionError(
                f"{len(failures)} of {len(self.readers)} streams:\n" + "\n".join(failures[:5])
            )

    def close(self):
        for _, wire in self.wires:
            wire.socket.close()


class Load:
    """Keep-alive clients that send `rate` requests each second in total. Use it as a context manager.

    A client opens a new connection only after an answer that says `connection: close`; everything else that is not a
    complete 200 counts as a failure.
    """

    def __init__(self, port, rate, clients=10, body=None, path=CHAT.path):
        self.port, self.gap, self.path = port, clients / rate, path
        self.raw = post_bytes(path, body or CHAT.request("echo", stream=False))
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.count = 0
        self.failures = []
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(20)

    def run(self, number):
        wire = None
        due = time.monotonic() + self.gap * number / len(self.threads)
        while not self.stopping.wait(max(0, due - time.monotonic())):
            due += self.gap
            try:
                wire = wire or Wire(self.port)
                wire.send(self.raw)
                answer = wire.read_answer()
                if answer.status != 200 or answer.ending != "complete":
                    raise AssertionError(f"{answer.status} {answer.ending} {answer.body[:200]!r}")
                if answer.header("connection") == "close":
                    wire.socket.close()
                    wire = None
                with self.lock:
                    self.count += 1
            except (OSError, AssertionError) as e:
                with self.lock:
                    self.failures.append(f"request {self.count}: {e!r}")
                if wire:
                    wire.socket.close()
                wire = None
        if wire:
            wire.socket.close()

    def assert_no_failure(self, at_least):
        if self.failures:
            raise AssertionError(
                f"{len(self.failures)} of {self.count} failed:\n" + "\n".join(self.failures[:5])
            )
        if self.count < at_least:
            raise AssertionError(f"only {self.count} requests were sent, {at_least} were expected")
