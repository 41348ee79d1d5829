# SPDX-License-Identifier: Apache-2.0
"""The unmodified Claude Code takes a turn with a tool, direct and through the gateway.

Without the gateway (CCR_DIRECT=1) two direct runs are compared with each other.
"""

import contextlib
import json
import pathlib
import shutil
import tempfile
import unittest

import compare
from agents import Claude
from gateway import DIRECT, Gateway, provider
from mocks import Mock

MODEL = "claude-sonnet-mock"


class ClaudeCode(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="ccr-claude.")))

    def turn(self, url):
        """Run `claude -p` once in a fresh home; returns its JSON result."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
        done, result = Claude(self.folder, url, MODEL).print("run the marker")
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
        return result

    def run_turn(self, scenario, through_gateway):
        """A turn against a fresh mock; returns its result and the message requests that the mock logged."""
        with contextlib.ExitStack() as stack:
            mock = stack.enter_context(Mock("claudemock", scenario, self.folder))
            url = mock.url
            if through_gateway:
                upstream = provider("mock", mock.url + "/v1", [MODEL], dialects=["messages"])
                url = stack.enter_context(Gateway(Providers=[upstream])).url
            result = self.turn(url)
        return result, mock.requests("/messages")

    def test_a_turn_with_a_tool_is_the_same_for_client_and_upstream(self):
        result, direct = self.run_turn("tool", through_gateway=False)
        self.assertEqual((result["result"], result["is_error"]), ("The tool ran. Done.", False))
        self.assertIn("mock-tool-ok", json.dumps(direct[-1][3]["messages"]))
        result, other = self.run_turn("tool", through_gateway=not DIRECT)
        self.assertEqual((result["result"], result["is_error"]), ("The tool ran. Done.", False))
        compare.assert_equal(self, direct, other)

    def test_thinking_is_passed_on_with_its_signature(self):
        result, direct = self.run_turn("carry", through_gateway=False)
        again, other = self.run_turn("carry", through_gateway=not DIRECT)
        self.assertEqual(result["result"], again["result"])
        self.assertIn("mock:" + "S" * 6000, json.dumps(other[-1][3]))
        compare.assert_equal(self, direct, other)


if __name__ == "__main__":
    unittest.main()
