# SPDX-License-Identifier: Apache-2.0
"""The commands beside `ccr run`, against a running stack and without one."""

import json
import os
import subprocess

from dialects import CHAT
from harness import ECHO, HELLO, PROGRAM, Case, Stack, free_port, provider


class CommandLine(Case):
    @classmethod
    def open_all(cls):
        cls.stack = cls.enterClassContext(
            Stack(
                provider("up", "http://127.0.0.1:9/v1", ["gpt-5"], api_key="sk-in-the-file"),
                ECHO,
                Router={"default": "echo,echo"},
                ModelAliases={"fast": "up,gpt-5"},
                unknown_key=1,
            )
        )

    def ccr(self, *arguments, status=0, text=""):
        """Run a command; returns what it printed on both outputs."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=20,
            env={"PATH": os.environ["PATH"], "HOME": self.stack.folder.name},
        )
        self.assertEqual(done.returncode, status, f"ccr {' '.join(arguments)}: {done.stdout}{done.stderr}")
        self.assertNotIn("sk-in-the-file", done.stdout + done.stderr)
        return done.stdout, done.stderr

    def with_config(self, *arguments, **more):
        return self.ccr(*arguments, "--config", str(self.stack.path), **more)

    def test_validate(self):
        out, err = self.with_config("validate")
        self.assertIn("ok", out)
        self.assertRegex(err, r"config\.json:\d+:\d+: warning: unknown_key")
        broken = self.stack.path.with_name("broken.json")
        broken.write_text('{"PORT": "x",\n"Providers": [{"name": "a"}],\n"Limits": {"headBytes": 1}}')
        _, err = self.ccr("validate", "--config", str(broken), status=2)
        for place, key in ((1, "PORT"), (2, "api_base_url"), (3, "Limits.headBytes")):
            self.assertRegex(err, rf"broken\.json:{place}:\d+: error: .*{key}", "not every problem is named")
        out, _ = self.ccr("validate", "--json", "--config", str(broken), status=2)
        self.assertGreaterEqual(len(json.loads(out)["problems"]), 3)

    def test_status(self):
        self.stack.post(CHAT.path, HELLO)
        out, _ = self.with_config("status")
        for word in ("healthy", "front", "worker", "exporter", "echo", str(self.stack.child("front"))):
            self.assertIn(word, out)
        json.loads(self.with_config("status", "--json")[0])
        _, err = self.with_config("status", "--port", str(free_port()), status=1)
        self.assertIn("down", err)

    def test_models(self):
        out, _ = self.with_config("models")
        for name in ("gpt-5", "fast", "up,gpt-5", "echo:tools"):
            self.assertIn(name, out)
        listed = json.loads(self.with_config("models", "--json")[0])
        self.assertEqual({m["id"] for m in listed["data"]}, self.stack.model_names())

    def test_route_explain(self):
        out, _ = self.with_config("route", "explain", text=json.dumps(CHAT.request("fast")))
        self.assertIn("alias", out)
        self.assertIn("gpt-5", out)
        out, _ = self.with_config("route", "explain", "--json", text=json.dumps(CHAT.request("other")))
        self.assertIn("echo", json.dumps(json.loads(out)))
        self.with_config("route", "explain", status=1, text='{"model":"nobody,x"}')
        self.with_config("route", "explain", status=2, text="{")

    def test_doctor(self):
        out, _ = self.with_config("doctor", status=1)
        self.assertRegex(out, rf"ok +port +ccr serves http://127.0.0.1:{self.stack.port}")
        self.assertRegex(out, r"fail +provider up +127.0.0.1:9: connect: Connection refused")
        self.assertRegex(out, r"ok +provider echo")
        self.assertRegex(out, r"ok +kernel")
        findings = json.loads(self.with_config("doctor", "--json", status=1)[0])["findings"]
        failed = [f for f in findings if f["level"] == "fail"]
        self.assertEqual([f["subject"] for f in failed], ["provider up"])
        self.assertTrue(failed[0]["remedy"])

    def test_version_and_help(self):
        self.assertRegex(self.ccr("version")[0], r"^ccr \d+\.\d+\.\d+")
        out, _ = self.ccr("help")
        for command in ("run", "validate", "status", "models", "route explain", "version"):
            self.assertIn(command, out)
        _, err = self.ccr("stauts", status=2)
        self.assertIn("status", err, "the near name is not offered")
        self.ccr("status", "--prot", "1", status=2)
