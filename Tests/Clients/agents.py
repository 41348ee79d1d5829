# SPDX-License-Identifier: Apache-2.0
"""Runs the unmodified Codex CLI and Claude Code, each in a home of its own."""

import json
import os
import pathlib
import subprocess

import claude_agent_sdk
import codex_cli_bin

CODEX = pathlib.Path(codex_cli_bin.__file__).parent / "bin/codex"
CLAUDE = pathlib.Path(claude_agent_sdk.__file__).parent / "_bundled/claude"

CODEX_CONFIG = """
model = "{model}"
model_provider = "ccr"
approval_policy = "never"
sandbox_mode = "danger-full-access"
[analytics]
enabled = false
[model_providers.ccr]
name = "ccr"
base_url = "{url}/v1"
env_key = "CCR_KEY"
wire_api = "responses"
{more}
"""


def run(command, environment, folder, timeout=120):
    return subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1,localhost", **environment},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


class Agent:
    """A client with a home and a work folder below `folder`; both stay from run to run."""

    def __init__(self, folder):
        self.home, self.work = pathlib.Path(folder, "home"), pathlib.Path(folder, "work")
        for path in (self.home, self.work):
            path.mkdir()


class Codex(Agent):
    """`codex exec`."""

    def __init__(self, folder, url, model, more=""):
        super().__init__(folder)
        # Codex refuses its helper aliases in a home inside TMPDIR, so that is a sibling of the home.
        self.temporary = pathlib.Path(folder, "tmp")
        self.temporary.mkdir()
        (self.home / "config.toml").write_text(CODEX_CONFIG.format(model=model, url=url, more=more))

    def exec(self, *arguments, proxy=None):
        environment = {
            "HOME": str(self.home),
            "CODEX_HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "CCR_KEY": "sk-client",
            "NO_COLOR": "1",
            "RUST_LOG": "error",
        }
        if proxy:
            environment |= {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "ALL_PROXY": proxy}
        command = [str(CODEX), "exec", "--skip-git-repo-check", "-C", str(self.work)]
        return run(command + list(arguments), environment, self.work)


class Claude(Agent):
    """`claude -p` with its result as JSON."""

    def __init__(self, folder, url, model, **environment):
        super().__init__(folder)
        self.environment = {
            "HOME": str(self.home),
            "IS_SANDBOX": "1",
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_AUTH_TOKEN": "sk-client",
            "ANTHROPIC_MODEL": model,
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": model,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            **environment,
        }

    def print(self, prompt, *arguments):
        """The completed process and its JSON result, or None."""
        command = [str(CLAUDE), "-p", prompt, "--output-format", "json", "--dangerously-skip-permissions"]
        done = run(command + list(arguments), self.environment, self.work)
        try:
            return done, json.loads(done.stdout)
        except ValueError:
            return done, None
