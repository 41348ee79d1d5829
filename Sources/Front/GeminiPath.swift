// SPDX-License-Identifier: Apache-2.0
// Gemini's way to ask: the model and what is wanted of it stand in the path, the client's key perhaps in the query.
// Source: Gemini API reference (models.generateContent), google-genai 3.4.0 (uses /v1beta or /v1), RFC 3986 §2.1, 2026.

import Bytes
import Gateway

/// A path such as "/v1beta/models/gemini-3-pro:generateContent".
struct GeminiPath: Equatable {
    /// Endpoints by what stands behind the last colon.
    static let methods: [(name: String, endpoint: Endpoint)] = Endpoint.allCases.filter(\.hasModelInPath).map
    {
        (String($0.path.split(separator: ":").last ?? ""), $0)
    }

    let endpoint: Endpoint
    /// As it stands in the path.
    private let model: Substring

    /// Nil for any other path.
    init?(_ path: Substring) {
        for prefix in ["/v1beta/models/", "/v1/models/"] where path.hasPrefix(prefix) {
            let rest = path.dropFirst(prefix.count)
            guard let colon = rest.lastIndex(of: ":"), colon > rest.startIndex,
                let method = GeminiPath.methods.first(where: { $0.name == rest[rest.index(after: colon)...] })
            else { return nil }
            endpoint = method.endpoint
            model = rest[..<colon]
            return
        }
        return nil
    }

    /// The same behind "/preset/NAME".
    init?(withPreset path: String) {
        let prefix = "/preset/"
        guard path.hasPrefix(prefix) else {
            self.init(path[...])
            return
        }
        let rest = path.dropFirst(prefix.count)
        guard let slash = rest.firstIndex(of: "/") else { return nil }
        self.init(rest[slash...])
    }

    /// The model's name with its percent-encoding undone; nil when that is no text.
    var modelName: String? {
        var bytes: [UInt8] = []
        var rest = model.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            else { return nil }
            rest.removeFirst(2)
            bytes.append(value)
        }
        let name = String(decoding: bytes, as: UTF8.self)
        return name.utf8.elementsEqual(bytes) ? name : nil
    }

    /// Calls `body` with the value of the query's parameter "key", if there is one.
    static func withKey<Result>(_ query: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
        for parameter in query.split(separator: "&") where parameter.hasPrefix("key=") {
            var key = String(parameter.dropFirst(4))
            return key.withUTF8 { body(UnsafeRawBufferPointer($0)) }
        }
        return nil
    }
}
