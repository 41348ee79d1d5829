// SPDX-License-Identifier: Apache-2.0
// A second request beside one whose first event is late: when, to whom, and what becomes of the one that is too slow.
// Source: Dean and Barroso, "The Tail at Scale" (CACM 2013), hedged requests; docs/decisions/0019.

extension Policy {
    /// Nobody is asked beside an attempt before this time: what is faster needs no help.
    static let shortestHedgeMsec: UInt32 = 50

    /// Milliseconds after which somebody else is asked beside an attempt: the 95th percentile of the first events of that
    /// model at that provider. 0 for never: nobody else is there, or too little is known.
    ///
    /// - Parameters:
    ///   - index: the entry that is being asked.
    ///   - lane: the place of its lane.
    func hedgeDelayMsec(
        _ course: Course, _ index: Int, _ lane: Int, hasCredential: Bool
    ) -> UInt32 {
        guard course.isStream, !course.isHedged,
            hasCredential || course.entries.indices.contains(where: { $0 != index && mayJoin(course, $0) }),
            let seconds = lanes[lane].latency.percentile95
        else { return 0 }
        return max(UInt32(clamping: Int(seconds * 1000)), Self.shortestHedgeMsec)
    }

    /// Whether a candidate that this request has not asked is well; half-open circuits are probed by first requests.
    func mayJoin(_ course: Course, _ index: Int) -> Bool {
        course.entries[index].hope == .open
            && circuit(course.entries[index].candidate).state == .closed
    }

    /// Asks somebody beside the attempt under way, once in the life of a request: another candidate, else another
    /// credential. The provider that is late pays for it out of its retry budget.
    ///
    /// - Returns: nil when nobody can be asked; the attempt under way stays the present one of `course` in any case.
    package mutating func hedge(_ course: inout Course, _ now: UInt64) -> Grant? {
        guard let first = course.attempt, !course.isHedged, !course.isCommitted else { return nil }
        let provider = course.entries[first.entry].candidate.providerIndex
        guard !providers[provider].budget.isEmpty else { return nil }
        course.isHedged = true
        course.setAside()
        let found = join(&course, first, now)
        course.swapAttempts()
        guard let found else { return nil }
        _ = providers[provider].budget.take()
        counters.hedges += 1
        return found
    }

    private mutating func join(_ course: inout Course, _ first: Course.Attempt, _ now: UInt64) -> Grant? {
        for index in course.entries.indices where index != first.entry && mayJoin(course, index) {
            if let grant = grant(&course, index, now) { return grant }
        }
        guard mayJoin(course, first.entry) else { return nil }
        let refused = course.entries[first.entry].refused
        course.entries[first.entry].refused |= 1 << UInt64(first.credential)
        defer { course.entries[first.entry].refused = refused }
        return grant(&course, first.entry, now)
    }

    /// The attempt beside the present one is not waited for any longer. What was set aside for it stays counted: its
    /// provider has read the request, and seldom says what that cost.
    package mutating func outrun(_ course: inout Course, _ now: UInt64) {
        guard let attempt = course.takeRival() else { return }
        changes += 1
        lanes[attempt.lane].inFlight -= 1
        lanes[attempt.lane].latency.cancelled(seconds: Double(now - attempt.startedUsec) / 1_000_000)
        release(attempt)
    }
}
