# SPDX-License-Identifier: Apache-2.0
"""The life of the package: installed, started by its first client, upgraded, purged, installed again."""

import re
import subprocess
import time

from dialects import CHAT
from machine import (
    HELLO, METRICS_PORT, PORT, ROOT, Case, Installed, Machine, command, is_answered, newer_package, package, wait_for,
)  # fmt: skip
from wire import get, post

SOCKETS = ("ccr.socket", "ccr-admin.socket", "ccr-metrics.socket", "ccr-refresher.socket")
SERVICES = ("ccr.service", "ccr-refresher.service")
# Each shell finds the completion by itself, as for a person, and completes "ccr vali".
COMPLETIONS = {
    "bash": (
        ". /usr/share/bash-completion/bash_completion; _completion_loader ccr; compopt() { :; };"
        "COMP_WORDS=(ccr vali); COMP_CWORD=1; $(complete -p ccr | sed 's/.*-F //; s/ .*//'); echo ${COMPREPLY[@]}"
    ),
    "zsh": (
        "zmodload zsh/zpty; zpty shell zsh -f -i; zpty -w shell 'autoload -Uz compinit; compinit -u -D; echo r''eady';"
        "zpty -r shell said '*ready*'; zpty -w -n shell $'ccr vali\\t'; zpty -r shell said '*validate*'; print $said"
    ),
    "fish": "complete -C 'ccr vali'",
}
# What stays of every package that was ever installed, what systemd writes while it runs, and the test's own files.
OF_OTHERS = re.compile(
    r"^/(proc|sys|dev|run|tmp|root|var/tmp|var/log|var/lib/dpkg|var/lib/systemd/(catalog|random-seed|timers|rfkill|coredump)"
    r"|var/cache|etc/(passwd|group|shadow|gshadow)-|etc/\.pwd\.lock)(/|$)"
)


