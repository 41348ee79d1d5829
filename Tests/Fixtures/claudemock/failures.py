# SPDX-License-Identifier: Apache-2.0
"""Scenarios of the mock that fail: stalls, errors in the stream, cut connections, HTTP errors, odd bodies."""

import gzip
import json
import time

from events import HITS, block_text, err, ev, finish, message, scenario, SC, start
from scenarios import text


@scenario
def stall(b, o):
    """Headers and message_start, then silence for --delay seconds, then the rest."""

    def g():
        yield start(b.get("model"))
        time.sleep(o.delay)
        yield from block_text(0, "stall ok")
        yield from finish()

    return ("sse", g())


@scenario
def stall_headers(b, o):
    """Silence for --delay seconds before any header."""
    time.sleep(o.delay)
    return text(b, o)


@scenario
def sse_error_first(b, o):
    """200, then an overloaded_error event as the first event."""

    def g():
        yield ev("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})

    return ("sse", g())


@scenario
def sse_error_mid(b, o):
    """An overloaded_error event in the middle of the text."""

    def g():
        yield start(b.get("model"))
        yield from list(block_text(0, "partial text before the error"))[:3]
        yield ev("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})

    return ("sse", g())


@scenario
def sse_error_api(b, o):
    """An api_error event in the middle of the text."""

    def g():
        yield start(b.get("model"))
        yield from list(block_text(0, "partial text before the error"))[:3]
        yield ev("error", {"type": "error", "error": {"type": "api_error", "message": "Internal mock error"}})

    return ("sse", g())


@scenario
def cut_mid(b, o):
    """The TCP connection is dropped in the middle of the text."""

    def g():
        yield start(b.get("model"))
        yield from list(block_text(0, "partial text before the cut"))[:3]

    return ("cut", g())


@scenario
def eof_mid(b, o):
    """The body ends cleanly in the middle of the text."""

    def g():
        yield start(b.get("model"))
        yield from list(block_text(0, "partial text before the end"))[:3]

    return ("sse", g())


@scenario
def cut_before(b, o):
    """The TCP connection is dropped before any header."""
    return ("cut", None)


def _status(status, etype, msg, headers=()):
    def f(b, o):
        if o.fail_times and HITS["messages"] > o.fail_times:
            return text(b, o)
        return err(status, etype, msg, headers)

    return f


for _n, _s, _t, _m, _h in [
    ("err-400", 400, "invalid_request_error", "mock: bad request", ()),
    ("err-400-long", 400, "invalid_request_error", "prompt is too long: 215000 tokens > 200000 maximum", ()),
    (
        "err-400-maxtok",
        400,
        "invalid_request_error",
        "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000, decrease input length or `max_tokens` and try again",
        (),
    ),
    (
        "err-400-credit",
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API.",
        (),
    ),
    (
        "err-400-sig",
        400,
        "invalid_request_error",
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        (),
    ),
    (
        "err-400-beta",
        400,
        "invalid_request_error",
        "Unexpected value(s) `mock-2026` for the `anthropic-beta` header.",
        (),
    ),
    ("err-401", 401, "authentication_error", "invalid x-api-key", ()),
    ("err-402", 402, "billing_error", "mock: payment required", ()),
    ("err-403", 403, "permission_error", "mock: not permitted", ()),
    ("err-404", 404, "not_found_error", "model: no-such-model", ()),
    ("err-408", 408, "timeout_error", "mock: timeout", ()),
    ("err-409", 409, "conflict_error", "mock: conflict", ()),
    ("err-413", 413, "request_too_large", "Request exceeds the maximum size", ()),
    ("err-422", 422, "invalid_request_error", "mock: unprocessable", ()),
    ("err-429", 429, "rate_limit_error", "mock: rate limited", (("retry-after", "2"),)),
    ("err-429-ms", 429, "rate_limit_error", "mock: rate limited", (("retry-after-ms", "700"),)),
    ("err-429-long", 429, "rate_limit_error", "mock: rate limited", (("retry-after", "3600"),)),
    ("err-429-noretry", 429, "rate_limit_error", "mock: rate limited", (("x-should-retry", "false"),)),
    ("err-429-bare", 429, "rate_limit_error", "mock: rate limited", ()),
    (
        "err-429-unified",
        429,
        "rate_limit_error",
        "mock: usage limit",
        (
            ("anthropic-ratelimit-unified-status", "rejected"),
            ("anthropic-ratelimit-unified-reset", "1900000000"),
            ("retry-after", "1"),
        ),
    ),
    ("err-500", 500, "api_error", "mock: internal error", ()),
    ("err-502", 502, "api_error", "mock: bad gateway", ()),
    ("err-503", 503, "api_error", "mock: unavailable", ()),
    ("err-504", 504, "timeout_error", "mock: gateway timeout", ()),
    ("err-529", 529, "overloaded_error", "Overloaded", ()),
    ("err-500-noretry", 500, "api_error", "mock: internal error", (("x-should-retry", "false"),)),
    ("err-400-retry", 400, "invalid_request_error", "mock: bad but retry", (("x-should-retry", "true"),)),
]:
    SC[_n] = _status(_s, _t, _m, _h)
    SC[_n].__doc__ = "HTTP %d %s%s; succeeds after --fail-times failures." % (
        _s,
        _t,
        " " + repr(dict(_h)) if _h else "",
    )


@scenario
def err_arg(b, o):
    """Error from --arg '{"status":400,"type":"...","message":"...","headers":{...}}'; --fail-times applies."""
    a = json.loads(o.arg)
    return _status(
        a["status"], a.get("type", "invalid_request_error"), a["message"], tuple(a.get("headers", {}).items())
    )(b, o)


@scenario
def gzip_sse(b, o):
    """The whole SSE body gzip-encoded (one chunk)."""
    data = b"".join([start(b.get("model")), *block_text(0, "gzip ok"), *finish()])
    return (
        "raw",
        200,
        [("content-type", "text/event-stream"), ("content-encoding", "gzip")],
        gzip.compress(data),
    )


@scenario
def err_openai_401(b, o):
    """401 with an OpenAI-shaped body."""
    return (
        "json",
        401,
        [],
        {
            "error": {
                "message": "Incorrect API key provided",
                "type": "invalid_request_error",
                "param": None,
                "code": "invalid_api_key",
            }
        },
    )


@scenario
def err_text_500(b, o):
    """500 with a plain-text body."""
    return ("raw", 500, [("content-type", "text/plain")], b"upstream exploded")


@scenario
def err_html_502(b, o):
    """502 with an HTML body."""
    return (
        "raw",
        502,
        [("content-type", "text/html")],
        b"<html><head><title>502 Bad Gateway</title></head></html>",
    )


@scenario
def no_stream_support(b, o):
    """Streaming answers 404; non-streaming works (client fallback)."""
    if b.get("stream"):
        return err(404, "not_found_error", "streaming not supported")
    return ("json", 200, [], message(b, "non-streaming fallback ok"))
