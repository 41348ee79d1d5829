#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What ccr must reach, and the table that compares it with what was measured in the same run.

Of times the best round counts, of every system: other work on the host adds to them and never takes away. The median is
beside it. Of what must never happen, and of memory, the worst round counts.

targets.py FILE.jsonl ...      prints the table again
"""

import json
import statistics
import sys


def field(*path, scale=1.0):
    """A reader of a number inside a result row."""

    def read(row):
        for key in path:
            row = row[key]
        return row * scale

    return read


def cancelled(row):
    """The part of the aborted streams that was cancelled upstream, in percent."""
    return 100.0 * row["mock_aborted"] / row["aborted"] if row.get("aborted") else None


def failed_probes(row):
    return float(sum(not passed for _, passed, _ in row["probes"]))


# Tests of which the worst round counts.
WORST = ["idle5000", "idle-pss", "abort", "translate-short", "translate-long", "quirks"]

# (title, unit, test, reader, limit). A test is ccr's, or a pair of system and test. A limit is a number, ">=" and a
# number, or (factor, peer, added): factor * value + added, where peer is a system in the same test or a pair of system and
# test.
TARGETS = [
    ("CPU per request, 16 connections", "us", "ns-c16", field("cpu_ms_per_req", scale=1000), 45),
    ("CPU that 20 rules and 10 providers add", "us", "routing", field("added_ns", "median", scale=1e-3), 3),
    ("CPU per request with a 2 MB body", "ms", "b2m-c1", field("cpu_ms_per_req"), 1.2),
    ("CPU per stream that asks with 2 MB", "ms", "stream2m-c1", field("cpu_ms_per_req"), (1.25, ("ccr", "b2m-c1"), 0)),
    ("latency p50, 1 connection", "us", "ns-c1", field("lat_us", "p50"), (1.4, "nginx", 0)),
    ("CPU per chunk, burst of 64 streams", "us", "sse64-burst", field("cpu_us_per_chunk"), (1.5, "nginx", 0)),
    ("CPU per chunk, 64 paced streams", "us", "sse64-paced", field("cpu_us_per_chunk"), (1.5, "nginx", 0)),
    (
        "time to first token p50, paced",
        "ms",
        "sse64-paced",
        field("ttft_us", "p50", scale=1e-3),
        (1.0, "haproxy", 1),
    ),
    ("PSS with 5,000 idle streams", "MB", "idle5000", field("pss_kb", 1, scale=1 / 1024), 120),
    ("failed of 5,000 idle streams", "", "idle5000", field("err"), 0),
    ("start to first answer", "ms", "start", field("ms"), 150),
    ("PSS of the idle stack", "MB", "idle-pss", field("pss_kb", scale=1 / 1024), 25),
    ("aborted streams cancelled upstream", "%", "abort", cancelled, ">=100"),
    ("last abort to last upstream cancel", "ms", "abort", field("upstream_cancel_ms"), 100),
    (
        "CPU per chunk, burst of 64 streams, Chat to Messages",
        "us",
        ("ccr-translating", "translate-burst"),
        field("cpu_us_per_chunk"),
        (1, ("ccr", "sse64-burst"), 12),
    ),
    ("CPU per request, 2 MB of Messages to Chat", "ms", ("ccr-translating", "translate-2m"), field("cpu_ms_per_req"), 6),
    (
        "RSS during translated streams of 20,000 chunks",
        "MB",
        ("ccr-translating", "translate-long"),
        field("rss_kb", 1, scale=1 / 1024),
        (1, ("ccr-translating", "translate-short"), 4),
    ),
    (
        "CPU per request with a credential of the refresher's",
        "us",
        ("ccr-credential", "ns-c16"),
        field("cpu_ms_per_req", scale=1000),
        (1, ("ccr", "ns-c16"), 2),
    ),
    (
        "new token to the last request with the old one, 4 workers, worst of 20",
        "ms",
        ("ccr-credential", "token-change"),
        field("worst_ms"),
        50,
    ),
    ("failed probes of quirks.py", "", "quirks", failed_probes, 0),
]


# What ccr is compared with. `handoff` is what its shape costs at least, where that was measured.
PEERS = ["nginx", "haproxy", "handoff"]


def over_rounds(rows, name, test, read, limit, pick=None):
    """One value for all rounds, None when the system was not measured: the one that counts, or the median."""
    values = [read(r) for r in rows if r["name"] == name and r["test"] == test]
    values = [v for v in values if v is not None]
    if not values:
        return None
    is_more_better = isinstance(limit, str)
    return (pick or (max if (test in WORST) != is_more_better else min))(values)


def number(value, unit=""):
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}" + (f" {unit}" if unit else "")


def byte_exact(rows):
    """Compares the hash of the streams through each system with the direct run's."""
    hashes = {r["name"]: r for r in rows if r["test"] == "verify"}
    ccr, direct = hashes.get("ccr"), hashes.get("direct")
    if not ccr or not direct:
        return None
    same = ccr["hash"] == direct["hash"] and not ccr["hash_diff"] and not ccr["err"]
    return [
        "stream is byte-exact",
        "equal to direct",
        "yes" if same else "no",
        *["-"] * (1 + 2 * len(PEERS)),
        verdict(same),
    ]


