# SPDX-License-Identifier: Apache-2.0
"""The units for a user's own service manager: a developer's desktop without root."""

from dialects import CHAT
from machine import PORT, Case, Machine, package, wait_for
from wire import get, post


class Desktop(Case):
    """A user who logged in, as far as systemd sees it: logind keeps the user's own manager."""

    @classmethod
    def setUpClass(cls):
        cls.machine = cls.enterClassContext(Machine())
        cls.machine.enter_network()
        cls.machine.install(package())
        cls.machine.run("useradd", "--create-home", "developer")
        cls.user = cls.machine.run("id", "--user", "developer").strip()
        cls.machine.run("loginctl", "enable-linger", "developer")
        wait_for("the user's manager", 20, lambda: cls.machine.state(f"user@{cls.user}.service") == "active")

    def as_developer(self, *words):
        return self.machine.run(
            "setpriv", "--reuid=developer", "--regid=developer", "--init-groups", "env", "HOME=/home/developer",
            f"XDG_RUNTIME_DIR=/run/user/{self.user}", *words,
        )  # fmt: skip

    def configure(self, text):
        self.machine.write("/home/developer/.config/ccr/config.json", text)
        self.machine.run("chown", "--recursive", "developer:", "/home/developer")

    def test_the_first_client_starts_it_with_the_users_configuration(self):
        self.configure('{ "Providers": [{ "name": "mine", "api_base_url": "builtin:echo" }] }')
        self.as_developer("systemctl", "--user", "start", "ccr.socket")
        answer = post(PORT, CHAT.path, CHAT.request("mine,echo", stream=False), timeout=20)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertIn("ccr worker mine", self.as_developer("systemctl", "--user", "status", "ccr.service", "--no-pager"))
        self.assertEqual(self.machine.state("ccr.service"), "inactive", "the system's service is another one")
        wait_for("the counts", 10, lambda: self.machine.try_run(
            "test", "-f", "/home/developer/.local/state/ccr/usage.db").returncode == 0)
        self.assertRegex(self.as_developer("ccr", "status"), r"managed by systemd \(user\): ccr\.service active")
        self.configure('{ "Providers": [{ "name": "other", "api_base_url": "builtin:echo" }] }')
        self.as_developer("ccr", "reload")
        wait_for("the new configuration", 10, lambda: b"other" in get(PORT, "/v1/models").body)
        self.as_developer("ccr", "stop")
        with self.assertRaises(ConnectionRefusedError):
            get(PORT, "/health")
