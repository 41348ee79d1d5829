// SPDX-License-Identifier: Apache-2.0
// What every credential of the refresher shares: the stores, the clocks, the network and the counters.

import CredentialStore
import Credentials
import Crypto
import Curl
import EventLoop
import JSON
import Journal
import Posix

final class KeeperEnvironment {
    let loop: EventLoop
    let journal: Journal
    let vault: Vault
    let tokens: TokenDatabase
    let transfers: TransferPool
    let parser = JSONParser()
    /// What the refresher may reach; vault, tokens and spool are below it.
    let directory: String
    var spoolDirectory: String { directory + "/vault/spool" }
    let clock: KeeperClock
    private let helper: HelperClient?
    /// Outcomes of attempts by credential and class, and refused tokens by credential.
    private(set) var outcomes: [String: [String: Int]] = [:]
    private(set) var refusals: [String: Int] = [:]
    /// CLOCK_BOOTTIME milliseconds until which providers want a credential to be left alone.
    private(set) var cooldowns: [String: UInt64] = [:]
    /// CLOCK_BOOTTIME until which the machine counts as just woken up.
    private var resumedUntil: UInt64 = 0

    /// A network may need this long after a machine wakes up.
    private static let resumeMsec: UInt64 = 30_000

    init(
        loop: EventLoop, journal: Journal, clock: KeeperClock, vault: Vault, tokens: TokenDatabase,
        directory: String, helper: HelperClient?
    ) throws(Errno) {
        self.clock = clock
        self.helper = helper
        self.loop = loop
        self.journal = journal
        self.vault = vault
        self.tokens = tokens
        self.directory = directory
        transfers = try TransferPool(loop, unusedConnectionMsec: 1_000)
    }

    /// Seconds since 1970.
    var seconds: Int { Int(clock.wallUsec / 1_000_000) }

    var bootMsec: UInt64 { clock.bootUsec / 1000 }

    var bootID: String { clock.bootID }

    /// Runs the program of a credential that has one.
    func runHelper(_ credential: String, done: @escaping (HelperAnswer) -> Void) {
        guard let helper else { fatalError("no helper process for \(credential)") }
        helper.run(credential, done: done)
    }

    /// 0..<1.
    func random() -> Double { Double(Random.uint64() >> 11) / Double(1 << 53) }

    var hasJustResumed: Bool { bootMsec < resumedUntil }

    func resumed() { resumedUntil = bootMsec + Self.resumeMsec }

    func count(_ credential: String, _ outcome: String) {
        outcomes[credential, default: [:]][outcome, default: 0] += 1
    }

    func coolDown(_ credential: String, msec: UInt64) {
        cooldowns[credential] = max(cooldowns[credential] ?? 0, bootMsec + msec)
    }

    func countRefusal(_ credential: String) { refusals[credential, default: 0] += 1 }
}
