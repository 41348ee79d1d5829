# SPDX-License-Identifier: Apache-2.0
"""Starts the logging mock upstreams of Tests/Fixtures and reads what they logged."""

import json
import pathlib
import socket
import subprocess
import sys
import time

from gateway import ROOT, free_port

FIXTURES = ROOT / "Tests/Fixtures"


class Mock:
    """A mock upstream on a free port, as a context manager.

    kind: "codexmock" or "claudemock". folder: where its log goes.
    """

    def __init__(self, kind, scenario, folder, *arguments):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.kind = kind
        self.log = pathlib.Path(folder, f"{kind}.{self.port}.jsonl")
        program = str(FIXTURES / kind / "mock.py")
        self.command = [sys.executable, program, "--port", str(self.port), "--scenario", scenario]
        self.command += ["--log", str(self.log), *arguments]

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        end = time.monotonic() + 10
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.5).close()
                return self
            except OSError:
                time.sleep(0.02)
        self.__exit__()
        raise AssertionError("the mock upstream does not start: " + " ".join(self.command))

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def requests(self, suffix):
        """The POST requests whose path ends in suffix, as compare.normalise takes them."""
        found = []
        for line in self.log.read_text().splitlines():
            entry = json.loads(line)
            if entry.get("method") != "POST":
                continue
            if self.kind == "codexmock":
                target, body = entry["target"], entry.get("json")
            else:
                target = entry["path"] + ("?" + entry["query"] if entry["query"] else "")
                body = entry["body"]
            if target.split("?")[0].endswith(suffix):
                found.append((entry["method"], target, entry["headers"], body))
        return found
