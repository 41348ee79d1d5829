# SPDX-License-Identifier: Apache-2.0
"""Many bodies of all sizes at once, some of their clients leaving, some asked of two providers: none is mixed up."""

import hashlib
import json
import random
import threading

from dialects import CHAT
from harness import Case, Stack, Upstream, provider, wait_for
from parallel import Background
from scripted import CLOSE, Pause, whole
from wire import Wire, post_bytes

CLIENTS = 8
REQUESTS = 40
SIZES = (300, 5_000, 32_000, 33_000, 120_000, 400_000, 1_500_000)


def body(model, seed):
    r = random.Random(seed)
    pad = r.randbytes(r.choice(SIZES) // 2).hex()
    value = {"model": model, "seed": seed, "sum": hashlib.sha256(pad.encode()).hexdigest(), "pad": pad}
    return json.dumps(value).encode()


class BodiesUnderLoad(Case):
    @classmethod
    def open_all(cls):
        cls.up = cls.enterClassContext(Upstream())
        cls.lock, cls.wrong = threading.Lock(), []
        cls.stack = cls.enterClassContext(
            Stack(
                provider("first", cls.up.url + "/v1", ["ok", "dies", "slow"]),
                provider("second", cls.up.url + "/v1", ["fallback"]),
                Router={"tiers": ["second,fallback"]},
            )
        )
        cls.up.scripts["ok"] = cls.up.scripts["fallback"] = lambda r: cls.checked(r, [])
        cls.up.scripts["slow"] = lambda r: cls.checked(r, [Pause(0.1)])
        cls.up.scripts["dies"] = lambda r: cls.checked(r, [CLOSE])

    @classmethod
    def checked(cls, request, before):
        """Answers with the request's number, after a look at its body."""
        value = json.loads(request.body)
        if hashlib.sha256(value["pad"].encode()).hexdigest() != value["sum"]:
            with cls.lock:
                cls.wrong.append((value["seed"], len(request.body)))
        # What was recorded is of no more use, and large.
        request.body = b""
        return whole(json.dumps({"seed": value["seed"]}).encode(), before=before)

    def client(self, number):
        r = random.Random(number)
        wire = None
        for i in range(REQUESTS):
            seed = number * REQUESTS + i
            model = r.choice(("ok", "ok", "dies", "slow"))
            wire = wire or Wire(self.stack.port)
            data = post_bytes(CHAT.path, body(model, seed))
            if r.random() < 0.2:
                # Leaves in the middle of its body, or while the answer is on its way.
                wire.send(data[: r.choice((len(data) // 2, len(data)))])
                wire.abort()
                wire = None
                continue
            wire.send(data)
            answer = wire.read_answer()
            self.assertEqual(
                (answer.status, answer.json()), (200, {"seed": seed}), f"{model}, client {number}"
            )
        if wire:
            wire.socket.close()

    def test_every_upstream_gets_the_body_of_its_request(self):
        for client in [Background(self.client, number) for number in range(CLIENTS)]:
            client.result(60)
        self.assertEqual(self.wrong, [], "(number, size) of bodies that were mixed up")
        wait_for("nothing is left", 5, lambda: self.stack.metric("ccr_front_connections") == 1)
