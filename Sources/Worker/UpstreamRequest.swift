// SPDX-License-Identifier: Apache-2.0
// The URL and the header fields of a request: the provider's key, its version field, what the operator adds.
// Source: API references of OpenAI ("Authentication") and Anthropic ("Versions"), 2026; RFC 3986 §2 (encoding).

package import Gateway

package struct UpstreamHeaders {
    private let ownFields: HeaderBlock
    private let versionField: HeaderBlock
    private let config: WorkerConfig

    package init(_ config: WorkerConfig) {
        self.config = config
        var own = HeaderBlock()
        switch config.auth {
        case .none: break
        case .bearer: own.append("Authorization", "Bearer " + String(decoding: config.key, as: UTF8.self))
        case .apiKey: own.append("x-api-key", String(decoding: config.key, as: UTF8.self))
        case .googleKey: own.append("x-goog-api-key", String(decoding: config.key, as: UTF8.self))
        case .azureKey: own.append("api-key", String(decoding: config.key, as: UTF8.self))
        }
        for (name, value) in config.extraHeaders.sorted(by: { $0.key < $1.key }) { own.append(name, value) }
        // libcurl adds these on its own unless told not to; a client's own values pass in its header block.
        own.suppress("Expect")
        ownFields = own
        var version = HeaderBlock()
        version.append("anthropic-version", config.anthropicVersion)
        versionField = version
    }

    /// The fields for one request: the client's, then the provider's.
    package func fields(for handoff: HandoffRequest) -> HeaderBlock {
        var block = handoff.headers
        if handoff.endpoint.dialect == .messages, !block.contains("anthropic-version") {
            block.append(versionField)
        }
        if !block.contains("accept") { block.suppress("Accept") }
        if !block.contains("content-type") { block.suppress("Content-Type") }
        block.append(ownFields)
        return block
    }
}

package enum UpstreamURL {
    /// The URL for one request: the model in the place that the template has for it, and the client's query behind the
    /// provider's.
    package static func make(_ template: String, for handoff: HandoffRequest) -> String {
        var url = template
        if url.utf8.contains(UInt8(ascii: "{")), let place = url.firstRange(of: Endpoint.modelPlaceholder) {
            url.replaceSubrange(place, with: encoded(handoff.model))
        }
        // Of a Gemini client's query, the key is ccr's and "alt" follows from the endpoint.
        guard !handoff.query.isEmpty, handoff.endpoint.dialect != .gemini else { return url }
        return url + (url.utf8.contains(UInt8(ascii: "?")) ? "&" : "?") + handoff.query
    }

    /// A model's name as one segment of a path. A client may have chosen it, so it must not lead anywhere else: "/" is
    /// encoded, and a name of dots alone, which would climb, becomes one that no provider knows.
    private static func encoded(_ model: String) -> String {
        guard model.utf8.contains(where: { $0 != UInt8(ascii: ".") }) else { return "-" }
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in model.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E, 0x3A, 0x40: bytes.append(byte)
            default: bytes += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
