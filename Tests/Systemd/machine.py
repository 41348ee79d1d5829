# SPDX-License-Identifier: Apache-2.0
"""A Debian 12 with a booted systemd, for tests of the package: systemd-nspawn over a throw-away layer of the image.

The machine has no network but its loopback interface. `Machine.enter_network` moves the test's own sockets there, so that
clients and upstreams of the other test suites talk to the gateway inside. `scripts/systemd-image` makes the image.
"""

import atexit
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from dialects import CHAT
from harness import wait_for  # noqa: F401
from wire import post

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGE = ROOT / "build/systemd/image"
PACKAGES = ROOT / "build/deb"
CLONE_NEWNET = 0x40000000

PORT = 3456
METRICS_PORT = 9464
# sandboxIncomplete, sandboxRefused, protocolViolation
NEVER = (
    "0fc41e4c28b0330abcc76a0051cf4998",
    "79615bf0f6e6acae60900b4a2e81cc89",
    "29fed8e1b888d4555964954f65d011c9",
)
ECHO = {"name": "echo", "api_base_url": "builtin:echo"}


HELLO = CHAT.request("echo", stream=False)


def is_answered(body, timeout=20):
    """Whether a chat request is answered well at the address for clients."""
    try:
        return post(PORT, CHAT.path, body, timeout=timeout).status == 200
    except (OSError, AssertionError):
        return False


class Failed(AssertionError):
    """A command inside the machine that ended with another status than 0."""


