# SPDX-License-Identifier: Apache-2.0
"""Credentials through crashes, full disks, altered files (D) and several processes at once (E)."""

import base64
import signal
import sqlite3
import time
import unittest

from harness import exists, wait_for
from oauth import Authority
from refresher import Scenario, needs_debug, oauth

KEPT = "fresh"


@needs_debug
class Storage(Scenario):
    debug = True

    def begin(self):
        self.start()
        self.refresher.wait_for(KEPT)

    def test_d4_an_unknown_outcome_rests_until_the_token_in_hand_ends(self):
        self.resent = {"canary-rt-1"}
        self.begin()
        self.refresher.stop(self.process)
        process = self.refresher.start(CCR_FAULT="after_body")
        self.refresher.command("credentials", "refresh", "main")
        self.assertEqual(process.wait(10), 9)
        calls = self.authority.calls
        self.refresher.advance(300)
        self.start()
        self.assertEqual(self.refresher.status()["state"], "indeterminate")
        self.assertIn("the answer to its last refresh is not known", self.refresher.text())
        self.assertEqual(self.refresher.token(), "canary-at-1", "it still lives")
        self.refresher.advance(600)
        self.refresher.status()
        self.assertEqual(self.authority.calls, calls, "nothing is sent while the token is good")
        self.refresher.advance(45)
        self.assertEqual(self.refresher.wait_for("needs_login")["reason"], "lost_rotation")
        self.assertEqual(self.authority.calls, calls + 1)

    def fill(self, size):
        self.refresher.limit_files(self.process, size)

    def refresh_into_a_full_disk(self):
        """The disk is full when the answer comes: the vault's log cannot grow, the spool need not."""
        for _ in range(3):
            self.again()  # the log is longer than the spool from now on
        self.authority.behaviours = [{"after": 0.5}]
        calls = self.authority.calls
        asking = self.refresher.ask_in_the_background("credentials", "refresh", "main")
        wait_for("the call", 5, lambda: self.authority.calls == calls + 1)
        self.fill(65_536)
        self.refresher.wait_for("storage_blocked")
        asking.kill()
        asking.wait()
        return self.authority.calls

    def test_d8_a_secret_that_cannot_be_stored_is_kept_aside_and_stored_later(self):
        self.begin()
        calls = self.refresh_into_a_full_disk()
        self.assertIn("kept aside", self.refresher.text())
        self.fill(None)
        self.refresher.wait_for(KEPT, 20)
        self.assertEqual(self.authority.calls, calls, "without another call")
        self.assertEqual(self.refresher.token(), self.authority.access)
        calls = self.refresh_into_a_full_disk()
        self.refresher.stop(self.process, signal.SIGKILL)
        self.start()
        self.refresher.wait_for(KEPT)
        self.assertEqual(self.authority.calls, calls, "nor after a crash")
        self.assertEqual(self.refresher.token(), self.authority.access)
        self.assertIn("recovered_from_spool", self.refresher.store.events())

    def test_d8_a_secret_that_cannot_even_be_put_aside_is_kept_in_hand(self):
        self.begin()
        self.authority.behaviours = [{"after": 0.5}]
        asking = self.refresher.ask_in_the_background("credentials", "refresh", "main")
        wait_for("the call", 5, lambda: self.authority.calls == 2)
        self.fill(64)
        self.refresher.wait_for("storage_blocked")
        asking.kill()
        asking.wait()
        self.fill(None)
        self.refresher.wait_for(KEPT, 20)
        self.assertEqual(self.authority.calls, 2, "without another call")
        self.assertEqual(self.refresher.token(), self.authority.access)

    def test_d9_with_a_full_disk_no_secret_is_spent(self):
        self.begin()
        self.fill(4096)
        self.refresher.advance(830)
        self.assertIn("File too large", self.refresher.wait_for("backoff")["reason"])
        self.assertEqual(self.refresher.text().count("was not renewed"), 1)
        self.refresher.advance(140)
        self.refresher.status()
        self.assertEqual(self.authority.calls, 1, "not even shortly before the end")
        self.assertEqual(self.refresher.token(), "canary-at-1")
        self.fill(None)
        self.refresher.wait_for(KEPT)
        self.assertEqual(self.authority.calls, 2)

    def spool(self, name="main"):
        file = base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")
        return self.refresher.state / "credentials/vault/spool" / file

    def test_d10_a_spool_that_is_not_this_credentials_is_kept_aside(self):
        self.begin()
        self.refresher.stop(self.process)
        process = self.refresher.start(CCR_FAULT="after_spool")
        self.refresher.command("credentials", "refresh", "main")
        self.assertEqual(process.wait(10), 9)
        put_aside = self.spool().read_bytes()
        self.refresher.configure(oauth(self.authority), oauth(self.authority, "second"))
        # Of another credential, and damaged: neither opens.
        self.spool("second").write_bytes(put_aside)
        self.spool("second").chmod(0o600)
        damaged = bytearray(put_aside)
        damaged[100] ^= 1
        self.spool().write_bytes(damaged)
        # The second credential begins with the secret that the first one has used up.
        self.resent = {"canary-rt-0", "canary-rt-1"}
        self.start()
        folder = self.spool().parent
        self.assertEqual(len(list(folder.glob("*.unreadable-*"))), 2)
        self.assertIn("spool_unreadable", self.refresher.store.events())
        self.assertEqual(self.spool("second").read_bytes()[:64], bytes(64))
        # The secret that was in it is lost, and said to be.
        self.assertEqual(self.refresher.wait_for("needs_login", 20)["reason"], "lost_rotation")

    def test_d10_a_spool_of_a_committed_refresh_is_wiped(self):
        self.begin()
        self.refresher.stop(self.process)
        process = self.refresher.start(CCR_FAULT="after_spool")
        self.refresher.command("credentials", "refresh", "main")
        self.assertEqual(process.wait(10), 9)
        put_aside = self.spool().read_bytes()
        self.start()
        self.refresher.wait_for(KEPT)
        self.refresher.stop(self.process)
        self.spool().write_bytes(put_aside)
        generation = self.refresher.store.credentials()["main"]["generation"]
        self.start()
        self.assertEqual(self.refresher.status()["generation"], generation)
        self.assertEqual(self.spool().read_bytes()[:64], bytes(64))
        self.assertEqual(self.authority.calls, 2)

    def test_d13_swapped_secrets_stop_their_credentials_and_no_other(self):
        self.refresher.configure(*[oauth(self.authority, name, secret="vault") for name in ("main", "a", "b")])
        self.start()
        for name in ("main", "a", "b"):
            self.assertEqual(self.refresher.command("login", name)[0], 0)
        self.refresher.stop(self.process)
        path = self.refresher.store.vault
        connection = sqlite3.connect(path)
        rows = dict(connection.execute("SELECT cred, sealed FROM secret WHERE name = 'refresh'"))
        for one, other in (("a", "b"), ("b", "a")):
            connection.execute("UPDATE secret SET sealed = ? WHERE cred = ? AND name = 'refresh'", (rows[other], one))
        connection.commit()
        connection.close()
        self.start()
        self.assertEqual([self.refresher.status(n)["state"] for n in ("main", "a", "b")], ["fresh", "crypto", "crypto"])
        self.again("a")
        connection = sqlite3.connect(path)
        after = dict(connection.execute("SELECT cred, sealed FROM secret WHERE name = 'refresh'"))
        connection.close()
        self.assertEqual(after["a"], rows["b"], "what does not open is not overwritten")


