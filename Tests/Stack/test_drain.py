# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: what runs finishes, nothing new is taken, the exit status is 0; a second one ends everything."""

import signal
import socket
import subprocess
import time

from dialects import CHAT, MESSAGES
from harness import Case, Stack, Upstream, exists, provider, wait_for
from parallel import Background
from scripted import HANG, Pause, Script, whole
from wire import Wire, post_bytes


class Drain(Case):
    def setUp(self):
        self.up = self.enterContext(Upstream())

    def start(self, **config):
        return self.enterContext(Stack(provider("up", self.up.url + "/v1", ["m", "whole"]), **config))

    def term(self, stack):
        stack.process.send_signal(signal.SIGTERM)
        stack.wait_for_log("draining")

    def ended(self, stack, seconds):
        try:
            return stack.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"no end within {seconds} s\n{stack.tail()}") from None

    def test_running_requests_finish_and_new_ones_are_refused(self):
        stack = self.start()
        released = []

        def held(request):
            def pieces():
                events = CHAT.events(5)
                yield from events[:3]
                wait_for("the release", 10, lambda: released)
                yield from events[3:]

            return Script(pieces())

        self.up.scripts["m"] = held
        self.up.scripts["whole"] = whole(b'{"ok":1}', before=[Pause(0.5)])
        with stack.stream(CHAT.path, CHAT.request("m")) as wire, Wire(stack.port) as idle:
            wire.read_until(b"@0@")
            answer = Background(stack.post, CHAT.path, CHAT.request("whole", stream=False))
            wait_for("the request", 2, self.up.seen, "whole")
            children = stack.children()
            self.term(stack)

            def refused():
                try:
                    socket.create_connection(("127.0.0.1", stack.port), 1).close()
                except (ConnectionRefusedError, ConnectionResetError):
                    return True

            wait_for("connections are refused", 2, refused)
            self.assertEqual(answer.result().body, b'{"ok":1}')
            self.assertIsNone(stack.process.poll(), "the stack ended with a stream running")
            released.append(True)
            CHAT.assert_complete(wire.read_body(), 5)
            self.assertEqual(self.ended(stack, 3), 0)
            self.assertEqual(idle.wait_end(), b"")
        wait_for("the end of all children", 1, lambda: not any(map(exists, children.values())))

    def test_an_idle_stack_ends_at_once(self):
        stack = self.start()
        at = time.monotonic()
        stack.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.ended(stack, 2), 0)
        self.assertLess(time.monotonic() - at, 1)

    def test_a_second_signal_ends_everything_at_once(self):
        stack = self.start()
        self.up.scripts["m"] = Script(CHAT.events(5)[:3] + [HANG])
        with stack.stream(CHAT.path, CHAT.request("m")) as wire:
            wire.read_until(b"@0@")
            children = stack.children()
            self.term(stack)
            self.assertTrue(exists(children["worker up"]))
            stack.process.send_signal(signal.SIGTERM)
            self.ended(stack, 1)
            self.assertNotEqual(wire.read_body().ending, "complete")
        wait_for("the end of all children", 1, lambda: not any(map(exists, children.values())))

    def test_the_limit_cuts_what_does_not_end(self):
        stack = self.start(Timeouts={"drainMs": 400})
        self.up.scripts["m"] = Script(MESSAGES.events(5)[:3] + [HANG])
        with stack.stream(MESSAGES.path, MESSAGES.request("m")) as wire:
            wire.read_until(b"@0@")
            at = time.monotonic()
            self.term(stack)
            self.assertEqual(self.ended(stack, 3), 0)
            self.assertGreater(time.monotonic() - at, 0.35)
            self.assertLess(time.monotonic() - at, 1.5)
            self.assertNotEqual(wire.read_body().ending, "complete")
        wait_for("the upstream is cancelled", 2, self.up.cancellations, "m")

    def test_a_client_that_is_sending_its_request_may_finish(self):
        stack = self.start()
        raw = post_bytes(CHAT.path, CHAT.request("m"))
        with Wire(stack.port) as wire:
            wire.send(raw[:-5])
            # Another request on the same loop: the front has read the first part.
            stack.get("/health")
            self.term(stack)
            wire.send(raw[-5:])
            CHAT.assert_complete(wire.read_answer(), 10)
            self.assertEqual(self.ended(stack, 3), 0)
