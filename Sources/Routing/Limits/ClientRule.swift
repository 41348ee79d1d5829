// SPDX-License-Identifier: Apache-2.0
// What front knows of a client key: its hash and what it may do; never the key.

import Bytes
package import Config
package import Gateway
package import IPC

package struct ClientRule: Equatable, Sendable, WireCodable {
    package let name: String
    /// SHA-256 of the key.
    package let digest: [UInt8]
    /// Patterns of models; empty: all.
    let models: [[UInt8]]
    let minute: MinuteLimits
    package let concurrency: Int?
    /// Billionths of a US dollar by day and month.
    let daily: Int?
    let monthly: Int?
    /// CLOCK_REALTIME microseconds from which the key is not valid.
    let expires: UInt64?

    package init(_ client: ClientKey, digest: [UInt8]) {
        name = client.name
        self.digest = digest
        models = client.models.map { Array($0.utf8) }
        minute = MinuteLimits(requests: client.requestsPerMinute, tokens: client.tokensPerMinute)
        concurrency = client.concurrency
        let nano = { (dollars: Double) in Int((dollars * Double(Calendar.nanoPerUSD)).rounded()) }
        daily = client.dailyUSD.map(nano)
        monthly = client.monthlyUSD.map(nano)
        expires = client.expires.map { UInt64($0) * 1_000_000 }
    }

    package func hasExpired(_ realtimeUsec: UInt64) -> Bool { expires.map { $0 <= realtimeUsec } ?? false }

    /// The candidates that the key may use: all when it may use what the client has named, since the operator has decided
    /// where that leads; else those of a model that it may use.
    ///
    /// - Throws: 403 when none is left.
    package func allowed(_ candidates: [RouteCandidate], model: String?) throws(GatewayError)
        -> [RouteCandidate]
    {
        guard !models.isEmpty else { return candidates }
        if let model, fits(model) { return candidates }
        let allowed = candidates.filter { fits($0.model) || fits($0.pin) }
        guard !allowed.isEmpty else {
            let wanted = model ?? candidates.first?.model ?? ""
            throw GatewayError(
                .permission, "the key of \(quoted(name)) is not for the model \(quoted(wanted))")
        }
        return allowed
    }

    private func fits(_ model: String) -> Bool {
        var model = model
        return model.withUTF8 { text in
            models.contains { Glob.matches($0, UnsafeRawBufferPointer(text)) }
        }
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(name)
        writer.put(digest)
        writer.put(list: models) { $0.put($1) }
        writer.put(minute)
        for number in [concurrency, daily, monthly] { writer.put(number) { $0.put(UInt64(max(0, $1))) } }
        writer.put(expires) { $0.put($1) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        name = try reader.getString()
        digest = try reader.getArray()
        models = try reader.getList { (reader) throws(WireError) in try reader.getArray() }
        minute = try reader.get()
        concurrency = try ClientRule.number(&reader)
        daily = try ClientRule.number(&reader)
        monthly = try ClientRule.number(&reader)
        expires = try reader.getOptional { (reader) throws(WireError) in try reader.get(UInt64.self) }
    }

    private static func number(_ reader: inout WireReader) throws(WireError) -> Int? {
        try reader.getOptional { (reader) throws(WireError) in Int(clamping: try reader.get(UInt64.self)) }
    }
}
