// SPDX-License-Identifier: Apache-2.0
// What an operator asks for: to ban a credential or a provider, or to end its bans. Reads the body of the request and
// finds whom it means.
// Source: the ban administration of Auto AI Router (body of `credential`, `model`, `ttl`, `reason`; unknown members refused).

import Bytes
import Config
package import Gateway
package import JSON

package struct BanRequest: Equatable, Sendable {
    /// What is to be done; each takes other members.
    package enum Verb: Equatable, Sendable {
        case ban
        case unban

        var members: [String] {
            switch self {
            case .ban: ["credential", "provider", "model", "ttl", "reason"]
            case .unban: ["credential", "provider", "model"]
            }
        }
    }

    /// Longest reason, in bytes.
    package static let maximumReason = 200

    /// The name of a credential, or of a provider when no credential has it; nil when `provider` is meant as a whole.
    var credential: String?
    /// Where the credential belongs to.
    var provider: String?
    /// Nil for every model.
    package var model: String?
    /// Nil for ever.
    package var durationMsec: Int?
    package var reason = ""

    /// - Throws: `.invalidRequest` for what is no object of these members, each once.
    package init(_ root: JSONValue, _ verb: Verb) throws(GatewayError) {
        guard root.isObject else { throw GatewayError(.invalidRequest, "the body is no JSON object") }
        var seen: Set<String> = []
        for (key, value) in root.members {
            let name = String(decoding: key, as: UTF8.self)
            guard verb.members.contains(name) else {
                throw GatewayError(
                    .invalidRequest,
                    "unknown member \(quoted(name.prefix(64)))\(Spelling.hint(name, in: verb.members)); known are "
                        + verb.members.joined(separator: ", "))
            }
            guard seen.insert(name).inserted else {
                throw GatewayError(.invalidRequest, "\(quoted(name)) is given twice")
            }
            // Views of bans have null where they mean all.
            if value.isNull { continue }
            guard let text = value.string, !text.isEmpty else {
                throw GatewayError(.invalidRequest, "\(quoted(name)) is no string, or an empty one")
            }
            try take(name, text)
        }
        guard credential != nil || provider != nil else {
            throw GatewayError(
                .invalidRequest, "“credential” is missing: the name of a credential or of a provider")
        }
    }

    private mutating func take(_ name: String, _ text: String) throws(GatewayError) {
        switch name {
        case "credential": credential = text
        case "provider": provider = text
        case "model": model = text
        case "ttl":
            guard text != "permanent" else { return }
            durationMsec = DurationText.milliseconds(text)
            guard durationMsec != nil else {
                throw GatewayError(
                    .invalidRequest,
                    "“ttl” is \(quoted(text.prefix(64))), allowed are “permanent” and times such as “90s”, “15m”, “2h”"
                )
            }
        default:
            guard text.utf8.count <= Self.maximumReason, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
            else {
                throw GatewayError(
                    .invalidRequest,
                    "“reason” is longer than \(Self.maximumReason) bytes, or has control characters")
            }
            reason = text
        }
    }

    // MARK: - Whom it means

    /// A provider, or one of its credentials.
    package struct Subject: Equatable, Sendable {
        package let provider: String
        /// Nil for all of them.
        package let credential: String?
    }

    /// Finds the provider and the credential.
    ///
    /// - Parameters:
    ///   - providers: the configured ones.
    ///   - bans: those in force, whose names are known too: the configuration may have lost them since.
    /// - Throws: `.notFound` with the names that are near.
    package func subject(
        among providers: [PolicyProvider], bans: [Ban] = []
    ) throws(GatewayError) -> Subject {
        let known =
            providers.flatMap { provider in
                provider.credentials.map { Subject(provider: provider.name, credential: $0.name) }
            } + bans.map { Subject(provider: $0.provider, credential: $0.credential) }
        if let provider, !known.contains(where: { $0.provider == provider }) {
            let hint = Spelling.hint(provider, in: Set(known.map(\.provider)))
            throw GatewayError(.notFound, "there is no provider \(quoted(provider.prefix(64)))\(hint)")
        }
        guard let credential else { return Subject(provider: provider ?? "", credential: nil) }
        let own = known.filter { provider == nil || provider == $0.provider }
        if let found = own.first(where: { $0.credential == credential }) { return found }
        if provider == nil, known.contains(where: { $0.provider == credential }) {
            return Subject(provider: credential, credential: nil)
        }
        let names = own.flatMap { [$0.credential ?? ""] + (provider == nil ? [$0.provider] : []) }
        let hint = Spelling.hint(credential, in: Set(names.filter { !$0.isEmpty }))
        throw GatewayError(
            .notFound,
            (provider.map { "provider \(quoted($0)) has no credential " }
                ?? "there is no credential or provider ")
                + "\(quoted(credential.prefix(64)))\(hint)")
    }

    /// - Parameter known: the models of the provider; none when it takes any.
    /// - Throws: `.notFound` with the names that are near.
    package func checkModel(_ known: [String], of provider: String) throws(GatewayError) {
        guard let model, !known.isEmpty, !known.contains(model) else { return }
        throw GatewayError(
            .notFound,
            "provider \(quoted(provider)) has no model \(quoted(model.prefix(64)))\(Spelling.hint(model, in: known))"
        )
    }
}
