# SPDX-License-Identifier: Apache-2.0
"""debian/tests as Debian runs them: autopkgtest(1) on the booted machine, which it may do with as it likes."""

import shutil

from machine import ROOT, Case, Machine, package


class Autopkgtest(Case):
    @classmethod
    def setUpClass(cls):
        cls.machine = cls.enterClassContext(Machine())

    def test_all_tests_of_the_package_pass(self):
        source = self.machine.root / "root/source/debian"
        shutil.copytree(ROOT / "debian/tests", source / "tests")
        for name in ("control", "changelog"):
            shutil.copy(ROOT / "debian" / name, source / name)
        shutil.copy(package(), self.machine.root / "root/ccr.deb")
        # There is no network: what the tests depend on is in the image.
        self.machine.write("/etc/apt/sources.list", "")
        done = self.machine.try_run(
            "autopkgtest", "--no-built-binaries", "/root/ccr.deb", "/root/source", "--", "null", timeout=300
        )
        self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr[-4000:])
        for name in ("first-request", "commands"):
            self.assertRegex(done.stdout, rf"(?m)^{name} +PASS")
