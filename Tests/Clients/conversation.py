# SPDX-License-Identifier: Apache-2.0
"""One conversation with tools, held by each SDK in its own dialect, whoever answers."""

import base64
import json

import anthropic
import openai
from google import genai
from google.genai import types

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
SYSTEM = "Answer briefly."
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string", "minLength": 1}, "days": {"type": ["integer", "null"]}},
    "required": ["city"],
    "additionalProperties": False,
}
DESCRIPTION = "The weather of a city"
ENDS = ("response.completed", "response.incomplete")


class Outcome:
    """What a client saw: `calls` as (name, arguments), `thoughts`, the last text, stop reason and usage."""

    def __init__(self):
        self.calls = []
        self.thoughts = ""
        self.text = ""
        self.stop = None
        self.usage = None


class Messages:
    """The anthropic SDK."""

    stops = {"end": "end_turn", "length": "max_tokens"}

    def __init__(self, url):
        self.client = anthropic.Anthropic(base_url=url, api_key="sk-client", max_retries=0, timeout=30)

    def hold(self, model, prompt, results, stream, image=False, **more):
        content = [{"type": "text", "text": prompt}]
        if image:
            source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PIXEL).decode()}
            content.insert(0, {"type": "image", "source": source})
        messages = [{"role": "user", "content": content}]
        tool = {"name": "get_weather", "description": DESCRIPTION, "input_schema": PARAMETERS}
        request = {"model": model, "system": SYSTEM, "max_tokens": 3000, "tools": [tool], **more}
        outcome = Outcome()
        while True:
            if stream:
                with self.client.messages.stream(messages=messages, **request) as answer:
                    message = answer.get_final_message()
            else:
                message = self.client.messages.create(messages=messages, **request)
            # The SDK's own form of the answer goes back, as an agent sends it.
            messages.append({"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in message.content]})
            answers = []
            for block in message.content:
                if block.type == "thinking":
                    outcome.thoughts += block.thinking
                elif block.type == "text":
                    outcome.text = block.text
                elif block.type == "tool_use":
                    outcome.calls.append((block.name, block.input))
                    answers.append({"type": "tool_result", "tool_use_id": block.id, "content": self.result(results)})
            outcome.stop = message.stop_reason
            usage = message.usage
            outcome.usage = (
                usage.input_tokens + (usage.cache_read_input_tokens or 0),
                usage.cache_read_input_tokens or 0,
                usage.output_tokens,
            )
            if not answers:
                return outcome
            messages.append({"role": "user", "content": answers})

    @staticmethod
    def result(results):
        value = next(results)
        if isinstance(value, str):
            return value
        source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(value).decode()}
        return [{"type": "text", "text": "a picture"}, {"type": "image", "source": source}]


class Chat:
    """The openai SDK, chat.completions."""

    stops = {"end": "stop", "length": "length"}

    def __init__(self, url):
        self.client = openai.OpenAI(base_url=url + "/v1", api_key="sk-client", max_retries=0, timeout=30)

    def hold(self, model, prompt, results, stream, image=False, **more):
        content = [{"type": "text", "text": prompt}]
        if image:
            url = "data:image/png;base64," + base64.b64encode(PIXEL).decode()
            content.insert(0, {"type": "image_url", "image_url": {"url": url}})
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]
        function = {"name": "get_weather", "description": DESCRIPTION, "parameters": PARAMETERS}
        request = {"model": model, "tools": [{"type": "function", "function": function}], **more}
        outcome = Outcome()
        while True:
            if stream:
                message = self.streamed(messages, request, outcome)
            else:
                answer = self.client.chat.completions.create(messages=messages, **request)
                choice = answer.choices[0]
                message = choice.message.model_dump(exclude_none=True)
                outcome.stop = choice.finish_reason
                outcome.usage = self.usage(answer.usage)
            messages.append(message)
            outcome.thoughts += message.get("reasoning_content") or ""
            outcome.text = message.get("content") or outcome.text
            calls = message.get("tool_calls") or []
            for call in calls:
                outcome.calls.append((call["function"]["name"], json.loads(call["function"]["arguments"])))
                value = next(results)
                value = value if isinstance(value, str) else "a picture"
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": value})
            if not calls:
                return outcome

    def streamed(self, messages, request, outcome):
        """The message that the chunks add up to."""
        message = {"role": "assistant", "content": None}
        calls = {}
        options = {"include_usage": True}
        for chunk in self.client.chat.completions.create(
            messages=messages, stream=True, stream_options=options, **request
        ):
            outcome.usage = self.usage(chunk.usage) if chunk.usage else outcome.usage
            for choice in chunk.choices:
                outcome.stop = choice.finish_reason or outcome.stop
                delta = choice.delta.model_dump(exclude_none=True)
                for name in ("content", "reasoning_content"):
                    if delta.get(name):
                        message[name] = (message.get(name) or "") + delta[name]
                for piece in delta.get("tool_calls") or []:
                    call = calls.setdefault(piece["index"], {"type": "function", "function": {"arguments": ""}})
                    call["id"] = piece.get("id") or call.get("id")
                    function = piece.get("function") or {}
                    call["function"]["name"] = function.get("name") or call["function"].get("name")
                    call["function"]["arguments"] += function.get("arguments") or ""
                    for name in set(piece) - {"index", "id", "type", "function"}:
                        call[name] = piece[name]
        if calls:
            message["tool_calls"] = [calls[i] for i in sorted(calls)]
        return message

    @staticmethod
    def usage(usage):
        return usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens


