# SPDX-License-Identifier: Apache-2.0
"""Credentials from elsewhere: files of other programs (F), programs, keys and AWS (G)."""

import json
import os
import time
import unittest

from harness import exists, wait_for
from oauth import Authority, web_token
from refresher import LANDLOCK, Scenario, needs_debug, oauth


def auth_file(account, lifetime, marker="0", **tokens):
    token = web_token(account, lifetime, jti=f"canary-{marker}")
    return json.dumps({"OPENAI_API_KEY": None, "tokens": {"access_token": token, "account_id": account, **tokens}})


@needs_debug
class Files(Scenario):
    debug = True

    def setUp(self):
        super().setUp()
        self.file = self.refresher.root / "auth.json"
        self.refresher.configure(
            {"name": "main", "kind": "codex_oauth", "mode": "follow", "secret": f"file:{self.file}",
             "token_url": self.authority.url + "/token"})

    def put(self, text):
        """Write as the Codex command line does: in place."""
        with self.file.open("w") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)

    def follow(self):
        self.put(auth_file("acc-1", 1000))
        self.start()
        return self.refresher.wait_for("fresh")

    def test_f1_each_shape_of_a_login_file_gives_the_same_credential(self):
        end = int(time.time()) + 900
        iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))
        token = web_token("acc-1", 900)
        plain = {"refresh_token": "canary-rt-0", "access_token": token, "account_id": "acc-1"}
        shapes = [
            {"tokens": {**plain, "id_token": token}, "last_refresh": iso},
            {"tokens": {**plain, "expiresAt": end * 1000}},
            {"accessToken": token, "refreshToken": "canary-rt-0", "expiresAt": end * 1000, "userID": "acc-1"},
            {"type": "codex", **plain, "expired": iso},
            {**plain, "expires_at": end},
        ]
        found = []
        for number, shape in enumerate(shapes):
            authority = self.enterContext(Authority())
            refresher = self.enterContext(
                self.new({**oauth(authority, secret="vault"), "kind": "codex_oauth"}))
            refresher.start()
            file = refresher.root / f"auth-{number}.json"
            file.write_text(json.dumps(shape))
            file.chmod(0o600)
            before = file.read_bytes()
            code, _, err = refresher.command(
                "credentials", "import", "main", str(file), "--i-understand", "--disable-migrate-refresh")
            self.assertEqual((code, err), (0, ""))
            row, status = refresher.store.credentials()["main"], refresher.status()
            found.append((row["account_id"], row["kind"], row["generation"], row["status"]))
            self.assertTrue(890 <= status["expires_in_seconds"] <= 900, status)
            self.assertEqual(refresher.token(), token)
            self.assertEqual(file.read_bytes(), before)
            self.assertEqual(authority.calls, 0)
        self.assertEqual(set(found), {("acc-1", "codex_oauth", 1, "fresh")})

    def test_f2_a_file_that_is_being_written_changes_nothing_until_it_is_whole(self):
        self.follow()
        first = self.refresher.token()
        self.put("")
        time.sleep(0.2)
        self.assertEqual(self.refresher.status()["state"], "fresh")
        whole = auth_file("acc-1", 1000, "1")
        self.put(whole[: len(whole) // 2])
        time.sleep(0.7)
        self.assertEqual(self.refresher.token(), first)
        self.put(whole)
        wait_for("the new token", 5, lambda: self.refresher.status()["generation"] == 2)
        self.assertEqual(self.refresher.token(), json.loads(whole)["tokens"]["access_token"])
        self.refresher.advance(1001)
        self.assertIn("run the program", self.refresher.wait_for("needs_login")["reason"])
        self.put(auth_file("acc-1", 3000, "2"))
        self.refresher.wait_for("fresh")
        self.assertEqual(self.authority.calls, 0, "it is never renewed here")

    def test_f2_a_file_that_stays_damaged_is_named(self):
        self.follow()
        self.put("{half")
        wait_for("the complaint", 10, lambda: f"{self.file} is no JSON object" in self.refresher.text())
        self.assertEqual(self.refresher.status()["state"], "fresh")
        self.assertEqual(self.refresher.text().count("is no JSON object"), 1)
        self.refresher.advance(1001)
        self.assertIn(f"{self.file} is no JSON object", self.refresher.wait_for("needs_login")["reason"])
        self.put(auth_file("acc-1", 3000, "2"))
        self.refresher.wait_for("fresh")

    def test_f3_a_followed_file_of_another_account_is_refused_until_a_person_takes_it(self):
        self.follow()
        self.put(auth_file("acc-2", 1000, "1"))
        self.assertIn("another account", self.refresher.wait_for("denied")["reason"])
        code, _, err = self.refresher.command("credentials", "import", "main", str(self.file), "--i-understand")
        self.assertEqual(code, 1)
        self.assertIn("--replace", err)
        code, _, err = self.refresher.command("credentials", "import", "main", str(self.file), "--replace")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(self.refresher.status()["state"], "fresh")
        self.assertEqual(self.refresher.store.credentials()["main"]["account_id"], "acc-2")

    def test_f4_an_adopted_login_is_renewed_at_once_and_the_old_chain_is_dead(self):
        self.refresher.configure({**oauth(self.authority, secret="vault"), "kind": "codex_oauth"})
        self.start()
        self.put(json.dumps({"tokens": {"refresh_token": "canary-rt-0", "account_id": "acc-1"}}))
        words = ("credentials", "import", "main", str(self.file))
        self.assertIn("logged out", " ".join(self.refresher.command(*words)[2].split()))
        self.assertEqual(self.refresher.command(*words, "--i-understand")[0], 0)
        self.assertEqual(self.authority.sent, ["canary-rt-0"])
        self.assertEqual(self.authority.refresh, "canary-rt-1", "what the other program holds is not good any more")

    def test_f5_a_file_that_others_may_read_or_own_is_refused_with_its_reason(self):
        self.refresher.configure({**oauth(self.authority, secret="vault"), "kind": "codex_oauth"})
        self.start()
        self.put(auth_file("acc-1", 1000, refresh_token="canary-rt-0"))
        words = ("credentials", "import", "main")
        self.file.chmod(0o644)
        self.assertIn("mode 0644", self.refresher.command(*words, str(self.file), "--i-understand")[2])
        link = self.refresher.root / "link"
        link.symlink_to(self.file)
        self.assertIn("symbolic link", self.refresher.command(*words, str(link), "--i-understand")[2])
        self.assertEqual(self.authority.calls, 0)
        if os.geteuid() == 0:
            self.file.chmod(0o600)
            os.chown(self.file, 4711, 4711)
            self.assertIn("user 4711", self.refresher.command(*words, str(self.file), "--i-understand")[2])
            os.chown(self.file, 0, 0)
        self.file.chmod(0o644)
        self.assertEqual(
            self.refresher.command(*words, str(self.file), "--i-understand", "--accept-open-mode")[0], 0)


@needs_debug
class Programs(Scenario):
    debug = True

    def run_program(self, text, **more):
        program = text if text.startswith("/") else self.refresher.script(text)
        self.refresher.configure({"name": "main", "kind": "command", "command": [program], **more})
        return self.start()

    def once(self, text, state, **more):
        """A fresh refresher whose credential is this program; its status."""
        refresher = self.enterContext(self.new())
        program = text if text.startswith("/") else refresher.script(text)
        refresher.configure({"name": "main", "kind": "command", "command": [program], **more})
        refresher.start()
        return refresher, refresher.wait_for(state)

    @unittest.skipUnless(LANDLOCK, "needs a kernel with Landlock")
    def test_a_program_reads_writes_and_removes_nothing_in_the_vault_and_all_else(self):
        credentials = self.refresher.state / "credentials"
        self.run_program(
            f"""
            cd {credentials}
            for file in vault/vault.db vault/master.key vault/refresher.lock; do
                [ -e $file ] || exit 10
                cat $file && exit 11
                true >>$file && exit 12
                rm -f $file && exit 13
                mv $file {self.refresher.out}/stolen && exit 14
            done
            ln -s {credentials}/vault {self.refresher.out}/link && cat {self.refresher.out}/link/vault.db && exit 15
            cat tokens/tokens.db >{self.refresher.out}/copy || exit 16
            rm {self.refresher.out}/copy || exit 17
            cat /etc/passwd >/dev/null || exit 18
            grep -q '^NoNewPrivs:.*1' /proc/self/status || exit 19
            """ + "\necho canary-at-program", default_ttl=600)
        self.assertEqual(self.refresher.wait_for("fresh")["state"], "fresh")
        self.assertEqual(self.refresher.token(), "canary-at-program")

    def test_g1_each_form_of_output_is_understood_and_its_end_is_kept(self):
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600))
        stamp = int(time.time()) + 600
        aws = {"Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "canary-secret", "Expiration": end}
        google = {"version": 1, "success": True, "token_type": "Bearer", "access_token": "canary-g",
                  "expiration_time": stamp}
        for output, token, more in [
            ("canary-raw\n", "canary-raw", {"default_ttl": 600}),
            (json.dumps({"access_token": "canary-j", "expires_in": 600}), "canary-j", {"command_format": "json"}),
            (json.dumps({"token": "canary-k", "expiry": end}), "canary-k", {"command_format": "json"}),
            (json.dumps(google), "canary-g", {"command_format": "google"}),
            (json.dumps(aws), None, {"kind": "aws_sigv4", "region": "us-east-1"}),
        ]:
            with self.subTest(output):
                refresher, found = self.once(f"cat <<'END'\n{output}\nEND", "fresh", **more)
                self.assertTrue(590 <= found["expires_in_seconds"] <= 600, found)
                self.assertEqual(refresher.token(), token)
        refresher, found = self.once("echo canary-forever", "static")
        self.assertIsNone(found["expires_in_seconds"])

    def test_g2_a_program_that_hangs_is_ended_with_all_that_it_started(self):
        marker = self.refresher.out / "grandchild"
        self.run_program(f"sh -c 'echo $$ > {marker}; exec sleep 60' &\nsleep 60", command_timeout=1)
        pid = int(wait_for("the grandchild", 5, lambda: marker.exists() and marker.read_text().strip()))
        began = time.monotonic()
        self.assertIn("in time", self.refresher.wait_for("backoff", 10)["reason"])
        self.assertLess(time.monotonic() - began, 4)
        wait_for("its end", 3, lambda: not exists(pid))
        # One that ends and leaves somebody behind that holds its output.
        left = self.refresher.out / "left"
        refresher, _ = self.once(
            f"sh -c 'echo $$ > {left}; exec sleep 60' &\nuntil [ -s {left} ]; do sleep 0.01; done\necho canary-t",
            "static",
        )
        self.assertEqual(refresher.token(), "canary-t")
        wait_for("the end of what was left", 3, lambda: not exists(int(left.read_text())))

    def test_g3_each_way_to_fail_has_its_class(self):
        for text, state, part in [
            ("exit 0", "backoff", "printed nothing"),
            ("head -c 1048576 /dev/zero | tr '\\0' x", "backoff", "more than 64 KiB"),
            ("printf '\\377\\376'", "backoff", "no token"),
            ("exit 75", "backoff", "later"),
            ("exit 77", "needs_login", "expired"),
            ("exit 1", "backoff", "status 1"),
            ("/nowhere/program", "config_error", "cannot be started"),
        ]:
            with self.subTest(text):
                _, found = self.once(text, state)
                self.assertIn(part, found["reason"])

    def test_g4_a_token_on_the_error_output_is_not_logged(self):
        refresher, _ = self.once("echo 'cannot log in: token gho_canary0123456789 is bad' >&2; exit 1", "backoff")
        self.assertIn("cannot log in", refresher.text())
        self.assertIn("[redacted]", refresher.text())
        self.assertNotIn("canary", refresher.text())

    def test_g5_a_program_that_others_may_change_is_not_started(self):
        marker = self.refresher.out / "ran"
        program = self.refresher.script(f"touch {marker}; echo canary-t")
        os.chmod(program, 0o777)
        self.run_program(program)
        self.assertIn("may be changed by others", self.refresher.wait_for("config_error")["reason"])
        self.assertFalse(marker.exists())

    def test_a_program_gets_no_secret_of_the_refresher(self):
        out = self.refresher.out / "environment"
        self.run_program(f"env > {out}; ls -l /proc/self/fd >> {out}; echo canary-t", command_env=["WANTED"])
        self.refresher.wait_for("static")
        text = out.read_text()
        self.assertNotIn("canary", text)
        self.assertNotIn("socket", text)
        self.assertIn("PATH=/usr/local/bin:/usr/bin:/bin", text)

    def test_g7_keys_are_trimmed_refused_or_missing(self):
        for environment, state, part in [
            ({"KEY": "canary-key\r\n"}, "static", ""),
            ({"KEY": "canary\nkey"}, "needs_login", "a second line"),
            ({"KEY": ""}, "needs_login", "KEY is empty"),
            ({}, "needs_login", "KEY is not set"),
        ]:
            with self.subTest(environment):
                refresher = self.enterContext(
                    self.new({"name": "main", "kind": "static", "secret": "env:KEY"}, **environment))
                refresher.start()
                self.assertIn(part, refresher.wait_for(state)["reason"])
                if state == "static":
                    self.assertEqual(refresher.token(), "canary-key")

    def test_g8_aws_keys_serve_to_their_end_while_their_source_fails(self):
        switch = self.refresher.root / "works"
        switch.touch()
        keys = json.dumps({"Version": 1, "AccessKeyId": "AKID", "SecretAccessKey": "canary-secret"})
        program = self.refresher.script(
            f"[ -e {switch} ] || exit 1\n"
            f"cat {self.refresher.root}/keys")
        wall = time.time()

        def put(seconds):
            end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall + seconds))
            (self.refresher.root / "keys").write_text(json.dumps({**json.loads(keys), "Expiration": end}))

        put(3600)
        self.refresher.configure(
            {"name": "main", "kind": "aws_sigv4", "command": [program], "region": "us-east-1"})
        self.start()
        self.refresher.wait_for("fresh")
        switch.unlink()
        self.refresher.advance(3300)
        found = self.refresher.wait_for("backoff")
        self.assertTrue(found["usable"], "within the last minutes it is served")
        self.refresher.advance(301)
        wait_for("its end", 5, lambda: not self.refresher.status()["usable"])
        put(7200)
        switch.touch()
        self.refresher.advance(300)
        self.refresher.wait_for("fresh")


if __name__ == "__main__":
    unittest.main()
