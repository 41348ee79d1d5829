# SPDX-License-Identifier: Apache-2.0
"""The helpers against themselves: what the scripted upstream is told to do is what the wire client sees."""

import time
import unittest

from dialects import CHAT, DIALECTS
from scripted import CLOSE, HANG, RESET, Pause, Script, Upstream, slow, whole
from wire import NoAnswer, Wire, post, request_bytes, stream

from harness import wait_for


class Helpers(unittest.TestCase):
    def setUp(self):
        self.up = self.enterContext(Upstream())

    def test_streams_and_whole_answers_without_a_script(self):
        for d in DIALECTS:
            d.assert_complete(post(self.up.port, d.path, d.request("any")), 10)
            answer = post(self.up.port, d.path, d.request("any", stream=False))
            self.assertEqual((answer.body, answer.ending), (d.whole(), "complete"))

    def test_every_byte_alone(self):
        self.up.scripts["m"] = Script(CHAT.events(3), alone=True)
        CHAT.assert_complete(post(self.up.port, CHAT.path, CHAT.request("m")), 3)

    def test_ends_of_connections(self):
        expected = {
            "closed": Script([b"x", CLOSE], framing="close"),
            "broken": Script([b"x", CLOSE]),
            "complete": Script([b"x"], framing="length"),
        }
        for ending, script in expected.items():
            self.up.scripts["m"] = script
            self.assertEqual(post(self.up.port, CHAT.path, CHAT.request("m")).ending, ending)
        self.up.scripts["m"] = Script([b"x", Pause(0.05), RESET])
        self.assertEqual(post(self.up.port, CHAT.path, CHAT.request("m")).ending, "broken")
        self.up.scripts["m"] = Script([], before=[RESET])
        with self.assertRaises(NoAnswer):
            post(self.up.port, CHAT.path, CHAT.request("m"))

    def test_cancelled_answers_are_counted_at_once(self):
        for script in (slow(CHAT.events(3), 30), whole(b"", before=[HANG])):
            self.up.scripts["m"], self.up.cancelled = script, []
            wire = Wire(self.up.port)
            wire.send(request_bytes("POST", CHAT.path, b'{"model":"m"}'))
            wait_for("the request", 2, self.up.seen, "m")
            at = time.monotonic()
            wire.socket.close()
            [gone] = wait_for("the cancellation", 2, self.up.cancellations, "m")
            self.assertLess(gone - at, 0.2)

    def test_requests_are_recorded(self):
        post(self.up.port, CHAT.path + "?a=b", b'{"model": "m"}', [("X-Odd", "1"), ("X-Odd", "2")])
        [request] = self.up.seen("m")
        self.assertEqual(request.target, CHAT.path + "?a=b")
        self.assertEqual((request.all("x-odd"), request.body), (["1", "2"], b'{"model": "m"}'))

    def test_failure_marks(self):
        broken = CHAT.events(3)[:3] + [b'data: {"error":{"message":"x"}}\n\n', CLOSE]
        self.up.scripts["m"] = Script(broken)
        CHAT.assert_broken(post(self.up.port, CHAT.path, CHAT.request("m")))
        for bad in (CHAT.events(3), broken[:-1], broken[:3] + [CLOSE]):
            self.up.scripts["m"] = Script(bad)
            with self.assertRaises(AssertionError):
                CHAT.assert_broken(post(self.up.port, CHAT.path, CHAT.request("m")))

    def test_streams_are_read_piece_by_piece(self):
        self.up.scripts["m"] = slow(CHAT.events(3), 0.05)
        with stream(self.up.port, CHAT.path, CHAT.request("m")) as wire:
            self.assertNotIn(b"@2@", wire.read_until(b"@1@").body)
            CHAT.assert_complete(wire.read_body(), 3)
