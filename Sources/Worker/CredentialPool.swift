// SPDX-License-Identifier: Apache-2.0
// Chooses among the credentials of one provider: lower priority first, by weight among equals, none that cools down.
// A value without I/O; times are milliseconds of CLOCK_BOOTTIME.
// Source: nginx's smooth weighted round robin, which spreads the picks of each peer evenly.

package struct CredentialPool: Sendable {
    private var members: [Member] = []

    private struct Member: Sendable {
        let name: String
        let weight: Int
        let priority: Int
        /// The end of its token's life; 0 without a token.
        var usableUntil: UInt64 = 0
        var coolsUntil: UInt64 = 0
        var current = 0
    }

    /// - Parameter members: name, weight and priority of each.
    package init(_ members: [(name: String, weight: Int, priority: Int)]) {
        self.members = members.sorted { ($0.priority, $0.name) < ($1.priority, $1.name) }.map {
            Member(name: $0.name, weight: $0.weight, priority: $0.priority)
        }
    }

    package func index(of name: String) -> Int? { members.firstIndex { $0.name == name } }

    package func name(_ index: Int) -> String { members[index].name }

    package var count: Int { members.count }

    /// A token has come, or has gone (0).
    package mutating func setUsable(_ index: Int, until: UInt64) {
        members[index].usableUntil = until
    }

    /// Leaves a credential alone for a while, as its provider asked.
    package mutating func coolDown(_ index: Int, until: UInt64) {
        members[index].coolsUntil = max(members[index].coolsUntil, until)
    }

    /// The credential for the next request, or nil when none may be used.
    ///
    /// - Parameter excluding: one that has just been refused.
    package mutating func pick(now: UInt64, excluding: Int? = nil) -> Int? {
        // Most providers have one credential.
        if members.count == 1 {
            return excluding == nil && members[0].usableUntil > now && members[0].coolsUntil <= now ? 0 : nil
        }
        var best: Int?
        var total = 0
        var priority: Int?
        for index in members.indices where index != excluding {
            let member = members[index]
            guard member.usableUntil > now, member.coolsUntil <= now else { continue }
            if let priority, member.priority != priority { break }
            priority = member.priority
            members[index].current += member.weight
            total += member.weight
            if best.map({ members[index].current > members[$0].current }) ?? true { best = index }
        }
        if let best { members[best].current -= total }
        return best
    }

    /// When the first credential that cools down may be used again; nil when none does.
    package func nextCooled(now: UInt64) -> UInt64? {
        members.filter { $0.usableUntil > now && $0.coolsUntil > now }.map(\.coolsUntil).min()
    }
}
