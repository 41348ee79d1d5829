# SPDX-License-Identifier: Apache-2.0
"""Upstreams that are silent: signs of life for the client, and the limits of patience."""

import itertools
import time

from dialects import BY_PATH, CHAT, DIALECTS
from harness import Case, Stack, Upstream, provider, wait_for
from parallel import Background
from scripted import CLOSE, EVENT_STREAM, HANG, Pause, Script, slow, whole


def for_dialect(make):
    """A script that `make` makes from the dialect of the request."""
    return lambda request: make(BY_PATH[request.target])


class Silence(Case):
    """firstEventMs 600 and idleMs 800; the sweep that looks at them runs a few times a second."""

    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        first = provider("first", cls.up.url + "/v1", ["m"])
        second = provider("second", cls.up.url + "/v1", ["fallback"])
        times = {"firstEventMs": 600, "idleMs": 800}
        cls.alone = cls.enterClassContext(Stack(first, Timeouts=times))
        cls.both = cls.enterClassContext(
            Stack(first, second, Router={"tiers": ["second,fallback"]}, Timeouts=times)
        )

    numbers = itertools.count()

    def setUp(self):
        """Each test has a model of its own: one that fails often is passed over, and that is another test's subject."""
        self.name = f"m{next(self.numbers)}"
        self.model = f"first,{self.name}"

    def timed(self, stack, streaming=True):
        """Asks in all dialects at once; returns (dialect, answer) of each."""

        def ask(d):
            at = time.monotonic()
            answer = stack.post(d.path, d.request(self.model, stream=streaming))
            return answer, time.monotonic() - at

        asked = [(d, Background(ask, d)) for d in DIALECTS]
        for d, background in asked:
            answer, seconds = background.result()
            self.assertGreater(seconds, 0.55, d.name)
            self.assertLess(seconds, 2.5, d.name)
            yield d, answer

    def check_first_event(self, make):
        self.up.scripts[self.name] = for_dialect(make)
        count = len(self.up.cancellations(self.name))
        for d, answer in self.timed(self.alone):
            with self.subTest(d.name):
                self.assertEqual(answer.status, 504)
                self.assertIn("first", d.error_message(answer))
        wait_for("the upstream is cancelled", 1, lambda: len(self.up.cancellations(self.name)) == count + 3)
        for d, answer in self.timed(self.both):
            with self.subTest(d.name):
                d.assert_complete(answer, 10)

    def test_no_head_in_time(self):
        self.check_first_event(lambda d: whole(b"", before=[HANG]))

    def test_a_head_that_does_not_end(self):
        begun = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        self.check_first_event(lambda d: Script([], before=[begun, HANG]))

    def test_no_event_in_time(self):
        self.check_first_event(lambda d: Script([HANG]))

    def test_no_content_in_time(self):
        self.check_first_event(lambda d: Script([*d.opening(), HANG]))

    def test_no_whole_answer_in_time(self):
        self.up.scripts[self.name] = whole(b"{}", before=[HANG])
        for d, answer in self.timed(self.alone, streaming=False):
            self.assertEqual(answer.status, 504, d.name)

    def test_silence_inside_a_stream(self):
        self.up.scripts[self.name] = for_dialect(lambda d: Script([*d.opening(), d.delta("@0@"), HANG]))
        for d, answer in self.timed(self.both):
            with self.subTest(d.name):
                d.assert_broken(answer)

    def test_a_stream_that_is_slow_but_not_silent_is_not_cut(self):
        self.up.scripts[self.name] = slow(CHAT.events(6), 0.3)
        CHAT.assert_complete(self.alone.post(CHAT.path, CHAT.request(self.model)), 6)