class Responses:
    """The openai SDK, responses."""

    stops = {"end": "completed", "length": "incomplete"}

    def __init__(self, url):
        self.client = openai.OpenAI(base_url=url + "/v1", api_key="sk-client", max_retries=0, timeout=30)

    def hold(self, model, prompt, results, stream, image=False, **more):
        content = [{"type": "input_text", "text": prompt}]
        if image:
            url = "data:image/png;base64," + base64.b64encode(PIXEL).decode()
            content.insert(0, {"type": "input_image", "image_url": url, "detail": "auto"})
        items = [{"role": "user", "content": content}]
        tool = {"type": "function", "name": "get_weather", "description": DESCRIPTION, "parameters": PARAMETERS}
        request = {"model": model, "instructions": SYSTEM, "tools": [{**tool, "strict": False}], "store": False, **more}
        request["include"] = ["reasoning.encrypted_content"]
        outcome = Outcome()
        while True:
            if stream:
                # The SDK's own helper knows no end but `response.completed`.
                events = self.client.responses.create(input=items, stream=True, **request)
                answer = [e.response for e in events if e.type in ENDS][-1]
            else:
                answer = self.client.responses.create(input=items, **request)
            answers = []
            for item in answer.output:
                items.append(item.model_dump(exclude_none=True, exclude={"parsed_arguments"}))
                if item.type == "reasoning":
                    outcome.thoughts += "".join(s.text for s in item.summary or []) or "".join(
                        c.text for c in item.content or []
                    )
                elif item.type == "message":
                    outcome.text = "".join(p.text for p in item.content if p.type == "output_text")
                    for part in items[-1]["content"]:
                        part.pop("parsed", None)
                elif item.type == "function_call":
                    outcome.calls.append((item.name, json.loads(item.arguments)))
                    output = self.result(results)
                    answers.append({"type": "function_call_output", "call_id": item.call_id, "output": output})
            outcome.stop = answer.status
            usage = answer.usage
            outcome.usage = (usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens)
            if not answers:
                return outcome
            items += answers

    @staticmethod
    def result(results):
        value = next(results)
        if isinstance(value, str):
            return value
        url = "data:image/png;base64," + base64.b64encode(value).decode()
        image = {"type": "input_image", "image_url": url, "detail": "auto"}
        return [{"type": "input_text", "text": "a picture"}, image]


class Gemini:
    """The google-genai SDK."""

    stops = {"end": "STOP", "length": "MAX_TOKENS"}

    def __init__(self, url):
        options = types.HttpOptions(base_url=url, api_version="v1beta", timeout=30_000)
        self.client = genai.Client(api_key="sk-client", http_options=options)

    def hold(self, model, prompt, results, stream, image=False, **more):
        parts = [types.Part.from_text(text=prompt)]
        if image:
            parts.insert(0, types.Part.from_bytes(data=PIXEL, mime_type="image/png"))
        contents = [types.Content(role="user", parts=parts)]
        declaration = types.FunctionDeclaration(
            name="get_weather", description=DESCRIPTION, parameters_json_schema=PARAMETERS
        )
        config = types.GenerateContentConfig(
            system_instruction=SYSTEM,
            tools=[types.Tool(function_declarations=[declaration])],
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            thinking_config=types.ThinkingConfig(include_thoughts=True),
            **more,
        )
        outcome = Outcome()
        while True:
            if stream:
                answers = list(
                    self.client.models.generate_content_stream(model=model, contents=contents, config=config)
                )
            else:
                answers = [self.client.models.generate_content(model=model, contents=contents, config=config)]
            parts = [p for a in answers for c in a.candidates or [] for p in (c.content and c.content.parts) or []]
            contents.append(types.Content(role="model", parts=parts))
            outcome.thoughts += "".join(p.text for p in parts if p.thought and p.text)
            outcome.text = "".join(p.text for p in parts if p.text and not p.thought) or outcome.text
            calls = [p.function_call for p in parts if p.function_call]
            for call in calls:
                outcome.calls.append((call.name, dict(call.args or {})))
            last = [a for a in answers if a.candidates and a.candidates[0].finish_reason][-1]
            outcome.stop = last.candidates[0].finish_reason.value
            usage = answers[-1].usage_metadata
            outcome.usage = (
                usage.prompt_token_count,
                usage.cached_content_token_count or 0,
                (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
            )
            if not calls:
                return outcome
            contents.append(types.Content(role="user", parts=[self.result(c, results) for c in calls]))

    @staticmethod
    def result(call, results):
        value = next(results)
        value = value if isinstance(value, str) else "a picture"
        response = types.FunctionResponse(id=call.id, name=call.name, response={"output": value})
        return types.Part(function_response=response)


CLIENTS = {"chat": Chat, "gemini": Gemini, "messages": Messages, "responses": Responses}
