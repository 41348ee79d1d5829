# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of the running processes: filtered, without new privileges, and nothing refused under load."""

import pathlib
import tempfile

from dialects import CHAT
from harness import ECHO, Case, Stack, Upstream, provider, wait_for
from scripted import slow, whole


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


class ReplacedFiles(Case):
    def test_workers_are_started_anew_when_a_file_is_replaced_that_they_read(self):
        up = self.enterContext(Upstream())
        up.scripts["slow"] = slow(CHAT.events(20), 1)
        folder = self.enterContext(tempfile.TemporaryDirectory())
        certificates = pathlib.Path(folder, "ca.pem")
        certificates.write_text("old")
        stack = self.enterContext(
            Stack(
                ECHO, provider("up", up.url + "/v1", ["slow"]), environment={"SSL_CERT_FILE": str(certificates)}
            )
        )
        old = stack.child("worker up")
        with stack.stream(CHAT.path, CHAT.request("slow"), timeout=40) as wire:
            wire.read_until(b"@0@")
            new = certificates.with_suffix(".new")
            new.write_text("new")
            new.rename(certificates)
            stack.wait_for_log(rf"{certificates} replaced", 15)
            stack.wait_replaced("worker up", old, 5)
            self.assertTrue(stack.serves())
            CHAT.assert_complete(wire.read_body(), 20)
