# SPDX-License-Identifier: Apache-2.0
"""What is known of providers, what is used of limits and what keys have spent, over everything that replaces a process."""

import json

from dialects import CHAT
from harness import Case, Upstream, provider, wait_for
from scripted import JSON, whole
from test_upgrade import Installed

ADMIN = "test-admin-key"
OPEN = ("Authorization", "Bearer sk-open")
SPENT = ("Authorization", "Bearer sk-spent")
PRICE = {"input_per_million_tokens": 1_000_000, "output_per_million_tokens": 1_000_000}
# Nothing of what is learnt here is over before the test is.
LATER = ("retry-after", "3600")


def error(code):
    return json.dumps({"error": {"message": "no", "type": code, "code": code}}).encode()


class State(Case):
    def setUp(self):
        self.up = self.enterContext(Upstream())
        self.up.scripts["circuit"] = whole(error("overloaded_error"), 529, [JSON, LATER])
        self.up.scripts["cooldown"] = whole(error("rate_limit_exceeded"), 429, [JSON, ("retry-after", "500")])
        self.up.scripts["quota"] = whole(error("insufficient_quota"), 429, [JSON, LATER])
        names = ("circuit", "cooldown", "quota", "banned", "window", "tokens", "spent")
        limits = {"window": {"rpm": 1}, "tokens": {"model_limits": {"tokens": {"tpm": 40}}}}
        self.stack = self.enterContext(
            Installed(
                *(
                    {**provider(name, self.up.url + "/v1", [name]), "pricing": PRICE, **limits.get(name, {})}
                    for name in names
                ),
                crashes=True,
                APIKEY="sk-open",
                ADMIN_API_KEY=ADMIN,
                Clients=[
                    {"name": "spent", "key": "sk-spent", "budget": {"daily_usd": 1}},
                    {"name": "minute", "key": "sk-minute", "rpm": 1},
                ],
                Router={"tiers": []},
                RATE_LIMIT_MAX_TOTAL_WAIT_MS=1,
            )
        )

    def ask(self, model, header=OPEN):
        return self.stack.post(CHAT.path, CHAT.request(model, stream=False), [header]).status

    def known(self):
        told = self.stack.get("/health").json()
        return (
            [(c["model"], c["state"]) for c in told.get("circuits", [])],
            [(p["provider"], p["model"]) for p in told.get("pauses", [])],
            [(b["provider"], b["origin"]) for b in told.get("bans", [])],
        )

    def check(self):
        self.assertEqual(
            self.known(),
            ([("circuit", "open")], [("cooldown", "cooldown"), ("quota", None)], [("banned", "admin")]),
        )
        before = len(self.up.requests)
        refused = {name: self.ask(name) for name in ("circuit", "cooldown", "quota", "banned", "window", "tokens")}
        self.assertEqual(
            refused,
            {"circuit": 503, "cooldown": 429, "quota": 429, "banned": 503, "window": 429, "tokens": 429},
        )
        self.assertEqual(self.ask("spent", ("Authorization", "Bearer sk-minute")), 429)
        self.assertEqual(len(self.up.requests), before, "nobody was asked")
        # Front knows what keys have spent as soon as the exporter has told it.
        wait_for("the spent budget", 10, lambda: self.ask("spent", SPENT) == 402)

    def test_it_outlives_workers_fronts_reloads_and_upgrades(self):
        for model in ("circuit", "cooldown", "quota", "window", "tokens"):
            self.ask(model)
        self.assertEqual(self.ask("spent", SPENT), 200)
        self.assertEqual(self.ask("spent", ("Authorization", "Bearer sk-minute")), 200)
        key = [("Authorization", f"Bearer {ADMIN}")]
        self.assertEqual(self.stack.post("/api/ban", {"provider": "banned"}, key).status, 200)
        self.check()
        for what, replace in (
            ("a worker", lambda: self.kill("worker window")),
            ("front", lambda: self.kill("front")),
            ("exporter", lambda: self.kill("exporter")),
            ("a reload", lambda: self.stack.reload(ModelAliases={"a": "window,window"})),
            ("an upgrade", self.upgrade),
            ("front after it", lambda: self.kill("front")),
        ):
            with self.subTest(what):
                replace()
                self.stack.wait_until_healthy()
                self.check()

    def kill(self, name):
        old = self.stack.kill_child(name)
        self.stack.wait_replaced(name, old, 5)

    def upgrade(self):
        self.stack.install()
        self.stack.upgrade()
        self.assertTrue(self.stack.is_current(self.stack.pid))
