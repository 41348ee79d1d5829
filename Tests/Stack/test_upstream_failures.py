# SPDX-License-Identifier: Apache-2.0
"""Upstreams that break, refuse or report errors: before the commit another one is asked, after it the client is told."""

import contextlib
import itertools

from dialects import CHAT, DIALECTS, event
from harness import Case, Stack, Upstream, free_port, provider
from scripted import CLOSE, JSON, RESET, Pause, Script, whole

MODELS = ["m"]
SECRET_QUERY = "?token=query-secret"


class Base(Case):
    """One stack with a provider alone, one with a second provider that always answers."""

    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        first = provider("first", cls.up.url + "/v1" + SECRET_QUERY, MODELS)
        second = provider("second", cls.up.url + "/v1", ["fallback"])
        # Waits are another test's subject.
        short = {"RATE_LIMIT_MAX_TOTAL_WAIT_MS": 100}
        cls.alone = cls.enterClassContext(Stack(first, **short))
        cls.both = cls.enterClassContext(Stack(first, second, Router={"tiers": ["second,fallback"]}, **short))

    numbers = itertools.count()

    @contextlib.contextmanager
    def scripted(self, d, script):
        """A subtest with this script; `script` makes it from the dialect. Each has a model of its own: a model that fails
        often is passed over, and that is another test's subject."""
        name = f"m{next(self.numbers)}"
        self.model = f"first,{name}"
        self.up.scripts[name] = script(d)
        with self.subTest(d.name):
            yield

    def assert_second_answers(self, d, streaming=True):
        answer = self.both.post(d.path, d.request(self.model, stream=streaming))
        self.assertEqual((answer.status, answer.header("x-ccr-tier")), (200, "second"), answer.body[:300])
        if streaming:
            d.assert_complete(answer, 10)
        else:
            self.assertEqual(answer.body, d.whole())

    def assert_error(self, d, statuses, streaming=True):
        answer = self.alone.post(d.path, d.request(self.model, stream=streaming))
        self.assertIn(answer.status, statuses, answer.body[:300])
        message = d.error_message(answer)
        self.assertIn("first", message, "the provider is not named")
        for secret in (b"query-secret", b"sk-upstream"):
            self.assertNotIn(secret, answer.head + answer.body)
        return answer


class BehindTheCommit(Base):
    def test_an_upstream_that_dies_in_mid_stream(self):
        for end in (CLOSE, RESET):
            for count in (1, 5):
                for d in DIALECTS:
                    with self.scripted(
                        d, lambda d: Script(d.events(count)[: len(d.opening()) + count] + [Pause(0.05), end])
                    ):
                        answer = self.both.post(d.path, d.request(self.model))
                        self.assertIn(b"@%d@" % (count - 1), answer.body)
                        d.assert_broken(answer)

    def test_an_upstream_that_dies_inside_an_event(self):
        for d in DIALECTS:
            with self.scripted(
                d, lambda d: Script([*d.opening(), d.delta("@0@"), d.delta("@1@")[:20], Pause(0.05), CLOSE])
            ):
                answer = self.both.post(d.path, d.request(self.model))
                self.assertNotIn(d.terminal, answer.body)
                self.assertEqual(answer.ending, "broken", answer.body[-300:])

    def test_a_stream_that_ends_cleanly_without_its_terminal_event(self):
        for framing in ("chunked", "close", "length"):
            for d in DIALECTS:
                with self.scripted(d, lambda d: Script([*d.opening(), d.delta("@0@")], framing=framing)):
                    d.assert_broken(self.both.post(d.path, d.request(self.model)))

    def test_an_error_event_in_mid_stream_reaches_the_client_as_it_is(self):
        for d in DIALECTS:
            with self.scripted(
                d, lambda d: Script([*d.opening(), d.delta("@0@"), Pause(0.2), d.error_event("scripted")])
            ):
                answer = self.both.post(d.path, d.request(self.model))
                self.assertTrue(answer.body.endswith(d.error_event("scripted")), answer.body[-300:])
                self.assertNotIn(d.terminal, answer.body)

    def test_bytes_behind_the_terminal_event_do_not_matter(self):
        for end in (CLOSE, RESET):
            for d in DIALECTS:
                with self.scripted(d, lambda d: Script(d.events(3) + [Pause(0.02), end])):
                    answer = self.both.post(d.path, d.request(self.model))
                    d.assert_complete(answer, 3)

    def test_a_whole_answer_that_is_cut(self):
        cut = [b'{"id":"x",', Pause(0.05), CLOSE]
        for script in (
            Script(cut, headers=[JSON]),
            Script(cut[:1], headers=[JSON, ("Content-Length", "100")], framing="close"),
        ):
            for d in DIALECTS:
                with self.scripted(d, lambda d: script):
                    self.assert_second_answers(d, streaming=False)
                    self.assert_error(d, (502,), streaming=False)


