// SPDX-License-Identifier: Apache-2.0
// All counts in memory: takes records, knows which have been counted, and tells what to store. No I/O.

import Gateway
import Metrics

/// The exporter's counts and gauges.
struct UsageState {
    /// The label of whatever is not from the configuration or beyond a bound.
    static let otherLabel = Registry.overflowLabel
    /// The label of requests that no provider answered.
    static let noneLabel = "none"

    private(set) var registry: Registry
    private let tierLabels: LabelTable
    private var tiers: [Tier]
    private let clientLabels = LabelTable(["codex", "claude_code"])
    private let frontends: [Frontend]
    private let endpointLabels = LabelTable(Endpoint.allCases.map(\.path), empty: UsageState.noneLabel)
    /// By endpoint and class of status; made when first needed.
    private var responses: [SeriesID?]
    private let outcomes: [SeriesID]
    private let plain: PlainSeries
    private var fronts: [UInt64: Front] = [:]
    private var forgottenFronts: [UInt64] = []
    private var daily = DailyUsage()
    private let keyLabels: LabelTable
    private let kindLabels: LabelTable
    private let kinds: [SeriesID]
    private(set) var spends = SpendBook()
    /// Days since 1970-01-01 UTC of the last message of a front.
    private(set) var today = 0

    private struct Front {
        var row: FrontRow
        var gauges: FrontGauges?
        var policy = PolicyReport()
        var isChanged = false
        /// Records came since the last acknowledgement.
        var awaitsAck = false
        /// It has been told what every key has spent.
        var knowsSpends = false
    }

    private static let statusClasses = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"]
    /// Weight of the newest duration in the moving average, as in CCR-Rust.
    private static let ewmaAlpha = 0.3

    init(_ config: ExporterConfig, stored: StoredUsage = StoredUsage()) {
        var registry = Registry(Metric.allCases.map(\.family))
        tierLabels = LabelTable(config.providers, empty: UsageState.noneLabel)
        keyLabels = LabelTable(config.keys)
        kindLabels = LabelTable(config.kinds)
        tiers = tierLabels.values.map { Tier($0, in: &registry) }
        frontends = clientLabels.values.map { Frontend($0, in: &registry) }
        responses = Array(
            repeating: nil, count: endpointLabels.values.count * UsageState.statusClasses.count)
        outcomes = ExchangeOutcome.allCases.map { registry.series(.outcomes, [$0.name]) }
        plain = PlainSeries(in: &registry)
        kinds = kindLabels.values.map { registry.series(.kindRequests, [$0]) }
        for name in config.providers {
            tiers[tierLabels.position(name)].counters.forEach { registry.show($0) }
        }
        for frontend in frontends { registry.show(frontend.requests) }
        for id in outcomes + plain.all { registry.show(id) }
        registry.set(registry.series(.buildInfo, [config.version]), 1)
        self.registry = registry
        restore(stored)
    }

    private mutating func restore(_ stored: StoredUsage) {
        for row in stored.series {
            // A row that fits no metric is of another version of ccr and no longer of use.
            _ = registry.restore(row.name, labels: row.labels, cells: row.cells)
        }
        for row in stored.fronts { fronts[row.instance] = Front(row: row) }
        daily = DailyUsage(day: stored.day, models: stored.models)
        spends = SpendBook(stored.spends)
    }

    // MARK: - Counting

    /// Counts a batch's new records; returns how many were new.
    @discardableResult
    mutating func apply(_ batch: RecordBatch, nowUsec: UInt64) -> Int {
        var front = fronts[batch.frontInstance] ?? Front(row: FrontRow(instance: batch.frontInstance))
        var counted = 0
        for record in batch.records where record.sequence > front.row.sequence {
            count(record)
            front.row.sequence = record.sequence
            counted += 1
        }
        if !batch.records.isEmpty { front.awaitsAck = true }
        if counted > 0 { front.isChanged = true }
        today = Calendar.day(nowUsec)
        note(batch.gauges, of: &front)
        front.row.seenUsec = nowUsec
        fronts[batch.frontInstance] = front
        sumGauges()
        return counted
    }

