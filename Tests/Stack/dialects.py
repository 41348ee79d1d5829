# SPDX-License-Identifier: Apache-2.0
"""Requests, streams and the marks of failure in each of the three dialects.

Source: OpenAI API reference (Chat Completions, Responses), Anthropic API reference (Messages).
"""

import dataclasses
import json
import re


def dumps(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def event(data, name=None):
    head = f"event: {name}\n" if name else ""
    return (head + "data: " + (data if isinstance(data, str) else dumps(data)) + "\n\n").encode()


@dataclasses.dataclass(frozen=True)
class Dialect:
    name: str
    path: str
    # What only a complete stream contains.
    terminal: bytes
    # What the failure event of a broken stream matches.
    failure: re.Pattern
    # What the client gets while its upstream is silent.
    keepalive: re.Pattern

    def request(self, model, stream=True, text="Hi", **more):
        body = {"model": model, **({"stream": True} if stream else {}), **more}
        if self.name == "responses":
            return {**body, "input": text}
        if self.name == "messages":
            body["max_tokens"] = 100
        return {**body, "messages": [{"role": "user", "content": text}]}

    def opening(self):
        """The events that come before any content: the gateway may still ask another provider."""
        if self.name == "chat":
            return [chunk({"role": "assistant", "content": ""})]
        if self.name == "responses":
            return [
                event({"type": name, "sequence_number": i, "response": response("in_progress")}, name)
                for i, name in enumerate(("response.created", "response.in_progress"))
            ]
        usage = {"input_tokens": 11, "output_tokens": 1}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
        message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
        block = {"type": "text", "text": ""}
        return [
            event({"type": "message_start", "message": message}, "message_start"),
            event({"type": "content_block_start", "index": 0, "content_block": block}, "content_block_start"),
        ]

    def delta(self, text):
        if self.name == "chat":
            return chunk({"content": text})
        if self.name == "responses":
            name = "response.output_text.delta"
            at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
            return event({"type": name, "sequence_number": 2, **at, "delta": text}, name)
        delta = {"type": "text_delta", "text": text}
        return event({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")

    def closing(self):
        """The events behind the content; the last one is the terminal event."""
        if self.name == "chat":
            return [chunk({}, "stop"), event("[DONE]")]
        if self.name == "responses":
            name = "response.completed"
            return [event({"type": name, "sequence_number": 3, "response": response("completed")}, name)]
        delta = {"stop_reason": "end_turn", "stop_sequence": None}
        return [
            event({"type": "content_block_stop", "index": 0}, "content_block_stop"),
            event({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7}}, "message_delta"),
            event({"type": "message_stop"}, "message_stop"),
        ]

    def events(self, count=10):
        """A whole stream; delta number i carries the text "@i@"."""
        return self.opening() + [self.delta(f"@{i}@") for i in range(count)] + self.closing()

    def whole(self):
        """The body of an answer that is no stream."""
        if self.name == "chat":
            message = {"role": "assistant", "content": "Hello äöü 世界"}
            value = {"id": "c1", "object": "chat.completion", "created": 1700000000, "model": "m"}
            value["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
            value["usage"] = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        elif self.name == "responses":
            value = response("completed")
        else:
            value = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
            value["content"] = [{"type": "text", "text": "Hello äöü 世界"}]
            value |= {"stop_reason": "end_turn", "stop_sequence": None}
            value["usage"] = {"input_tokens": 11, "output_tokens": 7}
        return dumps(value).encode()

    def error_event(self, message):
        """The event by which an upstream reports an error inside HTTP 200."""
        if self.name == "chat":
            return event({"error": {"message": message, "type": "server_error", "code": "server_error"}})
        if self.name == "responses":
            failed = {**response("failed"), "error": {"code": "server_error", "message": message}}
            return event(
                {"type": "response.failed", "sequence_number": 2, "response": failed}, "response.failed"
            )
        error = {"type": "overloaded_error", "message": message}
        return event({"type": "error", "error": error}, "error")

    def error_message(self, answer):
        """The message of an answer that is an error in this dialect's shape; anything else is a failure."""
        value = answer.json()
        try:
            error = value["error"]
            if self.name == "messages":
                assert value["type"] == "error" and isinstance(error["type"], str)
            else:
                assert {"message", "type", "param", "code"} <= error.keys()
            return error["message"]
        except (KeyError, TypeError, AssertionError) as e:
            raise AssertionError(f"no error in the shape of {self.name}: {answer.body[:300]!r}") from e

    def assert_broken(self, answer):
        """The stream was ended by this dialect's failure event and then broken off."""
        seen = f"{answer.ending}, {answer.body[-400:]!r}"
        assert self.failure.search(answer.body), f"{self.name}: no failure event: {seen}"
        assert self.terminal not in answer.body, f"{self.name}: the terminal event in a failed stream: {seen}"
        assert answer.ending == "broken", f"{self.name}: the body of a failed stream has a clean end: {seen}"

    def assert_complete(self, answer, count):
        """The stream has all deltas in order and ended cleanly."""
        marks = [int(m) for m in re.findall(rb"@(\d+)@", answer.body)]
        assert marks == list(range(count)), f"{self.name}: deltas {marks}"
        assert self.terminal in answer.body, f"{self.name}: no terminal event: {answer.body[-300:]!r}"
        assert answer.ending == "complete", f"{self.name}: the stream is {answer.ending}"


def chunk(delta, reason=None):
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m"}
    return event({**head, "choices": [choice]})


def response(status):
    done = status == "completed"
    part = {"type": "output_text", "text": "Hello äöü 世界", "annotations": []}
    item = {"id": "msg_1", "type": "message", "status": status, "role": "assistant", "content": [part]}
    usage = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": status,
        "error": None,
        "model": "m",
        "output": [item] if done else [],
        "usage": usage if done else None,
    }


CHAT = Dialect(
    "chat",
    "/v1/chat/completions",
    b"[DONE]",
    re.compile(rb'data: {"error":'),
    re.compile(rb"^: ?\S*\n\n", re.M),
)
RESPONSES = Dialect(
    "responses",
    "/v1/responses",
    b"response.completed",
    re.compile(rb"event: response\.failed\ndata: "),
    re.compile(rb'^event: keepalive\ndata: {"type": ?"keepalive".*}\n\n', re.M),
)
MESSAGES = Dialect(
    "messages",
    "/v1/messages",
    b"message_stop",
    re.compile(rb"event: error\ndata: "),
    re.compile(rb'^event: ping\ndata: {"type": ?"ping"}\n\n', re.M),
)
DIALECTS = (CHAT, RESPONSES, MESSAGES)
BY_PATH = {d.path: d for d in DIALECTS}
