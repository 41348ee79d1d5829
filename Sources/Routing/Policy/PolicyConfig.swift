// SPDX-License-Identifier: Apache-2.0
// What the configuration says about the order of candidates, repetitions, waits, limits and bans.

package import IPC

/// What decides the order of candidates that the request itself does not decide.
package enum Preference: UInt8, CaseIterable, Sendable {
    /// The order of the configuration.
    case order = 0
    /// The faster, the likelier first.
    case latency = 1
    /// The cheaper first.
    case cost = 2
}

/// Repetitions at one provider.
package struct RetryRule: Equatable, Sendable, WireCodable {
    package var maximum: Int
    package var firstBackOffMsec: Int
    package var multiplier: Double
    package var longestBackOffMsec: Int
    /// Repetitions come before other candidates; else after them.
    package var isEager: Bool

    /// One more try, once every other candidate has been asked.
    package static let standard = RetryRule(
        maximum: 1, firstBackOffMsec: 100, multiplier: 2, longestBackOffMsec: 10_000, isEager: false)

    package init(
        maximum: Int, firstBackOffMsec: Int, multiplier: Double, longestBackOffMsec: Int, isEager: Bool
    ) {
        self.maximum = maximum
        self.firstBackOffMsec = firstBackOffMsec
        self.multiplier = multiplier
        self.longestBackOffMsec = longestBackOffMsec
        self.isEager = isEager
    }

    /// Microseconds before a repetition: longer for the later ones and for slow providers, spread by half.
    ///
    /// - Parameters:
    ///   - number: 0 for the first repetition.
    ///   - averageSeconds: how long the provider takes to its first event, or 0.
    ///   - random: 0..<1.
    package func backOffUsec(_ number: Int, averageSeconds: Double, random: Double) -> UInt64 {
        var value = Double(firstBackOffMsec)
        for _ in 0..<min(number, 30) { value *= multiplier }
        if averageSeconds > 0 { value *= min(max(averageSeconds, 0.5), 3) }
        value = min(value, Double(longestBackOffMsec))
        return UInt64(max(value * (0.5 + 0.5 * random), Double(firstBackOffMsec) / 2) * 1000)
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(UInt32(maximum))
        writer.put(UInt32(firstBackOffMsec))
        writer.put(multiplier)
        writer.put(UInt32(longestBackOffMsec))
        writer.put(isEager)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        maximum = Int(try reader.get(UInt32.self))
        firstBackOffMsec = Int(try reader.get(UInt32.self))
        multiplier = try reader.getDouble()
        longestBackOffMsec = Int(try reader.get(UInt32.self))
        isEager = try reader.getBool()
    }
}

/// How long a request may wait inside ccr until somebody can be asked.
package struct WaitRule: Equatable, Sendable, WireCodable {
    /// All waits of a request together.
    package var totalMsec: Int
    /// A single one; a longer one is not begun.
    package var longestMsec: Int
    /// How long a credential pauses whose provider says 429 and not for how long; doubled each time.
    package var firstPauseMsec: Int
    package var multiplier: Double

    package static let standard = WaitRule(
        totalMsec: 30_000, longestMsec: 60_000, firstPauseMsec: 1_000, multiplier: 2)

    package init(totalMsec: Int, longestMsec: Int, firstPauseMsec: Int, multiplier: Double) {
        self.totalMsec = totalMsec
        self.longestMsec = longestMsec
        self.firstPauseMsec = firstPauseMsec
        self.multiplier = multiplier
    }

    /// Microseconds of a pause after `strikes` earlier ones in a row.
    func pauseUsec(strikes: Int, random: Double) -> UInt64 {
        var value = Double(firstPauseMsec)
        for _ in 0..<min(strikes, 10) { value *= multiplier }
        return UInt64(min(value, Double(max(longestMsec, firstPauseMsec))) * (0.75 + 0.5 * random) * 1000)
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(UInt32(totalMsec))
        writer.put(UInt32(longestMsec))
        writer.put(UInt32(firstPauseMsec))
        writer.put(multiplier)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        totalMsec = Int(try reader.get(UInt32.self))
        longestMsec = Int(try reader.get(UInt32.self))
        firstPauseMsec = Int(try reader.get(UInt32.self))
        multiplier = try reader.getDouble()
    }
}

