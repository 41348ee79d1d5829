# SPDX-License-Identifier: Apache-2.0
"""Listening sockets that a service manager made: blocking, named, and still open when ccr has ended."""

import os
import socket
import subprocess

from dialects import CHAT
from harness import ECHO, HELLO, PROGRAM, Case, Stack
from wire import get, post


class Activated(Stack):
    """A stack that gets its sockets as systemd passes them: descriptors 3 and 4 with names."""

    def __init__(self):
        super().__init__(ECHO)
        self.sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.port, self.metrics_port = (s.getsockname()[1] for s in self.sockets)

    def start(self):
        # From high numbers, so that neither is in the other's place.
        high = [os.dup2(s.fileno(), 200 + i, inheritable=True) for i, s in enumerate(self.sockets)]
        script = 'exec 3<&200 4<&201 200<&- 201<&-; LISTEN_PID=$$; export LISTEN_PID; exec "$@"'
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", script, "bash", PROGRAM, "run", "--config", str(self.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=high,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": self.folder.name,
                    "LISTEN_FDS": "2",
                    "LISTEN_FDNAMES": "http:metrics",
                },
                start_new_session=True,
            )
        for number in high:
            os.close(number)

    def __exit__(self, *arguments):
        super().__exit__(*arguments)
        for s in self.sockets:
            s.close()


class InheritedSockets(Case):
    def test_front_and_exporter_serve_the_sockets_they_were_given(self):
        with Activated() as stack:
            for _ in range(3):
                self.assertEqual(post(stack.port, CHAT.path, HELLO).status, 200)
            self.assertIn(b"ccr_requests_total", get(stack.metrics_port, "/metrics").body)
            # A front that waited in accept(2) would not answer this one's messages.
            self.assertEqual(stack.health()["front"]["restarts"], 0)

    def test_connections_wait_in_the_socket_while_ccr_is_down(self):
        with Activated() as stack:
            stack.process.terminate()
            self.assertEqual(stack.process.wait(10), 0)
            with socket.create_connection(("127.0.0.1", stack.port), 2) as waiting:
                waiting.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                stack.start()
                waiting.settimeout(10)
                self.assertTrue(waiting.recv(100).startswith(b"HTTP/1.1 200"))
            stack.wait_until_healthy()
