# SPDX-License-Identifier: Apache-2.0
"""Anthropic Messages, as strict as the provider: pairs, order, signatures, no unknown members."""

import json
import re

from .script import Call, Text, Think, known, pieces, real_name, require, schema_object, seal

TOP = {
    "model", "messages", "system", "tools", "tool_choice", "metadata", "max_tokens", "thinking", "output_config",
    "stream", "stop_sequences", "temperature", "top_p", "top_k", "service_tier", "context_management",
}  # fmt: skip
BLOCKS = {
    "text": {"type", "text", "cache_control", "citations"},
    "image": {"type", "source", "cache_control"},
    "document": {"type", "source", "title", "context", "cache_control", "citations"},
    "tool_use": {"type", "id", "name", "input", "cache_control"},
    "tool_result": {"type", "tool_use_id", "content", "is_error", "cache_control"},
    "thinking": {"type", "thinking", "signature"},
    "redacted_thinking": {"type", "data"},
    "tool_reference": {"type", "tool_name"},
}
OF_ROLE = {
    "user": {"text", "image", "document", "tool_result"},
    "assistant": {"text", "tool_use", "thinking", "redacted_thinking"},
    "system": {"text"},
}
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def offered(body):
    return [t["name"] for t in body.get("tools") or [] if t.get("type") in (None, "custom")]


def error(message):
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message}}


def check(path, _, headers, body):
    require(path == "/v1/messages", f"no such path {path}")
    require(headers.get("anthropic-version"), "anthropic-version: header is required")
    known(body, TOP, "body")
    require(isinstance(body.get("max_tokens"), int) and body["max_tokens"] > 0, "max_tokens: required")
    betas = headers.get("anthropic-beta") or ""
    names = check_tools(body, "advanced-tool-use" in betas)
    thinks = check_thinking(body)
    choice = body.get("tool_choice")
    if choice is not None:
        require(names, "tool_choice: only allowed with tools")
        require(choice.get("type") in ("auto", "any", "none", "tool"), "tool_choice.type: invalid")
        require(choice["type"] != "tool" or choice.get("name") in names, "tool_choice: no such tool")
        require(not thinks or choice["type"] in ("auto", "none"), "Thinking may not be enabled when tool_choice forces")
    system = body.get("system")
    if isinstance(system, list):
        check_blocks(system, {"text"}, "system")
    check_messages(body.get("messages"), thinks)
    return bool(body.get("stream"))


def check_tools(body, may_defer):
    names = set()
    members = {"type", "name", "description", "input_schema", "strict", "cache_control"}
    for i, tool in enumerate(body.get("tools") or []):
        known(tool, members | ({"defer_loading"} if may_defer else set()), f"tools.{i}")
        require(NAME.fullmatch(tool["name"]), f"tools.{i}.name: String should match pattern")
        require(tool["name"] not in names, f"tools.{i}: Tool names must be unique.")
        names.add(tool["name"])
        schema_object(tool.get("input_schema"), f"tools.{i}.input_schema")
    return names


def check_thinking(body):
    thinking = body.get("thinking")
    if thinking is None:
        return False
    kind = thinking.get("type")
    require(kind in ("enabled", "disabled", "adaptive"), "thinking.type: invalid")
    if kind == "enabled":
        budget = thinking.get("budget_tokens", 0)
        require(1024 <= budget < body["max_tokens"], "max_tokens must be greater than thinking.budget_tokens")
    if kind != "disabled":
        require(body.get("temperature") in (None, 1), "temperature may only be set to 1 when thinking is enabled")
    return kind != "disabled"


def check_blocks(content, kinds, where):
    require(isinstance(content, list), f"{where}: Input should be a list or a string")
    for j, block in enumerate(content):
        kind = block.get("type")
        require(kind in kinds, f"{where}.{j}: Input tag {kind!r} does not match any of the expected tags")
        known(block, BLOCKS[kind], f"{where}.{j}")
        if kind == "text":
            require(block["text"], f"{where}.{j}: text content blocks must be non-empty")
        if kind == "thinking":
            require(block.get("signature"), f"{where}.{j}.signature: Field required")
            require(
                block["signature"] == seal("sig", block["thinking"]),
                f"{where}.{j}: Invalid `signature` in `thinking` block",
            )
        if kind == "tool_result" and isinstance(block.get("content"), list):
            parts = {"text", "image", "document", "tool_reference"}
            check_blocks(block["content"], parts, f"{where}.{j}.content")
        if kind == "tool_use":
            require(isinstance(block["input"], dict), f"{where}.{j}.input: Input should be a valid dictionary")
            require(re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]), f"{where}.{j}.id: String should match pattern")