/// A key of a provider. One with `api_key`, or with none, has a single one without a name.
package struct PolicyCredential: Equatable, Sendable, WireCodable {
    package var name: String
    package var weight: Int
    package var priority: Int
    package var limit: MinuteLimits

    package static let unnamed = PolicyCredential(name: "", weight: 1, priority: 0, limit: MinuteLimits())

    package init(name: String, weight: Int, priority: Int, limit: MinuteLimits) {
        self.name = name
        self.weight = weight
        self.priority = priority
        self.limit = limit
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(name)
        writer.put(UInt32(weight))
        writer.put(UInt32(priority))
        writer.put(limit)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        name = try reader.getString()
        weight = Int(try reader.get(UInt32.self))
        priority = Int(try reader.get(UInt32.self))
        limit = try reader.get()
    }
}

/// What the policy knows of one provider.
package struct PolicyProvider: Equatable, Sendable, WireCodable {
    package var name: String
    /// At least one, at most 64.
    package var credentials: [PolicyCredential]
    package var retry: RetryRule
    /// Shares among providers of the same model; 0 leaves them in the order of the configuration.
    package var weight: Int
    /// Lower ones come first among providers of the same model.
    package var priority: Int
    /// A credential without requests left, as the provider's headers say, is left alone until they say.
    package var honorsHeaders: Bool
    /// Limits of single models, whichever credential asks.
    package var modelLimits: [String: MinuteLimits]
    /// US dollars for a million tokens, input and output together; nil when unknown.
    package var price: Double?
    /// The same for single models.
    package var modelPrices: [String: Double]

    package init(
        name: String, credentials: [PolicyCredential] = [.unnamed], retry: RetryRule = .standard,
        weight: Int = 0,
        priority: Int = 0, honorsHeaders: Bool = false, modelLimits: [String: MinuteLimits] = [:],
        price: Double? = nil, modelPrices: [String: Double] = [:]
    ) {
        self.name = name
        self.credentials = credentials
        self.retry = retry
        self.weight = weight
        self.priority = priority
        self.honorsHeaders = honorsHeaders
        self.modelLimits = modelLimits
        self.price = price
        self.modelPrices = modelPrices
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(name)
        writer.put(list: credentials) { $0.put($1) }
        writer.put(retry)
        writer.put(UInt32(weight))
        writer.put(UInt32(priority))
        writer.put(honorsHeaders)
        writer.put(list: modelLimits.sorted { $0.key < $1.key }) { writer, entry in
            writer.put(entry.key)
            writer.put(entry.value)
        }
        writer.put(price) { $0.put($1) }
        writer.put(list: modelPrices.sorted { $0.key < $1.key }) { writer, entry in
            writer.put(entry.key)
            writer.put(entry.value)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        name = try reader.getString()
        credentials = try reader.getList { (reader) throws(WireError) in try reader.get() }
        guard (1...64).contains(credentials.count) else {
            throw .invalidValue("\(credentials.count) credentials")
        }
        retry = try reader.get()
        weight = Int(try reader.get(UInt32.self))
        priority = Int(try reader.get(UInt32.self))
        honorsHeaders = try reader.getBool()
        modelLimits = [:]
        for (key, value) in try reader.getList({ (reader) throws(WireError) in
            (try reader.getString(), try reader.get(MinuteLimits.self))
        }) {
            modelLimits[key] = value
        }
        price = try reader.getOptional { (reader) throws(WireError) in try reader.getDouble() }
        modelPrices = [:]
        for (key, value) in try reader.getList({ (reader) throws(WireError) in
            (try reader.getString(), try reader.getDouble())
        }) {
            modelPrices[key] = value
        }
    }
}

/// The whole of it.
package struct PolicyConfig: Equatable, Sendable, WireCodable {
    package var preference: Preference
    /// Of a drawn order only so many are asked; 0 for all.
    package var topK: Int
    /// Seconds; see `Latency.order`.
    package var temperature: Double
    package var wait: WaitRule
    /// A second request goes out when the first is late.
    package var hedges: Bool
    package var bans: BanRules
    /// In the order of the configuration, as in the route table.
    package var providers: [PolicyProvider]

    package init(
        preference: Preference = .order, topK: Int = 0, temperature: Double = 1, wait: WaitRule = .standard,
        hedges: Bool = false, bans: BanRules = .none, providers: [PolicyProvider]
    ) {
        self.preference = preference
        self.topK = topK
        self.temperature = temperature
        self.wait = wait
        self.hedges = hedges
        self.bans = bans
        self.providers = providers
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(preference.rawValue)
        writer.put(UInt32(topK))
        writer.put(temperature)
        writer.put(wait)
        writer.put(hedges)
        writer.put(bans)
        writer.put(list: providers) { $0.put($1) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        preference = try reader.getCase()
        topK = Int(try reader.get(UInt32.self))
        temperature = try reader.getDouble()
        wait = try reader.get()
        hedges = try reader.getBool()
        bans = try reader.get()
        providers = try reader.getList { (reader) throws(WireError) in try reader.get() }
    }
}
