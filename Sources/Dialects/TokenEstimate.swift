// SPDX-License-Identifier: Apache-2.0
// An estimate of how many tokens a request costs, from its JSON alone: bytes a token by script, a little for structure,
// images and documents by their kind. Good to some ten per cent and meant to err upwards, since clients that trust it
// compact too late when it is too small.
// Source: OpenAI (images: 85 + 170 per tile), Anthropic (images: width × height / 750), documents of 2026; bytes a token
// of o200k-like vocabularies: about 4 in English prose, 3 in code and JSON, 2 to 3 in other scripts.

package import JSON

package struct TokenEstimate: Equatable, Sendable {
    /// Sixteenths of a token, so that sums stay exact.
    private var sixteenths = 0
    /// Bytes of names and texts as they are written, without media.
    private var writtenBytes = 0

    /// Tokens, at least 1.
    package var tokens: Int { max(1, (sixteenths + 15) / 16) }

    /// The estimate for a whole request body, whatever its dialect.
    ///
    /// - Parameter lengths: of the document whose root is given. Media are ASCII, so that it tells of texts.
    package init(_ root: JSONValue, _ lengths: JSONLengths) {
        add(root, inMedia: false)
        let bytes = max(writtenBytes - lengths.excess, 0)
        let foreign = min(lengths.foreign, bytes)
        // Four sixteenths of a token and a half for an ASCII byte (3.6 bytes a token), six for a byte of another script.
        sixteenths += ((bytes - foreign) * 9 + foreign * 12) / 2
    }

    /// Tokens of an answer by its bytes alone.
    package static func tokens(ofAnswer bytes: Int) -> Int { (bytes * 10 + 35) / 36 }

    /// An image or page of average size, or a minute's recording: nobody decodes them here.
    private static let mediaTokens = 1600
    /// Above this size, text without a space that stands where media stand is taken for base64.
    private static let mediaBytes = 512

    private mutating func add(_ value: JSONValue, inMedia: Bool) {
        switch value.kind {
        case .object: addMembers(of: value, inMedia: inMedia)
        case .array:
            for element in value.elements {
                sixteenths += 8
                add(element, inMedia: false)
            }
        case .string: addText(value) { inMedia }
        case .number: sixteenths += 16
        case .bool, .null: sixteenths += 8
        }
    }

    private mutating func addMembers(of object: JSONValue, inMedia: Bool) {
        // Asked for rarely, and once: of what most objects hold nothing could be a medium.
        var isMedia = inMedia ? true : nil
        func holdsMedia(at name: JSONValue) -> Bool {
            if TokenEstimate.isMediaName(name) { return true }
            let answer = isMedia ?? TokenEstimate.namesMediaType(object)
            isMedia = answer
            return answer
        }
        var members = object.members
        while let (name, member) = members.nextKey() {
            writtenBytes += name.writtenCount
            sixteenths += 8
            if member.isString {
                addText(member) { holdsMedia(at: name) }
            } else {
                add(member, inMedia: member.isObject && holdsMedia(at: name))
            }
        }
    }

    /// Clients say in a type beside it what a long text without spaces is.
    private static func namesMediaType(_ object: JSONValue) -> Bool {
        object.member("media_type") != nil || object.member("mimeType") != nil
            || object.member("mime_type") != nil
    }

    private static func isMediaName(_ name: JSONValue) -> Bool {
        name.isString("image_url") || name.isString("file_data") || name.isString("url")
            || name.isString("input_audio")
    }

    @inline(__always)
    private mutating func addText(_ text: JSONValue, inMedia: () -> Bool) {
        let count = text.writtenCount
        if count > TokenEstimate.mediaBytes, TokenEstimate.isDense(text), inMedia() {
            sixteenths += TokenEstimate.mediaTokens * 16
        } else {
            writtenBytes += count
        }
    }

    /// Whether the beginning of a text has no space, as base64 and data URLs have none.
    private static func isDense(_ text: JSONValue) -> Bool {
        text.writtenBytes?.prefix(mediaBytes).allSatisfy { $0 > 0x20 && $0 < 0x7F } ?? false
    }
}