class BeforeTheCommit(Base):
    def check(self, script, statuses=(502,)):
        for streaming in (True, False):
            for d in DIALECTS:
                with self.scripted(d, script):
                    self.assert_second_answers(d, streaming)
                    self.assert_error(d, statuses, streaming)

    def test_an_upstream_that_closes_before_its_head(self):
        self.check(lambda d: Script([], before=[CLOSE]))

    def test_an_upstream_that_resets_before_its_head(self):
        self.check(lambda d: Script([], before=[RESET]))

    def test_an_upstream_that_sends_no_http(self):
        self.check(lambda d: Script([], before=[b"SSH-2.0-OpenSSH_9.2\r\n\r\n", CLOSE]))

    def test_an_upstream_that_dies_behind_its_head(self):
        for d in DIALECTS:
            with self.scripted(d, lambda d: Script([CLOSE])):
                self.assert_second_answers(d)
                self.assert_error(d, (502,))

    def test_an_upstream_that_dies_behind_the_opening_events(self):
        for d in DIALECTS:
            with self.scripted(d, lambda d: Script([*d.opening(), CLOSE])):
                self.assert_second_answers(d)
                self.assert_error(d, (502,))

    def test_an_empty_stream(self):
        for d in DIALECTS:
            with self.scripted(d, lambda d: Script([])):
                self.assert_second_answers(d)
                self.assert_error(d, (502,))

    def test_an_error_as_first_event_inside_http_200(self):
        for opening in (False, True):
            for d in DIALECTS:
                with self.scripted(
                    d, lambda d: Script([*(d.opening() if opening else []), d.error_event("scripted failure")])
                ):
                    self.assert_second_answers(d)
                    answer = self.assert_error(d, (500, 502, 503, 529))
                    self.assertNotEqual(answer.header("content-type"), "text/event-stream")

    def test_an_error_document_inside_http_200(self):
        for d in DIALECTS:
            with self.scripted(d, lambda d: whole(b'{"error":{"message":"scripted","type":"server_error"}}')):
                self.assert_second_answers(d, streaming=False)
                answer = self.alone.post(d.path, d.request(self.model, stream=False))
                self.assertGreaterEqual(answer.status, 400)

    def test_overloaded_upstreams(self):
        for status in (429, 500, 502, 503, 529):
            for d in DIALECTS:
                with self.scripted(d, lambda d: whole(b'{"error":{"message":"busy"}}', status)):
                    self.assert_second_answers(d)

    def test_errors_that_are_the_clients_go_to_no_other_candidate(self):
        for status in (400, 413, 422):
            for d in DIALECTS:
                with self.scripted(d, lambda d: whole(b'{"error":{"message":"bad"}}', status)):
                    answer = self.both.post(d.path, d.request(self.model))
                    self.assertEqual((answer.status, answer.body), (status, b'{"error":{"message":"bad"}}'))

    def test_a_single_provider_at_its_limit_is_passed_on(self):
        body = b'{"error" : {"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}'
        limited = [JSON, ("Retry-After", "170"), ("x-ratelimit-reset-requests", "170s"), ("request-id", "r1")]
        for d in DIALECTS:
            with self.scripted(d, lambda d: whole(body, 429, limited)):
                answer = self.alone.post(d.path, d.request(self.model))
                self.assertEqual((answer.status, answer.body), (429, body))
                for name, value in limited:
                    self.assertEqual(answer.header(name.lower()), value)

    def test_when_all_candidates_fail_the_last_answers(self):
        limited = [JSON, ("Retry-After", "3")]
        self.up.scripts["fallback"] = whole(b'{"error":{"message":"last"}}', 503, limited)
        self.addCleanup(self.up.scripts.pop, "fallback")
        for d in DIALECTS:
            # What the last one says holds for a while, so that each dialect needs a stack of its own.
            config = {k: v for k, v in self.both.config.items() if k not in ("PORT", "STATE_DIR")}
            with self.scripted(d, lambda d: Script([], before=[CLOSE])), Stack(**config) as stack:
                answer = stack.post(d.path, d.request(self.model))
                self.assertEqual((answer.status, answer.header("retry-after")), (503, "3"))


class Unreachable(Case):
    def test_nobody_listens(self):
        up = self.enterContext(Upstream())
        port = free_port()
        providers = [
            provider("gone", f"http://127.0.0.1:{port}/v1{SECRET_QUERY}", ["m"]),
            provider("nowhere", f"http://no-such-host.invalid/v1{SECRET_QUERY}", ["n"]),
        ]
        alone = self.enterContext(Stack(*providers))
        both = self.enterContext(
            Stack(*providers, provider("there", up.url + "/v1", ["ok"]), Router={"tiers": ["there,ok"]})
        )
        for d in DIALECTS:
            for name, model in (("gone", "m"), ("nowhere", "n")):
                with self.subTest(d.name, provider=name):
                    answer = alone.post(d.path, d.request(model))
                    self.assertEqual(answer.status, 502)
                    self.assertIn(name, d.error_message(answer))
                    for secret in (b"query-secret", b"sk-upstream", str(port).encode() + b"/v1"):
                        self.assertNotIn(secret, answer.body)
                    d.assert_complete(both.post(d.path, d.request(model)), 10)
        self.assertNotIn("query-secret", alone.log_text())

    def test_events_that_are_no_json_are_not_fatal(self):
        up = self.enterContext(Upstream())
        stack = self.enterContext(Stack(provider("up", up.url + "/v1", ["m"])))
        odd = [event("no json"), event("{"), event('{"choices":7}')]
        up.scripts["m"] = Script(CHAT.opening() + odd + CHAT.events(3)[1:])
        answer = stack.post(CHAT.path, CHAT.request("m"))
        CHAT.assert_complete(answer, 3)
        self.assertIn(b"".join(odd), answer.body)