    private mutating func count(_ record: RequestRecord) {
        guard record.origin == .client else { return countExtra(record) }
        let tierPosition = tierLabels.position(record.provider)
        let clientPosition = clientLabels.position(record.client)
        let endpointPosition = endpointLabels.position(record.endpoint)
        let seconds = Double(record.durationUsec) / 1e6
        let failure = Failure.reason(of: record)

        registry.add(tiers[tierPosition].requests)
        registry.add(frontends[clientPosition].requests)
        registry.add(outcomes[Int(record.outcome.rawValue) - 1])
        registry.add(response(endpointPosition, status: record.status))
        if record.backpressureCount > 0 { registry.add(plain.backpressure, Int(record.backpressureCount)) }
        if record.rejection == .overloaded { registry.add(plain.rejectedStreams) }
        if record.outcome == .completed {
            observe(seconds, tierPosition)
            registry.observe(frontends[clientPosition].duration, seconds)
        }
        countTokens(record.usage, tiers[tierPosition])
        noteDrift(record, tierPosition)
        countLosses(record.losses, tierPosition)
        if record.streaming, record.firstByteUsec > 0 { noteStream(record, tierPosition) }
        countFailures(record, failure, tierPosition)
        countMoney(record, tierPosition)
        countPolicy(record)
        for name in record.transformers { registry.add(registry.series(.transformerRuns, [name])) }
        daily.count(
            record, provider: tierLabels.values[tierPosition],
            endpoint: endpointLabels.values[endpointPosition],
            client: clientLabels.values[clientPosition], failed: failure != nil)
    }

    /// A provider was asked whose answer no client got: what it cost is counted, the request is not.
    private mutating func countExtra(_ record: RequestRecord) {
        let tierPosition = tierLabels.position(record.provider)
        let tier = tierLabels.values[tierPosition]
        if record.origin == .hedge {
            registry.add(registry.series(.hedged, [tier]))
            countTokens(record.usage, tiers[tierPosition])
            countMoney(record, tierPosition)
        } else {
            countShadow(record, tier)
        }
        daily.count(
            record, provider: tier, endpoint: endpointLabels.values[endpointLabels.position(record.endpoint)],
            client: record.origin.name, failed: record.origin == .shadow && record.outcome != .completed)
    }

    private mutating func countShadow(_ record: RequestRecord, _ tier: String) {
        let usage = record.usage
        registry.add(registry.series(.shadowRequests, [tier, record.outcome.name]))
        add(
            registry.series(.shadowTokens, [tier]),
            usage.input + usage.cacheRead + usage.cacheWrite + usage.output)
        let dollars = Double(record.cost) / Double(Calendar.nanoPerUSD)
        if record.cost > 0 { registry.add(registry.series(.shadowCost, [tier]), dollars) }
    }

    private mutating func countPolicy(_ record: RequestRecord) {
        if record.waitedUsec > 0 {
            registry.observe(registry.series(.requestWait), Double(record.waitedUsec) / 1e6)
        }
        for event in record.policyEvents {
            let tier = tierLabels.values[tierLabels.position(event.provider)]
            switch event.kind {
            case .retried: registry.add(registry.series(.retries, [tier, event.reason.name]))
            case .denied: registry.add(registry.series(.retriesDenied, [tier, event.reason.name]))
            case .circuitOpened: registry.add(registry.series(.circuitsOpened, [tier]))
            case .probed: registry.add(registry.series(.circuitProbes, [tier]))
            case .paused: registry.add(registry.series(.pauses, [tier, event.reason.name]))
            case .banned: registry.add(registry.series(.bansOfRules, [tier]))
            }
        }
    }

    private mutating func countMoney(_ record: RequestRecord, _ tierPosition: Int) {
        let dollars = Double(record.cost) / Double(Calendar.nanoPerUSD)
        if record.cost > 0 {
            registry.add(registry.series(.cost, [tierLabels.values[tierPosition]]), dollars)
        }
        if !record.kind.isEmpty {
            registry.add(kinds[kindLabels.position(record.kind)])
        }
        guard !record.key.isEmpty else { return }
        let key = keyLabels.values[keyLabels.position(record.key)]
        let usage = record.usage
        if record.origin == .client { registry.add(registry.series(.keyRequests, [key])) }
        add(
            registry.series(.keyTokens, [key]),
            usage.input + usage.cacheRead + usage.cacheWrite + usage.output)
        guard record.cost > 0 else { return }
        registry.add(registry.series(.keyCost, [key]), dollars)
        spends.add(record.cost, key: key, day: Calendar.day(record.startedUsec &+ record.durationUsec))
    }

