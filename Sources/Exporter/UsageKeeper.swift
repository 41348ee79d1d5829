// SPDX-License-Identifier: Apache-2.0
// Keeps the counts in memory and in usage.db in step: what is acknowledged is committed, what is committed is not
// counted again, and trouble with the file costs durability but no answer and, as far as the bounds go, no count.

import Gateway
import Glibc
import Posix
import SQLite

/// The state and the database under it.
final class UsageKeeper {
    private(set) var state: UsageState
    private var credentials: [CredentialReport] = []
    private let config: ExporterConfig
    private let path: String
    private var store: UsageStore?
    /// Two exporters, each with counts of its own in memory, would overwrite each other's numbers.
    private var lock: FileLock?
    /// The state holds what the database held; from then on a database takes its numbers from the state.
    private var isWhole = false
    /// Until the state is whole: what has come, to be counted again on top of what the database holds.
    private var retained: [RecordBatch] = []
    private var retainedCount = 0
    /// CLOCK_MONOTONIC microseconds before which the database is left alone.
    private var retryAtUsec: UInt64 = 0

    /// What stands between the counts and the file, or nil; for the log and the process's status.
    private(set) var trouble: String?
    /// Whether it was reported; waiting for the exporter before this one is not, for a while.
    private var isReported = false
    /// CLOCK_MONOTONIC microseconds from which a lock that another exporter holds is trouble and no longer a handover.
    private let patienceUntilUsec: UInt64
    /// Called with a line for people at each change of `trouble`.
    private let report: (_ isTrouble: Bool, _ text: String) -> Void

    /// Opens the database of `config.stateDirectory` and goes on from what it holds.
    ///
    /// - Parameter monotonicUsec: CLOCK_MONOTONIC.
    init(
        _ config: ExporterConfig, monotonicUsec: UInt64,
        report: @escaping (_ isTrouble: Bool, _ text: String) -> Void
    ) {
        self.config = config
        self.report = report
        patienceUntilUsec = monotonicUsec + ExporterLimits.handoverUsec
        path = "\(config.stateDirectory)/usage.db"
        state = UsageState(config)
        open(monotonicUsec)
    }

    // MARK: - Records

    /// Counts a batch in memory.
    func receive(_ batch: RecordBatch, nowUsec: UInt64) {
        let counted = state.apply(batch, nowUsec: nowUsec)
        guard !isWhole, counted > 0 else { return }
        retained.append(batch)
        retainedCount += batch.records.count
        var dropped = 0
        while retainedCount > ExporterLimits.retainedRecords, dropped < retained.count - 1 {
            retainedCount -= retained[dropped].records.count
            dropped += 1
        }
        retained.removeFirst(dropped)
    }

    /// Commits what has changed; returns what to acknowledge, nothing while there is trouble.
    ///
    /// - Parameter monotonicUsec: CLOCK_MONOTONIC; after trouble the database is not tried again for a second.
    func flush(monotonicUsec: UInt64) -> [RecordAck] {
        guard monotonicUsec >= retryAtUsec else { return [] }
        if store == nil { open(monotonicUsec) }
        guard let store else { return [] }
        let changes = state.takeChanges()
        if !changes.isEmpty {
            do {
                try store.commit(changes)
            } catch {
                state.giveBack(changes)
                return commitFailed(error, monotonicUsec)
            }
        }
        fine()
        return state.takeAcks()
    }

    private func commitFailed(_ error: SQLiteError, _ monotonicUsec: UInt64) -> [RecordAck] {
        guard error.remedy == .replaceFile else {
            note(trouble: "usage.db cannot be written, counts stay in memory: \(error)", monotonicUsec)
            return []
        }
        store = nil
        moveAside(error)
        open(monotonicUsec)
        guard let store else { return [] }
        let changes = state.takeChanges()
        do {
            try store.commit(changes)
        } catch {
            state.giveBack(changes)
            note(trouble: "usage.db cannot be written, counts stay in memory: \(error)", monotonicUsec)
            return []
        }
        return state.takeAcks()
    }

    /// Closes the database and lets another exporter have it; for the end of the process.
    func close() {
        store = nil
        lock = nil
    }

    // MARK: - Gauges

    /// How every credential is, as the refresher says it.
    func credentialsChanged(_ reports: [CredentialReport]) { credentials = reports }

