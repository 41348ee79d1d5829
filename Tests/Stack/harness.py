# SPDX-License-Identifier: Apache-2.0
"""Starts, watches and hurts a whole stack: the real binaries, their processes in /proc, their log and their metrics."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Clients"))

import wire  # noqa: E402
from dialects import CHAT  # noqa: E402
from gateway import PROGRAM, ROOT, Case, Gateway, free_port, provider  # noqa: E402, F401
from scripted import Upstream  # noqa: E402, F401

# Whoever is started in the background by a shell ignores SIGINT, and so would all that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)

ECHO = {"name": "echo", "api_base_url": "builtin:echo"}
HELLO = CHAT.request("echo", stream=False)


def wait_for(what, seconds, condition, *args):
    """Poll until the condition holds; returns what it returned."""
    end = time.monotonic() + seconds
    while True:
        value = condition(*args)
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def taken(upstream, model):
    """The bytes of a model's answers that a scripted upstream got rid of, once they do not grow any more."""
    last, at = -1, time.monotonic()

    def settled():
        nonlocal last, at
        now = upstream.sent.get(model, 0)
        if now != last:
            last, at = now, time.monotonic()
        return time.monotonic() - at > 0.4

    wait_for("the upstream stops", 20, settled)
    return last


def exists(pid):
    """Whether the process runs; a zombie does not."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def resident(pid):
    """Resident memory in bytes."""
    pages = pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def peak_resident(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def open_files(pid):
    """What each open descriptor refers to, and its inode. Processes forbid dumps, so only root may look."""
    folder = pathlib.Path(f"/proc/{pid}/fd")
    try:
        numbers = os.listdir(folder)
    except PermissionError as e:
        raise unittest.SkipTest("needs root to look at the descriptors of the processes") from e
    found = []
    for number in numbers:
        try:
            found.append((os.readlink(folder / number), os.stat(folder / number).st_ino))
        except FileNotFoundError:
            continue
    return found


def body_files(pid):
    """The files for request bodies that a process has open, by inode."""
    return {inode for name, inode in open_files(pid) if "ccr-body" in name}


def descriptors(pid):
    """The number of open descriptors."""
    return len(open_files(pid))


class Stack(Gateway):
    """A running stack with what a test needs to look into it.

    Leaving the context asserts a clean end, and that no process crashed unless the test says that it hurts them.
    """

    def __init__(self, *providers, crashes=False, **config):
        config.setdefault("Providers", list(providers) or [ECHO])
        super().__init__(**config)
        self.expects_crashes = crashes

    def wait_until_healthy(self, seconds=10):
        """Front answers /health before the other processes are up; tests want all of them."""
        super().wait_until_healthy(seconds)
        wait_for("readiness", seconds, lambda: self.get("/health/readiness").status == 200)

    def __exit__(self, kind, *rest):
        if self.process.poll() is None:
            super().__exit__(kind, *rest)
        else:
            self.kill()
        if kind is None:
            self.check_log(self.last_log)

    def kill(self):
        self.last_log = self.log_text()
        super().kill()

    def check_log(self, text):
        crash = "" if self.expects_crashes else "Fatal error|protocol violation|by signal|"
        bad = [
            line
            for line in text.splitlines()
            if re.search(crash + "the sandbox refused|should not have", line)
        ]
        if bad:
            raise AssertionError("what must not be in the log:\n" + "\n".join(bad[:10]))

    # Log

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_for_log(self, pattern, seconds=5, start=0):
        return wait_for(
            f"{pattern!r} in the log:\n{self.tail()}",
            seconds,
            lambda: re.search(pattern, self.log_text()[start:]),
        )

    # Requests

    def get(self, path, **more):
        return wire.get(self.port, path, **more)

    def post(self, path, body, headers=(), **more):
        return wire.post(self.port, path, body, headers, **more)

    def stream(self, path, body, headers=(), **more):
        return wire.stream(self.port, path, body, headers, **more)

    def serves(self):
        """Whether a request is answered well by the embedded provider."""
        try:
            return self.post(CHAT.path, HELLO, timeout=2).status == 200
        except (OSError, AssertionError):
            return False

    def model_names(self):
        return {m["id"] for m in self.get("/v1/models").json()["data"]}

    # Processes

    @property
    def pid(self):
        return self.process.pid

    def all_children(self):
        """The pids of all children that run, of older generations too."""
        text = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [pid for pid in map(int, text.split()) if exists(pid)]

    def children(self):
        """Name -> pid of every child: "front", "worker NAME", "exporter"; the youngest of each name."""
        found = {}
        for pid in self.all_children():
            try:
                arguments = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:-1]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if arguments:
                found[b" ".join(arguments).decode()] = pid
        return found

    def child(self, name):
        children = self.children()
        if name not in children:
            raise AssertionError(f"there is no {name}; children: {children}\n{self.tail()}")
        return children[name]

    def pids(self):
        """The supervisor and its children by name."""
        return {"supervisor": self.pid, **self.children()}

    def health(self):
        """Entries of /health by "role" or "role provider"."""
        processes = self.get("/health", timeout=2).json()["processes"]
        return {" ".join(filter(None, (p["role"], p.get("provider")))): p for p in processes}

    def kill_child(self, name, sig=signal.SIGKILL):
        pid = self.child(name)
        os.kill(pid, sig)
        return pid

    def wait_replaced(self, name, old, seconds=1):
        return wait_for(
            f"a new {name} in place of {old}", seconds, lambda: self.children().get(name) not in (None, old)
        )

    def descriptors(self):
        return {name: descriptors(pid) for name, pid in self.pids().items()}

    def resident(self):
        return {name: resident(pid) for name, pid in self.pids().items()}

    # Configuration

    def reload(self, seconds=5, **changes):
        """Write a changed configuration, reload, and wait until it is in force."""
        start = len(self.log_text())
        self.config.update(changes)
        self.write_config()
        self.process.send_signal(signal.SIGHUP)
        self.wait_for_log(r"CCR_GENERATION=", seconds, start)

    # Metrics

    def metric(self, name, headers=(), **labels):
        """The sum of a metric's series that carry these labels."""
        return wire.metric(self.port, name, headers, **labels)


def bench_tool(name):
    """The path of a program of bench/, built when it is missing."""
    subprocess.run(
        ["make", "-s", "-C", str(ROOT), "bench-tools"], check=True, stdin=subprocess.DEVNULL, timeout=120
    )
    return str(ROOT / "build/bench" / name)