    private mutating func response(_ endpoint: Int, status: Int) -> SeriesID {
        let statusClass = 100...599 ~= status ? status / 100 : 0
        let position = endpoint * UsageState.statusClasses.count + statusClass
        if let known = responses[position] { return known }
        let labels = [endpointLabels.values[endpoint], UsageState.statusClasses[statusClass]]
        let id = registry.series(.responses, labels)
        responses[position] = id
        return id
    }

    /// The average starts at the first duration; both are stored together and so stay in step.
    private mutating func observe(_ seconds: Double, _ position: Int) {
        let tier = tiers[position]
        let isFirst = registry.summary(tier.duration).count == 0
        registry.observe(tier.duration, seconds)
        let old = registry.value(tier.ewma)
        registry.set(tier.ewma, isFirst ? seconds : old + UsageState.ewmaAlpha * (seconds - old))
    }

    private mutating func countTokens(_ usage: Usage, _ tier: Tier) {
        add(tier.inputTokens, usage.input)
        add(tier.outputTokens, usage.output)
        add(tier.cacheReadTokens, usage.cacheRead)
        add(tier.cacheCreationTokens, usage.cacheWrite)
    }

    private mutating func add(_ id: SeriesID, _ tokens: Int) {
        if tokens > 0 { registry.add(id, DailyUsage.tokens(tokens)) }
    }

    private mutating func noteStream(_ record: RequestRecord, _ position: Int) {
        let firstByte = Double(record.firstByteUsec) / 1e6
        registry.observe(tiers[position].timeToFirstByte, firstByte)
        let output = DailyUsage.tokens(record.usage.output)
        guard output > 0, record.durationUsec > record.firstByteUsec else { return }
        let generation = Double(record.durationUsec - record.firstByteUsec) / 1e6
        registry.observe(tiers[position].outputRate, Double(output) / generation)
        tiers[position].recent.append(
            ThroughputSample(
                timeToFirstByteSeconds: firstByte, tokensPerSecond: Double(output) / generation,
                outputTokens: output, generationSeconds: generation,
                endedUsec: record.startedUsec &+ record.durationUsec))
    }

    private mutating func noteDrift(_ record: RequestRecord, _ position: Int) {
        let samples = tiers[position].drift.samples
        let severity = tiers[position].drift.add(record)
        let drift = tiers[position].drift
        guard drift.samples > samples else { return }
        registry.set(tiers[position].tokenDrift, drift.percent)
        registry.set(tiers[position].tokenDriftAbsolute, Double(drift.counted - drift.estimated))
        if let severity {
            registry.add(
                registry.series(.tokenDriftAlerts, [tierLabels.values[position], severity.rawValue]))
        }
    }

    /// Providers with estimates to compare, by tier.
    var drifts: [(tier: String, drift: TokenDrift)] {
        zip(tierLabels.values, tiers).filter { $0.1.drift.samples > 0 }.map { ($0.0, $0.1.drift) }
    }

    private mutating func countLosses(_ losses: Losses, _ position: Int) {
        guard !losses.isEmpty else { return }
        for loss in Loss.allCases where losses[loss] > 0 {
            registry.add(registry.series(.losses, [tierLabels.values[position], loss.name]), losses[loss])
        }
    }

    /// Each failed attempt counts for its provider; a refusal after them says nothing new and is not counted.
    private mutating func countFailures(_ record: RequestRecord, _ reason: String?, _ position: Int) {
        for attempt in record.failedAttempts {
            let tier = tierLabels.position(attempt.provider)
            registry.add(registry.series(.failures, [tierLabels.values[tier], attempt.reason.name]))
            if attempt.reason == .rateLimited { registry.add(tiers[tier].rateLimitHits) }
        }
        guard let reason, !record.provider.isEmpty || record.failedAttempts.isEmpty else { return }
        registry.add(registry.series(.failures, [tierLabels.values[position], reason]))
        if !record.provider.isEmpty, record.status == 429 { registry.add(tiers[position].rateLimitHits) }
    }

