// SPDX-License-Identifier: Apache-2.0
// Every kind of provider that ccr knows. A kind is data: what is true of a provider stands in its row and nowhere else.
// Facts carry where they were read; “unconfirmed” marks what no source at hand proves.
// docs/providers.md shows these rows; a test compares the two.

package import Gateway

package enum ProviderTable {
    /// In the order of the manual.
    package static let all: [ProviderProfile] =
        openAIKinds + anthropicKinds + googleKinds + vendorKinds + hostKinds
        + localKinds + compatibleKinds

    private static let byKind = Dictionary(uniqueKeysWithValues: all.map { ($0.kind, $0) })

    /// The profile of a kind, or nil for a name that is none.
    package static func profile(_ kind: String) -> ProviderProfile? { byKind[kind] }

    /// Rules with a few changes.
    static func rules(_ quirks: Quirks = [], _ change: (inout UpstreamRules) -> Void = { _ in })
        -> UpstreamRules
    {
        var rules = UpstreamRules()
        rules.quirks = quirks
        change(&rules)
        return rules
    }
}