class SlowHead(Case):
    def test_a_slow_head_is_not_sent_before_it_is_whole(self):
        """The time to hold a stream's opening begins with the end of its head."""
        up = self.enterContext(Upstream())
        stack = self.enterContext(Stack(provider("up", up.url + "/v1", ["m"]), Timeouts={"commitHoldMs": 0}))
        begun = b"HTTP/1.1 201 OK\r\nContent-Type: text/event-stream\r\nX-First: 1\r\n"
        rest = b"X-Last: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
        data = b"".join(CHAT.events(3))
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)
        up.scripts["m"] = Script([], before=[begun, Pause(0.6), rest + body, CLOSE])
        answer = stack.post(CHAT.path, CHAT.request("m"))
        self.assertEqual((answer.status, answer.header("x-first"), answer.header("x-last")), (201, "1", "2"))
        CHAT.assert_complete(answer, 3)


class TotalTime(Case):
    def test_a_whole_answer_has_to_end_in_time_and_a_stream_has_not(self):
        up = self.enterContext(Upstream())
        stack = self.enterContext(Stack(provider("up", up.url + "/v1", ["m"]), API_TIMEOUT_MS=700))
        up.scripts["m"] = whole(CHAT.whole(), before=[HANG])
        at = time.monotonic()
        self.assertEqual(stack.post(CHAT.path, CHAT.request("m", stream=False)).status, 504)
        self.assertLess(time.monotonic() - at, 2.5)
        up.scripts["m"] = slow(CHAT.events(6), 0.2)
        CHAT.assert_complete(stack.post(CHAT.path, CHAT.request("m")), 6)


class SignsOfLife(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        times = {"keepaliveMs": 250, "commitHoldMs": 300}
        cls.stack = cls.enterClassContext(Stack(provider("up", cls.up.url + "/v1", ["m"]), Timeouts=times))

    def check(self, split):
        """The client gets pings in the silence; without them the bytes are the upstream's."""

        def make(d):
            events = d.events(3)
            return Script([*events[: split(d)], Pause(3), *events[split(d) :]])

        for d, answer in self.asked(make):
            with self.subTest(d.name):
                d.assert_complete(answer, 3)
                pings = d.keepalive.findall(answer.body)
                self.assertGreaterEqual(len(pings), 2, answer.body)
                self.assertEqual(d.keepalive.sub(b"", answer.body), b"".join(d.events(3)))

    def asked(self, make):
        """Asks in all dialects at once; returns (dialect, answer) of each."""
        self.up.scripts["m"] = for_dialect(make)
        running = [(d, Background(self.stack.post, d.path, d.request("m"))) for d in DIALECTS]
        return [(d, background.result()) for d, background in running]

    def test_silence_between_events(self):
        self.check(lambda d: len(d.opening()) + 1)

    def test_silence_behind_the_opening_events(self):
        self.check(lambda d: len(d.opening()))

    def test_no_sign_of_life_inside_an_event(self):
        def make(d):
            events = d.events(3)
            data = b"".join(events)
            cut = len(b"".join(events[: len(d.opening()) + 1])) + 15
            return Script([data[:cut], Pause(0.9), data[cut:]])

        for d, answer in self.asked(make):
            with self.subTest(d.name):
                self.assertEqual(answer.body, b"".join(d.events(3)))

    def test_no_sign_of_life_in_an_answer_that_is_no_stream(self):
        body = CHAT.whole()
        self.up.scripts["m"] = Script(
            [body[:20], Pause(0.9), body[20:]], headers=[("Content-Type", "application/json")]
        )
        self.assertEqual(self.stack.post(CHAT.path, CHAT.request("m", stream=False)).body, body)

    def test_a_stream_with_a_length(self):
        """The signs of life come on top of the length, so it must not be promised to the client."""
        events = CHAT.events(3)
        length = [EVENT_STREAM, ("Content-Length", str(sum(map(len, events))))]
        self.up.scripts["m"] = Script(
            [b"".join(events[:2]), Pause(0.9), b"".join(events[2:])], headers=length, framing="close"
        )
        answer = self.stack.post(CHAT.path, CHAT.request("m"))
        CHAT.assert_complete(answer, 3)
        self.assertEqual(CHAT.keepalive.sub(b"", answer.body), b"".join(events))
