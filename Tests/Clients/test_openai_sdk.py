# SPDX-License-Identifier: Apache-2.0
"""The unmodified OpenAI SDK: streams, whole answers, tools, typed exceptions, and the embedded provider."""

import asyncio
import json
import unittest

import openai

from gateway import DIRECT, Case, Gateway, needs_gateway, provider
from upstream import ARGUMENTS, ERROR_TYPES, REASONING, REQUEST_ID, TEXT, Upstream

QUESTION = [{"role": "user", "content": "What is the weather in Oslo?"}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT_TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city", "parameters": PARAMETERS},
}
RESPONSES_TOOL = {"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": False}

EXCEPTIONS = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    502: openai.InternalServerError,
    503: openai.InternalServerError,
    529: openai.InternalServerError,
}


def client(url, key="sk-client", **more):
    return openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0, timeout=20, **more)


def chat_stream_text(stream):
    """Text, reasoning, finish reason and usage of a stream of chat chunks."""
    text, reasoning, reason, usage = "", "", None, None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reasoning += getattr(choice.delta, "reasoning_content", None) or ""
            reason = choice.finish_reason or reason
    return text, reasoning, reason, usage


def chat_stream_call(stream):
    """Id, name and arguments of the one tool call in a stream of chat chunks."""
    identifier, name, arguments = None, "", ""
    for chunk in stream:
        for choice in chunk.choices:
            for call in choice.delta.tool_calls or []:
                identifier = call.id or identifier
                name += call.function.name or ""
                arguments += call.function.arguments or ""
    return identifier, name, arguments


