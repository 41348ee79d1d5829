// SPDX-License-Identifier: Apache-2.0
// The URL and the header fields of a request: the provider's key, its version field, what the operator adds.
// Source: API references of OpenAI ("Authentication") and Anthropic ("Versions"), 2026; RFC 3986 §2 (encoding).

import Bytes
package import Gateway

package struct UpstreamHeaders {
    private let ownFields: HeaderBlock
    private let versionField: HeaderBlock
    /// Fields of the client that give way: to the operator's, or because the provider refuses them. Lower case.
    private let replaced: [[UInt8]]

    package init(_ config: WorkerConfig) {
        var own = HeaderBlock()
        if !config.key.isEmpty { Self.append(config.profile.auth, config.key, to: &own) }
        let operators = Set(config.extraHeaders.keys.map { $0.lowercased() })
        let fixed = config.profile.headers.filter { !operators.contains($0.key) }
        for (name, value) in fixed.sorted(by: { $0.key < $1.key }) { own.append(name, value) }
        for (name, value) in config.extraHeaders.sorted(by: { $0.key < $1.key }) { own.append(name, value) }
        replaced = (config.profile.forbiddenHeaders + fixed.keys + operators).map { Array($0.utf8) }
        own.suppress("Expect")
        ownFields = own
        var version = HeaderBlock()
        version.append("anthropic-version", config.anthropicVersion)
        versionField = version
    }

    private static func append(_ scheme: AuthScheme, _ key: [UInt8], to block: inout HeaderBlock) {
        let key = String(decoding: key, as: UTF8.self)
        switch scheme {
        case .none: break
        case .bearer: block.append("Authorization", "Bearer " + key)
        case .apiKey: block.append("x-api-key", key)
        case .googleKey: block.append("x-goog-api-key", key)
        case .azureKey: block.append("api-key", key)
        }
    }

    /// What the client of a provider of its own dialect sends along.
    private func clientFields(_ handoff: HandoffRequest, without others: [[UInt8]] = []) -> HeaderBlock {
        var block = handoff.headers
        let refused = replaced + others
        if !refused.isEmpty {
            block.remove { name in
                refused.contains { $0.withUnsafeBytes { ASCII.equalIgnoringCase($0, name) } }
            }
        }
        return block
    }

    /// The fields for one request: the client's, then the provider's, then those of a credential.
    package func fields(for handoff: HandoffRequest, credential: HeaderBlock? = nil) -> HeaderBlock {
        var block = clientFields(handoff)
        if handoff.endpoint.dialect == .messages, !block.contains("anthropic-version") {
            block.append(versionField)
        }
        block.append(ownFields)
        if let credential { block.append(credential) }
        // libcurl adds these on its own unless told not to.
        if !block.contains("accept") { block.suppress("Accept") }
        if !block.contains("content-type") { block.suppress("Content-Type") }
        return block
    }

    /// What ccr says itself of a request that it wrote, and of the answer that it can read.
    private static let ownWords = ["content-type", "accept", "accept-encoding"].map { Array($0.utf8) }

    /// The fields for a request that ccr wrote itself. The client's go along if they are of the provider's dialect.
    package func fields(
        for handoff: HandoffRequest, translatedTo dialect: Dialect, streaming: Bool,
        credential: HeaderBlock? = nil
    ) -> HeaderBlock {
        var block =
            handoff.endpoint.dialect == dialect
            ? clientFields(handoff, without: UpstreamHeaders.ownWords) : HeaderBlock()
        block.append("Content-Type", "application/json")
        block.append("Accept", streaming ? "text/event-stream" : "application/json")
        if dialect == .messages, !block.contains("anthropic-version") { block.append(versionField) }
        block.append(ownFields)
        if let credential { block.append(credential) }
        return block
    }

    /// The fields for a question of ccr's own that has no body.
    package func fieldsOfQuestion(credential: HeaderBlock? = nil) -> HeaderBlock {
        var block = ownFields
        block.remove { ASCII.equalIgnoringCase($0, "accept") }
        block.append("Accept", "application/json")
        if let credential { block.append(credential) }
        return block
    }
}

package enum UpstreamURL {
    /// The URL for one request: the model in the place that the template has for it, and the client's query behind the
    /// provider's.
    /// - Parameter model: the provider's name of it.
    package static func make(_ template: String, model: String, for handoff: HandoffRequest) -> String {
        let url = make(template, model: model)
        // Of a Gemini client's query, the key is ccr's and "alt" follows from the endpoint.
        guard !handoff.query.isEmpty, handoff.endpoint.dialect != .gemini else { return url }
        return url + (url.utf8.contains(UInt8(ascii: "?")) ? "&" : "?") + handoff.query
    }

    /// The URL for a request that ccr wrote itself.
    package static func make(_ template: String, model: String) -> String {
        var url = template
        let mayHavePlace = url.withUTF8 {
            UnsafeRawBufferPointer($0).firstIndex(of: UInt8(ascii: "{"), from: 0) != nil
        }
        if mayHavePlace, let place = url.firstRange(of: Endpoint.modelPlaceholder) {
            url.replaceSubrange(place, with: encoded(model))
        }
        return url
    }

    /// The URL at another server of the same provider.
    package static func moved(_ url: String, to origin: String) -> String {
        guard let scheme = url.firstRange(of: "://") else { return url }
        let path = url[scheme.upperBound...].drop { $0 != "/" && $0 != "?" }
        var base = origin[...]
        while base.last == "/" { base.removeLast() }
        return String(base + path)
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
