# SPDX-License-Identifier: Apache-2.0
"""The refresher as a service of its own: another user, behind a socket, replaced without a client noticing."""

from kept import SECRET, Kept, Load
from machine import Case, newer_package, wait_for

VAULT = "/var/lib/ccr/credentials/vault"
TOKENS = "/var/lib/ccr/credentials/tokens/tokens.db"


class Refresher(Case):
    @classmethod
    def setUpClass(cls):
        cls.machine = cls.enterClassContext(Kept())
        assert cls.machine.state("ccr-refresher.service") == "inactive"
        wait_for("an answer", 20, cls.machine.is_served)

    def run_as(self, user, *words):
        return self.machine.try_run("setpriv", f"--reuid={user}", "--regid=ccr", "--init-groups", *words)

    def need_the_refresher(self):
        """The provider takes none of the tokens of before: a request succeeds only when the refresher knows the worker.
        Once for each refresher: a second token that is refused too would count as denied."""
        with self.machine.authority.lock:
            self.machine.authority.valid = {}
        wait_for("an answer with a new token", 20, self.machine.is_served)

    def test_the_gateway_has_started_it_as_another_user(self):
        user = self.machine.run("id", "--user", "ccr-vault").strip()
        status = self.machine.run("cat", f"/proc/{self.machine.refresher_pid()}/status")
        self.assertRegex(status, rf"Uid:(\t{user}){{4}}\n")
        self.assertEqual(self.machine.show("ccr-refresher.service", "StatusText")["StatusText"], "keeping 1 credentials")
        self.assertNotIn("refresher", self.machine.pids())

    def test_workers_can_read_the_tokens_and_nobody_else_the_vault(self):
        self.assertEqual(self.run_as("ccr", "cat", TOKENS).returncode, 0)
        for file in ("vault.db", "master.key"):
            self.assertIn("Permission denied", self.run_as("ccr", "cat", f"{VAULT}/{file}").stderr)
            self.assertEqual(self.run_as("ccr-vault", "cat", f"{VAULT}/{file}").returncode, 0)
        self.assertIn("Permission denied", self.run_as("ccr-vault", "cat", "/var/lib/ccr/usage.db").stderr)

    def test_commands_find_it_for_root_alone(self):
        self.assertRegex(self.machine.run("ccr", "credentials", "status"), r"(main|second) +kept +oauth2 +\w+")
        self.machine.run("useradd", "--groups", "ccr", "someone")
        refused = self.machine.try_run(
            "setpriv", "--reuid=someone", "--regid=someone", "--init-groups", "ccr", "credentials", "status"
        )
        self.assertEqual(refused.returncode, 1, refused.stdout)
        self.assertNotIn("oauth2", refused.stdout)

    def test_no_client_notices_a_restart_a_kill_or_a_hang(self):
        for words in (
            ("systemctl", "restart", "ccr-refresher.service"),
            ("systemctl", "kill", "--signal=KILL", "ccr-refresher.service"),
            ("systemctl", "kill", "--signal=STOP", "ccr-refresher.service"),
        ):
            with self.subTest(words), Load() as load:
                old = self.machine.refresher_pid()
                self.machine.run(*words)
                wait_for("another refresher", 30, lambda: self.machine.refresher_pid() not in (0, old))
                before = len(load.statuses)
                wait_for("some answers", 20, lambda n=before: len(load.statuses) > n + 20)
            self.assertEqual(set(load.statuses), {200})
        self.need_the_refresher()

    def test_a_reload_with_another_credential_reaches_it(self):
        old = self.machine.refresher_pid()
        with self.machine.authority.lock:
            # The new credential begins with the first secret.
            self.machine.authority.refresh = SECRET
        self.machine.configure("second")
        self.machine.run("systemctl", "reload", "ccr.service")
        wait_for("another refresher", 20, lambda: self.machine.refresher_pid() not in (0, old))
        wait_for("the credential", 20, lambda: "second" in self.machine.try_run("ccr", "credentials", "status").stdout)
        wait_for("an answer", 20, self.machine.is_served)

    def test_an_upgrade_replaces_it_and_no_client_notices(self):
        old, loaded = self.machine.refresher_pid(), self.machine.loaded_configurations()
        with Load() as load:
            self.machine.install(newer_package())
            wait_for("the new version", 20, lambda: self.machine.loaded_configurations() > loaded)
            wait_for("another refresher", 20, lambda: self.machine.refresher_pid() not in (0, old))
        self.assertEqual(set(load.statuses), {200})
        self.need_the_refresher()

    def test_no_secret_is_in_the_journal(self):
        text = self.machine.run("journalctl", "--output=export", "--no-pager")
        self.assertNotIn("canary", text)
