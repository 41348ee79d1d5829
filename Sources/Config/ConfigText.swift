// SPDX-License-Identifier: Apache-2.0
// Reads JSON with `//` and `/* */` comments and trailing commas into a tree with positions.
// Source: RFC 8259 (values, strings, numbers).

import Bytes

/// A recursive reader of one configuration file; used once, then gone.
package struct ConfigText {
    /// The largest file that is read.
    package static let maximumBytes = 8 << 20
    /// The deepest nesting of objects and arrays.
    package static let maximumDepth = 64

    private let file: String
    private let bytes: [UInt8]
    private var offset = 0
    private var line = 1
    private var column = 1
    private var depth = 0

    private init(_ bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    /// Parses a whole file.
    ///
    /// - Throws: the first syntax error: where it is and what was expected there.
    package static func parse(_ bytes: [UInt8], file: String) throws(ConfigProblem) -> ConfigNode {
        let start = Position(file: file, line: 1, column: 1)
        guard bytes.count <= maximumBytes else {
            throw ConfigProblem(
                .error, at: start, "the file is \(bytes.count) bytes, allowed are \(maximumBytes)")
        }
        var text = ConfigText(bytes, file: file)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { text.offset = 3 }
        try text.skipBlanks()
        let root = try text.value()
        try text.skipBlanks()
        guard text.next == nil else { throw text.expected("the end of the file") }
        return root
    }

    // MARK: - Bytes

    private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private func peek(_ ahead: Int) -> UInt8? { offset + ahead < bytes.count ? bytes[offset + ahead] : nil }

    private var position: Position { Position(file: file, line: line, column: column) }

    private mutating func advance() {
        let byte = bytes[offset]
        offset += 1
        if byte == UInt8(ascii: "\n") {
            line += 1
            column = 1
        } else if byte & 0xC0 != 0x80 {
            // Continuation bytes of UTF-8 belong to the character before them.
            column += 1
        }
    }

    private func expected(_ what: String) -> ConfigProblem {
        ConfigProblem(.error, at: position, "expected \(what), found \(found)")
    }

    private var found: String {
        guard let byte = next else { return "the end of the file" }
        switch byte {
        case UInt8(ascii: "\n"), UInt8(ascii: "\r"): return "the end of the line"
        case 0x21...0x7E: return "“\(Character(Unicode.Scalar(byte)))”"
        case 0x80...: return "a character outside ASCII"
        default: return "the byte \(byte)"
        }
    }

    private mutating func skipBlanks() throws(ConfigProblem) {
        while let byte = next {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                advance()
            case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "/"):
                while let byte = next, byte != UInt8(ascii: "\n") { advance() }
            case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"):
                try skipBlockComment()
            default:
                return
            }
        }
    }

    private mutating func skipBlockComment() throws(ConfigProblem) {
        let start = position
        advance()
        advance()
        while next != nil {
            if next == UInt8(ascii: "*"), peek(1) == UInt8(ascii: "/") {
                advance()
                advance()
                return
            }
            advance()
        }
        throw ConfigProblem(.error, at: start, "this comment is never closed: expected “*/”")
    }

    // MARK: - Values

    private mutating func value() throws(ConfigProblem) -> ConfigNode {
        let start = position
        switch next {
        case UInt8(ascii: "{"):
            return ConfigNode(try nested { (text) throws(ConfigProblem) in try text.object() }, at: start)
        case UInt8(ascii: "["):
            return ConfigNode(try nested { (text) throws(ConfigProblem) in try text.array() }, at: start)
        case UInt8(ascii: "\""): return ConfigNode(.string(try string()), at: start)
        case UInt8(ascii: "t"): return ConfigNode(try word("true", .boolean(true)), at: start)
        case UInt8(ascii: "f"): return ConfigNode(try word("false", .boolean(false)), at: start)
        case UInt8(ascii: "n"): return ConfigNode(try word("null", .null), at: start)
        case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")):
            return ConfigNode(.number(try number()), at: start)
        default:
            throw expected("a value (object, array, string in double quotes, number, true, false or null)")
        }
    }

    private mutating func nested(
        _ body: (inout ConfigText) throws(ConfigProblem) -> ConfigNode.Value
    ) throws(ConfigProblem) -> ConfigNode.Value {
        guard depth < Self.maximumDepth else {
            throw ConfigProblem(.error, at: position, "nested deeper than \(Self.maximumDepth) levels")
        }
        depth += 1
        defer { depth -= 1 }
        return try body(&self)
    }

    private mutating func object() throws(ConfigProblem) -> ConfigNode.Value {
        advance()
        var members: [ConfigMember] = []
        while true {
            try skipBlanks()
            if next == UInt8(ascii: "}") { break }
            guard next == UInt8(ascii: "\"") else { throw expected("a key in double quotes or “}”") }
            let start = position
            let key = try string()
            try skipBlanks()
            guard next == UInt8(ascii: ":") else { throw expected("“:” after the key \(quoted(key))") }
            advance()
            try skipBlanks()
            members.append(ConfigMember(key: key, keyPosition: start, node: try value()))
            try skipBlanks()
            if next == UInt8(ascii: "}") { break }
            guard next == UInt8(ascii: ",") else {
                throw expected("“,” or “}” after the value of \(quoted(key))")
            }
            advance()
        }
        advance()
        return .object(members)
    }

    private mutating func array() throws(ConfigProblem) -> ConfigNode.Value {
        advance()
        var elements: [ConfigNode] = []
        while true {
            try skipBlanks()
            if next == UInt8(ascii: "]") { break }
            elements.append(try value())
            try skipBlanks()
            if next == UInt8(ascii: "]") { break }
            guard next == UInt8(ascii: ",") else { throw expected("“,” or “]” after the element") }
            advance()
        }
        advance()
        return .array(elements)
    }

    private mutating func word(_ word: String, _ value: ConfigNode.Value) throws(ConfigProblem)
        -> ConfigNode.Value
    {
        let start = self
        for byte in word.utf8 {
            guard next == byte else { throw start.expected("a value; did you mean “\(word)”?") }
            advance()
        }
        return value
    }

    private mutating func number() throws(ConfigProblem) -> String {
        let start = offset
        if next == UInt8(ascii: "-") { advance() }
        if next == UInt8(ascii: "0") {
            advance()
        } else {
            try digits()
        }
        if next == UInt8(ascii: ".") {
            advance()
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            advance()
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { advance() }
            try digits()
        }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private mutating func digits() throws(ConfigProblem) {
        guard let byte = next, isDigit(byte) else { throw expected("a digit") }
        while let byte = next, isDigit(byte) { advance() }
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    private mutating func string() throws(ConfigProblem) -> String {
        let start = position
        advance()
        var text: [UInt8] = []
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                advance()
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw ConfigProblem(.error, at: start, "the string is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"):
                try escape(into: &text)
            case 0..<0x20:
                throw expected("“\"” that closes the string (write a line break as \\n)")
            default:
                text.append(byte)
                advance()
            }
        }
        throw ConfigProblem(.error, at: start, "this string is never closed: expected “\"”")
    }

    /// The one-letter escapes of RFC 8259 §7 and what they stand for.
    private static let escapes: [UInt8: UInt8] = [
        UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5C, UInt8(ascii: "/"): 0x2F, UInt8(ascii: "b"): 0x08,
        UInt8(ascii: "f"): 0x0C, UInt8(ascii: "n"): 0x0A, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "t"): 0x09,
    ]

    private mutating func escape(into text: inout [UInt8]) throws(ConfigProblem) {
        advance()
        if let letter = next, let byte = Self.escapes[letter] {
            advance()
            text.append(byte)
            return
        }
        guard next == UInt8(ascii: "u") else { throw expected("one of \" \\ / b f n r t u after “\\”") }
        let start = position
        var code = try fourHex()
        if code & 0xFC00 == 0xD800, next == UInt8(ascii: "\\"), peek(1) == UInt8(ascii: "u") {
            advance()
            let low = try fourHex()
            guard low & 0xFC00 == 0xDC00 else {
                throw ConfigProblem(.error, at: start, "half of a surrogate pair")
            }
            code = 0x10000 + (code & 0x3FF) << 10 + (low & 0x3FF)
        }
        guard let scalar = Unicode.Scalar(code) else {
            throw ConfigProblem(.error, at: start, "half of a surrogate pair")
        }
        text.append(contentsOf: Array(String(Character(scalar)).utf8))
    }

    /// Reads "uXXXX" of an escape.
    private mutating func fourHex() throws(ConfigProblem) -> UInt32 {
        advance()
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = ASCII.hexDigit(byte) else {
                throw expected("four hexadecimal digits after “\\u”")
            }
            code = code << 4 | UInt32(digit)
            advance()
        }
        return code
    }
}
