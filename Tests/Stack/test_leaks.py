# SPDX-License-Identifier: Apache-2.0
"""Abrupt aborts and many slow streams leave no descriptor and no memory behind. The large run is in `make bench`."""

import contextlib
import json
import pathlib
import re
import subprocess

from dialects import CHAT, DIALECTS, MESSAGES
from harness import Case, Stack, bench_tool, free_port, provider, wait_for
from wire import get

ABORTS = 900
SLOW_STREAMS = 500
# Connections to the upstream that nobody uses are closed after this time.
UNUSED_MS = 1_000
# A leaked connection or request is at least this many bytes.
LEAK = 128
ROUNDS = 6


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


def private_memory(pid):
    """Bytes of memory that no other process shares and no file backs."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) * 1024


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

    def at_rest(self):
        """What memory each process holds of its own while nobody is connected."""
        wait_for("no client connection is left", 10, lambda: self.connections() == 0)
        try:
            wait_for("unused connections are closed", 10, self.few_descriptors)
        except AssertionError:
            self.fail(f"descriptors before {self.files}, after {self.stack.descriptors()}")
        return {name: private_memory(pid) for name, pid in self.stack.pids().items()}

    def few_descriptors(self):
        """Whether no process has more descriptors than it began with."""
        return all(now <= self.files[name] for name, now in self.stack.descriptors().items())

    def connections(self):
        """Client connections besides the one that asks."""
        return self.stack.metric("ccr_front_connections") - 1

    def assert_levels_off(self, load, streams):
        """The same load again and again: sooner or later a round adds nothing to speak of, as no leak would allow.

        How much the allocator keeps is its own affair; what is left behind for each stream comes again in each round.
        """
        memory = None
        grown = {}
        for _ in range(ROUNDS):
            load()
            now = self.at_rest()
            if memory:
                grown = {name: (now[name] - memory[name]) // streams for name in now}
                if max(grown.values()) < LEAK:
                    return
            memory = now
        self.fail(f"each of {ROUNDS} rounds left bytes behind, the last one for each stream: {grown}")

    def test_aborts_leave_nothing_behind(self):
        def load():
            for d in DIALECTS:
                count = ABORTS // len(DIALECTS)
                seen = self.load("abort", "mock-200-5", d.path, "-c", 50, "-k", 3, "-n", count, "-d", 15)
                self.assertGreaterEqual(seen["aborted"], count, seen)
                self.assertEqual(seen["err"], 0, seen)
                self.assertEqual(seen["mock_active_after"], 0, f"streams still run at the upstream: {seen}")
                # The last stream is cancelled soon after the last abort.
                self.assertLess(seen["upstream_cancel_ms"], 500, seen)

        self.assert_levels_off(load, ABORTS)

    def test_slow_streams_leave_nothing_behind(self):
        def load():
            for d in (CHAT, MESSAGES):
                seen = self.load("idle", "mock-5-400", d.path, "-c", SLOW_STREAMS, "-R", 2000, "-d", 20)
                self.assertEqual(
                    (seen["ok"], seen["err"], seen["lost"], seen["noterm"]), (SLOW_STREAMS, 0, 0, 0), seen
                )

        self.assert_levels_off(load, SLOW_STREAMS * 2)
        peak = self.stack.metric("ccr_peak_active_streams")
        self.assertGreaterEqual(peak, SLOW_STREAMS * 0.9, "the streams did not run at the same time")
