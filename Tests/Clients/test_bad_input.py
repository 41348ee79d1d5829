# SPDX-License-Identifier: Apache-2.0
"""Requests that no provider could be asked with: an error in the client's dialect that names the field, and no request to
the provider. Requests that are only large or strange are answered."""

import http.client
import json

from gateway import Case, Gateway, get, needs_gateway, provider
from strict import StrictUpstream, Text, Turn

PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "gemini": "/v1beta/models/m-{}:generateContent",
}
# The provider that each client is translated for.
PROVIDERS = {"chat": "messages", "responses": "chat", "messages": "chat", "gemini": "chat"}
HI = {"role": "user", "content": "Hi"}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
FUNCTION = {"type": "function", "function": {"name": "f"}}


def chat(*messages, **more):
    return {"messages": [HI, *messages], **more}


def responses(*items, **more):
    return {"input": [HI, *items], **more}


def messages(*blocks, **more):
    return {"max_tokens": 9, "messages": [HI, {"role": "user", "content": list(blocks)}][: 1 + bool(blocks)], **more}


def gemini(*parts, role="user", **more):
    return {"contents": [{"role": role, "parts": [{"text": "Hi"}, *parts]}], **more}


def image(data):
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


# (client, body, what the message begins with)
REFUSED = [
    ("chat", chat({"role": "robot", "content": "x"}), "messages[1].role:"),
    ("chat", chat({"role": "user", "content": [{"type": "hologram"}]}), "messages[1].content[0].type:"),
    ("chat", chat(tools=[{"type": "hologram"}]), "tools[0].type:"),
    ("chat", chat(tools=[FUNCTION, {"type": "function", "function": {"name": 7}}]), "tools[1].function.name:"),
    (
        "chat",
        chat({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,@@"}}]}),
        "messages[1].content[0].image_url.url:",
    ),
    ("responses", responses({"role": "robot", "content": "x"}), "input[1].role:"),
    ("responses", responses({"role": "user", "content": [{"text": "x"}]}), "input[1].content[0].type:"),
    ("responses", responses(CALL, CALL), "input[2].call_id:"),
    ("responses", responses(tools=[{"type": "function"}]), "tools[0].name:"),
    (
        "responses",
        responses({"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,@"}]}),
        "input[1].content[0].image_url:",
    ),
    ("responses", responses(previous_response_id="resp_1"), "previous_response_id:"),
    ("responses", responses({"type": "compaction", "encrypted_content": "gAAA"}), "input[1].encrypted_content:"),
    ("messages", {"max_tokens": 9, "messages": [{"role": "robot", "content": "x"}]}, "messages[0].role:"),
    ("messages", messages({"type": "hologram"}), "messages[1].content[0].type:"),
    ("messages", messages(image("***")), "messages[1].content[0].source.data:"),
    ("messages", messages(tools=[{"type": "hologram", "name": "x"}]), "tools[0].type:"),
    ("messages", messages(tools=[{"name": "x", "input_schema": "{}"}]), "tools[0].input_schema:"),
    ("gemini", gemini(role="robot"), "contents[0].role:"),
    ("gemini", gemini({}), "contents[0].parts[1]:"),
    ("gemini", gemini({"inlineData": {"mimeType": "image/png", "data": "@"}}), "contents[0].parts[1].inlineData.data:"),
    (
        "gemini",
        gemini({"functionCall": {"id": "c", "name": "f"}}, {"functionCall": {"id": "c", "name": "f"}}, role="model"),
        "contents[0].parts[2].functionCall.id:",
    ),
]


def nested(depth):
    schema = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


CYCLE = {
    "type": "object",
    "properties": {"next": {"$ref": "#"}, "node": {"$ref": "#/$defs/n"}},
    "$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}}},
}


