# SPDX-License-Identifier: Apache-2.0
"""Compares what an upstream saw in two runs of a client, one direct and one through the gateway.

What a client invents per run (ids, times, durations) is replaced by its kind and the order in which it first came, so
that two runs of one client give equal texts. Host, credentials, the length and connection headers are left out.
"""

import difflib
import itertools
import json
import re

# Headers that belong to one connection, name the host or carry the credential. ccr asks upstreams for plain answers,
# whatever codings the client offers, because a worker reads the answer on its way (docs/decisions).
LEFT_OUT = {
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
}

# Kind and pattern of what changes from run to run. Without a group the whole match is replaced, else the group.
RANDOM = [
    ("uuid", r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    ("hash", r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])"),
    ("id", r"\b(?:resp|msg|rs|fc|ctc|call)_[0-9a-f]{32}\b"),
    ("milliseconds", r"(?<![0-9])1[6-9][0-9]{11}(?![0-9])"),
    ("time", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?"),
    ("seconds", r"Wall time: ([0-9.]+)"),
    ("chunk", r"Chunk ID: ([0-9a-f]+)"),
    ("port", r"127\.0\.0\.1:([0-9]+)"),
    ("checksum", r"\bcch=([0-9a-f]+)"),
]
# Objects that a client writes in a random order of keys.
UNORDERED = {"client_metadata"}

PATTERN = re.compile("|".join(f"(?P<k{i}>{pattern})" for i, (_, pattern) in enumerate(RANDOM)))


class Normaliser:
    """Replaces random values of one run; equal values get equal names."""

    def __init__(self):
        self.names = {}

    def text(self, text):
        return PATTERN.sub(self.replace, text)

    def replace(self, match):
        kind, pattern = RANDOM[int(match.lastgroup[1:])]
        inner = re.fullmatch(pattern, match.group())
        value = inner.group(1) if inner.groups() else inner.group()
        known = self.names.setdefault(kind, {})
        name = f"<{kind} {known.setdefault(value, len(known) + 1)}>"
        if kind in ("seconds", "milliseconds", "time", "checksum"):
            # Two such values may be equal by chance, so they are not told apart.
            name = f"<{kind}>"
        return match.group().replace(value, name)


def ordered(value):
    """The value with the keys of UNORDERED objects sorted; all other objects keep their order."""
    if isinstance(value, list):
        return [ordered(v) for v in value]
    if isinstance(value, dict):
        return {k: dict(sorted(v.items())) if k in UNORDERED else ordered(v) for k, v in value.items()}
    return value


def normalise(requests):
    """One text per request: method and target, headers by name, JSON body in its own key order.

    requests: (method, target, [(name, value)], body) in the order in which they came.
    """
    values = Normaliser()
    texts = []
    for method, target, headers, body in requests:
        lines = [f"{method} {target}"]
        lines += sorted(f"{k.lower()}: {v}" for k, v in headers if k.lower() not in LEFT_OUT)
        lines.append(json.dumps(ordered(body), ensure_ascii=False, indent=1))
        texts.append(values.text("\n".join(lines)))
    return texts


def assert_equal(case, direct, gateway):
    """Fails with a short difference when two runs differ."""
    direct, gateway = normalise(direct), normalise(gateway)
    case.assertEqual(len(direct), len(gateway), "number of upstream requests")
    for number, (a, b) in enumerate(zip(direct, gateway), 1):
        lines = difflib.unified_diff(a.split("\n"), b.split("\n"), "direct", "gateway", n=1, lineterm="")
        shown = [line[:400] for line in itertools.islice(lines, 40)]
        if shown:
            case.fail(f"upstream request {number} of {len(direct)} differs\n" + "\n".join(shown))
