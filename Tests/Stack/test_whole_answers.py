# SPDX-License-Identifier: Apache-2.0
"""Router.forceNonStreaming: providers are asked for whole answers, clients that stream get a stream of them."""

import json

from dialects import BY_PATH, DIALECTS
from harness import Case, Stack, Upstream, provider, wait_for
from scripted import Pause, whole


class WholeAnswers(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        url = cls.up.url + "/v1"
        cls.up.scripts["whole"] = lambda request: whole(BY_PATH[request.target].whole())
        cls.stack = cls.enterClassContext(
            Stack(
                provider("whole", url, ["whole"]),
                provider("streams", url, ["streamed"], allow_streaming=True),
                Router={"forceNonStreaming": True},
                Timeouts={"commitHoldMs": 300, "keepaliveMs": 300, "firstEventMs": 3000},
            )
        )

    def asked(self, model):
        """The last body that the provider was asked with."""
        return json.loads([r for r in self.up.requests if r.model == model][-1].body)

    def test_the_client_streams_and_the_provider_does_not(self):
        for d in DIALECTS:
            with self.subTest(d.name):
                answer = self.stack.post(d.path, d.request("whole"))
                self.assertEqual((answer.status, answer.ending), (200, "complete"))
                self.assertEqual(answer.header("content-type"), "text/event-stream; charset=utf-8")
                self.assertIn(d.terminal, answer.body)
                self.assertNotIn("stream", {k for k, v in self.asked("whole").items() if v is not False})
                self.assertNotIn("stream_options", self.asked("whole"))

    def test_a_client_that_wants_it_whole_gets_the_provider_s_bytes(self):
        for d in DIALECTS:
            with self.subTest(d.name):
                answer = self.stack.post(d.path, d.request("whole", stream=False))
                self.assertEqual(answer.body, d.whole())

    def test_an_exception_streams(self):
        for d in DIALECTS:
            with self.subTest(d.name):
                d.assert_complete(self.stack.post(d.path, d.request("streamed")), 10)
                self.assertIs(self.asked("streamed")["stream"], True)

    def test_pings_while_the_provider_thinks(self):
        self.up.scripts["slow"] = lambda request: whole(BY_PATH[request.target].whole(), before=[Pause(1.5)])
        for d in DIALECTS:
            with self.subTest(d.name):
                answer = self.stack.post(d.path, d.request("whole,slow"))
                self.assertEqual((answer.status, answer.ending), (200, "complete"))
                self.assertIsNotNone(d.keepalive.search(answer.body), answer.body)
                self.assertIn(d.terminal, answer.body)

    def test_a_refusal_keeps_its_status_as_long_as_nothing_was_sent(self):
        error = b'{"error":{"message":"no such thing","type":"invalid_request_error"}}'
        self.up.scripts["refused"] = whole(error, status=400)
        self.up.scripts["late"] = whole(error, status=400, before=[Pause(0.9)])
        for d in DIALECTS:
            with self.subTest(d.name):
                answer = self.stack.post(d.path, d.request("whole,refused"))
                self.assertEqual(answer.status, 400)
                self.assertIn("no such thing", d.error_message(answer))
                answer = self.stack.post(d.path, d.request("whole,late"))
                self.assertEqual(answer.status, 200)
                self.assertIn(b"no such thing", answer.body)
                d.assert_broken(answer)

    def test_a_provider_that_never_answers(self):
        self.up.scripts["never"] = whole(b"{}", before=[Pause(30)])
        for d in DIALECTS[:1]:
            with self.subTest(d.name):
                answer = self.stack.post(d.path, d.request("whole,never"))
                self.assertEqual(answer.status, 200)
                d.assert_broken(answer)
        wait_for("the upstream is cancelled", 2, lambda: self.up.cancellations("never"))
