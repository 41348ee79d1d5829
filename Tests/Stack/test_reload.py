# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: the new configuration is in force, no stream is cut, a wrong one changes nothing."""

import json
import re
import signal

from dialects import BY_PATH, CHAT
from harness import ECHO, Case, Stack, Upstream, exists, provider, wait_for
from parallel import Load, Streams
from scripted import HANG, Pause, Script, slow, whole
from wire import Wire, post_bytes

DELTAS = 25


class ReloadUnderLoad(Case):
    def test_no_error_and_no_cut_stream(self):
        up = self.enterContext(Upstream())
        up.scripts["paced"] = lambda request: slow(BY_PATH[request.target].events(DELTAS), 0.12)
        stack = self.enterContext(Stack(ECHO, provider("up", up.url + "/v1", ["paced"])))
        with Load(stack.port, rate=200) as load:
            streams = Streams(stack.port, "paced", 50)
            wait_for("the load", 10, lambda: load.count > 50)
            old = stack.child("front")
            stack.reload(Providers=[ECHO, provider("up", up.url + "/v1", ["paced", "new-model"])])
            stack.wait_replaced("front", old)
            self.assertIn("new-model", stack.model_names())
            reloaded_at = load.count
            # Every client sends several requests to the new front.
            wait_for("requests after the reload", 10, lambda: load.count > reloaded_at + 100)
            stack.reload(Providers=[ECHO, provider("up", up.url + "/v1", ["paced", "newer-model"])])
            wait_for("requests after the reload", 10, lambda: load.count > reloaded_at + 300)
            streams.assert_complete(DELTAS)
        load.assert_no_failure(at_least=300)
        self.assertIn("newer-model", stack.model_names())
        wait_for("the end of the old fronts", 10, lambda: not exists(old))


class Reload(Case):
    def setUp(self):
        self.up = self.enterContext(Upstream())
        self.stack = self.enterContext(Stack(ECHO, provider("up", self.up.url + "/v1", ["m"])))

    def test_a_changed_provider_gets_a_new_worker_and_the_old_one_finishes(self):
        first = len(CHAT.opening()) + 1
        events = CHAT.events(5)
        release = []

        def held(request):
            def pieces():
                yield from events[:first]
                wait_for("the reload", 10, lambda: release)
                yield from events[first:]

            return Script(pieces())

        self.up.scripts["m"] = held
        old, echo = self.stack.child("worker up"), self.stack.child("worker echo")
        with self.stack.stream(CHAT.path, CHAT.request("m")) as wire:
            wire.read_until(b"@0@")
            changed = provider("up", self.up.url + "/v1", ["m"], api_key="sk-changed")
            self.stack.reload(Providers=[ECHO, changed])
            self.stack.wait_replaced("worker up", old, 2)
            del self.up.scripts["m"]
            CHAT.assert_complete(self.stack.post(CHAT.path, CHAT.request("m")), 10)
            keys = [r.header("authorization") for r in self.up.seen("m")]
            self.assertEqual(keys, ["Bearer sk-upstream", "Bearer sk-changed"])
            self.assertTrue(exists(old), "the old worker ended with a stream running in it")
            release.append(True)
            CHAT.assert_complete(wire.read_body(), 5)
        wait_for("the end of the old worker", 5, lambda: not exists(old))
        self.assertEqual(self.stack.child("worker echo"), echo, "an unchanged worker was replaced")

    def test_a_connection_that_was_promised_to_stay_takes_another_request(self):
        """The answer was begun by the old front; the client cannot know that it is on its way out."""
        self.up.scripts["m"] = whole(CHAT.whole(), before=[Pause(0.5)])
        with Wire(self.stack.port) as wire:
            wire.send(post_bytes(CHAT.path, CHAT.request("m", stream=False)))
            wait_for("the request", 3, self.up.seen, "m")
            old = self.stack.child("front")
            self.stack.reload(ModelAliases={"other": "up,m"})
            self.assertIsNone(wire.read_answer().header("connection"))
            self.assertTrue(exists(old), "the old front ended with a request running")
            wire.send(post_bytes(CHAT.path, CHAT.request("echo")))
            answer = wire.read_answer()
            self.assertEqual((answer.status, answer.header("connection")), (200, "close"))
        wait_for("the end of the old front", 5, lambda: not exists(old))

    def test_a_broken_configuration_is_refused(self):
        good = dict(self.stack.config)
        for text, expected in (
            (
                json.dumps({**good, "Limits": {"connections": "many"}}),
                r":\d+:\d+: error: Limits\.connections: ",
            ),
            (json.dumps(good)[:-1], r":\d+:\d+: error: "),
            (
                json.dumps({**good, "Router": {"default": "nobody,m"}}),
                r":\d+:\d+: error: Router\.default: .*nobody",
            ),
            (json.dumps({**good, "Providers": []}), r":\d+:\d+: error: Providers: "),
        ):
            with self.subTest(expected):
                start, pids = len(self.stack.log_text()), self.stack.children()
                self.stack.path.write_text(text)
                self.stack.process.send_signal(signal.SIGHUP)
                self.stack.wait_for_log(re.escape(str(self.stack.path)) + expected, 3, start)
                self.stack.wait_for_log("stays in force", 3, start)
                CHAT.assert_complete(self.stack.post(CHAT.path, CHAT.request("m")), 10)
                self.assertEqual(self.stack.children(), pids)
        self.stack.reload(Providers=[ECHO, provider("up", self.up.url + "/v1", ["m", "later"])])
        self.assertIn("later", self.stack.model_names())

    def test_providers_come_and_go(self):
        self.stack.reload(Providers=[ECHO])
        wait_for(
            "the worker of the removed provider ends", 5, lambda: "worker up" not in self.stack.children()
        )
        self.assertEqual(self.stack.post(CHAT.path, CHAT.request("up,m")).status, 404)
        self.stack.reload(Providers=[ECHO, provider("again", self.up.url + "/v1", ["m"], workers=2)])
        CHAT.assert_complete(self.stack.post(CHAT.path, CHAT.request("again,m")), 10)
        self.assertEqual(len([n for n in self.stack.health() if n.startswith("worker")]), 2)

    def test_limits_change_with_a_reload(self):
        big = CHAT.request("m", text="x" * 20_000)
        self.assertEqual(self.stack.post(CHAT.path, big).status, 200)
        self.stack.reload(Limits={"bodyBytes": 10_000})
        self.assertEqual(self.stack.post(CHAT.path, big).status, 413)

    def test_a_hanging_request_does_not_hold_up_the_reload(self):
        self.up.scripts["m"] = Script([], before=[HANG])
        with Wire(self.stack.port) as wire:
            wire.send(post_bytes(CHAT.path, CHAT.request("m")))
            wait_for("the request", 3, self.up.seen, "m")
            self.stack.reload(ModelAliases={"other": "up,m"})
            self.assertIn("other", self.stack.model_names())
