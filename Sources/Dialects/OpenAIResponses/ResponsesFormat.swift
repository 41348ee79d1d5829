// SPDX-License-Identifier: Apache-2.0
// The member `text` of a Responses request: how long the answer should be and what form it must have.
// Source: OpenAI API reference (responses/create: text.format, text.verbosity), 2026.

import Gateway
import JSON

struct ResponsesFormat {
    private let format: OutputFormat?
    private let isOwn: Bool
    /// Words in place of a parameter that the provider does not take.
    let instruction: String?

    init(_ request: CanonicalRequest, _ rules: UpstreamRules, hasTools: Bool, _ notes: inout RequestNotes) {
        isOwn = request.dialect == .responses
        guard let wanted = request.outputFormat else {
            (format, instruction) = (nil, nil)
            return
        }
        let schema: JSONText? = if case .jsonSchema(_, let schema, _) = wanted { schema } else { nil }
        let isTaken: Bool =
            switch rules.output {
            case .jsonSchema: true
            case .jsonObject: schema == nil
            case .none: false
            }
        if isTaken, !hasTools || !rules.has(.noFormatWithTools) {
            (format, instruction) = (wanted, nil)
        } else {
            notes.losses.add(.outputFormat)
            format = rules.output == .none || hasTools && rules.has(.noFormatWithTools) ? nil : .jsonObject
            instruction = OutputName.instruction(schema)
        }
    }

    /// - Parameter kept: members of the client's own `text` that the canonical form has no place for.
    func write(
        _ request: CanonicalRequest, kept: JSONText?, _ rules: UpstreamRules, to writer: inout JSONWriter
    ) {
        let verbosity = rules.has(.noVerbosity) ? nil : request.verbosity
        guard verbosity != nil || format != nil || kept != nil else { return }
        let keepsFormat = kept.map { $0.hasMember("format") } ?? false
        writer.member(
            "text",
            object: { writer in
                writer.optional("verbosity", verbosity)
                if let format, !keepsFormat {
                    writer.member("format", object: { write(format, rules, to: &$0) })
                }
                if let kept { writer.members(of: kept) }
            })
    }

    private func write(_ format: OutputFormat, _ rules: UpstreamRules, to writer: inout JSONWriter) {
        switch format {
        case .jsonObject: writer.member("type", "json_object")
        case .jsonSchema(let name, let schema, let strict):
            writer.member("type", "json_schema")
            writer.member("name", OutputName.name(name, schema: schema))
            writer.member(
                "schema", json: rules.schema == .jsonSchema ? schema : MetaFreeSchema.schema(schema))
            // OpenAI refuses a strict schema with an optional property.
            writer.optional("strict", isOwn ? strict : strict.map { $0 && StrictSchema.accepts(schema) })
        }
    }
}
