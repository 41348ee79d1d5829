# SPDX-License-Identifier: Apache-2.0
"""The exporter's own socket, which a service manager passes in: it shows what goes on in front right now."""

import contextlib
import fcntl
import os
import socket
import subprocess

import wire
from dialects import CHAT
from harness import PROGRAM, Case, Stack, Upstream, provider, wait_for
from scripted import HANG, Script

# Descriptors begin at 3, and LISTEN_PID is the process that is started.
ACTIVATE = 'exec 3<&"$0" 4<&"$1"; shift; export LISTEN_PID=$$; exec "$@"'


class ActivatedStack(Stack):
    """Started as systemd starts it, with a listening socket for clients and one for metrics."""

    def start(self):
        listeners = [socket.create_server(("127.0.0.1", port)) for port in (self.port, 0)]
        self.metrics_port = listeners[1].getsockname()[1]
        # High numbers, so that neither is overwritten by the other.
        numbers = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 20) for s in listeners]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", ACTIVATE, *map(str, numbers), PROGRAM, "run", "--config", str(self.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "LISTEN_FDS": "2", "LISTEN_FDNAMES": "http:metrics"},
                pass_fds=numbers,
                start_new_session=True,
            )
        for number in numbers:
            os.close(number)
        for listener in listeners:
            listener.close()

    def metric(self, name, **labels):
        """As its own socket shows it."""
        return wire.metric(self.metrics_port, name, **labels)


class MetricsSocket(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        cls.stack = cls.enterClassContext(ActivatedStack(provider("up", cls.up.url + "/v1", ["m"])))

    def wait_for(self, name, value):
        wait_for(f"{name} = {value}", 5, lambda: self.stack.metric(name) == value)

    def test_a_running_stream_shows_before_it_ends(self):
        self.up.scripts["m"] = Script([*CHAT.opening(), CHAT.delta("@0@"), HANG])
        with self.stack.stream(CHAT.path, CHAT.request("m")):
            self.wait_for("ccr_active_streams", 1)
        self.wait_for("ccr_active_streams", 0)

    def test_connections_show_without_a_request(self):
        before = self.stack.metric("ccr_front_connections")
        with contextlib.closing(socket.create_connection(("127.0.0.1", self.stack.port))):
            self.wait_for("ccr_front_connections", before + 1)
        self.wait_for("ccr_front_connections", before)
