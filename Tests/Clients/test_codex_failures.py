# SPDX-License-Identifier: Apache-2.0
"""The unmodified Codex CLI when its provider fails: what passes soon it does not notice, what does not ends it at once."""

import pathlib
import tempfile
import unittest

from agents import Codex as Client
from gateway import Gateway, needs_gateway, provider
from mocks import Mock

MODEL = "mock-model"


@needs_gateway
class CodexFailures(unittest.TestCase):
    def ask(self, scenario, *knobs):
        """Runs `codex exec` once against a fresh mock; returns how it ended, and the requests that reached the mock."""
        with tempfile.TemporaryDirectory(prefix="ccr-codex.") as folder, Mock(
            "codexmock", scenario, folder, *(word for knob in knobs for word in ("--set", knob))
        ) as mock:
            with Gateway(Providers=[provider("mock", mock.url + "/v1", [MODEL])]) as gateway:
                done = Client(pathlib.Path(folder), gateway.url, MODEL).exec("hello", proxy=mock.url)
            return done, len(mock.requests("/responses"))

    def test_what_passes_soon_is_not_noticed(self):
        for status in ("429", "429-ms", "500", "503", "529"):
            with self.subTest(status):
                done, requests = self.ask("flaky", f"status={status}", "fails=1")
                self.assertEqual(done.returncode, 0, done.stderr[-3000:])
                self.assertNotIn("Reconnecting", done.stderr)
                self.assertEqual(requests, 2)

    def test_what_is_used_up_ends_it_with_one_request(self):
        for error, words in (("429-quota", "Quota exceeded"), ("429-usage", "usage limit")):
            with self.subTest(error):
                done, requests = self.ask(f"err-{error}")
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(words, done.stderr + done.stdout)
                self.assertEqual(requests, 1)


if __name__ == "__main__":
    unittest.main()
