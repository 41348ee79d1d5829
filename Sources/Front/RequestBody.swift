// SPDX-License-Identifier: Apache-2.0
// What front needs to know of a request's JSON, and where to change it: the model's name and the stream switch.
// The body is parsed once and never serialised again; changes are splices at byte offsets.

import Bytes
import Dialects
package import Gateway
package import JSON
package import Routing

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
    /// What routing has to know; nothing when nobody asked for it.
    package let traits: RequestTraits
    /// Changes that take tags out of the prompt, which are not meant for a provider.
    private let removals: [Splice]
    /// Where parameters stand below the top, as in Gemini's requests: offset behind the brace, and whether it is empty.
    private let parameters: Parameters?

    private struct Parameters: Equatable {
        let insertOffset: Int
        let isEmpty: Bool
    }

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
    /// - Parameters:
    ///   - scanner: has looked at the bytes while they arrived.
    ///   - path: for dialects whose paths name the model; members of the body then change nothing.
    ///   - reader: has seen the header fields, and reads what routing has to know.
    /// - Throws: `.invalidRequest` for what is no JSON object, for a name or switch of the wrong type and for one that
    ///   occurs twice: readers differ in which of the two counts, so a second one could bypass routing.
    package init(
        _ bytes: UnsafeRawBufferPointer, parser: JSONParser, scanner: JSONScanner? = nil, path: Path? = nil,
        reader: RequestReader? = nil
    ) throws(GatewayError) {
        guard !bytes.isEmpty else { throw GatewayError(.invalidRequest, "the request has no body") }
        let root: JSONValue
        do {
            root = try parser.parse(bytes, scanner: scanner)
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
        let members = JSONLookup(root)
        let configured = path == nil ? nil : members.member("generationConfig")
        hasMaxTokens =
            members.member("max_tokens") != nil || members.member("max_completion_tokens") != nil
            || members.member("max_output_tokens") != nil || configured?.member("maxOutputTokens") != nil
        hasTemperature = members.member("temperature") != nil || configured?.member("temperature") != nil
        if let configured, configured.isObject,
            case .found(let range) = parser.sourceRange(ofTopLevel: "generationConfig")
        {
            parameters = Parameters(insertOffset: range.lowerBound + 1, isEmpty: configured.count == 0)
        } else {
            parameters = nil
        }
        let tokens = TokenEstimate(root, parser.lengths).tokens
        estimatedTokens = tokens
        carriesEnvelope = parser.holdsString(
            withPrefix: ReasoningEnvelope.prefix, or: ReasoningEnvelope.encodedPrefix)
        isEmptyObject = members.isEmpty
        // Only white space can stand before the brace of a valid object.
        insertOffset = (bytes.firstIndex(of: 0x7B, from: 0) ?? 0) + 1
        if var reader {
            (traits, removals) = reader.read(members, tokens: tokens, parser: parser, text: bytes)
        } else {
            (traits, removals) = (RequestTraits(), [])
        }
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

    /// The changes that ask a provider for `model` with the parameters of a preset or rule; what the client set itself
    /// stays. In the order of their offsets.
    package func splices(model wanted: String, maxTokens: Int?, temperature: Double?, dialect: Dialect)
        -> [Splice]
    {
        var splices = removals
        if dialect == .gemini {
            if let splice = geminiParameters(maxTokens, temperature) { splices.append(splice) }
        } else {
            let members = RequestBody.members { object in
                if modelRange == nil { object.member("model", wanted) }
                if let maxTokens, !hasMaxTokens {
                    object.member(dialect == .responses ? "max_output_tokens" : "max_tokens", maxTokens)
                }
                if let temperature, !hasTemperature {
                    object.key("temperature")
                    object.double(temperature)
                }
            }
            if let splice = RequestBody.insertion(of: members, at: insertOffset, isEmpty: isEmptyObject) {
                splices.append(splice)
            }
            if let modelRange, model != wanted {
                var value = JSONWriter()
                value.string(wanted)
                splices.append(
                    Splice(offset: modelRange.lowerBound, length: modelRange.count, replacement: value.bytes))
            }
        }
        return splices.count > 1 ? splices.sorted { $0.offset < $1.offset } : splices
    }

    /// Gemini's model stands in the path, and its parameters in an object of their own.
    private func geminiParameters(_ maxTokens: Int?, _ temperature: Double?) -> Splice? {
        let members = RequestBody.members { object in
            if let maxTokens, !hasMaxTokens { object.member("maxOutputTokens", maxTokens) }
            if let temperature, !hasTemperature {
                object.key("temperature")
                object.double(temperature)
            }
        }
        guard !members.isEmpty else { return nil }
        if let parameters {
            return RequestBody.insertion(
                of: members, at: parameters.insertOffset, isEmpty: parameters.isEmpty)
        }
        let whole = Array("\"generationConfig\":{".utf8) + members + Array("}".utf8)
        return RequestBody.insertion(of: whole, at: insertOffset, isEmpty: isEmptyObject)
    }

    /// What an object holds between its braces.
    private static func members(_ write: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object(write)
        return Array(writer.bytes.dropFirst().dropLast())
    }

    /// Members in front of the others of an object; nil when there are none.
    private static func insertion(of members: [UInt8], at offset: Int, isEmpty: Bool) -> Splice? {
        guard !members.isEmpty else { return nil }
        return Splice(offset: offset, length: 0, replacement: isEmpty ? members : members + [ASCII.comma])
    }
}
