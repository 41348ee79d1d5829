# SPDX-License-Identifier: Apache-2.0
"""Failures that no client notices: outages, limits, bad keys, dead workers, under load."""

import collections
import concurrent.futures
import json
import threading
import time

from dialects import CHAT, DIALECTS, MESSAGES
from harness import Case, Stack, Upstream, free_port, provider, wait_for
from parallel import Background
from scripted import JSON, slow, whole
from wire import Wire, post_bytes

BUSY = b'{"error":{"message":"busy","type":"requests","code":"rate_limit_exceeded"}}'


def together(count, width, ask):
    """The results of `count` calls of `ask` with their numbers, `width` at a time."""
    with concurrent.futures.ThreadPoolExecutor(width) as pool:
        return list(pool.map(ask, range(count)))


class Outage(Case):
    """Three providers of one model, of which one is gone."""

    def setUp(self):
        self.up = self.enterContext(Upstream())

    def stack(self, first, **config):
        urls = [first, self.up.url, self.up.url]
        providers = [provider(f"p{n}", url + "/v1", ["m"]) for n, url in enumerate(urls)]
        return self.enterContext(Stack(*providers, crashes=True, **config))

    def test_a_thousand_streams_with_one_of_three_providers_down(self):
        stack = self.stack(f"http://127.0.0.1:{free_port()}")

        def ask(n):
            d = DIALECTS[n % len(DIALECTS)]
            answer = stack.post(d.path, d.request("m"), timeout=60)
            d.assert_complete(answer, 10)
            return answer.header("x-ccr-tier")

        self.assertEqual(set(together(1000, 16, ask)), {"p1"})
        # All of them cost the provider that is down some attempts and no more.
        self.assertLess(stack.metric("ccr_failures_total", tier="p0"), 100)
        self.assertEqual(len(self.up.seen("m")), 1000)

    def test_a_dead_provider_is_met_until_its_circuit_opens_and_then_by_probes_alone(self):
        """In counts, which no machine is too slow for: each time that it is met is a first-event timeout for somebody."""
        stack = self.stack(f"http://127.0.0.1:{free_port()}")

        def ask(_):
            CHAT.assert_complete(stack.post(CHAT.path, CHAT.request("m"), timeout=60), 10)

        for number in range(1, 6):
            self.assertNotIn("is left alone", stack.log_text())
            ask(number)
            # Each request meets it once, and goes on to another provider.
            met = lambda: stack.log_text().count("CCR_FAILURE=network")
            wait_for("the failure in the log", 5, lambda n=number: met() >= n)
            self.assertEqual(met(), number)
        stack.wait_for_log("model m: is left alone")
        together(1000, 16, ask)
        # From then on a probe at a time, each of which leaves it alone for longer.
        openings = stack.log_text().count("model m: is left alone")
        self.assertEqual(stack.log_text().count("CCR_FAILURE=network"), 4 + openings)
        self.assertEqual(len(self.up.seen("m")), 1005)

    def test_a_worker_is_killed_in_the_middle_of_it(self):
        stack = self.stack(f"http://127.0.0.1:{free_port()}")
        self.up.scripts["m"] = lambda request: slow(CHAT.events(4), 0.02)
        killed = threading.Event()

        def ask(n):
            if n == 200:
                stack.kill_child("worker p1")
                killed.set()
            answer = stack.post(CHAT.path, CHAT.request("m"), timeout=60)
            self.assertEqual(answer.status, 200)
            return answer.ending, CHAT.terminal in answer.body

        endings = collections.Counter(together(600, 16, ask))
        self.assertTrue(killed.is_set())
        # Answers that were under way in that worker cannot be continued; nothing else is lost.
        broken = endings.pop(("broken", False), 0)
        self.assertLessEqual(broken, 16)
        self.assertEqual(sum(endings.values()), 600 - broken)
        self.assertEqual({complete for _, complete in endings}, {True})

    def test_the_provider_is_used_again_when_it_is_back(self):
        stack = self.stack(self.up.url)
        down = True

        def script(request):
            is_first = request.header("authorization") == "Bearer sk-p0"
            return whole(b"{}", 500) if down and is_first else self.up.standard(request)

        self.up.scripts["m"] = script
        stack.config["Providers"][0]["api_key"] = "sk-p0"
        stack.reload()
        tiers = [stack.post(CHAT.path, CHAT.request("m")).header("x-ccr-tier") for _ in range(20)]
        self.assertEqual(set(tiers), {"p1"})
        down = False
        wait_for(
            "the first provider is asked again",
            30,
            lambda: stack.post(CHAT.path, CHAT.request("m")).header("x-ccr-tier") == "p0",
        )