class OpenAI(Case):
    @classmethod
    def open_all(cls):
        cls.upstream = cls.enterClassContext(Upstream())
        cls.url = cls.upstream.url
        if not DIRECT:
            scripted = provider("scripted", cls.upstream.url + "/v1", Upstream.MODELS)
            cls.url = cls.enterClassContext(Gateway(Providers=[scripted])).url
        cls.client = cls.enterClassContext(client(cls.url))

    def test_chat_answers_whole(self):
        raw = self.client.chat.completions.with_raw_response.create(model="ok", messages=QUESTION)
        answer = raw.parse()
        self.assertEqual(answer.choices[0].message.content, TEXT)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual((answer.usage.prompt_tokens, answer.usage.completion_tokens), (11, 7))
        self.assertEqual(answer.model, "ok")
        self.assertEqual(raw.headers["x-request-id"], REQUEST_ID)

    def test_chat_streams(self):
        stream = self.client.chat.completions.create(
            model="ok", messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
        text, _, reason, usage = chat_stream_text(stream)
        self.assertEqual((text, reason, usage.total_tokens), (TEXT, "stop", 18))

    def test_chat_streams_reasoning(self):
        stream = self.client.chat.completions.create(model="think", messages=QUESTION, stream=True)
        self.assertEqual(chat_stream_text(stream)[:2], (TEXT, REASONING))

    def test_chat_calls_a_tool_and_takes_its_result(self):
        for streaming in (False, True):
            with self.subTest(streaming=streaming):
                answer = self.client.chat.completions.create(
                    model="tools", messages=QUESTION, tools=[CHAT_TOOL], stream=streaming
                )
                if streaming:
                    identifier, name, arguments = chat_stream_call(answer)
                else:
                    call = answer.choices[0].message.tool_calls[0]
                    identifier, name, arguments = call.id, call.function.name, call.function.arguments
                self.assertEqual((identifier, name), ("call_0001", "get_weather"))
                self.assertEqual(json.loads(arguments), ARGUMENTS)
        function = {"name": name, "arguments": arguments}
        turns = QUESTION + [
            {
                "role": "assistant",
                "tool_calls": [{"id": identifier, "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": identifier, "content": "sunny"},
        ]
        answer = self.client.chat.completions.create(model="tools", messages=turns, tools=[CHAT_TOOL])
        self.assertEqual(answer.choices[0].message.content, TEXT)

    def test_responses_answer_whole(self):
        answer = self.client.responses.create(model="ok", input="hi")
        self.assertEqual(answer.output_text, TEXT)
        self.assertEqual(answer.usage.input_tokens_details.cached_tokens, 3)

    def test_responses_stream(self):
        with self.client.responses.stream(model="think", input="hi") as stream:
            events = list(stream)
            final = stream.get_final_response()
        deltas = "".join(e.delta for e in events if e.type == "response.output_text.delta")
        self.assertEqual((deltas, final.output_text), (TEXT, TEXT))
        self.assertEqual([i.type for i in final.output], ["reasoning", "message"])
        numbers = [e.sequence_number for e in events if hasattr(e, "sequence_number")]
        self.assertEqual(numbers, sorted(numbers))

    def test_responses_call_a_tool_and_take_its_result(self):
        for streaming in (False, True):
            with self.subTest(streaming=streaming):
                answer = self.client.responses.create(
                    model="tools", input="weather?", tools=[RESPONSES_TOOL], stream=streaming
                )
                if streaming:
                    answer = [e for e in answer if e.type == "response.completed"][0].response
                call = answer.output[0]
                self.assertEqual(
                    (call.type, call.name, call.call_id), ("function_call", "get_weather", "call_0001")
                )
                self.assertEqual(json.loads(call.arguments), ARGUMENTS)
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
        turns = [{"role": "user", "content": "weather?"}, call.model_dump(exclude_none=True), result]
        answer = self.client.responses.create(model="tools", input=turns, tools=[RESPONSES_TOOL])
        self.assertEqual(answer.output_text, TEXT)

    def test_errors_raise_their_own_exceptions(self):
        calls = {
            "chat": lambda model, stream: self.client.chat.completions.create(
                model=model, messages=QUESTION, stream=stream
            ),
            "responses": lambda model, stream: self.client.responses.create(
                model=model, input="hi", stream=stream
            ),
        }
        self.assertLessEqual(set(EXCEPTIONS), set(ERROR_TYPES))
        for status, exception in EXCEPTIONS.items():
            for dialect, call in calls.items():
                for streaming in (False, True):
                    with self.subTest(status=status, dialect=dialect, streaming=streaming):
                        with self.assertRaises(exception) as caught:
                            call(f"status-{status}", streaming)
                        error = caught.exception
                        self.assertEqual(error.status_code, status)
                        self.assertIn(f"scripted {status}", str(error))
                        self.assertEqual(error.code, f"c{status}")
                        self.assertEqual(error.request_id, REQUEST_ID)
                        if status in (429, 503):
                            self.assertEqual(error.response.headers["retry-after"], "7")

    def test_an_error_in_the_stream_is_told(self):
        with self.assertRaisesRegex(openai.APIError, "scripted error in the stream"):
            list(self.client.chat.completions.create(model="midstream", messages=QUESTION, stream=True))
        *_, last = self.client.responses.create(model="midstream", input="hi", stream=True)
        self.assertEqual((last.type, last.message), ("error", "scripted error in the stream"))

    def test_the_sdk_retries_what_the_upstream_lets_it_retry(self):
        with openai.OpenAI(
            base_url=self.url + "/v1", api_key="sk-client", max_retries=2, timeout=20
        ) as patient:
            answer = patient.chat.completions.create(model="flaky-chat", messages=QUESTION)
            self.assertEqual(answer.choices[0].message.content, TEXT)
            self.assertEqual(patient.responses.create(model="flaky-responses", input="hi").output_text, TEXT)

    def test_embeddings_completions_and_images(self):
        answer = self.client.embeddings.create(model="ok", input=["a", "b"])
        self.assertEqual([d.embedding for d in answer.data], [[0.5, -0.25, 1.0]] * 2)
        self.assertEqual(self.client.completions.create(model="ok", prompt="hi").choices[0].text, TEXT)
        self.assertEqual(self.client.images.generate(model="ok", prompt="hi").data[0].b64_json, "aW1hZ2U=")

    def test_models_are_listed(self):
        names = [m.id for m in self.client.models.list()]
        self.assertLessEqual(set(Upstream.MODELS), set(names))

    def test_async_streams_run_side_by_side(self):
        async def one(asynchronous):
            stream = await asynchronous.chat.completions.create(model="ok", messages=QUESTION, stream=True)
            return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])

        async def all_of_them():
            async with openai.AsyncOpenAI(
                base_url=self.url + "/v1", api_key="sk-client", max_retries=0, timeout=20
            ) as asynchronous:
                return await asyncio.gather(*(one(asynchronous) for _ in range(20)))

        self.assertEqual(asyncio.run(all_of_them()), [TEXT] * 20)

    @needs_gateway
    def test_the_upstream_sees_the_providers_key_and_not_the_clients(self):
        self.client.responses.create(model="ok", input="whose key?")
        headers = [h for _, h, b in list(self.upstream.requests) if b.get("input") == "whose key?"][0]
        values = {k.lower(): v for k, v in headers.items()}
        self.assertEqual(values["authorization"], "Bearer sk-upstream")
        self.assertNotIn("sk-client", str(headers))


@needs_gateway
class OpenAIRefusals(Case):
    """What the gateway answers itself: unknown models, dead providers, client keys."""

    @classmethod
    def open_all(cls):
        cls.upstream = cls.enterClassContext(Upstream())
        providers = [
            provider("scripted", cls.upstream.url + "/v1", ["ok", "tools"]),
            provider("dead", "http://127.0.0.1:9/v1?secret=hidden", ["unreachable"], api_key="sk-hidden"),
        ]
        cls.url = cls.enterClassContext(Gateway(Providers=providers, APIKEY="sk-right")).url

    def test_a_wrong_client_key_raises_an_authentication_error(self):
        with client(self.url, "sk-wrong") as c, self.assertRaises(openai.AuthenticationError):
            c.chat.completions.create(model="ok", messages=QUESTION)

    def test_the_right_client_key_is_served(self):
        with client(self.url, "sk-right") as c:
            self.assertEqual(c.responses.create(model="ok", input="hi").output_text, TEXT)

    def test_an_unknown_model_raises_not_found_and_names_a_near_one(self):
        with client(self.url, "sk-right") as c, self.assertRaises(openai.NotFoundError) as caught:
            c.chat.completions.create(model="toolz", messages=QUESTION)
        self.assertIn("tools", str(caught.exception))

    def test_a_dead_provider_raises_a_server_error_that_names_it(self):
        with client(self.url, "sk-right") as c, self.assertRaises(openai.InternalServerError) as caught:
            c.chat.completions.create(model="unreachable", messages=QUESTION)
        self.assertEqual(caught.exception.status_code, 502)
        self.assertIn("dead", str(caught.exception))
        self.assertNotIn("hidden", str(caught.exception) + str(caught.exception.response.headers))


@needs_gateway
class OpenAIEcho(Case):
    """The embedded provider: no key, no network."""

    @classmethod
    def open_all(cls):
        echo = {"name": "echo", "api_base_url": "builtin:echo"}
        gateway = cls.enterClassContext(Gateway(Providers=[echo], Router={"default": "echo,echo"}))
        cls.client = cls.enterClassContext(client(gateway.url))

    def test_chat_is_the_same_whole_and_as_a_stream(self):
        create = self.client.chat.completions.create
        whole = create(model="echo", messages=QUESTION).choices[0].message.content
        again = create(model="echo", messages=QUESTION).choices[0].message.content
        text, _, reason, _ = chat_stream_text(create(model="echo", messages=QUESTION, stream=True))
        self.assertTrue(whole)
        self.assertEqual((again, text, reason), (whole, whole, "stop"))

    def test_chat_calls_the_offered_tool(self):
        create = self.client.chat.completions.create
        answer = create(model="echo:tools", messages=QUESTION, tools=[CHAT_TOOL])
        self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
        function = answer.choices[0].message.tool_calls[0].function
        self.assertEqual(function.name, "get_weather")
        self.assertIsInstance(json.loads(function.arguments), dict)
        stream = create(model="echo:tools", messages=QUESTION, tools=[CHAT_TOOL], stream=True)
        identifier, name, arguments = chat_stream_call(stream)
        self.assertTrue(identifier)
        self.assertEqual((name, arguments), ("get_weather", function.arguments))

    def test_chat_reasons_on_demand(self):
        stream = self.client.chat.completions.create(model="echo:think", messages=QUESTION, stream=True)
        text, reasoning, _, _ = chat_stream_text(stream)
        self.assertTrue(text)
        self.assertTrue(reasoning)

    def test_responses_are_the_same_whole_and_as_a_stream(self):
        whole = self.client.responses.create(model="echo", input="hello there").output_text
        with self.client.responses.stream(model="echo", input="hello there") as stream:
            final = stream.get_final_response()
        self.assertTrue(whole)
        self.assertEqual(final.output_text, whole)

    def test_responses_call_the_offered_tool(self):
        for streaming in (False, True):
            with self.subTest(streaming=streaming):
                answer = self.client.responses.create(
                    model="echo:tools", input="weather?", tools=[RESPONSES_TOOL], stream=streaming
                )
                if streaming:
                    answer = [e for e in answer if e.type == "response.completed"][0].response
                call = [i for i in answer.output if i.type == "function_call"][0]
                self.assertEqual(call.name, "get_weather")
                self.assertIsInstance(json.loads(call.arguments), dict)

    def test_responses_reason_on_demand(self):
        answer = self.client.responses.create(model="echo:think", input="hi")
        self.assertEqual([i.type for i in answer.output], ["reasoning", "message"])
        with self.client.responses.stream(model="echo:think", input="hi") as stream:
            self.assertEqual([i.type for i in stream.get_final_response().output], ["reasoning", "message"])

    def test_its_models_are_listed(self):
        names = {m.id for m in self.client.models.list()}
        self.assertLessEqual({"echo", "echo:tools", "echo:think"}, names)


if __name__ == "__main__":
    unittest.main()
