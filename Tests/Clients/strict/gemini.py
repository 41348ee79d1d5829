# SPDX-License-Identifier: Apache-2.0
"""Gemini generateContent, as strict as the provider: turns of calls and responses, signatures, schema keywords."""

import base64
import binascii
import json
import re

from .script import Call, Refusal, Text, Think, known, pieces, real_name, require, seal

TOP = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent"}
GENERATION = {
    "maxOutputTokens", "temperature", "topP", "topK", "stopSequences", "candidateCount", "seed", "presencePenalty",
    "frequencyPenalty", "responseMimeType", "responseSchema", "responseJsonSchema", "thinkingConfig",
    "responseLogprobs", "logprobs", "responseModalities",
}  # fmt: skip
DATA = {"text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode"}
SCHEMA = {
    "type", "format", "title", "description", "nullable", "enum", "items", "properties", "required", "minItems",
    "maxItems", "minLength", "maxLength", "minProperties", "maxProperties", "minimum", "maximum", "pattern", "default",
    "anyOf", "propertyOrdering", "example",
}  # fmt: skip
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
# Signatures that went out; any other is corrupted.
ISSUED = set()
PATH = re.compile(r"/v1beta/models/([^/:]+):(generateContent|streamGenerateContent)")


def declarations(body):
    # The names of the protocol's JSON form and of its text form are both understood.
    names = ("functionDeclarations", "function_declarations")
    return [d for t in body.get("tools") or [] for n in names for d in t.get(n) or []]


def offered(body):
    return [d["name"] for d in declarations(body)]


def error(message):
    return {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}


def check(path, target, _, body):
    match = PATH.fullmatch(path)
    require(match, f"no such path {path}")
    streaming = match.group(2) == "streamGenerateContent"
    require(not streaming or "alt=sse" in target, "this server streams events only")
    known(body, TOP, "body")
    known(body.get("generationConfig") or {}, GENERATION, "generationConfig")
    if "systemInstruction" in body:
        check_parts(body["systemInstruction"], {"text"}, "systemInstruction")
    names = set()
    for d in declarations(body):
        # The names of the protocol's JSON form and of its text form are both understood.
        names_of_json = {"parametersJsonSchema", "parameters_json_schema"}
        known(d, {"name", "description", "parameters", "response"} | names_of_json, "functionDeclaration")
        require(NAME.fullmatch(d["name"]), f"function name {d['name']!r} is invalid")
        require(d["name"] not in names, f"Duplicate function declaration found: {d['name']}")
        names.add(d["name"])
        require(not ("parameters" in d and "parametersJsonSchema" in d), "parameters and parametersJsonSchema")
        if "parameters" in d:
            check_schema(d["parameters"], f"{d['name']}.parameters")
    config = (body.get("toolConfig") or {}).get("functionCallingConfig")
    if config is not None:
        require(names, "toolConfig: Function calling config is set without function_declarations.")
        allowed = config.get("allowedFunctionNames") or []
        require(config.get("mode") in ("AUTO", "ANY", "NONE", "VALIDATED"), "toolConfig.mode: invalid")
        require(names.issuperset(allowed), "allowedFunctionNames: no such function")
        require(not allowed or config["mode"] in ("ANY", "VALIDATED"), "allowedFunctionNames needs mode ANY")
    check_contents(body.get("contents"))
    return streaming


def check_schema(schema, where):
    known(schema, SCHEMA, where)
    require(not isinstance(schema.get("type"), list), f"{where}.type: Proto field is not repeating")
    for name, inner in (schema.get("properties") or {}).items():
        check_schema(inner, f"{where}.{name}")
    require(
        set(schema.get("required") or []) <= set(schema.get("properties") or {}),
        f"{where}.required: property is not defined",
    )
    if "items" in schema:
        check_schema(schema["items"], f"{where}.items")
    for inner in schema.get("anyOf") or []:
        check_schema(inner, f"{where}.anyOf")


def check_parts(content, kinds, where):
    parts = content.get("parts")
    require(isinstance(parts, list) and parts, f"{where}.parts must not be empty.")
    for part in parts:
        known(part, DATA | {"thought", "thoughtSignature"}, where)
        data = DATA & set(part)
        require(len(data) == 1, f"{where}: required oneof field 'data' must have one initialized field, got {data}")
        require(data <= kinds, f"{where}: {data} not allowed here")
        if "inlineData" in part:
            try:
                base64.b64decode(part["inlineData"]["data"], validate=True)
            except binascii.Error:
                raise Refusal(f"{where}.inlineData.data: Base64 decoding failed") from None
    return parts


