# SPDX-License-Identifier: Apache-2.0
"""The unmodified Anthropic SDK: streams, whole answers, tools, token counts, typed exceptions, embedded provider."""

import unittest

import anthropic

from gateway import DIRECT, Case, Gateway, needs_gateway, provider
from upstream import ARGUMENTS, ERROR_TYPES, REASONING, REQUEST_ID, TEXT, Upstream

QUESTION = [{"role": "user", "content": "What is the weather in Oslo?"}]
TOOL = {
    "name": "get_weather",
    "description": "Weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}

EXCEPTIONS = {
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    403: anthropic.PermissionDeniedError,
    404: anthropic.NotFoundError,
    409: anthropic.ConflictError,
    413: anthropic.APIStatusError,
    422: anthropic.UnprocessableEntityError,
    429: anthropic.RateLimitError,
    500: anthropic.InternalServerError,
    502: anthropic.InternalServerError,
    503: anthropic.InternalServerError,
    529: anthropic.InternalServerError,
}


def client(url, **more):
    if "auth_token" not in more:
        more.setdefault("api_key", "sk-client")
    return anthropic.Anthropic(base_url=url, max_retries=0, timeout=20, **more)


class Anthropic(Case):
    @classmethod
    def open_all(cls):
        cls.upstream = cls.enterClassContext(Upstream())
        cls.url = cls.upstream.url
        if not DIRECT:
            scripted = provider("scripted", cls.upstream.url + "/v1", Upstream.MODELS)
            cls.url = cls.enterClassContext(Gateway(Providers=[scripted])).url
        cls.client = cls.enterClassContext(client(cls.url))

    def create(self, model, **more):
        more.setdefault("messages", QUESTION)
        return self.client.messages.create(model=model, max_tokens=100, **more)

    def final(self, model, **more):
        more.setdefault("messages", QUESTION)
        with self.client.messages.stream(model=model, max_tokens=100, **more) as stream:
            text = "".join(stream.text_stream)
            return text, stream.get_final_message()

    def test_messages_answer_whole(self):
        answer = self.create("ok")
        self.assertEqual(answer.content[0].text, TEXT)
        self.assertEqual((answer.stop_reason, answer.model), ("end_turn", "ok"))
        self.assertEqual((answer.usage.input_tokens, answer.usage.output_tokens), (11, 7))
        self.assertEqual(answer._request_id, REQUEST_ID)

    def test_messages_stream(self):
        text, message = self.final("ok")
        self.assertEqual((text, message.content[0].text), (TEXT, TEXT))
        self.assertEqual((message.stop_reason, message.usage.output_tokens), ("end_turn", 7))

    def test_messages_stream_thinking_with_its_signature(self):
        _, message = self.final("think")
        thinking = message.content[0]
        self.assertEqual((thinking.type, thinking.thinking), ("thinking", REASONING))
        self.assertEqual(thinking.signature, "c2lnbmF0dXJl")
        self.assertEqual(message.content[1].text, TEXT)

    def test_a_tool_is_called_and_its_result_taken(self):
        for streaming in (False, True):
            with self.subTest(streaming=streaming):
                message = (
                    self.final("tools", tools=[TOOL])[1] if streaming else self.create("tools", tools=[TOOL])
                )
                call = message.content[0]
                self.assertEqual(
                    (message.stop_reason, call.name, call.id), ("tool_use", "get_weather", "toolu_0001")
                )
                self.assertEqual(call.input, ARGUMENTS)
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
        turns = QUESTION + [
            {"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in message.content]},
            {"role": "user", "content": [result]},
        ]
        self.assertEqual(self.create("tools", tools=[TOOL], messages=turns).content[0].text, TEXT)

    def test_tokens_are_counted(self):
        counted = self.client.messages.count_tokens(model="ok", messages=QUESTION)
        self.assertEqual(counted.input_tokens, 42)

    def test_errors_raise_their_own_exceptions(self):
        self.assertEqual(set(EXCEPTIONS), set(ERROR_TYPES))
        for status, exception in EXCEPTIONS.items():
            for streaming in (False, True):
                with self.subTest(status=status, streaming=streaming):
                    with self.assertRaises(exception) as caught:
                        self.create(f"status-{status}", stream=streaming)
                    error = caught.exception
                    self.assertEqual(error.status_code, status)
                    self.assertEqual(error.body["error"]["message"], f"scripted {status}")
                    self.assertEqual(error.body["error"]["type"], ERROR_TYPES[status][1])
                    self.assertEqual(error.request_id, REQUEST_ID)
                    if status in (429, 503):
                        self.assertEqual(error.response.headers["retry-after"], "7")

    def test_an_error_in_the_stream_is_raised(self):
        with self.assertRaisesRegex(anthropic.APIStatusError, "scripted error in the stream"):
            list(self.create("midstream", stream=True))

    def test_the_sdk_retries_what_the_upstream_lets_it_retry(self):
        with anthropic.Anthropic(
            base_url=self.url, api_key="sk-client", max_retries=2, timeout=20
        ) as patient:
            answer = patient.messages.create(model="flaky-messages", max_tokens=100, messages=QUESTION)
        self.assertEqual(answer.content[0].text, TEXT)

    def test_models_are_listed(self):
        names = [m.id for m in self.client.models.list()]
        self.assertLessEqual(set(Upstream.MODELS), set(names))

    @needs_gateway
    def test_the_upstream_sees_the_providers_key_and_the_clients_headers(self):
        question = [{"role": "user", "content": "whose key?"}]
        headers = {"anthropic-beta": "context-1m-2025-08-07"}
        self.create("ok", messages=question, extra_headers=headers)
        seen = [h for _, h, b in list(self.upstream.requests) if b.get("messages") == question][0]
        values = {k.lower(): v for k, v in seen.items()}
        self.assertIn(
            "sk-upstream", (values.get("x-api-key"), values.get("authorization", "").removeprefix("Bearer "))
        )
        self.assertNotIn("sk-client", str(seen))
        self.assertEqual(values["anthropic-beta"], "context-1m-2025-08-07")
        self.assertTrue(values["anthropic-version"])


@needs_gateway
class AnthropicRefusals(Case):
    """What the gateway answers itself: unknown models, dead providers, client keys in both headers."""

    @classmethod
    def open_all(cls):
        cls.upstream = cls.enterClassContext(Upstream())
        providers = [
            provider("scripted", cls.upstream.url + "/v1", ["ok", "tools"]),
            provider("dead", "http://127.0.0.1:9/v1", ["unreachable"], api_key="sk-hidden"),
        ]
        cls.url = cls.enterClassContext(Gateway(Providers=providers, APIKEY="sk-right")).url

    def ask(self, model="ok", **credential):
        with client(self.url, **credential) as c:
            return c.messages.create(model=model, max_tokens=100, messages=QUESTION)

    def test_a_wrong_client_key_raises_an_authentication_error(self):
        for credential in ({"api_key": "sk-wrong"}, {"auth_token": "sk-wrong"}):
            with self.subTest(credential):
                with self.assertRaises(anthropic.AuthenticationError) as caught:
                    self.ask(**credential)
                self.assertEqual(caught.exception.body["error"]["type"], "authentication_error")

    def test_the_right_client_key_is_served(self):
        for credential in ({"api_key": "sk-right"}, {"auth_token": "sk-right"}):
            with self.subTest(credential):
                self.assertEqual(self.ask(**credential).content[0].text, TEXT)

    def test_an_unknown_model_raises_not_found_and_names_a_near_one(self):
        with self.assertRaises(anthropic.NotFoundError) as caught:
            self.ask("toolz", api_key="sk-right")
        self.assertEqual(caught.exception.body["error"]["type"], "not_found_error")
        self.assertIn("tools", caught.exception.body["error"]["message"])

    def test_a_dead_provider_raises_a_server_error_that_names_it(self):
        with self.assertRaises(anthropic.InternalServerError) as caught:
            self.ask("unreachable", api_key="sk-right")
        self.assertEqual(caught.exception.status_code, 502)
        self.assertIn("dead", caught.exception.body["error"]["message"])
        self.assertNotIn("hidden", str(caught.exception))


@needs_gateway
class AnthropicEcho(Case):
    """The embedded provider: no key, no network."""

    @classmethod
    def open_all(cls):
        echo = {"name": "echo", "api_base_url": "builtin:echo"}
        gateway = cls.enterClassContext(Gateway(Providers=[echo], Router={"default": "echo,echo"}))
        cls.client = cls.enterClassContext(client(gateway.url))

    create, final = Anthropic.create, Anthropic.final

    def test_messages_are_the_same_whole_and_as_a_stream(self):
        whole = self.create("echo").content[0].text
        again = self.create("echo").content[0].text
        text, message = self.final("echo")
        self.assertTrue(whole)
        self.assertEqual((again, text, message.stop_reason), (whole, whole, "end_turn"))

    def test_the_offered_tool_is_called(self):
        for message in (self.create("echo:tools", tools=[TOOL]), self.final("echo:tools", tools=[TOOL])[1]):
            call = [b for b in message.content if b.type == "tool_use"][0]
            self.assertEqual((message.stop_reason, call.name), ("tool_use", "get_weather"))
            self.assertIsInstance(call.input, dict)

    def test_it_thinks_on_demand(self):
        for message in (self.create("echo:think"), self.final("echo:think")[1]):
            self.assertEqual([b.type for b in message.content], ["thinking", "text"])
            self.assertTrue(message.content[0].thinking)

    def test_its_models_are_listed(self):
        names = {m.id for m in self.client.models.list()}
        self.assertLessEqual({"echo", "echo:tools", "echo:think"}, names)


if __name__ == "__main__":
    unittest.main()
