# SPDX-License-Identifier: Apache-2.0
"""What must hold of credentials after every scenario, whatever was done to the processes: invariants I1 to I8."""

import collections
import os
import pathlib
import sqlite3

from harness import exists, wait_for

CANARY = "canary"
SERVED = {"static", "fresh", "due", "refreshing", "backoff", "indeterminate", "suspect", "needs_login", "config_error"}
# Events that say which state follows.
COMMITS = {"ok", "late_success", "recovered_from_spool"}


def read(path, sql):
    """The rows of a database that another process may have open."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    try:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql)]
    finally:
        connection.close()


class Store:
    """The files below STATE_DIR/credentials as a test may look at them."""

    def __init__(self, state):
        self.root = pathlib.Path(state, "credentials")
        self.vault, self.tokens = self.root / "vault/vault.db", self.root / "tokens/tokens.db"

    def credentials(self):
        return {row["id"]: row for row in read(self.vault, "SELECT * FROM credential")}

    def audit(self, name=None):
        rows = read(self.vault, "SELECT * FROM audit ORDER BY seq")
        return [row for row in rows if name in (None, row["cred"])]

    def events(self, name="main"):
        return [row["event"] for row in self.audit(name)]

    def open_intents(self):
        return read(self.vault, "SELECT * FROM refresh_intent WHERE phase IN ('prepared', 'sent')")

    def published(self):
        return {row["cred"]: row for row in read(self.tokens, "SELECT * FROM token")}


def check(state, pids, texts, sent=(), resent=(), may_hold=()):
    """Raise AssertionError for whatever does not hold.

    pids: name -> process id of everything that runs. texts: name -> text that people may see. sent: the refresh tokens
    that the authority got, in order; resent: those that the scenario lets be sent more than once. may_hold: names of
    processes whose own environment holds a secret by configuration.
    """
    store = Store(state)
    no_secret_anywhere(state, pids, texts, may_hold)
    counted = collections.Counter(sent)
    again = {token for token, count in counted.items() if count > 1} - set(resent)
    assert not again, f"I2: sent more than once: {again}"
    if not store.vault.exists():
        return
    generations = collections.defaultdict(int)
    for row in store.audit():
        if row["gen_to"] is not None:
            assert row["gen_to"] > generations[row["cred"]], f"I3: {row}"
            generations[row["cred"]] = row["gen_to"]
    open_intents = collections.Counter(row["cred"] for row in store.open_intents())
    assert all(count == 1 for count in open_intents.values()), f"I4: {open_intents}"
    if pids:
        wait_for("I5: the same generations in both files", 5, lambda: same_generations(store))
    no_leaks(pids)
    every_state_has_its_line(store)


def no_secret_anywhere(state, pids, texts, may_hold):
    """I1: the canary is in no file, log, answer, environment or command line."""
    for name, text in texts.items():
        text = text if isinstance(text, str) else bytes(text).decode(errors="replace")
        assert CANARY not in text, f"I1: a secret in {name}: …{text[max(0, text.find(CANARY) - 80):][:160]}…"
    for file in pathlib.Path(state).rglob("*"):
        if file.is_file():
            assert CANARY.encode() not in file.read_bytes(), f"I1: a secret in {file}"
        assert not file.name.startswith("core"), f"I1: a core file {file}"
    for name, pid in pids.items():
        for part in ("cmdline", "environ"):
            if part == "environ" and name in may_hold:
                continue
            try:
                content = pathlib.Path(f"/proc/{pid}/{part}").read_bytes()
            except OSError:
                continue
            assert CANARY.encode() not in content, f"I1: a secret in {part} of {name}"


def same_generations(store):
    held = {name: row["generation"] for name, row in store.credentials().items()}
    return all(held.get(name) == row["generation"] for name, row in store.published().items())


def no_leaks(pids):
    """I7: no zombies, and no more descriptors than a handful per process."""
    for name, pid in pids.items():
        try:
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            count = len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            continue
        dead = [child for child in children if not exists(int(child))]
        assert not dead, f"I7: {name} left zombies: {dead}"
        assert count < 200, f"I7: {name} holds {count} descriptors"


def every_state_has_its_line(store):
    """I8: what the audit table says last about a state is the state."""
    for name, row in store.credentials().items():
        state = "empty"
        for line in store.audit(name):
            if line["event"] == "state_change":
                state = line["note"].partition(":")[0]
            elif line["event"] in COMMITS:
                state = "static" if line["expires_at"] is None else "fresh"
            elif line["event"] == "logout":
                state = "needs_login"
        assert state == row["status"], f"I8: {name} is {row['status']}, the audit table says {state}"
