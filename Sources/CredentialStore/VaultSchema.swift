// SPDX-License-Identifier: Apache-2.0
// The tables of vault.db and tokens.db. A change of schema is one more migration at the end of its list.

import SQLite

enum VaultSchema {
    /// "CCRV".
    static let applicationID: Int32 = 0x4343_5256

    static let migrations = [
        Database.Migration(
            """
            CREATE TABLE credential (
              id TEXT PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
              kind TEXT NOT NULL, provider TEXT NOT NULL, account_id TEXT NOT NULL DEFAULT '',
              mode TEXT NOT NULL DEFAULT 'own', status TEXT NOT NULL DEFAULT 'empty',
              status_reason TEXT NOT NULL DEFAULT '', generation INTEGER NOT NULL DEFAULT 0 CHECK (generation >= 0),
              state_seq INTEGER NOT NULL DEFAULT 0, expires_at INTEGER, lifetime INTEGER,
              boot_id TEXT NOT NULL DEFAULT '', deadline_boot_ms INTEGER,
              created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
            ) STRICT;
            CREATE TABLE secret (
              cred TEXT NOT NULL REFERENCES credential (id) ON DELETE CASCADE, name TEXT NOT NULL,
              generation INTEGER NOT NULL, sealed BLOB NOT NULL, fp BLOB NOT NULL, PRIMARY KEY (cred, name)
            ) STRICT;
            CREATE TABLE refresh_intent (
              id INTEGER PRIMARY KEY AUTOINCREMENT,
              cred TEXT NOT NULL REFERENCES credential (id) ON DELETE CASCADE, base_generation INTEGER NOT NULL,
              rt_fp BLOB NOT NULL, phase TEXT NOT NULL CHECK (phase IN
                ('prepared', 'sent', 'committed', 'failed', 'abandoned', 'lost')),
              boot_id TEXT NOT NULL, pid INTEGER NOT NULL, created_at INTEGER NOT NULL, sent_at INTEGER,
              closed_at INTEGER, outcome TEXT NOT NULL DEFAULT ''
            ) STRICT;
            CREATE UNIQUE INDEX one_open_intent ON refresh_intent (cred) WHERE phase IN ('prepared', 'sent');
            CREATE TABLE lease (
              name TEXT PRIMARY KEY, holder TEXT NOT NULL, fence INTEGER NOT NULL, taken_at INTEGER NOT NULL
            ) STRICT;
            CREATE TABLE audit (
              seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, cred TEXT NOT NULL, event TEXT NOT NULL,
              cause TEXT NOT NULL, intent INTEGER, gen_from INTEGER, gen_to INTEGER, fp_from BLOB, fp_to BLOB,
              http_status INTEGER, class TEXT NOT NULL DEFAULT '', duration_ms INTEGER, expires_at INTEGER,
              note TEXT NOT NULL DEFAULT '' CHECK (length(note) <= 200)
            ) STRICT;
            CREATE INDEX audit_by_credential ON audit (cred, seq);
            CREATE TRIGGER audit_is_final BEFORE UPDATE ON audit
            BEGIN SELECT RAISE(ABORT, 'audit rows do not change'); END;
            """)
    ]
}

enum TokenSchema {
    /// "CCRT".
    static let applicationID: Int32 = 0x4343_5254

    static let migrations = [
        Database.Migration(
            """
            CREATE TABLE token (
              cred TEXT PRIMARY KEY, provider TEXT NOT NULL, generation INTEGER NOT NULL,
              state_seq INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, sealed BLOB NOT NULL,
              expires_at INTEGER, boot_id TEXT NOT NULL, deadline_boot_ms INTEGER, retry_at INTEGER,
              updated_at INTEGER NOT NULL
            ) STRICT;
            CREATE TRIGGER generation_only_grows BEFORE UPDATE ON token WHEN new.generation < old.generation
            BEGIN SELECT RAISE(ABORT, 'a generation never decreases'); END;
            """)
    ]
}