@needs_debug
class NewMasterKeys(Scenario):
    """`ccr vault rotate-key`, killed wherever it may be, while a secret waits that only the old key opens."""

    debug = True
    POINTS = "after_new_key", "after_reseal", "after_resealed_tokens", "after_old_key"

    def numbers(self):
        """The numbers of the master keys, the one in use first."""
        lines = (self.refresher.state / "credentials/vault/master.key").read_text().splitlines()
        return [int(line.split()[1]) for line in lines]

    def begin(self):
        self.start()
        self.refresher.wait_for("fresh")
        self.refresher.stop(self.process)

    def put_aside(self):
        """A new secret is in the spool and not in the vault."""
        process = self.start(CCR_FAULT="after_spool")
        self.refresher.command("credentials", "refresh", "main")
        self.assertEqual(process.wait(10), 9)

    def keep(self):
        """The secret is found by the next start, and the old key is gone once nothing needs it."""
        calls = self.authority.calls
        self.start()
        self.refresher.wait_for("fresh")
        self.assertEqual(self.authority.calls, calls)
        self.assertEqual(self.refresher.token(), self.authority.access)
        wait_for("one key", 10, lambda: len(self.numbers()) == 1)
        self.assertEqual(self.again()[0], 0, "the chain is alive")
        self.refresher.stop(self.process)

    def test_h9_a_secret_that_waits_outlives_a_new_master_key_and_a_kill_wherever_it_comes(self):
        self.begin()
        for point in self.POINTS:
            with self.subTest(point):
                self.put_aside()
                # Nobody takes up what waits for a credential that is not configured.
                self.refresher.configure(oauth(self.authority, "other", secret="vault"))
                self.start(CCR_FAULT=point)
                answer = self.refresher.command("vault", "rotate-key")
                if point == "after_old_key":
                    self.assertIn("the old one stays beside it: a new secret of main waits to be stored", answer[1])
                    self.assertIn("configure main again", answer[1])
                    code, _, err = self.refresher.command("vault", "rotate-key")
                    self.assertEqual(code, 1)
                    self.assertIn("still needed: a new secret of main waits", err)
                    self.refresher.stop(self.process, signal.SIGKILL)
                else:
                    self.assertEqual(answer[0], 1)
                    self.assertEqual(self.process.wait(10), 9)
                self.assertEqual(len(self.numbers()), 2)
                self.refresher.configure(oauth(self.authority))
                self.keep()

    def test_h9_a_kill_after_the_old_key_is_gone(self):
        self.begin()
        process = self.start(CCR_FAULT="after_old_key")
        self.refresher.command("vault", "rotate-key")
        self.assertEqual(process.wait(10), 9)
        self.assertEqual(self.numbers(), [2])
        self.keep()

    def test_h9_an_answer_under_way_outlives_a_new_master_key_and_a_kill(self):
        self.begin()
        self.start(CCR_FAULT="after_spool")
        self.authority.behaviours = [{"after": 2}]
        asking = self.refresher.ask_in_the_background("credentials", "refresh", "main")
        wait_for("the call", 5, lambda: self.authority.calls == 2)
        code, out, _ = self.refresher.command("vault", "rotate-key")
        self.assertEqual(code, 0)
        self.assertIn("a refresh of main is under way", out)
        self.assertEqual(self.process.wait(10), 9)
        asking.wait(10)
        self.assertEqual(self.numbers(), [2, 1])
        self.keep()

    def test_h9_a_new_master_key_on_a_full_disk_is_taken_up_when_there_is_room(self):
        self.start()
        self.refresher.wait_for("fresh")
        for _ in range(12):
            self.assertEqual(self.again()[0], 0)
        self.refresher.limit_files(self.process, 65_536)
        code, _, err = self.refresher.command("vault", "rotate-key")
        self.assertEqual(code, 1)
        self.assertIn("vault.db", err)
        self.assertEqual(self.numbers(), [2, 1])
        self.refresher.limit_files(self.process, None)
        wait_for("one key", 10, lambda: self.numbers() == [2])
        self.assertEqual(self.refresher.command("vault", "rotate-key")[0], 0)
        self.assertEqual(self.numbers(), [3])
        self.refresher.stop(self.process)
        self.keep()

    def test_h9_a_key_of_the_service_manager_is_replaced_line_by_line(self):
        folder = self.refresher.root / "credentials"
        folder.mkdir()
        key = folder / "ccr-kek"
        old, new = (base64.urlsafe_b64encode(bytes([n]) * 32).decode().rstrip("=") for n in (1, 2))
        key.write_bytes(bytes([1]) * 32)
        self.refresher.environment["CREDENTIALS_DIRECTORY"] = str(folder)
        self.start()
        self.refresher.wait_for("fresh")
        code, _, err = self.refresher.command("vault", "rotate-key")
        self.assertEqual(code, 1)
        self.assertIn("put a new line above the old one in its credential ccr-kek", err)
        self.refresher.stop(self.process)
        for text in (f"ccr-key 2 {new}\nccr-key 1 {old}\n", f"ccr-key 2 {new}\n"):
            key.write_text(text)
            self.start()
            self.assertEqual(self.refresher.status()["state"], "fresh")
            self.refresher.stop(self.process)
        self.assertEqual(self.refresher.text().count("sealed with master key 2; the others may be removed"), 1)
        self.start()
        self.assertEqual(self.again()[0], 0)

    def test_h9_rotations_in_one_process_never_leave_more_keys_than_a_start_takes(self):
        self.start()
        self.refresher.wait_for("fresh")
        for _ in range(8):
            self.assertEqual(self.refresher.command("vault", "rotate-key")[0], 0)
        self.refresher.stop(self.process)
        process = self.start(CCR_FAULT="after_new_key")
        self.refresher.command("vault", "rotate-key")
        self.assertEqual(process.wait(10), 9)
        self.assertEqual(self.numbers(), [10, 9])
        self.keep()