def command(*words, timeout=60, input=None):
    """Run a command on the host; returns what it printed."""
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=timeout, input=input, stdin=None if input else subprocess.DEVNULL
    )
    if done.returncode:
        raise Failed(f"{' '.join(map(str, words))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def package():
    """The package under test."""
    found = [p for p in PACKAGES.glob("ccr_*.deb")]
    if len(found) != 1:
        raise AssertionError(f"one package is expected in {PACKAGES}, found {found}: run make deb")
    return found[0]


def newer_package():
    """The same package with a higher version number."""
    target = PACKAGES / "newer.deb"
    with tempfile.TemporaryDirectory(prefix="ccr-newer.") as folder:
        command("dpkg-deb", "--raw-extract", package(), folder)
        control = pathlib.Path(folder, "DEBIAN/control")
        text = re.sub(r"(?m)^Version: (.*)$", r"Version: \1+newer", control.read_text())
        control.write_text(text)
        # Not compressed, for speed.
        command("dpkg-deb", "--root-owner-group", "-Znone", "--build", folder, target)
    return target


class Machine:
    """The booted system, while the context is open. Inside, `power_off` and `boot` may be called again and again; what was
    written stays."""

    def __init__(self):
        if os.geteuid() != 0:
            raise AssertionError("booting a systemd needs root")
        if not IMAGE.is_dir():
            raise AssertionError(f"{IMAGE} is missing: run make test-systemd")
        self.pid = None
        self.home = open("/proc/thread-self/ns/net", "rb")
        # A file system in memory: the folder itself may lie on an overlay, which cannot hold another one's layers.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ccr-systemd."))
        command("mount", "-t", "tmpfs", "-o", "size=2g", "ccr-systemd", self.folder)
        atexit.register(self.remove)
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir()
        self.root = self.folder / "root"
        options = f"lowerdir={IMAGE},upperdir={self.folder}/upper,workdir={self.folder}/work"
        command("mount", "-t", "overlay", "-o", options, "overlay", self.root)

    # Life

    def __enter__(self):
        try:
            return self.boot()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, *_):
        self.power_off()
        self.remove()

    def boot(self):
        log = self.folder / "console"
        with log.open("wb") as console:
            self.nspawn = subprocess.Popen(
                [
                    "systemd-nspawn",
                    f"--directory={self.root}",
                    "--machine=ccr-test",
                    "--boot",
                    "--register=no",
                    "--keep-unit",
                    "--private-network",
                    "--console=pipe",
                    "--link-journal=no",
                    "--resolv-conf=off",
                    "--timezone=off",
                    # Its own list of system calls would hide Landlock from the machine.
                    "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self",
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        try:
            wait_for("the first process of the machine", 20, self.find_first_process)
            wait_for("a booted systemd", 60, self.is_booted)
        except AssertionError as e:
            self.kill()
            raise AssertionError(f"systemd-nspawn does not boot here:\n{log.read_text(errors='replace')}") from e
        return self

    def find_first_process(self):
        if self.nspawn.poll() is not None:
            raise AssertionError(f"systemd-nspawn ended with {self.nspawn.returncode}")
        children = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
        for pid in map(int, children):
            try:
                name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            except (FileNotFoundError, ProcessLookupError):
                continue  # one of those that nspawn only starts for a moment while it prepares the machine
            if name == "systemd":
                self.pid = pid
                return True
        return False

    def is_booted(self):
        state = self.try_run("systemctl", "is-system-running").stdout.strip()
        if state == "degraded":
            raise AssertionError("degraded:\n" + self.run("systemctl", "--failed"))
        return state == "running"

    def power_off(self):
        self.try_run("systemctl", "poweroff")
        try:
            self.nspawn.wait(60)
        finally:
            self.kill()

    def kill(self):
        if self.pid and self.nspawn.poll() is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.nspawn.poll() is None:
            try:
                self.nspawn.wait(10)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait(10)
        self.pid = None

    def remove(self):
        atexit.unregister(self.remove)
        if self.pid:
            self.kill()
        self.set_network(self.home)
        self.home.close()
        for mount in (self.root, self.folder):
            subprocess.run(["umount", "--lazy", mount], check=False)
        self.folder.rmdir()

    def enter_network(self):
        """From now on, sockets of this thread and of those it starts are made in the machine's network."""
        with open(f"/proc/{self.pid}/ns/net", "rb") as namespace:
            self.set_network(namespace)

    @staticmethod
    def set_network(namespace):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    # Commands

    def try_run(self, *words, timeout=60, input=None):
        """Run a command inside; returns it with `returncode`, `stdout` and `stderr`."""
        return subprocess.run(
            ["nsenter", "-t", str(self.pid), "--all", "--", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=timeout,
            input=input or "",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
        )

    def run(self, *words, **more):
        """Run a command inside that has to succeed; returns what it printed."""
        done = self.try_run(*words, **more)
        if done.returncode:
            raise Failed(f"{' '.join(map(str, words))}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def shell(self, script, **more):
        return self.run("sh", "-ec", script, **more)

    def install(self, path):
        """dpkg --install; returns what it said."""
        shutil.copy(path, self.root / "root" / path.name)
        return self.run("dpkg", "--install", f"/root/{path.name}", timeout=120)

    def write(self, path, text):
        target = self.root / path.lstrip("/")
        self.run("mkdir", "-p", str(pathlib.PurePath(path).parent))
        # Through the machine's own view, so that mounts inside are respected, and into the same file, with its owner.
        self.run("sh", "-c", 'cat >"$1"', "sh", path, input=text)
        return target

    def drop_in(self, unit, text):
        self.write(f"/etc/systemd/system/{unit}.d/test.conf", text)
        self.run("systemctl", "daemon-reload")

    # systemd

    def show(self, unit, *properties):
        """Properties of a unit by name."""
        text = self.run("systemctl", "show", unit, f"--property={','.join(properties)}")
        return dict(line.split("=", 1) for line in text.splitlines())

    def state(self, unit):
        return self.show(unit, "ActiveState")["ActiveState"]

    def journal(self, *matches):
        """Entries of the journal as dictionaries, oldest first."""
        text = self.run("journalctl", "--output=json", "--no-pager", *matches)
        return [json.loads(line) for line in text.splitlines()]

    def messages(self, *matches):
        return [str(e.get("MESSAGE")) for e in self.journal(*matches)]

    # The service

    def loaded_configurations(self):
        """How often a configuration came into force."""
        return len(self.journal("-u", "ccr", "MESSAGE_ID=72def70bff7a35f945c93f0d338767ed"))

    def pids(self):
        """Name -> pid, as the machine counts, of the processes of the service: "supervisor", "front", "worker NAME"."""
        found = {}
        main = self.show("ccr.service", "MainPID")["MainPID"]
        lines = self.try_run("systemctl", "status", "ccr.service", "--no-pager", "--full", "--lines=0").stdout
        for pid, words in re.findall(r"[├└]─ *(\d+) (.*)", lines):
            name = "supervisor" if pid == main else words.removeprefix("ccr ")
            found[name] = int(pid)
        return found

    def host_pids(self, unit):
        """The processes of any unit of the system by name, with the pids that the host counts."""
        namespace = os.readlink(f"/proc/{self.pid}/ns/pid")
        found = {}
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(process / "ns/pid") != namespace or f"/{unit}\n" not in (process / "cgroup").read_text():
                    continue
                words = (process / "cmdline").read_text().rstrip("\0").split("\0")[1:]
            except OSError:
                continue
            found["supervisor" if words == ["run"] else " ".join(words)] = int(process.name)
        return found

    def signal(self, name, signal_name):
        pid = self.pids()[name]
        self.shell(f"kill -{signal_name} {pid}")
        return pid

    def wait_replaced(self, name, old, seconds=5):
        return wait_for(f"a new {name} in place of {old}", seconds, lambda: self.pids().get(name) not in (None, old))


class Installed(Machine):
    """A machine with the package installed, a configuration of the test's and its socket started."""

    def __init__(self, *providers, **config):
        super().__init__()
        self.never = NEVER
        self.config = {"Providers": list(providers) or [ECHO], **config}

    def __enter__(self):
        super().__enter__()
        try:
            self.enter_network()
            self.install(package())
            self.write_config()
            self.run("systemctl", "start", "ccr.socket")
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, kind, *error):
        try:
            if kind is None:
                self.check_journal()
        finally:
            super().__exit__(kind, *error)

    def answers(self):
        """Whether a request is answered well by the embedded provider."""
        return is_answered(HELLO)

    def check_journal(self):
        """No process missed a right that its sandbox or its unit took, kept one, or got a message that cannot be."""
        entries = [e["MESSAGE"] for message_id in self.never for e in self.journal(f"MESSAGE_ID={message_id}")]
        # The kernel is the host's: what it lacks (Landlock, on some) is no fault of the units.
        bad = [text for text in entries if not text.startswith("this kernel has no ")]
        if bad:
            raise AssertionError("in the journal:\n" + "\n".join(bad[:10]))

    def write_config(self, **changes):
        self.config.update(changes)
        self.write("/etc/ccr/config.json", json.dumps(self.config))


class Case(unittest.TestCase):
    """A test case whose `machine` the class opens."""

    maxDiff = 4000
