// SPDX-License-Identifier: Apache-2.0
// What front needs to know of a request's JSON, and where to change it: the model's name and the stream switch.
// The body is parsed once and never serialised again; changes are splices at byte offsets.

import Bytes
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

    /// Longest model name that is looked up.
    package static let maximumModelBytes = 512

    /// Reads the body of a request.
    ///
    /// - Throws: `.invalidRequest` for what is no JSON object, for a name or switch of the wrong type and for one that
    ///   occurs twice: readers differ in which of the two counts, so a second one could bypass routing.
    package init(_ bytes: UnsafeRawBufferPointer, padded: Bool, parser: JSONParser) throws(GatewayError) {
        guard !bytes.isEmpty else { throw GatewayError(.invalidRequest, "the request has no body") }
        let root: JSONValue
        do {
            root = try parser.parse(bytes, padded: padded)
        } catch {
            throw GatewayError(.invalidRequest, "the body is no valid JSON: \(error)")
        }
        guard root.isObject else { throw GatewayError(.invalidRequest, "the body is no JSON object") }
        switch parser.sourceRange(ofTopLevel: "model") {
        case .absent:
            modelRange = nil
            model = nil
        case .found(let range):
            guard let name = root.member("model")?.string else {
                throw GatewayError(.invalidRequest, "\"model\" is no string")
            }
            guard name.utf8.count <= RequestBody.maximumModelBytes else {
                throw GatewayError(
                    .invalidRequest, "\"model\" is longer than \(RequestBody.maximumModelBytes) bytes")
            }
            modelRange = range
            model = name
        case .duplicate: throw GatewayError(.invalidRequest, "\"model\" occurs more than once")
        }
        switch parser.sourceRange(ofTopLevel: "stream") {
        case .absent: isStreaming = false
        case .found:
            let value = root.member("stream")
            guard let flag = value?.bool ?? (value?.isNull == true ? false : nil) else {
                throw GatewayError(.invalidRequest, "\"stream\" is neither true nor false")
            }
            isStreaming = flag
        case .duplicate: throw GatewayError(.invalidRequest, "\"stream\" occurs more than once")
        }
        hasMaxTokens =
            root.member("max_tokens") != nil || root.member("max_completion_tokens") != nil
            || root.member("max_output_tokens") != nil
        hasTemperature = root.member("temperature") != nil
        isEmptyObject = root.count == 0
        // Only white space can stand before the brace of a valid object.
        insertOffset = (bytes.firstIndex(of: 0x7B, from: 0) ?? 0) + 1
    }

    /// The changes that ask a provider for `model` with a preset's parameters; what the client set itself stays.
    package func splices(model wanted: String, maxTokens: Int?, temperature: Double?, dialect: Dialect)
        -> [Splice]
    {
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
