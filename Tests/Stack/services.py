# SPDX-License-Identifier: Apache-2.0
"""The ChatGPT backend and GitHub Copilot as far as ccr speaks to them: logins, tokens, strict requests, odd answers.

Sources: the clients of both services as of November 2026 (codex-rs, vscode-copilot-chat, copilot-api, litellm).
"""

import json
import time

from oauth import Authority, _Handler, web_token

FORBIDDEN = {
    "previous_response_id", "prompt_cache_retention", "safety_identifier", "stream_options", "generate",
    "truncation", "temperature", "top_p", "max_output_tokens", "max_tokens", "user", "metadata",
}


def events(*list_of_events, **more):
    """A stream of Responses events."""
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in list_of_events
    )


def answer_events(model, repairs=False, completed_output=()):
    """One message; with `repairs` each event of the item has another id."""
    number = iter(range(100))

    def item_id():
        return f"item-{next(number)}" if repairs else "item-0"

    part = {"type": "output_text", "text": "hello", "annotations": []}
    item = {"type": "message", "role": "assistant", "status": "completed", "content": [part]}
    response = {"id": "resp-1", "object": "response", "created_at": 1, "model": model, "output": []}
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    where = {"output_index": 0, "content_index": 0}
    return events(
        {"type": "response.created", "response": {**response, "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0,
         "item": {**item, "id": item_id(), "status": "in_progress", "content": []}},
        {"type": "response.content_part.added", "item_id": item_id(), **where, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", "item_id": item_id(), **where, "delta": "hel"},
        {"type": "response.output_text.delta", "item_id": item_id(), **where, "delta": "lo"},
        {"type": "response.output_text.done", "item_id": item_id(), **where, "text": "hello"},
        {"type": "response.content_part.done", "item_id": item_id(), **where, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": {**item, "id": item_id()}},
        {"type": "response.completed",
         "response": {**response, "status": "completed", "output": list(completed_output), "usage": usage}},
    )


class Service(Authority):
    """An authority that is the provider too; `complaints` holds what was wrong with requests.

    `models` is what the service tells of models: the entries, or (status, body) in their place. `listed` counts how
    often it was asked for them.
    """

    handler = None
    models = ()
    listed = 0

    def __init__(self, **more):
        super().__init__(**more)
        self.complaints, self.paths, self.seen = [], [], []
        self.limit = None
        self.server.RequestHandlerClass = type("Handler", (self.handler,), {"authority": self})

    def expect(self, condition, text):
        if not condition:
            self.complaints.append(text)


class _ServiceHandler(_Handler):
    def serve(self):
        raise NotImplementedError

    def list_models(self, wrap):
        """Answer the question which models the account may use."""
        a = self.authority
        with a.lock:
            a.listed += 1
            good = a.valid.get(self.headers.get("Authorization", "").removeprefix("Bearer "), 0) > time.monotonic()
        a.expect(self.headers.get("Accept") == "application/json", f"Accept {self.headers.get('Accept')}")
        if not good:
            return self.answer(401, {"error": {"message": "canary-upstream no"}})
        if isinstance(a.models, tuple) and a.models:
            return self.answer(*a.models)
        self.answer(200, wrap(list(a.models)))

    def do_POST(self):
        if self.path.partition("?")[0] in ("/token", "/device", "/revoke") or "deviceauth" in self.path:
            return self.authorize()
        a = self.authority
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        with a.lock:
            a.requests += 1
            a.paths.append(self.path)
            a.seen.append((dict(self.headers.items()), json.loads(raw)))
            good = a.valid.get(given, 0) > time.monotonic()
            a.refused += not good
        if not good:
            return self.answer(401, {"error": {"message": "canary-upstream no"}})
        if a.limit:
            return self.answer(429, a.limit)
        self.serve(json.loads(raw))

    def authorize(self):
        super().do_POST()

    def stream(self, data):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def codex_model(slug, priority, visibility="list", **more):
    """An entry as the ChatGPT backend tells it (codex-rs, ModelInfo)."""
    effort = {"effort": "medium", "description": "Balances speed and depth"}
    return {
        "slug": slug, "display_name": slug, "description": "A model.", "default_reasoning_level": "medium",
        "supported_reasoning_levels": [effort], "shell_type": "shell_command", "visibility": visibility,
        "minimal_client_version": [0, 98, 0], "supported_in_api": True, "priority": priority, "upgrade": None,
        "base_instructions": "You are Codex. " * 400, "supports_reasoning_summaries": True, "support_verbosity": True,
        "default_verbosity": "low", "apply_patch_tool_type": "freeform",
        "truncation_policy": {"mode": "tokens", "limit": 10000}, "supports_parallel_tool_calls": True,
        "context_window": 272000, "experimental_supported_tools": [], "input_modalities": ["text", "image"], **more,
    }


def copilot_model(name, endpoints=None, picker=True, policy="enabled", kind="chat"):
    """An entry as api.githubcopilot.com tells it (vscode-copilot-chat, endpointProvider.ts)."""
    entry = {
        "id": name, "name": name, "object": "model", "vendor": "Some", "version": name, "preview": False,
        "model_picker_enabled": picker, "is_chat_default": False, "is_chat_fallback": False,
        "billing": {"is_premium": True, "multiplier": 1}, "warning_messages": [],
        "capabilities": {
            "type": kind, "family": name, "object": "model_capabilities", "tokenizer": "o200k_base",
            "limits": {"max_context_window_tokens": 264000, "max_output_tokens": 64000, "max_prompt_tokens": 128000},
            "supports": {"streaming": True, "tool_calls": True, "parallel_tool_calls": True, "vision": True},
        },
    }
    if policy:
        entry["policy"] = {"state": policy, "terms": "Enable access to the model."}
    if endpoints:
        entry["supported_endpoints"] = list(endpoints)
    return entry


class ChatGPT(Service):
    """auth.openai.com and chatgpt.com/backend-api/codex in one."""

    models = [codex_model("gpt-5-codex", 1), codex_model("gpt-5", 2)]

    class handler(_ServiceHandler):
        def do_GET(self):
            path, _, query = self.path.partition("?")
            if path != "/backend-api/codex/models":
                return super().do_GET()
            self.authority.expect(query.startswith("client_version="), f"query {query}")
            self.authority.expect(self.headers.get("ChatGPT-Account-ID") == "acc-1", "no account")
            self.list_models(lambda entries: {"models": entries})

        def authorize(self):
            a = self.authority
            if self.path == "/api/accounts/deviceauth/usercode":
                self.body()
                return self.answer(200, {"device_auth_id": "canary-dai", "user_code": "WXYZ-1", "interval": "1"})
            if self.path == "/api/accounts/deviceauth/token":
                self.body()
                if a.device_answers:
                    return self.answer(a.device_answers.pop(0), {})
                return self.answer(
                    200, {"authorization_code": "canary-code", "code_challenge": "c", "code_verifier": "canary-v"})
            super().authorize()

        def serve(self, body):
            a = self.authority
            a.expect(self.path == "/backend-api/codex/responses", f"path {self.path}")
            a.expect(self.headers.get("ChatGPT-Account-ID") == "acc-1", "no account")
            a.expect(self.headers.get("OpenAI-Beta") == "responses=experimental", "no beta field")
            a.expect(body.get("stream") is True and body.get("store") is False, "stream and store")
            a.expect("instructions" in body, "no instructions")
            a.expect("reasoning.encrypted_content" in body.get("include", []), "include")
            a.expect(not FORBIDDEN & set(body), f"forbidden: {FORBIDDEN & set(body)}")
            roles = {item.get("role") for item in body["input"] if isinstance(item, dict)}
            a.expect("system" not in roles, "an item of role system")
            self.stream(answer_events(body["model"]))

    def grant(self):
        status, answer = super().grant()
        token = web_token("acc-1", self.lifetime, jti=str(len(self.valid)))
        self.valid[token] = self.valid.pop(self.access)
        self.access = answer["access_token"] = token
        return status, answer


class Copilot(Service):
    """github.com, api.github.com and the server that the exchange names."""

    # litellm's catalog: which model is answered on which path.
    PATHS = {
        "gpt-5-codex": {"/responses"},
        "claude-sonnet-4.5": {"/v1/messages", "/chat/completions"},
        "gemini-2.5-pro": {"/chat/completions"},
        # Of a new kind: only the live list tells where.
        "brand-new": {"/responses"},
    }
    models = [
        copilot_model("gpt-5-codex", ["/responses"]),
        copilot_model("claude-sonnet-4.5", ["/chat/completions", "/v1/messages"]),
        copilot_model("gemini-2.5-pro", ["/chat/completions"]),
        copilot_model("brand-new", ["/responses"], policy=None),
        copilot_model("not-accepted", ["/responses"], policy="unconfigured"),
        copilot_model("of-the-editor", picker=False),
        copilot_model("text-embedding-3-small", picker=False, policy=None, kind="embeddings"),
    ]

    class handler(_ServiceHandler):
        def do_GET(self):
            if self.path != "/models":
                return super().do_GET()
            for name in ("Copilot-Integration-Id", "Editor-Version", "X-GitHub-Api-Version"):
                self.authority.expect(self.headers.get(name), f"no {name}")
            self.list_models(lambda entries: {"object": "list", "data": entries})

        def serve(self, body):
            a = self.authority
            if self.path not in a.PATHS[body["model"]]:
                return self.answer(400, {"error": {"message": f"{body['model']} is not on {self.path}"}})
            for name in ("Copilot-Integration-Id", "Editor-Version", "Editor-Plugin-Version", "OpenAI-Intent",
                         "X-GitHub-Api-Version"):
                a.expect(self.headers.get(name), f"no {name}")
            a.expect(self.headers.get("X-Request-Id"), "no X-Request-Id")
            turns = body.get("messages") or body.get("input")
            turns = turns if isinstance(turns, list) else []
            answered = any(turn.get("role") in ("assistant", "tool") for turn in turns)
            a.expect(self.headers.get("X-Initiator") == ("agent" if answered else "user"), "initiator")
            seen = "image" in json.dumps(turns)
            a.expect((self.headers.get("Copilot-Vision-Request") == "true") == seen, "vision")
            if self.path == "/responses":
                a.expect(body.get("store") is False, "store")
                return self.stream(answer_events(body["model"], repairs=True))
            if self.path == "/chat/completions":
                message = {"role": "assistant", "content": "hello"}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                return self.answer(
                    200, {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"],
                          "choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})
            self.answer(
                200, {"id": "m", "type": "message", "role": "assistant", "model": body["model"],
                      "content": [{"type": "text", "text": "hello"}], "stop_reason": "end_turn",
                      "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 2}})
