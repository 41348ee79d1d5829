# SPDX-License-Identifier: Apache-2.0
"""Fifty streams of twenty seconds through everything an administrator does meanwhile: none is cut, nobody is refused."""

import socket
import threading
import time

from dialects import BY_PATH
from harness import Upstream, provider
from machine import PORT, Case, Installed, newer_package, wait_for
from parallel import Streams
from scripted import slow
from wire import get

UPGRADED = "59e1b303d1ba92e9ae1fb73b947ae1f0"
STORE_TROUBLE = "45dab3d9f4279c2aeb326ea7f79d1cd0"
STREAMS = 50
DELTAS = 80
GAP = 0.25


def paced(request):
    """A stream of twenty seconds in the dialect of the request."""
    return slow(BY_PATH[request.target].events(DELTAS), GAP)


class Knocking:
    """A new connection every 20 ms, each with one request that has to be answered."""

    def __init__(self):
        self.stopping = threading.Event()
        self.count = 0
        self.longest = 0.0
        self.failures = []
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(30)

    def run(self):
        while not self.stopping.wait(0.02):
            began = time.monotonic()
            try:
                socket.create_connection(("127.0.0.1", PORT), 10).close()
            except OSError as e:
                self.failures.append(repr(e))
            self.count += 1
            self.longest = max(self.longest, time.monotonic() - began)


class LongStreams(Case):
    @classmethod
    def setUpClass(cls):
        cls.machine = cls.enterClassContext(Installed())
        cls.up = cls.enterClassContext(Upstream())
        cls.up.scripts["paced"] = paced
        cls.machine.write_config(Providers=[provider("up", cls.up.url + "/v1", ["paced", "ok"])])

    def test_streams_outlive_reload_upgrade_and_the_death_of_front(self):
        streams = Streams(PORT, "paced", STREAMS)
        with Knocking() as knocking:
            self.reload_with_a_changed_configuration()
            self.upgrade()
            self.kill_front()
        running = sum(reader.thread.is_alive() for _, reader in streams.readers)
        self.assertEqual(running, STREAMS, "streams ended before everything had happened to them")
        streams.assert_complete(DELTAS)
        # The exporters took turns with usage.db.
        self.assertEqual(self.machine.messages(f"MESSAGE_ID={STORE_TROUBLE}"), [])
        self.assertEqual(knocking.failures, [])
        self.assertGreater(knocking.count, 20)

    def reload_with_a_changed_configuration(self):
        before = self.machine.loaded_configurations()
        self.machine.write_config(ModelAliases={"other": "up,ok"})
        self.machine.run("systemctl", "reload", "ccr.service")
        wait_for("the new configuration", 10, lambda: self.machine.loaded_configurations() > before)
        self.assertIn("other", get(PORT, "/v1/models").body.decode())

    def upgrade(self):
        before, pid = self.machine.loaded_configurations(), self.machine.show("ccr.service", "MainPID")
        self.machine.install(newer_package())
        wait_for("the new version", 10, lambda: self.machine.loaded_configurations() > before)
        self.assertEqual(len(self.machine.journal("-u", "ccr", f"MESSAGE_ID={UPGRADED}")), 1)
        self.assertEqual(self.machine.show("ccr.service", "MainPID"), pid)

    def kill_front(self):
        old = self.machine.signal("front", "KILL")
        self.machine.wait_replaced("front", old)
        self.assertEqual(get(PORT, "/health").status, 200)
