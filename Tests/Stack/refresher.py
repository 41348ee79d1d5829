# SPDX-License-Identifier: Apache-2.0
"""The refresher on its own, as a service manager runs it, the commands that ask it, and a worker made of a socket."""

import base64
import ctypes
import errno
import json
import os
import pathlib
import re
import resource
import signal
import socket
import struct
import subprocess
import tempfile
import unittest

import invariants
from harness import PROGRAM, ROOT, Case, exists, wait_for
from oauth import Authority

ORIGIN = {"name": "p", "api_base_url": "http://127.0.0.1:9/v1", "models": ["m"]}
DEBUG = ROOT / ".build/debug/ccr-upstream"
# landlock_create_ruleset(2) with the flag that asks for the version.
LANDLOCK = ctypes.CDLL(None).syscall(444, None, 0, 1) > 0
VERSION = int(re.search(r"version: UInt8 = (\d+)", (ROOT / "Sources/IPC/Message.swift").read_text())[1])

# Fault points, clocks that can be moved and refreshers without a lock exist in debug builds alone.
needs_debug = unittest.skipUnless(DEBUG.exists(), "needs a debug build: make debug-binaries")


def oauth(authority, name="main", **more):
    """A credential at an authority, whose refresh token is in the variable RT."""
    return {
        "name": name,
        "kind": "oauth2",
        "secret": "env:RT",
        "token_url": authority.url + "/token",
        "device_url": authority.url + "/device",
        "client_id": "client",
        "permanent_codes": ["refresh_token_reused"],
        **more,
    }


