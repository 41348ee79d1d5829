# SPDX-License-Identifier: Apache-2.0
"""Upstreams that are silent: signs of life for the client, and the limits of patience."""

import time

from dialects import CHAT, DIALECTS
from harness import Case, Stack, Upstream, provider, wait_for
from scripted import EVENT_STREAM, HANG, Pause, Script, whole


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

    def timed(self, stack, d, streaming=True):
        at = time.monotonic()
        answer = stack.post(d.path, d.request("m", stream=streaming))
        seconds = time.monotonic() - at
        self.assertGreater(seconds, 0.55)
        self.assertLess(seconds, 2.5)
        return answer

    def check_first_event(self, script):
        for d in DIALECTS:
            with self.subTest(d.name):
                self.up.scripts["m"] = script(d)
                count = len(self.up.cancellations("m"))
                answer = self.timed(self.alone, d)
                self.assertEqual(answer.status, 504)
                self.assertIn("first", d.error_message(answer))
                wait_for("the upstream is cancelled", 1, lambda: len(self.up.cancellations("m")) > count)
                d.assert_complete(self.timed(self.both, d), 10)

    def test_no_head_in_time(self):
        self.check_first_event(lambda d: whole(b"", before=[HANG]))

    def test_no_event_in_time(self):
        self.check_first_event(lambda d: Script([HANG]))

    def test_no_content_in_time(self):
        self.check_first_event(lambda d: Script([*d.held(), HANG]))

    def test_no_whole_answer_in_time(self):
        for d in DIALECTS:
            self.up.scripts["m"] = whole(b"{}", before=[HANG])
            self.assertEqual(self.timed(self.alone, d, streaming=False).status, 504)

    def test_silence_inside_a_stream(self):
        for d in DIALECTS:
            with self.subTest(d.name):
                self.up.scripts["m"] = Script([*d.opening(), d.delta("@0@"), HANG])
                d.assert_broken(self.timed(self.both, d))

    def test_a_stream_that_is_slow_but_not_silent_is_not_cut(self):
        pieces = CHAT.events(6)
        for i in range(1, len(pieces)):
            pieces.insert(2 * i - 1, Pause(0.3))
        self.up.scripts["m"] = Script(pieces)
        CHAT.assert_complete(self.alone.post(CHAT.path, CHAT.request("m")), 6)


class TotalTime(Case):
    def test_a_whole_answer_has_to_end_in_time_and_a_stream_has_not(self):
        up = self.enterContext(Upstream())
        stack = self.enterContext(Stack(provider("up", up.url + "/v1", ["m"]), API_TIMEOUT_MS=700))
        up.scripts["m"] = whole(CHAT.whole(), before=[HANG])
        at = time.monotonic()
        self.assertEqual(stack.post(CHAT.path, CHAT.request("m", stream=False)).status, 504)
        self.assertLess(time.monotonic() - at, 2.5)
        pieces = CHAT.events(6)
        for i in range(1, len(pieces)):
            pieces.insert(2 * i - 1, Pause(0.2))
        up.scripts["m"] = Script(pieces)
        CHAT.assert_complete(stack.post(CHAT.path, CHAT.request("m")), 6)


class SignsOfLife(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        times = {"keepaliveMs": 250, "commitHoldMs": 300}
        cls.stack = cls.enterClassContext(Stack(provider("up", cls.up.url + "/v1", ["m"]), Timeouts=times))

    def check(self, d, before, after):
        """The client gets pings in the silence; without them the bytes are the upstream's."""
        self.up.scripts["m"] = Script([*before, Pause(1.4), *after])
        answer = self.stack.post(d.path, d.request("m"))
        d.assert_complete(answer, 3)
        pings = d.keepalive.findall(answer.body)
        self.assertGreaterEqual(len(pings), 2, answer.body)
        self.assertEqual(d.keepalive.sub(b"", answer.body), b"".join(before + after))

    def test_silence_between_events(self):
        for d in DIALECTS:
            with self.subTest(d.name):
                events = d.events(3)
                split = len(d.opening()) + 1
                self.check(d, events[:split], events[split:])

    def test_silence_behind_the_opening_events(self):
        for d in DIALECTS:
            with self.subTest(d.name):
                self.check(d, d.opening(), d.events(3)[len(d.opening()) :])

    def test_no_sign_of_life_inside_an_event(self):
        for d in DIALECTS:
            with self.subTest(d.name):
                events = d.events(3)
                data = b"".join(events)
                cut = len(b"".join(events[: len(d.opening()) + 1])) + 15
                self.up.scripts["m"] = Script([data[:cut], Pause(0.9), data[cut:]])
                answer = self.stack.post(d.path, d.request("m"))
                self.assertEqual(answer.body, data)

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
