# SPDX-License-Identifier: Apache-2.0
"""Starts the whole stack (`ccr run`) for a test and ends it.

Environment: CCR is the program (default .build/release/ccr), CCR_DIRECT=1 leaves the gateway out.
"""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("CCR", str(ROOT / ".build/release/ccr"))
DIRECT = os.environ.get("CCR_DIRECT") == "1"

needs_gateway = unittest.skipIf(DIRECT, "tests the gateway itself")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(port, path, timeout=5):
    """Status and body of a GET on 127.0.0.1."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def provider(name, url, models, **more):
    """One entry of Providers; it speaks all three dialects unless told otherwise."""
    return {
        "name": name,
        "api_base_url": url,
        "api_key": "sk-upstream",
        "models": models,
        "dialects": ["chat", "responses", "messages"],
        **more,
    }


class Gateway:
    """A running stack on a free port of 127.0.0.1. Use it as a context manager.

    environment: further variables. config: the configuration without HOST, PORT and STATE_DIR. Leaving the context
    sends SIGTERM and checks that the stack ends with exit status 0.
    """

    def __init__(self, environment=None, **config):
        self.environment = environment or {}
        if not os.access(PROGRAM, os.X_OK):
            raise AssertionError(f"{PROGRAM} is missing: run make build, or set CCR")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = tempfile.TemporaryDirectory(prefix="ccr-clients.")
        state = pathlib.Path(self.folder.name, "state")
        state.mkdir()
        self.config = {"HOST": "127.0.0.1", "PORT": self.port, "STATE_DIR": str(state), **config}
        self.path = pathlib.Path(self.folder.name, "config.json")
        self.log = pathlib.Path(self.folder.name, "log")

    def __enter__(self):
        self.write_config()
        self.log.touch()
        self.start()
        try:
            self.wait_until_healthy()
        except BaseException:
            self.kill()
            raise
        return self

    def write_config(self):
        """Write the file that `ccr run` reads at its start and at a reload."""
        self.path.write_text(json.dumps(self.config))

    def program(self):
        return PROGRAM

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.program(), "run", "--config", str(self.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": self.folder.name, "CCR_LOG": "debug", **self.environment},
                start_new_session=True,
            )

    def wait_until_healthy(self, seconds=10):
        end = time.monotonic() + seconds
        seen = "no answer"
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"ccr run ended with {self.process.returncode}\n{self.tail()}")
            try:
                status, body = get(self.port, "/health", timeout=2)
                if status == 200 and json.loads(body)["status"] == "healthy":
                    return
                seen = f"{status} {body[:300]!r}"
            except (OSError, ValueError, KeyError, http.client.HTTPException) as e:
                seen = repr(e)
            time.sleep(0.02)
        raise AssertionError(f"ccr is not healthy after {seconds} s: {seen}\n{self.tail()}")

    def __exit__(self, kind, *_):
        try:
            self.process.send_signal(signal.SIGTERM)
            status = self.process.wait(40)
        except subprocess.TimeoutExpired:
            status = "no end within 40 s"
        log = self.tail()
        self.kill()
        if kind is None and status != 0:
            raise AssertionError(f"ccr run after SIGTERM: {status}\n{log}")

    def tail(self):
        """The end of what the stack logged, for messages of failed tests."""
        return self.log.read_text(errors="replace")[-4000:]

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.folder.cleanup()


class Case(unittest.TestCase):
    """A test case that opens context managers once per class, in `open_all`."""

    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.open_all()

    @classmethod
    def open_all(cls):
        """Start what the tests of the class share, with `enterClassContext`."""