@needs_debug
class Several(Scenario):
    debug = True

    def test_e3_a_stopped_leader_keeps_the_lock_and_its_late_answer_counts(self):
        self.authority.behaviours = [{"after": 0.5}]
        leader = self.refresher.start(wait=False)
        wait_for("the call", 10, lambda: self.authority.calls == 1)
        leader.send_signal(signal.SIGSTOP)
        standby = self.refresher.start(wait=False)
        wait_for("the standby", 10, lambda: "standing by" in self.refresher.text())
        time.sleep(1.2)
        self.assertEqual(self.authority.calls, 1)
        self.assertIsNone(standby.poll())
        leader.send_signal(signal.SIGCONT)
        self.refresher.wait_for("fresh")
        self.assertEqual(self.authority.calls, 1)
        self.refresher.stop(standby, signal.SIGKILL)

    def test_e4_eight_refreshers_without_a_lock_end_no_login(self):
        self.start()
        self.refresher.wait_for("fresh")
        self.refresher.stop(self.process)
        self.refresher.advance(850)
        # Whoever begins while another waits for its answer sends the same secret.
        self.resent = {f"canary-rt-{n}" for n in range(20)}
        self.authority.behaviours = [{"after": 0.2}] * 8
        for _ in range(8):
            self.refresher.start(wait=False, CCR_FAULT="no_lock")
        wait_for("one chain", 30, lambda: self.refresher.text().count("has a new token") >= 2)

        def settled():
            rows = self.refresher.store.credentials()
            return rows.get("main", {}).get("status") == "fresh" and not self.refresher.store.open_intents()

        wait_for("a fresh token", 30, settled)
        for process in self.refresher.processes:
            self.refresher.stop(process)
        self.start()
        self.assertEqual(self.refresher.wait_for("fresh")["state"], "fresh")
        self.assertEqual(self.again()[0], 0, "the chain is alive")
        self.assertEqual(self.refresher.token(), self.authority.access)

    def test_e5_a_late_answer_heals_what_was_given_up_meanwhile(self):
        self.resent = {"canary-rt-0"}
        self.authority.behaviours = [{"after": 4}]
        first = self.refresher.start(wait=False, CCR_FAULT="no_lock")
        wait_for("the call", 10, lambda: self.authority.calls == 1)
        wait_for("the rotation", 5, lambda: self.authority.refresh != "canary-rt-0")
        second = self.refresher.start(wait=False, CCR_FAULT="no_lock")

        def status():
            return self.refresher.store.credentials()["main"]["status"]

        wait_for("the verdict", 10, lambda: status() == "needs_login")
        self.refresher.stop(second, signal.SIGKILL)
        wait_for("the late answer", 10, lambda: status() == "fresh")
        self.assertIn("late_success", self.refresher.store.events())
        self.refresher.stop(first)

    def test_e6_a_login_during_a_refresh_keeps_the_new_chain(self):
        self.start()
        self.refresher.wait_for("fresh")
        self.authority.behaviours = [{"after": 1.5}]
        asking = self.refresher.ask_in_the_background("credentials", "refresh", "main")
        wait_for("the call", 5, lambda: self.authority.calls == 2)
        file = self.refresher.root / "auth.json"
        wait_for("the rotation", 5, lambda: self.authority.refresh == "canary-rt-2")
        # The new chain begins where the authority stands; the answer under way is of the old one.
        self.authority.refresh = "canary-rt-new"
        file.write_text('{"tokens":{"refresh_token":"canary-rt-new"}}')
        file.chmod(0o600)
        code, _, err = self.refresher.command("credentials", "import", "main", str(file), "--i-understand")
        self.assertEqual((code, err), (0, ""))
        asking.wait(10)
        self.assertEqual(self.authority.sent[-1], "canary-rt-new")
        self.assertIn("superseded", self.refresher.store.events())
        self.assertEqual(self.refresher.wait_for("fresh")["state"], "fresh")

    def test_e6_a_login_during_a_refresh_that_is_refused_keeps_the_new_chain(self):
        self.start()
        self.refresher.wait_for("fresh")
        dead = {"status": 400, "body": {"error": "invalid_grant"}}
        self.authority.behaviours = [{"before": 1, **dead}]
        asking = self.refresher.ask_in_the_background("credentials", "refresh", "main")
        wait_for("the call", 5, lambda: self.authority.calls == 2)
        file = self.refresher.root / "auth.json"
        file.write_text('{"tokens":{"refresh_token":"canary-rt-new"}}')
        file.chmod(0o600)
        self.authority.refresh = "canary-rt-new"
        code, _, err = self.refresher.command("credentials", "import", "main", str(file), "--i-understand")
        self.assertEqual((code, err), (0, ""))
        asking.wait(10)
        self.assertIn("peer_rotated", self.refresher.store.events())
        self.assertEqual(self.refresher.status()["state"], "fresh")
        self.assertEqual(self.authority.sent[-1], "canary-rt-new")

    def test_e7_a_running_program_keeps_no_lock_and_ends_with_the_refresher(self):
        marker = self.refresher.out / "pid"
        program = self.refresher.script(f"echo $$ > {marker}\nexec sleep 60")
        self.refresher.configure({"name": "main", "kind": "command", "command": [program]})
        process = self.start()
        pid = int(wait_for("the program", 5, lambda: marker.exists() and marker.read_text().strip()))
        self.refresher.stop(process, signal.SIGKILL)
        began = time.monotonic()
        self.refresher.configure(oauth(self.authority))
        self.start()
        self.assertLess(time.monotonic() - began, 3, "the lock is free at once")
        wait_for("the end of the program", 5, lambda: not exists(pid))

    def test_e9_a_reader_that_holds_a_transaction_stalls_no_writer(self):
        self.start()
        self.refresher.wait_for("fresh")
        reader = sqlite3.connect(f"file:{self.refresher.store.tokens}?mode=ro", uri=True, isolation_level=None)
        self.addCleanup(reader.close)
        reader.execute("BEGIN")
        self.assertEqual(reader.execute("SELECT generation FROM token").fetchone()[0], 1)
        began = time.monotonic()
        for _ in range(5):
            self.assertEqual(self.again()[0], 0)
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(reader.execute("SELECT generation FROM token").fetchone()[0], 1, "its transaction goes on")
        reader.execute("COMMIT")
        self.assertEqual(reader.execute("SELECT generation FROM token").fetchone()[0], 6)
        log = self.refresher.store.tokens.with_name("tokens.db-wal")
        self.assertLess(log.stat().st_size, 8 << 20)


