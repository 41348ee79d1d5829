# SPDX-License-Identifier: Apache-2.0
"""Scenarios of the mock that answer well: minimal event sets, framing, tools, tours.

A scenario is a function of (context, request body) that returns an action of events.py. The context holds `n` (the
number of this model request, from 1) and `set` (the knobs of --set). All of them register in the table S.
"""

import json

from events import Stream, USAGE, all_items, err, outputs, rid, shell_call, sse, tool_names

PATCH = "*** Begin Patch\n*** Add File: mock_patch.txt\n+hello from mock patch\n*** End Patch\n"
S = {}


def scenario(name, doc=""):
    def d(f):
        S[name] = (f, doc or (f.__doc__ or "").strip())
        return f

    return d


def simple(name, doc, fn):
    S[name] = (lambda c, r: fn(c, r), doc)


TXT = "Hello from the mock upstream."


@scenario("text", "full-fidelity text answer")
def _(c, r):
    return sse(Stream(r).start().message(TXT).completed())


# ---- minimal event sets -----------------------------------------------------
def msg_item(text=TXT):
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def E(*evs):
    return [(e["type"], e) for e in evs]


DONE = {"type": "response.output_item.done", "item": msg_item()}
COMP = {"type": "response.completed", "response": {"id": "resp_1"}}
DELTA = {"type": "response.output_text.delta", "delta": "Hello "}
ADDED = {
    "type": "response.output_item.added",
    "item": {"type": "message", "role": "assistant", "content": []},
}
MIN = {
    "min": ("output_item.done + completed{id}", E(DONE, COMP)),
    "min-noid": ("completed without response.id", E(DONE, {"type": "response.completed", "response": {}})),
    "min-noresponse": ("completed without response object", E(DONE, {"type": "response.completed"})),
    "min-delta-only": ("text deltas + completed, no item events", E(DELTA, COMP)),
    "min-added-delta": ("added + deltas + completed, no output_item.done", E(ADDED, DELTA, COMP)),
    "min-output-in-completed": (
        "only completed, message inside response.output",
        E(
            {
                "type": "response.completed",
                "response": {"id": "resp_1", "status": "completed", "output": [msg_item()], "usage": USAGE},
            }
        ),
    ),
    "min-completed-only": ("only completed{id}", E(COMP)),
    "min-no-completed": ("output_item.done then clean end", E(DONE)),
    "min-delta-before-added": ("delta precedes output_item.added", E(DELTA, ADDED, DONE, COMP)),
    "min-done-stringid-null": (
        "item id null",
        E({"type": "response.output_item.done", "item": {**msg_item(), "id": None}}, COMP),
    ),
    "usage-partial": (
        "usage without *_details",
        E(
            DONE,
            {
                "type": "response.completed",
                "response": {
                    "id": "resp_1",
                    "usage": {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11},
                },
            },
        ),
    ),
    "usage-null-details": (
        "usage details null",
        E(
            DONE,
            {
                "type": "response.completed",
                "response": {
                    "id": "resp_1",
                    "usage": {
                        "input_tokens": 5,
                        "input_tokens_details": None,
                        "output_tokens": 6,
                        "output_tokens_details": None,
                        "total_tokens": 11,
                    },
                },
            },
        ),
    ),
    "usage-no-total": (
        "usage without total_tokens",
        E(
            DONE,
            {
                "type": "response.completed",
                "response": {"id": "resp_1", "usage": {"input_tokens": 5, "output_tokens": 6}},
            },
        ),
    ),
    "usage-details-empty": (
        "usage details = {}",
        E(
            DONE,
            {
                "type": "response.completed",
                "response": {
                    "id": "resp_1",
                    "usage": {
                        "input_tokens": 5,
                        "input_tokens_details": {},
                        "output_tokens": 6,
                        "output_tokens_details": {},
                        "total_tokens": 11,
                    },
                },
            },
        ),
    ),
    "usage-floats": (
        "usage numbers as floats",
        E(
            DONE,
            {
                "type": "response.completed",
                "response": {
                    "id": "resp_1",
                    "usage": {"input_tokens": 5.0, "output_tokens": 6.0, "total_tokens": 11.0},
                },
            },
        ),
    ),
    "unknown-events": (
        "unknown event types and an unknown item type in between",
        E(
            {"type": "response.mystery", "x": 1},
            {"type": "ping"},
            {"type": "response.output_item.done", "item": {"type": "mystery_item", "z": 1}},
            DONE,
            COMP,
        ),
    ),
    "text-part-type-text": (
        "message content part type 'text' instead of 'output_text'",
        E(
            {
                "type": "response.output_item.done",
                "item": {"type": "message", "role": "assistant", "content": [{"type": "text", "text": TXT}]},
            },
            COMP,
        ),
    ),
    "content-string": (
        "message content is a plain string",
        E(
            {
                "type": "response.output_item.done",
                "item": {"type": "message", "role": "assistant", "content": TXT},
            },
            COMP,
        ),
    ),
    "content-empty": (
        "assistant message with empty content",
        E(
            {
                "type": "response.output_item.done",
                "item": {"type": "message", "role": "assistant", "content": []},
            },
            COMP,
        ),
    ),
    "refusal": (
        "refusal content part",
        E(
            {
                "type": "response.output_item.done",
                "item": {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "refusal", "refusal": "no"}],
                },
            },
            COMP,
        ),
    ),
    "endturn-false": ("completed with end_turn:false once then true", None),
}
for _k, (_d, _ev) in MIN.items():
    if _ev is not None:
        simple(_k, "event set: " + _d, lambda c, r, ev=_ev: sse(ev))


