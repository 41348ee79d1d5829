// SPDX-License-Identifier: Apache-2.0
// Keeps every configured credential alive: starts what is due within the limits, tells workers what changed, answers
// them when a provider refused a token.

import Config
import CredentialStore
import Credentials
import EventLoop
import Gateway
import IPC
import Journal
import Posix

final class Keeper: RunnerOwner {
    let environment: KeeperEnvironment
    private(set) var runners: [String: Runner] = [:]
    private var links: [WorkerLink] = []
    private var reportLinks: [ReportLink] = []
    private var isReportQueued = false
    private var timer: Timer?
    private var cooling: [String: UInt64] = [:]
    /// Credentials whose token was refused and whose turn to be renewed has not come.
    private var wanted: Set<String> = []
    private var nextTrim: UInt64 = 0
    private var lastTick: (boot: UInt64, wall: UInt64, awake: UInt64) = (0, 0, 0)
    private var isDraining = false
    private let onDrained: () -> Void
    /// Called whenever an attempt of a credential is over.
    private var watchers: [String: [() -> Void]] = [:]

    /// Attempts at once, in all and per server.
    private static let maximumRunning = 4
    private static let maximumPerHost = 2
    /// The clocks are compared at least this often.
    private static let tickUsec: UInt64 = 5_000_000
    private static let movedTickUsec: UInt64 = 50_000
    /// How often the audit table is made to fit its bounds.
    private static let trimMsec: UInt64 = 3_600_000

    init(_ specs: [CredentialSpec], _ environment: KeeperEnvironment, onDrained: @escaping () -> Void) throws
    {
        self.environment = environment
        self.onDrained = onDrained
        for spec in specs { runners[spec.name] = try Runner(spec, self) }
        try environment.tokens.keepOnly(Set(specs.map(\.name)))
        for runner in runners.values { try runner.recover() }
        timer = try Timer(environment.loop) { [unowned self] in self.tick() }
        lastTick = readClocks()
        tick()
    }

    var names: [String] { runners.keys.sorted() }

    /// The credentials whose secret may be replaced by an answer that is under way or not stored yet.
    var namesOfOpenRotations: [String] {
        runners.values.filter { $0.isRunning && $0.spool != nil }.map(\.spec.name).sorted()
    }

    // MARK: - Time

    private func readClocks() -> (boot: UInt64, wall: UInt64, awake: UInt64) {
        (environment.bootMsec, environment.clock.wallUsec / 1000, Clock.monotonicUsec() / 1000)
    }

    private func tick() {
        let clocks = readClocks()
        let boot = clocks.boot - lastTick.boot
        if boot > clocks.awake - lastTick.awake + 1000 { environment.resumed() }
        let difference = Int64(clocks.wall) - Int64(lastTick.wall) - Int64(boot)
        if abs(difference) > 2000 { clockJumped(by: difference) }
        lastTick = clocks
        if clocks.boot >= nextTrim { trimAudit(clocks.boot) }
        startDue()
    }

    private func trimAudit(_ now: UInt64) {
        nextTrim = now + Self.trimMsec
        do throws(StoreError) {
            try environment.vault.trimAudit(now: environment.seconds)
        } catch {
            environment.journal.log(.error, .credentialTrouble, "audit: \(error)")
        }
    }

    /// The wall clock was set. Deadlines count on another clock, so nothing follows but a note.
    private func clockJumped(by msec: Int64) {
        environment.journal.log(
            .notice, .credentialTrouble, "the clock was set by \(msec / 1000) s; tokens are not affected")
        for name in names {
            do throws(StoreError) {
                try environment.vault.audit(
                    AuditEntry(credential: name, event: "clock_jump", cause: "timer", note: "\(msec) ms"),
                    now: environment.seconds)
            } catch {
                environment.journal.log(.error, .credentialTrouble, "audit: \(error)")
            }
        }
    }

    private func startDue() {
        guard !isDraining else { return }
        let now = environment.bootMsec
        // Those whose token ends first come first.
        let due = runners.values.filter { $0.isDue() || isWanted($0) }
            .sorted {
                ($0.machine.validUntil ?? 0, $0.spec.name) < ($1.machine.validUntil ?? 0, $1.spec.name)
            }
        for runner in due where mayStart(runner, now) {
            if wanted.remove(runner.spec.name) != nil {
                runner.start(cause: "reactive", forced: true)
            } else {
                runner.start(cause: environment.hasJustResumed ? "resume" : "timer", forced: false)
            }
        }
        arm()
    }

    private func isWanted(_ runner: Runner) -> Bool { wanted.contains(runner.spec.name) && !runner.isRunning }

    private func mayStart(_ runner: Runner, _ now: UInt64) -> Bool {
        let running = runners.values.filter(\.isRunning)
        guard running.count < Self.maximumRunning else { return false }
        guard !runner.host.isEmpty else { return true }
        if let until = cooling[runner.host], until > now { return false }
        return running.filter { $0.host == runner.host }.count < Self.maximumPerHost
    }

    private func arm() {
        let now = environment.bootMsec
        let next = runners.values.filter { !$0.isRunning }.compactMap { runner -> UInt64? in
            guard let at = isWanted(runner) ? 0 : runner.machine.nextAttemptAt else { return nil }
            return max(at, cooling[runner.host] ?? 0)
        }.min()
        let longest = environment.clock.isMoved ? Self.movedTickUsec : Self.tickUsec
        let wait = next.map { $0 > now ? ($0 - now) * 1000 : 20_000 } ?? longest
        timer?.arm(afterUsec: min(wait, longest))
    }

