// SPDX-License-Identifier: Apache-2.0
// Drives the policy with scripted providers on a clock of its own: hours pass in milliseconds, and the same seed gives
// the same run.

import Gateway

@testable import Routing

/// What a scripted provider does with one request.
struct Reply {
    var afterMsec: Double
    var failure: FailureReport?
    /// How long the answer goes on after its first event.
    var lastsMsec = 200.0

    static func answer(_ afterMsec: Double, lastsMsec: Double = 200) -> Reply {
        Reply(afterMsec: afterMsec, failure: nil, lastsMsec: lastsMsec)
    }

    static func failure(
        _ failure: FailureClass, _ afterMsec: Double = 1, status: Int = 500, retryAfterMsec: Int? = nil
    )
        -> Reply
    {
        Reply(
            afterMsec: afterMsec,
            failure: FailureReport(failure, status: status, retryAfterMsec: retryAfterMsec))
    }
}

/// One request of a run.
struct SimulatedRequest {
    let arrivedUsec: UInt64
    var endedUsec: UInt64 = 0
    var calls = 0
    /// Calls by provider.
    var asked: [Int] = []
    var credentials: [Int] = []
    /// How often it ended, which has to be once.
    var endings = 0
    var isAnswered = false
    var answeredBy: Int?
    var askedAfterCommit = false

    var tookMsec: Double { Double(endedUsec - arrivedUsec) / 1000 }
}

struct Simulator {
    typealias Script = (_ now: UInt64, _ grant: Grant, _ active: Int, _ random: inout RandomSource) -> Reply

    private enum Event {
        case arrive(Int)
        case wake(Int)
        case reply(Int, leg: Int, Reply)
        case late(Int, leg: Int)
        case over(Int)
    }

    private struct Entry {
        let time: UInt64
        let number: Int
        let event: Event
    }

    var policy: Policy
    let candidates: [RouteCandidate]
    let scripts: [Script]
    var requests: [SimulatedRequest] = []
    /// Calls that providers got, with their times.
    var calls: [(time: UInt64, provider: Int, credential: Int)] = []
    var tokens = 0
    /// Requests ask in the order of the policy, not in that of the configuration.
    var isOrdered = false
    /// Requests are for streams.
    var isStream = false
    private var courses: [Course] = []
    /// By request: the attempt that its course describes, and the one beside it.
    private var legs: [(present: Int?, other: Int?)] = []
    /// The provider of each attempt.
    private var asked: [Int] = []
    private var active: [Int]
    private var random: RandomSource
    private var queue: [Entry] = []
    private var counter = 0

    init(_ config: PolicyConfig, models: [String]? = nil, seed: UInt64 = 1, scripts: [Script]) {
        policy = Policy(config, seed: seed)
        random = RandomSource(seed: seed &+ 77)
        self.scripts = scripts
        active = Array(repeating: 0, count: scripts.count)
        candidates = config.providers.enumerated().map { index, provider in
            RouteCandidate(provider: provider.name, providerIndex: index, model: models?[index] ?? "m")
        }
    }

    static func second(_ count: Double) -> UInt64 { UInt64(count * 1_000_000) }

    /// Requests that arrive evenly.
    mutating func run(perSecond: Double, seconds: Double, budgetSeconds: Double = 600) {
        run(at: (0..<Int(perSecond * seconds)).map { Double($0) / perSecond }, budgetSeconds: budgetSeconds)
    }

    /// Requests that arrive at these seconds.
    mutating func run(at seconds: [Double], budgetSeconds: Double = 600) {
        for (index, second) in seconds.enumerated() {
            let time = Self.second(second)
            requests.append(SimulatedRequest(arrivedUsec: time))
            courses.append(
                Course(
                    candidates, tokens: tokens, isStream: isStream,
                    deadlineUsec: time + Self.second(budgetSeconds)))
            legs.append((nil, nil))
            push(time, .arrive(index))
        }
        while let entry = pop() { handle(entry) }
    }