    // MARK: - Fronts and processes

    private mutating func note(_ gauges: FrontGauges, of front: inout Front) {
        // The counters of an instance only grow; what is lower is an old message.
        if gauges.handoffs > front.row.handoffs {
            registry.add(plain.handoffs, Double(gauges.handoffs - front.row.handoffs))
            front.row.handoffs = gauges.handoffs
            front.isChanged = true
        }
        if gauges.droppedRecords > front.row.droppedRecords {
            registry.add(plain.droppedRecords, Double(gauges.droppedRecords - front.row.droppedRecords))
            front.row.droppedRecords = gauges.droppedRecords
            front.isChanged = true
        }
        front.gauges = gauges
    }

    /// A front's channel has closed: what goes on in it is no longer known.
    mutating func frontLeft(_ instance: UInt64) {
        fronts[instance]?.gauges = nil
        fronts[instance]?.policy = PolicyReport()
        fronts[instance]?.knowsSpends = false
        sumGauges()
    }

    /// The instances that are connected.
    var connectedFronts: [UInt64] { fronts.values.filter { $0.gauges != nil }.map(\.row.instance) }

    private mutating func sumGauges() {
        var connections = 0, requests = 0, streams = 0, peak = 0
        for case let gauges? in fronts.values.lazy.map(\.gauges) {
            connections += Int(gauges.connections)
            requests += Int(gauges.activeRequests)
            streams += Int(gauges.activeStreams)
            peak = max(peak, Int(gauges.peakStreams))
        }
        registry.set(plain.connections, Double(connections))
        registry.set(plain.activeRequests, Double(requests))
        registry.set(plain.activeStreams, Double(streams))
        let highest = Double(max(peak, streams))
        if highest > registry.value(plain.peakStreams) { registry.set(plain.peakStreams, highest) }
    }

    /// Shows the state of every process; processes of one role and provider are added up.
    mutating func processesChanged(_ processes: [ProcessStatus]) {
        for metric in [Metric.processUp, .processRestarts, .processResidentBytes] {
            registry.hideAll(metric.rawValue)
        }
        for process in processes {
            let labels = [process.role, process.provider]
            let serves = process.state == .ready || process.state == .draining
            registry.add(registry.series(.processUp, labels), serves ? 1 : 0)
            registry.add(registry.series(.processRestarts, labels), Int(process.restarts))
            registry.add(registry.series(.processResidentBytes, labels), Double(process.residentBytes))
        }
    }

    /// Shows how every credential is.
    ///
    /// - Parameter now: seconds since 1970.
    mutating func show(_ credentials: [CredentialReport], now: Int) {
        let metrics: [Metric] = [
            .credentialExpiry, .credentialRefreshes, .credentialState, .credentialRefusals,
            .credentialCooldown,
        ]
        for metric in metrics { registry.hideAll(metric.rawValue) }
        for credential in credentials {
            let labels = [credential.name, credential.provider]
            if let end = credential.expiresAt {
                registry.add(registry.series(.credentialExpiry, labels), Double(max(0, end - now)))
            }
            for (outcome, count) in credential.outcomes {
                registry.add(registry.series(.credentialRefreshes, labels + [outcome]), Double(count))
            }
            registry.add(registry.series(.credentialState, labels + [credential.state]), 1.0)
            registry.add(registry.series(.credentialRefusals, labels), Double(credential.refusals))
            registry.add(
                registry.series(.credentialCooldown, labels), Double(max(0, credential.cooldownUntil - now)))
        }
    }

    /// A front tells how its policy is.
    mutating func policyChanged(_ report: PolicyReport, of instance: UInt64) {
        fronts[instance]?.policy = report
    }

