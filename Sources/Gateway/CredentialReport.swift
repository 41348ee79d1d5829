// SPDX-License-Identifier: Apache-2.0
// How one credential is, for /health, /metrics, the admin paths and `ccr credentials status`. Never a secret.

package import IPC

package struct CredentialReport: Equatable, Sendable, WireCodable {
    package var name: String
    package var provider: String
    /// As it is configured.
    package var kind: String
    /// As `CredentialState` names it.
    package var state: String
    package var reason: String
    /// What a person has to do before it is renewed again; empty when nothing, or when `reason` says it.
    package var remedy: String
    package var generation: UInt64
    /// The token in hand may be sent.
    package var isUsable: Bool
    /// Seconds since 1970; nil without a token or an end.
    package var expiresAt: Int?
    /// Seconds since 1970; nil when nothing is planned.
    package var nextAttemptAt: Int?
    /// Seconds since 1970 until which the provider wants it to be left alone; in the past when it does not.
    package var cooldownUntil: Int
    /// Tokens that the provider refused.
    package var refusals: Int
    /// Attempts by their outcome.
    package var outcomes: [String: Int]

    /// Nothing renews it until somebody logs in.
    package var needsLogin: Bool { state == "needs_login" }

    package init(
        name: String, provider: String, kind: String, state: String, reason: String, remedy: String,
        generation: UInt64, isUsable: Bool, expiresAt: Int?, nextAttemptAt: Int?, cooldownUntil: Int,
        refusals: Int, outcomes: [String: Int]
    ) {
        self.name = name
        self.provider = provider
        self.kind = kind
        self.state = state
        self.reason = reason
        self.remedy = remedy
        self.generation = generation
        self.isUsable = isUsable
        self.expiresAt = expiresAt
        self.nextAttemptAt = nextAttemptAt
        self.cooldownUntil = cooldownUntil
        self.refusals = refusals
        self.outcomes = outcomes
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(name)
        writer.put(provider)
        writer.put(kind)
        writer.put(state)
        writer.put(reason)
        writer.put(remedy)
        writer.put(generation)
        writer.put(isUsable)
        writer.put(expiresAt) { $0.put(Int64($1)) }
        writer.put(nextAttemptAt) { $0.put(Int64($1)) }
        writer.put(Int64(cooldownUntil))
        writer.put(Int64(refusals))
        writer.put(list: outcomes.sorted { $0.key < $1.key }) { writer, entry in
            writer.put(entry.key)
            writer.put(Int64(entry.value))
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        name = try reader.getString()
        provider = try reader.getString()
        kind = try reader.getString()
        state = try reader.getString()
        reason = try reader.getString()
        remedy = try reader.getString()
        generation = try reader.get()
        isUsable = try reader.getBool()
        expiresAt = try reader.getOptional(Self.number)
        nextAttemptAt = try reader.getOptional(Self.number)
        cooldownUntil = try Self.number(&reader)
        refusals = try Self.number(&reader)
        let entries = try reader.getList { (reader) throws(WireError) in
            (try reader.getString(), try Self.number(&reader))
        }
        outcomes = Dictionary(entries) { $1 }
    }

    private static func number(_ reader: inout WireReader) throws(WireError) -> Int {
        Int(clamping: try reader.get(Int64.self))
    }
}

/// A request of an admin path on its way to the refresher.
package struct AdminRequest: Equatable, Sendable, WireCodable {
    package enum Verb: UInt8, CaseIterable, Sendable {
        case status = 1
        case store = 2
    }

    /// Names the request within the life of one front.
    package var tag: UInt64
    package var verb: Verb
    /// The request's body, which holds secrets.
    package var body: [UInt8]

    package init(tag: UInt64, verb: Verb, body: [UInt8]) {
        self.tag = tag
        self.verb = verb
        self.body = body
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(tag)
        writer.put(verb.rawValue)
        writer.put(body)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        tag = try reader.get()
        verb = try reader.getCase()
        body = try reader.getArray()
    }
}

/// The answer.
package struct AdminAnswer: Equatable, Sendable, WireCodable {
    package var tag: UInt64
    /// HTTP status.
    package var status: UInt16
    /// JSON; never a secret.
    package var body: [UInt8]

    package init(tag: UInt64, status: UInt16, body: [UInt8]) {
        self.tag = tag
        self.status = status
        self.body = body
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(tag)
        writer.put(status)
        writer.put(body)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        tag = try reader.get()
        status = try reader.get()
        body = try reader.getArray()
    }
}