class SmallDisk:
    """A file system of its own over a directory, in a mount namespace of its own: `enter` begins commands that see it."""

    def __init__(self, path, size):
        own = [] if os.geteuid() == 0 else ["--map-root-user"]
        mount = f"mount -t tmpfs -o size={size},mode=700 tmpfs {path} && echo mounted && exec sleep 600"
        self.process = subprocess.Popen(
            ["unshare", *own, "--mount", "sh", "-c", mount],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "mounted\n":
            self.close()
            raise unittest.SkipTest("needs the right to mount a file system in a namespace")
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        self.enter = ["nsenter", "--target", str(self.process.pid), "--mount", *user, "--"]
        self.path = pathlib.Path(f"/proc/{self.process.pid}/root", str(path)[1:])

    def close(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()

    def fill(self):
        """Leave no room at all."""
        with (self.path / "filler").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError as e:
                assert e.errno == errno.ENOSPC, e

    def free(self):
        (self.path / "filler").unlink()


class Refresher:
    """One configuration and state directory; processes come and go. With `disk_bytes`, the state directory is a disk of
    that size."""

    def __init__(self, *credentials, program=None, disk_bytes=None, **environment):
        self.directory = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.directory.name)
        self.state = self.root / "state"
        self.state.mkdir(mode=0o700)
        # Where programs write: what is made beside the state directory while one runs, it cannot.
        self.out = self.root / "out"
        self.out.mkdir()
        self.disk = SmallDisk(self.state, disk_bytes) if disk_bytes else None
        self.enter = self.disk.enter if self.disk else []
        self.config = self.root / "config.json"
        self.program = program or str(pathlib.Path(PROGRAM).parent / "ccr-upstream")
        self.environment = {"RT": "canary-rt-0", **environment}
        self.processes = []
        self.log = self.root / "log"
        self.provider = {}
        self.clock = self.root / "clock"
        self.clock.write_bytes(bytes(16))
        self.configure(*credentials)

    def configure(self, *credentials):
        provider = {**ORIGIN, **self.provider, "credentials": list(credentials)}
        self.config.write_text(json.dumps({"Providers": [provider], "STATE_DIR": str(self.state)}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        if self.disk:
            self.disk.close()
        self.directory.cleanup()

    def start(self, wait=True, **environment):
        keep = {k: os.environ[k] for k in ("PATH", "TMPDIR") if k in os.environ}
        with self.log.open("a") as log:
            process = subprocess.Popen(
                [*self.enter, self.program, "refresher", "--config", str(self.config)],
                env={**keep, "CCR_CLOCK": str(self.clock), **self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        if wait:
            try:
                wait_for("the refresher's socket", 10, self.answers)
            except AssertionError as e:
                raise AssertionError(f"{e}\n{self.text()[-3000:]}") from e
        return process

    def stop(self, process, sig=signal.SIGTERM, seconds=10):
        process.send_signal(sig)
        return process.wait(seconds)

    def command(self, *words):
        """Exit status and both outputs of a command of ccr."""
        done = subprocess.run(
            [*self.enter, PROGRAM, *words, "--config", str(self.config)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    def ask_in_the_background(self, *words):
        """A command that runs on."""
        return subprocess.Popen(
            [*self.enter, PROGRAM, *words, "--config", str(self.config)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )

    def script(self, text, name="helper"):
        """The path of a shell script that prints a token."""
        file = self.root / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o700)
        return str(file)

    def answers(self):
        return self.command("credentials", "status", "--json")[1].startswith("[")

    def statuses(self):
        out = self.command("credentials", "status", "--json")[1]
        return json.loads(out) if out else []

    def status(self, name="main"):
        found = [entry for entry in self.statuses() if entry["name"] == name]
        return found[0] if found else {"state": "down", "reason": "no answer"}

    def wait_for(self, state, seconds=10, name="main"):
        """Wait until the credential is in this state; returns its whole status."""
        def check():
            found = self.status(name)
            return found if found["state"] == state else None

        return wait_for(f"state {state}; last: {self.status(name)}\n{self.text()}", seconds, check)

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def token(self, name="main"):
        code, out, err = self.command("print-token", name)
        return out if code == 0 else None

    def files(self):
        return [p for p in self.state.rglob("*") if p.is_file()]

    @property
    def store(self):
        return invariants.Store(self.state)

    def running(self):
        return {f"refresher {p.pid}": p.pid for p in self.processes if p.poll() is None}

    def check(self, sent=(), resent=()):
        """Assert what must hold after every scenario."""
        running = self.running()
        if running and self.answers():
            for entry in self.statuses():
                lives = (entry["expires_in_seconds"] or 0) > 1
                if lives and entry["state"] in invariants.SERVED and entry["kind"] != "aws_sigv4":
                    assert self.token(entry["name"]) is not None, f"I6: {entry}"
        texts = {"log": self.text(), "status": " ".join(self.command("credentials", "status", "--json")[1:])}
        invariants.check(self.state, running, texts, sent, resent, may_hold=set(running))

    # Clocks, in debug builds

    def move(self, wall=0.0, boot=0.0):
        """Add seconds to the clocks of the processes that run and of those to come."""
        old = struct.unpack("<qq", self.clock.read_bytes())
        # One write of all bytes: a process reads each number in one piece.
        with self.clock.open("r+b") as file:
            file.write(struct.pack("<qq", old[0] + int(wall * 1e6), old[1] + int(boot * 1e6)))

    def advance(self, seconds):
        """Let time pass."""
        self.move(seconds, seconds)

    def limit_files(self, process, size):
        """No file of the process may grow beyond this size: as on a full disk, without root."""
        hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


def words(*values):
    """A message's body: text with its length, numbers of 64 bits."""
    parts = []
    for value in values:
        if isinstance(value, int):
            parts.append(struct.pack("<Q", value))
        else:
            parts.append(struct.pack("<I", len(value.encode())) + value.encode())
    return b"".join(parts)


class FakeWorker:
    """A worker of a provider as the refresher sees it: gets keys and notices, reports refused tokens."""

    ATTACH, KEYS, NOTICE, REFUSAL = 8, 12, 13, 14

    def __init__(self, refresher, provider="p"):
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)
        name = "worker-" + base64.urlsafe_b64encode(provider.encode()).decode().rstrip("=")
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.connect(str(refresher.state / "credentials/refresher.sock"))
        socket.send_fds(self.control, [bytes([VERSION, self.ATTACH]) + words(name)], [theirs.fileno()])
        theirs.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.control.close()

    def refuse(self, generation, credential="main"):
        self.socket.send(bytes([VERSION, self.REFUSAL]) + words(credential, generation))

    def notice(self):
        """The next notice: credential, generation, state, milliseconds to wait."""
        while True:
            message = self.socket.recv(65536)
            if message[1:2] == bytes([self.NOTICE]):
                break
        at = 2
        values = []
        for kind in "sQsQ":
            if kind == "Q":
                values.append(struct.unpack_from("<Q", message, at)[0])
                at += 8
            else:
                size = struct.unpack_from("<I", message, at)[0]
                values.append(message[at + 4 : at + 4 + size].decode())
                at += 4 + size
        return tuple(values)


class Scenario(Case):
    """One authority and one refresher per test; what must hold is checked after each."""

    lifetime, grace = 1000, 0.0
    debug = False
    more = {}

    def setUp(self):
        self.authority = self.enterContext(Authority(lifetime=self.lifetime, grace=self.grace))
        self.refresher = self.enterContext(self.new(oauth(self.authority, **self.more)))
        self.resent = set()

    def new(self, *credentials, **environment):
        return Refresher(*credentials, program=str(DEBUG) if self.debug else None, **environment)

    def start(self, *behaviours, **environment):
        self.authority.behaviours = list(behaviours)
        self.process = self.refresher.start(**environment)
        return self.process

    def again(self, name="main"):
        """Ask for a new token now; exit status and what the command says."""
        code, out, err = self.refresher.command("credentials", "refresh", name)
        return code, out + err

    def tearDown(self):
        self.refresher.check(self.authority.sent, self.resent)
