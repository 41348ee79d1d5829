# SPDX-License-Identifier: Apache-2.0
"""A scripted upstream for the SDK tests: OpenAI's and Anthropic's endpoints in one threaded server.

The name of the model decides what it does:
    ok              the text TEXT
    tools           a call of the first tool that was offered; the text TEXT once a result is in the request
    think           reasoning, then TEXT
    status-NNN      that HTTP status with the error body of the dialect; 429 and 503 carry Retry-After: 7
    midstream       a delta or two, then the dialect's error event: a fault of the server, for whose end nobody waits
    flaky-N-…       HTTP 503 for the first request of this name, then like `ok`
"""

import base64
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TEXT = "Hello from the scripted upstream: äöü 世界 🙂."
REASONING = "The user greets."
ARGUMENTS = {"city": "Oslo", "days": 2}
REQUEST_ID = "req_scripted_0001"

# HTTP status -> error type of OpenAI, of Anthropic.
ERROR_TYPES = {
    400: ("invalid_request_error", "invalid_request_error"),
    401: ("authentication_error", "authentication_error"),
    403: ("permission_error", "permission_error"),
    404: ("not_found_error", "not_found_error"),
    409: ("conflict_error", "conflict_error"),
    413: ("request_too_large", "request_too_large"),
    422: ("invalid_request_error", "invalid_request_error"),
    429: ("rate_limit_error", "rate_limit_error"),
    500: ("server_error", "api_error"),
    502: ("server_error", "api_error"),
    503: ("server_error", "api_error"),
    529: ("overloaded_error", "overloaded_error"),
}


def words(text):
    """The text in pieces of two characters, as deltas."""
    return [text[i : i + 2] for i in range(0, len(text), 2)]


