# SPDX-License-Identifier: Apache-2.0
"""Credentials and token endpoints that fail, one outcome after another (C)."""

import email.utils
import json
import subprocess
import time
import unittest

from harness import wait_for
from oauth import Authority, web_token
from refresher import Scenario, needs_debug, oauth

HOUR = 3600


@needs_debug
class Answers(Scenario):
    debug = True

    def other(self, *credentials, **environment):
        """One more refresher with an authority of its own; its credential points there."""
        authority = self.enterContext(Authority(lifetime=1000))
        build = credentials[0] if credentials else oauth
        refresher = self.enterContext(self.new(build(authority), **environment))
        return authority, refresher

    def lost(self, refresher, part):
        """Wait until an attempt has ended without an answer; the next one may follow at once."""
        def noted():
            rows = refresher.store.audit("main") if refresher.store.vault.exists() else []
            return any(row["event"] == "indeterminate" and part in row["note"] for row in rows)

        wait_for(f"an answer that is lost\n{refresher.text()}", 10, noted)

    def test_c3_a_server_that_never_answered_is_asked_again_with_the_same_secret(self):
        self.resent = {"canary-rt-0"}
        self.start({"before": 1.5, "drop": "before"}, CCR_EXCHANGE_MS="500")
        self.lost(self.refresher, "no answer within")
        self.refresher.wait_for("fresh")
        self.assertEqual(self.authority.sent, ["canary-rt-0"])

    def test_c9_every_form_of_retry_after(self):
        ahead = time.time() + 10_000
        date = email.utils.formatdate(ahead, usegmt=True)
        until = email.utils.formatdate(ahead + 90, usegmt=True)
        for headers, wanted in [
            ([("Retry-After", until), ("Date", date)], 90),
            ([("Retry-After", "soon")], 60),
            ([], 60),
            ([("Retry-After", "86400")], HOUR),
        ]:
            with self.subTest(headers):
                authority, refresher = self.other()
                authority.behaviours = [{"status": 429, "headers": headers}]
                refresher.start()
                left = refresher.wait_for("backoff")["next_attempt_in_seconds"]
                self.assertTrue(wanted - 3 <= left <= wanted, left)

    def test_c11_answers_that_do_not_end_are_given_up(self):
        self.resent = {"canary-rt-0"}
        self.start({"drip": 3}, CCR_EXCHANGE_MS="700")
        self.lost(self.refresher, "no answer within")
        authority, refresher = self.other()
        authority.behaviours = [{"cut": True}]
        refresher.start()
        self.lost(refresher, "")

    def test_c13_each_way_to_say_that_a_secret_is_dead_is_understood_and_sent_once(self):
        codes = [
            ("refresh_token_expired", "expired"),
            ("refresh_token_reused", "reused_by_other"),
            ("refresh_token_invalidated", "revoked"),
        ]
        cases = [(401, {"error": {"code": code}}, reason) for code, reason in codes]
        cases += [
            (404, {"error": {"code": "not_found_error"}}, "revoked"),
            (400, {"message": "the authorization grant is invalid"}, "revoked"),
        ]

        def credential(authority):
            more = {"permanent_texts": ["grant is invalid"], "permanent_codes": ["not_found_error"]}
            return {**oauth(authority, **more), "kind": "codex_oauth"}

        for status, body, reason in cases:
            with self.subTest(body):
                authority, refresher = self.other(credential)
                authority.behaviours = [{"status": status, "body": body}]
                refresher.start()
                self.assertEqual(refresher.wait_for("needs_login")["reason"], reason)
                self.assertEqual(authority.calls, 1)

    def test_c14_an_unknown_refusal_is_asked_once_more_after_a_minute(self):
        self.resent = {"canary-rt-0"}
        self.start({"status": 401, "body": {"error": "strange"}}, {"status": 401, "body": {"error": "strange"}})
        left = self.refresher.wait_for("backoff")["next_attempt_in_seconds"]
        self.assertTrue(55 <= left <= 60, left)
        self.refresher.advance(61)
        self.assertEqual(self.refresher.wait_for("needs_login")["reason"], "unknown")
        self.refresher.advance(2 * HOUR)
        self.assertEqual(self.authority.calls, 2)

    def test_c15_wrong_settings_rest_for_an_hour_unless_they_are_changed(self):
        self.resent = {"canary-rt-0"}
        self.start({"status": 400, "body": {"error": "invalid_client"}})
        self.refresher.wait_for("config_error")
        self.refresher.advance(3000)
        self.refresher.status()
        self.assertEqual(self.authority.calls, 1)
        self.refresher.stop(self.process)
        self.refresher.configure(oauth(self.authority, client_id="other"))
        self.start()
        self.refresher.wait_for("fresh")
        self.assertEqual(self.authority.bodies[-1]["client_id"], "other")

    def test_c17_an_answer_for_another_account_is_refused(self):
        def credential(authority):
            return {**oauth(authority), "kind": "codex_oauth"}

        authority, refresher = self.other(credential)
        authority.behaviours = [{"more": {"access_token": web_token("acc-1", 1000)}}]
        refresher.start()
        refresher.wait_for("fresh")
        before = refresher.store.credentials()["main"]
        authority.behaviours = [{"more": {"access_token": web_token("acc-2", 1000)}}]
        code, _, err = refresher.command("credentials", "refresh", "main")
        self.assertEqual(code, 1)
        self.assertIn("another account", err)
        self.assertEqual(refresher.status()["state"], "denied")
        after = refresher.store.credentials()["main"]
        self.assertEqual((after["generation"], after["account_id"]), (before["generation"], "acc-1"))
        self.assertEqual(refresher.text().count("another account"), 1)

    def test_c19_a_service_account_corrects_the_clock_by_the_servers_and_asks_once_more(self):
        key = subprocess.run(
            ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout
        file = self.refresher.root / "key.json"
        file.write_text(json.dumps({"type": "service_account", "client_email": "a@b", "private_key": key}))
        file.chmod(0o600)
        url = self.authority.url + "/token"
        self.refresher.configure({"name": "main", "kind": "google_sa", "secret": f"file:{file}", "token_url": url})
        text = "Invalid JWT: Token must be a short-lived token and in a reasonable timeframe"
        date = email.utils.formatdate(time.time() + 600, usegmt=True)
        self.start(
            {"status": 400, "body": {"error": "invalid_grant", "error_description": text}, "headers": [("Date", date)]})
        self.refresher.wait_for("fresh")
        self.assertEqual(self.authority.calls, 2)
        first, second = (self.authority.claims(body["assertion"])["iat"] for body in self.authority.bodies)
        self.assertTrue(595 <= second - first <= 606, second - first)


@needs_debug
class Copilot(Scenario):
    """The exchange of a GitHub token."""

    debug = True

    def setUp(self):
        super().setUp()
        url = self.authority.url + "/copilot_internal/v2/token"
        self.refresher.configure({"name": "main", "kind": "copilot", "secret": "env:RT", "token_url": url})

    def test_a8_the_life_of_a_token_follows_the_hint_and_not_the_clocks(self):
        self.authority.exchange = [{"ahead": 600, "refresh_in": 1200, "lifetime": 1800}]
        self.start()
        found = self.refresher.wait_for("fresh")
        self.assertTrue(1250 <= found["expires_in_seconds"] <= 1260, found)
        self.assertTrue(1100 <= found["next_attempt_in_seconds"] <= 1200, found)
        self.refresher.advance(1201)
        wait_for("the next exchange", 5, lambda: self.authority.calls == 2)

    def test_c20_what_github_says_of_an_account_is_shown_and_asked_again_seldom(self):
        details = {"notification_id": "no_copilot_access", "message": "no", "title": "t", "url": "https://x"}
        self.authority.exchange = [{"status": 403, "body": {"error_details": details}}] * 2
        self.start()
        self.assertIn("/v2/token: no_copilot_access: no (https://x);", self.refresher.wait_for("denied")["reason"])
        self.refresher.advance(600)
        self.refresher.status()
        self.assertEqual(self.authority.calls, 1)
        self.refresher.advance(301)
        wait_for("a look after a quarter of an hour", 5, lambda: self.authority.calls == 2)
        self.refresher.stop(self.process)
        for name, state, next in [
            ("server_error", "backoff", True),
            ("go_http_client", "denied", False),
            ("programmatic_token_generation", "denied", False),
        ]:
            with self.subTest(name):
                authority = self.enterContext(Authority())
                url = authority.url + "/copilot_internal/v2/token"
                refresher = self.enterContext(
                    self.new({"name": "main", "kind": "copilot", "secret": "env:RT", "token_url": url}))
                authority.exchange = [{"status": 403, "body": {"error_details": {"notification_id": name}}}]
                refresher.start()
                found = refresher.wait_for(state)
                self.assertEqual(found["next_attempt_in_seconds"] is not None, next)


if __name__ == "__main__":
    unittest.main()