def verdict(met):
    return "met" if met else "MISSED"


def rows_of_table(rows):
    for title, unit, test, read, limit in TARGETS:
        subject, test = test if isinstance(test, tuple) else ("ccr", test)
        value = {name: over_rounds(rows, name, test, read, limit) for name in PEERS}
        value["ccr"] = over_rounds(rows, subject, test, read, limit)
        middle = over_rounds(rows, subject, test, read, limit, statistics.median)
        if all(v is None for v in value.values()):
            continue
        if isinstance(limit, tuple):
            factor, peer, added = limit
            other = over_rounds(rows, *peer, read, limit) if isinstance(peer, tuple) else value[peer]
            peer = peer[1] if isinstance(peer, tuple) else peer
            bound = None if other is None else factor * other + added
            text = f"{factor:g} x {peer}" if factor != 1 else peer
            text += f" + {added:g} {unit}" if added else ""
            text = f"<= {text} = {number(bound, unit)}"
        elif isinstance(limit, str):
            bound, text = float(limit.removeprefix(">=")), f"{limit} {unit}"
        else:
            bound, text = limit, f"<= {limit:g} {unit}".rstrip()
        if value["ccr"] is None or bound is None:
            result = "not measured"
        elif isinstance(limit, str):
            result = verdict(value["ccr"] >= bound)
        else:
            result = verdict(0 <= value["ccr"] <= bound)
        ratios = [
            f"{value['ccr'] / value[p]:.2f}" if value["ccr"] is not None and value[p] else "-"
            for p in PEERS
        ]
        cells = [number(v, unit) for v in (value["ccr"], middle, *map(value.get, PEERS))]
        yield [title, text, *cells, *ratios, result]
    exact = byte_exact(rows)
    if exact:
        yield exact


def table(rows):
    """The table as Markdown, columns padded so that it also reads well in a terminal."""
    head = ["measure", "target", "ccr", "median", *PEERS, *[f"ccr/{p}" for p in PEERS], "result"]
    lines = [head, *rows_of_table(rows)]
    last = len(head) - 1
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]

    def cell(i, text):
        return text.ljust(widths[i]) if i in (0, 1, last) else text.rjust(widths[i])

    def row(line):
        return "| " + " | ".join(cell(i, text) for i, text in enumerate(line)) + " |"

    rule = (
        "|" + "|".join("-" * (w + 1) + ("-" if i in (0, 1, last) else ":") for i, w in enumerate(widths)) + "|"
    )
    return "\n".join([row(head), rule, *map(row, lines[1:])])


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print(table([json.loads(line) for path in sys.argv[1:] for line in open(path)]))


if __name__ == "__main__":
    main()
