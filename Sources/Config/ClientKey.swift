// SPDX-License-Identifier: Apache-2.0
// Keys that clients send, and what each of them may do.

import Bytes
import Posix

/// A key that a client may send.
package struct ClientKey: Equatable, Sendable {
    package var name: String
    /// The key itself, or nil when only its hash is known.
    package var key: Secret?
    /// The SHA-256 of the key, 32 bytes, in place of `key`.
    package var hash: [UInt8]?
    /// Models that it may use, "*" standing for any characters; empty: all.
    package var models: [String] = []
    /// Requests and tokens in any minute; nil: no bound.
    package var requestsPerMinute: Int?
    package var tokensPerMinute: Int?
    /// Requests at providers at once; nil: no bound.
    package var concurrency: Int?
    /// US dollars by day and by month, in UTC; nil: no bound.
    package var dailyUSD: Double?
    package var monthlyUSD: Double?
    /// Seconds since 1970 from which it is not valid any more; nil: never.
    package var expires: Int?

    package init(name: String, key: Secret? = nil, hash: [UInt8]? = nil) {
        self.name = name
        self.key = key
        self.hash = hash
    }

    /// Whether its last day is over.
    package var hasExpired: Bool { expires.map { $0 <= Int(Clock.realtimeUsec() / 1_000_000) } ?? false }

    package var hasBudget: Bool { dailyUSD != nil || monthlyUSD != nil }
}

extension Schema {
    static let clientKeys: [SchemaKey] = [
        SchemaKey("Clients", .objects, "Named client keys, in addition to APIKEY."),
        SchemaKey(
            "Clients[].name", .text, required: true, "Name of the client, for logs and metrics; unique."),
        SchemaKey(
            "Clients[].key", .secret, spellings: ["api_key", "apikey"],
            "The key it sends; unique. This or key_sha256 must be there."),
        SchemaKey(
            "Clients[].key_sha256", .text,
            "The SHA-256 of its key in 64 hexadecimal digits; ccr key add makes one."),
        SchemaKey(
            "Clients[].models", .list(.text),
            "Models it may use, as it names them or as “provider,model”; “*” stands for any characters. Default: all."
        ),
        SchemaKey("Clients[].rpm", .integer(1...1_000_000), "Requests in any minute."),
        SchemaKey("Clients[].tpm", .integer(1...1_000_000_000), "Tokens in any minute, input and output."),
        SchemaKey(
            "Clients[].concurrency", .integer(1...100_000),
            "Requests at providers at once; further ones wait for their turn."),
        SchemaKey("Clients[].budget", .object, "What it may spend, by the prices of the providers."),
        SchemaKey("Clients[].budget.daily_usd", .number(0...1_000_000), "US dollars a day, in UTC."),
        SchemaKey("Clients[].budget.monthly_usd", .number(0...1_000_000), "US dollars a month, in UTC."),
        SchemaKey(
            "Clients[].expires", .text, "“YYYY-MM-DD”: the last day on which the key is valid, in UTC."),
    ]
}

extension ConfigurationReader {
    /// APIKEY and Clients.
    mutating func clientKeys() -> [ClientKey] {
        var keys: [ClientKey] = []
        if let (node, path) = root.value("APIKEY"), let text = node.text, !text.isEmpty,
            usable(text, node, path)
        {
            keys.append(ClientKey(name: "default", key: Secret(text)))
        }
        for client in root.sections("Clients") {
            guard let name = client.value("name"), let nameText = name.node.text else { continue }
            if nameText.isEmpty || keys.contains(where: { $0.name == nameText }) {
                problems.error(
                    name.node, name.path, "allowed are names that are not empty and not used twice")
            }
            guard var key = secret(of: client, nameText, keys) else { continue }
            key.models = client.texts("models") ?? []
            key.requestsPerMinute = client.integer("rpm")
            key.tokensPerMinute = client.integer("tpm")
            key.concurrency = client.integer("concurrency")
            let budget = client.section("budget")
            key.dailyUSD = budget.number("daily_usd")
            key.monthlyUSD = budget.number("monthly_usd")
            key.expires = expiry(client)
            if key.hasExpired, let (node, path) = client.value("expires") {
                problems.warning(
                    node, path,
                    "this day is over, so that the key is refused; set a later one, or remove the client")
            }
            keys.append(key)
        }
        return keys
    }

    /// The key of a client or its hash; nil after saying what is wrong.
    private mutating func secret(
        of client: ConfigSection, _ name: String, _ keys: [ClientKey]
    ) -> ClientKey? {
        let key = client.value("key")
        let hash = client.value("key_sha256")
        if let hash, key != nil {
            problems.error(hash.node, hash.path, "stands beside key; allowed is one of the two")
            return nil
        }
        if let (node, path) = hash {
            guard let text = node.text, let bytes = ConfigurationReader.bytes(hexadecimal: text) else {
                problems.error(node, path, "allowed are 64 hexadecimal digits")
                return nil
            }
            if keys.contains(where: { $0.hash == bytes }) {
                problems.error(node, path, "is the key of another client as well")
                return nil
            }
            return ClientKey(name: name, hash: bytes)
        }
        guard let (node, path) = key, let text = node.text else {
            if let node = client.node, key == nil {
                problems.error(node, client.path, "has no key: set key or key_sha256")
            }
            return nil
        }
        if text.isEmpty {
            problems.error(node, path, "is empty")
        } else if keys.contains(where: { $0.key == Secret(text) }) {
            problems.error(node, path, "is the key of another client as well")
        } else if usable(text, node, path) {
            return ClientKey(name: name, key: Secret(text))
        }
        return nil
    }

    /// Whether a client can send the key in a header.
    mutating func usable(_ key: String, _ node: ConfigNode, _ path: String) -> Bool {
        if key.utf8.count <= 1_024, key.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) { return true }
        problems.error(node, path, "allowed are 1 to 1024 printable ASCII characters without blanks")
        return false
    }

    private static func bytes(hexadecimal text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: 64, by: 2) {
            guard let high = ASCII.hexDigit(digits[index]), let low = ASCII.hexDigit(digits[index + 1])
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    /// The second after the last one of the day that `expires` names.
    private mutating func expiry(_ client: ConfigSection) -> Int? {
        guard let (node, path) = client.value("expires"), let text = node.text else { return nil }
        guard let day = ConfigurationReader.day(text) else {
            problems.error(node, path, "allowed is a day as “2027-01-31”")
            return nil
        }
        return (day + 1) * 86_400
    }

    /// Days since 1970-01-01 of "YYYY-MM-DD", 1970 to 9999.
    ///
    /// Source: H. Hinnant, chrono-Compatible Low-Level Date Algorithms, days_from_civil.
    static func day(_ text: String) -> Int? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.map(\.utf8.count) == [4, 2, 2],
            let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]),
            year >= 1970, 1...12 ~= month
        else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard 1...lengths[month - 1] ~= day else { return nil }
        let shiftedYear = month <= 2 ? year - 1 : year
        let yearOfEra = shiftedYear % 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return shiftedYear / 400 * 146_097 + dayOfEra - 719_468
    }
}
