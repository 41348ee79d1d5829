# SPDX-License-Identifier: Apache-2.0
"""Credentials on a disk that is really full: a file system of a few megabytes with not a byte left."""

import pathlib
import shutil
import signal
import tempfile

import invariants
from harness import Case, wait_for
from oauth import Authority
from refresher import Refresher, oauth

DISK = 4 << 20


class FullDisk(Case):
    def setUp(self):
        self.authority = self.enterContext(Authority())
        self.refresher = self.enterContext(Refresher(oauth(self.authority), disk_bytes=DISK))
        self.disk = self.refresher.disk
        self.process = self.refresher.start()
        self.refresher.wait_for("fresh")

    def tearDown(self):
        self.refresher.stop(self.process)
        # SQLite follows the names of files, which lead out of the disk's namespace.
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder, "state")
            shutil.copytree(self.disk.path, copy, ignore=shutil.ignore_patterns("*.sock"))
            invariants.check(copy, {}, {"log": self.refresher.text()}, self.authority.sent)
            self.assertEqual(invariants.Store(copy).credentials()["main"]["status"], "fresh")

    def refresh_into_a_full_disk(self):
        """The last byte is taken while the server answers."""
        self.authority.behaviours = [{"after": 0.5}]
        calls = self.authority.calls
        asking = self.refresher.ask_in_the_background("credentials", "refresh", "main")
        self.addCleanup(asking.wait)
        self.addCleanup(asking.kill)
        wait_for("the call", 10, lambda: self.authority.calls == calls + 1)
        self.disk.fill()
        # The room for one more secret was taken beforehand: it is stored, or put aside until it can be.
        wait_for("the answer", 10, self.has_settled)
        return self.authority.calls

    def has_settled(self):
        return self.refresher.token() == self.authority.access or self.refresher.status()["state"] == "storage_blocked"

    def test_d8_a_secret_that_comes_when_the_disk_is_full_is_kept(self):
        calls = self.refresh_into_a_full_disk()
        self.disk.free()
        self.refresher.wait_for("fresh", 60)
        self.assertEqual(self.refresher.token(), self.authority.access)
        self.assertEqual(self.authority.calls, calls, "without another call")

    def test_d8_and_a_crash_meanwhile_loses_it_neither(self):
        calls = self.refresh_into_a_full_disk()
        self.refresher.stop(self.process, signal.SIGKILL)
        self.disk.free()
        self.process = self.refresher.start()
        self.refresher.wait_for("fresh", 60)
        self.assertEqual(self.refresher.token(), self.authority.access)
        self.assertEqual(self.authority.calls, calls, "nor is it asked for again")

    def test_d9_a_full_disk_from_the_start_spends_no_secret_that_could_be_lost(self):
        self.disk.fill()
        for _ in range(3):
            self.refresher.command("credentials", "refresh", "main")
        self.disk.free()
        self.assertEqual(self.refresher.command("credentials", "refresh", "main")[0], 0)
        self.refresher.wait_for("fresh", 60)
        self.assertEqual(self.refresher.token(), self.authority.access)
