# SPDX-License-Identifier: Apache-2.0
"""The start: what is said about a wrong configuration or a taken port, and what runs without any configuration."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from dialects import CHAT, DIALECTS
from harness import ECHO, HELLO, PROGRAM, Case, Gateway, Stack, free_port, provider, wait_for
from wire import post


def run(gateway, seconds=5):
    """Start a gateway that is expected to give up; returns its exit status and its log."""
    gateway.start()
    try:
        status = gateway.process.wait(seconds)
        return status, gateway.log.read_text()
    except subprocess.TimeoutExpired:
        raise AssertionError(f"it runs:\n{gateway.tail()}") from None
    finally:
        gateway.kill()


class Start(Case):
    def test_a_wrong_configuration(self):
        good = {"Providers": [ECHO], "PORT": free_port()}
        for text, line, key in (
            ('{\n  "PORT": 70000,\n  "Providers": []\n}', 2, "PORT"),
            ('{\n  "Providers": [\n    {"name": "a"}\n  ]\n}', 3, r"Providers\[0\]"),
            ('{\n  "Providers": [\n    {"name": "a", "api_base_url": "ftp://x"}\n  ]\n}', 3, r"api_base_url"),
            (json.dumps(good)[:-1] + ',\n"Limits": {\n"headBytes": "x"}}', 3, r"Limits\.headBytes"),
            (json.dumps(good)[:-1] + ',\n"Router": {"default": "nobody,m"}}', 2, r"Router\.default"),
            ('{\n  "Providers": [}\n', 2, ""),
            ("", 1, ""),
        ):
            with self.subTest(key or text):
                gateway = Gateway()
                gateway.path.write_text(text)
                status, log = run(gateway)
                self.assertEqual(status, 78, log)
                place = re.escape(str(gateway.path))
                self.assertRegex(log, rf"{place}:{line}:\d+: error: .*{key}")

    def test_processes_start_a_few_at_a_time_and_those_of_the_default_route_first(self):
        others = [provider(f"p{i}", "http://127.0.0.1:9/v1", ["m"]) for i in range(9)]
        with Stack(*others, ECHO, Router={"default": "echo,echo"}) as stack:
            order = re.findall(r"started ([a-z0-9 ]+) CCR_PID|(ready): ", stack.log_text())
        started, starting, most = [], 0, 0
        for name, ready in order:
            starting += -1 if ready else 1
            most = max(most, starting)
            started += [name] if name else []
        self.assertEqual(started[:3], ["front", "worker echo", "exporter"])
        self.assertEqual(sorted(started[3:]), [f"worker p{i}" for i in range(9)])
        # Three, unless each was ready before the next one could be started.
        self.assertIn(most, (2, 3))
        self.assertEqual(starting, 0)

    def test_a_configuration_that_is_not_there(self):
        gateway = Gateway()
        gateway.path = gateway.path.with_name("missing.json")
        status, log = run(gateway)
        self.assertEqual(status, 78, log)
        self.assertIn("missing.json", log)

    def test_an_executable_that_is_missing_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            program = shutil.copy(PROGRAM, folder)
            done = subprocess.run(
                [program, "run", "--port", str(free_port())],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=20,
                env={"PATH": os.environ["PATH"], "HOME": folder},
            )
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"cannot open {folder}/ccr-upstream: No such file or directory", done.stderr)

    def test_a_port_in_use_names_the_holder(self):
        with socket.create_server(("127.0.0.1", 0)) as held:
            gateway = Gateway(Providers=[ECHO])
            gateway.config["PORT"] = held.getsockname()[1]
            gateway.write_config()
            status, log = run(gateway)
        self.assertNotIn(status, (0, 78))
        self.assertRegex(log, rf"cannot listen on .*{gateway.config['PORT']}")
        self.assertRegex(log, rf"\(pid {os.getpid()}\)", "the holder of the port is not named")

    def test_without_a_configuration_the_embedded_provider_answers(self):
        port = free_port()
        with tempfile.TemporaryDirectory() as home:
            log = pathlib.Path(home, "log")
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [PROGRAM, "run", "--port", str(port)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={"PATH": os.environ["PATH"], "HOME": home},
                    start_new_session=True,
                )
            try:

                def answer():
                    self.assertIsNone(process.poll(), log.read_text())
                    try:
                        return post(port, CHAT.path, HELLO).status == 200
                    except OSError:
                        return False

                wait_for("an answer", 5, answer)
                for d in DIALECTS:
                    streamed = post(port, d.path, d.request("anything"))
                    self.assertEqual((streamed.status, streamed.ending), (200, "complete"))
                    self.assertIn(d.terminal, streamed.body)
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(5), 0)
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                process.wait()

    def test_the_first_answer_comes_soon(self):
        """No timing test: it only catches a start that waits for something."""
        at = time.monotonic()
        stack = self.enterContext(Stack(ECHO, provider("up", "http://127.0.0.1:9/v1", ["m"])))
        self.assertTrue(stack.serves())
        self.assertLess(time.monotonic() - at, 3)

    def test_a_state_directory_that_cannot_be_made(self):
        stack = self.enterContext(Stack(ECHO, STATE_DIR="/proc/no-such-place"))
        self.assertTrue(stack.serves())
        self.assertEqual(stack.metric("ccr_usage_store_up"), 0)

    def test_drop_ins_are_merged(self):
        gateway = Stack(ECHO)
        folder = gateway.path.parent / "config.d"
        folder.mkdir()
        (folder / "10-alias.json").write_text('{"ModelAliases": {"dropped-in": "echo,echo"}}')
        stack = self.enterContext(gateway)
        self.assertIn("dropped-in", stack.model_names())

    def test_counts_survive_a_restart(self):
        with tempfile.TemporaryDirectory() as state:
            for expected in (3, 6):
                with Stack(ECHO, STATE_DIR=state) as stack:
                    for _ in range(3):
                        self.assertEqual(stack.post(CHAT.path, HELLO).status, 200)
                    wait_for(
                        f"{expected} requests",
                        5,
                        lambda: stack.metric("ccr_requests_total", tier="echo") == expected,
                    )
