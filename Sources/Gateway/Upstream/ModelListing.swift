// SPDX-License-Identifier: Apache-2.0
// Which models an account may use: where its provider tells, and what of the answer goes from a worker to front.
// Source: openai/codex codex-rs/protocol/src/openai_models.rs and codex-api (GET models?client_version=…);
// microsoft/vscode-copilot-chat endpointProvider.ts (GET /models), both 2026.

package import IPC

/// Where a provider tells which models an account may use.
package struct ModelListing: Equatable, Sendable {
    package enum Form: UInt8, CaseIterable, Sendable {
        /// `{"models":[{"slug","visibility","priority"}]}`
        case codex = 1
        /// `{"data":[{"id","model_picker_enabled","policy":{"state"},"supported_endpoints"}]}`
        case copilot = 2
    }

    package var form: Form
    /// Below the base path of the first surface, with a query.
    package var path: String

    package init(_ form: Form, _ path: String) {
        self.form = form
        self.path = path
    }

    /// The names of one provider that are kept; more are left out.
    package static let maximumCount = 1_000
    /// The longest name that is kept, in bytes.
    package static let maximumNameBytes = 256
}

/// The models that a provider's account may use, as its worker found them.
package struct OfferedModels: Equatable, Sendable, WireCodable {
    /// In the provider's order; at most `ModelListing.maximumCount`, none twice.
    package var names: [String]

    package init(_ names: [String]) {
        self.names = names
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(list: names) { $0.put($1) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        names = try reader.getList { (reader) throws(WireError) in try reader.getString() }
        guard names.count <= ModelListing.maximumCount else {
            throw .invalidValue("\(names.count) models of one provider")
        }
    }
}