    func coolDown(host: String, msec: UInt64) {
        cooling[host] = environment.bootMsec + msec
    }

    // MARK: - Runners report

    func changed(_ runner: Runner) {
        for link in links where link.provider == runner.spec.provider { link.tell(runner) }
        reportSoon()
    }

    // MARK: - Front and exporter

    /// A process that is told how every credential is.
    func attach(_ link: ReportLink) {
        reportLinks.append(link)
        reportSoon()
    }

    func detach(_ link: ReportLink) {
        reportLinks.removeAll { $0 === link }
    }

    /// Many changes at once are one report.
    private func reportSoon() {
        guard !isReportQueued, !reportLinks.isEmpty else { return }
        isReportQueued = true
        environment.loop.later { [weak self] in
            guard let self else { return }
            self.isReportQueued = false
            let reports = self.reports
            for link in self.reportLinks { link.report(reports) }
        }
    }

    /// How every credential is.
    var reports: [CredentialReport] {
        names.compactMap { runners[$0] }.map { runner in
            let name = runner.spec.name
            let now = environment.bootMsec
            let wall = environment.seconds
            func seconds(_ time: UInt64?) -> Int? {
                time.map { wall + Int($0 > now ? ($0 - now) / 1000 : 0) }
            }
            return CredentialReport(
                name: name, provider: runner.spec.provider, kind: runner.spec.kind.rawValue,
                state: runner.machine.state.rawValue, reason: runner.machine.reason,
                remedy: runner.neededRemedy,
                generation: runner.machine.generation, isUsable: runner.machine.isUsable(now: now),
                expiresAt: seconds(runner.machine.validUntil),
                nextAttemptAt: seconds(runner.machine.nextAttemptAt),
                cooldownUntil: seconds(environment.cooldowns[name]) ?? 0,
                refusals: environment.refusals[name] ?? 0, outcomes: environment.outcomes[name] ?? [:])
        }
    }

    /// A worker's provider wants a credential to be left alone.
    func coolsDown(_ cooldown: CredentialCooldown, by link: WorkerLink) {
        guard let runner = runners[cooldown.credential], runner.spec.provider == link.provider else { return }
        environment.coolDown(cooldown.credential, msec: UInt64(cooldown.seconds) * 1000)
        reportSoon()
    }

    func finished(_ runner: Runner, outcome: String) {
        // Who waits for a token waits on when the attempt was about a secret that has been replaced.
        let goesOn = (outcome == "superseded" || outcome == "peer_rotated") && runner.isDue() && !isDraining
        if !goesOn { tellWatchers(of: runner) }
        if isDraining {
            if !runners.values.contains(where: \.isRunning) { onDrained() }
        } else {
            startDue()
        }
    }

    private func tellWatchers(of runner: Runner) {
        for watcher in watchers.removeValue(forKey: runner.spec.name) ?? [] { watcher() }
    }

    // MARK: - Workers

    /// A worker of a provider is there.
    func attach(provider: String, _ descriptor: consuming FileDescriptor) {
        do throws(Errno) {
            let link = try WorkerLink(provider: provider, self, descriptor)
            links.append(link)
            link.grant(environment.vault.keys)
            for name in names where runners[name]?.spec.provider == provider {
                if let runner = runners[name] { link.tell(runner) }
            }
        } catch {
            environment.journal.log(.error, .limitReached, "cannot watch a worker's channel: \(error)")
        }
    }

    func detach(_ link: WorkerLink) {
        links.removeAll { $0 === link }
    }

    /// A worker's provider answered 401.
    func refused(_ refusal: TokenRefusal, by link: WorkerLink) {
        guard let runner = runners[refusal.credential], runner.spec.provider == link.provider else {
            environment.journal.log(
                .error, .protocolViolation, "a worker of \(link.provider) names an unknown credential")
            return
        }
        switch runner.refused(refusal.generation, restingUntil: cooling[runner.host] ?? 0) {
        case .newer, .hopeless: link.tell(runner, always: true)
        case .join: break
        case .wait(let msec): link.tell(runner, always: true, retryAfterMsec: msec)
        case .impossible:
            environment.journal.log(
                .error, .protocolViolation,
                "a worker of \(link.provider) names a token that was never given out")
            link.tell(runner, always: true)
        case .start:
            wanted.insert(refusal.credential)
            startDue()
        }
    }

    // MARK: - People

    /// Starts an attempt now, or joins the one under way; `done` comes when it is over.
    func refresh(_ name: String, done: @escaping () -> Void) {
        guard let runner = runners[name] else { return }
        watchers[name, default: []].append(done)
        guard !runner.isRunning else { return }
        runner.secretChanged()
        // A person's wish is no answer to a refused token, and spends nothing of what such answers may.
        runner.start(cause: "operator", forced: false)
        // An attempt that could not even begin is over already.
        if !runner.isRunning { finished(runner, outcome: "not_begun") }
    }

    /// The keys of the published tokens are others.
    func keysChanged() throws(StoreError) {
        for link in links { link.grant(environment.vault.keys) }
        for runner in runners.values { try runner.publishAgain() }
    }

    // MARK: - The end

    /// Starts nothing more, and calls `onDrained` when what runs is over.
    func drain() {
        isDraining = true
        timer?.disarm()
        if !runners.values.contains(where: \.isRunning) { onDrained() }
    }
}
