// SPDX-License-Identifier: Apache-2.0
// Undoes the wrapping of free text in a function call while it streams in: of `{"input":"…"}` only the text is passed on,
// decoded, piece by piece. A model that writes anything else is passed on as it wrote, once it is known to be so.
// Source: RFC 8259 §7 (strings and escapes).

import Bytes

/// The state machine of one call's arguments.
struct WrappedInput {
    private enum State {
        /// Before the text: braces, name, colon. The bytes seen so far.
        case opening([UInt8])
        case text
        /// Behind a backslash.
        case escape
        /// Inside `\u`: the digits so far.
        case unicode([UInt8])
        /// Behind the closing quote; what follows is braces or members nobody asked for.
        case closed
        /// No wrapping: everything is passed on at the end.
        case plain([UInt8])
    }

    private var state = State.opening([])
    /// The first half of a surrogate pair that waits for the second.
    private var highSurrogate: UInt32?

    /// Takes the next piece of the arguments and returns what of the text is certain.
    mutating func received(_ piece: String) -> String {
        var text: [UInt8] = []
        for byte in piece.utf8 { step(byte, &text) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The call is complete: what is left of its text.
    mutating func ended() -> String {
        switch state {
        case .opening(let bytes), .plain(let bytes): String(decoding: bytes, as: UTF8.self)
        case .text, .escape, .unicode, .closed: ""
        }
    }

    private mutating func step(_ byte: UInt8, _ text: inout [UInt8]) {
        switch state {
        case .opening(var bytes):
            // Released first, so that the bytes grow in place.
            state = .closed
            bytes.append(byte)
            switch WrappedInput.match(bytes) {
            case .more: state = .opening(bytes)
            case .yes: state = .text
            case .no: state = .plain(bytes)
            }
        case .text:
            switch byte {
            case ASCII.backslash: state = .escape
            case ASCII.quote:
                dropHalfPair(&text)
                state = .closed
            default:
                dropHalfPair(&text)
                text.append(byte)
            }
        case .escape:
            if byte == UInt8(ascii: "u") {
                state = .unicode([])
                return
            }
            dropHalfPair(&text)
            text.append(WrappedInput.unescaped(byte))
            state = .text
        case .unicode(var digits):
            state = .closed
            digits.append(byte)
            if digits.count < 4 {
                state = .unicode(digits)
            } else {
                append(UInt32(String(decoding: digits, as: UTF8.self), radix: 16) ?? 0xFFFD, &text)
                state = .text
            }
        case .closed: break
        case .plain(var bytes):
            state = .closed
            bytes.append(byte)
            state = .plain(bytes)
        }
    }

    private mutating func append(_ unit: UInt32, _ text: inout [UInt8]) {
        if unit & 0xFC00 == 0xD800 {
            dropHalfPair(&text)
            highSurrogate = unit
        } else if unit & 0xFC00 == 0xDC00, let high = highSurrogate {
            highSurrogate = nil
            append(scalar: 0x10000 + ((high & 0x3FF) << 10 | unit & 0x3FF), &text)
        } else {
            dropHalfPair(&text)
            append(scalar: unit, &text)
        }
    }

    /// A first half without its second stands for nothing.
    private mutating func dropHalfPair(_ text: inout [UInt8]) {
        guard highSurrogate != nil else { return }
        highSurrogate = nil
        append(scalar: 0xFFFD, &text)
    }

    private func append(scalar: UInt32, _ text: inout [UInt8]) {
        let scalar = Unicode.Scalar(scalar) ?? "\u{FFFD}"
        text.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
    }

    private static func unescaped(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "n"): ASCII.lineFeed
        case UInt8(ascii: "r"): ASCII.carriageReturn
        case UInt8(ascii: "t"): ASCII.tab
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        default: byte
        }
    }

    private enum Match {
        case yes
        case no
        case more
    }

    /// Whether the bytes are `{"input":"`, with white space between the tokens.
    private static func match(_ bytes: [UInt8]) -> Match {
        let tokens: [[UInt8]] = [
            [UInt8(ascii: "{")], Array("\"\(ToolNameTable.wrappedMember)\"".utf8), [ASCII.colon],
            [ASCII.quote],
        ]
        var index = 0
        for token in tokens {
            while index < bytes.count, isSpace(bytes[index]) { index += 1 }
            for byte in token {
                guard index < bytes.count else { return .more }
                guard bytes[index] == byte else { return .no }
                index += 1
            }
        }
        return .yes
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == ASCII.space || byte == ASCII.lineFeed || byte == ASCII.carriageReturn || byte == ASCII.tab
    }
}
