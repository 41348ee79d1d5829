# SPDX-License-Identifier: Apache-2.0
"""The unmodified Claude Code when its provider fails: what passes soon it does not notice, what does not ends it."""

import json
import pathlib
import tempfile
import unittest

from agents import Claude
from gateway import Gateway, needs_gateway, provider
from mocks import Mock

MODEL = "mock-model"
# (status, type, header fields of the first answer)
PASSING = [
    (429, "rate_limit_error", {"retry-after": "1"}),
    (500, "api_error", {}),
    (529, "overloaded_error", {}),
]


@needs_gateway
class ClaudeCodeFailures(unittest.TestCase):
    def ask(self, status, kind, message, headers, *arguments):
        """Runs `claude -p` once against a fresh mock; returns its result, and the requests that reached the mock."""
        fault = json.dumps({"status": status, "type": kind, "message": message, "headers": headers})
        with tempfile.TemporaryDirectory(prefix="ccr-claude.") as folder, Mock(
            "claudemock", "err-arg", folder, "--arg", fault, *arguments
        ) as mock:
            upstream = provider("mock", mock.url + "/v1", [MODEL], dialects=["messages"])
            with Gateway(Providers=[upstream]) as gateway:
                _, result = Claude(pathlib.Path(folder), gateway.url, MODEL).print("hello")
            self.assertIsNotNone(result)
            return result, len(mock.requests("/messages"))

    def test_what_passes_soon_is_not_noticed(self):
        for status, kind, headers in PASSING:
            with self.subTest(status):
                result, requests = self.ask(status, kind, "passing", headers, "--fail-times", "1")
                self.assertFalse(result["is_error"], result)
                self.assertEqual(requests, 2)

    def test_a_long_limit_ends_it_with_one_request(self):
        result, requests = self.ask(429, "rate_limit_error", "until tomorrow", {"retry-after": "3600"})
        self.assertTrue(result["is_error"])
        self.assertIn("429", result["result"])
        self.assertEqual(requests, 1)

    def test_a_refusal_that_no_retry_mends_ends_it_with_one_request(self):
        """The provider speaks Claude Code's dialect and says nothing about trying again."""
        for status, kind in ((401, "authentication_error"), (403, "permission_error")):
            with self.subTest(status):
                result, requests = self.ask(status, kind, "this account is closed", {})
                self.assertTrue(result["is_error"])
                self.assertIn("this account is closed", result["result"])
                self.assertEqual(requests, 1)


if __name__ == "__main__":
    unittest.main()
