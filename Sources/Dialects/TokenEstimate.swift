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

    /// An image or page of average size, or a minute's recording: nobody decodes them here.
    private static let mediaTokens = 1600
    /// Above this size, text without a space that stands where media stand is taken for base64.
    private static let mediaBytes = 512

    private mutating func add(_ value: JSONValue, inMedia: Bool) {
        switch value.kind {
        case .object:
            // Clients say in a type or media type beside it what a long text without spaces is.
            let isMedia =
                inMedia || value.member("media_type") != nil || value.member("mimeType") != nil
                || value.member("mime_type") != nil
            for (key, member) in value.members {
                sixteenths += TokenEstimate.sixteenths(of: key) + 8
                add(
                    member,
                    inMedia: isMedia || key.equals("image_url") || key.equals("file_data")
                        || key.equals("url") || key.equals("input_audio"))
            }
        case .array:
            for element in value.elements {
                sixteenths += 8
                add(element, inMedia: false)
            }
        case .string:
            guard let written = value.writtenBytes else { return }
            if inMedia, written.count > TokenEstimate.mediaBytes, TokenEstimate.isDense(written) {
                sixteenths += TokenEstimate.mediaTokens * 16
            } else {
                sixteenths += TokenEstimate.sixteenths(of: written)
            }
        case .number: sixteenths += 16
        case .bool, .null: sixteenths += 8
        }
    }

    /// Whether the beginning of a text has no space, as base64 and data URLs have none.
    private static func isDense(_ text: UnsafeRawBufferPointer) -> Bool {
        text.prefix(mediaBytes).allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    /// Of a string as it is written. Of a long one an eighth is looked at: reading all of a large body once more would
    /// cost as much as receiving it.
    private static func sixteenths(of written: UnsafeRawBufferPointer) -> Int {
        let piece = 128
        let stride = 8 * piece
        guard written.count >= stride else { return TextLength(of: written).sixteenths }
        var sum = 0
        var seen = 0
        for start in Swift.stride(from: 0, through: written.count - piece, by: stride) {
            sum += TextLength(of: written.slice(start..<(start + piece))).sixteenths
            seen += piece
        }
        return sum * written.count / seen
    }
}

/// What a written string, or a piece of one, is long when it is decoded.
private struct TextLength {
    private var bytes: Int
    /// Those of them that belong to characters beyond ASCII.
    private var foreign: Int

    init(of written: UnsafeRawBufferPointer) {
        let (foreign, backslashes, isNumbered) = written.lookForLength()
        self.foreign = foreign
        // An escaped backslash is two of them, and counted as nothing: it is rare.
        bytes = written.count - backslashes
        if isNumbered { addNumbered(written) }
    }

    /// Corrects the length by the escapes that stand for a character by its number.
    private mutating func addNumbered(_ written: UnsafeRawBufferPointer) {
        var index = written.firstIndex(of: ASCII.backslash, from: 0)
        while let place = index {
            if place + 6 <= written.count, written[place + 1] == UInt8(ascii: "u") {
                let (length, isForeign) = TextLength.ofNumber(written[place + 2], written[place + 3])
                // The backslash is not counted, the other five bytes are.
                bytes += length - 5
                foreign += isForeign ? length : 0
            }
            index = written.firstIndex(of: ASCII.backslash, from: place + 2)
        }
    }

    /// The UTF-8 bytes of a character whose number begins with these hexadecimal digits, near enough; of half a surrogate
    /// pair, half the bytes of the pair.
    private static func ofNumber(_ first: UInt8, _ second: UInt8) -> (length: Int, isForeign: Bool) {
        switch (ASCII.hexDigit(first) ?? 0, ASCII.hexDigit(second) ?? 0) {
        case (0, 0): (1, false)
        case (0, 1...7), (0xD, 8...): (2, true)
        default: (3, true)
        }
    }

    /// Four sixteenths of a token and a half for an ASCII byte (3.6 bytes a token), six for a byte of another script.
    var sixteenths: Int { ((bytes - foreign) * 9 + foreign * 12) / 2 }
}

extension UnsafeRawBufferPointer {
    /// How many bytes have their top bit set, how many are backslashes, and whether a "u" stands behind one: eight
    /// counters in a word, which 255 words cannot overflow. Plain words, because the optimiser makes vectors of them by
    /// itself, and of `SIMD64` a call per byte.
    fileprivate func lookForLength() -> (foreign: Int, backslashes: Int, isNumbered: Bool) {
        precondition(count <= 8 * 255)
        var foreign: UInt64 = 0
        var backslashes: UInt64 = 0
        var numbered: UInt64 = 0
        var index = 0
        while index + 9 <= count {
            let word = loadUnaligned(fromByteOffset: index, as: UInt64.self)
            let following = loadUnaligned(fromByteOffset: index + 1, as: UInt64.self)
            let hits = word.bytes(equalTo: UInt8(ascii: "\\"))
            foreign &+= (word &>> 7) & UInt64.ones
            backslashes &+= hits
            numbered |= hits & following.bytes(equalTo: UInt8(ascii: "u"))
            index += 8
        }
        var result = (foreign.sumOfBytes, backslashes.sumOfBytes, numbered != 0)
        while index < count {
            result.0 += Int(self[index] &>> 7)
            if self[index] == UInt8(ascii: "\\") {
                result.1 += 1
                if index + 1 < count, self[index + 1] == UInt8(ascii: "u") { result.2 = true }
            }
            index += 1
        }
        return result
    }
}

extension UInt64 {
    /// A one in every byte.
    fileprivate static var ones: UInt64 { 0x0101_0101_0101_0101 }

    /// A one in every byte that is `byte`, zero in the others.
    @inline(__always)
    fileprivate func bytes(equalTo byte: UInt8) -> UInt64 {
        let low = UInt64.ones &* 0x7F
        let difference = self ^ (UInt64.ones &* UInt64(byte))
        return (~(((difference & low) &+ low) | difference) &>> 7) & UInt64.ones
    }

    fileprivate var sumOfBytes: Int {
        let pairs = (self & 0x00FF_00FF_00FF_00FF) &+ ((self &>> 8) & 0x00FF_00FF_00FF_00FF)
        return Int((pairs &* 0x0001_0001_0001_0001) &>> 48)
    }
}
