# SPDX-License-Identifier: Apache-2.0
"""No process leaves a core file, whatever the limits are under which ccr was started."""

import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import unittest

from harness import ECHO, Case, Stack, exists, wait_for
from oauth import Authority
from test_credentials import keeping


class CoreFiles(Case):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, (soft, hard))
        back = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, back)

    def cores(self):
        return [path.name for path in self.folder.iterdir() if path.name.startswith("core")]

    def test_a_crash_of_any_process_leaves_no_core_file(self):
        subprocess.run([sys.executable, "-c", "import os; os.abort()"], stderr=subprocess.DEVNULL)
        if not self.cores():
            raise unittest.SkipTest("this machine writes no core files here (ulimit -c, core_pattern)")
        for name in self.cores():
            (self.folder / name).unlink()
        authority = self.enterContext(Authority())
        program = self.folder / "program"
        program.write_text("#!/bin/sh\necho canary-at-program\n")
        program.chmod(0o700)
        kept = keeping(authority, self.folder)
        kept["credentials"].append({"name": "printed", "kind": "command", "command": [str(program)], "default_ttl": 600})
        stack = self.enterContext(Stack(kept, ECHO, crashes=True))
        children = pathlib.Path(f"/proc/{stack.child('refresher')}/task/{stack.child('refresher')}/children")
        helper = int(wait_for("the helper", 10, lambda: children.read_text().split())[0])
        for name, pid in [("helper", helper), *list(stack.children().items())]:
            pid = stack.child(name) if name != "helper" else pid
            os.kill(pid, signal.SIGSEGV)
            wait_for(f"the end of {name}", 10, lambda p=pid: not exists(p))
            # The helper takes the refresher with it.
            wait_for("everybody", 20, lambda: set(stack.children()) >= {"refresher", "front", "exporter"})
            self.assertEqual(self.cores(), [], name)
        os.kill(stack.pid, signal.SIGSEGV)
        stack.process.wait(10)
        self.assertEqual(self.cores(), [], "supervisor")


if __name__ == "__main__":
    unittest.main()
