// SPDX-License-Identifier: Apache-2.0
// Finds where a text that was refused stops being JSON; the parser only says that it does.
// Source: RFC 8259 §2-§7.

import Bytes

/// A scan of one refused text. It costs some nanoseconds a byte, so it is for error answers only.
struct FaultFinder {
    /// Larger texts are not searched.
    static let maximumBytes = 4 << 20

    private enum Expected {
        case value
        /// A value, or the end of an array that has just begun.
        case valueOrEnd
        case name
        /// A name, or the end of an object that has just begun.
        case nameOrEnd
        case colon
        case commaOrEnd
    }

    private let bytes: UnsafeRawBufferPointer
    private var index = 0
    /// The closing bytes of the open arrays and objects.
    private var open: [UInt8] = []

    private init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// The offset of the first byte that cannot stand where it does, the length when the text just stops, or nil when
    /// the grammar is kept and the fault lies elsewhere (UTF-8, depth, range of numbers).
    static func offset(in bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count <= maximumBytes else { return nil }
        var finder = FaultFinder(bytes)
        return finder.isDocument() ? nil : finder.index
    }

    /// Leaves `index` at the fault when the answer is no.
    private mutating func isDocument() -> Bool {
        var expected = Expected.value
        repeat {
            skipSpace()
            guard index < bytes.count else { return false }
            let byte = bytes[index]
            switch expected {
            case .valueOrEnd where byte == open.last, .nameOrEnd where byte == open.last,
                .commaOrEnd where byte == open.last:
                open.removeLast()
                index += 1
                expected = .commaOrEnd
            case .value, .valueOrEnd:
                guard let next = value(byte) else { return false }
                expected = next
            case .name, .nameOrEnd:
                guard byte == ASCII.quote, string() else { return false }
                expected = .colon
            case .colon:
                guard byte == ASCII.colon else { return false }
                index += 1
                expected = .value
            case .commaOrEnd:
                guard byte == ASCII.comma else { return false }
                index += 1
                expected = open.last == UInt8(ascii: "}") ? .name : .value
            }
        } while !open.isEmpty
        skipSpace()
        return index == bytes.count
    }

    /// Reads a scalar or the beginning of a container; nil when there is neither.
    private mutating func value(_ byte: UInt8) -> Expected? {
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            open.append(byte + 2)
            index += 1
            return byte == UInt8(ascii: "{") ? .nameOrEnd : .valueOrEnd
        case ASCII.quote: return string() ? .commaOrEnd : nil
        case UInt8(ascii: "t"): return literal("true") ? .commaOrEnd : nil
        case UInt8(ascii: "f"): return literal("false") ? .commaOrEnd : nil
        case UInt8(ascii: "n"): return literal("null") ? .commaOrEnd : nil
        default: return JSONNumber.pass(bytes, &index) ? .commaOrEnd : nil
        }
    }

    private mutating func literal(_ text: StaticString) -> Bool {
        for position in 0..<text.utf8CodeUnitCount {
            guard take(where: { $0 == text.utf8Start[position] }) else { return false }
        }
        return true
    }

    private mutating func string() -> Bool {
        index += 1
        while index < bytes.count {
            let byte = bytes[index]
            guard byte >= 0x20 else { return false }
            if byte == ASCII.backslash {
                guard escape() else { return false }
                continue
            }
            index += 1
            if byte == ASCII.quote { return true }
        }
        return false
    }

    private mutating func escape() -> Bool {
        index += 1
        if take(where: { $0 == UInt8(ascii: "u") }) {
            for _ in 0..<4 {
                guard take(where: { $0 &- 0x30 < 10 || ($0 | 0x20) &- 0x61 < 6 }) else { return false }
            }
            return true
        }
        return take { byte in "\"\\/bfnrt".utf8.contains(byte) }
    }

    private mutating func take(where isWanted: (UInt8) -> Bool) -> Bool {
        guard index < bytes.count, isWanted(bytes[index]) else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while take(where: {
            $0 == ASCII.space || $0 == ASCII.lineFeed || $0 == ASCII.carriageReturn || $0 == ASCII.tab
        }) {}
    }
}
