# SPDX-License-Identifier: Apache-2.0
"""The refresher on its own, as a service manager runs it, and the commands that ask it."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile

from harness import PROGRAM, ROOT, wait_for

ORIGIN = {"name": "p", "api_base_url": "http://127.0.0.1:9/v1", "models": ["m"]}
DEBUG = ROOT / ".build/debug/ccr-upstream"


def oauth(authority, name="main", **more):
    """A credential at an authority, whose refresh token is in the variable RT."""
    return {
        "name": name,
        "kind": "oauth2",
        "secret": "env:RT",
        "token_url": authority.url + "/token",
        "device_url": authority.url + "/device",
        "client_id": "client",
        "permanent_codes": ["refresh_token_reused"],
        **more,
    }


class Refresher:
    """One configuration and state directory; processes come and go."""

    def __init__(self, *credentials, program=None, **environment):
        self.directory = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.directory.name)
        self.state = self.root / "state"
        self.state.mkdir(mode=0o700)
        self.config = self.root / "config.json"
        self.program = program or str(pathlib.Path(PROGRAM).parent / "ccr-upstream")
        self.environment = {"RT": "canary-rt-0", **environment}
        self.processes = []
        self.log = self.root / "log"
        self.configure(*credentials)

    def configure(self, *credentials):
        provider = {**ORIGIN, "credentials": list(credentials)}
        self.config.write_text(json.dumps({"Providers": [provider], "STATE_DIR": str(self.state)}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.directory.cleanup()

    def start(self, wait=True, **environment):
        keep = {k: os.environ[k] for k in ("PATH", "TMPDIR") if k in os.environ}
        with self.log.open("a") as log:
            process = subprocess.Popen(
                [self.program, "refresher", "--config", str(self.config)],
                env={**keep, **self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        if wait:
            wait_for("the refresher's socket", 10, self.answers)
        return process

    def stop(self, process, sig=signal.SIGTERM, seconds=10):
        process.send_signal(sig)
        return process.wait(seconds)

    def command(self, *words):
        """Exit status and both outputs of a command of ccr."""
        done = subprocess.run(
            [PROGRAM, *words, "--config", str(self.config)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    def answers(self):
        return self.command("credentials", "status", "--json")[0] == 0

    def status(self, name="main"):
        code, out, err = self.command("credentials", "status", "--json")
        if code:
            return {"state": "down", "reason": err}
        return next(c for c in json.loads(out) if c["name"] == name)

    def wait_for(self, state, seconds=10, name="main"):
        """Wait until the credential is in this state; returns its whole status."""
        def check():
            found = self.status(name)
            return found if found["state"] == state else None

        return wait_for(f"state {state}; last: {self.status(name)}\n{self.text()}", seconds, check)

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def token(self):
        code, out, err = self.command("print-token", "main")
        return out if code == 0 else None

    def files(self):
        return [p for p in self.state.rglob("*") if p.is_file()]