@scenario("endturn-false", "completed carries end_turn:false on the first answer")
def _(c, r):
    st = Stream(r).start().message(TXT)
    return sse(st.completed(end_turn=(c["n"] > 1)))


# ---- framing ----------------------------------------------------------------
simple(
    "frame-noevent",
    "no 'event:' lines, data only",
    lambda c, r: sse(Stream(r).start().message(TXT).completed(), noevent=True),
)
simple(
    "frame-crlf", "CRLF line ends", lambda c, r: sse(Stream(r).start().message(TXT).completed(), nl="\r\n")
)
simple(
    "frame-nospace",
    "'data:' without the space",
    lambda c, r: sse(Stream(r).start().message(TXT).completed(), nospace=True),
)
simple(
    "frame-done",
    "trailing 'data: [DONE]'",
    lambda c, r: sse(Stream(r).start().message(TXT).completed(), done=True),
)
simple(
    "frame-bytes",
    "one byte per write",
    lambda c, r: sse(Stream(r).start().message("héllo → 世界 😀").completed(), split=1),
)
simple(
    "frame-close",
    "HTTP/1.1 body ended by close, no chunking",
    lambda c, r: sse(Stream(r).start().message(TXT).completed(), framing="close"),
)
simple(
    "frame-length",
    "Content-Length body",
    lambda c, r: sse(Stream(r).start().message(TXT).completed(), framing="length"),
)
simple(
    "frame-ctype",
    "content-type application/json on an SSE body",
    lambda c, r: sse(Stream(r).start().message(TXT).completed(), ctype="application/json"),
)
simple(
    "frame-comments",
    "': keepalive' comments for --set secs=N seconds first",
    lambda c, r: sse(Stream(r).start().message(TXT).completed(), comments=float(c["set"].get("secs", 5))),
)
S["tool-onewrite"] = (
    lambda c, r: {**S["tool"][0](c, r), "onewrite": True},
    "tool round trip; the whole body and its end in one write",
)
S["tool-length"] = (
    lambda c, r: {**S["tool"][0](c, r), "framing": "length", "onewrite": True},
    "tool round trip; Content-Length body in one write",
)
simple(
    "frame-pings",
    "data events of an unknown type for --set secs=N seconds first",
    lambda c, r: sse(
        Stream(r).start().message(TXT).completed(),
        comments=float(c["set"].get("secs", 5)),
        ping=b'data: {"type":"keepalive"}\n\n',
    ),
)
simple(
    "frame-inprogress",
    "repeated response.in_progress events for --set secs=N seconds first",
    lambda c, r: sse(
        Stream(r).start().message(TXT).completed(),
        comments=float(c["set"].get("secs", 5)),
        ping=b'event: response.in_progress\ndata: {"type":"response.in_progress","response":{"id":"x"}}\n\n',
    ),
)
simple(
    "frame-emptydata",
    "empty 'data:' events for --set secs=N seconds first",
    lambda c, r: sse(
        Stream(r).start().message(TXT).completed(),
        comments=float(c["set"].get("secs", 5)),
        ping=b"event: ping\ndata: {}\n\n",
    ),
)
simple(
    "frame-typeless",
    "data without a type field, only event: lines",
    lambda c, r: sse(
        [
            (n, {k: v for k, v in p.items() if k != "type"})
            for n, p in Stream(r).start().message(TXT).completed().ev
        ]
    ),
)
simple(
    "nonstream-json",
    "200 with a non-streamed JSON response object",
    lambda c, r: {
        "kind": "json",
        "status": 200,
        "headers": {},
        "body": Stream(r).resp("completed", output=[msg_item()], usage=USAGE),
    },
)
simple(
    "lingering",
    "completed sent, then the connection stays open (--set secs=N)",
    lambda c, r: sse(
        Stream(r).start().message(TXT).completed(), then="linger", secs=float(c["set"].get("secs", 60))
    ),
)
simple(
    "after-completed",
    "another message after response.completed",
    lambda c, r: sse(Stream(r).start().message("before").completed().message("AFTER COMPLETED")),
)
simple(
    "bad-json-event",
    "one malformed data line in the middle",
    lambda c, r: sse(Stream(r).start().message(TXT).completed(), inject=(3, "data: {not json\n\n")),
)


