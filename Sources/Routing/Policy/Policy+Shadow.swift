// SPDX-License-Identifier: Apache-2.0
// Copies of requests whose answers nobody gets: they are asked for only where there is room to spare, and say nothing
// about those that clients wait for.

import Gateway

extension Policy {
    /// Asks a candidate for an answer that nobody waits for.
    ///
    /// - Returns: nil when it is not well, or more than half of a limit is taken. End the course by `abandoned`.
    package mutating func shadow(
        _ candidate: RouteCandidate, _ tokens: TokenDemand, _ now: UInt64
    ) -> (course: Course, grant: Grant)? {
        guard !providers[candidate.providerIndex].budget.isEmpty else { return nil }
        var course = Course([candidate], tokens: tokens.input, output: tokens.output, deadlineUsec: now)
        // Repetitions are a share of what clients ask for.
        let budget = providers[candidate.providerIndex].budget
        defer { providers[candidate.providerIndex].budget = budget }
        guard let grant = grant(&course, 0, now), let attempt = course.attempt else { return nil }
        let isProbe = attempt.probes.circuit || attempt.probes.pause || attempt.probes.credential
        let limits = limits(candidate, grant.credential)
        if isProbe || minutes.isHalfUsed(limits.model, at: now)
            || minutes.isHalfUsed(limits.credential, at: now)
        {
            unsent(&course, now)
            return nil
        }
        return (course, grant)
    }
}
