# SPDX-License-Identifier: Apache-2.0
"""Failures of a provider of the client's own dialect, in the words that Claude Code and Codex act on."""

import json

from dialects import CHAT, MESSAGES, RESPONSES
from harness import Case, Stack, Upstream, provider
from scripted import whole

CODEX = [("User-Agent", "codex_cli_rs/0.163.0")]
CLAUDE = [("User-Agent", "claude-cli/2.1.329 (external, cli)"), ("anthropic-version", "2023-06-01")]


class Words(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        cls.stack = cls.enterClassContext(Stack(provider("up", cls.up.url + "/v1", ["m"])))

    def ask(self, dialect, headers, status, message, **error):
        """What a client gets whose provider refuses with this."""
        body = {"error": {"message": message, **error}}
        if dialect is MESSAGES:
            body = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
        self.up.scripts["m"] = whole(json.dumps(body).encode(), status=status)
        return self.stack.post(dialect.path, dialect.request("m"), headers)

    def test_claude_code_reads_that_a_conversation_is_too_long(self):
        for said, told in (
            ("prompt is too long: 9 tokens > 8 maximum", "prompt is too long: 9 tokens > 8 maximum"),
            ("input length and `max_tokens` exceed context limit: 7 + 2 > 8", None),
            ("This model's maximum context length is 8 tokens.", "prompt is too long: "),
        ):
            with self.subTest(said):
                answer = self.ask(MESSAGES, CLAUDE, 400, said)
                self.assertEqual(answer.status, 400)
                message = MESSAGES.error_message(answer)
                self.assertTrue(message.startswith(told or said), message)

    def test_codex_reads_that_a_conversation_is_too_long(self):
        answer = self.ask(RESPONSES, CODEX, 400, "too long", code="context_length_exceeded")
        self.assertEqual(answer.status, 200)
        self.assertIn(b"event: response.failed", answer.body)
        self.assertIn(b'"code":"context_length_exceeded"', answer.body)

    def test_codex_is_not_made_to_try_what_no_retry_mends(self):
        for status in (401, 403, 404):
            with self.subTest(status):
                answer = self.ask(RESPONSES, CODEX, status, "it is not for you", code=None)
                self.assertEqual(answer.status, 400)
                self.assertEqual(answer.json()["error"]["code"], "invalid_prompt")
                self.assertIn("it is not for you", answer.json()["error"]["message"])
            self.stack.reload()

    def test_claude_code_reads_what_a_provider_cannot_take(self):
        answer = self.ask(MESSAGES, CLAUDE, 400, "this model does not support image input")
        self.assertEqual(answer.status, 400)
        self.assertEqual(MESSAGES.error_message(answer), "capability_rejected: image_block")

    def test_other_clients_get_the_providers_bytes(self):
        for message in ("this model does not support image input", "prompt is too long: 9 tokens > 8 maximum"):
            for dialect in (CHAT, RESPONSES, MESSAGES):
                with self.subTest(dialect.name):
                    answer = self.ask(dialect, [], 400, message)
                    self.assertEqual(answer.status, 400)
                    self.assertEqual(answer.json()["error"]["message"], message)
