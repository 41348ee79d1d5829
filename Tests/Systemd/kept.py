# SPDX-License-Identifier: Apache-2.0
"""A machine with a provider whose credential the refresher keeps, and requests to it without a pause."""

import threading

from dialects import CHAT
from harness import provider
from machine import ECHO, PORT, Installed, is_answered
from oauth import Authority
from refresher import oauth
from wire import post

SECRET = "canary-rt-0"


class Kept(Installed):
    """A machine whose provider has a credential that the refresher keeps. The secret is a credential of systemd's."""

    def __enter__(self):
        super().__enter__()
        self.authority = Authority().__enter__()
        self.run("install", "-m", "600", "-D", "/dev/stdin", "/etc/ccr/credentials/rt", input=SECRET + "\n")
        self.drop_in("ccr-refresher.service", "[Service]\nLoadCredential=rt:/etc/ccr/credentials/rt\nWatchdogSec=3\n")
        # A key that the refresher cannot resolve is no affair of the refresher's.
        self.drop_in("ccr.service", "[Service]\nLoadCredential=key:/etc/ccr/credentials/rt\n")
        self.configure("main")
        return self

    def configure(self, name):
        credential = oauth(self.authority, secret="credential:rt", name=name)
        kept = provider("kept", self.authority.url + "/v1", ["m"], api_key="", dialects=["chat"], credentials=[credential])
        other = provider("other", self.authority.url + "/v1", ["n"], api_key="${credential:key}")
        self.write_config(Providers=[kept, other, ECHO])

    def __exit__(self, *error):
        self.authority.__exit__(*error)
        super().__exit__(*error)

    def is_served(self):
        return is_answered(CHAT.request("m", stream=False))

    def refresher_pid(self):
        return int(self.show("ccr-refresher.service", "MainPID")["MainPID"])


class Load:
    """Requests one after the other from several threads, until the context ends: `statuses` has what came back."""

    def __enter__(self):
        self.statuses, self.stop = [], threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(3)]
        for thread in self.threads:
            thread.start()
        return self

    def run(self):
        while not self.stop.is_set():
            try:
                self.statuses.append(post(PORT, CHAT.path, CHAT.request("m", stream=False), timeout=20).status)
            except (OSError, AssertionError) as e:
                self.statuses.append(repr(e))

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(30)
