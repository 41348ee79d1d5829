# SPDX-License-Identifier: Apache-2.0
"""The units for a user's own service manager: a developer's desktop without root."""

from dialects import CHAT
from machine import PORT, Case, Machine, package, wait_for
from wire import post

# What logind does for a session; the machine has none.
SESSION = """\
[Service]
User=developer
Type=notify
RuntimeDirectory=developer
RuntimeDirectoryMode=0700
Environment=XDG_RUNTIME_DIR=/run/developer
ExecStart=/lib/systemd/systemd --user
Delegate=pids memory
KillMode=mixed
"""


class Desktop(Case):
    @classmethod
    def setUpClass(cls):
        cls.machine = Machine().boot()
        cls.addClassCleanup(cls.machine.remove)
        cls.addClassCleanup(cls.machine.power_off)
        cls.machine.enter_network()
        cls.machine.install(package())
        cls.machine.run("useradd", "--create-home", "developer")
        cls.machine.write("/etc/systemd/system/session.service", SESSION)
        cls.machine.run("systemctl", "daemon-reload")
        cls.machine.run("systemctl", "start", "session.service")

    def as_developer(self, *words):
        return self.machine.run(
            "setpriv", "--reuid=developer", "--regid=developer", "--init-groups", "env", "HOME=/home/developer",
            "XDG_RUNTIME_DIR=/run/developer", *words,
        )  # fmt: skip

    def test_the_first_client_starts_it_with_the_users_configuration(self):
        self.machine.write(
            "/home/developer/.config/ccr/config.json",
            '{ "Providers": [{ "name": "mine", "api_base_url": "builtin:echo" }] }',
        )
        self.machine.run("chown", "--recursive", "developer:", "/home/developer")
        self.as_developer("systemctl", "--user", "start", "ccr.socket")
        answer = post(PORT, CHAT.path, CHAT.request("mine,echo", stream=False), timeout=20)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertIn("ccr worker mine", self.as_developer("systemctl", "--user", "status", "ccr.service", "--no-pager"))
        self.assertEqual(self.machine.state("ccr.service"), "inactive", "the system's service is another one")
        wait_for("the counts", 10, lambda: self.machine.try_run(
            "test", "-f", "/home/developer/.local/state/ccr/usage.db").returncode == 0)
