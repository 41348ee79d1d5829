# SPDX-License-Identifier: Apache-2.0
"""LiteLLM as judge: the same conversations with the same providers, through ccr and through LiteLLM's translation.

Calls, text, stop reason and usage must be the same. Where they are not, `KNOWN` says who is right (docs/dialects.md).
"""

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import subprocess
import unittest

from conversation import CLIENTS, DESCRIPTION, PARAMETERS
from gateway import ROOT, Case, Gateway, needs_gateway, provider
from strict import Call, StrictUpstream, Text, Think, Turn

JUDGE = ROOT / "build/litellm/bin/python"
DRIVER = pathlib.Path(__file__).with_name("litellm_driver.py")
TOOL = {"name": "get_weather", "description": DESCRIPTION, "parameters": PARAMETERS}
OSLO, BERN = {"city": "Oslo", "days": 2}, {"city": "Bern", "days": None}

# How LiteLLM is told to ask a provider of each dialect at this address.
MODELS = {
    "chat": ("custom_openai/model-chat", "/v1"),
    "gemini": ("gemini/model-gemini", "/v1beta"),
    "messages": ("anthropic/model-messages", ""),
    "responses": ("openai/responses/model-responses", "/v1"),
}
PAIRS = [(c, u) for c in ("chat", "messages", "responses") for u in MODELS if c != u]


@dataclasses.dataclass(frozen=True)
class Talk:
    turns: tuple
    results: tuple = ()


TALKS = {
    "text": Talk((Turn((Text("Sunny: äöü 世界 🙂."),), input_tokens=100, cached_tokens=40, output_tokens=20),)),
    "one call": Talk((Turn((Text("I look."), Call("get_weather", OSLO))), Turn((Text("12 degrees."),))), ("rain",)),
    "two calls": Talk(
        (Turn((Call("get_weather", OSLO), Call("get_weather", BERN))), Turn((Text("Both wet."),))), ("rain", "snow")
    ),
    "thoughts": Talk((Turn((Think("They ask for Oslo."), Text("12 degrees.")), reasoning_tokens=5),)),
    "limit": Talk((Turn((Text("Sun"),), stop="length"),)),
}
# (talk, client, provider, stream) where LiteLLM is wrong; why is in docs/dialects.md.
KNOWN = {
    ("two calls", "messages", "chat", True),
    ("limit", "chat", "responses", True),
    ("limit", "messages", "responses", True),
}


def target(dialect, url):
    model, path = MODELS[dialect]
    return {"model": model, "api_base": url + path, "api_key": "sk", "max_retries": 0, "timeout": 20}


@needs_gateway
@unittest.skipUnless(JUDGE.exists(), "LiteLLM is not installed: run make setup")
class LiteLLM(Case):
    @classmethod
    def open_all(cls):
        cls.upstreams = {d: cls.enterClassContext(StrictUpstream(d)) for d in MODELS}
        providers = [
            provider(d, u.url + ("/v1beta" if d == "gemini" else "/v1"), [f"model-{d}"], dialects=[d])
            for d, u in cls.upstreams.items()
        ]
        cls.gateway = cls.enterClassContext(Gateway(Providers=providers))

    def test_the_same_conversations_have_the_same_outcome(self):
        cases = list(itertools.product(TALKS, PAIRS, (True, False)))
        judged = self.judge(cases)
        for (name, (client, dialect), stream), verdict in zip(cases, judged):
            with self.subTest(talk=name, client=client, provider=dialect, stream=stream):
                seen = self.outcome(TALKS[name], client, dialect, stream)
                if (name, client, dialect, stream) in KNOWN:
                    self.assertNotEqual(seen, verdict, "LiteLLM agrees now")
                else:
                    self.assertEqual(seen, verdict)

    def outcome(self, talk, client, dialect, stream):
        upstream = self.upstreams[dialect]
        upstream.begin(talk.turns)
        outcome = CLIENTS[client](self.gateway.url).hold(
            f"model-{dialect}", "Weather?", iter(talk.results), stream
        )
        self.assertEqual(upstream.refusals, [])
        calls = [[name, arguments] for name, arguments in outcome.calls]
        return {"calls": calls, "text": outcome.text, "stop": outcome.stop, "usage": list(outcome.usage)}

    @staticmethod
    def judge(cases):
        """What LiteLLM makes of all of them. Its requests are noted where a provider would refuse them, and answered."""
        with contextlib.ExitStack() as stack:
            jobs = []
            for name, (client, dialect), stream in cases:
                upstream = stack.enter_context(StrictUpstream(dialect, TALKS[name].turns, lenient=True))
                jobs.append(
                    {
                        "client": client,
                        "prompt": "Weather?",
                        "tool": TOOL,
                        "results": TALKS[name].results,
                        "stream": stream,
                        "target": target(dialect, upstream.url),
                    }
                )
            done = subprocess.run(
                [str(JUDGE), str(DRIVER)],
                input=json.dumps(jobs),
                env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
                timeout=600,
            )
        if done.returncode:
            raise AssertionError(done.stderr[-2000:])
        return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
