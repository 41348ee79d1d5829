# SPDX-License-Identifier: Apache-2.0
"""Every SDK with a provider of every dialect: the same conversation, and nothing a strict provider would refuse."""

import itertools
import unittest

import anthropic
import openai

from conversation import CLIENTS, PIXEL
from gateway import Case, Gateway, needs_gateway, provider
from strict import Call, StrictUpstream, Text, Think, Turn

DIALECTS = ["chat", "gemini", "messages", "responses"]
PAIRS = [(c, u) for c in DIALECTS for u in DIALECTS]
OSLO = {"city": "Oslo", "days": 2}
BERN = {"city": "Bern", "days": None}


def entry(name, upstream, dialect):
    base = upstream.url + ("/v1beta" if dialect == "gemini" else "/v1")
    return provider(name, base, [f"model-{dialect}"], dialects=[dialect])


@needs_gateway
class TranslatedSDKs(Case):
    @classmethod
    def open_all(cls):
        cls.upstreams = {d: cls.enterClassContext(StrictUpstream(d)) for d in DIALECTS}
        providers = [entry(d, upstream, d) for d, upstream in cls.upstreams.items()]
        tiers = [f"{d},model-{d}" for d in DIALECTS]
        cls.config = {"Providers": providers, "Router": {"tiers": tiers}}
        cls.gateway = cls.enterClassContext(Gateway(**cls.config))

    def converse(self, client, dialect, turns, results=(), stream=True, **more):
        """Hold the conversation; returns what the client and what the upstream saw."""
        upstream = self.upstreams[dialect]
        upstream.begin(turns)
        try:
            outcome = CLIENTS[client](self.gateway.url).hold(
                f"model-{dialect}", "Weather?", iter(results), stream, **more
            )
        except Exception as error:
            raise AssertionError(f"{error!r}; refused: {upstream.refusals}\n{self.gateway.tail()}") from error
        self.assertEqual(upstream.refusals, [])
        return outcome, upstream.requests

    def for_all(self, check, streams=(True, False)):
        """Call `check(client, provider, stream)` for every combination."""
        for (client, dialect), stream in itertools.product(PAIRS, streams):
            with self.subTest(client=client, provider=dialect, stream=stream):
                check(client, dialect, stream)

    def test_text_arrives_with_its_usage(self):
        turn = Turn((Text("Sunny: äöü 世界 🙂."),), input_tokens=100, cached_tokens=40, output_tokens=20)

        def check(client, dialect, stream):
            outcome, requests = self.converse(client, dialect, [turn], stream=stream)
            self.assertEqual(outcome.text, "Sunny: äöü 世界 🙂.")
            self.assertEqual(outcome.stop, CLIENTS[client].stops["end"])
            self.assertEqual(outcome.usage, (100, 40, 20))
            self.assertIn("Answer briefly.", str(requests[0]))

        self.for_all(check)

    def test_a_limit_is_told(self):
        turn = Turn((Text("Sun"),), stop="length")

        def check(client, dialect, stream):
            outcome, _ = self.converse(client, dialect, [turn], stream=stream)
            self.assertEqual(outcome.stop, CLIENTS[client].stops["length"])

        self.for_all(check)

    def test_a_call_is_made_and_its_result_comes_back(self):
        turns = [Turn((Text("I will look."), Call("get_weather", OSLO))), Turn((Text("12 degrees."),))]

        def check(client, dialect, stream):
            outcome, requests = self.converse(client, dialect, turns, ["rain, 12"], stream)
            self.assertEqual(outcome.calls, [("get_weather", OSLO)])
            self.assertEqual(outcome.text, "12 degrees.")
            self.assertIn("rain, 12", str(requests[1]))
            self.assertEqual(len(requests), 2)

        self.for_all(check)

    def test_parallel_calls_keep_their_order_and_arguments(self):
        turns = [Turn((Call("get_weather", OSLO), Call("get_weather", BERN))), Turn((Text("Both wet."),))]

        def check(client, dialect, stream):
            outcome, _ = self.converse(client, dialect, turns, ["rain", "snow"], stream)
            self.assertEqual(outcome.calls, [("get_weather", OSLO), ("get_weather", BERN)])
            self.assertEqual(outcome.text, "Both wet.")

        self.for_all(check)

    def test_reasoning_goes_back_to_the_provider_that_made_it(self):
        turns = [
            Turn((Think("They ask for Oslo."), Call("get_weather", OSLO)), reasoning_tokens=5),
            Turn((Think("Now Bern."), Call("get_weather", BERN)), reasoning_tokens=5),
            Turn((Text("Done."),)),
        ]

        def check(client, dialect, stream):
            outcome, requests = self.converse(client, dialect, turns, ["rain", "snow"], stream)
            self.assertEqual(outcome.text, "Done.")
            self.assertEqual(outcome.thoughts.replace("\n", ""), "They ask for Oslo.Now Bern.")
            if dialect in ("messages", "responses") and client != "chat":
                # Chat clients have no place for state; the upstream itself checks what came back from the others.
                self.assertIn("sig-" if dialect == "messages" else "enc-", str(requests[2]))

        self.for_all(check)

    def test_images_arrive(self):

        def check(client, dialect, stream):
            _, requests = self.converse(client, dialect, [Turn((Text("A pixel."),))], stream=stream, image=True)
            self.assertIn("iVBORw0KGgo", str(requests[0]))

        self.for_all(check, streams=(True,))

    def test_images_in_results_arrive(self):
        turns = [Turn((Call("get_weather", OSLO),)), Turn((Text("A pixel."),))]
        for client, dialect in itertools.product(("messages", "responses"), DIALECTS):
            with self.subTest(client=client, provider=dialect):
                outcome, requests = self.converse(client, dialect, turns, [PIXEL])
                self.assertEqual(outcome.text, "A pixel.")
                self.assertIn("iVBORw0KGgo", str(requests[1]))

    def test_refusals_raise_the_exception_of_each_sdk(self):
        for dialect in DIALECTS:
            with self.subTest(provider=dialect), StrictUpstream(dialect, [Turn((Text("x"),))]) as upstream:
                wrong = entry("strict", upstream, dialect)
                wrong["api_base_url"] += "/nowhere"
                with Gateway(Providers=[wrong]) as gateway:
                    model = f"model-{dialect}"
                    with self.assertRaises(openai.BadRequestError):
                        CLIENTS["chat"](gateway.url).hold(model, "x", iter(()), True)
                    with self.assertRaises(openai.BadRequestError):
                        CLIENTS["responses"](gateway.url).hold(model, "x", iter(()), False)
                    with self.assertRaises(anthropic.BadRequestError) as raised:
                        CLIENTS["messages"](gateway.url).hold(model, "x", iter(()), False)
                    self.assertIn("no such path", str(raised.exception))

    def test_a_conversation_moves_between_providers(self):
        turns = [Turn((Think("Hm."), Call("get_weather", OSLO))), Turn((Text("Moved."),))]
        for client in ("messages", "responses", "gemini"):
            for first, second in itertools.permutations(DIALECTS, 2):
                # A gateway of its own, since one remembers for a while which providers were down.
                with self.subTest(client=client, first=first, second=second), Gateway(**self.config) as gateway:
                    self.move(gateway, client, first, second, turns)

    def move(self, gateway, client, first, second, turns):
        """All but the second provider go down after the first turn; it gets the conversation without foreign state."""
        for upstream in self.upstreams.values():
            upstream.begin(turns[1:])
        self.upstreams[first].begin(turns)

        def results():
            for dialect, upstream in self.upstreams.items():
                upstream.is_down = dialect != second
            yield "rain"

        outcome = CLIENTS[client](gateway.url).hold(f"model-{first}", "Weather?", results(), True)
        self.assertEqual(outcome.text, "Moved.")
        self.assertEqual(self.upstreams[second].refusals, [])
        self.assertEqual(len(self.upstreams[second].requests), 1)


if __name__ == "__main__":
    unittest.main()
