# SPDX-License-Identifier: Apache-2.0
"""Events of a Messages stream, whole messages and errors, and the table of scenarios.

A scenario is a function of (request body, options) that returns ("sse", iterable of bytes),
("json", status, headers, object), ("raw", status, headers, bytes) or ("cut", iterable of bytes or None).
"""

import json

# How many POST /v1/messages have been answered; ids are made from it.
HITS = {"messages": 0}


def ev(name, data):
    """One SSE event. name=None leaves the event: line out."""
    head = "" if name is None else "event: %s\n" % name
    return (head + "data: " + json.dumps(data, separators=(",", ":")) + "\n\n").encode()


def usage(inp=12, out=1, **kw):
    u = {
        "input_tokens": inp,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": out,
    }
    u.update(kw)
    return u


def start(model, mid=None, **kw):
    m = {
        "id": mid or "msg_mock_%04d" % HITS["messages"],
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage(),
    }
    m.update(kw)
    return ev("message_start", {"type": "message_start", "message": m})


def block_text(i, text, step=7):
    yield ev(
        "content_block_start",
        {"type": "content_block_start", "index": i, "content_block": {"type": "text", "text": ""}},
    )
    for k in range(0, len(text), step):
        yield ev(
            "content_block_delta",
            {
                "type": "content_block_delta",
                "index": i,
                "delta": {"type": "text_delta", "text": text[k : k + step]},
            },
        )
    yield ev("content_block_stop", {"type": "content_block_stop", "index": i})


def block_thinking(i, text, signature="c2lnbmF0dXJlLW1vY2s="):
    yield ev(
        "content_block_start",
        {
            "type": "content_block_start",
            "index": i,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""},
        },
    )
    for k in range(0, len(text), 9):
        yield ev(
            "content_block_delta",
            {
                "type": "content_block_delta",
                "index": i,
                "delta": {"type": "thinking_delta", "thinking": text[k : k + 9]},
            },
        )
    if signature is not None:
        yield ev(
            "content_block_delta",
            {
                "type": "content_block_delta",
                "index": i,
                "delta": {"type": "signature_delta", "signature": signature},
            },
        )
    yield ev("content_block_stop", {"type": "content_block_stop", "index": i})


def block_redacted(i, data="cmVkYWN0ZWQ="):
    yield ev(
        "content_block_start",
        {
            "type": "content_block_start",
            "index": i,
            "content_block": {"type": "redacted_thinking", "data": data},
        },
    )
    yield ev("content_block_stop", {"type": "content_block_stop", "index": i})


def block_tool(i, tid, name, args, step=5):
    # ids must be unique over the conversation: Claude Code loops when one comes back twice
    if not tid.startswith(("call_", "dup_")):
        tid = "%s_%04d" % (tid, HITS["messages"])
    yield ev(
        "content_block_start",
        {
            "type": "content_block_start",
            "index": i,
            "content_block": {"type": "tool_use", "id": tid, "name": name, "input": {}},
        },
    )
    raw = args if isinstance(args, str) else json.dumps(args)
    yield ev(
        "content_block_delta",
        {
            "type": "content_block_delta",
            "index": i,
            "delta": {"type": "input_json_delta", "partial_json": ""},
        },
    )
    for k in range(0, len(raw), step):
        yield ev(
            "content_block_delta",
            {
                "type": "content_block_delta",
                "index": i,
                "delta": {"type": "input_json_delta", "partial_json": raw[k : k + step]},
            },
        )
    yield ev("content_block_stop", {"type": "content_block_stop", "index": i})


def finish(stop="end_turn", out=9, seq=None, **kw):
    d = {
        "type": "message_delta",
        "delta": {"stop_reason": stop, "stop_sequence": seq},
        "usage": {"output_tokens": out},
    }
    d["delta"].update(kw)
    yield ev("message_delta", d)
    yield ev("message_stop", {"type": "message_stop"})


PING = ev("ping", {"type": "ping"})


def has_tool_result(body):
    msgs = body.get("messages") or []
    last = msgs[-1] if msgs else {}
    # a trailing role:"system" message may follow the tool result
    for m in reversed(msgs):
        if m.get("role") != "system":
            last = m
            break
    c = last.get("content")
    return isinstance(c, list) and any(isinstance(b, dict) and b.get("type") == "tool_result" for b in c)


SC = {}


def scenario(f):
    SC[f.__name__.replace("_", "-")] = f
    return f


def err(status, etype, msg, headers=()):
    return (
        "json",
        status,
        list(headers),
        {"type": "error", "error": {"type": etype, "message": msg}, "request_id": "req_mock_0001"},
    )


def message(b, txt):
    return {
        "id": "msg_mock_0009",
        "type": "message",
        "role": "assistant",
        "model": b.get("model"),
        "content": [{"type": "text", "text": txt}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage(12, 9),
    }
