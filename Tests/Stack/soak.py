# SPDX-License-Identifier: Apache-2.0
"""Requests at a steady rate with tokens that live for a second: no request fails, each life is one refresh, memory and
descriptors level off. Then a refresher is killed again and again.

    python Tests/Stack/soak.py [SECONDS] [KILLS]      600 and 300 unless told otherwise; make soak does this
"""

import pathlib
import sys
import tempfile
import threading
import time

from dialects import CHAT
from harness import ECHO, Stack, wait_for
from kills import kill_again_and_again
from oauth import Authority
from test_credentials import keeping
from test_leaks import LEAK, private_memory

RATE = 100
THREADS = 10
LIFETIME = 1
# The run is looked at in so many parts.
PARTS = 5


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


class Sizes:
    """What each process holds, at the end of each part of the run."""

    def __init__(self, stack, seconds):
        self.stack, self.every = stack, seconds / PARTS
        self.next_at = time.monotonic() + self.every
        self.memory, self.descriptors = [], []

    def look(self):
        if time.monotonic() < self.next_at:
            return
        self.next_at += self.every
        self.memory.append({name: private_memory(pid) for name, pid in self.stack.pids().items()})
        self.descriptors.append(self.stack.descriptors())


def soak(seconds, disturb=lambda stack: None, crashes=False):
    """Run it; returns what happened. `disturb` is called once a second."""
    with Authority(lifetime=LIFETIME) as authority, tempfile.TemporaryDirectory() as folder:
        with Stack(keeping(authority, pathlib.Path(folder), workers=2), ECHO, crashes=crashes) as stack:
            wait_for("an answer", 10, lambda: stack.post(CHAT.path, CHAT.request("m", stream=False)).status == 200)
            began, calls = time.monotonic(), authority.calls
            sizes = Sizes(stack, seconds)
            with Load(stack) as load:
                while time.monotonic() < began + seconds:
                    time.sleep(1)
                    disturb(stack)
                    if not crashes:
                        sizes.look()
            passed = time.monotonic() - began
            return {
                "seconds": round(passed, 1),
                "statuses": load.statuses,
                "refreshes": authority.calls - calls,
                "lives": passed / LIFETIME,
                "refused": authority.refused,
                "repeated_secrets": len(authority.sent) - len(set(authority.sent)),
                "memory": sizes.memory,
                "descriptors": sizes.descriptors,
            }


def verdict(found):
    """What is wrong, or nothing."""
    wrong = []
    if set(found["statuses"]) != {200}:
        wrong.append(f"requests failed: {found['statuses']}")
    # A request may be on its way while its token ends; it is repeated with the next one. More than a few were sent late.
    if found["refused"] > max(1, sum(found["statuses"].values()) / 100):
        wrong.append(f"{found['refused']} requests went out with a token that had ended")
    # A token is renewed after four fifths of its life, at the earliest.
    if found["refreshes"] > found["lives"] / 0.75 + 2:
        wrong.append(f"{found['refreshes']} refreshes in {found['lives']:.0f} lives")
    if found["repeated_secrets"]:
        wrong.append(f"{found['repeated_secrets']} secrets were sent twice")
    return wrong + growth(found)


def growth(found):
    """What does not level off: memory that grows in each part of the run, descriptors that end above all parts before."""
    wrong = []
    memory, descriptors = found["memory"], found["descriptors"]
    # What a process keeps once weighs little after some thousand requests.
    if found["seconds"] < 60:
        return wrong
    each = sum(found["statuses"].values()) / PARTS
    for name in memory[0]:
        steps = [(after[name] - before[name]) / each for before, after in zip(memory, memory[1:])]
        if min(steps) >= LEAK:
            wrong.append(f"{name} keeps {min(steps):.0f} bytes of each request: {[m[name] for m in memory]}")
        counts = [part[name] for part in descriptors]
        if all(before < after for before, after in zip(counts, counts[1:])):
            wrong.append(f"{name} keeps descriptors: {counts}")
    return wrong


def main(seconds=600, kills=300):
    found = soak(seconds)
    print(found)
    problems = verdict(found) + kill_again_and_again(kills)
    print(f"killed the refresher {kills} times")
    for problem in problems:
        print("soak:", problem)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