    /// Shows how the policy is; while two fronts serve, during a reload, the worse of them.
    ///
    /// - Parameter now: microseconds since 1970.
    mutating func showPolicy(now: UInt64) {
        for metric in [Metric.circuitState, .pauseSeconds, .bans, .retryBudget] {
            registry.hideAll(metric.rawValue)
        }
        for report in fronts.values.map(\.policy) {
            var bans: [[String]: Int] = [:]
            for circuit in report.circuits {
                raise(
                    .circuitState, [tier(circuit.provider), circuit.model],
                    Double(circuit.state(now).rawValue))
            }
            for pause in report.pauses where pause.untilUsec > now {
                raise(
                    .pauseSeconds, [pause.credential, pause.provider, pause.model.isEmpty ? "all" : "model"],
                    Double(pause.untilUsec - now) / 1e6)
            }
            for ban in report.bans where ban.untilUsec ?? .max > now {
                bans[[tier(ban.provider), ban.origin], default: 0] += 1
            }
            for (labels, count) in bans { raise(.bans, labels, Double(count)) }
            for budget in report.budgets {
                let id = registry.series(.retryBudget, [tier(budget.provider)])
                registry.set(id, budget.left)
            }
        }
    }

    private func tier(_ provider: String) -> String { tierLabels.values[tierLabels.position(provider)] }

    private mutating func raise(_ metric: Metric, _ labels: [String], _ value: Double) {
        let id = registry.series(metric, labels)
        registry.set(id, max(value, registry.value(id)))
    }

    /// Shows whether counts are kept on disk.
    mutating func storeChanged(isUp: Bool) {
        registry.set(plain.storeUp, isUp ? 1 : 0)
    }

    /// The latest streams of a provider, oldest first.
    func recentStreams(_ tier: String) -> [ThroughputSample] {
        tierLabels.values.firstIndex(of: tier).map { tiers[$0].recent.inOrder } ?? []
    }

    // MARK: - Storing

    /// Takes what has changed since the last call.
    mutating func takeChanges() -> UsageChanges {
        var changes = UsageChanges()
        for id in registry.takeTouched() {
            let (family, labels) = registry.identity(id)
            changes.series.append(
                SeriesRow(name: family.name, labels: labels, cells: Array(registry.cellValues(id))))
        }
        for (instance, front) in fronts where front.isChanged {
            changes.fronts.append(front.row)
            fronts[instance]?.isChanged = false
        }
        changes.forgottenFronts = forgottenFronts
        forgottenFronts = []
        changes.daily = daily.take()
        changes.spends = spends.take()
        return changes
    }

    /// Puts changes back whose commit failed.
    mutating func giveBack(_ changes: UsageChanges) {
        registry.giveBackTouched(changes.series.map { registry.series($0.name, $0.labels) })
        for row in changes.fronts { fronts[row.instance]?.isChanged = true }
        forgottenFronts += changes.forgottenFronts
        daily.giveBack(changes.daily)
        spends.giveBack(changes.spends)
    }

    /// Marks everything as changed, because the database is a new one.
    mutating func changeAll() {
        registry.touchAll()
        for instance in fronts.keys { fronts[instance]?.isChanged = true }
        forgottenFronts = []
    }

    /// What to acknowledge now that all changes are committed.
    mutating func takeAcks() -> [RecordAck] {
        var acks: [RecordAck] = []
        let changed = spends.takeChanged(today)
        let all = spends.all(today)
        for (instance, front) in fronts {
            let isNews = front.gauges != nil && (front.knowsSpends ? !changed.isEmpty : !all.isEmpty)
            guard front.awaitsAck || isNews else { continue }
            acks.append(
                RecordAck(
                    frontInstance: instance, sequence: front.row.sequence,
                    spends: front.knowsSpends ? changed : all))
            fronts[instance]?.awaitsAck = false
            fronts[instance]?.knowsSpends = true
        }
        return acks
    }

    /// Forgets front instances that are gone for long, and renews the stored time of those that are here.
    mutating func maintain(nowUsec: UInt64) {
        for (instance, front) in fronts {
            if front.gauges != nil {
                fronts[instance]?.row.seenUsec = nowUsec
                fronts[instance]?.isChanged = true
            } else if front.row.seenUsec &+ ExporterLimits.frontMemoryUsec < nowUsec {
                fronts[instance] = nil
                forgottenFronts.append(instance)
            }
        }
    }
}