def dumps(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def event(data, name=None):
    head = f"event: {name}\n" if name else ""
    return (head + "data: " + (data if isinstance(data, str) else dumps(data)) + "\n\n").encode()


class Chat:
    """Chat Completions."""

    @staticmethod
    def has_result(body):
        return any(m.get("role") == "tool" for m in body["messages"])

    @staticmethod
    def tool_name(body):
        return body["tools"][0]["function"]["name"]

    @staticmethod
    def error(status, message):
        return {
            "error": {"message": message, "type": ERROR_TYPES[status][0], "param": None, "code": f"c{status}"}
        }

    @staticmethod
    def whole(body, kind):
        message = {"role": "assistant", "content": None if kind == "tools" else TEXT}
        if kind == "tools":
            function = {"name": Chat.tool_name(body), "arguments": dumps(ARGUMENTS)}
            message["tool_calls"] = [{"id": "call_0001", "type": "function", "function": function}]
        if kind == "think":
            message["reasoning_content"] = REASONING
        reason = "tool_calls" if kind == "tools" else "stop"
        return {
            "id": "chatcmpl-0001",
            "object": "chat.completion",
            "created": 1700000000,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
        }

    @staticmethod
    def events(body, kind):
        def chunk(delta, reason=None, **more):
            choices = [{"index": 0, "delta": delta, "finish_reason": reason}] if delta is not None else []
            return event(
                {
                    "id": "chatcmpl-0001",
                    "object": "chat.completion.chunk",
                    "created": 1700000000,
                    "model": body["model"],
                    "choices": choices,
                    **more,
                }
            )

        yield chunk({"role": "assistant", "content": ""})
        if kind == "midstream":
            yield chunk({"content": "He"})
            yield event(Chat.error(500, "scripted error in the stream"))
            return
        if kind == "think":
            yield from (chunk({"reasoning_content": w}) for w in words(REASONING))
        if kind == "tools":
            function = {"name": Chat.tool_name(body), "arguments": ""}
            yield chunk(
                {"tool_calls": [{"index": 0, "id": "call_0001", "type": "function", "function": function}]}
            )
            for w in words(dumps(ARGUMENTS)):
                yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": w}}]})
        else:
            yield from (chunk({"content": w}) for w in words(TEXT))
        yield chunk({}, "tool_calls" if kind == "tools" else "stop")
        if (body.get("stream_options") or {}).get("include_usage"):
            yield chunk(None, usage={"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18})
        yield event("[DONE]")


class Responses:
    """The Responses API."""

    error = Chat.error

    @staticmethod
    def has_result(body):
        items = body["input"] if isinstance(body["input"], list) else []
        return any(i.get("type") == "function_call_output" for i in items)

    @staticmethod
    def items(body, kind):
        if kind == "think":
            yield {
                "id": "rs_0001",
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": REASONING}],
                "encrypted_content": "c2NyaXB0ZWQ=",
            }
        if kind == "tools":
            yield {
                "id": "fc_0001",
                "type": "function_call",
                "status": "completed",
                "call_id": "call_0001",
                "name": body["tools"][0]["name"],
                "arguments": dumps(ARGUMENTS),
            }
            return
        part = {"type": "output_text", "text": TEXT, "annotations": []}
        yield {
            "id": "msg_0001",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [part],
        }

    @staticmethod
    def response(body, status, output, usage=None):
        return {
            "id": "resp_0001",
            "object": "response",
            "created_at": 1700000000,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "model": body["model"],
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": usage,
        }

    USAGE = {
        "input_tokens": 11,
        "input_tokens_details": {"cached_tokens": 3},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 18,
    }

    @staticmethod
    def whole(body, kind):
        return Responses.response(body, "completed", list(Responses.items(body, kind)), Responses.USAGE)

    @staticmethod
    def events(body, kind):
        number = 0

        def send(name, /, **data):
            nonlocal number
            number += 1
            return event({"type": name, "sequence_number": number - 1, **data}, name)

        yield send("response.created", response=Responses.response(body, "in_progress", []))
        yield send("response.in_progress", response=Responses.response(body, "in_progress", []))
        output = list(Responses.items(body, kind))
        for index, item in enumerate(output):
            at = {"item_id": item["id"], "output_index": index}
            if item["type"] == "message":
                empty = {**item, "status": "in_progress", "content": []}
                part = {"type": "output_text", "text": "", "annotations": []}
                yield send("response.output_item.added", output_index=index, item=empty)
                yield send("response.content_part.added", **at, content_index=0, part=part)
                for w in words(TEXT):
                    yield send("response.output_text.delta", **at, content_index=0, delta=w, logprobs=[])
                    if kind == "midstream":
                        yield send(
                            "error", code="server_error", message="scripted error in the stream", param=None
                        )
                        return
                yield send("response.output_text.done", **at, content_index=0, text=TEXT, logprobs=[])
                yield send("response.content_part.done", **at, content_index=0, part=item["content"][0])
            elif item["type"] == "function_call":
                empty = {**item, "status": "in_progress", "arguments": ""}
                yield send("response.output_item.added", output_index=index, item=empty)
                for w in words(item["arguments"]):
                    yield send("response.function_call_arguments.delta", **at, delta=w)
                yield send(
                    "response.function_call_arguments.done",
                    **at,
                    name=item["name"],
                    arguments=item["arguments"],
                )
            else:
                yield send("response.output_item.added", output_index=index, item={**item, "summary": []})
                part = {"type": "summary_text", "text": ""}
                yield send("response.reasoning_summary_part.added", **at, summary_index=0, part=part)
                for w in words(REASONING):
                    yield send("response.reasoning_summary_text.delta", **at, summary_index=0, delta=w)
                yield send("response.reasoning_summary_text.done", **at, summary_index=0, text=REASONING)
            yield send("response.output_item.done", output_index=index, item=item)
        yield send(
            "response.completed", response=Responses.response(body, "completed", output, Responses.USAGE)
        )


class Messages:
    """Anthropic's Messages API."""

    @staticmethod
    def has_result(body):
        return any(
            isinstance(m["content"], list) and any(b.get("type") == "tool_result" for b in m["content"])
            for m in body["messages"]
        )

    @staticmethod
    def error(status, message):
        kind = ERROR_TYPES[status][1]
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": REQUEST_ID}

    @staticmethod
    def blocks(body, kind):
        if kind == "think":
            yield {"type": "thinking", "thinking": REASONING, "signature": "c2lnbmF0dXJl"}
        if kind == "tools":
            yield {
                "type": "tool_use",
                "id": "toolu_0001",
                "name": body["tools"][0]["name"],
                "input": ARGUMENTS,
            }
        else:
            yield {"type": "text", "text": TEXT}

    @staticmethod
    def message(body, content, reason, out):
        return {
            "id": "msg_0001",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": {
                "input_tokens": 11,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 3,
                "output_tokens": out,
            },
        }

    @staticmethod
    def whole(body, kind):
        reason = "tool_use" if kind == "tools" else "end_turn"
        return Messages.message(body, list(Messages.blocks(body, kind)), reason, 7)

    @staticmethod
    def events(body, kind):
        def send(name, /, **data):
            return event({"type": name, **data}, name)

        yield send("message_start", message=Messages.message(body, [], None, 1))
        yield send("ping")
        for index, block in enumerate(Messages.blocks(body, kind)):

            def delta(**data):
                return send("content_block_delta", index=index, delta=data)

            if block["type"] == "text":
                yield send("content_block_start", index=index, content_block={"type": "text", "text": ""})
                for w in words(block["text"]):
                    yield delta(type="text_delta", text=w)
                    if kind == "midstream":
                        yield event(Messages.error(500, "scripted error in the stream"), "error")
                        return
            elif block["type"] == "thinking":
                empty = {"type": "thinking", "thinking": "", "signature": ""}
                yield send("content_block_start", index=index, content_block=empty)
                for w in words(block["thinking"]):
                    yield delta(type="thinking_delta", thinking=w)
                yield delta(type="signature_delta", signature=block["signature"])
            else:
                yield send("content_block_start", index=index, content_block={**block, "input": {}})
                for w in words(dumps(block["input"])):
                    yield delta(type="input_json_delta", partial_json=w)
            yield send("content_block_stop", index=index)
        reason = "tool_use" if kind == "tools" else "end_turn"
        yield send(
            "message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": 7}
        )
        yield send("message_stop")


DIALECTS = {"/chat/completions": Chat, "/responses": Responses, "/messages": Messages}


def embeddings(body):
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    vector = [0.5, -0.25, 1.0]
    if body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<3f", *vector)).decode()
    data = [{"object": "embedding", "index": i, "embedding": vector} for i in range(len(texts))]
    return {
        "object": "list",
        "data": data,
        "model": body["model"],
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }


def completion(body):
    choice = {"text": TEXT, "index": 0, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    return {
        "id": "cmpl-0001",
        "object": "text_completion",
        "created": 1700000000,
        "model": body["model"],
        "choices": [choice],
        "usage": usage,
    }


OTHERS = {
    "/messages/count_tokens": lambda body: {"input_tokens": 42},
    "/embeddings": embeddings,
    "/completions": completion,
    "/images/generations": lambda body: {"created": 1700000000, "data": [{"b64_json": "aW1hZ2U="}]},
}


def models(names):
    return {
        "object": "list",
        "data": [
            {
                "id": name,
                "object": "model",
                "type": "model",
                "created": 1700000000,
                "created_at": "2026-01-01T00:00:00Z",
                "display_name": name,
                "owned_by": "scripted",
            }
            for name in names
        ],
        "has_more": False,
        "first_id": names[0],
        "last_id": names[-1],
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else whatever follows the head is one segment, 40 ms later

    def log_message(self, *_):
        pass

    def answer(self, status, value, headers=()):
        data = dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, text in headers:
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def stream(self, events, headers=()):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        for name, text in headers:
            self.send_header(name, text)
        self.end_headers()
        for e in events:
            self.wfile.write(b"%x\r\n" % len(e) + e + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self):
        if self.path.split("?")[0] == "/v1/models":
            return self.answer(200, models(self.server.models))
        self.answer(404, Chat.error(404, "no such path"))

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["content-length"]))
        body = json.loads(raw)
        path = self.path.split("?")[0].removeprefix("/v1")
        with self.server.lock:
            self.server.requests.append((path, dict(self.headers.items()), body))
            seen = sum(b.get("model") == body.get("model") for _, _, b in self.server.requests)
        if path in OTHERS:
            return self.answer(200, OTHERS[path](body))
        dialect = DIALECTS.get(path)
        if dialect is None:
            return self.answer(404, Chat.error(404, "no such path"))
        headers = [("request-id" if dialect is Messages else "x-request-id", REQUEST_ID)]
        kind, _, number = body["model"].partition("-")
        if kind == "flaky" and seen == 1:
            kind, number = "status", "503"
        if kind == "status":
            status = int(number)
            if status in (429, 503):
                headers.append(("retry-after", "7" if body["model"].startswith("status") else "0"))
            return self.answer(status, dialect.error(status, f"scripted {status}"), headers)
        if kind == "tools" and dialect.has_result(body):
            kind = "ok"
        if body.get("stream"):
            return self.stream(dialect.events(body, kind), headers)
        self.answer(200, dialect.whole(body, kind), headers)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class Upstream:
    """The scripted upstream on a free port. Use it as a context manager; `requests` lists what came."""

    MODELS = ["ok", "tools", "think", "midstream", *(f"status-{s}" for s in ERROR_TYPES)]
    MODELS += [f"flaky-{n}" for n in ("chat", "responses", "messages")]

    def __enter__(self):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.lock = threading.Lock()
        self.server.requests = self.requests = []
        self.server.models = self.MODELS
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
