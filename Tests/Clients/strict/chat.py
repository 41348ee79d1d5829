# SPDX-License-Identifier: Apache-2.0
"""Chat Completions, as strict as OpenAI, with DeepSeek's rule on reasoning_content."""

import base64
import binascii
import json
import re
import secrets

from .script import Call, Refusal, Text, Think, known, pieces, real_name, require, schema_object

TOP = {
    "model", "messages", "tools", "tool_choice", "parallel_tool_calls", "stream", "stream_options", "max_tokens",
    "max_completion_tokens", "temperature", "top_p", "stop", "seed", "presence_penalty", "frequency_penalty", "n",
    "logprobs", "top_logprobs", "logit_bias", "response_format", "reasoning_effort", "verbosity", "user",
    "safety_identifier", "prompt_cache_key", "metadata", "store", "service_tier", "modalities",
}  # fmt: skip
MESSAGE = {
    "system": {"role", "content", "name"},
    "developer": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "tool_calls", "refusal", "reasoning_content", "annotations"},
    "tool": {"role", "content", "tool_call_id"},
}
PARTS = {
    "system": {"text"},
    "developer": {"text"},
    "user": {"text", "image_url", "file", "input_audio"},
    "assistant": {"text", "refusal"},
    "tool": {"text"},
}
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# Ids of calls that went out together with thoughts.
WITH_THOUGHTS = set()


def offered(body):
    return [t["function"]["name"] for t in body.get("tools") or []]


def error(message):
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


def check(path, _, headers, body):
    require(path == "/v1/chat/completions", f"no such path {path}")
    require("anthropic-version" not in headers, "header anthropic-version at a chat provider")
    known(body, TOP, "body")
    check_tools(body)
    check_messages(body.get("messages"))
    if not body.get("stream"):
        require("stream_options" not in body, "stream_options: only allowed when stream is set")
    if "response_format" in body:
        check_format(body["response_format"])
    return bool(body.get("stream"))


def check_format(form):
    require(form.get("type") in ("text", "json_object", "json_schema"), "response_format.type: invalid")
    if form["type"] == "json_schema":
        known(form["json_schema"], {"name", "schema", "strict", "description"}, "response_format.json_schema")
        require(NAME.fullmatch(form["json_schema"].get("name", "")), "response_format.json_schema.name: invalid")
        schema_object(form["json_schema"].get("schema"), "response_format.json_schema.schema")


def check_tools(body):
    tools = body.get("tools")
    require(tools is None or (isinstance(tools, list) and tools), "tools: empty array")
    names = set()
    for i, tool in enumerate(tools or []):
        require(tool.get("type") == "function", f"tools[{i}].type: only function is supported")
        known(tool, {"type", "function"}, f"tools[{i}]")
        function = tool["function"]
        known(function, {"name", "description", "parameters", "strict"}, f"tools[{i}].function")
        require(NAME.fullmatch(function["name"]), f"tools[{i}].function.name: does not match the pattern")
        require(function["name"] not in names, f"tools[{i}].function.name: duplicate")
        names.add(function["name"])
        if "parameters" in function:
            schema_object(function["parameters"], f"tools[{i}].function.parameters")
    if not tools:
        require("tool_choice" not in body, "tool_choice: only allowed when tools are given")
        require("parallel_tool_calls" not in body, "parallel_tool_calls: only allowed when tools are given")
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        require(choice.get("function", {}).get("name") in names, "tool_choice: no such tool")
    else:
        require(choice in (None, "auto", "none", "required"), "tool_choice: invalid")


def check_messages(messages):
    require(isinstance(messages, list) and messages, "messages: required and not empty")
    open_calls = []
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        role = message.get("role")
        require(role in MESSAGE, f"{where}.role: {role!r} is not one of {sorted(MESSAGE)}")
        known(message, MESSAGE[role], where)
        if role == "tool":
            require(message.get("tool_call_id") in open_calls, f"{where}: no call precedes this tool message")
            open_calls.remove(message["tool_call_id"])
        else:
            require(
                not open_calls,
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                f"'tool_call_id'. No response for: {open_calls}",
            )
        calls = message.get("tool_calls")
        content = message.get("content")
        require(content is not None or (role == "assistant" and calls), f"{where}.content: required")
        check_content(content, role, where)
        if calls is not None:
            require(calls, f"{where}.tool_calls: empty array")
            # DeepSeek: thoughts of a turn with calls must come back.
            thought = any(c["id"] in WITH_THOUGHTS for c in calls)
            require(not thought or "reasoning_content" in message, f"{where}: reasoning_content must be passed back")
        for call in calls or []:
            require(call.get("type") == "function", f"{where}.tool_calls.type: invalid")
            require(call["id"] not in open_calls and len(call["id"]) <= 64, f"{where}.tool_calls.id: invalid")
            require(NAME.fullmatch(call["function"]["name"]), f"{where}.tool_calls.name: invalid")
            try:
                arguments = json.loads(call["function"]["arguments"])
            except ValueError:
                raise Refusal(f"{where}.tool_calls.arguments: no JSON") from None
            require(isinstance(arguments, dict), f"{where}.tool_calls.arguments: no object")
            open_calls.append(call["id"])
    require(not open_calls, f"No response for: {open_calls}")


