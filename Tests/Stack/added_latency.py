# SPDX-License-Identifier: Apache-2.0
"""What one dead provider of three adds to streams, in milliseconds: while its circuit is closed, and after.

    python Tests/Stack/added_latency.py [STREAMS]      1,000 unless told otherwise; make failover does this

The streams come one after the other. The dead provider is asked first: it refuses connections, or takes them and says
nothing for longer than `Timeouts.firstEventMs`.
"""

import socket
import sys
import time

from dialects import CHAT
from harness import Stack, Upstream, free_port, provider

FIRST_EVENT_MS = 500
# So many failures in a row open a circuit.
OPENING = 5
# What may be added after that, in milliseconds.
ADDED_MS = 5


def durations(first, others, count):
    """Milliseconds of each stream, and how often the first provider failed."""
    urls = [first, others, others]
    providers = [provider(f"p{n}", url + "/v1", ["m"]) for n, url in enumerate(urls)]
    with Stack(*providers, Timeouts={"firstEventMs": FIRST_EVENT_MS}) as stack:
        took = []
        for _ in range(count):
            began = time.monotonic()
            answer = stack.post(CHAT.path, CHAT.request("m"), timeout=60)
            CHAT.assert_complete(answer, 10)
            took.append((time.monotonic() - began) * 1000)
        return took, int(stack.metric("ccr_failures_total", tier="p0"))


def p99(values):
    return sorted(values)[int(len(values) * 0.99)]


def main(count):
    silent = socket.create_server(("127.0.0.1", 0), backlog=count)
    with Upstream() as first, Upstream() as others:
        providers = {
            "none is dead": first.url,
            "it refuses": f"http://127.0.0.1:{free_port()}",
            "it is silent": f"http://127.0.0.1:{silent.getsockname()[1]}",
        }
        print(f"{count} streams     longest of the first {OPENING}   p99 of the others   met the dead provider")
        missed, usual = [], None
        for name, url in providers.items():
            took, met = durations(url, others.url, count)
            before, after = max(took[:OPENING]), p99(took[OPENING:])
            usual = usual if usual is not None else after
            print(f"{name:16} {before:18.1f} ms {after:16.2f} ms {met:22}", flush=True)
            if before > 2 * FIRST_EVENT_MS + usual or after > usual + ADDED_MS:
                missed.append(name)
    print(
        f"before the circuit opens <= 2 x {FIRST_EVENT_MS} ms, after <= {ADDED_MS} ms more than with all three: "
        + (f"MISSED where {', '.join(missed)}" if missed else "met")
    )
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
