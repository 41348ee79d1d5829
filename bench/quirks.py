#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Behaviour probes that are not about speed: compressed bodies, dead streams, Retry-After, dialects.

quirks.py PORT        against anything that forwards to mock_upstream; exit status 1 when a probe fails
"""

import gzip
import http.client
import json
import subprocess
import sys

MESSAGES = [{"role": "user", "content": "hi"}]


def call(port, path, body, headers=None, timeout=20):
    """POST a body; returns status (0: no answer), headers, bytes, and how the answer ended."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        fields = {k.lower(): v for k, v in answer.getheaders()}
        try:
            return answer.status, fields, answer.read(), "clean"
        except http.client.IncompleteRead as e:
            return answer.status, fields, e.partial, "broken off"
        except ConnectionError:
            return answer.status, fields, b"", "reset"
    except Exception as e:
        return 0, {}, str(e).encode(), "exception"
    finally:
        connection.close()


def chat(model, **more):
    return {"model": model, "messages": MESSAGES, **more}


def compressed(port):
    body = json.dumps(chat("mock-20-0")).encode()
    zstd = subprocess.run(["zstd", "-q", "-c"], input=body, capture_output=True).stdout
    forms = {"plain": (body, {}), "gzip": (gzip.compress(body), {"Content-Encoding": "gzip"})}
    if zstd:
        forms["zstd"] = (zstd, {"Content-Encoding": "zstd"})
    for name, (data, headers) in forms.items():
        status, _, answer, end = call(port, "/v1/chat/completions", data, headers)
        yield f"{name} body", status == 200 and b"chat.completion" in answer and end == "clean", status


# Dialect: path, body, what its failure event looks like, what must not be seen.
DEAD = {
    "chat": (
        "/v1/chat/completions",
        chat("mock-20-5-0-die", stream=True),
        [b'"error"'],
        b"[DONE]",
    ),
    "responses": (
        "/v1/responses",
        {"model": "mock-20-5-0-die", "input": "hi", "stream": True},
        [b"response.failed", b'"type":"error"'],
        b"response.completed",
    ),
    "messages": (
        "/v1/messages",
        {"model": "mock-20-5-0-die", "max_tokens": 10, "messages": MESSAGES, "stream": True},
        [b"event: error"],
        b"message_stop",
    ),
}


def dead_streams(port):
    """An upstream that dies halfway: its ten chunks arrive, then a failure event, never a clean end."""
    for name, (path, body, failures, terminal) in DEAD.items():
        status, _, data, end = call(port, path, body)
        chunks = data.count(b"@") // 2
        told = any(f in data for f in failures)
        passed = status == 200 and chunks == 10 and told and end != "clean" and terminal not in data
        seen = f"{status}, {chunks} chunks, {'failure event' if told else 'no failure event'}, end {end}"
        if terminal in data:
            seen += ", terminal event in spite of it"
        yield f"upstream dies in mid-stream, {name}", passed, seen


def rate_limit(port):
    status, headers, data, _ = call(port, "/v1/chat/completions", chat("mock-20-5-0-err"))
    retry, code = headers.get("retry-after"), b"rate_limit_exceeded" in data
    seen = f"{status}, retry-after {retry}, code {'kept' if code else 'lost'}"
    yield "429 with Retry-After", status == 429 and retry == "70" and code, seen


def dialects(port):
    body = {"model": "mock-20-0", "max_tokens": 10, "messages": MESSAGES}
    status, _, data, _ = call(port, "/v1/messages", body)
    yield "messages", status == 200 and b'"type":"message"' in data, status
    status, _, data, _ = call(port, "/v1/responses", {"model": "mock-20-0", "input": "hi"})
    yield "responses", status == 200 and b'"object":"response"' in data, status
    body = {"model": "mock-3-0", "input": "hi", "stream": True}
    status, _, data, end = call(port, "/v1/responses", body)
    chunks, completed = data.count(b"@") // 2, b"response.completed" in data
    passed = status == 200 and chunks == 3 and completed and end == "clean"
    yield "responses stream", passed, f"{status}, {chunks} chunks, completed {'yes' if completed else 'no'}"


def probe(port):
    """Run all probes; returns [(name, passed, what was seen)]."""
    for _ in range(3):
        call(port, "/v1/chat/completions", chat("mock-3-0", stream=True))
    return [
        (name, bool(passed), str(seen))
        for probes in (compressed, dead_streams, rate_limit, dialects)
        for name, passed, seen in probes(port)
    ]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    results = probe(int(sys.argv[1]))
    for name, passed, seen in results:
        print(f"{'pass' if passed else 'FAIL'}  {name:38s} {seen}")
    sys.exit(0 if all(passed for _, passed, _ in results) else 1)


if __name__ == "__main__":
    main()
