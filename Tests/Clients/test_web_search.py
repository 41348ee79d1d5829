# SPDX-License-Identifier: Apache-2.0
"""Claude Code's search, a request with nothing but a hosted web search: to the route that can search, else told as what it is."""

import http.client
import json
import unittest

from gateway import Gateway, needs_gateway, provider
from strict import StrictUpstream, Text, Turn

SEARCH = {
    "model": "m",
    "max_tokens": 99,
    "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}],
    "messages": [{"role": "user", "content": "Perform a web search for the query: ccr"}],
}


def ask(gateway):
    """Header fields of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    try:
        connection.request("POST", "/v1/messages", json.dumps(SEARCH), {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@needs_gateway
class WebSearch(unittest.TestCase):
    def setUp(self):
        turns = [Turn((Text("fine"),))]
        self.main = self.enterContext(StrictUpstream("chat", turns))
        self.searcher = self.enterContext(StrictUpstream("gemini", turns))
        self.providers = [
            provider("main", self.main.url + "/v1", ["m"], dialects=["chat"]),
            provider("searcher", self.searcher.url + "/v1beta", ["s"], dialects=["gemini"], kind="gemini"),
        ]

    def test_a_search_goes_to_the_route_for_searches(self):
        router = {"default": "main,m", "webSearch": "searcher,s"}
        with Gateway(Providers=self.providers, Router=router) as gateway:
            status, fields, body = ask(gateway)
        self.assertEqual((status, fields["x-ccr-tier"], fields["x-ccr-dropped"]), (200, "searcher", None), body)
        self.assertEqual(self.searcher.requests[0]["tools"], [{"googleSearch": {}}])
        self.assertEqual(self.searcher.refusals + self.main.requests, [])

    def test_without_one_the_tool_is_dropped_and_counted_and_the_model_told(self):
        with Gateway(Providers=self.providers[:1], Router={"default": "main,m"}) as gateway:
            status, fields, body = ask(gateway)
        self.assertEqual((status, fields["x-ccr-dropped"]), (200, "hosted_tool=1"), body)
        request = self.main.requests[0]
        self.assertNotIn("tools", request)
        self.assertIn("no web search", request["messages"][0]["content"])
        self.assertEqual(self.main.refusals, [])


if __name__ == "__main__":
    unittest.main()
