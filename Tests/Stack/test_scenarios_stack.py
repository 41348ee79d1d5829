# SPDX-License-Identifier: Apache-2.0
"""Credentials through the whole stack: refusals under load (B), the start of workers (E8), keys (H), admin, metrics."""

import json
import pathlib
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

import invariants
import wire
from dialects import CHAT
from harness import ECHO, PROGRAM, Case, Stack, provider, wait_for
from oauth import Authority, web_token
from refresher import oauth
from test_credentials import keeping, together
from test_manager import Managed, ask

ADMIN = "test-admin-key"


class Whole(Case):
    """A stack with one kept credential; what must hold is checked after each test."""

    workers = 1
    more = {}
    config = {}

    def setUp(self):
        self.authority = self.enterContext(Authority())
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.stack = self.enterContext(
            Stack(keeping(self.authority, self.folder, self.workers, **self.more), ECHO, crashes=True, **self.config))
        self.resent = set()
        wait_for("an answer", 10, lambda: self.ask().status == 200)

    def tearDown(self):
        stack = self.stack
        texts = {"log": stack.log_text(), "metrics": stack.get("/metrics").body, "health": stack.get("/health").body}
        invariants.check(stack.config["STATE_DIR"], stack.pids(), texts, self.authority.sent, self.resent)

    def ask(self, timeout=20, stream=False, **more):
        return self.stack.post(CHAT.path, {**CHAT.request("m", stream=stream), **more}, timeout=timeout)

    def command(self, *words):
        done = subprocess.run(
            [PROGRAM, *words, "--config", str(self.stack.path)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    def background(self, *words):
        """A command that runs on."""
        return subprocess.Popen(
            [PROGRAM, *words, "--config", str(self.stack.path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def credential(self, name="main"):
        return next(c for c in self.stack.get("/health").json()["credentials"] if c["name"] == name)

    def spoil(self, *behaviours):
        """From now on the provider refuses the token in hand."""
        with self.authority.lock:
            self.authority.valid = {}
            self.authority.behaviours = list(behaviours)
            return self.authority.calls


class Refusals(Whole):
    workers = 2
    more = {"wait_ms": 1000}

    def test_b2_waiters_are_told_to_come_again_and_the_refresh_goes_on(self):
        before = self.spoil({"after": 2})
        answers = together(20, lambda _: self.ask())
        self.assertEqual({a.status for a in answers}, {503})
        self.assertTrue(all(a.header("retry-after") for a in answers))
        wait_for("a good answer", 10, lambda: self.ask().status == 200)
        self.assertEqual(self.authority.calls - before, 1)

    def test_b6_a_refusal_inside_a_stream_is_told_and_brings_a_new_token(self):
        self.authority.stream_refuses = True
        before = self.authority.calls
        answer = self.ask(stream=True)
        self.assertEqual(answer.status, 200)
        self.assertIn(b"authentication_error", answer.body)
        self.assertNotIn(b"[DONE]", answer.body)
        wait_for("the renewal", 5, lambda: self.authority.calls == before + 1)
        self.authority.stream_refuses = False

        def sends_the_new_one():
            self.assertEqual(self.ask().status, 200)
            return self.authority.authorizations[-1] == f"Bearer {self.authority.access}"

        wait_for("a request with the new token", 5, sends_the_new_one)

    def test_b7_a_large_body_that_came_in_pieces_is_repeated_byte_for_byte(self):
        self.spoil()
        text = "x" * 500_000
        self.authority.keeps_bodies = True
        body = json.dumps({**CHAT.request("m", stream=False), "user": text}).encode()
        with socket.create_connection(("127.0.0.1", self.stack.port), 20) as client:
            client.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
            for start in range(0, len(body), 70_000):
                piece = body[start : start + 70_000]
                client.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            client.sendall(b"0\r\n\r\n")
            answer = client.makefile("rb").read()
        self.assertIn(b"200 OK", answer.splitlines()[0])
        first, second = self.authority.requested[-2:]
        self.assertEqual(first, second)
        self.assertEqual(json.loads(first)["user"], text)

    def test_b8_a_client_that_leaves_ends_no_refresh_for_the_others(self):
        before = self.spoil({"after": 0.8})
        with socket.create_connection(("127.0.0.1", self.stack.port), 20) as leader:
            body = json.dumps(CHAT.request("m", stream=False)).encode()
            leader.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body) + body)
            wait_for("the call", 5, lambda: self.authority.calls == before + 1)
        answers = together(5, lambda _: self.ask().status)
        self.assertEqual(answers, [200] * 5)
        self.assertEqual(self.authority.calls - before, 1)


class Keys(Whole):
    workers = 2

    def test_h5_a_new_master_key_under_load_fails_no_request(self):
        statuses, stop = [], threading.Event()

        def load():
            while not stop.is_set():
                statuses.append(self.ask().status)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(2):
            self.assertEqual(self.command("vault", "rotate-key")[0], 0)
            wait_for("some answers", 10, lambda n=len(statuses): len(statuses) > n + 50)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(set(statuses), {200})
        store = invariants.Store(self.stack.config["STATE_DIR"])
        sealed = [row["sealed"] for row in invariants.read(store.vault, "SELECT sealed FROM secret")]
        sealed += [row["sealed"] for row in store.published().values()]
        self.assertEqual({bytes(blob[1:5]) for blob in sealed}, {bytes([0, 0, 0, 3])}, "nothing uses the old keys")

    def test_h4_a_worker_opens_no_token_of_another_provider(self):
        second = self.enterContext(Authority())
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "key").write_text("canary-other")
        (folder / "key").chmod(0o600)
        second.accept("canary-other")
        entry = provider(
            "second", second.url + "/v1", ["n"], api_key="", dialects=["chat"],
            credentials=[{"name": "other", "kind": "static", "secret": f"file:{folder}/key"}])
        self.stack.reload(Providers=[self.stack.config["Providers"][0], entry, ECHO])

        def ask():
            return self.stack.post(CHAT.path, CHAT.request("n", stream=False), timeout=20)

        wait_for("an answer", 10, lambda: ask().status == 200)
        tokens = sqlite3.connect(invariants.Store(self.stack.config["STATE_DIR"]).tokens)
        tokens.execute("UPDATE token SET sealed = (SELECT sealed FROM token WHERE cred = 'main') WHERE cred = 'other'")
        tokens.commit()
        tokens.close()
        before = second.requests
        old = self.stack.kill_child("worker second")
        self.stack.wait_replaced("worker second", old, seconds=5)
        self.assertNotEqual(ask().status, 200)
        self.assertEqual(second.requests, before, "what does not open is not sent")
        self.assertEqual(self.ask().status, 200)

    def test_a_pool_is_used_by_weight_and_one_at_its_limit_rests_in_every_worker(self):
        second = Authority()
        self.enterContext(second)
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in ("a", "b"):
            (folder / name).write_text(f"canary-{name}")
            (folder / name).chmod(0o600)
            second.valid[f"canary-{name}"] = time.monotonic() + 3600
        entry = provider(
            "pool", second.url + "/v1", ["n"], api_key="", dialects=["chat"], workers=2,
            credentials=[
                {"name": "a", "kind": "static", "secret": f"file:{folder}/a", "weight": 3},
                {"name": "b", "kind": "static", "secret": f"file:{folder}/b"},
            ],
        )
        self.stack.reload(Providers=[self.stack.config["Providers"][0], entry, ECHO])

        def ask():
            return self.stack.post(CHAT.path, CHAT.request("n", stream=False), timeout=20)

        wait_for("both tokens", 10, lambda: ask().status == 200 and len(set(second.authorizations)) == 2)
        second.authorizations.clear()
        for _ in range(40):
            ask()
        shares = [second.authorizations.count(f"Bearer canary-{name}") for name in ("a", "b")]
        self.assertEqual(sum(shares), 40)
        self.assertTrue(26 <= shares[0] <= 34, shares)
        second.limited = {"Bearer canary-a": 60}
        self.assertEqual({ask().status for _ in range(10)}, {200}, "nobody notices")
        self.assertEqual(second.authorizations[40:].count("Bearer canary-a"), 1, "it rests, whichever worker asks")
        wait_for("it is shown", 2, lambda: self.stack.metric("ccr_credential_cooldown_seconds") > 0)


class Admin(Whole):
    config = {"ADMIN_API_KEY": ADMIN}
    more = {"name": "main"}

    def admin(self, method="GET", body=None, key=ADMIN, path="/admin/credentials"):
        headers = [("Authorization", f"Bearer {key}")] if key else []
        if method == "GET":
            return self.stack.get(path + "/status", headers=headers)
        return self.stack.post(path, body, headers)

    def test_the_admin_key_alone_opens_the_admin_paths_and_no_request_needs_it(self):
        for key in (None, "wrong"):
            self.assertEqual(self.admin(key=key).status, 401)
            self.assertEqual(self.admin("POST", {}, key=key).status, 401)
        self.assertEqual(self.ask().status, 200)
        status = self.admin().json()
        self.assertEqual((status["type"], status["hasCredentials"], status["isExpired"]), ("oauth", True, False))
        self.assertTrue(3500_000 < status["expiresAt"] - time.time() * 1000 <= 3600_000)
        self.assertEqual(status["credentials"][0]["state"], "fresh")

    def test_posted_tokens_are_used_by_the_next_request_and_renewed_later(self):
        self.authority.accept("canary-posted")
        end = int((time.time() + 7200) * 1000)
        tokens = {"accessToken": "canary-posted", "refreshToken": self.authority.refresh, "expiresAt": end}
        answer = self.admin("POST", tokens)
        self.assertEqual((answer.status, answer.json()["status"]), (200, "success"))
        wait_for("the posted token", 5, lambda: self.ask() and self.authority.authorizations[-1] == "Bearer canary-posted")
        left = self.admin().json()["minutesUntilExpiry"]
        self.assertTrue(118 <= left <= 120, left)

    def test_a_posted_refresh_token_that_was_replaced_is_refused_and_changes_nothing(self):
        before = self.admin().json()["credentials"][0]["generation"]
        answer = self.admin("POST", {"accessToken": "canary-posted", "refreshToken": "canary-rt-0"})
        self.assertEqual((answer.status, answer.json()["status"]), (400, "error"))
        self.assertIn("has been used already", answer.json()["message"])
        self.assertEqual(self.admin().json()["credentials"][0]["generation"], before)

    def test_a_body_that_is_not_good_is_refused_and_changes_nothing(self):
        before = self.admin().json()["credentials"][0]["generation"]
        ended = web_token("acc-1", -100)
        for body in ({}, {"accessToken": "a b"}, {"accessToken": "x", "expiresAt": "soon"},
                     {"accessToken": "x", "credential": "nobody"}, {"accessToken": ended},
                     {"accessToken": "x", "expiresAt": 1}, {"accessToken": ended.rsplit(".", 1)[0] + "."}):
            answer = self.admin("POST", body)
            self.assertEqual((answer.status, answer.json()["status"]), (400, "error"))
        self.assertEqual(self.admin("POST", {"accessToken": "x" * 70_000}).status, 413)
        self.assertEqual(self.admin().json()["credentials"][0]["generation"], before)
        self.assertEqual(self.command("credentials", "refresh", "main")[0], 0, "the secret is the one that was there")

    def test_tokens_that_come_during_a_renewal_are_refused_and_change_nothing(self):
        secret = self.authority.refresh
        self.authority.behaviours = [{"before": 1}]
        with self.background("credentials", "refresh", "main") as renewal:
            wait_for("the renewal", 5, lambda: self.authority.running)
            answer = self.admin("POST", {"accessToken": "x", "refreshToken": "canary-rt-other", "userID": "other"})
            self.assertEqual(answer.status, 400)
            self.assertIn("under way; nothing was changed", answer.json()["message"])
            self.assertEqual(renewal.wait(10), 0)
        self.assertNotIn("userID", self.admin().json())
        self.assertEqual(self.command("credentials", "refresh", "main")[0], 0)
        self.assertIn(secret, self.authority.sent)
        self.assertNotIn("canary-rt-other", self.authority.sent)

    def test_an_ended_token_with_what_renews_it_is_renewed_at_once(self):
        calls = self.authority.calls
        body = {"accessToken": "x", "expiresAt": 1, "refreshToken": self.authority.refresh, "userID": "acc-1"}
        answer = self.admin("POST", body)
        self.assertEqual((answer.status, answer.json()["status"]), (200, "success"))
        self.assertEqual(self.authority.calls, calls + 1)
        self.assertEqual(self.admin().json()["userID"], "acc-1")

    def test_metrics_and_health_show_how_a_credential_is(self):
        wait_for("the report", 5, lambda: self.stack.metric("ccr_credential_expiry_seconds", credential="main") > 3000)
        self.assertEqual(self.stack.metric("ccr_credential_refresh_total", credential="main", outcome="ok"), 1)
        self.assertEqual(self.stack.metric("ccr_credential_state", credential="main", state="fresh"), 1)
        self.assertEqual(self.credential()["state"], "fresh")
        self.assertGreater(self.credential()["expires_in_seconds"], 3000)
        self.spoil({"status": 400, "body": {"error": "invalid_grant"}})
        self.assertNotEqual(self.ask().status, 200)
        wait_for("the state", 5, lambda: self.credential()["needs_login"])
        self.assertEqual(self.stack.metric("ccr_credential_401_total", credential="main"), 1)
        self.assertEqual(self.stack.metric("ccr_credential_refresh_total", outcome="permanent"), 1)
        self.assertEqual(self.stack.get("/health").json()["status"], "healthy")


class Single(Whole):
    def test_e8_a_worker_that_comes_before_the_refresher_serves_once_it_is_there(self):
        state = pathlib.Path(self.stack.config["STATE_DIR"], "credentials")
        (state / "vault").chmod(0o770)
        self.stack.kill_child("refresher")
        self.stack.wait_for_log("chmod go=")
        old = self.stack.kill_child("worker kept")
        self.stack.wait_replaced("worker kept", old, seconds=5)
        self.assertEqual(self.ask(timeout=30).status, 503)
        (state / "vault").chmod(0o700)
        wait_for("an answer without a restart of the worker", 20, lambda: self.ask(timeout=30).status == 200)

    def test_without_an_admin_key_only_an_admin_socket_opens_the_admin_paths(self):
        self.assertEqual(self.stack.get("/admin/credentials/status").status, 403)
        self.assertEqual(self.stack.post("/admin/credentials", {}).status, 403)
        self.assertEqual(self.stack.get("/admin/credentials").status, 405)


class AdminSocket(Case):
    """Who may connect to the admin socket needs no key; the keys of clients and of the admin do not replace each other."""

    def setUp(self):
        self.authority = self.enterContext(Authority())
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.stack = self.enterContext(
            Managed(admin=True, Providers=[keeping(self.authority, folder), ECHO], APIKEY="client-key", ADMIN_API_KEY=ADMIN))
        wait_for("an answer", 10, lambda: self.ask("client-key").status == 200)

    def ask(self, key):
        headers = [("Authorization", f"Bearer {key}")] if key else []
        return self.stack.post(CHAT.path, CHAT.request("m", stream=False), headers, timeout=20)

    def over_socket(self, target, body=None):
        status, body = ask(self.stack.admin_path, target, json.dumps(body).encode() if body else None)
        self.assertNotIn(b"canary", body)
        return status, json.loads(body)

    def test_the_admin_socket_opens_the_admin_paths_without_a_key(self):
        status, found = self.over_socket("/admin/credentials/status")
        self.assertEqual((status, found["type"], found["hasCredentials"]), (200, "oauth", True))
        self.assertEqual(found["needsRefreshSoon"], found["minutesUntilExpiry"] <= 60)
        (main,) = found["credentials"]
        self.assertEqual((main["name"], main["provider"], main["state"]), ("main", "kept", "fresh"))
        self.authority.accept("canary-posted")
        status, answer = self.over_socket("/admin/credentials", {"accessToken": "canary-posted", "credential": "main"})
        self.assertEqual((status, answer["status"]), (200, "success"))
        wait_for("the posted token", 5, lambda: self.ask("client-key").status == 200
                 and self.authority.authorizations[-1] == "Bearer canary-posted")
        (main,) = self.over_socket("/admin/credentials/status")[1]["credentials"]
        self.assertEqual(main["generation"], 2)
        status, answer = self.over_socket("/admin/credentials", {"accessToken": "x", "credential": "nobody"})
        self.assertEqual((status, answer["status"]), (400, "error"))

    def test_a_clients_key_opens_no_admin_path_and_the_admin_key_no_request(self):
        def admin(key):
            return self.stack.get("/admin/credentials/status", headers=[("Authorization", f"Bearer {key}")]).status

        self.assertEqual((admin("client-key"), admin(ADMIN)), (401, 200))
        self.assertEqual([self.ask(key).status for key in ("client-key", ADMIN, None)], [200, 401, 401])


if __name__ == "__main__":
    unittest.main()