def check_content(content, role, where):
    if content is None or isinstance(content, str):
        return
    require(isinstance(content, list) and content, f"{where}.content: empty array")
    for j, part in enumerate(content):
        kind = part.get("type")
        require(kind in PARTS[role], f"{where}.content[{j}].type: {kind!r} not allowed for {role}")
        known(part, {"type", kind}, f"{where}.content[{j}]")
        if kind == "image_url":
            known(part["image_url"], {"url", "detail"}, f"{where}.content[{j}].image_url")
            check_image(part["image_url"]["url"], f"{where}.content[{j}].image_url.url")


def check_image(url, where):
    match = re.fullmatch(r"data:image/(png|jpeg|gif|webp);base64,(.*)", url, re.S)
    if not match:
        require(url.startswith(("http://", "https://")), f"{where}: invalid image data")
        return
    try:
        base64.b64decode(match.group(2), validate=True)
    except binascii.Error:
        raise Refusal(f"{where}: invalid base64") from None


# -- Answers


def finish(turn):
    if turn.has_calls:
        return "tool_calls"
    return {"end": "stop", "length": "length", "filter": "content_filter"}[turn.stop]


def usage(turn):
    return {
        "prompt_tokens": turn.input_tokens,
        "completion_tokens": turn.output_tokens,
        "total_tokens": turn.input_tokens + turn.output_tokens,
        "prompt_tokens_details": {"cached_tokens": turn.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": turn.reasoning_tokens},
    }


def calls_of(turn, body):
    stem = secrets.token_hex(4)
    calls = [p for p in turn.parts if isinstance(p, Call)]
    for index, call in enumerate(calls):
        name = real_name(call.name, offered(body))
        identifier = f"call_{stem}_{index}"
        if any(isinstance(p, Think) for p in turn.parts):
            WITH_THOUGHTS.add(identifier)
        yield index, identifier, name, json.dumps(call.arguments)


def whole(turn, body):
    text = "".join(p.text for p in turn.parts if isinstance(p, Text))
    thoughts = "".join(p.text for p in turn.parts if isinstance(p, Think))
    message = {"role": "assistant", "content": text or None}
    if thoughts:
        message["reasoning_content"] = thoughts
    calls = [
        {"id": i, "type": "function", "function": {"name": n, "arguments": a}} for _, i, n, a in calls_of(turn, body)
    ]
    if calls:
        message["tool_calls"] = calls
    return {
        "id": "chatcmpl-strict",
        "object": "chat.completion",
        "created": 1700000000,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": finish(turn)}],
        "usage": usage(turn),
    }


def stream(turn, body):
    def chunk(delta, reason=None, **more):
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
        base = {"id": "chatcmpl-strict", "object": "chat.completion.chunk", "created": 1700000000}
        return "data: " + json.dumps({**base, "model": body["model"], "choices": choices, **more}) + "\n\n"

    yield chunk({"role": "assistant", "content": ""})
    for part in turn.parts:
        if isinstance(part, Think):
            yield from (chunk({"reasoning_content": p}) for p in pieces(part.text))
        elif isinstance(part, Text):
            yield from (chunk({"content": p}) for p in pieces(part.text))
    # Parallel calls interleave, as some servers send them.
    calls = [(i, n, name, pieces(a)) for i, n, name, a in calls_of(turn, body)]
    for index, identifier, name, _ in calls:
        function = {"name": name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": index, "id": identifier, "type": "function", "function": function}]})
    for step in range(max((len(c[3]) for c in calls), default=0)):
        for index, _, _, parts in calls:
            if step < len(parts):
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": parts[step]}}]})
    yield chunk({}, finish(turn))
    if (body.get("stream_options") or {}).get("include_usage"):
        yield chunk(None, usage=usage(turn))
    yield "data: [DONE]\n\n"