# ---- tools --------------------------------------------------------------------
def rounds(first):
    def f(c, r):
        if outputs(r):
            return sse(Stream(r).start().message("Tool round trip done.").completed())
        st = Stream(r).start()
        first(st, c, r)
        return sse(st.completed())

    return f


S["tool"] = (
    rounds(lambda st, c, r: shell_call(st, r, c["set"].get("cmd", "echo MOCK_$((40+2)); pwd"))),
    "one shell call, then text",
)
S["tool-then-text"] = (
    rounds(
        lambda st, c, r: shell_call(st.message("Let me run a command.", phase="commentary"), r, "echo hi")
    ),
    "message + shell call",
)
S["tool-parallel"] = (
    rounds(lambda st, c, r: [shell_call(st, r, "echo ONE; sleep 1"), shell_call(st, r, "echo TWO; sleep 1")]),
    "two shell calls in one response",
)
S["tool-unknown"] = (rounds(lambda st, c, r: st.call("no_such_tool", {"a": 1})), "call of an unknown tool")
S["tool-badargs"] = (rounds(lambda st, c, r: st.call("exec_command", '{"cmd": ')), "truncated JSON arguments")
S["tool-emptyargs"] = (rounds(lambda st, c, r: st.call("exec_command", "")), "empty arguments string")
S["tool-objargs"] = (
    rounds(
        lambda st, c, r: st.item(
            {
                "type": "function_call",
                "call_id": "call_x",
                "name": "exec_command",
                "arguments": {"cmd": "echo OBJ"},
            }
        )
    ),
    "arguments as an object instead of a string",
)
S["tool-noid"] = (
    rounds(
        lambda st, c, r: st.item(
            {
                "type": "function_call",
                "call_id": "call_x",
                "name": "exec_command",
                "arguments": '{"cmd":"echo NOID"}',
            }
        )
    ),
    "function_call with no id/status",
)
S["tool-nocallid"] = (
    rounds(
        lambda st, c, r: st.item(
            {
                "type": "function_call",
                "id": "fc_1",
                "name": "exec_command",
                "arguments": '{"cmd":"echo NOCALLID"}',
            }
        )
    ),
    "function_call with no call_id",
)
S["tool-dupid"] = (
    rounds(
        lambda st, c, r: [
            shell_call(st, r, "echo A", call_id="call_same"),
            shell_call(st, r, "echo B", call_id="call_same"),
        ]
    ),
    "two calls sharing a call_id",
)
S["patch"] = (rounds(lambda st, c, r: st.custom("apply_patch", PATCH)), "apply_patch as a custom tool call")
S["patch-fn"] = (
    rounds(lambda st, c, r: st.call("apply_patch", {"input": PATCH})),
    "apply_patch as a function call with {input}",
)
S["patch-shell"] = (
    rounds(lambda st, c, r: shell_call(st, r, "apply_patch <<'EOP'\n" + PATCH + "EOP")),
    "apply_patch through the shell tool",
)
S["plan"] = (
    rounds(lambda st, c, r: st.call("update_plan", {"plan": [{"step": "one", "status": "in_progress"}]})),
    "update_plan call",
)
S["websearch-item"] = (
    rounds(
        lambda st, c, r: [
            st.item(
                {
                    "type": "web_search_call",
                    "id": "ws_1",
                    "status": "completed",
                    "action": {"type": "search", "query": "mock"},
                }
            ),
            st.message("searched"),
        ]
    ),
    "hosted web_search_call item + text",
)
S["tool-extra"] = (
    rounds(
        lambda st, c, r: shell_call(
            st.item(
                {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [{"type": "summary_text", "text": "only a summary"}],
                    "vendor": {"a": 1},
                }
            ),
            r,
            "echo X",
            extra={
                "thought_signature": "sig",
                "extra_content": {"google": {"thought_signature": "sig"}},
                "encrypted_content": "enc",
                "metadata": {"m": 1},
            },
            call_id="call_" + "z" * 300,
        )
    ),
    "unknown extra fields on items; a 305-character call_id",
)
simple(
    "failed",
    "response.failed with --set code=.. --set msg=..",
    lambda c, r: sse(
        Stream(r).start().failed(c["set"].get("code"), c["set"].get("msg", "mock message").replace("_", " "))
    ),
)
simple(
    "err",
    "HTTP error with --set status=.. code=.. msg=.. type=..",
    lambda c, r: err(
        int(c["set"].get("status", 400)),
        c["set"].get("code"),
        c["set"].get("msg", "mock message").replace("_", " "),
        c["set"].get("type", "invalid_request_error"),
    ),
)
S["tool-search"] = (
    rounds(
        lambda st, c, r: st.item(
            {
                "type": "tool_search_call",
                "id": rid("tsc"),
                "call_id": rid("call"),
                "execution": "client",
                "status": "completed",
                "arguments": {"query": c["set"].get("q", "weather"), "limit": 3},
            }
        )
    ),
    "hosted-style tool_search_call executed by the client",
)