    func policyChanged(_ report: PolicyReport, of instance: UInt64) {
        state.policyChanged(report, of: instance)
    }

    /// The state as it is shown now: what is left of tokens and pauses changes by itself.
    func shownState(nowUsec: UInt64) -> UsageState {
        state.showPolicy(now: nowUsec)
        state.show(credentials, now: Int(nowUsec / 1_000_000))
        return state
    }

    func frontLeft(_ instance: UInt64) { state.frontLeft(instance) }

    private var processes: [ProcessStatus] = []

    func processesChanged(_ processes: [ProcessStatus]) {
        self.processes = processes
        state.processesChanged(processes)
    }

    /// Forgets what is old, in memory and in the file.
    func maintain(realtimeUsec: UInt64) {
        state.maintain(nowUsec: realtimeUsec)
        guard let store else { return }
        do {
            try store.deleteDays(before: Int(realtimeUsec / 86_400_000_000) - ExporterLimits.dailyDays)
        } catch {
            // The next flush meets the same trouble and handles it; old days may wait an hour more.
            report(true, "usage.db: old days cannot be deleted: \(error)")
        }
    }

    // MARK: - The file

    private func open(_ monotonicUsec: UInt64) {
        do {
            if lock == nil { lock = try FileLock(path: "\(config.stateDirectory)/usage.lock") }
        } catch {
            if error.code == EWOULDBLOCK, monotonicUsec < patienceUntilUsec {
                return wait(
                    "waiting for usage.db, which the exporter before this one still has", monotonicUsec)
            }
            let cause = error.code == EWOULDBLOCK ? "another exporter has it" : "\(error)"
            return note(trouble: "usage.db cannot be opened, counts stay in memory: \(cause)", monotonicUsec)
        }
        do {
            let opened = try openOrReplace()
            if isWhole {
                state.changeAll()
            } else {
                recount(on: opened.stored)
                isWhole = true
            }
            store = opened.store
            fine()
        } catch {
            note(trouble: "usage.db cannot be opened, counts stay in memory: \(error)", monotonicUsec)
        }
    }

    private func openOrReplace() throws(SQLiteError) -> (store: UsageStore, stored: StoredUsage) {
        do {
            let store = try UsageStore(path: path)
            return (store, try store.load())
        } catch {
            guard error.remedy == .replaceFile else { throw error }
            moveAside(error)
            return (try UsageStore(path: path), StoredUsage())
        }
    }

    /// Counts what came without a database on top of what the database holds; sequences tell what it has already.
    private func recount(on stored: StoredUsage) {
        let connected = Set(state.connectedFronts)
        var fresh = UsageState(config, stored: stored)
        for batch in retained { fresh.apply(batch, nowUsec: Clock.realtimeUsec()) }
        for instance in fresh.connectedFronts where !connected.contains(instance) {
            fresh.frontLeft(instance)
        }
        fresh.processesChanged(processes)
        state = fresh
        retained = []
        retainedCount = 0
    }

    /// Renames the damaged file and its companions, so that nobody's numbers are destroyed.
    private func moveAside(_ error: SQLiteError) {
        let aside = "\(path).corrupt-\(Clock.realtimeUsec() / 1_000_000)"
        // A file that stays where it is makes the next attempt to open fail, which is reported.
        guard rename(path, aside) == 0 else { return }
        // They stay when somebody else has the file open, and the new file must not find them.
        for suffix in ["-wal", "-shm"] { _ = rename(path + suffix, aside + suffix) }
        report(true, "usage.db is damaged (\(error)); moved to \(aside), a new one begins")
    }

    private func note(trouble text: String, _ monotonicUsec: UInt64) {
        let isNews = text != trouble
        wait(text, monotonicUsec)
        guard isNews else { return }
        isReported = true
        report(true, text)
    }

    /// Leaves the database alone for a while.
    private func wait(_ reason: String, _ monotonicUsec: UInt64) {
        retryAtUsec = monotonicUsec + ExporterLimits.retryUsec
        state.storeChanged(isUp: false)
        trouble = reason
    }

    private func fine() {
        retryAtUsec = 0
        state.storeChanged(isUp: true)
        trouble = nil
        guard isReported else { return }
        isReported = false
        report(false, "usage.db is in order again")
    }
}
