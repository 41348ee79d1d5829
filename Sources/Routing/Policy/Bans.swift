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

    func isInForce(_ now: UInt64) -> Bool { untilUsec ?? .max > now }

    func hasBeenOver(for usec: UInt64, _ now: UInt64) -> Bool {
        untilUsec.map { $0 <= now && now - $0 >= usec } ?? false
    }

    /// Whether it is about nothing but this; nil is every credential, and every model.
    func isWithin(provider: String, credential: String?, model: String?) -> Bool {
        self.provider == provider && self.credential == credential ?? self.credential
            && self.model == model ?? self.model
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
    /// A ban that is over is remembered for so long: during a reload two fronts exchange their bans, and the one that has
    /// not heard of the end must not bring it back.
    static let memoryUsec: UInt64 = 60_000_000

    private struct Count: Hashable {
        let provider: String
        let credential: String
        let model: String
        let status: Int
    }

    /// For each provider, credential and model at most one, the latest; one that was lifted ends when it begins.
    private var entries: [Ban] = []
    private var failures: [Count: Int] = [:]

    package init() {}

    /// Those in force.
    package func all(_ now: UInt64) -> [Ban] { entries.filter { $0.isInForce(now) } }

    package var isEmpty: Bool { entries.isEmpty }

    /// Adds a ban, or replaces one for the same. False when there are too many.
    package mutating func add(_ ban: Ban, _ now: UInt64) -> Bool {
        entries.removeAll { $0.isSame(as: ban) || $0.hasBeenOver(for: Self.memoryUsec, now) }
        if entries.count >= Self.maximumCount { entries.removeAll { !$0.isInForce(now) } }
        guard entries.count < Self.maximumCount else { return false }
        entries.append(ban)
        return true
    }

    /// Ends every ban that lies within this: of the provider, of its credential and model where they are given.
    /// Failures that led to it, or nearly did, do not count any more. Returns the bans that were in force.
    package mutating func lift(
        provider: String, credential: String?, model: String?, _ now: UInt64
    ) -> [Ban] {
        failures = failures.filter {
            $0.key.provider != provider || $0.key.credential != credential ?? $0.key.credential
                || $0.key.model != model ?? $0.key.model
        }
        var lifted: [Ban] = []
        for index in entries.indices
        where entries[index].isInForce(now)
            && entries[index].isWithin(provider: provider, credential: credential, model: model)
        {
            lifted.append(entries[index])
            entries[index].sinceUsec = now
            entries[index].untilUsec = now
        }
        return lifted
    }

    /// Takes over what another front knows that is later than what this one does.
    package mutating func merge(_ other: BanList) {
        for ban in other.entries {
            if let index = entries.firstIndex(where: { $0.isSame(as: ban) }) {
                if entries[index].sinceUsec < ban.sinceUsec { entries[index] = ban }
            } else if entries.count < Self.maximumCount {
                entries.append(ban)
            }
        }
    }

    package func covers(provider: String, credential: String, model: String, _ now: UInt64) -> Bool {
        entries.contains {
            $0.provider == provider && ($0.credential.isEmpty || $0.credential == credential)
                && ($0.model.isEmpty || $0.model == model) && $0.isInForce(now)
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
    package func encode(to writer: inout WireWriter) { writer.put(list: entries) { $0.put($1) } }

    package init(from reader: inout WireReader) throws(WireError) {
        entries = try reader.getList { (reader) throws(WireError) in try reader.get() }
        guard entries.count <= Self.maximumCount else { throw .invalidValue("\(entries.count) bans") }
    }
}