def subagent(c, r):
    """spawn_agent + wait_agent for the root, plain text for the child."""
    s = json.dumps(all_items(r))
    if "CHILD TASK" in s and '"spawn_agent"' not in s:
        return sse(Stream(r).start().message("child answer").completed())
    st, n = Stream(r).start(), len(outputs(r))
    ns = next((a for a, b, t in tool_names(r) if b == "spawn_agent"), None)
    if n == 0:
        st.call(
            "spawn_agent",
            (
                {"message": "CHILD TASK: answer", "task_name": "kid"}
                if ns == "collaboration"
                else {"message": "CHILD TASK: answer"}
            ),
            namespace=ns,
        )
        return sse(st.completed())
    if n == 1:
        try:
            tgt = json.loads(outputs(r)[0]["output"]).get("agent_id")
        except Exception:  # noqa: BLE001
            tgt = None
        st.call(
            "wait_agent",
            {"targets": [tgt], "timeout_ms": 10000} if tgt else {"timeout_ms": 10000},
            namespace=ns,
        )
        return sse(st.completed())
    return sse(st.message("root done").completed())


S["subagent"] = (subagent, "spawns one sub-agent, waits, then text")
S["reasoning"] = (
    rounds(lambda st, c, r: shell_call(st.reasoning("**Thinking** about it"), r, "echo R")),
    "reasoning item (encrypted) + shell call, then text",
)
S["reasoning-raw"] = (
    rounds(
        lambda st, c, r: shell_call(st.reasoning("", encrypted=None, raw="raw chain of thought"), r, "echo R")
    ),
    "reasoning with reasoning_text content and no encrypted_content",
)
S["tool-no-done"] = (
    rounds(lambda st, c, r: [shell_call(st, r, "echo X"), st.ev.pop()]),
    "function_call without output_item.done",
)


