#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All results as Markdown tables: medians over rounds, or the best round (for a noisy machine).

summarize.py results.jsonl ... [--best]
"""

import json
import statistics
import sys

# Column: (title, reader, digits, whether more is better).
RATE = ("req/s", lambda r: r["rps"], 0, True)
P50 = ("p50 us", lambda r: r["lat_us"]["p50"], 0, False)
P99 = ("p99 us", lambda r: r["lat_us"]["p99"], 0, False)
P50_MS = ("p50 ms", lambda r: r["lat_us"]["p50"] / 1000, 2, False)
P99_MS = ("p99 ms", lambda r: r["lat_us"]["p99"] / 1000, 2, False)
CPU_US = ("CPU us/req", lambda r: r["cpu_ms_per_req"] * 1000, 1, False)
CPU_MS = ("CPU ms/req", lambda r: r["cpu_ms_per_req"], 2, False)
CHUNK = ("CPU us/chunk", lambda r: r["cpu_us_per_chunk"], 2, False)

# Table: title, then (test, its short name, columns).
TABLES = [
    (
        "Closed loop, non-stream, 2 KB request, 1 KB answer",
        [(f"ns-{c}", c, [RATE, P50, P99, CPU_US]) for c in ("c1", "c16", "c64", "c256")],
    ),
    (
        "Open loop (latency from the scheduled arrival)",
        [(f"rate{n}", f"{n}/s", [P50, P99, RATE]) for n in (50, 200, 1000, 5000)],
    ),
    (
        "Large request bodies, 1 KB answer",
        [
            (test, name, [RATE, P50_MS, P99_MS, CPU_MS])
            for test, name in (
                ("b200k-c1", "200K c1"),
                ("b200k-c16", "200K c16"),
                ("b2m-c1", "2M c1"),
                ("b2m-c4", "2M c4"),
            )
        ],
    ),
    (
        "Streaming, 64 streams; burst = 200 chunks without pause, paced = 100 chunks, one per 20 ms",
        [
            (
                f"sse64-{name}",
                name,
                [
                    ("chunks/s", lambda r: r["chunks_s"], 0, True),
                    ("TTFT p50 ms", lambda r: r["ttft_us"]["p50"] / 1000, 2, False),
                    ("TTFT p99 ms", lambda r: r["ttft_us"]["p99"] / 1000, 2, False),
                    ("transit p50 us", lambda r: r["transit_us"]["p50"], 0, False),
                    ("transit p99 us", lambda r: r["transit_us"]["p99"], 0, False),
                    CHUNK,
                ],
            )
            for name in ("burst", "paced")
        ],
    ),
    (
        "Memory",
        [
            (
                "idle5000",
                "idle streams",
                [
                    ("number", lambda r: r["conc"], 0, True),
                    ("RSS MB", lambda r: r["rss_kb"][1] / 1024, 1, False),
                    ("PSS MB", lambda r: r["pss_kb"][1] / 1024, 1, False),
                    ("KB/stream", lambda r: (r["pss_kb"][1] - r["pss_kb"][0]) / r["conc"], 1, False),
                    ("transit p99 us", lambda r: r["transit_us"]["p99"], 0, False),
                    ("errors", lambda r: r["err"], 0, False),
                ],
            ),
            (
                "stall",
                "stalled readers",
                [
                    ("RSS MB", lambda r: r["rss_kb"][1] / 1024, 0, False),
                    (
                        "MB each",
                        lambda r: (r["rss_kb"][1] - r["rss_kb"][0]) / 1024 / max(1, r["stalled"]),
                        2,
                        False,
                    ),
                    ("chunks pulled", lambda r: r["mock_chunks"], 0, False),
                ],
            ),
            ("idle-pss", "idle stack", [("PSS MB", lambda r: r["pss_kb"] / 1024, 1, False)]),
            ("start", "start", [("ms to the first answer", lambda r: r["ms"], 0, False)]),
            (
                "abort",
                "500 aborts",
                [
                    ("cancelled upstream", lambda r: r["mock_aborted"], 0, True),
                    ("last one after ms", lambda r: r["upstream_cancel_ms"], 1, False),
                ],
            ),
        ],
    ),
]


def cell(rows, name, test, column, best):
    _, read, digits, more = column
    values = [read(r) for r in rows if r["name"] == name and r["test"] == test]
    if not values:
        return "-"
    value = (max if more else min)(values) if best else statistics.median(values)
    return f"{value:,.{digits}f}"


def print_table(title, groups, rows, names, best):
    groups = [g for g in groups if any(r["test"] == g[0] for r in rows)]
    if not groups:
        return
    heads = [f"{short} {column[0]}" for _, short, columns in groups for column in columns]
    print(f"\n### {title}\n")
    print("| system | " + " | ".join(heads) + " |")
    print("|---|" + "---:|" * len(heads))
    for name in names:
        cells = [cell(rows, name, test, c, best) for test, _, columns in groups for c in columns]
        if any(c != "-" for c in cells):
            print(f"| {name} | " + " | ".join(cells) + " |")


def main():
    best = "--best" in sys.argv
    files = [x for x in sys.argv[1:] if x != "--best"]
    if not files:
        sys.exit(__doc__)
    rows = [json.loads(line) for path in files for line in open(path)]
    names = list(dict.fromkeys(r["name"] for r in rows))
    for title, groups in TABLES:
        print_table(title, groups, rows, names, best)
    errors = [r for r in rows if r.get("err")]
    print("\nErrors: " + ("none" if not errors else ""))
    for r in errors:
        print(f"- {r['name']} {r['test']} round {r['round']}: {r['err']} ({r['errsample'][:80]})")


if __name__ == "__main__":
    main()
