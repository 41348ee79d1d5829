// SPDX-License-Identifier: Apache-2.0
// What front needs to know of a request's JSON, and where to change it: the model's name and the stream switch.
// The body is parsed once and never serialised again; changes are splices at byte offsets.

import Bytes
import Dialects
package import Gateway
package import JSON

package struct RequestBody: Equatable {
    /// The model the client named, or nil.
    package let model: String?
    package let isStreaming: Bool
    /// Where the model's value stands, quotes included.
    package let modelRange: Range<Int>?
    /// Offset behind the opening brace, where members may be put in front of the others.
    package let insertOffset: Int
    package let isEmptyObject: Bool
    package let hasMaxTokens: Bool
    package let hasTemperature: Bool
    /// What the request may cost in input tokens.
    package let estimatedTokens: Int
    /// Some string begins as ccr's envelopes of reasoning state do.
    package let carriesEnvelope: Bool

    /// Longest model name that is looked up.
    package static let maximumModelBytes = 512

    /// What the path says in place of the body.
    package struct Path: Equatable {
        package let model: String
        package let isStreaming: Bool

        package init(model: String, isStreaming: Bool) {
            self.model = model
            self.isStreaming = isStreaming
        }
    }

    /// Reads the body of a request.
    ///
    /// - Parameter path: for dialects whose paths name the model; members of the body then change nothing.
    /// - Throws: `.invalidRequest` for what is no JSON object, for a name or switch of the wrong type and for one that
    ///   occurs twice: readers differ in which of the two counts, so a second one could bypass routing.
    package init(
        _ bytes: UnsafeRawBufferPointer, padded: Bool, parser: JSONParser, path: Path? = nil
    ) throws(GatewayError) {
        guard !bytes.isEmpty else { throw GatewayError(.invalidRequest, "the request has no body") }
        let root: JSONValue
        do {
            root = try parser.parse(bytes, padded: padded)
        } catch {
            throw GatewayError(.invalidRequest, "the body is no valid JSON: \(error)")
        }
        guard root.isObject else { throw GatewayError(.invalidRequest, "the body is no JSON object") }
        if let path {
            (model, modelRange, isStreaming) = (path.model, nil, path.isStreaming)
        } else {
            (model, modelRange) = try RequestBody.model(root, parser)
            isStreaming = try RequestBody.isStreaming(root, parser)
        }
        if let model, model.utf8.count > RequestBody.maximumModelBytes {
            throw GatewayError(
                .invalidRequest, "\"model\" is longer than \(RequestBody.maximumModelBytes) bytes")
        }
        hasMaxTokens =
            root.member("max_tokens") != nil || root.member("max_completion_tokens") != nil
            || root.member("max_output_tokens") != nil
        hasTemperature = root.member("temperature") != nil
        estimatedTokens = TokenEstimate(root).tokens
        carriesEnvelope =
            parser.holdsString(withPrefix: ReasoningEnvelope.prefix)
            || parser.holdsString(withPrefix: ReasoningEnvelope.encodedPrefix)
        isEmptyObject = root.count == 0
        // Only white space can stand before the brace of a valid object.
        insertOffset = (bytes.firstIndex(of: 0x7B, from: 0) ?? 0) + 1
    }

    private static func model(
        _ root: JSONValue, _ parser: JSONParser
    ) throws(GatewayError) -> (String?, Range<Int>?) {
        switch parser.sourceRange(ofTopLevel: "model") {
        case .absent: return (nil, nil)
        case .found(let range):
            guard let name = root.member("model")?.string else {
                throw GatewayError(.invalidRequest, "\"model\" is no string")
            }
            return (name, range)
        case .duplicate: throw GatewayError(.invalidRequest, "\"model\" occurs more than once")
        }
    }

    private static func isStreaming(_ root: JSONValue, _ parser: JSONParser) throws(GatewayError) -> Bool {
        switch parser.sourceRange(ofTopLevel: "stream") {
        case .absent: return false
        case .found:
            let value = root.member("stream")
            guard let flag = value?.bool ?? (value?.isNull == true ? false : nil) else {
                throw GatewayError(.invalidRequest, "\"stream\" is neither true nor false")
            }
            return flag
        case .duplicate: throw GatewayError(.invalidRequest, "\"stream\" occurs more than once")
        }
    }

    /// The changes that ask a provider for `model` with a preset's parameters; what the client set itself stays.
    package func splices(model wanted: String, maxTokens: Int?, temperature: Double?, dialect: Dialect)
        -> [Splice]
    {
        // Gemini's model stands in the path, and its parameters are not at the top.
        guard dialect != .gemini else { return [] }
        var inserted = JSONWriter()
        inserted.object { object in
            if modelRange == nil { object.member("model", wanted) }
            if let maxTokens, !hasMaxTokens {
                object.member(dialect == .responses ? "max_output_tokens" : "max_tokens", maxTokens)
            }
            if let temperature, !hasTemperature {
                object.key("temperature")
                object.double(temperature)
            }
        }
        var splices: [Splice] = []
        var members = Array(inserted.bytes.dropFirst().dropLast())
        if !members.isEmpty {
            if !isEmptyObject { members.append(0x2C) }
            splices.append(Splice(offset: insertOffset, length: 0, replacement: members))
        }
        if let modelRange, model != wanted {
            var value = JSONWriter()
            value.string(wanted)
            splices.append(
                Splice(offset: modelRange.lowerBound, length: modelRange.count, replacement: value.bytes))
        }
        return splices
    }
}
