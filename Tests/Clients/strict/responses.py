# SPDX-License-Identifier: Apache-2.0
"""OpenAI Responses, as strict as the provider: pairs of calls and outputs, ids, encrypted reasoning of its own only."""

import json
import re

from .script import Call, Refusal, Text, Think, known, pieces, real_name, require, schema_object, seal

TOP = {
    "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "stream", "store", "include",
    "max_output_tokens", "temperature", "top_p", "top_logprobs", "reasoning", "text", "metadata", "user",
    "safety_identifier", "prompt_cache_key", "service_tier", "truncation", "stream_options", "client_metadata",
}  # fmt: skip
ITEMS = {
    "message": {"type", "id", "role", "content", "status", "phase"},
    "reasoning": {"type", "id", "summary", "content", "encrypted_content", "status"},
    "function_call": {"type", "id", "call_id", "name", "arguments", "status"},
    "function_call_output": {"type", "id", "call_id", "output", "status"},
}
PREFIXES = {"message": "msg_", "reasoning": "rs_", "function_call": "fc_"}
OF_ROLE = {
    "system": {"input_text"},
    "developer": {"input_text"},
    "user": {"input_text", "input_image", "input_file"},
    "assistant": {"output_text", "refusal"},
}
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# Encrypted thoughts that went out; any other cannot be decrypted.
ISSUED = set()


def offered(body):
    return [t["name"] for t in body.get("tools") or [] if t.get("type") == "function"]


def error(message):
    return {"error": {"message": message, "type": "invalid_request_error", "param": "input", "code": None}}


def check(path, _, headers, body):
    require(path == "/v1/responses", f"no such path {path}")
    require("anthropic-version" not in headers, "header anthropic-version at a responses provider")
    known(body, TOP, "body")
    names = set()
    for i, tool in enumerate(body.get("tools") or []):
        known(tool, {"type", "name", "description", "parameters", "strict"}, f"tools[{i}]")
        require(tool.get("type") == "function", f"tools[{i}].type: {tool.get('type')!r} is not offered here")
        require(NAME.fullmatch(tool["name"]), f"tools[{i}].name: does not match the pattern")
        require(tool["name"] not in names, f"tools[{i}].name: duplicate")
        names.add(tool["name"])
        require("strict" in tool, f"tools[{i}].strict: missing required parameter")
        schema_object(tool.get("parameters"), f"tools[{i}].parameters")
    choice = body.get("tool_choice", "auto")
    if isinstance(choice, dict):
        require(choice.get("name") in names, "tool_choice: no such tool")
    else:
        require(choice in ("auto", "none", "required"), "tool_choice: invalid")
    form = (body.get("text") or {}).get("format")
    if form is not None and form.get("type") == "json_schema":
        known(form, {"type", "name", "schema", "strict", "description"}, "text.format")
        require(NAME.fullmatch(form.get("name", "")), "text.format.name: missing or invalid")
        schema_object(form.get("schema"), "text.format.schema")
    check_input(body.get("input"))
    return bool(body.get("stream"))


def check_input(items):
    if isinstance(items, str):
        return
    require(isinstance(items, list) and items, "input: required")
    calls, outputs, ids = [], set(), set()
    for i, item in enumerate(items):
        where = f"input[{i}]"
        kind = item.get("type", "message")
        require(kind in ITEMS, f"{where}.type: invalid value {kind!r}")
        known(item, ITEMS[kind], where)
        identifier = item.get("id")
        if identifier is not None:
            prefix = PREFIXES.get(kind, "")
            require(re.fullmatch(rf"{prefix}[A-Za-z0-9_-]{{1,60}}", identifier), f"{where}.id: expected {prefix}…")
            require(identifier not in ids, f"{where}.id: duplicate item")
            ids.add(identifier)
        if kind == "message":
            check_message(item, where)
        elif kind == "reasoning":
            require(isinstance(item.get("summary"), list), f"{where}.summary: missing required parameter")
            state = item.get("encrypted_content")
            if state is not None:
                require(state in ISSUED, f"{where}: invalid_encrypted_content")
            following = items[i + 1].get("type", "message") if i + 1 < len(items) else None
            require(
                following in ("message", "function_call", "reasoning"),
                f"{where}: item of type 'reasoning' was provided without its required following item",
            )
        elif kind == "function_call":
            require(item["call_id"] not in calls and len(item["call_id"]) <= 64, f"{where}.call_id: invalid")
            require(NAME.fullmatch(item["name"]), f"{where}.name: invalid")
            try:
                json.loads(item["arguments"])
            except ValueError:
                raise Refusal(f"{where}.arguments: no JSON") from None
            calls.append(item["call_id"])
        else:
            require(item["call_id"] in calls, f"No tool call found for function call output {item['call_id']}.")
            require(item["call_id"] not in outputs, f"{where}: second output for a call")
            outputs.add(item["call_id"])
            check_output(item.get("output"), where)
    missing = [c for c in calls if c not in outputs]
    require(not missing, f"No tool output found for function call {missing}.")


