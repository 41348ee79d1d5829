# SPDX-License-Identifier: Apache-2.0
"""Requests at a steady rate with tokens that live for a second: no request fails, each life is one refresh.

    python Tests/Stack/soak.py [SECONDS]      600 seconds unless told otherwise; make soak does this
"""

import pathlib
import sys
import tempfile
import threading
import time

from dialects import CHAT
from harness import ECHO, Stack, wait_for
from oauth import Authority
from test_credentials import keeping

RATE = 100
THREADS = 10
LIFETIME = 1


class Load:
    """Requests of many threads, RATE a second in all."""

    def __init__(self, stack):
        self.stack, self.stop = stack, threading.Event()
        self.statuses, self.lock = {}, threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(THREADS)]

    def run(self):
        next_at = time.monotonic()
        while not self.stop.is_set():
            try:
                status = self.stack.post(CHAT.path, CHAT.request("m", stream=False), timeout=20).status
            except OSError as e:
                status = repr(e)
            with self.lock:
                self.statuses[status] = self.statuses.get(status, 0) + 1
            # A slow machine sends fewer requests, never a burst.
            next_at = max(next_at + THREADS / RATE, time.monotonic() - THREADS / RATE)
            self.stop.wait(max(0, next_at - time.monotonic()))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def soak(seconds, disturb=lambda stack: None, crashes=False):
    """Run it; returns what happened. `disturb` is called once a second."""
    with Authority(lifetime=LIFETIME) as authority, tempfile.TemporaryDirectory() as folder:
        with Stack(keeping(authority, pathlib.Path(folder), workers=2), ECHO, crashes=crashes) as stack:
            wait_for("an answer", 10, lambda: stack.post(CHAT.path, CHAT.request("m", stream=False)).status == 200)
            began, calls = time.monotonic(), authority.calls
            with Load(stack) as load:
                while time.monotonic() < began + seconds:
                    time.sleep(1)
                    disturb(stack)
            passed = time.monotonic() - began
            return {
                "seconds": round(passed, 1),
                "statuses": load.statuses,
                "refreshes": authority.calls - calls,
                "lives": passed / LIFETIME,
                "refused": authority.refused,
                "repeated_secrets": len(authority.sent) - len(set(authority.sent)),
            }


def verdict(found):
    """What is wrong, or nothing."""
    wrong = []
    if set(found["statuses"]) != {200}:
        wrong.append(f"requests failed: {found['statuses']}")
    if found["refused"]:
        wrong.append(f"{found['refused']} requests went out with a token that had ended")
    # A token is renewed after four fifths of its life, at the earliest.
    if found["refreshes"] > found["lives"] / 0.75 + 2:
        wrong.append(f"{found['refreshes']} refreshes in {found['lives']:.0f} lives")
    if found["repeated_secrets"]:
        wrong.append(f"{found['repeated_secrets']} secrets were sent twice")
    return wrong


if __name__ == "__main__":
    result = soak(int(sys.argv[1]) if len(sys.argv) > 1 else 600)
    print(result)
    problems = verdict(result)
    for problem in problems:
        print("soak:", problem)
    sys.exit(bool(problems))
