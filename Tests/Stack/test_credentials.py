# SPDX-License-Identifier: Apache-2.0
"""Requests through the whole stack with tokens that the refresher keeps: renewal, refusals, restarts, reloads."""

import concurrent.futures
import os
import pathlib
import tempfile
import threading
import time

import invariants
from dialects import CHAT
from harness import ECHO, Case, Stack, provider, wait_for
from oauth import Authority
from refresher import oauth


def together(count, body):
    """Calls `body` with 0… at the same time, each in a thread; returns what it returned."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(body, range(count)))


def keeping(authority, folder, workers=1, **more):
    """A provider whose credential is kept by the refresher; its first secret is in a private file."""
    secret = folder / "rt"
    if not secret.exists():
        secret.write_text("canary-rt-0")
        secret.chmod(0o600)
    credential = oauth(authority, secret=f"file:{secret}", **more)
    return provider(
        "kept", authority.url + "/v1", ["m"], api_key="", dialects=["chat"], workers=workers,
        credentials=[credential],
    )


class Credentials(Case):
    stack = None

    def setUp(self):
        self.authority = self.enterContext(Authority())
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def open(self, workers=1, crashes=False, **more):
        self.stack = self.enterContext(
            Stack(keeping(self.authority, self.folder, workers, **more), ECHO, crashes=crashes))
        return self.stack

    def tearDown(self):
        if self.stack:
            texts = {"log": self.stack.log_text(), "metrics": self.stack.get("/metrics").body}
            invariants.check(self.stack.config["STATE_DIR"], self.stack.pids(), texts, self.authority.sent)

    def ask(self, stack, timeout=20):
        return stack.post(CHAT.path, CHAT.request("m", stream=False), timeout=timeout)

    def wait_served(self, stack):
        wait_for("an answer", 10, lambda: self.ask(stack).status == 200)

    def test_a2_requests_wait_for_the_first_token(self):
        self.authority.behaviours = [{"before": 0.7}]
        stack = self.open()
        answers = together(50, lambda _: self.ask(stack).status)
        self.assertEqual(answers, [200] * 50)
        self.assertEqual(self.authority.calls, 1)

    def test_b1_two_hundred_refusals_over_four_workers_bring_one_token_call(self):
        stack = self.open(workers=4)
        self.wait_served(stack)
        with self.authority.lock:
            self.authority.valid = {}
            self.authority.behaviours = [{"after": 0.5}]
            before, refused = self.authority.calls, self.authority.refused
        answers = together(200, lambda _: self.ask(stack).status)
        self.assertEqual(answers, [200] * 200)
        self.assertEqual(self.authority.calls - before, 1)
        self.assertLessEqual(self.authority.refused - refused, 200, "each request is repeated once")

    def test_b3_a_new_token_that_is_refused_too_ends_the_asking(self):
        stack = self.open()
        self.wait_served(stack)
        self.authority.refuse_all = True
        before = self.authority.calls
        answers = [self.ask(stack) for _ in range(5)]
        # The first request meets the refusal of the new token itself.
        self.assertEqual([a.status for a in answers], [401, 502, 502, 502, 502])
        self.assertIn(b"main", answers[-1].body)
        self.assertNotIn(b"canary", b"".join(a.body for a in answers[1:]))
        self.assertLessEqual(self.authority.calls - before, 1)

    def test_killing_and_restarting_the_refresher_is_invisible(self):
        stack = self.open(crashes=True)
        self.wait_served(stack)
        statuses, stop = [], threading.Event()

        def load():
            while not stop.is_set():
                statuses.append(self.ask(stack).status)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            old = stack.kill_child("refresher")
            stack.wait_replaced("refresher", old, seconds=5)
            wait_for("some answers", 10, lambda n=len(statuses): len(statuses) > n + 20)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(set(statuses), {200})
        self.assertEqual(self.authority.sent, ["canary-rt-0"])

    def test_e9_a_token_reaches_every_worker_and_the_old_one_is_served_meanwhile(self):
        self.authority.lifetime = 2
        stack = self.open(workers=3)
        self.wait_served(stack)
        end = time.monotonic() + 6
        while time.monotonic() < end:
            self.assertEqual(together(6, lambda _: self.ask(stack).status), [200] * 6)
        # One call for each life of about 1.6 s, and no request was refused for an old token.
        self.assertLessEqual(self.authority.calls, 6)
        self.assertEqual(self.authority.refused, 0)

    def keep_the_refresher_away(self, stack):
        """It dies, and no other one can start until the directory that is returned has its mode again."""
        vault = pathlib.Path(stack.config["STATE_DIR"], "credentials/vault")
        vault.chmod(0o770)
        stack.kill_child("refresher")
        stack.wait_for_log("chmod go=")
        return vault

    def test_b9_a_refusal_without_a_refresher_fails_soon_and_other_providers_go_on(self):
        stack = self.open(crashes=True, wait_ms=1000)
        self.wait_served(stack)
        vault = self.keep_the_refresher_away(stack)
        self.assertEqual(self.ask(stack).status, 200, "the token in hand is good")
        self.authority.refuse_all = True
        self.assertEqual(self.ask(stack).status, 503)

        def fails_at_once():
            answer = self.ask(stack)
            self.assertEqual(answer.status, 503)
            self.assertTrue(answer.header("retry-after"))
            return b"no refresher runs" in answer.body

        wait_for("a refusal that waits for nobody", 10, fails_at_once)
        self.assertTrue(stack.serves())
        vault.chmod(0o700)

    def test_tokens_that_are_refused_while_the_refresher_starts_anew_wait_for_it(self):
        stack = self.open(workers=2, crashes=True, wait_ms=60_000)
        self.wait_served(stack)
        vault = self.keep_the_refresher_away(stack)
        with self.authority.lock:
            self.authority.valid = {}
            calls, refused = self.authority.calls, self.authority.refused

        def wait_and_repair(number):
            if number < 20:
                return self.ask(stack, timeout=60).status
            wait_for("every refusal", 30, lambda: self.authority.refused == refused + 20)
            vault.chmod(0o700)
            return 200

        self.assertEqual(together(21, wait_and_repair), [200] * 21)
        self.assertEqual(self.authority.calls - calls, 1)
        self.assertEqual(self.authority.refused - refused, 20, "each is repeated once")

    def test_g6_a_replaced_key_file_is_taken_up_without_a_restart(self):
        file = self.folder / "key"

        def put(text):
            new = self.folder / "new"
            new.write_text(text)
            new.chmod(0o600)
            new.rename(file)

        put("canary-at-9\r\n")
        self.authority.accept("canary-at-9")
        entry = provider(
            "kept", self.authority.url + "/v1", ["m"], api_key="", dialects=["chat"],
            credentials=[{"name": "key", "kind": "static", "secret": f"file:{file}"}],
        )
        stack = self.enterContext(Stack(entry))
        self.wait_served(stack)
        self.authority.accept("canary-at-10")
        put("canary-at-10")
        wait_for("the new key", 10, lambda: self.ask(stack).status == 200)

    def test_a_reload_brings_and_takes_credentials(self):
        stack = self.enterContext(Stack(ECHO))
        self.assertNotIn("refresher", stack.children())
        stack.reload(Providers=[keeping(self.authority, self.folder), ECHO])
        self.wait_served(stack)
        second = keeping(self.authority, self.folder)
        second["credentials"].append({"name": "other", "kind": "static", "secret": "vault", "priority": 9})
        stack.reload(Providers=[second, ECHO])
        self.wait_served(stack)
        stack.reload(Providers=[ECHO])
        wait_for("the end of the refresher", 10, lambda: "refresher" not in stack.children())

    def test_h3_no_process_but_the_refresher_holds_what_renews_a_token(self):
        stack = self.open()
        self.wait_served(stack)
        for name, pid in stack.pids().items():
            for file in ("environ", "cmdline"):
                self.assertNotIn(b"canary", pathlib.Path(f"/proc/{pid}/{file}").read_bytes(), (name, file))
        self.assertNotIn("canary", stack.log_text())
        self.assertNotIn(b"canary", stack.get("/metrics").body + stack.get("/health").body)
        for file in pathlib.Path(stack.config["STATE_DIR"]).rglob("*"):
            if file.is_file():
                self.assertNotIn(b"canary", file.read_bytes(), file)
        held = {name: self.holds(pid, b"canary-rt-1") for name, pid in stack.pids().items()}
        self.assertEqual({name for name, found in held.items() if found}, {"refresher"})

    def holds(self, pid, needle):
        """Whether the writable memory of a process holds these bytes; only root may look."""
        if os.geteuid() != 0:
            self.skipTest("needs root to read the memory of the processes")
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                span, rights = line.split()[:2]
                if not rights.startswith("rw"):
                    continue
                start, end = (int(x, 16) for x in span.split("-"))
                try:
                    memory.seek(start)
                    if needle in memory.read(end - start):
                        return True
                except (OSError, ValueError, OverflowError):
                    continue
        return False