def check_message(item, where):
    role = item.get("role")
    require(role in OF_ROLE, f"{where}.role: invalid value {role!r}")
    content = item.get("content")
    if isinstance(content, str):
        return
    require(isinstance(content, list), f"{where}.content: required")
    for j, part in enumerate(content):
        require(part.get("type") in OF_ROLE[role], f"{where}.content[{j}].type: {part.get('type')!r} for {role}")
        if part["type"] == "input_image":
            require(isinstance(part.get("image_url"), str), f"{where}.content[{j}].image_url: expected a string")


def check_output(output, where):
    if isinstance(output, str):
        return
    require(isinstance(output, list), f"{where}.output: expected a string or an array")
    for part in output:
        require(part.get("type") in ("input_text", "input_image", "input_file"), f"{where}.output: {part.get('type')}")


# -- Answers


def usage(turn):
    return {
        "input_tokens": turn.input_tokens,
        "input_tokens_details": {"cached_tokens": turn.cached_tokens},
        "output_tokens": turn.output_tokens,
        "output_tokens_details": {"reasoning_tokens": turn.reasoning_tokens},
        "total_tokens": turn.input_tokens + turn.output_tokens,
    }


def items(turn, body):
    stem = f"{len(body['input'])}" if isinstance(body["input"], list) else "0"
    for number, part in enumerate(turn.parts):
        suffix = f"{stem}x{number}"
        if isinstance(part, Think):
            state = seal("enc", part.text)
            ISSUED.add(state)
            yield {
                "type": "reasoning",
                "id": f"rs_{suffix}",
                "summary": [{"type": "summary_text", "text": part.text}],
                "encrypted_content": state,
            }
        elif isinstance(part, Text):
            content = [{"type": "output_text", "text": part.text, "annotations": []}]
            yield {
                "type": "message",
                "id": f"msg_{suffix}",
                "status": "completed",
                "role": "assistant",
                "content": content,
            }
        elif isinstance(part, Call):
            yield {
                "type": "function_call",
                "id": f"fc_{suffix}",
                "call_id": f"call_{suffix}",
                "name": real_name(part.name, offered(body)),
                "arguments": json.dumps(part.arguments),
                "status": "completed",
            }


def response(turn, body, status, output):
    reason = {"length": "max_output_tokens", "filter": "content_filter"}.get(turn.stop)
    if status == "completed" and reason and not turn.has_calls:
        status = "incomplete"
    return {
        "id": "resp_strict",
        "object": "response",
        "created_at": 1700000000,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": reason} if status == "incomplete" else None,
        "instructions": None,
        "model": body["model"],
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage(turn) if status in ("completed", "incomplete") else None,
    }


def whole(turn, body):
    return response(turn, body, "completed", list(items(turn, body)))


def stream(turn, body):
    number = iter(range(1_000_000))

    def event(kind, **data):
        value = {"type": kind, "sequence_number": next(number), **data}
        return f"event: {kind}\ndata: {json.dumps(value)}\n\n"

    yield event("response.created", response=response(turn, body, "in_progress", []))
    yield event("response.in_progress", response=response(turn, body, "in_progress", []))
    done = []
    for index, item in enumerate(items(turn, body)):
        place = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "reasoning":
            text = item["summary"][0]["text"]
            yield event("response.output_item.added", output_index=index, item={**item, "summary": []})
            part = {"type": "summary_text", "text": ""}
            yield event("response.reasoning_summary_part.added", **place, summary_index=0, part=part)
            for piece in pieces(text):
                yield event("response.reasoning_summary_text.delta", **place, summary_index=0, delta=piece)
            yield event("response.reasoning_summary_text.done", **place, summary_index=0, text=text)
            part = {"type": "summary_text", "text": text}
            yield event("response.reasoning_summary_part.done", **place, summary_index=0, part=part)
        elif item["type"] == "message":
            text = item["content"][0]["text"]
            empty = {**item, "content": [], "status": "in_progress"}
            yield event("response.output_item.added", output_index=index, item=empty)
            part = {"type": "output_text", "text": "", "annotations": []}
            yield event("response.content_part.added", **place, content_index=0, part=part)
            for piece in pieces(text):
                yield event("response.output_text.delta", **place, content_index=0, delta=piece)
            yield event("response.output_text.done", **place, content_index=0, text=text)
            yield event("response.content_part.done", **place, content_index=0, part=item["content"][0])
        else:
            empty = {**item, "arguments": "", "status": "in_progress"}
            yield event("response.output_item.added", output_index=index, item=empty)
            for piece in pieces(item["arguments"]):
                yield event("response.function_call_arguments.delta", **place, delta=piece)
            yield event("response.function_call_arguments.done", **place, arguments=item["arguments"])
        yield event("response.output_item.done", output_index=index, item=item)
        done.append(item)
    final = response(turn, body, "completed", done)
    yield event("response." + final["status"], response=final)