class Guards(Scenario):
    def test_h7_a_token_endpoint_without_tls_is_refused(self):
        self.refresher.configure(oauth(self.authority, token_url="http://tokens.example/token"))
        process = self.refresher.start(wait=False)
        self.assertNotEqual(process.wait(10), 0)
        self.assertIn("allowed are https URLs", self.refresher.text())
        code, _, err = self.refresher.command("validate")
        self.assertEqual(code, 2)
        self.assertIn("token_url", err)

    def test_h8_the_audit_table_is_bounded_and_final(self):
        self.start()
        self.refresher.wait_for("fresh")
        self.refresher.stop(self.process)
        connection = sqlite3.connect(self.refresher.store.vault)
        old = int(time.time()) - 91 * 86_400
        connection.executemany(
            "INSERT INTO audit (at, cred, event, cause) VALUES (?, 'main', 'ok', 'timer')", [(old,)] * 10_000)
        connection.commit()
        with self.assertRaisesRegex(sqlite3.DatabaseError, "do not change"):
            connection.execute("UPDATE audit SET note = 'x'")
        connection.close()
        self.start()
        self.assertLess(len(self.refresher.store.audit()), 10)
        self.assertIn("ok", self.refresher.store.events(), "what is young stays")


if __name__ == "__main__":
    unittest.main()
