// SPDX-License-Identifier: Apache-2.0
// An estimate of how many tokens a request costs, from its JSON alone: bytes a token by script, a little for structure,
// images and documents by their kind. Good to some ten per cent and meant to err upwards, since clients that trust it
// compact too late when it is too small.
// Source: OpenAI (images: 85 + 170 per tile), Anthropic (images: width × height / 750), documents of 2026; bytes a token
// of o200k-like vocabularies: about 4 in English prose, 3 in code and JSON, 2 to 3 in other scripts.

import Bytes
package import JSON

package struct TokenEstimate: Equatable, Sendable {
    /// Sixteenths of a token, so that sums stay exact.
    private var sixteenths = 0

    /// Tokens, at least 1.
    package var tokens: Int { max(1, (sixteenths + 15) / 16) }

    /// The estimate for a whole request body, whatever its dialect.
    package init(_ root: JSONValue) {
        add(root, inMedia: false)
    }

    /// Tokens of an answer by its bytes alone.
    package static func tokens(ofAnswer bytes: Int) -> Int { (bytes * 10 + 35) / 36 }

    /// An image or page of average size, whose pixels nobody decodes here.
    private static let mediaTokens = 1600
    /// Above this size, text without a space that stands where media stand is taken for base64.
    private static let mediaBytes = 512

    private mutating func add(_ value: JSONValue, inMedia: Bool) {
        switch value.kind {
        case .object:
            // Clients say in a type or media type beside it what a long text without spaces is.
            let isMedia = value.member("media_type") != nil || value.member("mimeType") != nil
            for (key, member) in value.members {
                sixteenths += TokenEstimate.sixteenths(of: key) + 8
                add(
                    member,
                    inMedia: isMedia || key.equals("image_url") || key.equals("file_data")
                        || key.equals("url"))
            }
        case .array:
            for element in value.elements {
                sixteenths += 8
                add(element, inMedia: false)
            }
        case .string:
            guard let text = value.stringBytes else { return }
            if inMedia, text.count > TokenEstimate.mediaBytes, TokenEstimate.isDense(text) {
                sixteenths += TokenEstimate.mediaTokens * 16
            } else {
                sixteenths += TokenEstimate.sixteenths(of: text)
            }
        case .number: sixteenths += 16
        case .bool, .null: sixteenths += 8
        }
    }

    /// Whether the beginning of a text has no space, as base64 and data URLs have none.
    private static func isDense(_ text: UnsafeRawBufferPointer) -> Bool {
        text.prefix(mediaBytes).allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    /// Bytes of other scripts. Of a long text one piece in eight is looked at: reading all of a large body once more
    /// would cost as much as receiving it.
    private static func foreignBytes(_ text: UnsafeRawBufferPointer) -> Int {
        let piece = 256
        let stride = 8 * piece
        guard text.count >= 2 * stride else { return text.countAboveASCII }
        var foreign = 0
        var seen = 0
        for start in Swift.stride(from: 0, to: text.count - piece, by: stride) {
            foreign += UnsafeRawBufferPointer(rebasing: text[start..<start + piece]).countAboveASCII
            seen += piece
        }
        return foreign * text.count / seen
    }

    /// Four sixteenths and a half for an ASCII byte (3.6 bytes a token), six for a byte of another script.
    private static func sixteenths(of text: UnsafeRawBufferPointer) -> Int {
        let foreign = foreignBytes(text)
        return ((text.count - foreign) * 9 + foreign * 12) / 2
    }
}

extension UnsafeRawBufferPointer {
    /// How many bytes have their top bit set: eight counters in a word, added up before one of them can overflow.
    /// Plain words, because the optimiser makes vectors of them by itself, and of `SIMD64` a call per byte.
    fileprivate var countAboveASCII: Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var total = 0
        var index = 0
        while index + 8 <= count {
            let end = Swift.min(index + 8 * 255, count - 7)
            var counters: UInt64 = 0
            while index < end {
                counters &+= (loadUnaligned(fromByteOffset: index, as: UInt64.self) &>> 7) & ones
                index += 8
            }
            let pairs = (counters & 0x00FF_00FF_00FF_00FF) &+ ((counters &>> 8) & 0x00FF_00FF_00FF_00FF)
            total += Int((pairs &* 0x0001_0001_0001_0001) &>> 48)
        }
        while index < count {
            total += Int(self[index] &>> 7)
            index += 1
        }
        return total
    }
}
