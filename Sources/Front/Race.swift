// SPDX-License-Identifier: Apache-2.0
// A request that two workers may answer: the token that lets only one of them, and the attempt beside the present one.
// Source: docs/decisions/0019-a-token-of-the-kernel-decides-who-answers.md.

import Gateway
import Posix
import Routing

/// Rarely needed, so a request has only a reference to it.
final class Race {
    /// Goes to each worker that is asked.
    let token: CommitToken
    /// The attempt that the members of the request do not describe.
    var other: Attempt?

    /// One attempt under way, as the members of a `ClientRequest` of the same names.
    struct Attempt {
        var tag: UInt64
        var grant: Grant?
        var link: WorkerLink?
        var bodyFile: BodyFile?
    }

    init() throws(Errno) { token = try CommitToken() }
}

/// What one of those who were asked has refused a request with. Rarely needed, so a request has only a reference to it.
final class Refusal {
    let grant: Grant
    let answer: HandoffRefusal
    /// Whoever asks again, it changes nothing.
    let isFinal: Bool

    init(_ grant: Grant, _ answer: HandoffRefusal, isFinal: Bool) {
        self.grant = grant
        self.answer = answer
        self.isFinal = isFinal
    }
}

extension ClientRequest {
    /// Keeps what the client is told if nobody answers: the later refusal, unless only the earlier one says what is wrong
    /// with the request.
    func keep(_ refusal: Refusal) {
        if refusal.isFinal || self.refusal?.isFinal != true { self.refusal = refusal }
    }

    /// Whether this message of a worker is about the attempt that the request's own members do not describe.
    func isOther(_ tag: UInt64) -> Bool { race?.other?.tag == tag }

    /// The request's own members, and its course, describe the other attempt from now on.
    func swapAttempts() {
        guard let race, let other = race.other else { return }
        race.other = Race.Attempt(tag: tag, grant: grant, link: link, bodyFile: bodyFile)
        (tag, grant, link, bodyFile) = (other.tag, other.grant, other.link, other.bodyFile)
        course.swapAttempts()
    }
}

/// Requests beside which somebody else is asked at a given time, unless they are answered by then.
struct RaceList {
    private var entries: [(dueUsec: UInt64, request: ClientRequest, race: Race)] = []

    /// When to look again; nil when nobody is left.
    var nextUsec: UInt64? { entries.map(\.dueUsec).min() }

    mutating func add(_ request: ClientRequest, _ race: Race, dueUsec: UInt64) {
        entries.append((dueUsec, request, race))
    }

    /// Takes out those whose time has come and whose attempt of then is still under way, and forgets what is over.
    mutating func due(_ now: UInt64) -> [ClientRequest] {
        entries.removeAll { $0.request.race !== $0.race || $0.race.other != nil }
        let due = entries.filter { $0.dueUsec <= now }.map(\.request)
        entries.removeAll { $0.dueUsec <= now }
        return due
    }
}
