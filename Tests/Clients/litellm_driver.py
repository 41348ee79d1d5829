# SPDX-License-Identifier: Apache-2.0
"""Holds the conversations of test_litellm.py with LiteLLM's translation in place of ccr's.

Runs in LiteLLM's own environment, whose packages do not go together with those of the other clients. Reads jobs as a
JSON array from standard input and writes what each client saw as another: {calls, text, stop, usage} or {error}.
"""

import asyncio
import json
import os
import sys

# The table of prices comes with the package; nothing is fetched.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm  # noqa: E402

litellm.suppress_debug_info = True
# A Chat provider is asked on its own path, not on /v1/responses.
litellm.use_chat_completions_url_for_anthropic_messages = True
ENDS = ("response.completed", "response.incomplete")


def plain(value):
    """Pydantic models, and dictionaries that hold some, as plain data."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(exclude_none=True))
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


# Each asks once and returns what goes into the history, the calls with their ids, text, stop reason and usage.


def chat(job):
    tools = [{"type": "function", "function": job["tool"]}]
    request = {"messages": job["history"], "tools": tools, **job["target"]}
    if job["stream"]:
        chunks = list(litellm.completion(stream=True, stream_options={"include_usage": True}, **request))
        answer = plain(litellm.stream_chunk_builder(chunks, messages=job["history"]))
    else:
        answer = plain(litellm.completion(**request))
    choice = answer["choices"][0]
    message = choice["message"]
    calls = [
        (c["id"], c["function"]["name"], json.loads(c["function"]["arguments"]))
        for c in message.get("tool_calls") or []
    ]
    usage = answer["usage"]
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    counts = (usage["prompt_tokens"], cached, usage["completion_tokens"])
    return [message], calls, message.get("content") or "", choice["finish_reason"], counts


def chat_results(results):
    return [{"role": "tool", "tool_call_id": i, "content": text} for i, text in results]


def messages(job):
    tool = {"name": job["tool"]["name"], "description": job["tool"]["description"]}
    tool["input_schema"] = job["tool"]["parameters"]

    async def ask():
        answer = await litellm.anthropic.messages.acreate(
            messages=job["history"], tools=[tool], max_tokens=3000, stream=job["stream"], **job["target"]
        )
        if not job["stream"]:
            return plain(answer)
        text = b""
        async for piece in answer:
            text += piece if isinstance(piece, bytes) else piece.encode()
        return folded(text.decode())

    answer = asyncio.run(ask())
    calls = [(b["id"], b["name"], b["input"]) for b in answer["content"] if b["type"] == "tool_use"]
    text = "".join(b["text"] for b in answer["content"] if b["type"] == "text")
    usage = answer["usage"]
    cached = usage.get("cache_read_input_tokens") or 0
    counts = (usage["input_tokens"] + cached, cached, usage["output_tokens"])
    return [{"role": "assistant", "content": answer["content"]}], calls, text, answer["stop_reason"], counts


def messages_results(results):
    blocks = [{"type": "tool_result", "tool_use_id": i, "content": text} for i, text in results]
    return [{"role": "user", "content": blocks}]


def folded(text):
    """A stream of Messages as the message that it adds up to."""
    message, blocks = {}, []
    for line in text.splitlines():
        if not line.startswith("data:"):
            continue
        event = json.loads(line[5:])
        if event["type"] == "message_start":
            message = event["message"]
        elif event["type"] == "content_block_start":
            blocks.append({**event["content_block"], "arguments": ""})
        elif event["type"] == "content_block_delta":
            delta, block = event["delta"], blocks[event["index"]]
            if delta["type"] == "input_json_delta":
                block["arguments"] += delta["partial_json"]
            else:
                name = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}[delta["type"]]
                block[name] = block.get(name, "") + delta[name]
        elif event["type"] == "message_delta":
            message["stop_reason"] = event["delta"]["stop_reason"]
            message["usage"] = {**message.get("usage", {}), **event.get("usage", {})}
    for block in blocks:
        arguments = block.pop("arguments")
        if block["type"] == "tool_use":
            block["input"] = json.loads(arguments or "{}")
    return {**message, "content": blocks}


def responses(job):
    tool = {"type": "function", "strict": False, **job["tool"]}
    answer = litellm.responses(input=job["history"], tools=[tool], stream=job["stream"], **job["target"])
    if job["stream"]:
        answer = [e.response for e in answer if str(getattr(e.type, "value", e.type)) in ENDS][-1]
    answer = plain(answer)
    calls, text = [], ""
    for item in answer["output"]:
        if item["type"] == "function_call":
            calls.append((item["call_id"], item["name"], json.loads(item["arguments"])))
        elif item["type"] == "message":
            text += "".join(p["text"] for p in item["content"] if p["type"] == "output_text")
    usage = answer["usage"]
    cached = (usage.get("input_tokens_details") or {}).get("cached_tokens") or 0
    counts = (usage["input_tokens"], cached, usage["output_tokens"])
    return answer["output"], calls, text, answer["status"], counts


def responses_results(results):
    return [{"type": "function_call_output", "call_id": i, "output": text} for i, text in results]


CLIENTS = {
    "chat": (chat, chat_results),
    "messages": (messages, messages_results),
    "responses": (responses, responses_results),
}


def hold(job):
    ask, results_of = CLIENTS[job["client"]]
    job["history"] = [{"role": "user", "content": job["prompt"]}]
    results, made = iter(job["results"]), []
    for _ in range(4):
        answer, calls, text, stop, usage = ask(job)
        made += [(name, arguments) for _, name, arguments in calls]
        if not calls:
            break
        job["history"] += answer + results_of([(i, next(results)) for i, _, _ in calls])
    return {"calls": made, "text": text, "stop": stop, "usage": usage}


def main():
    outcomes = []
    for job in json.load(sys.stdin):
        try:
            outcomes.append(hold(job))
        except Exception as error:
            outcomes.append({"error": f"{type(error).__name__}: {error}"[:1000]})
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main()
