# SPDX-License-Identifier: Apache-2.0
"""Kills a refresher in the middle of one refresh after the other."""

import signal
import threading

from harness import wait_for
from oauth import Authority
from refresher import Refresher, oauth


def kill_again_and_again(count):
    """What is wrong after so many kills, each at another moment of a refresh."""
    # The server forgives a repeated secret for ten seconds, as a restart by a supervisor needs it.
    with Authority(lifetime=1, grace=10) as authority, Refresher(oauth(authority)) as refresher:
        for round in range(count):
            process = refresher.start(wait=False)
            wanted = authority.calls + 1
            wait_for("a call", 10, lambda n=wanted: authority.calls >= n)
            # Spread over the steps of a refresh, which takes some milliseconds.
            threading.Event().wait(round % 20 / 1000)
            refresher.stop(process, signal.SIGKILL)
        refresher.start()
        refresher.wait_for("fresh", 15)
        wrong = ["a login was lost"] if "needs a login" in refresher.text() else []
        generation = refresher.store.credentials()["main"]["generation"]
        if not 0 < generation <= authority.calls:
            wrong.append(f"{generation} generations of {authority.calls} calls")
        refresher.check()
        return wrong
