# SPDX-License-Identifier: Apache-2.0
"""Logins that are replaced, interrupted or ended while something is under way: no good one is lost, no ended one returns."""

import json
import signal
import sqlite3
import subprocess
import unittest

from harness import PROGRAM, wait_for
from oauth import web_token
from refresher import Scenario, needs_debug, oauth


class LoggedIn(Scenario):
    """A credential with a login, whose refresh token is canary-rt-2."""

    more = {"secret": "vault"}
    dead = {"status": 400, "body": {"error": "invalid_grant"}}

    def setUp(self):
        super().setUp()
        self.start()
        self.assertEqual(self.refresher.command("login", "main")[0], 0)

    def file(self, refresh, **tokens):
        file = self.refresher.root / "auth.json"
        file.write_text(json.dumps({"tokens": {"refresh_token": refresh, **tokens}}))
        file.chmod(0o600)
        return str(file)

    def adopt(self, refresh, *words, **tokens):
        """Exit status and what the command says."""
        words = ("credentials", "import", "main", self.file(refresh, **tokens), "--i-understand", *words)
        code, out, err = self.refresher.command(*words)
        return code, out + err

    def held(self):
        """The names of the secrets in the vault."""
        connection = sqlite3.connect(f"file:{self.refresher.store.vault}?mode=ro", uri=True)
        self.addCleanup(connection.close)
        return {name for name, in connection.execute("SELECT name FROM secret WHERE cred = 'main'")}


