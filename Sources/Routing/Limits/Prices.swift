// SPDX-License-Identifier: Apache-2.0
// What requests cost: the operator's prices by provider and model, applied to the tokens that a provider counted.

package import Config
package import Gateway
package import IPC

/// Millionths of a billionth of a US dollar a token: of a price per million tokens, its billionths.
struct Price: Equatable, Sendable {
    var input: Int
    var output: Int
    var cacheRead: Int
    var cacheWrite: Int

    init(_ pricing: Pricing) {
        let scaled = { (dollars: Double) in Int((dollars * 1e6).rounded()) }
        input = scaled(pricing.input)
        output = scaled(pricing.output)
        cacheRead = scaled(pricing.cacheRead ?? pricing.input)
        cacheWrite = scaled(pricing.cacheWrite ?? pricing.input)
    }

    /// The cost in billionths of a US dollar, rounded up.
    func cost(of usage: Usage) -> Int {
        let parts = [
            (usage.input, input), (usage.output, output), (usage.cacheRead, cacheRead),
            (usage.cacheWrite, cacheWrite),
        ]
        // What a provider reported may be nonsense; a million dollars is the most that is believed.
        let sum = parts.reduce(0.0) { $0 + Double(max(0, $1.0)) * Double($1.1) }
        return Int(min(sum / 1_000, 1e15).rounded(.up))
    }
}

/// The prices of one provider.
package struct ProviderPrices: Equatable, Sendable {
    private(set) var standard: Price?
    private(set) var models: [String: Price]

    package init(_ provider: Provider) {
        standard = provider.pricing.map { Price($0) }
        models = provider.modelPricing.mapValues { Price($0) }
    }

    /// What a request cost that this provider answered with `model`, in billionths of a US dollar; 0 without a price.
    package func cost(of usage: Usage, model: String) -> Int {
        (models[model] ?? standard)?.cost(of: usage) ?? 0
    }
}

extension Price: WireCodable {
    func encode(to writer: inout WireWriter) {
        for part in [input, output, cacheRead, cacheWrite] { writer.put(UInt64(max(0, part))) }
    }

    init(from reader: inout WireReader) throws(WireError) {
        input = Int(clamping: try reader.get(UInt64.self))
        output = Int(clamping: try reader.get(UInt64.self))
        cacheRead = Int(clamping: try reader.get(UInt64.self))
        cacheWrite = Int(clamping: try reader.get(UInt64.self))
    }
}

extension ProviderPrices: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(standard) { $0.put($1) }
        writer.put(list: models.sorted { $0.key < $1.key }) { writer, entry in
            writer.put(entry.key)
            writer.put(entry.value)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        standard = try reader.getOptional { (reader) throws(WireError) in try reader.get() }
        let list = try reader.getList { (reader) throws(WireError) in
            (name: try reader.getString(), price: try reader.get(Price.self))
        }
        models = [:]
        for entry in list { models[entry.name] = entry.price }
    }
}
