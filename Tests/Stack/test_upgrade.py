# SPDX-License-Identifier: Apache-2.0
"""An upgrade in place: new executables under the old names and SIGHUP. No stream is cut, no connection refused."""

import os
import pathlib
import shutil
import signal
import tempfile
import threading

from dialects import BY_PATH, CHAT
from harness import ECHO, PROGRAM, Case, Stack, Upstream, descriptors, exists, provider, wait_for
from parallel import Load, Streams
from scripted import slow
from wire import Wire

DELTAS = 25
NAMES = ("ccr", "ccr-upstream")


class Installed(Stack):
    """A stack whose executables lie in a folder of its own, where another version can be put in their place."""

    def __init__(self, *providers, **config):
        super().__init__(*providers, **config)
        self.bin = tempfile.TemporaryDirectory(prefix="ccr-bin.")
        self.install()

    def install(self, change=lambda name, path: None):
        """Put new files under the names, as dpkg does: written beside them, then renamed."""
        for name in NAMES:
            new = pathlib.Path(self.bin.name, f"{name}.dpkg-new")
            shutil.copy(pathlib.Path(PROGRAM).resolve().with_name(name), new)
            change(name, new)
            new.rename(self.executable(name))

    def executable(self, name):
        return pathlib.Path(self.bin.name, name)

    def program(self):
        return str(self.executable("ccr"))

    def kill(self):
        super().kill()
        self.bin.cleanup()

    def is_current(self, pid):
        """Whether the process runs the file that stands under its name now."""
        try:
            target = os.stat(f"/proc/{pid}/exe")
        except OSError:
            return False
        return any(os.path.samestat(target, os.stat(self.executable(name))) for name in NAMES)

    def upgrade(self, seconds=20):
        """Reload after `install`, and wait until the new version serves."""
        start = len(self.log_text())
        self.process.send_signal(signal.SIGHUP)
        self.wait_for_log(r"CCR_GENERATION=", seconds, start)


class Connections:
    """Opens a connection after the other and counts those that are refused. Use it as a context manager."""

    def __init__(self, port):
        self.port, self.count, self.failures = port, 0, []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(20)

    def run(self):
        while not self.stopping.wait(0.002):
            try:
                Wire(self.port).socket.close()
                self.count += 1
            except OSError as e:
                self.failures.append(repr(e))


