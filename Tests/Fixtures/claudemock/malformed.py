# SPDX-License-Identifier: Apache-2.0
"""Scenarios of the mock that leave events out or bend them: what may a gateway omit?"""

from events import block_text, ev, finish, message, scenario, start, usage


@scenario
def min_bare(b, o):
    """start(no usage, no stop fields) / block / delta / stop / message_stop only."""

    def g():
        yield ev(
            "message_start",
            {
                "type": "message_start",
                "message": {
                    "id": "m",
                    "type": "message",
                    "role": "assistant",
                    "model": b.get("model"),
                    "content": [],
                },
            },
        )
        yield from block_text(0, "bare ok")
        yield ev("message_stop", {"type": "message_stop"})

    return ("sse", g())


@scenario
def min_no_usage(b, o):
    """No usage in message_start nor in message_delta."""

    def g():
        yield ev(
            "message_start",
            {
                "type": "message_start",
                "message": {
                    "id": "m",
                    "type": "message",
                    "role": "assistant",
                    "model": b.get("model"),
                    "content": [],
                    "stop_reason": None,
                    "stop_sequence": None,
                },
            },
        )
        yield from block_text(0, "no usage ok")
        yield ev(
            "message_delta",
            {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}},
        )
        yield ev("message_stop", {"type": "message_stop"})

    return ("sse", g())


@scenario
def min_no_delta_usage(b, o):
    """usage only in message_start."""

    def g():
        yield start(b.get("model"))
        yield from block_text(0, "no delta usage ok")
        yield ev(
            "message_delta",
            {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}},
        )
        yield ev("message_stop", {"type": "message_stop"})

    return ("sse", g())


@scenario
def min_usage_late(b, o):
    """zero usage in message_start, full usage in message_delta (how converters must do it)."""

    def g():
        yield start(b.get("model"), usage={"input_tokens": 0, "output_tokens": 0})
        yield from block_text(0, "late usage ok")
        yield ev(
            "message_delta",
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": usage(777, 55, cache_read_input_tokens=333),
            },
        )
        yield ev("message_stop", {"type": "message_stop"})

    return ("sse", g())


@scenario
def min_no_message_stop(b, o):
    """Stream ends after message_delta."""

    def g():
        yield start(b.get("model"))
        yield from block_text(0, "no message_stop ok")
        yield list(finish())[0]

    return ("sse", g())


@scenario
def min_no_message_delta(b, o):
    """message_stop without message_delta."""

    def g():
        yield start(b.get("model"))
        yield from block_text(0, "no message_delta ok")
        yield ev("message_stop", {"type": "message_stop"})

    return ("sse", g())


@scenario
def min_no_block_stop(b, o):
    """content_block_stop left out."""

    def g():
        yield start(b.get("model"))
        yield from list(block_text(0, "no block stop ok"))[:-1]
        yield from finish()

    return ("sse", g())


@scenario
def min_no_block_start(b, o):
    """content_block_start left out."""

    def g():
        yield start(b.get("model"))
        yield from list(block_text(0, "no block start ok"))[1:]
        yield from finish()

    return ("sse", g())


@scenario
def min_no_start(b, o):
    """message_start left out."""

    def g():
        yield from block_text(0, "no message_start ok")
        yield from finish()

    return ("sse", g())


@scenario
def min_no_event_lines(b, o):
    """data: lines only."""

    def g():
        src = [start(b.get("model")), *block_text(0, "no event lines ok"), *finish()]
        for x in src:
            yield b"data: " + x.split(b"data: ", 1)[1]

    return ("sse", g())


@scenario
def min_done(b, o):
    """A trailing `data: [DONE]` as OpenAI does."""

    def g():
        yield start(b.get("model"))
        yield from block_text(0, "done marker ok")
        yield from finish()
        yield b"data: [DONE]\n\n"

    return ("sse", g())


@scenario
def min_crlf(b, o):
    """CRLF line ends and a comment line."""

    def g():
        yield b": keepalive\r\n\r\n"
        for x in [start(b.get("model")), *block_text(0, "crlf ok"), *finish()]:
            yield x.replace(b"\n", b"\r\n")

    return ("sse", g())


@scenario
def min_stop_null(b, o):
    """stop_reason null in message_delta."""

    def g():
        yield start(b.get("model"))
        yield from block_text(0, "stop null ok")
        yield from finish(None)

    return ("sse", g())


@scenario
def min_stop_unknown(b, o):
    """an unknown stop_reason."""

    def g():
        yield start(b.get("model"))
        yield from block_text(0, "stop unknown ok")
        yield from finish("content_filter")

    return ("sse", g())


@scenario
def unknown_event(b, o):
    """Unknown event type, unknown block type and unknown delta type in the stream."""

    def g():
        yield start(b.get("model"))
        yield ev("future_event", {"type": "future_event", "x": 1})
        yield ev(
            "content_block_start",
            {"type": "content_block_start", "index": 0, "content_block": {"type": "future_block", "x": 1}},
        )
        yield ev("content_block_stop", {"type": "content_block_stop", "index": 0})
        yield ev(
            "content_block_start",
            {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        )
        yield ev(
            "content_block_delta",
            {"type": "content_block_delta", "index": 1, "delta": {"type": "future_delta", "x": "y"}},
        )
        yield from list(block_text(1, "unknown ok"))[1:]
        yield from finish()

    return ("sse", g())


@scenario
def bad_index(b, o):
    """Block indexes that start at 5 and skip."""

    def g():
        yield start(b.get("model"))
        yield from block_text(5, "index five ")
        yield from block_text(9, "index nine")
        yield from finish()

    return ("sse", g())


@scenario
def other_model(b, o):
    """message.model differs from the asked model."""

    def g():
        yield start("qwen3-coder-480b")
        yield from block_text(0, "other model ok")
        yield from finish()

    return ("sse", g())


@scenario
def empty(b, o):
    """A well-formed message with no content block."""

    def g():
        yield start(b.get("model"))
        yield from finish("end_turn", 0)

    return ("sse", g())


@scenario
def empty_body(b, o):
    """200 text/event-stream with nothing in it."""
    return ("sse", iter(()))


@scenario
def json_instead(b, o):
    """A non-streaming JSON message although stream:true was asked."""
    return ("json", 200, [], message(b, "json instead ok"))


@scenario
def html(b, o):
    """200 with an HTML page."""
    return ("raw", 200, [("content-type", "text/html")], b"<html><body>captive portal</body></html>")
