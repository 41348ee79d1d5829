// SPDX-License-Identifier: Apache-2.0
// The echo provider's embeddings: small vectors computed from the bytes of each input.
// Source: OpenAI API reference, embeddings, 2026-08 (base64 is little-endian 32-bit floats); RFC 4648 §4.

import Bytes
import Gateway
import JSON

enum EchoEmbeddings {
    private static let defaultDimensions = 8
    private static let maximumDimensions = 4096
    private static let maximumInputs = 2048

    static func answer(_ request: JSONValue, model: String, inputTokens: Int) -> EchoAnswer {
        let dimensions = min(
            max(1, request.member("dimensions")?.int ?? defaultDimensions), maximumDimensions)
        let isBase64 = request.member("encoding_format")?.isString("base64") == true
        let vectors = hashes(request.member("input")).map { vector($0, dimensions) }
        return .document { writer in
            writer.object { writer in
                writer.member("object", "list")
                writer.member(
                    "data",
                    array: { writer in
                        for (index, vector) in vectors.enumerated() {
                            writer.object { writer in
                                writer.member("object", "embedding")
                                writer.member("index", index)
                                writer.key("embedding")
                                if isBase64 {
                                    writer.string(base64(vector))
                                } else {
                                    writer.array { writer in
                                        for value in vector { writer.double(Double(value)) }
                                    }
                                }
                            }
                        }
                    })
                writer.member("model", model)
                writer.member(
                    "usage",
                    object: { writer in
                        writer.member("prompt_tokens", inputTokens)
                        writer.member("total_tokens", inputTokens)
                    })
            }
        }
    }

    /// One hash per input: a text, a list of texts, a list of tokens or a list of those.
    private static func hashes(_ input: JSONValue?) -> [UInt64] {
        guard let input else { return [] }
        let isList = input.elements.contains { $0.kind != .number }
        guard isList else { return [hash(input)] }
        return input.elements.prefix(maximumInputs).map(hash)
    }

    private static func hash(_ input: JSONValue) -> UInt64 {
        // FNV-1a.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in input.stringBytes ?? UnsafeRawBufferPointer(start: nil, count: 0) {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        for token in input.elements {
            hash = (hash ^ UInt64(bitPattern: Int64(token.int ?? 0))) &* 0x100_0000_01B3
        }
        return hash
    }

    /// Values in -1...1, exact in 32 bits.
    private static func vector(_ hash: UInt64, _ dimensions: Int) -> [Float] {
        var state = hash
        return (0..<dimensions).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 48) - 32768) / 32768
        }
    }

    private static func base64(_ vector: [Float]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        let bytes = vector.flatMap { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
        }
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for digit in 0..<4 {
                text.append(
                    digit <= group.count ? alphabet[bits >> (18 - 6 * digit) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
