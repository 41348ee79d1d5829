# SPDX-License-Identifier: Apache-2.0
"""What breaks a service: dead and stopped processes, a full disk, a read-only /etc, a wrong configuration."""

from machine import METRICS_PORT, Case, Installed, wait_for
from wire import get

PROCESSES = ("front", "worker echo", "exporter")


class Processes(Case):
    @classmethod
    def setUpClass(cls):
        # Short, so that stopped processes are found soon.
        cls.machine = cls.enterClassContext(Installed(Timeouts={"watchdogMs": 1500}))
        cls.machine.drop_in("ccr.service", "[Service]\nWatchdogSec=3\n")
        wait_for("an answer", 10, cls.machine.answers)
        wait_for("a booted stack", 10, lambda: set(PROCESSES) <= set(cls.machine.pids()))

    def check(self, name, signal_name, seconds):
        with self.subTest(name):
            old = self.machine.signal(name, signal_name)
            self.machine.wait_replaced(name, old, seconds)
            wait_for("an answer", 10, self.machine.answers)
            wait_for("all processes", 10, lambda: set(PROCESSES) <= set(self.machine.pids()))

    def test_killed_processes_are_replaced(self):
        for name in PROCESSES:
            self.check(name, "KILL", 5)

    def test_stopped_processes_are_replaced(self):
        for name in PROCESSES:
            self.check(name, "STOP", 10)

    def test_a_killed_supervisor_is_started_again_by_systemd(self):
        self.check("supervisor", "KILL", 10)

    def test_a_stopped_supervisor_is_started_again_by_systemd(self):
        self.check("supervisor", "STOP", 20)
        self.assertRegex("\n".join(self.machine.messages("-u", "ccr")), "Watchdog timeout")


class Disk(Case):
    @classmethod
    def setUpClass(cls):
        cls.machine = cls.enterClassContext(Installed())
        cls.machine.shell(
            "mkdir -p /var/lib/ccr; mount -t tmpfs -o size=200k,mode=0700 tmpfs /var/lib/ccr; chown ccr:ccr /var/lib/ccr"
        )
        wait_for("an answer", 10, cls.machine.answers)

    def store_is_up(self):
        return b"\nccr_usage_store_up 1" in get(METRICS_PORT, "/metrics").body

    def test_a_full_disk_stops_the_counts_and_no_request(self):
        wait_for("a store", 10, self.store_is_up)
        self.machine.shell("dd if=/dev/zero of=/var/lib/ccr/filler bs=1k 2>/dev/null || true")
        wait_for("the store to fail", 20, lambda: self.machine.answers() and not self.store_is_up())
        self.assertTrue(self.machine.answers())
        self.machine.shell("rm /var/lib/ccr/filler")
        wait_for("the store to work again", 20, self.store_is_up)
        trouble = self.machine.journal("-u", "ccr", "MESSAGE_ID=45dab3d9f4279c2aeb326ea7f79d1cd0")
        self.assertEqual(trouble[-1]["PRIORITY"], "5")

    def test_a_read_only_etc_is_enough(self):
        self.machine.shell("mount --bind /etc /etc; mount -o remount,bind,ro /etc")
        self.addCleanup(self.machine.run, "umount", "/etc")
        self.machine.run("systemctl", "reload", "ccr.service")
        self.machine.run("systemctl", "restart", "ccr.service")
        wait_for("an answer", 10, self.machine.answers)


class WrongConfiguration(Case):
    @classmethod
    def setUpClass(cls):
        cls.machine = cls.enterClassContext(Installed())

    def test_a_reload_is_refused_and_the_gateway_goes_on(self):
        self.addCleanup(self.machine.write_config)
        wait_for("an answer", 10, self.machine.answers)
        pid = self.machine.show("ccr.service", "MainPID")
        self.machine.write("/etc/ccr/config.json", '{ "PORT": 70000 }')
        self.machine.run("systemctl", "reload", "ccr.service")
        wait_for("the refusal in the status", 10, lambda: "refused" in self.machine.show("ccr.service", "StatusText")["StatusText"])
        refused = self.machine.messages("-u", "ccr", "MESSAGE_ID=ce2c17c75fbf0ce73c5dd071dc4249c1")
        self.assertRegex("\n".join(refused), r"/etc/ccr/config\.json:1:\d+: error: .*PORT")
        self.assertEqual(self.machine.show("ccr.service", "MainPID"), pid)
        self.assertTrue(self.machine.answers())

    def test_at_boot_the_unit_fails_with_the_reason_in_its_status(self):
        self.machine.write("/etc/ccr/config.json", '{\n  "PORT": 70000,\n  "Providers": []\n}')
        self.machine.power_off()
        self.machine.boot()
        self.machine.enter_network()
        self.assertEqual(self.machine.state("ccr.socket"), "active", "the package enables it")
        self.assertNotEqual(self.machine.try_run("systemctl", "start", "ccr.service").returncode, 0)
        shown = self.machine.show("ccr.service", "ActiveState", "ExecMainStatus", "NRestarts", "StatusText")
        self.assertEqual((shown["ActiveState"], shown["ExecMainStatus"], shown["NRestarts"]), ("failed", "78", "0"))
        self.assertIn("/etc/ccr/config.json:2:", shown["StatusText"])
        refused = self.machine.journal("-u", "ccr", "MESSAGE_ID=ce2c17c75fbf0ce73c5dd071dc4249c1")
        self.assertGreaterEqual(len(refused), 2)
        self.assertEqual(refused[0]["PRIORITY"], "3")
        # As the explanation of the entry says.
        self.machine.write_config()
        self.machine.run("systemctl", "restart", "ccr.socket")
        wait_for("an answer", 10, self.machine.answers)
