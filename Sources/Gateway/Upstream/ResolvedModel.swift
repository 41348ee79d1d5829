// SPDX-License-Identifier: Apache-2.0
// A model as its provider is asked for it, found in a table of rules by the name that a client or a route gave.
// Source: dvcrn/codex-proxy internal/server/transform.go (names that end in an effort), read 2026-11-21.

package struct ResolvedModel: Equatable, Sendable {
    /// The provider's name of the model.
    package var name: String
    /// The effort that the given name ended in.
    package var effort: String?
    package var rules: ModelRules

    package init(name: String, effort: String? = nil, rules: ModelRules = ModelRules()) {
        self.name = name
        self.effort = effort
        self.rules = rules
    }

    /// Looks a name up; the first row that fits counts.
    ///
    /// - Parameters:
    ///   - kind: the provider's.
    ///   - rows: in the order of matching.
    package init(_ name: String, kind: String, rows: [ModelRules]) {
        if let (base, effort) = ModelRules.splitVariant(name),
            let row = rows.first(where: { $0.fits(base, kind: kind) }), row.hasVariants,
            // A row with a name of its own takes any effort and clamps it.
            row.upstreamName != nil || row.efforts.contains(effort)
        {
            self.init(name: row.upstreamName ?? base, effort: effort, rules: row)
            return
        }
        let row = rows.first { $0.fits(name, kind: kind) } ?? ModelRules()
        self.init(name: row.upstreamName ?? name, rules: row)
    }

    /// The names "MODEL-EFFORT" under which a model can be asked for too.
    package static func variants(_ name: String, kind: String, rows: [ModelRules]) -> [String] {
        guard let row = rows.first(where: { $0.fits(name, kind: kind) }), row.hasVariants else { return [] }
        return row.efforts.map { "\(name)-\($0)" }
    }
}
