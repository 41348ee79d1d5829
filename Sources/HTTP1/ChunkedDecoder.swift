// SPDX-License-Identifier: Apache-2.0
// Takes the chunk frames off a body, in whatever pieces it arrives. A state machine of its own, because
// llhttp 8.1.0 bounds neither extensions nor trailers, does not check what an extension holds, and reads a body
// only behind a head of its own; this one is shorter than the glue would be.
// Source: RFC 9112 §7.1 (chunked), §7.1.1 (extensions), §7.1.2 (trailers), §11.2 (request smuggling).

import Bytes

/// The decoder of one chunked body.
package struct ChunkedDecoder {
    private enum State {
        /// In the hexadecimal digits of a size.
        case size
        /// Behind a size, before a ";" that must follow.
        case sizeSpace
        case chunkExtension
        /// The CR of a size line has been read.
        case sizeLineFeed
        case data
        case dataCarriageReturn
        case dataLineFeed
        case trailerStart
        case trailerName
        case trailerValue
        case trailerLineFeed
        case lastLineFeed
        case complete
    }

    private var state = State.size
    private var digits = 0
    private var remaining: UInt64 = 0
    private var extensionBytes = 0
    private var trailerBytes = 0
    private let bodyLimit: UInt64
    private let extensionLimit: Int

    /// Bytes of the body as announced by the chunk sizes so far.
    package private(set) var announcedBytes: UInt64 = 0

    /// - Parameters:
    ///   - bodyLimit: the most bytes that the chunks together may announce.
    ///   - extensionLimit: the most bytes of chunk extensions, all chunks together.
    package init(bodyLimit: UInt64, extensionLimit: Int = HTTPLimits.chunkExtensionBytes) {
        self.bodyLimit = bodyLimit
        self.extensionLimit = extensionLimit
    }

    /// Decodes the next piece of a body.
    ///
    /// `sink` gets views into `input`, at most one for each chunk. Trailers are checked and dropped. After the
    /// end nothing is consumed: what remains of `input` belongs to the next request. A decoder that has thrown
    /// must not be used again.
    /// - Returns: the bytes used up, fewer than given only when the body is complete.
    package mutating func decode(
        _ input: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) -> Void
    ) throws(HTTPError) -> (consumed: Int, isComplete: Bool) {
        var position = 0
        while position < input.count, state != .complete {
            if state == .data {
                let count = Int(min(remaining, UInt64(input.count - position)))
                sink(input.slice(position..<(position + count)))
                position += count
                remaining -= UInt64(count)
                if remaining == 0 { state = .dataCarriageReturn }
            } else {
                try frameByte(input[position])
                position += 1
            }
        }
        return (position, state == .complete)
    }

    /// Takes one byte that is not part of a chunk's data.
    private mutating func frameByte(_ byte: UInt8) throws(HTTPError) {
        switch state {
        case .size: try sizeByte(byte)
        case .sizeSpace, .chunkExtension: try extensionByte(byte)
        case .sizeLineFeed:
            try expectLineFeed(byte)
            digits = 0
            state = remaining > 0 ? .data : .trailerStart
        case .dataCarriageReturn:
            guard byte == ASCII.carriageReturn else { throw .invalidChunkEnd }
            state = .dataLineFeed
        case .dataLineFeed:
            guard byte == ASCII.lineFeed else { throw .invalidChunkEnd }
            state = .size
        case .trailerStart, .trailerName, .trailerValue: try trailerByte(byte)
        case .trailerLineFeed:
            try expectLineFeed(byte)
            state = .trailerStart
        case .lastLineFeed:
            try expectLineFeed(byte)
            state = .complete
        case .data, .complete: break
        }
    }

    private mutating func sizeByte(_ byte: UInt8) throws(HTTPError) {
        if let digit = ASCII.hexDigit(byte) {
            digits += 1
            guard digits <= 16 else { throw .invalidChunkSize }
            remaining = remaining << 4 | UInt64(digit)
            return
        }
        guard digits > 0 else { throw .invalidChunkSize }
        switch byte {
        case ASCII.carriageReturn: try sizeEnded()
        case UInt8(ascii: ";"): state = .chunkExtension
        case ASCII.space, ASCII.tab: state = .sizeSpace
        default: throw byte == ASCII.lineFeed ? .bareLineFeed : .invalidChunkSize
        }
    }

    private mutating func extensionByte(_ byte: UInt8) throws(HTTPError) {
        extensionBytes += 1
        guard extensionBytes <= extensionLimit else { throw .chunkExtensionsTooLarge }
        if state == .sizeSpace {
            // White space is allowed only between the size and an extension.
            guard byte != ASCII.space, byte != ASCII.tab else { return }
            guard byte == UInt8(ascii: ";") else { throw .invalidChunkSize }
            state = .chunkExtension
        } else if byte == ASCII.carriageReturn {
            try sizeEnded()
        } else {
            try Self.checkText(byte)
        }
    }

    private mutating func sizeEnded() throws(HTTPError) {
        guard remaining <= bodyLimit - announcedBytes else { throw .bodyTooLarge }
        announcedBytes += remaining
        state = .sizeLineFeed
    }

    private mutating func trailerByte(_ byte: UInt8) throws(HTTPError) {
        trailerBytes += 1
        guard trailerBytes <= HTTPLimits.trailerBytes else { throw .trailersTooLarge }
        switch (state, byte) {
        case (.trailerStart, ASCII.carriageReturn): state = .lastLineFeed
        case (.trailerStart, ASCII.space), (.trailerStart, ASCII.tab): throw .obsoleteFolding
        case (.trailerName, ASCII.colon): state = .trailerValue
        case (.trailerValue, ASCII.carriageReturn): state = .trailerLineFeed
        case (.trailerValue, _): try Self.checkText(byte)
        default:
            guard CharacterClass.token.contains(byte) else {
                throw byte == ASCII.lineFeed ? .bareLineFeed : .invalidHeaderName
            }
            state = .trailerName
        }
    }

    private func expectLineFeed(_ byte: UInt8) throws(HTTPError) {
        guard byte == ASCII.lineFeed else { throw .bareCarriageReturn }
    }

    /// Accepts what a field value may hold.
    private static func checkText(_ byte: UInt8) throws(HTTPError) {
        guard byte >= ASCII.space && byte != 0x7F || byte == ASCII.tab else {
            throw byte == ASCII.lineFeed ? .bareLineFeed : .controlCharacter
        }
    }
}
