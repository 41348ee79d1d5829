# SPDX-License-Identifier: Apache-2.0
"""The verbs of the service without systemd: a background instance in a home of its own."""

import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import tempfile

import wire
from dialects import CHAT
from harness import ECHO, HELLO, PROGRAM, Case, Upstream, exists, free_port, provider, wait_for
from scripted import Script


class Service(Case):
    def setUp(self):
        self.home = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.state = self.home / "state/ccr"
        self.port = free_port()
        self.config = self.home / "config.json"
        self.write_config()
        self.addCleanup(self.end)

    def write_config(self, **more):
        self.config.write_text(
            json.dumps({"PORT": self.port, "Providers": [ECHO], "Router": {"default": "echo,echo"}} | more)
        )

    def end(self):
        """Kill what a failed test left behind."""
        pid = self.pid()
        if pid and exists(pid):
            os.kill(pid, signal.SIGKILL)

    def pid(self):
        try:
            return int((self.state / "ccr.pid").read_text().split("\n")[0] or 0)
        except FileNotFoundError:
            return 0

    def environment(self):
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
        }

    def ccr(self, *arguments, status=0, **environment):
        """Run a command; returns what it printed on both outputs."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.home,
            umask=0,
            env=self.environment() | environment,
        )
        self.assertEqual(done.returncode, status, f"ccr {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout, done.stderr

    def start(self, *more, **environment):
        return self.ccr("start", "--config", "config.json", *more, **environment)

    def serves(self):
        return wire.post(self.port, CHAT.path, HELLO, timeout=5).status == 200

    def test_start_serves_and_stop_ends(self):
        out, err = self.start()
        self.assertIn(f"http://127.0.0.1:{self.port}", out)
        self.assertEqual(err, "")
        self.assertTrue(self.serves())
        pid = self.pid()
        self.assertIn(f"pid {pid}", out)
        self.assertEqual(os.getsid(pid), pid, "it is not in a session of its own")
        out, _ = self.start()
        self.assertIn(f"runs already (pid {pid}), http://127.0.0.1:{self.port}", out)
        self.assertEqual(self.pid(), pid)
        out, _ = self.ccr("stop")
        self.assertIn(f"(pid {pid}) has ended", out)
        self.assertFalse(exists(pid))
        out, _ = self.ccr("stop", CCR_CONFIG=str(self.config))
        self.assertIn("does not run", out)

    def test_files_are_the_users_alone(self):
        self.start()
        for name in ("ccr.pid", "ccr.log"):
            self.assertEqual(stat.S_IMODE((self.state / name).stat().st_mode), 0o600, name)
        self.assertEqual(stat.S_IMODE(self.state.stat().st_mode), 0o700)
        self.ccr("stop")

    def test_status_asks_the_instance_that_was_started(self):
        other = free_port()
        self.start("--port", str(other))
        out, _ = self.ccr("status")
        self.assertIn("healthy", out)
        self.assertIn(f"managed by ccr start: pid {self.pid()}", out)
        managed = json.loads(self.ccr("status", "--json")[0])["managed_by"]
        self.assertEqual(managed["pid"], self.pid())
        self.ccr("stop")
        self.ccr("status", "--port", str(other), status=1)

    def test_restart_keeps_the_options(self):
        self.start()
        before = self.pid()
        self.ccr("restart")
        self.assertNotEqual(self.pid(), before)
        self.assertFalse(exists(before))
        self.assertTrue(self.serves())
        self.ccr("stop")

    def test_reload_reads_the_configuration_again(self):
        self.start()
        self.write_config(ModelAliases={"quick": "echo,echo"})
        self.ccr("reload")
        pid = self.pid()
        wait_for(
            "the alias among the models", 10,
            lambda: b"quick" in wire.get(self.port, "/v1/models", timeout=5).body,
        )  # fmt: skip
        self.config.write_text("{")
        _, err = self.ccr("reload", status=2)
        self.assertIn("config.json:1:2", err)
        self.assertTrue(self.serves())
        self.assertEqual(self.pid(), pid)
        self.ccr("stop")

    def test_stop_lets_a_stream_finish(self):
        up = self.enterContext(Upstream())
        log = self.state / "ccr.log"

        def held(request):
            def pieces():
                events = CHAT.events(5)
                yield from events[:3]
                wait_for("the drain", 20, lambda: "draining" in log.read_text())
                yield from events[3:]

            return Script(pieces())

        up.scripts["m"] = held
        self.write_config(Providers=[provider("up", up.url + "/v1", ["m"])], Router={"default": "up,m"})
        self.start()
        with wire.stream(self.port, CHAT.path, CHAT.request("m")) as answer:
            answer.read_until(b"@0@")
            stopping = self.enterContext(
                subprocess.Popen([PROGRAM, "stop"], stdout=subprocess.DEVNULL, env=self.environment())
            )
            answer.read_until(b"[DONE]")
        self.assertEqual(stopping.wait(60), 0)

    def test_a_start_that_fails_shows_why(self):
        with socket.create_server(("127.0.0.1", self.port)):
            _, err = self.ccr("start", "--config", "config.json", status=1)
        self.assertIn("the port is held by", err)
        self.assertIn("ended with status 1", err)
        self.write_config(PORT=0)
        _, err = self.ccr("start", "--config", "config.json", status=2)
        self.assertIn("PORT: is 0", err)
        self.write_config()
        self.start()
        self.ccr("stop")

    def test_a_record_of_another_process_is_never_signalled(self):
        """A pid that was reused, in this boot or before a restart of the machine."""
        victim = self.enterContext(subprocess.Popen(["sleep", "60"]))
        self.addCleanup(victim.kill)
        self.state.mkdir(parents=True)
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        for record in (f"{victim.pid}\n{boot}\n1\n", f"{victim.pid}\nother\n1\n", f"{victim.pid}\n"):
            with self.subTest(record):
                (self.state / "ccr.pid").write_text(record)
                self.assertIn("does not run", self.ccr("stop", CCR_CONFIG=str(self.config))[0])
                self.assertIsNone(victim.poll())
        self.start()
        self.assertNotEqual(self.pid(), victim.pid)
        self.ccr("stop")

    def test_a_killed_instance_is_started_anew(self):
        self.start()
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        wait_for("the end of the instance", 5, lambda: not exists(pid))
        self.ccr("reload", status=1)
        self.start()
        self.assertTrue(self.serves())
        self.ccr("stop")

    def test_one_of_two_starts_at_once_starts(self):
        starts = [
            subprocess.Popen(
                [PROGRAM, "start", "--config", str(self.config)],
                stdout=subprocess.PIPE,
                text=True,
                env=self.environment(),
            )
            for _ in range(2)
        ]
        outs = [p.communicate(timeout=60)[0] for p in starts]
        self.assertEqual([p.returncode for p in starts], [0, 0])
        self.assertEqual(sum("runs already" in out for out in outs), 1, outs)
        self.ccr("stop")

    def test_logs(self):
        _, err = self.ccr("logs", status=1)
        self.assertIn("there is no log", err)
        self.start()
        self.assertTrue(self.serves())
        self.ccr("stop")
        out, _ = self.ccr("logs", "-n", "1")
        self.assertEqual(len(out.splitlines()), 1)
        self.assertIn(CHAT.path, self.ccr("logs")[0])
        self.start()
        self.assertNotIn(CHAT.path, self.ccr("logs")[0], "a start begins a new log")
        self.assertIn(CHAT.path, (self.state / "ccr.log.1").read_text())
        self.ccr("stop")

    def test_one_that_was_started_otherwise_is_left_alone(self):
        with subprocess.Popen(
            [PROGRAM, "run", "--config", str(self.config)], stderr=subprocess.DEVNULL, env=self.environment()
        ) as process:
            self.addCleanup(process.kill)
            wait_for("health", 20, lambda: self.is_up())
            self.assertIn("was not started by ccr start", self.start()[0])
            _, err = self.ccr("stop", status=1, CCR_CONFIG=str(self.config))
            self.assertIn("end it where it was started", err)
            self.assertIsNone(process.poll())
            process.terminate()

    def is_up(self):
        try:
            return wire.get(self.port, "/health/readiness", timeout=2).status == 200
        except OSError:
            return False
