# SPDX-License-Identifier: Apache-2.0
"""Limits of requests and tokens a minute under a crowd that asks for much more: used up, and never exceeded."""

import json
import subprocess

from dialects import CHAT
from harness import Case, Stack, Upstream, bench_tool, provider, wait_for
from scripted import whole

# Requests a second in all, as far as the machine can; nothing below depends on how many it could.
OFFERED = 500
SECONDS = 10
LIMIT = 200
# What each answer cost. Front sets aside 1,000 and the request's own tokens until it knows; what is left over is room for
# those, and too little for a request more.
TOKENS = 1_000
TOKEN_LIMIT = LIMIT * TOKENS + TOKENS - 1


class Crowd:
    """Clients that ask for a model at a steady rate, whatever they are told."""

    def __init__(self, stack, model, rate, key="", seconds=SECONDS):
        command = [bench_tool("loadgen"), "-p", stack.port, "-u", CHAT.path, "-m", "rate", "-M", model]
        command += ["-r", rate, "-d", seconds, "-c", 32, *(["-A", key] if key else [])]
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )

    def result(self):
        output, _ = self.process.communicate(timeout=SECONDS + 30)
        return json.loads(output)


class Minutes(Case):
    def setUp(self):
        self.up = self.enterContext(Upstream())
        answer = json.loads(CHAT.whole())
        answer["usage"] = {"prompt_tokens": 10, "completion_tokens": TOKENS - 10, "total_tokens": TOKENS}
        self.answer = whole(json.dumps(answer).encode())

    def provider(self, name, models, **more):
        for model in models:
            self.up.scripts[model] = self.answer
        return {**provider(name, self.up.url + "/v1", models), "workers": 4, **more}

    def test_every_limit_is_used_up_and_none_is_exceeded(self):
        """Of a key, of a model and of a client, in requests and in tokens: all of it within one minute."""
        models = ["key-rpm", "key-tpm", "model-rpm", "model-tpm", "client-rpm", "client-tpm"]
        stack = self.enterContext(
            Stack(
                self.provider("requests", models[:1], rpm=LIMIT),
                self.provider("tokens", models[1:2], tpm=TOKEN_LIMIT),
                self.provider(
                    "open",
                    models[2:],
                    model_limits={"model-rpm": {"rpm": LIMIT}, "model-tpm": {"tpm": TOKEN_LIMIT}},
                ),
                APIKEY="sk-open",
                Clients=[
                    {"name": "client-rpm", "key": "sk-client-rpm", "rpm": LIMIT},
                    {"name": "client-tpm", "key": "sk-client-tpm", "tpm": TOKEN_LIMIT},
                ],
                RATE_LIMIT_MAX_TOTAL_WAIT_MS=1,
            )
        )
        crowds = {
            model: Crowd(
                stack, model, OFFERED / len(models), "sk-" + model if model.startswith("client") else "sk-open"
            )
            for model in models
        }
        for model, crowd in crowds.items():
            with self.subTest(model):
                told = crowd.result()
                self.assertGreater(told["ok"] + told["err"], 2 * LIMIT, "the crowd is too small for a proof")
                self.assertEqual(told["err"], told["http_err"], told["errsample"])
                arrived = [r.received_at for r in self.up.seen(model)]
                self.assertLess(max(arrived) - min(arrived), 60)
                self.assertEqual((len(arrived), told["ok"]), (LIMIT, LIMIT))

    def test_a_limit_holds_over_reloads_and_dead_fronts(self):
        """Fronts that end, and two at work at once, count as one."""
        for end in ("reload", "kill"):
            with self.subTest(end), Stack(
                self.provider("up", [end], model_limits={end: {"rpm": LIMIT}}),
                crashes=True,
                APIKEY="sk-open",
                Clients=[{"name": "crowd", "key": "sk-crowd", "rpm": LIMIT}],
                RATE_LIMIT_MAX_TOTAL_WAIT_MS=1,
            ) as stack:
                crowd = Crowd(stack, end, OFFERED // 2, "sk-crowd", SECONDS / 2)
                for part in (4, 3, 2):
                    wait_for("a part of the limit", 30, lambda: len(self.up.seen(end)) >= LIMIT // part)
                    if end == "reload":
                        stack.reload(Presets={f"p{part}": {"route": f"up,{end}"}})
                    else:
                        stack.wait_replaced("front", stack.kill_child("front"), 5)
                told = crowd.result()
                self.assertGreater(told["ok"] + told["err"], 2 * LIMIT)
                # What a front had granted when it was killed may not have gone out.
                lost = 3 if end == "kill" else 0
                self.assertIn(len(self.up.seen(end)), range(LIMIT - lost, LIMIT + 1))