class Life(Case):
    """One machine, from the installation to the purge and back: the tests run in the order of their names."""

    @classmethod
    def setUpClass(cls):
        cls.machine = cls.enterClassContext(Machine())
        cls.machine.enter_network()
        cls.before = cls.files()
        cls.users_before = cls.users()
        cls.machine.install(package())

    def all_processes(self):
        pids = self.machine.pids()
        return pids if {"supervisor", "front", "worker echo", "exporter"} <= set(pids) else None

    @classmethod
    def files(cls):
        found = cls.machine.run("find", "/", "-xdev").splitlines()
        runtime = cls.machine.run("find", "/run", "-xdev", "-path", "*ccr*").splitlines()
        return {path for path in found if not OF_OTHERS.match(path)} | set(runtime)

    @classmethod
    def users(cls):
        return cls.machine.shell("getent passwd; getent group")

    def test_1_units_are_enabled_but_an_installation_starts_nothing(self):
        for unit in SOCKETS:
            self.assertEqual(self.machine.state(unit), "inactive")
            self.assertEqual(self.machine.run("systemctl", "is-enabled", unit).strip(), "enabled")
        for unit in SERVICES:
            self.assertEqual(self.machine.state(unit), "inactive")

    def test_1_the_units_are_in_order(self):
        said = self.machine.try_run("systemd-analyze", "verify", "--man=no", *SERVICES, *SOCKETS)
        self.assertEqual((said.returncode, said.stderr), (0, ""))

    def test_1_only_the_service_and_its_group_read_the_configuration(self):
        self.machine.run("test", "-f", "/etc/ccr/config.json")
        read = self.machine.try_run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", "/etc/ccr/config.json")
        self.assertIn("Permission denied", read.stderr)
        modes = self.machine.run("stat", "-c", "%a %U:%G", "/etc/ccr", "/etc/ccr/config.d", "/etc/ccr/config.json")
        self.assertEqual(modes.splitlines(), ["750 root:ccr", "750 root:ccr", "640 root:ccr"])

    def test_1_the_executables_need_only_libraries_of_the_system_and_are_small(self):
        for name in ("ccr", "ccr-upstream"):
            libraries = self.machine.run("ldd", f"/usr/lib/ccr/{name}")
            self.assertNotIn("not found", libraries)
            self.assertNotIn("swift", libraries.lower())
            dynamic = command("readelf", "--dynamic", str(self.machine.root / "usr/lib/ccr" / name))
            self.assertNotRegex(dynamic, "R(UN)?PATH")
        size = int(self.machine.run("dpkg-query", "--show", "--showformat=${Installed-Size}", "ccr"))
        self.assertLessEqual(size, 25 * 1024, "KiB installed")

    def test_1_manual_pages_and_the_schema_are_there(self):
        for page in ("man1/ccr.1", "man5/ccr.json.5", "man8/ccr.service.8", "man8/ccr-refresher.service.8", "man8/ccr-refresher.8"):
            self.machine.run("gzip", "--test", f"/usr/share/man/{page}.gz")
        schema = self.machine.run("cat", "/usr/share/ccr/config.schema.json")
        self.assertIn("api_base_url", schema)
        self.assertIn("gpt-5.1-codex", self.machine.run("cat", "/usr/share/ccr/models.json"))
        self.assertIn("/usr/share/ccr/config.schema.json", self.machine.run("cat", "/etc/ccr/config.json"))

    def test_1_every_shell_loads_its_completion(self):
        for shell, script in COMPLETIONS.items():
            with self.subTest(shell):
                self.assertRegex(self.machine.run(shell, "-c", script, timeout=30), r"\bvalidate\b")

    def test_2_the_first_client_starts_the_service(self):
        self.machine.run("systemctl", "start", "ccr.socket")
        self.assertEqual([self.machine.state(unit) for unit in SOCKETS], ["active"] * len(SOCKETS))
        self.assertEqual([self.machine.state(unit) for unit in SERVICES], ["inactive"] * len(SERVICES))
        began = time.monotonic()
        answer = post(PORT, CHAT.path, HELLO, timeout=20)
        milliseconds = (time.monotonic() - began) * 1000
        self.assertEqual(answer.status, 200)
        print(f"\nfirst request, from connect to the end of its answer: {milliseconds:.0f} ms", flush=True)
        # 300 ms is the aim on an idle machine; a loaded one takes longer, a broken one seconds.
        self.assertLess(milliseconds, 3000)
        self.assertEqual(self.machine.state("ccr.service"), "active")

    def test_3_the_status_names_every_process(self):
        wait_for("all processes", 10, self.all_processes)
        text = self.machine.run("systemctl", "status", "ccr.service", "--no-pager", "--full")
        for words in ("/usr/bin/ccr run", "ccr front", "ccr worker echo", "ccr exporter"):
            self.assertRegex(text, rf"─ *\d+ {words}\n")

    def test_3_the_status_line_shows_the_traffic(self):
        def line():
            is_answered(HELLO)
            return self.machine.show("ccr.service", "StatusText")["StatusText"]

        wait_for("requests in the status", 20, lambda: re.search(r"\d+ streams?, \d+\.\d requests/s", line()))

    def test_3_the_admin_socket_is_for_root_and_the_group(self):
        path = "/run/ccr/admin.sock"
        self.assertEqual(self.machine.run("stat", "-c", "%a %U:%G", path).strip(), "660 root:ccr")
        self.assertEqual(get(f"/proc/{self.machine.pid}/root{path}", "/health").status, 200)

    def test_3_no_process_is_root(self):
        user = self.machine.run("id", "--user", "ccr").strip()
        for name, pid in wait_for("all processes", 10, self.all_processes).items():
            uids = self.machine.run("grep", "^Uid:", f"/proc/{pid}/status").split()[1:]
            self.assertEqual(uids, [user] * 4, name)

    def test_3_prometheus_is_served_and_every_process_has_its_memory(self):
        text = get(METRICS_PORT, "/metrics").body.decode()
        for role in ("supervisor", "front", "worker", "exporter"):
            size = re.search(rf'ccr_process_resident_bytes{{role="{role}",provider="\w*"}} (\d+)', text)
            self.assertGreater(int(size[1]), 1_000_000, role)

    def test_3_a_stop_ends_it_and_the_next_client_starts_it_again(self):
        self.machine.run("systemctl", "stop", "ccr.service")
        self.assertEqual(self.machine.state("ccr.service"), "inactive")
        self.assertTrue(is_answered(HELLO))

    def test_4_an_upgrade_keeps_configuration_and_counts_and_stops_nothing(self):
        text = '{ "Providers": [{ "name": "echo", "api_base_url": "builtin:echo" }] } // by the administrator\n'
        self.machine.write("/etc/ccr/config.json", text)
        self.machine.run("chmod", "600", "/etc/ccr/config.json")
        self.machine.run("chown", "ccr", "/etc/ccr/config.json")
        counted = wait_for("a counted request", 10, self.counted)
        pid = self.machine.show("ccr.service", "MainPID")
        self.machine.install(newer_package())
        self.assertIn("+newer", self.machine.run("dpkg-query", "--show", "ccr"))
        self.assertEqual(self.machine.run("cat", "/etc/ccr/config.json"), text)
        self.assertEqual(self.machine.run("stat", "-c", "%a %U", "/etc/ccr/config.json").strip(), "600 ccr")
        self.assertEqual(self.machine.show("ccr.service", "MainPID"), pid)
        self.assertTrue(is_answered(HELLO))
        self.machine.run("systemctl", "restart", "ccr.service")
        wait_for("one more request than before", 10, lambda: self.counted() > counted)

    def counted(self):
        """Requests to the provider that the gateway counted, over all its lives."""
        return get(PORT, "/v1/usage").json()["total_requests"]

    def test_5_removing_it_stops_everything_and_keeps_what_belongs_to_the_administrator(self):
        self.machine.run("dpkg", "--remove", "ccr")
        for unit in (*SOCKETS, *SERVICES):
            self.assertEqual(self.machine.state(unit), "inactive")
        self.machine.run("test", "-f", "/etc/ccr/config.json", "-a", "-f", "/var/lib/ccr/usage.db")
        with self.assertRaises(ConnectionRefusedError):
            get(PORT, "/health")

    def test_6_a_purge_leaves_nothing(self):
        self.machine.write("/etc/ccr/config.d/10-mine.json", "{}")
        self.machine.run("dpkg", "--purge", "ccr")
        self.assertEqual(sorted(self.files() - self.before), [])
        self.assertEqual(self.users(), self.users_before)

    def test_7_it_can_be_installed_again(self):
        self.machine.install(package())
        self.machine.run("systemctl", "start", "ccr.socket")
        self.assertTrue(is_answered(HELLO))


