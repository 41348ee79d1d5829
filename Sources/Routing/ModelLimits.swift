// SPDX-License-Identifier: Apache-2.0
// What a provider's model can take, as far as it is known, so that no request goes where it must fail.

import Gateway
package import IPC
import Providers

package struct ModelLimits: Equatable, Sendable {
    /// Input tokens at most; nil when not known.
    package var input: Int?
    package var takesImages = true
    package var takesSchema = true

    /// Estimates may err by this much upwards before a request is held to be too long: a fifth.
    private static let margin = (4, 5)

    /// Whether nothing is known that would exclude a request.
    var isEmpty: Bool { self == ModelLimits() }

    /// Whether the input of a request cannot fit.
    func excludes(tokens: Int) -> Bool {
        guard let input else { return false }
        return tokens / ModelLimits.margin.1 * ModelLimits.margin.0 > input
    }

    /// Whether something of the request would have to be left out.
    func loses(_ traits: RequestTraits) -> Bool {
        (traits.hasImage && !takesImages) || (traits.wantsSchema && !takesSchema)
    }
}

extension ModelLimits {
    /// What the table of models and the provider's profile say.
    init(_ model: String, _ profile: ProviderProfile, rows: [ModelRules]) {
        let row = ResolvedModel(model, kind: profile.kind, rows: rows).rules
        let rules = row.applied(to: profile.rules)
        input = row.maxInput ?? row.contextWindow
        takesImages = !rules.quirks.contains(.noImages)
        takesSchema = rules.output == .jsonSchema
    }
}

extension ModelLimits: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(input) { $0.put(UInt64(max(0, $1))) }
        writer.put(takesImages)
        writer.put(takesSchema)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        input = try reader.getOptional { (reader) throws(WireError) in
            Int(clamping: try reader.get(UInt64.self))
        }
        takesImages = try reader.getBool()
        takesSchema = try reader.getBool()
    }
}
