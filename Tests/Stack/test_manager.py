# SPDX-License-Identifier: Apache-2.0
"""What ccr tells the service manager (sd_notify), and the admin socket that it may get from there."""

import json
import os
import signal
import socket
import subprocess

from dialects import CHAT
from harness import ECHO, HELLO, PROGRAM, Case, Stack, wait_for


class Managed(Stack):
    """A stack with a manager: a notify socket, a watchdog, and if asked for an admin socket as descriptor 3."""

    def __init__(self, admin=False, **config):
        super().__init__(ECHO, **config)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(f"{self.folder.name}/notify")
        self.manager.setblocking(False)
        self.lines = []
        self.admin_path = f"{self.folder.name}/admin"
        self.admin = None
        if admin:
            self.admin = socket.socket(socket.AF_UNIX)
            self.admin.bind(self.admin_path)
            self.admin.listen()

    def start(self):
        script = 'exec 3<&200 200<&-; LISTEN_PID=$$; export LISTEN_PID; exec "$@"'
        command = [PROGRAM, "run", "--config", str(self.path)]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": self.folder.name,
            "NOTIFY_SOCKET": f"{self.folder.name}/notify",
            "WATCHDOG_USEC": "2000000",
        }
        high = []
        if self.admin:
            high = [os.dup2(self.admin.fileno(), 200, inheritable=True)]
            command = ["bash", "-c", script, "bash", *command]
            environment.update(LISTEN_FDS="1", LISTEN_FDNAMES="ccr-admin")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=high,
                env=environment,
                start_new_session=True,
            )
        for number in high:
            os.close(number)

    def kill(self):
        super().kill()
        self.manager.close()
        if self.admin:
            self.admin.close()

    def told(self):
        """Every KEY=value line so far."""
        while True:
            try:
                self.lines += self.manager.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.lines

    def wait_told(self, start, seconds=10):
        """Wait for a line that begins so."""
        return wait_for(
            f"{start} from ccr; it said {self.told()}",
            seconds,
            lambda: next((line for line in self.told() if line.startswith(start)), None),
        )


def ask(path, target, body=None):
    """Status and body of a request over a Unix socket, without any key."""
    head = f"{'POST' if body else 'GET'} {target} HTTP/1.1\r\nhost: admin.example\r\nconnection: close\r\n"
    if body:
        head += f"content-length: {len(body)}\r\n"
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(path)
        s.sendall(head.encode() + b"\r\n" + (body or b""))
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


class Notifications(Case):
    def test_readiness_traffic_watchdog_and_end(self):
        stack = self.enterContext(Managed())
        stack.wait_told("READY=1")
        serving = f"STATUS=serving on http://127.0.0.1:{stack.port} with 1 provider"
        stack.wait_told(serving)
        stack.wait_told("WATCHDOG=1")
        for _ in range(3):
            stack.post(CHAT.path, HELLO)
        stack.wait_told(f"{serving}; 0 streams, 0.6 requests/s")
        stack.wait_told(f"{serving}; accepting connections")
        stack.process.send_signal(signal.SIGTERM)
        self.assertEqual(stack.process.wait(10), 0)
        stack.wait_told("STOPPING=1")
        self.assertEqual(stack.wait_told("EXTEND_TIMEOUT_USEC="), "EXTEND_TIMEOUT_USEC=35000000")

    def test_a_reload_begins_and_ends(self):
        stack = self.enterContext(Managed())
        stack.wait_told("READY=1")
        stack.told().clear()
        stack.process.send_signal(signal.SIGHUP)
        stack.wait_told("READY=1")
        begin = stack.lines.index("RELOADING=1")
        self.assertLess(begin, stack.lines.index("READY=1"))
        self.assertTrue(stack.lines[begin + 1].startswith("MONOTONIC_USEC="))

    def test_a_wrong_configuration_at_the_start_is_the_status(self):
        gateway = Managed(Router={"default": "nobody,m"})
        gateway.write_config()
        gateway.start()
        self.assertEqual(gateway.process.wait(10), 78)
        self.assertRegex(
            gateway.wait_told("STATUS=", 1),
            r"^STATUS=configuration refused: .*config\.json:\d+:\d+: error: Router\.default: ",
        )
        gateway.kill()


class AdminSocket(Case):
    def test_its_clients_need_no_key(self):
        stack = self.enterContext(Managed(admin=True, APIKEY="sk-client"))
        self.assertEqual(stack.get("/v1/models").status, 401)
        for target in ("/health", "/v1/models", "/metrics", "/v1/usage"):
            with self.subTest(target):
                self.assertEqual(ask(stack.admin_path, target)[0], 200)
        status, body = ask(stack.admin_path, CHAT.path, json.dumps(HELLO).encode())
        self.assertEqual(status, 200, body)
        # The listening address of the configuration is bound all the same.
        self.assertEqual(stack.get("/health").status, 200)