class Upgrade(Case):
    def setUp(self):
        self.up = self.enterContext(Upstream())
        self.up.scripts["paced"] = lambda request: slow(BY_PATH[request.target].events(DELTAS), 0.2)
        self.providers = [ECHO, provider("up", self.up.url + "/v1", ["paced"])]
        self.stack = self.enterContext(Installed(*self.providers))

    def test_fifty_streams_and_a_steady_load_do_not_notice(self):
        old = self.stack.pids()
        with Load(self.stack.port, rate=100) as load, Connections(self.stack.port) as connections:
            streams = Streams(self.stack.port, "paced", 50)
            wait_for("the load", 10, lambda: load.count > 50)
            self.stack.install()
            self.assertFalse(any(map(self.stack.is_current, old.values())))
            self.stack.upgrade()
            upgraded_at = load.count
            self.assertTrue(exists(old["worker up"]), "the old worker ended with streams running in it")
            wait_for("requests after the upgrade", 10, lambda: load.count > upgraded_at + 100)
            streams.assert_complete(DELTAS)
        load.assert_no_failure(at_least=150)
        self.assertEqual(connections.failures, [])
        self.assertGreater(connections.count, 100)
        for name, pid in old.items():
            if name != "supervisor":
                wait_for(f"the end of the old {name}", 10, lambda pid=pid: not exists(pid))
        new = self.stack.pids()
        self.assertEqual(new["supervisor"], old["supervisor"])
        self.assertEqual({n: self.stack.is_current(p) for n, p in new.items()}, dict.fromkeys(old, True))

    def test_a_changed_configuration_comes_into_force_with_it(self):
        self.stack.install()
        self.stack.reload(20, ModelAliases={"later": "up,paced"})
        self.assertIn("later", self.stack.model_names())
        self.assertTrue(self.stack.is_current(self.stack.pid))
        # Without a request: the new exporter waits for the old one to let go of the database.
        wait_for("the usage database", 10, lambda: self.stack.metric("ccr_usage_store_up") == 1)

    def test_repeated_upgrades_leak_no_descriptor_and_no_filter(self):
        children = pathlib.Path(f"/proc/{self.stack.pid}/task/{self.stack.pid}/children")

        def filters():
            status = pathlib.Path(f"/proc/{self.stack.pid}/status").read_text()
            return [line for line in status.splitlines() if line.startswith("Seccomp")]

        def upgrade():
            self.stack.install()
            self.stack.upgrade()
            self.assertTrue(self.stack.serves())
            # Those that have ended count until the supervisor has let go of them.
            wait_for("the end of the old processes", 20, lambda: len(children.read_text().split()) == 4)

        upgrade()
        # The least of some: it opens files of /proc for a moment now and then.
        count, before = min(descriptors(self.stack.pid) for _ in range(20)), filters()
        for _ in range(3):
            upgrade()
            wait_for("as few descriptors as before", 10, lambda: descriptors(self.stack.pid) <= count)
            self.assertEqual(filters(), before)

    def test_what_is_no_program_is_refused_and_the_old_version_goes_on(self):
        def spoil(name, path):
            path.write_bytes(b"\x7fELF broken")

        self.refused(spoil, r"the new executable is refused")

    def test_a_program_that_cannot_take_over_is_refused(self):
        self.refused(lambda name, path: shutil.copy("/bin/false", path), r"refused.*exited with status 1")

    def test_a_wrong_configuration_refuses_the_upgrade(self):
        good = self.stack.path.read_text()
        self.stack.path.write_text(good[:-1])
        self.refused(lambda name, path: None, r"refused.*exited with status 78")
        self.assertRegex(self.stack.log_text(), rf"{self.stack.path}:\d+:\d+: error: ")
        self.stack.path.write_text(good)
        self.stack.upgrade()
        self.assertTrue(self.stack.is_current(self.stack.pid))

    def refused(self, change, line):
        old = self.stack.pids()
        self.stack.install(change)
        start = len(self.stack.log_text())
        self.stack.process.send_signal(signal.SIGHUP)
        self.stack.wait_for_log(line, 10, start)
        self.assertEqual(self.stack.pids(), old)
        self.assertTrue(self.stack.serves())
        # Even a process that has to be started again is of the version that runs.
        self.stack.expects_crashes = True
        front = self.stack.kill_child("front")
        self.stack.wait_replaced("front", front, 5)
        wait_for("an answer", 5, self.stack.serves)

    def test_children_die_with_a_supervisor_that_was_upgraded(self):
        self.stack.expects_crashes = True
        self.stack.install()
        with self.stack.stream(CHAT.path, CHAT.request("paced")) as wire:
            wire.read_until(b"@0@")
            self.stack.upgrade()
            children = self.stack.all_children()
            self.assertGreater(len(children), 4, "the old worker is gone")
            os.kill(self.stack.pid, signal.SIGKILL)
            self.stack.process.wait(2)
            wait_for("the end of all children", 2, lambda: not any(map(exists, children)))
            self.assertEqual(wire.read_body().ending, "broken")

    def test_a_drain_after_an_upgrade_waits_for_the_old_streams_too(self):
        self.stack.install()
        with self.stack.stream(CHAT.path, CHAT.request("paced")) as wire:
            wire.read_until(b"@0@")
            self.stack.upgrade()
            self.stack.process.send_signal(signal.SIGTERM)
            CHAT.assert_complete(wire.read_body(), DELTAS)
        self.assertEqual(self.stack.process.wait(10), 0)
