// SPDX-License-Identifier: Apache-2.0
// Credentials that are not used: by an operator's word, or because they failed too often. A value without clock; times
// are microseconds of one clock.
// Source: the bans of Auto AI Router (fail2ban and its administration).

package import IPC

/// When a credential is banned by itself.
package struct BanRules: Equatable, Sendable, WireCodable {
    /// What one status does.
    package struct Rule: Equatable, Sendable {
        package var status: Int
        /// Failures in a row.
        package var attempts: Int
        /// 0 for ever.
        package var durationMsec: Int

        package init(status: Int, attempts: Int, durationMsec: Int) {
            self.status = status
            self.attempts = attempts
            self.durationMsec = durationMsec
        }
    }

    /// At most one for each status.
    package var rules: [Rule]

    package static let none = BanRules(rules: [])

    package init(rules: [Rule]) { self.rules = rules }

    package func encode(to writer: inout WireWriter) {
        writer.put(list: rules) { writer, rule in
            writer.put(UInt16(rule.status))
            writer.put(UInt32(rule.attempts))
            writer.put(UInt64(rule.durationMsec))
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        rules = try reader.getList { (reader) throws(WireError) in
            Rule(
                status: Int(try reader.get(UInt16.self)), attempts: Int(try reader.get(UInt32.self)),
                durationMsec: Int(clamping: try reader.get(UInt64.self)))
        }
    }
}

/// Who is banned for what.
package struct Ban: Equatable, Sendable, WireCodable {
    /// Who said so.
    package enum Origin: UInt8, CaseIterable, Sendable {
        case admin = 1
        case fail2ban = 2

        package var name: String { self == .admin ? "admin" : "fail2ban" }
    }

    package var provider: String
    /// The name of a credential, or "" for every one.
    package var credential: String
    /// The model, or "" for every one.
    package var model: String
    package var origin: Origin
    /// For people.
    package var reason: String
    /// The status that led to it, or 0.
    package var status: Int
    package var sinceUsec: UInt64
    /// Nil for ever.
    package var untilUsec: UInt64?

    package init(
        provider: String, credential: String, model: String, origin: Origin, reason: String, status: Int = 0,
        sinceUsec: UInt64, untilUsec: UInt64?
    ) {
        self.provider = provider
        self.credential = credential
        self.model = model
        self.origin = origin
        self.reason = reason
        self.status = status
        self.sinceUsec = sinceUsec
        self.untilUsec = untilUsec
    }

    func isSame(as other: Ban) -> Bool {
        provider == other.provider && credential == other.credential && model == other.model
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(provider)
        writer.put(credential)
        writer.put(model)
        writer.put(origin.rawValue)
        writer.put(reason)
        writer.put(UInt16(status))
        writer.put(sinceUsec)
        writer.put(untilUsec) { $0.put($1) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        provider = try reader.getString()
        credential = try reader.getString()
        model = try reader.getString()
        origin = try reader.getCase()
        reason = try reader.getString()
        status = Int(try reader.get(UInt16.self))
        sinceUsec = try reader.get()
        untilUsec = try reader.getOptional { (reader) throws(WireError) in try reader.get() }
    }
}

/// The bans in force and the failures that may become one.
package struct BanList: Equatable, Sendable {
    /// The most at one time.
    package static let maximumCount = 1_000

    private struct Count: Hashable {
        let provider: String
        let credential: String
        let model: String
        let status: Int
    }

    private var bans: [Ban] = []
    private var failures: [Count: Int] = [:]

    package init() {}

    /// Those in force.
    package func all(_ now: UInt64) -> [Ban] { bans.filter { $0.untilUsec ?? .max > now } }

    package var isEmpty: Bool { bans.isEmpty }

    /// Adds a ban, or replaces one for the same. False when there are too many.
    package mutating func add(_ ban: Ban, _ now: UInt64) -> Bool {
        bans.removeAll { $0.isSame(as: ban) || $0.untilUsec ?? .max <= now }
        guard bans.count < Self.maximumCount else { return false }
        bans.append(ban)
        return true
    }

    /// Ends the bans for exactly this. Returns how many there were.
    package mutating func remove(provider: String, credential: String, model: String) -> Int {
        let before = bans.count
        bans.removeAll { $0.provider == provider && $0.credential == credential && $0.model == model }
        failures = failures.filter {
            $0.key.provider != provider || (!credential.isEmpty && $0.key.credential != credential)
        }
        return before - bans.count
    }

    package func covers(provider: String, credential: String, model: String, _ now: UInt64) -> Bool {
        bans.contains {
            $0.provider == provider && ($0.credential.isEmpty || $0.credential == credential)
                && ($0.model.isEmpty || $0.model == model) && $0.untilUsec ?? .max > now
        }
    }

    /// One failure more. Returns the ban that it led to.
    package mutating func failed(
        provider: String, credential: String, model: String, status: Int, _ rules: BanRules, _ now: UInt64
    ) -> Ban? {
        guard let rule = rules.rules.first(where: { $0.status == status }) else { return nil }
        let key = Count(provider: provider, credential: credential, model: model, status: status)
        // Clients may pin models of any name.
        if failures.count >= Self.maximumCount { failures = [:] }
        let count = failures[key, default: 0] + 1
        failures[key] = count
        guard count >= rule.attempts else { return nil }
        failures[key] = nil
        let ban = Ban(
            provider: provider, credential: credential, model: model, origin: .fail2ban,
            reason: "\(count) times status \(status)", status: status, sinceUsec: now,
            untilUsec: rule.durationMsec == 0 ? nil : now + UInt64(rule.durationMsec) * 1000)
        return add(ban, now) ? ban : nil
    }

    /// An answer: failures before it do not count any more.
    package mutating func succeeded(provider: String, credential: String, model: String) {
        guard !failures.isEmpty else { return }
        failures = failures.filter {
            $0.key.provider != provider || $0.key.credential != credential || $0.key.model != model
        }
    }
}

extension BanList: WireCodable {
    package func encode(to writer: inout WireWriter) { writer.put(list: bans) { $0.put($1) } }

    package init(from reader: inout WireReader) throws(WireError) {
        bans = try reader.getList { (reader) throws(WireError) in try reader.get() }
        guard bans.count <= Self.maximumCount else { throw .invalidValue("\(bans.count) bans") }
    }
}