def tools_of(client, count, schema):
    named = [(f"tool_{i}", {"type": "object"} if count > 1 else schema) for i in range(count)]
    if client == "chat":
        return {"tools": [{"type": "function", "function": {"name": n, "parameters": s}} for n, s in named]}
    if client == "responses":
        return {"tools": [{"type": "function", "name": n, "parameters": s} for n, s in named]}
    if client == "messages":
        return {"tools": [{"name": n, "input_schema": s} for n, s in named]}
    return {"tools": [{"functionDeclarations": [{"name": n, "parametersJsonSchema": s} for n, s in named]}]}


PLAIN = {"chat": chat, "responses": responses, "messages": messages, "gemini": gemini}


def strange(client):
    yield "ten thousand tools", PLAIN[client](**tools_of(client, 10_000, None))
    yield "a schema of a hundred levels", PLAIN[client](**tools_of(client, 1, nested(100)))
    yield "a schema that leads back to itself", PLAIN[client](**tools_of(client, 1, CYCLE))


@needs_gateway
class BadInput(Case):
    @classmethod
    def open_all(cls):
        cls.upstreams = {
            d: cls.enterClassContext(StrictUpstream(d, [Turn((Text("fine"),))])) for d in ("chat", "messages")
        }
        providers = [provider(d, u.url + "/v1", [f"m-{d}"], dialects=[d]) for d, u in cls.upstreams.items()]
        cls.gateway = cls.enterClassContext(Gateway(Providers=providers))

    def ask(self, client, body):
        """Status and body of the answer; what the provider was asked is in `requests` then."""
        dialect = PROVIDERS[client]
        self.upstreams[dialect].begin([Turn((Text("fine"),))])
        if isinstance(body, dict):
            if client != "gemini":
                body = {"model": f"m-{dialect}", **body}
            body = json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=60)
        try:
            connection.request("POST", PATHS[client].format(dialect), body, {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def message(self, client, answer):
        """The message of an error, which must have the form of the client's dialect."""
        error = answer["error"]
        if client == "messages":
            self.assertEqual((answer["type"], error["type"]), ("error", "invalid_request_error"))
        elif client == "gemini":
            self.assertEqual((error["code"], error["status"]), (400, "INVALID_ARGUMENT"))
        else:
            self.assertEqual(error["type"], "invalid_request_error")
        return error["message"]

    def test_a_fault_is_told_by_its_field_and_the_provider_is_not_asked(self):
        for client, body, field in REFUSED:
            with self.subTest(client=client, field=field):
                status, answer = self.ask(client, body)
                self.assertEqual(status, 400, answer)
                self.assertTrue(self.message(client, answer).startswith(field), answer)
                self.assertEqual(self.upstreams[PROVIDERS[client]].requests, [])

    def test_bytes_that_are_no_utf8_are_refused(self):
        for client, dialect in PROVIDERS.items():
            with self.subTest(client=client):
                body = json.dumps({"model": f"m-{dialect}", **PLAIN[client]()}).encode().replace(b"Hi", b"\xff")
                status, answer = self.ask(client, body)
                self.assertEqual(status, 400, answer)
                self.assertIn("UTF-8", self.message(client, answer))
                self.assertEqual(self.upstreams[dialect].requests, [])

    def test_what_is_only_large_or_strange_is_answered(self):
        for client, dialect in PROVIDERS.items():
            for name, body in strange(client):
                with self.subTest(client=client, body=name):
                    status, answer = self.ask(client, body)
                    self.assertEqual(status, 200, f"{str(answer)[:500]} {self.upstreams[dialect].refusals[:1]}")
                    self.assertIn("fine", json.dumps(answer))

    def test_a_string_of_fifty_megabytes_passes_and_the_gateway_lives(self):
        text = "0123456789" * (5 << 20)
        status, _ = self.ask("messages", {"max_tokens": 9, "messages": [{"role": "user", "content": text}]})
        self.assertEqual(status, 200)
        self.assertEqual(self.upstreams["chat"].requests[0]["messages"][0]["content"], text)
        self.assertEqual(get(self.gateway.port, "/health")[0], 200)
