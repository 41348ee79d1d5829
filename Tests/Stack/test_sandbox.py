# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of the running processes: filtered, without new privileges, and nothing refused under load."""

import pathlib

from dialects import CHAT
from harness import ECHO, Case, Stack, Upstream, provider, wait_for
from scripted import whole


def status(pid):
    """The lines of /proc/PID/status by name."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


class Sandbox(Case):
    def setUp(self):
        self.up = self.enterContext(Upstream())
        self.up.scripts["m"] = whole(CHAT.whole())
        # A name, so that the worker resolves it in a thread.
        url = self.up.url.replace("127.0.0.1", "ip6-localhost") + "/v1"
        self.stack = self.enterContext(
            Stack(ECHO, provider("up", self.up.url + "/v1", ["m"]), provider("named", url, ["n"]))
        )

    def test_every_process_is_filtered_and_gains_no_privileges(self):
        for name, pid in self.stack.pids().items():
            with self.subTest(name):
                seen = status(pid)
                self.assertEqual((seen["Seccomp"], seen["NoNewPrivs"]), ("2", "1"))
                # Of the supervisor's filter each child has a copy, besides its own.
                self.assertEqual(seen["Seccomp_filters"], "1" if name == "supervisor" else "2")

    def test_nothing_that_a_process_needs_is_refused(self):
        """The log tells; every test looks at it when its stack has ended."""
        for body in (CHAT.request("echo"), CHAT.request("m"), CHAT.request("m", text="x" * 300_000)):
            self.assertEqual(self.stack.post(CHAT.path, body).status, 200)
        # Whether the name leads anywhere is the machine's business; it must have been looked up.
        self.assertIn(self.stack.post(CHAT.path, CHAT.request("n")).status, (200, 404, 502))
        for path in ("/health", "/metrics", "/v1/usage", "/v1/models"):
            self.assertEqual(self.stack.get(path).status, 200)
        wait_for("the counts", 5, lambda: self.stack.metric("ccr_requests_total") >= 4)
        self.stack.reload(ModelAliases={"other": "up,m"})
        self.assertEqual(self.stack.post(CHAT.path, CHAT.request("other")).status, 200)

    def test_a_process_that_crashes_ends_and_is_replaced(self):
        self.stack.expects_crashes = True
        for name, sig in (("front", 6), ("worker up", 11), ("exporter", 4)):
            with self.subTest(name):
                old = self.stack.kill_child(name, sig)
                self.stack.wait_replaced(name, old, 5)
                wait_for("an answer", 5, self.stack.serves)