class Waits(Case):
    def setUp(self):
        self.up = self.enterContext(Upstream())

    def start(self, **config):
        return self.enterContext(Stack(provider("up", self.up.url + "/v1", ["m", "n", "o"]), **config))

    def refusing(self, count, status, body, headers=()):
        """A script that refuses so many requests, then answers well."""
        left = iter(range(count))
        refusal = whole(body, status, [JSON, *headers])
        return lambda request: self.up.standard(request) if next(left, None) is None else refusal

    def test_a_short_rate_limit_is_waited_out(self):
        stack = self.start()
        for d in DIALECTS:
            for name, header in (("m", ("retry-after", "1")), ("n", ("retry-after-ms", "300"))):
                with self.subTest(d.name, header=header):
                    count = len(self.up.seen(name))
                    self.up.scripts[name] = self.refusing(1, 429, BUSY, [header])
                    at = time.monotonic()
                    d.assert_complete(stack.post(d.path, d.request(name)), 10)
                    self.assertGreater(time.monotonic() - at, 0.29)
                    self.assertEqual(len(self.up.seen(name)) - count, 2)
        stack.wait_for_log("waits [0-9]+ ms until somebody can be asked")

    def test_a_long_rate_limit_is_told_at_once_and_asked_no_more(self):
        stack = self.start()
        self.up.scripts["m"] = whole(BUSY, 429, [JSON, ("retry-after", "100")])
        for n in range(5):
            answer = stack.post(CHAT.path, CHAT.request("m"))
            self.assertEqual(answer.status, 429)
            self.assertLessEqual(90, int(answer.header("retry-after")))
        self.assertEqual(len(self.up.seen("m")), 1)
        self.assertEqual(answer.json()["error"]["code"], "rate_limit_exceeded")
        # What lasts so long that trying again in a minute is in vain is told as a quota.
        self.up.scripts["n"] = whole(BUSY, 429, [JSON, ("retry-after", "1000")])
        answers = [stack.post(CHAT.path, CHAT.request("n")) for _ in range(2)]
        self.assertEqual([a.status for a in answers], [429, 429])
        self.assertEqual(answers[1].json()["error"]["code"], "insufficient_quota")
        self.assertEqual(len(self.up.seen("n")), 1)

    def test_a_spent_quota_is_told_in_the_providers_words(self):
        stack = self.start()
        body = b'{"error":{"message":"spent","type":"insufficient_quota","code":"insufficient_quota"}}'
        self.up.scripts["m"] = whole(body, 429)
        for _ in range(3):
            answer = stack.post(CHAT.path, CHAT.request("m"))
            self.assertEqual((answer.status, answer.body), (429, body))

    def test_an_overload_is_tried_again(self):
        stack = self.start()
        overloaded = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
        self.up.scripts["m"] = self.refusing(1, 529, overloaded)
        MESSAGES.assert_complete(stack.post(MESSAGES.path, MESSAGES.request("m")), 10)
        self.assertEqual(len(self.up.seen("m")), 2)

    def test_a_parameter_that_is_refused_by_name_is_left_out_once(self):
        stack = self.start()
        refusal = json.dumps(
            {
                "error": {
                    "message": "Unsupported parameter: 'seed'", "type": "invalid_request_error",
                    "param": "seed", "code": "unsupported_parameter",
                }
            }
        ).encode()
        self.up.scripts["m"] = lambda r: whole(refusal, 400) if b'"seed"' in r.body else self.up.standard(r)
        answer = stack.post(CHAT.path, CHAT.request("m", seed=7))
        CHAT.assert_complete(answer, 10)
        self.assertEqual(len(self.up.seen("m")), 2)
        # What is refused whatever is sent is the client's to read.
        self.up.scripts["n"] = whole(refusal, 400)
        answer = stack.post(CHAT.path, CHAT.request("n", seed=7))
        self.assertEqual((answer.status, answer.body), (400, refusal))
        self.assertEqual(len(self.up.seen("n")), 2)

    def test_whoever_waits_for_a_limit_takes_no_turn_from_others_and_no_more_than_its_own(self):
        stack = self.start(Limits={"concurrentRequests": 1})
        self.up.scripts["m"] = self.refusing(1, 429, BUSY, [("retry-after", "2")])
        most = []

        def count(request):
            most.append(self.up.active)
            return slow(CHAT.events(4), 0.05)

        self.up.scripts["n"] = count
        with Wire(stack.port) as wire:
            wire.send(post_bytes(CHAT.path, CHAT.request("m")))
            stack.wait_for_log("waits [0-9]+ ms")
            # Others go on while it waits, and it goes on among them.
            stop = threading.Event()

            def others():
                while not stop.is_set():
                    CHAT.assert_complete(stack.post(CHAT.path, CHAT.request("n"), timeout=30), 4)

            threads = [threading.Thread(target=others) for _ in range(2)]
            for thread in threads:
                thread.start()
            wait_for("others are answered", 5, lambda: len(most) > 2)
            self.assertEqual(len(self.up.seen("m")), 1)
            CHAT.assert_complete(wire.read_answer(), 10)
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(max(most), 1)

    def test_each_of_those_that_wait_goes_on_at_its_own_time(self):
        stack = self.start()
        self.up.scripts["m"] = self.refusing(1, 429, BUSY, [("retry-after-ms", "500")])
        self.up.scripts["n"] = self.refusing(1, 429, BUSY, [("retry-after-ms", "1500")])
        readers = []
        for number, model in enumerate(("n", "m"), 1):
            readers.append(Background(stack.post, CHAT.path, CHAT.request(model)))
            wait_for("it waits", 5, lambda n=number: stack.log_text().count("ms until somebody can be asked") == n)
        for reader in readers:
            CHAT.assert_complete(reader.result(), 10)

    def test_nothing_is_sent_while_a_request_waits_so_that_its_end_has_a_status(self):
        stack = self.start(RATE_LIMIT_MAX_TOTAL_WAIT_MS=1500)
        for d in DIALECTS:
            self.up.scripts["m"] = self.refusing(9, 429, BUSY, [("retry-after", "1")])
            before = len(self.up.seen("m"))
            answer = stack.post(d.path, d.request("m"), timeout=30)
            with self.subTest(d.name):
                self.assertEqual(answer.status, 429)
                self.assertEqual(answer.header("content-type"), "application/json")
                self.assertGreaterEqual(int(answer.header("retry-after")), 1)
                self.assertLessEqual(len(self.up.seen("m")) - before, 2)

    def test_a_client_that_leaves_while_it_waits_is_forgotten(self):
        stack = self.start()
        self.up.scripts["m"] = self.refusing(1, 429, BUSY, [("retry-after", "2")])
        with Wire(stack.port) as wire:
            wire.send(post_bytes(CHAT.path, CHAT.request("m")))
            stack.wait_for_log("waits [0-9]+ ms")
        stack.wait_for_log("CCR_STATUS=499")
        self.assertEqual(len(self.up.seen("m")), 1)

    def test_a_credential_with_nothing_left_is_not_used_until_it_has(self):
        stack = self.start(RATE_LIMIT_MAX_TOTAL_WAIT_MS=100)
        spent = [JSON, ("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "1m0s")]
        self.up.scripts["m"] = whole(CHAT.whole(), 200, spent)
        self.assertEqual(stack.post(CHAT.path, CHAT.request("m", stream=False)).status, 200)
        answer = stack.post(CHAT.path, CHAT.request("m", stream=False))
        self.assertEqual(answer.status, 429)
        self.assertLessEqual(50, int(answer.header("retry-after")))
        self.assertEqual(len(self.up.seen("m")), 1)


class Memory(Case):
    def test_what_a_provider_said_outlives_a_reload_and_a_dead_front(self):
        up = self.enterContext(Upstream())
        up.scripts["m"] = whole(BUSY, 429, [JSON, ("retry-after", "100")])
        limited = {**provider("up", up.url + "/v1", ["m", "n"]), "model_limits": {"n": {"rpm": 3}}}
        stack = self.enterContext(Stack(limited, crashes=True, RATE_LIMIT_MAX_TOTAL_WAIT_MS=1))
        statuses = [stack.post(CHAT.path, CHAT.request(m)).status for m in ("m", "n", "n")]
        self.assertEqual(statuses, [429, 200, 200])
        stack.reload(Presets={"p": {"route": "up,m"}})
        statuses = [stack.post(CHAT.path, CHAT.request(m)).status for m in ("m", "n", "n")]
        self.assertEqual(statuses, [429, 200, 429])
        # What is learnt is kept a few times a second.
        up.scripts["p"] = up.scripts["m"]
        self.assertEqual(stack.post(CHAT.path, CHAT.request("up,p")).status, 429)
        up.scripts["o"] = slow(CHAT.events(5), 0.2)
        CHAT.assert_complete(stack.post(CHAT.path, CHAT.request("up,o")), 5)
        old = stack.kill_child("front")
        stack.wait_replaced("front", old)
        statuses = [stack.post(CHAT.path, CHAT.request(m)).status for m in ("m", "n", "up,p")]
        self.assertEqual(statuses, [429, 429, 429])
        self.assertEqual((len(up.seen("m")), len(up.seen("p"))), (1, 1))
        self.assertEqual(len(up.seen("n")), 3)
