// SPDX-License-Identifier: Apache-2.0
// One credential: does what its machine decides. The order of the steps is what makes a crash at any point harmless:
// intent on the disk, request, answer into the spool, commit, publication, spool wiped. How an attempt goes is in
// Runner+Attempt.swift, what is stored in Runner+Storing.swift, what follows from failures in Runner+Failures.swift.

import Config
import CredentialStore
import Credentials
import EventLoop
import Glibc
import Journal
import Posix

/// What a runner shares with the others.
protocol RunnerOwner: AnyObject {
    var environment: KeeperEnvironment { get }
    /// The published state of a credential is another one.
    func changed(_ runner: Runner)
    /// An attempt is over.
    func finished(_ runner: Runner, outcome: String)
    /// The server of this address wants to be left alone for these milliseconds.
    func coolDown(host: String, msec: UInt64)
}

final class Runner {
    let spec: CredentialSpec
    let profile: TokenProfile?
    let spool: Spool?
    let environment: KeeperEnvironment
    unowned let owner: any RunnerOwner
    var machine: RefreshMachine
    var isRunning = false
    var exchange: TokenExchange?
    /// Seconds that the server's clock is ahead of this one.
    var skew = 0
    var hasCorrectedSkew = false
    /// What waits to be stored.
    var pending: SpooledGrant?
    var storageDelayUsec: UInt64 = 2_000_000
    var attempt = Attempt()
    private var timer: Timer?
    private var lookTimer: Timer?
    /// The followed file as it was last read, and how often it could not be read since.
    var seenFile: FileIdentity?
    var unreadableLooks = 0

    struct Attempt {
        var cause = ""
        /// The state before it.
        var before = CredentialState.empty
        var intent: Intent?
        var sent: Secret?
        /// What is sent stands in the vault.
        var isHeld = false
        /// The account that the vault names.
        var account = ""
        /// Why the service refused a secret that a person brought, when the one before it is in use again.
        var refusal: String?
        /// A person logged out while a program runs that cannot be told.
        var isForgotten = false
        var startedUsec: UInt64 = 0
        var status = 0
        var judgings = 0
    }

    /// How often the file of a static key is looked at.
    private static let fileLookMsec: UInt64 = 4000

    init(_ spec: CredentialSpec, _ owner: any RunnerOwner) throws(StoreError) {
        self.spec = spec
        self.owner = owner
        environment = owner.environment
        profile = spec.followedFile == nil ? spec.profile : nil
        spool =
            profile?.rotates == true
            ? try Spool(directory: environment.spoolDirectory, credential: spec.name) : nil
        machine = RefreshMachine(timing: spec.timing)
    }

    /// The token endpoint, for people.
    var endpoint: String { String((profile?.tokenURL ?? "").prefix { $0 != "?" }) }

    var host: String { profile.map { SafeURL.host($0.tokenURL) } ?? "" }

    var vault: Vault { environment.vault }
    var now: Int { environment.seconds }

    // MARK: - Start

    /// Takes up what the process before this one left.
    func recover() throws(StoreError) {
        try vault.register(spec, now: now)
        try replaySpool()
        let open = try vault.openIntents().filter { $0.credential == spec.name }
        guard let row = try vault.row(spec.name) else { return }
        load(row)
        do throws(StoreError) {
            _ = try vault.secret(spec.name, "refresh")
            _ = try vault.secret(spec.name, "access")
        } catch {
            settle { machine.cannotOpen("\(error)") }
            environment.journal.log(.error, .credentialTrouble, "credential \(spec.name): \(error)")
        }
        for intent in open {
            guard intent.wasSent else {
                try vault.close(intent, "abandoned", outcome: "not_sent", now: now)
                continue
            }
            try vault.close(intent, "lost", outcome: "indeterminate", now: now)
            let isRecent = now - (intent.sentAt ?? 0) <= 60
            machine.foundIndeterminate(hold: !isRecent, now: environment.bootMsec)
            audit("indeterminate", cause: "startup", intent: intent.id)
            if !isRecent {
                environment.journal.log(
                    .warning, .credentialTrouble,
                    "credential \(spec.name): the answer to its last refresh is not known; it is asked again when "
                        + "its token ends")
            }
        }
        try publish()
        if spec.followedFile != nil { lookAtFile() }
    }

    /// Goes on where the vault says.
    func load(_ row: Vault.Row) {
        var left: UInt64?
        if let lifetime = row.lifetime {
            if row.bootID == environment.bootID, let deadline = row.deadline {
                left = deadline > environment.bootMsec ? deadline - environment.bootMsec : 0
            } else if now < (row.expiresAt ?? 0) - lifetime {
                // The clock is behind the time at which the token came: its age is unknown, and a 401 will tell.
                left = UInt64(lifetime) * 1000
            } else {
                left = UInt64(max(0, (row.expiresAt ?? 0) - now)) * 1000
            }
        }
        machine.load(
            generation: row.generation, lifetimeLeft: left, lifetime: row.lifetime,
            kept: row.state.needsPerson ? (row.state, row.reason) : nil, now: environment.bootMsec,
            random: environment.random())
        // A static key may have been replaced while nobody looked.
        if profile == nil, row.lifetime == nil, spec.secret != .vault || !spec.command.isEmpty {
            machine.renewed(now: environment.bootMsec)
        }
    }