def check_messages(messages, thinks):
    require(isinstance(messages, list) and messages, "messages: at least one message is required")
    waiting = []
    seen = set()
    for i, message in enumerate(messages):
        where = f"messages.{i}"
        known(message, {"role", "content"}, where)
        role = message.get("role")
        require(role in OF_ROLE, f"{where}.role: Input should be 'user' or 'assistant'")
        require(i > 0 or role == "user", "messages: first message must use the \"user\" role")
        content = message["content"]
        if isinstance(content, str):
            require(content, f"{where}: text content must be non-empty")
            content = [{"type": "text", "text": content}]
        require(content, f"{where}: all messages must have non-empty content")
        check_blocks(content, OF_ROLE[role], f"{where}.content")
        results = [b["tool_use_id"] for b in content if b["type"] == "tool_result"]
        require(
            sorted(results) == sorted(waiting),
            f"{where}: `tool_use` ids {waiting} need `tool_result` blocks immediately after, got {results}",
        )
        kinds = [b["type"] == "tool_result" for b in content]
        require(kinds == sorted(kinds, reverse=True), f"{where}: tool_result blocks must come first")
        waiting = [b["id"] for b in content if b["type"] == "tool_use"]
        require(not seen.intersection(waiting), f"{where}: `tool_use` ids must be unique")
        seen.update(waiting)
        if role == "assistant" and waiting and thinks and any(b["type"] == "thinking" for b in content):
            require(content[0]["type"] == "thinking", f"{where}: a thinking block must come first")
    require(not waiting, "tool_use without tool_result at the end")
    require(messages[-1]["role"] != "assistant", "This model does not support assistant message prefill.")


# -- Answers


def stop_reason(turn):
    if turn.has_calls:
        return "tool_use"
    return {"end": "end_turn", "length": "max_tokens", "filter": "refusal"}[turn.stop]


def usage(turn):
    return {
        "input_tokens": turn.input_tokens - turn.cached_tokens,
        "cache_read_input_tokens": turn.cached_tokens,
        "cache_creation_input_tokens": 0,
        "output_tokens": turn.output_tokens,
    }


def blocks(turn, body):
    for number, part in enumerate(turn.parts):
        if isinstance(part, Think):
            yield {"type": "thinking", "thinking": part.text, "signature": seal("sig", part.text)}
        elif isinstance(part, Text):
            yield {"type": "text", "text": part.text}
        elif isinstance(part, Call):
            identifier = f"toolu_{len(body['messages'])}_{number}"
            name = real_name(part.name, offered(body))
            yield {"type": "tool_use", "id": identifier, "name": name, "input": part.arguments}


def whole(turn, body):
    return {
        "id": "msg_strict",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": list(blocks(turn, body)),
        "stop_reason": stop_reason(turn),
        "stop_sequence": None,
        "usage": usage(turn),
    }


def stream(turn, body):
    def event(kind, **data):
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"

    start = {**whole(turn, body), "content": [], "stop_reason": None}
    yield event("message_start", message=start)
    yield event("ping")
    for index, block in enumerate(blocks(turn, body)):
        deltas = []
        if block["type"] == "thinking":
            begin = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": p} for p in pieces(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        elif block["type"] == "text":
            begin = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": p} for p in pieces(block["text"])]
        else:
            begin = {**block, "input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": p} for p in pieces(json.dumps(block["input"]))]
        yield event("content_block_start", index=index, content_block=begin)
        for delta in deltas:
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    yield event("message_delta", delta={"stop_reason": stop_reason(turn), "stop_sequence": None}, usage=usage(turn))
    yield event("message_stop")
