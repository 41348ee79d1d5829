# SPDX-License-Identifier: Apache-2.0
"""What the unmodified agents do beside the conversation goes where the operator wants it, told from what they send."""

import contextlib
import json
import pathlib
import tempfile
import unittest

from agents import Claude, Codex
from gateway import Gateway, needs_gateway, provider
from mocks import Mock

ROUTES = {kind: f"mock,for-{kind}" for kind in ("background", "subagent", "webSearch", "compact")}
MODELS = ["main", *(route.split(",")[1] for route in ROUTES.values())]


@needs_gateway
class Routes(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="ccr-routes.")))

    @contextlib.contextmanager
    def gateway(self, kind, scenario, *arguments):
        """A mock and a gateway in front of it that routes by kind; the mock logs which model it was asked for."""
        with Mock(kind, scenario, self.folder, *arguments) as mock:
            dialect = {"codexmock": "responses", "claudemock": "messages"}[kind]
            upstream = provider("mock", mock.url + "/v1", MODELS, dialects=[dialect])
            with Gateway(Providers=[upstream], Router={"default": "mock,main", "tiers": [], **ROUTES}) as gateway:
                yield mock, gateway.url

    def models(self, mock, suffix):
        return [body["model"] for _, _, _, body in mock.requests(suffix)]

    def test_codexs_spawned_agent(self):
        with self.gateway("codexmock", "subagent") as (mock, url):
            done = Codex(self.folder, url, "main").exec("delegate", proxy=mock.url)
            self.assertEqual(done.returncode, 0, done.stderr[-2000:])
            asked = self.models(mock, "/responses")
        # The child has one turn, the root at least two: to spawn it, and to end.
        self.assertEqual(asked.count("for-subagent"), 1, asked)
        self.assertEqual(set(asked), {"main", "for-subagent"})

    def test_codexs_compaction(self):
        with self.gateway("codexmock", "big-usage", "--set", "tokens=300000") as (mock, url):
            done = Codex(self.folder, url, "main").exec("work long", proxy=mock.url)
            self.assertEqual(done.returncode, 0, done.stderr[-2000:])
            asked = self.models(mock, "/responses")
        self.assertGreaterEqual(asked.count("for-compact"), 1, asked)
        self.assertEqual(set(asked), {"main", "for-compact"})

    def claude(self, url, *arguments):
        done, result = Claude(self.folder, url, "main", ENABLE_TOOL_SEARCH="false").print("do it", *arguments)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
        return result

    def test_claude_codes_search(self):
        call = json.dumps({"name": "WebSearch", "input": {"query": "swift 6 release date"}})
        with self.gateway("claudemock", "tool-any", "--arg", call) as (mock, url):
            self.claude(url)
            requests = mock.requests("/messages")
        by_model = {body["model"]: body for _, _, _, body in requests}
        self.assertEqual(set(by_model), {"main", "for-webSearch"})
        self.assertEqual([t["name"] for t in by_model["for-webSearch"]["tools"]], ["web_search"])

    def test_claude_codes_subagent(self):
        task = {"description": "d", "prompt": "answer", "subagent_type": "general-purpose"}
        call = json.dumps({"name": "Agent", "input": task})
        with self.gateway("claudemock", "tool-any", "--arg", call) as (mock, url):
            self.claude(url)
            asked = self.models(mock, "/messages")
        self.assertIn("for-subagent", asked)
        self.assertEqual(set(asked), {"main", "for-subagent"})


if __name__ == "__main__":
    unittest.main()
