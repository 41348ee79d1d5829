# SPDX-License-Identifier: Apache-2.0
"""A provider's key as a credential of systemd: read at the start and at a reload, visible to nobody else."""

from dialects import CHAT
from harness import Upstream, provider
from machine import PORT, Case, Installed, wait_for
from wire import post

KEY = "sk-only-systemd-and-the-worker-know-this"


class Credentials(Case):
    @classmethod
    def setUpClass(cls):
        cls.machine = cls.enterClassContext(Installed())
        cls.up = cls.enterClassContext(Upstream())
        cls.machine.run("install", "-m", "600", "-D", "/dev/stdin", "/etc/ccr/credentials/up", input=KEY + "\n")
        cls.machine.drop_in("ccr.service", "[Service]\nLoadCredential=up:/etc/ccr/credentials/up\n")
        cls.machine.write_config(
            Providers=[{**provider("up", cls.up.url + "/v1", ["ok"]), "api_key": "${credential:up}"}],
        )

    def ask(self):
        answer = post(PORT, CHAT.path, CHAT.request("ok", stream=False), timeout=20)
        self.assertEqual(answer.status, 200, answer.body)
        return self.up.requests[-1].header("authorization")

    def test_the_provider_gets_the_key_after_the_start_and_after_a_reload(self):
        self.assertEqual(self.ask(), f"Bearer {KEY}")
        loaded = self.machine.loaded_configurations()
        self.machine.write_config(ModelAliases={"other": "up,ok"})
        self.machine.run("systemctl", "reload", "ccr.service")
        wait_for("the new configuration", 10, lambda: self.machine.loaded_configurations() > loaded)
        self.assertEqual(self.ask(), f"Bearer {KEY}")

    def test_root_validates_what_the_running_service_has_and_others_are_warned(self):
        self.ask()
        self.assertIn(": ok, 0 warnings", self.machine.run("ccr", "validate"))
        user = ["setpriv", "--reuid=ccr", "--regid=ccr", "--init-groups"]
        seen = self.machine.try_run(*user, "ccr", "validate", "--config", "/etc/ccr/config.json")
        self.assertEqual(seen.returncode, 0, seen.stderr)
        self.assertIn("be root while ccr.service runs", seen.stdout + seen.stderr)

    def test_the_key_is_in_no_file_that_the_service_can_read_and_not_in_the_journal(self):
        self.ask()
        user = ["setpriv", "--reuid=ccr", "--regid=ccr", "--init-groups"]
        self.assertNotEqual(self.machine.try_run(*user, "cat", "/etc/ccr/credentials/up").returncode, 0)
        self.assertNotIn(KEY, self.machine.run("journalctl", "--output=export", "--no-pager"))
        self.assertNotIn(KEY, self.machine.run("systemctl", "show", "ccr.service"))