class Status(Case):
    """A gateway with a key, whose configuration names another port than the socket: only the admin socket answers all."""

    @classmethod
    def setUpClass(cls):
        cls.machine = cls.enterClassContext(Installed(APIKEY="a-key-of-clients", PORT=4000))
        cls.machine.run("useradd", "--groups", "ccr", "administrator")
        cls.machine.run("useradd", "stranger")

    def ask_as(self, user, *options):
        return self.machine.try_run(
            "setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "ccr", "status", *options
        )

    def test_root_and_the_group_are_told_everything(self):
        for user in ("root", "administrator"):
            with self.subTest(user):
                wait_for("the service", 10, lambda u=user: "ccr.service active," in self.ask_as(u).stdout)
                said = self.ask_as(user)
                self.assertEqual(said.returncode, 0, said.stderr)
                self.assertRegex(said.stdout, r"(?m)^worker +echo +\d+ +ready")
                self.assertRegex(said.stdout, r"managed by systemd \(system\): ccr\.service active")
                self.assertRegex(self.ask_as(user, "--json").stdout, r'"latencies":\[')

    def test_others_ask_the_address_for_clients_which_wants_a_key(self):
        self.assertIn('"latencies":null', self.ask_as("stranger", "--json").stdout)


class Security(Case):
    def test_every_service_keeps_its_score(self):
        services = sorted((ROOT / "systemd").glob("*.service"))
        self.assertTrue(services)
        for service in services:
            with self.subTest(service.name):
                said = subprocess.run(
                    ["systemd-analyze", "security", "--offline=true", "--threshold=15", service],
                    capture_output=True,
                    text=True,
                )
                self.assertEqual(said.returncode, 0, said.stdout[-300:] + said.stderr)

    def test_hardening_directives_are_in_the_order_of_the_alphabet(self):
        for service in sorted((ROOT / "systemd").rglob("*.service")):
            with self.subTest(service.name):
                block = re.search(r"(?ms)^(?:CapabilityBoundingSet|LockPersonality)=.*?(?=^\[|^$)", service.read_text())[0]
                names = [line.split("=")[0] for line in block.splitlines() if not line.startswith("#")]
                self.assertEqual(names, sorted(names))