    private func replaySpool() throws(StoreError) {
        guard let spool else { return }
        switch try spool.load(keys: vault.keys) {
        case .nothing: return
        case .unreadable:
            try spool.keepAside(now: now)
            audit("spool_unreadable", cause: "startup")
            environment.journal.log(
                .error, .credentialTrouble,
                "credential \(spec.name): what was put aside before the last end cannot be read; a copy is kept"
            )
        case .grant(let grant):
            let result = try commit(grant, cause: "startup", event: "recovered_from_spool")
            try spool.wipe()
            if result != .repeated {
                environment.journal.log(.notice, .credentialRenewed, "credential \(spec.name): recovered")
            }
        }
    }

    // MARK: - The end of an attempt

    /// An attempt is over.
    ///
    /// - Parameter counts: false when nobody was asked for a token.
    func finish(_ outcome: String, counts: Bool = true) {
        isRunning = false
        if case .file = spec.secret, spec.followedFile == nil {
            machine.look(againAt: environment.bootMsec + Self.fileLookMsec)
        }
        if counts { environment.count(spec.name, outcome) }
        owner.changed(self)
        owner.finished(self, outcome: outcome)
    }

    func later(_ usec: UInt64, _ body: @escaping () -> Void) {
        timer = armed(usec) { [unowned self] in
            self.timer = nil
            body()
        }
    }

    /// Looks at the followed file again.
    func lookLater(_ usec: UInt64) {
        lookTimer = armed(usec) { [unowned self] in self.lookAtFile() }
    }

    private func armed(_ usec: UInt64, _ body: @escaping () -> Void) -> Timer {
        do throws(Errno) {
            let timer = try Timer(environment.loop, body)
            timer.arm(afterUsec: usec)
            return timer
        } catch {
            fatalError("a timer cannot be made: \(error)")
        }
    }

    // MARK: - From outside

    /// Whether an attempt is due.
    func isDue() -> Bool { !isRunning && machine.isDue(now: environment.bootMsec) }

    /// The provider refused the token of a generation.
    func refused(_ generation: UInt64, restingUntil: UInt64) -> RefreshMachine.Rejection {
        let before = machine.state
        let verdict = machine.rejected(
            generation, restingUntil: restingUntil, now: environment.bootMsec)
        environment.countRefusal(spec.name)
        if machine.state == .denied, before != .denied {
            settle(from: before) {}
            tell(nil)
        }
        return verdict
    }

    /// A person stored another secret.
    func secretChanged() {
        machine.renewed(now: environment.bootMsec)
    }

    /// A person brought a token that lives; no attempt is under way.
    func adopt(_ token: Secret, account: String?, expiresAt: Int?, headers: [String: String])
        throws(StoreError)
    {
        let left = expiresAt.map { max(1, $0 - now) }
        let grant = TokenGrant(token: token, lifetime: left, accountID: account, headers: headers)
        let held = try vault.row(spec.name)?.accountID ?? ""
        let spooled = SpooledGrant(
            intent: 0, baseGeneration: machine.generation, sentFingerprint: [], refresh: nil,
            token: published(grant, account: account ?? held), lifetime: left, arrivedAt: now,
            accountID: account ?? "")
        attempt = Attempt()
        attempt.cause = "operator"
        try store(spooled, renewAfter: nil)
    }

    /// A person logged out. What is under way is given up: its answer would be a login again.
    func forgotten() throws(StoreError) {
        guard let row = try vault.row(spec.name) else { return }
        let waits = exchange != nil || timer != nil
        exchange?.cancel()
        exchange = nil
        timer = nil
        pending = nil
        attempt.isForgotten = isRunning
        settle { machine.loggedOut(generation: row.generation) }
        try spool?.wipe()
        if isRunning, waits { finish("logged_out", counts: false) }
    }

    /// Seals the published token with the keys that are in force now.
    func publishAgain() throws(StoreError) {
        try vault.setState(spec.name, machine.state, machine.reason, now: now)
        try publish()
    }
}

extension CredentialSpec {
    /// What of the kind and the settings decides about times.
    fileprivate var timing: RefreshMachine.Timing {
        let profile = followedFile == nil ? profile : nil
        let isAWS = kind == .awsSigV4
        return RefreshMachine.Timing(
            advisoryLead: profile?.advisoryLead ?? integer("advisory") ?? (isAWS ? 900 : nil),
            mandatoryLead: profile?.mandatoryLead ?? integer("mandatory") ?? (isAWS ? 600 : nil),
            rotates: profile?.rotates ?? false, minimumIntervalMsec: command.isEmpty ? 0 : 10_000)
    }
}