@scenario(
    "tour",
    "acceptance tour: reasoning + commentary + shell, two parallel shells, apply_patch, a namespaced MCP-style call, view_image (--set image=PATH), final text",
)
def _(c, r):
    st, n, tools = Stream(r).start(), len(outputs(r)), tool_names(r)
    offered = {(ns, name): t for ns, name, t in tools}
    if n == 0:
        st.reasoning("**Looking** around").message("I will look around first.", phase="commentary")
        shell_call(st, r, "echo TOUR_$((40+2))")
    elif n == 1:
        shell_call(st, r, "echo PAR_A")
        shell_call(st, r, "echo PAR_B")
    elif n == 3:
        t = offered.get((None, "apply_patch"))
        if t is not None and t.get("type") == "custom":
            st.custom("apply_patch", PATCH)
        elif t is not None:
            st.call("apply_patch", {"input": PATCH})
        else:
            shell_call(st, r, "echo 'hello from mock patch' > mock_patch.txt")
    elif n == 4:
        ns = next(((a, b) for a, b in offered if a and a.startswith("mcp__") and b == "get_weather"), None)
        if ns:
            st.call(ns[1], {"city": "Oslo"}, namespace=ns[0])
        else:
            shell_call(st, r, "cat mock_patch.txt")
    elif n == 5:
        if (None, "view_image") in offered and c["set"].get("image"):
            st.call("view_image", {"path": c["set"]["image"]})
        else:
            shell_call(st, r, "echo no image tool")
    else:
        st.reasoning("**Wrapping** up").message(
            '{"answer":"tour complete"}' if (r.get("text") or {}).get("format") else "Tour complete.",
            phase="final_answer",
        )
    return sse(st.completed())


@scenario("loop", "N shell rounds (--set rounds=N, default 3), then text")
def _(c, r):
    n = int(c["set"].get("rounds", 3))
    st = Stream(r).start()
    if len(outputs(r)) >= n:
        return sse(st.message("loop over").completed())
    shell_call(st, r, "echo round %d" % len(outputs(r)))
    return sse(st.completed())


@scenario("call", "one call of tool NAME (--set name=.. args=JSON [ns=..] [custom=1]), then text")
def _(c, r):
    if outputs(r):
        return sse(Stream(r).start().message("done").completed())
    st = Stream(r).start()
    if c["set"].get("custom"):
        st.custom(c["set"]["name"], c["set"].get("args", ""), namespace=c["set"].get("ns"))
    else:
        st.call(c["set"]["name"], c["set"].get("args", "{}"), namespace=c["set"].get("ns"))
    return sse(st.completed())


@scenario(
    "big-usage",
    "shell rounds whose usage says the context is nearly full (--set tokens=N), to force compaction",
)
def _(c, r):
    u = int(c["set"].get("tokens", 240000))
    st = Stream(r).start()
    comp = any("compact" in json.dumps(i) or "CONTEXT CHECKPOINT" in json.dumps(i) for i in all_items(r)[-1:])
    if comp:
        return sse(st.message("SUMMARY OF WORK SO FAR").completed())
    if c["n"] > 3:
        return sse(st.message("finished after compaction").completed())
    shell_call(st, r, "echo big %d" % c["n"])
    return sse(st.completed(usage={**USAGE, "input_tokens": u, "total_tokens": u + 37}))
