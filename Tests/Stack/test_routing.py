# SPDX-License-Identifier: Apache-2.0
"""Routes by what a request is for, through the running stack."""

import json

from dialects import CHAT, MESSAGES, RESPONSES
from harness import Case, Stack, Upstream, provider

CLAUDE = ("User-Agent", "claude-cli/2.1.329 (external, cli)")
CODEX = ("User-Agent", "codex_cli_rs/0.163.0")
TITLE = {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {"title": {"type": "string"}}}}}


class Routing(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        cls.stack = cls.enterClassContext(
            Stack(
                provider("up", cls.up.url + "/v1", ["main", "small", "sub", "search", "tight", "cut"]),
                provider("claude", cls.up.url, ["wide", "budget"], kind="anthropic", dialects=["messages"]),
                Router={
                    "default": "up,main",
                    "background": "up,small",
                    "subagent": "up,sub",
                    "webSearch": "up,search",
                    "compact": "up,cut",
                    "tiers": [],
                },
                Models=[
                    {"match": "tight", "context_window": 100},
                    {"match": "budget", "thinking": "budget", "budgets": {"high": 2000}},
                ],
                Rules=[
                    {"match": {"headers": {"x-think": "*"}}, "set": {"effort": "high"}},
                    {"match": {"headers": {"x-team": "a"}}, "route": "up,cut", "set": {"max_tokens": 9}},
                ],
                Presets={"brief": {"route": "up,small", "effort": "low"}},
            )
        )

    def ask(self, dialect, changes, *headers, model="main"):
        """The model that the upstream was asked for, and the body it got."""
        before = len(self.up.requests)
        answer = self.stack.post(
            dialect.path, dialect.request(model) | changes, [*headers, ("x-ccr-explain", "1")]
        )
        self.assertEqual(answer.status, 200, answer.body)
        self.note = answer.header("x-ccr-route")
        request = self.up.requests[before]
        return request.model, json.loads(request.body)

    def test_kinds(self):
        self.assertEqual(self.ask(MESSAGES, {}, CLAUDE)[0], "main")
        self.assertEqual(self.note, "main; model main; up,main")
        self.assertEqual(self.ask(MESSAGES, {"output_config": TITLE}, CLAUDE)[0], "small")
        self.assertEqual(self.note, "background; Router.background; up,small")
        self.assertEqual(self.ask(MESSAGES, {}, CLAUDE, ("x-claude-code-agent-id", "0a"))[0], "sub")
        metadata = json.dumps({"request_kind": "compaction", "thread_source": "user"})
        self.assertEqual(self.ask(RESPONSES, {}, CODEX, ("x-codex-turn-metadata", metadata))[0], "cut")
        self.assertGreaterEqual(self.stack.metric("ccr_kind_requests_total", kind="background"), 1)

    def test_tags_choose_and_do_not_go_on(self):
        text = "<CCR-SUBAGENT-MODEL>up,sub</CCR-SUBAGENT-MODEL>Count \"it\"."
        model, body = self.ask(MESSAGES, {"system": text}, CLAUDE)
        self.assertEqual((model, body["system"]), ("sub", 'Count "it".'))
        model, body = self.ask(CHAT, {"messages": [{"role": "user", "content": "[search] news"}]})
        self.assertEqual((model, body["messages"][0]["content"]), ("search", "news"))

    def test_rules_set_what_the_client_did_not(self):
        model, body = self.ask(CHAT, {}, ("X-Team", "a"))
        self.assertEqual((model, body["max_tokens"]), ("cut", 9))
        self.assertEqual(self.ask(CHAT, {"max_tokens": 3}, ("X-Team", "a"))[1]["max_tokens"], 3)

    def test_rules_set_an_effort_in_the_form_of_the_provider(self):
        for dialect, model, changes, name, wanted in [
            (CHAT, "main", {}, "reasoning_effort", "high"),
            (CHAT, "main", {"reasoning_effort": "low"}, "reasoning_effort", "low"),
            (RESPONSES, "main", {}, "reasoning", {"effort": "high"}),
            (RESPONSES, "main", {"reasoning": {"effort": "low"}}, "reasoning", {"effort": "low"}),
            (MESSAGES, "main", {}, "output_config", {"effort": "high"}),
            (MESSAGES, "wide", {}, "output_config", {"effort": "high"}),
            (CHAT, "wide", {}, "output_config", {"effort": "high"}),
            (MESSAGES, "budget", {"max_tokens": 4000}, "thinking", {"type": "enabled", "budget_tokens": 2000}),
            (MESSAGES, "budget", {"thinking": {"type": "disabled"}}, "thinking", {"type": "disabled"}),
            (CHAT, "budget", {"max_tokens": 4000}, "thinking", {"type": "enabled", "budget_tokens": 2000}),
        ]:
            with self.subTest(dialect=dialect.path, model=model, changes=changes):
                asked, body = self.ask(dialect, changes, ("X-Think", "1"), model=model)
                self.assertEqual((asked, body.get(name)), (model, wanted), body)
                self.assertNotIn(name, self.ask(dialect, {}, model=model)[1])
        before = len(self.up.requests)
        self.assertEqual(self.stack.post("/preset/brief" + CHAT.path, CHAT.request("x")).status, 200)
        self.assertEqual(json.loads(self.up.requests[before].body)["reasoning_effort"], "low")

    def test_a_request_that_is_too_long_goes_nowhere(self):
        long = {"role": "user", "content": "word " * 500}
        seen = len(self.up.requests)
        answer = self.stack.post(MESSAGES.path, MESSAGES.request("tight") | {"messages": [long]}, [CLAUDE])
        self.assertEqual(answer.status, 400)
        self.assertRegex(MESSAGES.error_message(answer), r"^prompt is too long: \d+ tokens > 100 maximum$")
        body = RESPONSES.request("tight") | {"input": long["content"], "stream": True}
        answer = self.stack.post(RESPONSES.path, body, [CODEX])
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.header("content-type"), "text/event-stream")
        event = json.loads(answer.body.split(b"data: ")[1])
        self.assertEqual(event["type"], "response.failed")
        self.assertEqual(event["response"]["error"]["code"], "context_length_exceeded")
        self.assertEqual(len(self.up.requests), seen)

    def test_a_route_changes_with_a_reload(self):
        self.stack.reload(Router=self.stack.config["Router"] | {"background": "up,cut"})
        self.assertEqual(self.ask(MESSAGES, {"output_config": TITLE}, CLAUDE)[0], "cut")
        self.stack.reload(Router=self.stack.config["Router"] | {"background": "up,small"})
