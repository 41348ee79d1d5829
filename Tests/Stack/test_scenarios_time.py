# SPDX-License-Identifier: Apache-2.0
"""Credentials and time: when tokens are renewed, clocks that jump, machines that sleep, refusals (A and B).

The clocks are moved, so that no test waits for one.
"""

import contextlib
import sqlite3
import time
import unittest

from harness import wait_for
from oauth import Authority
from refresher import FakeWorker, Scenario, needs_debug, oauth

DAY = 86_400


@needs_debug
class Time(Scenario):
    lifetime = 100
    debug = True
    more = {"advisory": 20, "mandatory": 5}

    def begin(self, **environment):
        self.start(**environment)
        self.refresher.wait_for("fresh")
        self.assertEqual(self.authority.calls, 1)

    def stays(self, calls, seconds=0.4):
        """No token call comes, although the clocks are looked at all the time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assertEqual(self.authority.calls, calls)
            time.sleep(0.02)

    def test_a1_a_token_is_renewed_once_before_it_must_be(self):
        self.begin()
        self.refresher.advance(70)
        self.stays(1)
        self.refresher.advance(12)
        wait_for("the renewal", 5, lambda: self.authority.calls == 2)
        self.refresher.wait_for("fresh")
        self.stays(2)
        self.assertGreater(self.refresher.status()["expires_in_seconds"], 90)

    def test_a4_a_wall_clock_that_jumps_ahead_ends_no_token(self):
        self.begin()
        self.refresher.move(wall=2 * DAY)
        wait_for("the note", 5, lambda: "clock_jump" in self.refresher.store.events())
        self.stays(1)
        found = self.refresher.status()
        self.assertEqual(found["state"], "fresh")
        self.assertGreater(found["expires_in_seconds"], 80)
        self.assertEqual(self.refresher.token(), "canary-at-1")

    def test_a5_a_wall_clock_that_jumps_back_delays_no_renewal(self):
        self.begin()
        self.refresher.move(wall=-2 * DAY)
        wait_for("the note", 5, lambda: "clock_jump" in self.refresher.store.events())
        self.refresher.advance(82)
        wait_for("the renewal", 5, lambda: self.authority.calls == 2)

    def test_a6_after_a_start_with_a_clock_of_last_year_the_token_serves_until_a_refusal(self):
        self.begin()
        self.refresher.stop(self.process)
        self.refresher.move(wall=-365 * DAY)
        self.start(CCR_BOOT="another")
        self.assertEqual(self.refresher.status()["state"], "fresh")
        self.assertEqual(self.refresher.token(), "canary-at-1")
        self.assertLessEqual(self.refresher.status()["expires_in_seconds"], 100, "no longer than it ever lived")
        self.assertEqual(self.authority.calls, 1)
        with FakeWorker(self.refresher) as worker:
            worker.refuse(1)
            worker.refuse(1)
            wait_for("one renewal", 5, lambda: self.authority.calls == 2)
            self.refresher.wait_for("fresh")
            self.stays(2)

    def test_a7_after_a_sleep_one_renewal_comes_soon_and_a_network_that_is_not_up_yet_costs_nothing(self):
        self.begin()
        self.refresher.configure(
            oauth(self.authority, **self.more), oauth(self.authority, "away", token_url="http://127.0.0.1:9/token")
        )
        self.refresher.stop(self.process)
        self.start()
        self.refresher.wait_for("backoff", name="away")
        self.refresher.move(wall=120, boot=120)
        began = time.monotonic()
        wait_for("the renewal", 5, lambda: self.authority.calls == 2)
        self.assertLess(time.monotonic() - began, 3)
        self.refresher.wait_for("fresh")
        # Within half a minute of the wake-up, attempts that do not get out are made again soon, however many there are.
        for _ in range(4):
            self.again("away")
        self.assertLessEqual(self.refresher.status("away")["next_attempt_in_seconds"], 4)
        self.stays(2)

    def test_a9_a_server_that_gives_the_same_token_again_is_not_asked_in_a_loop(self):
        self.authority.cached = ("canary-at-same", time.monotonic() + 100)
        url = self.authority.url + "/metadata"
        self.refresher.configure({"name": "main", "kind": "gce_metadata", "token_url": url, "advisory": 20})
        self.start()
        self.refresher.wait_for("fresh")
        self.refresher.advance(85)
        self.authority.cached = ("canary-at-same", time.monotonic() + 15)
        wait_for("another question", 5, lambda: self.authority.calls == 2)
        found = self.refresher.wait_for("fresh")
        self.assertGreaterEqual(found["next_attempt_in_seconds"], 28)
        self.assertEqual(found["refresh_total"], {"ok": 2})
        self.stays(2)

    def test_a10_every_form_of_a_life_is_understood_or_refused(self):
        for change, wanted in [
            ({"without": ["expires_in"]}, 300),
            ({"more": {"expires_in": "3600"}}, 3600),
            ({"more": {"expires_in": 10**12}}, 30 * DAY),
            ({"more": {"expires_in": 0}}, None),
            ({"more": {"expires_in": -1}}, None),
        ]:
            with self.subTest(change):
                authority = self.enterContext(Authority(lifetime=100))
                refresher = self.enterContext(self.new(oauth(authority)))
                authority.behaviours = [change]
                refresher.start()
                if wanted is None:
                    self.assertIn("expires_in", refresher.wait_for("backoff")["reason"])
                    self.assertIsNone(refresher.token())
                else:
                    left = refresher.wait_for("fresh")["expires_in_seconds"]
                    self.assertTrue(wanted - 5 <= left <= wanted, left)

    def test_b4_a_refusal_of_an_older_token_is_answered_with_the_newer_one(self):
        self.begin()
        self.again()
        with FakeWorker(self.refresher) as worker:
            self.assertEqual(worker.notice()[1:3], (2, "fresh"))
            worker.refuse(1)
            self.assertEqual(worker.notice(), ("main", 2, "fresh", 0))
        self.assertEqual(self.authority.calls, 2)

    def test_h8_the_audit_table_is_trimmed_while_the_refresher_runs(self):
        self.begin()
        with contextlib.closing(sqlite3.connect(self.refresher.store.vault)) as connection, connection:
            old = int(time.time()) - 91 * DAY
            connection.executemany(
                "INSERT INTO audit (at, cred, event, cause) VALUES (?, 'main', 'old', 'timer')", [(old,)] * 100)
        self.assertIn("old", self.refresher.store.events())
        self.refresher.advance(3601)
        wait_for("the trimming", 5, lambda: "old" not in self.refresher.store.events())

    def test_c8_a_refused_token_starts_nothing_while_the_server_rests(self):
        second = {**oauth(self.authority, "second"), "kind": "oauth2_cc", "client_secret": "env:RT"}
        self.authority.rotate, self.resent = False, {"canary-rt-0"}
        self.refresher.configure(oauth(self.authority), second)
        self.start()
        for name in ("main", "second"):
            self.refresher.wait_for("fresh", name=name)
        self.authority.behaviours = [{"status": 429, "headers": [("Retry-After", "60")]}]
        self.assertEqual(self.again("second")[0], 1)
        before = self.authority.calls
        with FakeWorker(self.refresher) as worker:
            self.assertEqual(worker.notice()[:3], ("main", 1, "fresh"))
            worker.notice()
            worker.refuse(1)
            name, generation, state, msec = worker.notice()
            self.assertEqual((name, generation, state), ("main", 1, "fresh"))
            self.assertTrue(50_000 < msec <= 60_000, msec)
            self.assertEqual(self.authority.calls, before)
            self.refresher.advance(60)
            worker.refuse(1)
            wait_for("the renewal", 5, lambda: self.authority.calls > before)

    def test_a3_refused_tokens_of_one_server_are_renewed_two_at_a_time(self):
        self.authority.rotate = False
        names = [f"c{number}" for number in range(8)]
        self.refresher.configure(*[
            {**oauth(self.authority, name), "kind": "oauth2_cc", "client_secret": "env:RT"} for name in names])
        self.start()
        for name in names:
            self.refresher.wait_for("fresh", name=name)
        self.authority.behaviours = [{"before": 0.2}] * 8
        self.authority.most_running, before = 0, self.authority.calls
        with FakeWorker(self.refresher) as worker:
            for name in names:
                worker.refuse(1, name)
            wait_for("all of them", 20, lambda: self.authority.calls == before + 8)
        for name in names:
            wait_for("a new token", 5, lambda name=name: self.refresher.status(name)["generation"] == 2)
        self.assertEqual(self.authority.most_running, 2)

    def test_b5_a_refusal_of_a_token_that_never_was_is_logged_and_brings_nothing(self):
        self.begin()
        with FakeWorker(self.refresher) as worker:
            worker.notice()
            worker.refuse(6)
            wait_for("the complaint", 5, lambda: "never given out" in self.refresher.text())
            worker.refuse(1, "nobody")
            wait_for("the complaint", 5, lambda: "unknown credential" in self.refresher.text())
        with FakeWorker(self.refresher, "q") as stranger:
            stranger.refuse(1)
            wait_for("the complaint", 5, lambda: "a worker of q names an unknown" in self.refresher.text())
        self.stays(1)

    def test_b10_a_thousand_refusals_during_a_back_off_are_answered_at_once(self):
        self.authority.behaviours = []
        self.begin()
        self.authority.behaviours = [{"status": 503}] * 9
        self.again()
        before = self.authority.calls
        with FakeWorker(self.refresher) as worker:
            worker.notice()
            # The first one is worth an attempt; whoever asks during it joins it.
            worker.refuse(1)
            wait_for("the attempt", 5, lambda: self.authority.calls == before + 1)
            while worker.notice()[2] != "backoff":
                pass
            for _ in range(1000):
                worker.refuse(1)
            answers = [worker.notice() for _ in range(1000)]
        self.assertEqual(self.authority.calls - before, 1)
        self.assertTrue(all(answer[1:3] == (1, "backoff") and answer[3] > 0 for answer in answers))


if __name__ == "__main__":
    unittest.main()
