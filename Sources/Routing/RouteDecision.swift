// SPDX-License-Identifier: Apache-2.0
// What routing decides: who is asked in which order, and with which parameters.

package import Config
package import Gateway
package import IPC

/// A provider and the model it is asked for.
package struct RouteCandidate: Equatable, Sendable {
    /// The provider's name, for logs and errors.
    package let provider: String
    /// The provider's place in the configuration, from 0.
    package let providerIndex: Int
    /// The name the provider knows.
    package let model: String

    /// "provider,model".
    package var pin: String { "\(provider),\(model)" }

    /// What is told apart soonest comes first.
    package static func == (left: RouteCandidate, right: RouteCandidate) -> Bool {
        left.providerIndex == right.providerIndex && left.model == right.model
            && left.provider == right.provider
    }
}

/// Parameters for requests that do not set them.
package struct ParameterOverrides: Equatable, Sendable {
    package var maxTokens: Int?
    package var temperature: Double?
    /// How much to think, as one of `EffortScale`.
    package var effort: String?

    package init(maxTokens: Int? = nil, temperature: Double? = nil, effort: String? = nil) {
        self.maxTokens = maxTokens
        self.temperature = temperature
        self.effort = effort
    }

    package var isEmpty: Bool { self == ParameterOverrides() }

    /// These, and the others where these say nothing.
    func filled(from others: ParameterOverrides) -> ParameterOverrides {
        ParameterOverrides(
            maxTokens: maxTokens ?? others.maxTokens, temperature: temperature ?? others.temperature,
            effort: effort ?? others.effort)
    }
}

/// What routing looks at.
package struct RoutingRequest: Sendable {
    /// What the request says, or nil when it says nothing.
    package var model: String?
    package var endpoint: Endpoint
    package var client: ClientKind
    /// The name in /preset/NAME/…, or nil on other paths.
    package var preset: String?
    package var traits: RequestTraits
    /// The name of the client key, or nil when none was needed.
    package var key: String?
    /// Chooses among shares when the request names no session.
    package var spread: UInt64

    package init(
        model: String?, endpoint: Endpoint, client: ClientKind, preset: String? = nil,
        traits: RequestTraits = RequestTraits(), key: String? = nil, spread: UInt64 = 0
    ) {
        self.model = model
        self.endpoint = endpoint
        self.client = client
        self.preset = preset
        self.traits = traits
        self.key = key
        self.spread = spread
    }

    /// What chooses among shares: the session, if there is one.
    var session: UInt64 { traits.session != 0 ? traits.session : spread }
}

/// Where the copy of a request goes; few have one, so a decision has only a reference to it.
package final class ShadowTarget: Equatable, Sendable {
    package let candidate: RouteCandidate

    init(_ candidate: RouteCandidate) { self.candidate = candidate }

    package static func == (left: ShadowTarget, right: ShadowTarget) -> Bool {
        left.candidate == right.candidate
    }
}

/// The outcome for one request.
package struct RouteDecision: Equatable, Sendable {
    /// In the order in which they are asked; at least one, none twice.
    package let candidates: [RouteCandidate]
    /// So many of the first are what the rules led to; the others are asked when these fail.
    package let leading: Int
    /// Nothing about the request led there, so that the others are as good.
    package let isStandard: Bool
    package let overrides: ParameterOverrides
    /// What the request is for, by its strongest sign.
    package let kind: RequestKind
    /// The rule that decided, in a few words without blanks at the ends: "alias", "Router.background", "Rules[3]".
    package let reason: String
    /// A copy of this request goes there, and nobody gets the answer.
    package let shadow: ShadowTarget?

    /// The label in metrics of what the request is for.
    package var kindName: String { kind.name }

    /// "KIND; REASON; PROVIDER,MODEL" for x-ccr-route: printable ASCII whatever the names hold.
    package func note(on candidate: RouteCandidate) -> String {
        let text = "\(kind.name); \(reason); \(candidate.pin)".unicodeScalars.prefix(512)
        return String(
            decoding: text.map { scalar -> UInt8 in
                switch scalar.value {
                case 0x20...0x7E: UInt8(scalar.value)
                // As `quoted` writes them.
                case 0x201C, 0x201D: 0x22
                default: 0x3F
                }
            }, as: UTF8.self)
    }
}

/// The outcome with the way that led there, for `ccr route explain`.
package struct RouteExplanation: Sendable {
    /// One sentence for each step.
    package let steps: [String]
    package let result: Result<RouteDecision, GatewayError>

    /// With what a client's key makes of it: fewer candidates, or a refusal.
    ///
    /// - Parameter model: what the request names.
    package func restricted(to rule: ClientRule, model: String?) -> RouteExplanation {
        guard case .success(let decision) = result else { return self }
        do {
            let allowed = try rule.allowed(decision.candidates, model: model)
            let left = RouteDecision(
                candidates: allowed, leading: decision.leading, isStandard: decision.isStandard,
                overrides: decision.overrides, kind: decision.kind, reason: decision.reason,
                shadow: decision.shadow)
            let skipped = decision.candidates.filter { !allowed.contains($0) }.map {
                "skipped: the key of \(quoted(rule.name)) is not for \(quoted($0.model)) at \($0.provider)"
            }
            return RouteExplanation(steps: steps + skipped, result: .success(left))
        } catch {
            return RouteExplanation(steps: steps, result: .failure(error))
        }
    }
}

extension ParameterOverrides: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(maxTokens) { $0.put(Int64($1)) }
        writer.put(temperature) { $0.put($1) }
        writer.put(effort) { $0.put($1) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        maxTokens = try reader.getOptional { (reader) throws(WireError) in Int(try reader.get(Int64.self)) }
        temperature = try reader.getOptional { (reader) throws(WireError) in try reader.getDouble() }
        effort = try reader.getOptional { (reader) throws(WireError) in try reader.getString() }
    }
}
