# SPDX-License-Identifier: Apache-2.0
"""Abrupt aborts and many slow streams leave no descriptor and no memory behind. The large run is in `make bench`."""

import contextlib
import json
import subprocess
import time

from dialects import CHAT, DIALECTS, MESSAGES
from harness import Case, Stack, bench_tool, free_port, provider, wait_for
from wire import get

ABORTS = 1_000
SLOW_STREAMS = 500
# Connections to the upstream that nobody uses are closed after this time.
UNUSED_MS = 1_000


@contextlib.contextmanager
def mock_upstream():
    """The fast upstream of the benchmark; yields its port."""
    port = free_port()
    process = subprocess.Popen(
        [bench_tool("mock_upstream"), "-p", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for("the upstream", 5, lambda: answers(port))
        yield port
    finally:
        process.kill()
        process.wait()


def answers(port):
    try:
        return get(port, "/health").status == 200
    except OSError:
        return False


class Leaks(Case):
    @classmethod
    def open_all(cls):
        cls.mock = cls.enterClassContext(mock_upstream())
        models = ["mock-200-5", "mock-5-400", "mock-3-0"]
        upstream = provider("up", f"http://127.0.0.1:{cls.mock}/v1", models)
        cls.stack = cls.enterClassContext(Stack(upstream, Timeouts={"unusedConnectionMs": UNUSED_MS}))
        cls.files = cls.stack.descriptors()

    def load(self, mode, model, path, *arguments):
        """Run the load generator; returns its result."""
        command = [bench_tool("loadgen"), "-p", self.stack.port, "-Q", self.mock, "-m", mode, "-M", model]
        command += ["-u", path, *arguments]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def warm(self):
        """Buffers and allocators reach the size that they keep; returns what each process then holds at rest."""
        for d in DIALECTS:
            self.load("sse", "mock-3-0", d.path, "-c", 50, "-n", 300, "-d", 5)
        self.load("abort", "mock-200-5", CHAT.path, "-c", 50, "-k", 3, "-n", 100, "-d", 5)
        return self.at_rest()

    def at_rest(self):
        """The descriptors of each process while nobody is connected, and its memory."""
        wait_for("no client connection is left", 10, lambda: self.connections() == 0)
        wait_for("unused connections are closed", 10, self.few_descriptors)
        return self.stack.resident()

    def few_descriptors(self):
        """Whether no process has more descriptors than it began with."""
        return all(now <= self.files[name] for name, now in self.stack.descriptors().items())

    def settle(self, memory, growth):
        """Descriptors return to what they were; memory does not grow beyond `growth` bytes."""
        try:
            now = self.at_rest()
        except AssertionError:
            self.fail(f"descriptors before {self.files}, after {self.stack.descriptors()}")
        for name in now:
            grown = now[name] - memory[name]
            self.assertLess(grown, growth, f"{name} grew by {grown >> 10} KB from {memory[name] >> 10} KB")

    def connections(self):
        """Client connections besides the one that asks."""
        return self.stack.metric("ccr_front_connections") - 1

    def test_aborts_leave_nothing_behind(self):
        memory = self.warm()
        for d in DIALECTS:
            at = time.monotonic()
            count = ABORTS // 3 + 1
            seen = self.load("abort", "mock-200-5", d.path, "-c", 50, "-k", 3, "-n", count, "-d", 15)
            self.assertGreaterEqual(seen["aborted"], count, seen)
            self.assertEqual(seen["err"], 0, seen)
            self.assertEqual(seen["mock_active_after"], 0, f"streams still run at the upstream: {seen}")
            # The last stream is cancelled soon after the last abort.
            self.assertLess(seen["upstream_cancel_ms"], 500, seen)
            self.assertLess(time.monotonic() - at, 15)
        self.settle(memory, 6 << 20)

    def test_slow_streams_leave_nothing_behind(self):
        memory = self.warm()
        for d in (CHAT, MESSAGES):
            seen = self.load("idle", "mock-5-400", d.path, "-c", SLOW_STREAMS, "-R", 2000, "-d", 20)
            self.assertEqual(
                (seen["ok"], seen["err"], seen["lost"], seen["noterm"]), (SLOW_STREAMS, 0, 0, 0), seen
            )
        self.settle(memory, 6 << 20)
        peak = self.stack.metric("ccr_peak_active_streams")
        self.assertGreaterEqual(peak, SLOW_STREAMS * 0.9, "the streams did not run at the same time")
