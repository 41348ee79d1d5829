# SPDX-License-Identifier: Apache-2.0
"""The refresher behind a socket of the service manager: found by the gateway, replaced without anybody noticing."""

import os
import pathlib
import select
import signal
import socket
import subprocess
import tempfile
import threading

from dialects import CHAT
from harness import PROGRAM, Case, Stack, wait_for
from oauth import Authority
from test_credentials import keeping

# The refresher's listening socket is descriptor 3, and LISTEN_PID is the process that is started. bash: other shells take one
# digit for a descriptor.
ACTIVATE = 'exec 3<&"$0"; export LISTEN_PID=$$; exec "$@"'


class Manager:
    """What a service manager does: holds the socket, and starts the refresher whenever somebody waits and none runs."""

    def __init__(self, path, config, log):
        self.words = [str(pathlib.Path(PROGRAM).parent / "ccr-upstream"), "refresher", "--config", str(config)]
        self.log = log
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(str(path))
        self.socket.listen()
        self.process = None
        self.starts = 0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(20)
        if self.process:
            self.process.terminate()
            assert self.process.wait(20) == 0, "the refresher ends well"
        self.socket.close()

    def run(self):
        number = self.socket.fileno()
        while not self.ending.is_set():
            if self.process and self.process.poll() is not None:
                self.process = None
            if not self.process and select.select([number], [], [], 0)[0]:
                with self.log.open("ab") as log:
                    self.process = subprocess.Popen(
                        ["bash", "-c", ACTIVATE, str(number), *self.words],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        pass_fds=[number],
                        env={"PATH": os.environ["PATH"], "LISTEN_FDS": "1", "LISTEN_FDNAMES": "refresher"},
                    )
                self.starts += 1
            self.ending.wait(0.02)

    def signal(self, number):
        self.process.send_signal(number)


class ManagedRefresher(Case):
    def setUp(self):
        self.authority = self.enterContext(Authority())
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.stack = Stack(keeping(self.authority, self.folder, workers=2), crashes=True)
        state = pathlib.Path(self.stack.config["STATE_DIR"])
        # As systemd-tmpfiles makes them.
        (state / "credentials/tokens").mkdir(parents=True)
        for path in ("credentials", "credentials/tokens"):
            (state / path).chmod(0o750)
        path = self.folder / "refresher.sock"
        self.stack.environment["CCR_REFRESHER"] = str(path)
        self.manager = self.enterContext(Manager(path, self.stack.path, self.folder / "log"))

    def ask(self):
        return self.stack.post(CHAT.path, CHAT.request("m", stream=False), timeout=20).status

    def refresher(self):
        return self.stack.health()["refresher"]

    def need_the_refresher(self):
        """The provider takes none of the tokens of before: a request succeeds only when the refresher knows the worker."""
        with self.authority.lock:
            self.authority.valid = {}
        wait_for("an answer with a new token", 20, lambda: self.ask() == 200)

    def test_the_gateway_uses_it_and_starts_none_of_its_own(self):
        with self.stack:
            self.assertEqual(self.ask(), 200)
            self.assertEqual(self.manager.starts, 1)
            self.assertEqual((self.refresher()["state"], self.refresher()["pid"]), ("ready", 0))
            self.assertNotIn("started refresher", self.stack.log_text())

    def test_a_killed_and_a_restarted_one_are_replaced_and_workers_find_the_next(self):
        with self.stack:
            self.assertEqual(self.ask(), 200)
            for count, number in enumerate((signal.SIGKILL, signal.SIGTERM, signal.SIGKILL), 1):
                self.manager.signal(number)
                self.assertEqual(self.ask(), 200, "the worker has its token")
                wait_for("the next refresher", 10, lambda n=count: self.manager.starts == n + 1)
                wait_for("a connection", 10, lambda: self.refresher()["state"] == "ready")
                wait_for("answers", 10, lambda: self.ask() == 200)
                self.need_the_refresher()

    def test_a_reload_with_other_credentials_reaches_it_and_one_with_the_same_leaves_it_alone(self):
        with self.stack:
            self.assertEqual(self.ask(), 200)
            first = self.manager.process
            self.stack.reload(ModelAliases={"other": "kept,m"})
            self.assertEqual(self.ask(), 200)
            self.assertIs(self.manager.process, first)
            with self.authority.lock:
                # The new credential begins with the first secret.
                self.authority.refresh = "canary-rt-0"
            self.stack.reload(Providers=[keeping(self.authority, self.folder, workers=2, name="second")])
            wait_for("the next refresher", 10, lambda: self.manager.starts == 2)
            wait_for("an answer with the new credential", 10, lambda: self.ask() == 200)
            self.assertEqual(first.wait(10), 0)
            self.need_the_refresher()

    def test_a_socket_that_has_gone_is_told_once_and_found_when_it_is_back(self):
        path = self.stack.environment["CCR_REFRESHER"]
        with self.stack:
            self.assertEqual(self.ask(), 200)
            os.rename(path, path + ".away")
            self.manager.signal(signal.SIGKILL)
            self.stack.wait_for_log("cannot reach the refresher at .*No such file")
            self.assertEqual(self.refresher()["state"], "back_off")
            self.assertEqual(self.ask(), 200, "the workers have their tokens")
            os.rename(path + ".away", path)
            wait_for("a connection", 20, lambda: self.refresher()["state"] == "ready")
            self.assertEqual(self.stack.log_text().count("cannot reach the refresher"), 1)
            # The connection may be older than the refresher: what waits in the socket is what it is started for.
            self.need_the_refresher()