def check_contents(contents):
    require(isinstance(contents, list) and contents, "contents is not specified")
    waiting = []
    last_user_text = max(
        (i for i, c in enumerate(contents) if c.get("role") == "user" and any("text" in p for p in c["parts"])),
        default=0,
    )
    previous = None
    for i, content in enumerate(contents):
        where = f"contents[{i}]"
        role = content.get("role")
        require(role in ("user", "model"), f"{where}.role: Please use a valid role: user, model.")
        require(i > 0 or role == "user", "contents: the first turn must be a user turn")
        require(role != previous, f"{where}: consecutive turns of role {role}")
        previous = role
        kinds = (
            {"text", "inlineData", "fileData", "functionResponse"} if role == "user" else {"text", "functionCall"}
        )
        parts = check_parts(content, kinds, where)
        answers = [p["functionResponse"]["name"] for p in parts if "functionResponse" in p]
        require(
            sorted(answers) == sorted(waiting),
            f"{where}: the number of function response parts must equal the number of function call parts of the "
            f"function call turn: {waiting} against {answers}",
        )
        for p in parts:
            if "functionResponse" in p:
                require(isinstance(p["functionResponse"].get("response"), dict), f"{where}: response is no object")
        calls = [p for p in parts if "functionCall" in p]
        waiting = [p["functionCall"]["name"] for p in calls]
        for p in calls:
            require(isinstance(p["functionCall"].get("args", {}), dict), f"{where}: args is no object")
        if calls and i > last_user_text:
            check_signature(calls, where)
    require(not waiting, "function call turn at the end")


def check_signature(calls, where):
    first = calls[0]
    signature = first.get("thoughtSignature")
    # Google's documented way for calls whose signature nobody has.
    dummy = base64.b64encode(b"skip_thought_signature_validator").decode()
    require(
        signature in ISSUED or signature == dummy,
        f"{where}: Function call is missing a thought_signature in functionCall parts, or it is corrupted",
    )
    for p in calls[1:]:
        require("thoughtSignature" not in p, f"{where}: a signature on a parallel call that had none")


def sign(call):
    text = seal("thought", call.name + json.dumps(call.arguments))
    signature = base64.b64encode(text.encode()).decode()
    ISSUED.add(signature)
    return signature


# -- Answers


def parts_of(turn, body):
    first = True
    for part in turn.parts:
        if isinstance(part, Think):
            yield {"text": part.text, "thought": True}
        elif isinstance(part, Text):
            yield {"text": part.text}
        elif isinstance(part, Call):
            name = real_name(part.name, offered(body))
            call = {"functionCall": {"name": name, "args": part.arguments}}
            if first:
                call["thoughtSignature"] = sign(part)
            first = False
            yield call


def usage(turn):
    return {
        "promptTokenCount": turn.input_tokens,
        "cachedContentTokenCount": turn.cached_tokens,
        "candidatesTokenCount": turn.output_tokens - turn.reasoning_tokens,
        "thoughtsTokenCount": turn.reasoning_tokens,
        "totalTokenCount": turn.input_tokens + turn.output_tokens,
    }


def answer(turn, parts, reason=None):
    candidate = {"index": 0, "content": {"role": "model", "parts": parts}}
    if reason:
        candidate["finishReason"] = reason
    return {
        "candidates": [candidate],
        "usageMetadata": usage(turn),
        "modelVersion": "strict",
        "responseId": "strict-response",
    }


def finish(turn):
    # A call ends with STOP as well.
    return {"end": "STOP", "length": "MAX_TOKENS", "filter": "SAFETY"}[turn.stop]


def whole(turn, body):
    return answer(turn, list(parts_of(turn, body)), finish(turn))


def stream(turn, body):
    for part in parts_of(turn, body):
        texts = pieces(part["text"]) if "text" in part else [None]
        for text in texts:
            piece = part if text is None else {**part, "text": text}
            yield f"data: {json.dumps(answer(turn, [piece]))}\r\n\r\n"
    yield f"data: {json.dumps(answer(turn, [{'text': ''}], finish(turn)))}\r\n\r\n"