class Replaced(LoggedIn):
    def test_an_import_that_the_service_refuses_leaves_the_login_that_was_there(self):
        self.authority.behaviours = [self.dead]
        code, text = self.adopt("canary-rt-dead")
        self.assertEqual(code, 1)
        self.assertIn("main: the new login was refused", text)
        self.assertIn("revoked", text)
        self.assertIn("the one before it is in use again", text)
        self.refresher.wait_for("fresh")
        self.assertEqual(self.refresher.token(), self.authority.access)
        self.assertEqual(self.authority.sent[-1], "canary-rt-2", "the login that was there goes on")
        self.assertEqual(self.again()[0], 0)
        self.assertEqual(self.held(), {"refresh", "access"})
        self.assertIn("the new login was refused", self.refresher.text())
        self.assertNotIn("needs a login (revoked)", self.refresher.text())

    def test_an_import_of_another_account_that_is_refused_leaves_the_account_too(self):
        self.authority.behaviours = [self.dead]
        self.assertEqual(self.adopt("canary-rt-dead", "--replace", account_id="acc-2")[0], 1)
        self.refresher.wait_for("fresh")
        self.assertEqual(self.refresher.store.credentials()["main"]["account_id"], "")

    def test_each_command_says_what_to_do_about_a_login_that_has_ended(self):
        self.authority.behaviours = [self.dead]
        self.assertEqual(self.again(), (1, "ccr: main: needs_login: revoked; run ccr login main"))
        self.refresher.command("logout", "main")
        said = "ccr: main: needs_login: logged out; run ccr login main"
        self.assertEqual(self.refresher.command("print-token", "main")[2], said)
        self.assertEqual(self.refresher.command("credentials", "export", "main", "/nowhere")[2], said)

    def test_a_login_whose_service_is_away_names_its_address(self):
        self.authority.__exit__()
        code, _, err = self.refresher.command("login", "main")
        self.assertEqual(code, 1)
        self.assertIn(f"ccr: {self.authority.url}/device: ", err)
        self.assertIn("; nothing was changed", err)
        self.assertEqual(self.refresher.status()["state"], "fresh")

    def test_an_import_that_the_service_takes_ends_the_login_before_it(self):
        self.authority.refresh = "canary-rt-new"
        self.assertEqual(self.adopt("canary-rt-new"), (0, "main has token 2"))
        self.assertEqual(self.held(), {"refresh", "access"})

    def test_a_refresh_token_that_was_replaced_already_is_not_sent_again(self):
        self.assertEqual(self.authority.sent, ["canary-rt-1"])
        for words in ((), ("--disable-migrate-refresh",), ("--replace",)):
            code, text = self.adopt("canary-rt-1", *words, access_token=web_token("acc-1", 900))
            self.assertEqual(code, 1)
            self.assertIn("has been used already", text)
            self.assertIn("nothing was changed", text)
        self.assertEqual(self.authority.sent, ["canary-rt-1"])
        self.assertEqual(self.again()[0], 0)
        self.refresher.command("logout", "main")
        self.resent = {"canary-rt-1"}
        self.assertIn("needs_login", self.adopt("canary-rt-1")[1], "without a login nothing can be lost")

    def test_a_dead_token_of_github_leaves_the_one_that_was_there(self):
        self.refresher.stop(self.process)
        url = self.authority.url + "/copilot_internal/v2/token"
        self.refresher.configure({"name": "main", "kind": "copilot", "token_url": url})
        self.start()
        self.again()
        before = self.refresher.token()
        self.authority.exchange = [{"status": 401, "body": {"message": "Bad credentials"}}]
        code, text = self.adopt("ignored")
        self.assertEqual((code, "holds no usable token" in text), (1, True), text)
        file = self.refresher.root / "one-line"
        file.write_text("canary-ghu-dead\n")
        file.chmod(0o600)
        code, out, err = self.refresher.command("credentials", "import", "main", str(file))
        self.assertEqual(code, 1)
        self.assertIn("the new login was refused", out + err)
        self.refresher.wait_for("fresh")
        self.assertNotEqual(self.refresher.token(), before)
        self.assertIn("canary-rt-2", self.authority.exchanged[-1]["Authorization"])

    def test_a_logout_during_a_refresh_stays_a_logout(self):
        self.authority.behaviours = [{"after": 1}]
        with subprocess.Popen(
            [PROGRAM, "credentials", "refresh", "main", "--config", str(self.refresher.config)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        ) as asking:
            wait_for("the rotation", 5, lambda: self.authority.refresh == "canary-rt-3")
            self.authority.answered = None
            self.assertEqual(self.refresher.command("logout", "main")[0], 0)
            self.assertEqual(asking.wait(10), 1)
            self.assertIn("logged out", asking.stderr.read())
        wait_for("the answer", 5, lambda: self.authority.answered)
        self.assertEqual(self.refresher.status()["reason"], "logged out")
        self.assertIsNone(self.refresher.token())
        self.assertEqual(self.held(), set())
        self.assertEqual(self.refresher.command("login", "main")[0], 0)
        self.assertEqual(self.refresher.token(), self.authority.access)

    def begin_login(self):
        words = [PROGRAM, "login", "main", "--config", str(self.refresher.config)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertIn("ABCD-1234", process.stdout.readline())
        return process

    def test_a_login_that_nobody_waits_for_any_more_changes_nothing(self):
        self.authority.device_answers = ["authorization_pending"] * 1000
        first = self.begin_login()
        wait_for("a poll", 10, lambda: self.authority.polls > 1)
        first.send_signal(signal.SIGINT)
        self.assertNotEqual(first.wait(10), 0)
        wait_for("the end of the login", 5, lambda: "the login of main is given up" in self.refresher.text())
        self.assertEqual(self.refresher.status()["state"], "fresh")

    def test_a_login_whose_request_is_under_way_can_be_begun_again(self):
        self.authority.device_answers = [(1.0, "authorization_pending")]
        polls = self.authority.polls
        first = self.begin_login()
        wait_for("a poll", 10, lambda: self.authority.polls == polls + 1)
        self.assertEqual(self.refresher.command("login", "main")[0], 0)
        self.assertEqual(first.wait(10), 1)
        self.assertIsNone(self.process.poll(), self.refresher.text())
        self.assertEqual(self.refresher.token(), self.authority.access)


@needs_debug
class Later(LoggedIn):
    """What the service makes of a new login is known later than the command."""

    debug = True

    def test_an_import_that_is_refused_after_a_kill_leaves_the_login_that_was_there(self):
        self.refresher.stop(self.process)
        process = self.refresher.start(CCR_FAULT="after_body")
        self.authority.behaviours = [self.dead] * 2
        self.assertEqual(self.adopt("canary-rt-dead")[0], 1)
        self.assertEqual(process.wait(10), 9)
        self.start(self.dead)
        self.refresher.wait_for("fresh")
        self.assertIn("put_back", self.refresher.store.events())
        self.assertEqual(self.again()[0], 0)

    def test_a_token_that_is_used_up_before_its_login_is_refused_leaves_the_login_that_was_there(self):
        access = web_token("acc-1", 900)
        self.assertEqual(self.adopt("canary-rt-dead", "--disable-migrate-refresh", access_token=access)[0], 0)
        self.assertEqual(self.refresher.token(), access)
        self.assertIn("previous", self.held())
        self.authority.behaviours = [self.dead]
        self.refresher.advance(890)
        wait_for("the other login", 10, lambda: self.refresher.token() == self.authority.access)
        self.assertEqual(self.authority.sent[-1], "canary-rt-2")


if __name__ == "__main__":
    unittest.main()