    private mutating func handle(_ entry: Entry) {
        let now = entry.time
        switch entry.event {
        case .arrive(let index):
            if isOrdered {
                let order = policy.order(candidates, leading: 1, isNamed: false, session: 0, now)
                courses[index] = Course(
                    order, tokens: tokens, isStream: isStream, deadlineUsec: courses[index].deadlineUsec)
            }
            go(index, now)
        case .wake(let index): go(index, now)
        case .late(let index, let leg):
            guard legs[index].present == leg, legs[index].other == nil, requests[index].endings == 0,
                let grant = policy.hedge(&courses[index], now)
            else { return }
            legs[index].other = ask(index, grant, now)
        case .reply(let index, let leg, let reply):
            // A cancelled attempt says nothing any more.
            guard leg == legs[index].present || leg == legs[index].other else { return }
            if leg == legs[index].other {
                courses[index].swapAttempts()
                legs[index] = (leg, legs[index].present)
            }
            let provider = asked[leg]
            if let failure = reply.failure {
                active[provider] -= 1
                _ = policy.failed(&courses[index], failure, now)
                legs[index] = (legs[index].other, nil)
                if legs[index].present == nil { go(index, now) }
            } else {
                if let other = legs[index].other {
                    policy.outrun(&courses[index], now)
                    active[asked[other]] -= 1
                    legs[index].other = nil
                }
                _ = policy.committed(&courses[index], now)
                requests[index].answeredBy = provider
                end(index, now, answered: true)
                push(now + UInt64(reply.lastsMsec * 1000), .over(index))
            }
        case .over(let index):
            active[requests[index].answeredBy ?? 0] -= 1
            _ = policy.finished(&courses[index], isWhole: true, tokens: tokens, now)
        }
    }

    private mutating func go(_ index: Int, _ now: UInt64) {
        switch policy.next(&courses[index], now) {
        case .ask(let grant):
            let leg = ask(index, grant, now)
            legs[index].present = leg
            if grant.hedgeAfterMsec > 0 {
                push(now + UInt64(grant.hedgeAfterMsec) * 1000, .late(index, leg: leg))
            }
        case .wait(let until): push(max(until, now + 1), .wake(index))
        case .fail: end(index, now, answered: false)
        }
    }

    /// Returns the number of the attempt.
    private mutating func ask(_ index: Int, _ grant: Grant, _ now: UInt64) -> Int {
        let provider = grant.candidate.providerIndex
        if requests[index].endings > 0 { requests[index].askedAfterCommit = true }
        requests[index].calls += 1
        requests[index].asked.append(provider)
        requests[index].credentials.append(grant.credential)
        calls.append((now, provider, grant.credential))
        active[provider] += 1
        let reply = scripts[provider](now, grant, active[provider], &random)
        asked.append(provider)
        push(now + UInt64(reply.afterMsec * 1000), .reply(index, leg: asked.count - 1, reply))
        return asked.count - 1
    }

    private mutating func end(_ index: Int, _ now: UInt64, answered: Bool) {
        requests[index].endings += 1
        requests[index].endedUsec = now
        requests[index].isAnswered = answered
    }

    // MARK: - The queue of events, a binary heap

    private func isBefore(_ left: Entry, _ right: Entry) -> Bool {
        (left.time, left.number) < (right.time, right.number)
    }

    private mutating func push(_ time: UInt64, _ event: Event) {
        counter += 1
        queue.append(Entry(time: time, number: counter, event: event))
        var child = queue.count - 1
        while child > 0, isBefore(queue[child], queue[(child - 1) / 2]) {
            queue.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func pop() -> Entry? {
        guard let first = queue.first else { return nil }
        let last = queue.removeLast()
        guard !queue.isEmpty else { return first }
        queue[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < queue.count && isBefore(queue[child], queue[least]) {
                least = child
            }
            if least == parent { return first }
            queue.swapAt(parent, least)
            parent = least
        }
    }

    // MARK: - What tests ask

    /// The requests that arrived within these seconds.
    func arrived(_ from: Double, _ to: Double) -> [SimulatedRequest] {
        requests.filter { (Self.second(from)..<Self.second(to)).contains($0.arrivedUsec) }
    }

    func callsPerRequest(_ from: Double, _ to: Double) -> Double {
        let list = arrived(from, to)
        return Double(list.reduce(0) { $0 + $1.calls }) / Double(max(list.count, 1))
    }

    func successRate(_ from: Double = 0, _ to: Double = .greatestFiniteMagnitude / 1e9) -> Double {
        let list = requests.filter {
            Double($0.arrivedUsec) / 1e6 >= from && Double($0.arrivedUsec) / 1e6 < to
        }
        return Double(list.filter(\.isAnswered).count) / Double(max(list.count, 1))
    }
}

extension [SimulatedRequest] {
    /// Milliseconds within which this share of the requests ended.
    func percentile(_ share: Double) -> Double {
        let times = map(\.tookMsec).sorted()
        return times.isEmpty ? 0 : times[Swift.min(Int(Double(times.count) * share), times.count - 1)]
    }
}
