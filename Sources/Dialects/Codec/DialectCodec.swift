// SPDX-License-Identifier: Apache-2.0
// What a dialect must be able to do so that every other dialect can be translated to and from it: read and write requests,
// read and write answers. There are no converters between pairs: everything goes through the canonical form.

package import Gateway
package import JSON

/// A request's JSON, parsed, with the bytes it was parsed from.
package struct RequestSource {
    package let root: JSONValue
    /// What `root` was parsed from and `map` leads into.
    package let text: [UInt8]
    /// For substructures that are taken over as they were written.
    package let map: SourceMap
    /// The provider's name of the model; replaces what the body says.
    package let model: String
    /// What the path says about streaming (Gemini), else nil: the body says it.
    package let streaming: Bool?

    package init(root: JSONValue, text: [UInt8], map: SourceMap, model: String, streaming: Bool?) {
        self.root = root
        self.text = text
        self.map = map
        self.model = model
        self.streaming = streaming
    }

    /// A value's own bytes.
    package func json(_ value: JSONValue) -> JSONText { JSONText(Array(map.bytes(of: value))) }
}

/// What encoders leave behind besides the body.
package struct RequestNotes {
    package var losses = Losses()
    /// Names that the provider was given for the client's tools.
    package var toolNames = ToolNameTable()
    /// Stop sequences that the provider was not told of, and that the answer must be cut at.
    package var untoldStops: [String] = []

    package init() {}

    /// Counts members of the top level that the target has no place for. Of Gemini's `generationConfig` what it holds, but
    /// for what has been read.
    mutating func drop(_ extra: [ExtraMember]) {
        for member in extra {
            guard member.name == "generationConfig" else {
                losses.add(parameter: member.name)
                continue
            }
            for name in member.value.memberNames where !GeminiRequests.isRead(name) {
                losses.add(parameter: name)
            }
        }
    }
}

/// Reads and writes the requests of one dialect. No I/O, no state.
package protocol RequestCodec {
    /// - Throws: `GatewayError` of kind `invalidRequest` whose message names the field
    ///   ("messages[3].content[1].source.data: is no base64").
    static func decode(_ source: RequestSource) throws(GatewayError) -> CanonicalRequest

    /// Writes the body for a provider, within what its profile allows.
    ///
    /// - Parameter notes: receives what was lost and how tools were named.
    /// - Throws: `GatewayError` of kind `invalidRequest` for what no reader of this dialect could make sense of.
    static func encode(
        _ request: CanonicalRequest, for target: RequestTarget, _ notes: inout RequestNotes
    ) throws(GatewayError) -> [UInt8]
}

/// Reads a provider's answer. A state machine: events of the provider in, canonical events out.
///
/// It ends every answer with exactly one `finished` or `failed`, and reports nothing afterwards.
package protocol AnswerDecoder {
    /// One server-sent event.
    ///
    /// - Parameters:
    ///   - name: the `event` field, or empty.
    ///   - data: the joined `data` lines.
    ///   - parser: any parser; values that the caller has from it become invalid.
    mutating func received(
        name: UnsafeRawBufferPointer, data: UnsafeRawBufferPointer, parser: JSONParser,
        into events: inout [AnswerEvent])

    /// A whole answer that is no stream. `map` gives the bytes of its values.
    mutating func received(document root: JSONValue, map: SourceMap, into events: inout [AnswerEvent])

    /// The provider closed the body cleanly. If the answer's end is missing, it is told from what was there: nothing or
    /// an unfinished call is a failure.
    mutating func ended(into events: inout [AnswerEvent])

    /// `finished` or `failed` was reported.
    var isOver: Bool { get }
}

/// Writes an answer for a client. A state machine: canonical events in, bytes of a stream out; or one document.
package protocol AnswerEncoder {
    /// Appends what the event becomes in a stream, framed as server-sent events. Tolerates sequences that are less
    /// well-formed than `AnswerEvent` asks for. After `finished` or `failed` it appends nothing more.
    mutating func encode(_ event: AnswerEvent, into bytes: inout [UInt8])

    /// Whether the client is shown a part that the provider's dialect alone knows; if not, it is counted as lost.
    func shows(_ part: OpaquePart) -> Bool

    /// The body for a client that wants no stream. The document has not failed.
    mutating func encode(_ document: AnswerDocument) -> [UInt8]
}

/// What an encoder of answers knows of the request it answers.
package struct AnswerContext: Equatable, Sendable {
    /// The client's name of the model, which answers repeat.
    package var model: String
    /// Seconds since 1970.
    package var createdUnix: Int
    /// A Chat client wants the chunk with usage.
    package var wantsStreamUsage: Bool
    /// Identifiers of this answer.
    package var ids: AnswerIDs
    /// Estimated tokens of the request, for dialects that tell them before the provider does.
    package var estimatedInput: Int

    package init(
        model: String, createdUnix: Int, wantsStreamUsage: Bool, ids: AnswerIDs, estimatedInput: Int = 0
    ) {
        self.model = model
        self.createdUnix = createdUnix
        self.wantsStreamUsage = wantsStreamUsage
        self.ids = ids
        self.estimatedInput = estimatedInput
    }
}

/// Identifiers that ccr invents for one answer: a prefix, the request's unique part and a number.
package struct AnswerIDs: Equatable, Sendable {
    private let unique: String
    private var count = 0

    /// - Parameter requestID: unique everywhere ("req_…").
    package init(requestID: String) {
        unique = String(requestID.drop { $0 != "_" }.dropFirst())
    }

    /// A new identifier, letters, digits and underscores only, at most 64 bytes: `next("toolu_")`.
    package mutating func next(_ prefix: StaticString) -> String {
        count += 1
        return count == 1 ? "\(prefix)\(unique)" : "\(prefix)\(unique)\(count)"
    }
}
