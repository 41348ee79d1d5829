# SPDX-License-Identifier: Apache-2.0
"""Commands about credentials: where logins of other programs are found, export, removal, a restored vault."""

import base64
import hashlib
import json
import os
import socket
import struct
import subprocess
import unittest

from harness import PROGRAM
from keyring_service import Bus, Keyring
from oauth import web_token
from refresher import VERSION, Scenario, oauth

# The kind of a command's message, and the verb of one.
COMMAND, GIVEN_AWAY = 15, 17
# A login as Codex keeps it beside a keyring: {"version": 1, "secrets": {"global/CLI_AUTH": "{…}"}}, renewed at
# 2026-11-21T08:49:37.5Z, with the refresh token canary-rt-0. Opens with the passphrase canary-passphrase (age 1.1.1 agrees).
CLI_AUTH = base64.b64decode(
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBuQXErVWNibVpWMkIzaTBFVFUreGxBIDEwCmdYMDR5RTV2cWdWcVIwYnJnbEZk"
    "bHYwTS84L1BSRzgwYTg5cUJtZzdLODAKLS0tIDhuQjdpUitQTFBvTHVCcjZGUmd0R0kxTVBHVUZMMDJlalJDek1YMnU3TDAKfByX3xfA"
    "ZpJIIrCvCaZSUWM1+AoQu9KpGLvw36L41l56zHRyy8ar276whZJ6MbZuYSHiI2VLK6mgjmnju9KcHPLbMVE0Ggiv2jn5W/EhWl4q1YLR"
    "QsbczsXmE8bfva8VUJXe3DOam/mPJloV+SvEG8W+rb8VD3tHHD2BieKqJHn7a5gx06rmxIaSCrzGW9keHzS2ggN9xYTFCiPQCJEEsHTe"
    "GgUGTFmO+dOkBltkUfLTiujZyOo/juZbLQLkCbYzPT9x0jE4tqsKqxFoYT2PrwzOP7sN/HmvyAufkBDdl6m/QzXzCPpEO1AcUaV1kg5V"
    "TP2YyA7WJFyDV0eeOde45Cs2hWAhQGpEVA+zMcI/3RMf2I3SIXYYpDKHaVAT1pfGld5VFsGn6PKqselzXnkO"
)


