// SPDX-License-Identifier: Apache-2.0
// The tables of usage.db. A change is a new migration at the end; the ones before it are never touched.

import SQLite

enum UsageSchema {
    static let migrations = [
        Database.Migration(
            """
            -- Lasting metrics. labels: the values in the metric's order, joined by U+001F. value: of a counter or
            -- gauge the number, of a histogram the sum. buckets: of a histogram, one 64-bit float per bucket.
            CREATE TABLE series (
                name TEXT NOT NULL,
                labels TEXT NOT NULL,
                value REAL NOT NULL,
                buckets BLOB,
                PRIMARY KEY (name, labels)
            ) WITHOUT ROWID;

            -- Front instances and how far their records are counted; instance and counters are unsigned.
            CREATE TABLE front (
                instance INTEGER PRIMARY KEY,
                sequence INTEGER NOT NULL,
                handoffs INTEGER NOT NULL,
                dropped_records INTEGER NOT NULL,
                seen_usec INTEGER NOT NULL
            );

            -- Counts for reports. day: days since 1970-01-01 UTC, date(day * 86400, 'unixepoch') reads it.
            CREATE TABLE daily (
                day INTEGER NOT NULL,
                provider TEXT NOT NULL,
                model TEXT NOT NULL,
                endpoint TEXT NOT NULL,
                client TEXT NOT NULL,
                requests INTEGER NOT NULL,
                failures INTEGER NOT NULL,
                input_tokens INTEGER NOT NULL,
                cache_read_tokens INTEGER NOT NULL,
                cache_write_tokens INTEGER NOT NULL,
                output_tokens INTEGER NOT NULL,
                reasoning_tokens INTEGER NOT NULL,
                PRIMARY KEY (day, provider, model, endpoint, client)
            ) WITHOUT ROWID;
            """),
        Database.Migration(
            """
            -- What client keys have spent by day, in billionths of a US dollar.
            CREATE TABLE spend (
                key TEXT NOT NULL,
                day INTEGER NOT NULL,
                nano_usd INTEGER NOT NULL,
                PRIMARY KEY (key, day)
            ) WITHOUT ROWID;
            """),
    ]

    static let putSeries = """
        INSERT INTO series (name, labels, value, buckets) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT DO UPDATE SET value = excluded.value, buckets = excluded.buckets
        """
    static let putFront = """
        INSERT OR REPLACE INTO front (instance, sequence, handoffs, dropped_records, seen_usec)
        VALUES (?1, ?2, ?3, ?4, ?5)
        """
    static let deleteFront = "DELETE FROM front WHERE instance = ?1"
    static let addDaily = """
        INSERT INTO daily VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
        ON CONFLICT DO UPDATE SET
            requests = requests + excluded.requests,
            failures = failures + excluded.failures,
            input_tokens = input_tokens + excluded.input_tokens,
            cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
            cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
            output_tokens = output_tokens + excluded.output_tokens,
            reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens
        """
    static let addSpend = """
        INSERT INTO spend VALUES (?1, ?2, ?3)
        ON CONFLICT DO UPDATE SET nano_usd = nano_usd + excluded.nano_usd
        """
    static let deleteSpends = "DELETE FROM spend WHERE day < ?1"
    static let deleteDays = "DELETE FROM daily WHERE day < ?1"

    static let allSeries = "SELECT name, labels, value, buckets FROM series"
    static let newestSpends = """
        SELECT key, day, nano_usd FROM spend WHERE day > (SELECT max(day) FROM spend) - 31
        """
    static let allFronts = "SELECT instance, sequence, handoffs, dropped_records, seen_usec FROM front"
    static let newestModels = """
        SELECT day, model FROM daily WHERE day = (SELECT max(day) FROM daily) GROUP BY model
        """
}