class Commands(Scenario):
    more = {"secret": "vault"}

    def setUp(self):
        super().setUp()
        self.home = self.refresher.root / "home"
        self.home.mkdir()
        self.refresher.configure({**oauth(self.authority, secret="vault"), "kind": "codex_oauth"})
        self.start()

    def ccr(self, *words, **environment):
        done = subprocess.run(
            [PROGRAM, *words, "--config", str(self.refresher.config)],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **environment},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )
        self.assertNotIn("canary", done.stdout + done.stderr)
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    def put(self, path, **tokens):
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"tokens": tokens}))
        file.chmod(0o600)
        return file

    def adopt(self, *words, **environment):
        return self.ccr("credentials", "import", "main", "--i-understand", *words, **environment)

    def test_the_places_of_other_programs_are_looked_at_in_their_order(self):
        code, _, err = self.adopt()
        self.assertEqual(code, 1)
        for place in (".config/codex-proxy/auth.json", ".codex/auth.json", "ACCESS_TOKEN"):
            self.assertIn(place, err)
        token = web_token("acc-1", 900)
        self.put(".codex/auth.json", refresh_token="canary-rt-legacy", access_token="x", account_id="acc-1")
        self.put(".config/codex-proxy/auth.json", refresh_token="canary-rt-0", access_token=token, account_id="acc-1")
        self.assertEqual(self.adopt("--disable-migrate-refresh")[0], 0)
        self.assertEqual(self.refresher.token(), token)
        self.assertEqual(self.authority.calls, 0)
        code, _, err = self.adopt()
        self.assertEqual(code, 1)
        self.assertIn("already", err, "auto leaves a login in the vault alone")
        self.assertEqual(self.adopt("--creds-store", "xdg")[0], 0, "named, it is taken and renewed at once")
        self.assertEqual(self.authority.sent, ["canary-rt-0"])

    def item(self, refresh, kind="cli", last_refresh=None, **more):
        """An item as Codex puts it into a keyring: its name is made of the directory."""
        directory = self.home / ".codex"
        directory.mkdir(exist_ok=True)
        user = kind + "|" + hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:16]
        tokens = {"refresh_token": refresh, "access_token": web_token("acc-1", 900), "account_id": "acc-1"}
        attributes = {"service": "Codex Auth", "username": user, "target": "default"}
        login = {"auth_mode": "chatgpt", "tokens": tokens, "last_refresh": last_refresh}
        return {"attributes": attributes, "secret": json.dumps(login), **more}

    def test_codexs_login_in_the_keyring_is_found_after_files_and_never_shown(self):
        with Bus() as bus, Keyring(bus, self.item("canary-rt-0"), self.item("canary-rt-other", "cli|0")):
            where = {"DBUS_SESSION_BUS_ADDRESS": bus.address}
            code, _, err = self.ccr("credentials", "import", "main", **where)
            self.assertEqual(code, 1)
            self.assertIn("--i-understand", err)
            self.assertEqual(self.adopt(**where)[0], 0)
            self.assertEqual(self.authority.sent, ["canary-rt-0"], "it is renewed at once")
            self.put(".codex/auth.json", refresh_token="canary-rt-1", access_token="x", account_id="acc-1")
            self.ccr("logout", "main")
            self.assertEqual(self.adopt(**where)[0], 0)
            self.assertEqual(self.authority.sent, ["canary-rt-0", "canary-rt-1"], "the file comes first")

    def test_codexs_login_in_a_file_whose_key_is_in_the_keyring_is_found(self):
        file = self.home / ".codex/secrets/cli_auth.age"
        older = {"last_refresh": "2026-11-21T08:49:36Z"}
        key = {**self.item("", "secrets"), "secret": "canary-passphrase"}
        key["attributes"]["service"] = "codex"
        with Bus() as bus, Keyring(bus, key, self.item("canary-rt-older", **older)):
            where = {"DBUS_SESSION_BUS_ADDRESS": bus.address}
            file.parent.mkdir()
            for text, reason in [(CLI_AUTH[:-1], "does not open with the key"), (b"x" * 200_000, "is larger than")]:
                file.write_bytes(text)
                code, _, err = self.adopt(**where)
                self.assertEqual(code, 1)
                self.assertIn(f"{file} {reason}", err)
            file.write_bytes(CLI_AUTH)
            self.assertEqual(self.adopt(**where), (0, "main has token 1", ""))
            self.assertEqual(self.authority.sent, ["canary-rt-0"])
        newer = {"last_refresh": "2026-11-21T08:49:38Z"}
        with Bus() as bus, Keyring(bus, key, self.item("canary-rt-1", **newer)):
            self.ccr("logout", "main")
            self.assertEqual(self.adopt(DBUS_SESSION_BUS_ADDRESS=bus.address)[0], 0)
            self.assertEqual(self.authority.sent, ["canary-rt-0", "canary-rt-1"], "the newer one of the two")

    def test_a_keyring_that_gives_nothing_says_why_and_keeps_nobody_from_the_environment(self):
        named = ("--creds-store", "keychain")
        nowhere = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.home}/no-bus"}
        code, _, err = self.adopt(*named, **nowhere)
        self.assertEqual(code, 1)
        self.assertIn("there is no session bus", err)
        with Bus() as bus:
            where = {"DBUS_SESSION_BUS_ADDRESS": bus.address}
            code, _, err = self.adopt(*named, **where)
            self.assertEqual(code, 1)
            self.assertIn("nobody on the session bus keeps secrets", err)
            for items, reason in [
                ([], "there is no login in the desktop's keyring"),
                ([self.item("canary-rt-0", locked=True)], "is locked; unlock it"),
                ([self.item("canary-rt-0"), self.item("canary-rt-0")], "holds 2 logins"),
                ([{**self.item("x"), "secret": "canary" * 30_000}], "larger than 131072 bytes"),
                ([{**self.item("x"), "secret": "canary, no JSON"}], "holds is no JSON object"),
            ]:
                with self.subTest(reason), Keyring(bus, *items):
                    code, _, err = self.adopt(*named, **where)
                    self.assertEqual(code, 1)
                    self.assertIn(reason, err)
                    self.assertEqual(self.authority.calls, 0)
            with Keyring(bus, self.item("canary-rt-0", locked=True)):
                self.assertIn("is locked", self.adopt(**where)[2])
                self.assertEqual(self.adopt(ACCESS_TOKEN=web_token("acc-1", 900), **where)[0], 0)

    def test_a_token_of_the_environment_is_used_to_its_end(self):
        token = web_token("acc-1", 900)
        code, _, err = self.adopt("--creds-store", "env", ACCESS_TOKEN=token, ACCOUNT_ID="acc-1")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(self.refresher.token(), token)
        self.assertEqual(self.refresher.store.credentials()["main"]["account_id"], "acc-1")
        code, _, err = self.adopt("--creds-store", "somewhere")
        self.assertEqual(code, 1)
        self.assertIn("auto, xdg, legacy, keychain, env, vault", err)

    def test_copilots_bearer_token_of_the_environment(self):
        self.refresher.stop(self.process)
        url = self.authority.url + "/copilot_internal/v2/token"
        self.refresher.configure({"name": "main", "kind": "copilot", "token_url": url})
        self.start()
        code, _, err = self.adopt(COPILOT_BEARER_TOKEN="tid=canary-env")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(self.refresher.token(), "tid=canary-env")
        self.assertEqual(self.authority.calls, 0)

    def login(self):
        token = web_token("acc-1", 900)
        file = self.put("one.json", refresh_token="canary-rt-0", access_token=token, account_id="acc-1")
        self.assertEqual(self.adopt(str(file), "--disable-migrate-refresh")[0], 0)
        return token

    def test_an_export_keeps_what_else_stands_in_the_file_and_gives_no_secret_away(self):
        token = self.login()
        file = self.home / "auth.json"
        file.write_text('{"OPENAI_API_KEY": null, "x": [1, {"y": 2}], "tokens": {"id_token": "i", "access_token": "o"}}')
        file.chmod(0o600)
        self.assertEqual(self.ccr("credentials", "export", "main", str(file))[0], 0)
        written = json.loads(file.read_text())
        self.assertEqual((written["OPENAI_API_KEY"], written["x"]), (None, [1, {"y": 2}]))
        self.assertEqual(written["tokens"]["id_token"], "i")
        self.assertEqual(written["tokens"]["access_token"], token)
        self.assertEqual(written["tokens"]["account_id"], "acc-1")
        self.assertNotIn("refresh_token", written["tokens"])
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.ccr("credentials", "export", "main", str(file), "--move")[0], 0)
        self.assertEqual(json.loads(file.read_text())["tokens"]["refresh_token"], "canary-rt-0")
        self.assertEqual(self.refresher.status()["state"], "needs_login", "ccr has logged out")
        file.write_text("no object")
        self.login()
        code, _, err = self.ccr("credentials", "export", "main", str(file))
        self.assertEqual(code, 1)
        self.assertEqual(file.read_text(), "no object")

    def test_a_login_that_cannot_be_given_away_stays(self):
        token = self.login()
        folder = self.home / "folder"
        folder.mkdir()
        for place in (folder, self.home / "nowhere/auth.json"):
            code, out, err = self.ccr("credentials", "export", "main", str(place), "--move")
            self.assertEqual((code, out), (1, ""))
            self.assertIn(str(place), err)
            self.assertEqual(self.refresher.token(), token)
        # What is in the file by now is not what the vault holds.
        tokens = json.dumps({"refresh_token": "canary-rt-older"})
        self.assertIn("renewed meanwhile", self.give_away(tokens))
        self.assertEqual(self.refresher.token(), token)
        self.assertEqual(self.ccr("credentials", "refresh", "main")[0], 0, "the secret is still there")
        self.assertEqual(self.ccr("logout", "main")[0], 0)
        self.assertEqual(self.ccr("credentials", "export", "main", str(self.home / "x.json"), "--move")[0], 1)

    def give_away(self, tokens):
        """What the refresher says to who wrote these tokens into a file."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.connect(str(self.refresher.state / "credentials/refresher.sock"))
            name, body = b"main", tokens.encode()
            parts = [struct.pack("<I", len(part)) + part for part in (name, body)]
            s.send(bytes([VERSION, COMMAND, GIVEN_AWAY]) + b"".join(parts))
            return s.recv(4096).decode(errors="replace")

    def test_bad_files_are_refused_with_their_name_and_change_nothing(self):
        token = self.login()
        unsigned = web_token("acc-1", 900).rsplit(".", 1)[0] + "."
        login = {"refresh_token": "canary-rt-x", "account_id": "acc-1"}
        for text, reason in [
            ("", "is empty"),
            ('{"tokens": {"access_tok', "is no JSON object"),
            ("<html>canary</html>", "is no JSON object"),
            (json.dumps({"tokens": {"access_token": "canary"}}), "holds no usable token"),
            (json.dumps({"tokens": {**login, "access_token": unsigned}}), "holds a token without a signature"),
        ]:
            with self.subTest(reason):
                file = self.home / "bad.json"
                file.write_text(text)
                file.chmod(0o600)
                code, _, err = self.adopt(str(file))
                self.assertEqual(code, 1)
                self.assertIn(f"{file} {reason}", err)
                self.assertIn("nothing was changed", err)
                self.assertEqual(self.refresher.token(), token)
        self.assertEqual(self.authority.calls, 0)
        self.assertEqual(self.ccr("credentials", "refresh", "main")[0], 0)
        self.assertEqual(self.authority.sent, ["canary-rt-0"])

    def test_a_login_whose_token_has_ended_is_renewed_at_once(self):
        old = web_token("acc-1", -100)
        file = self.put("one.json", refresh_token="canary-rt-0", access_token=old, account_id="acc-1")
        code, out, err = self.adopt(str(file), "--disable-migrate-refresh")
        self.assertEqual((code, out, err), (0, "main has token 1", ""))
        self.assertEqual(self.authority.sent, ["canary-rt-0"])

    def test_a_status_tells_programs_the_same_as_people(self):
        for words in ([], ["--json"]):
            code, out, _ = self.ccr("credentials", "status", *words)
            self.assertEqual(code, 1, "it needs a login")
            self.assertIn("run ccr login main", out)
        self.assertNotIn("never", self.ccr("credentials", "status")[1], "there is no token that could end")
        self.login()
        for words in ([], ["--json"]):
            self.assertEqual(self.ccr("credentials", "status", *words)[0], 0)
        self.assertEqual(self.refresher.status()["remedy"], "", "nothing has to be done")
        self.assertEqual(self.ccr("logout", "main")[0], 0)
        found = self.refresher.status()
        self.assertEqual((found["reason"], found["remedy"]), ("logged out", "run ccr login main"))
        self.assertIn("logged out; run ccr login main", self.ccr("credentials", "status")[1])

    def test_a_second_login_ends_the_first_one(self):
        self.refresher.stop(self.process)
        self.refresher.configure(oauth(self.authority, secret="vault"))
        self.authority.device_answers = ["authorization_pending"] * 1000
        self.start()
        words = [PROGRAM, "login", "main", "--config", str(self.refresher.config)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
            self.assertIn("ABCD-1234", first.stdout.readline())
            with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as second:
                self.assertIn("ABCD-1234", second.stdout.readline())
                self.assertEqual((first.wait(10), first.stderr.read()), (1, "ccr: another login of main was begun\n"))
                self.assertEqual(self.ccr("logout", "main")[0], 0)
                self.assertEqual((second.wait(10), second.stderr.read()), (1, "ccr: main was logged out meanwhile\n"))

    def test_copies_of_the_vault_are_below_the_state_directory(self):
        self.login()
        folder = self.refresher.state / "credentials"
        for words in (["backup", "/tmp/copy.db"], ["restore", str(self.home / "copy.db")], ["backup", "copy.db"]):
            code, _, err = self.ccr("vault", *words)
            self.assertEqual(code, 1)
            self.assertIn(f"below {folder} alone", err)
        done = subprocess.run(
            [PROGRAM, "vault", "backup", "copy.db", "--config", str(self.refresher.config)],
            cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((folder / "copy.db").stat().st_mode & 0o777, 0o600)

    def test_a_list_names_what_the_vault_holds_beside_the_configuration_and_rm_removes_it(self):
        self.login()
        self.refresher.stop(self.process)
        self.refresher.configure(oauth(self.authority, "other", secret="vault"))
        self.start()
        out = self.ccr("credentials", "list")[1]
        self.assertRegex(out, r"(?m)^other +p +oauth2 +vault")
        self.assertRegex(out, r"(?m)^main +not configured")
        code, _, err = self.ccr("credentials", "rm", "other")
        self.assertEqual(code, 1)
        self.assertIn("is configured", err)
        self.assertEqual(self.ccr("credentials", "rm", "main")[0], 0)
        self.assertNotIn("main", self.ccr("credentials", "list")[1])
        self.assertNotIn("main", self.refresher.store.credentials())

    def test_a_restored_vault_sends_no_secret_that_may_have_been_replaced(self):
        token = self.login()
        folder = self.refresher.state / "credentials"
        self.assertEqual(self.ccr("vault", "backup", str(folder / "copy.db"))[0], 0)
        self.assertEqual(self.ccr("credentials", "refresh", "main")[0], 0)
        self.assertEqual(self.authority.sent, ["canary-rt-0"])
        before = self.refresher.status()["generation"]
        broken = folder / "broken.db"
        broken.write_bytes(b"x" * 8192)
        broken.chmod(0o600)
        self.assertEqual(self.ccr("vault", "restore", str(broken))[0], 1)
        self.assertEqual(self.refresher.status()["generation"], before)
        self.assertEqual(self.ccr("vault", "restore", str(folder / "copy.db"))[0], 0)
        self.assertEqual(self.process.wait(10), 0, "it starts anew")
        self.start()
        found = self.refresher.status()
        self.assertEqual((found["state"], found["reason"]), ("needs_login", "restored from a copy"))
        self.assertGreater(found["generation"], before, "workers see that it is another token")
        self.assertEqual(self.refresher.token(), token, "to its end")
        self.assertEqual(self.authority.sent, ["canary-rt-0"], "nothing is sent")
        self.assertTrue(list((folder / "vault").glob("vault.db.before-*")))


if __name__ == "__main__":
    unittest.main()
