// SPDX-License-Identifier: Apache-2.0
// The typed encoding between own processes.

import IPC
import Testing

@Suite("Wire encoding") struct WireTests {
    private func written(_ body: (inout WireWriter) -> Void) -> [UInt8] {
        var writer = WireWriter()
        body(&writer)
        return writer.bytes
    }

    /// Reads all of the bytes.
    private func read<Value>(
        _ bytes: [UInt8], _ body: (inout WireReader) throws(WireError) -> Value
    ) throws(WireError) -> Value {
        let result = bytes.withUnsafeBytes { view -> Result<Value, WireError> in
            Result { () throws(WireError) in
                var reader = WireReader(view)
                let value = try body(&reader)
                try reader.end()
                return value
            }
        }
        return try result.get()
    }

    @Test("Numbers are little-endian and as wide as their type")
    func numbers() {
        #expect(written { $0.put(UInt8(1)) } == [1])
        #expect(written { $0.put(UInt16(0x0102)) } == [2, 1])
        #expect(written { $0.put(Int32(-2)) } == [0xFE, 0xFF, 0xFF, 0xFF])
        #expect(written { $0.put(UInt64(1) << 56) } == [0, 0, 0, 0, 0, 0, 0, 1])
    }

    @Test("Extreme numbers come back", arguments: [.min, -1, 0, 1, .max] as [Int64])
    func extremes(value: Int64) throws {
        #expect(
            try read(written { $0.put(value) }) { (r) throws(WireError) in try r.get(Int64.self) } == value)
        let bits = UInt64(bitPattern: value)
        #expect(
            try read(written { $0.put(bits) }) { (r) throws(WireError) in try r.get(UInt64.self) } == bits)
    }

    @Test("Fractions come back bit for bit", arguments: [0, -0.0, 0.1, .infinity, .leastNonzeroMagnitude])
    func doubles(value: Double) throws {
        let back = try read(written { $0.put(value) }) { (r) throws(WireError) in try r.getDouble() }
        #expect(back.bitPattern == value.bitPattern)
    }

    @Test(
        "Text comes back", arguments: ["", "a", "grüße 🦊", "a\u{0}b", String(repeating: "x", count: 70_000)])
    func strings(text: String) throws {
        let bytes = written { $0.put(text) }
        #expect(bytes.count == 4 + text.utf8.count)
        #expect(try read(bytes) { (r) throws(WireError) in try r.getString() } == text)
        #expect(try read(bytes) { (r) throws(WireError) in try r.getArray() } == Array(text.utf8))
    }

    @Test("Lists and missing values come back")
    func containers() throws {
        let bytes = written { writer in
            writer.put(list: ["a", "", "c"]) { $0.put($1) }
            writer.put("there" as String?) { $0.put($1) }
            writer.put(nil as String?) { $0.put($1) }
            writer.put(true)
            writer.put(false)
        }
        try read(bytes) { (reader) throws(WireError) in
            let list = try reader.getList { (r) throws(WireError) in try r.getString() }
            #expect(list == ["a", "", "c"])
            let present = try reader.getOptional { (r) throws(WireError) in try r.getString() }
            #expect(present == "there")
            let absent = try reader.getOptional { (r) throws(WireError) in try r.getString() }
            #expect(absent == nil)
            let (yes, no) = (try reader.getBool(), try reader.getBool())
            #expect(yes && !no)
        }
    }

    @Test("A bool is 0 or 1", arguments: [2, 255] as [UInt8])
    func bools(byte: UInt8) {
        #expect(throws: WireError.invalidValue("bool \(byte)")) {
            try read([byte]) { (r) throws(WireError) in try r.getBool() }
        }
    }

    @Test("Text that is no UTF-8 is refused", arguments: [[0xFF], [0xC3], [0xED, 0xA0, 0x80]] as [[UInt8]])
    func notUTF8(bytes: [UInt8]) {
        #expect(throws: WireError.invalidValue("text is no UTF-8")) {
            try read(written { $0.put(bytes) }) { (r) throws(WireError) in try r.getString() }
        }
    }

    @Test("A number that names no case is refused")
    func cases() throws {
        for raw in UInt8.min...UInt8.max {
            let value = try? read([raw]) { (r) throws(WireError) in try r.getCase(MessageKind.self) }
            #expect(value == MessageKind(rawValue: raw))
        }
    }

    @Test("A length beyond the message is refused", arguments: [1, 100, UInt32.max])
    func lyingLength(length: UInt32) {
        let bytes = written { $0.put(length) }
        #expect(throws: WireError.truncated) {
            try read(bytes) { (r) throws(WireError) in try r.getString() }
        }
        #expect(throws: WireError.truncated) { try read(bytes) { (r) throws(WireError) in try r.getArray() } }
    }

    @Test(
        "A count beyond the message is refused before anything is read or reserved",
        arguments: [4, 5, 1_000_000, UInt32.max])
    func lyingCount(count: UInt32) {
        let bytes = written { writer in
            writer.put(count)
            for byte in [1, 2, 3] as [UInt8] { writer.put(byte) }
        }
        #expect(throws: WireError.truncated) {
            try read(bytes) { (reader) throws(WireError) in
                try reader.getList { (r) throws(WireError) in
                    Issue.record("an element was read")
                    return try r.get(UInt8.self)
                }
            }
        }
    }

    @Test("Bytes that remain are refused and counted", arguments: 1...3)
    func trailing(count: Int) {
        let bytes = [UInt8](repeating: 0, count: 2 + count)
        #expect(throws: WireError.trailingBytes(count)) {
            try read(bytes) { (r) throws(WireError) in try r.get(UInt16.self) }
        }
    }

    @Test("A writer that is emptied starts anew")
    func reuse() {
        var writer = WireWriter()
        writer.put("old")
        writer.removeAll()
        writer.put(UInt8(7))
        #expect(writer.bytes == [7])
    }
}

@Suite("Message starts") struct MessageTests {
    @Test("Every kind comes back", arguments: MessageKind.allCases)
    func kinds(kind: MessageKind) throws {
        var writer = WireWriter()
        writer.put("left over")
        MessageHead.begin(kind, in: &writer)
        #expect(writer.bytes == [MessageHead.version, kind.rawValue])
        try writer.bytes.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            #expect(try MessageHead.kind(&reader) == kind)
            try reader.end()
        }
    }

    @Test(
        "Another version, an unknown kind and half a start are refused",
        arguments: [
            ([MessageHead.version &+ 1, 1], .invalidValue("protocol version \(MessageHead.version &+ 1)")),
            ([0, 1], .invalidValue("protocol version 0")),
            ([MessageHead.version, 0], .invalidValue("MessageKind 0")),
            ([MessageHead.version, 200], .invalidValue("MessageKind 200")),
            ([MessageHead.version], .truncated),
            ([], .truncated),
        ] as [([UInt8], WireError)])
    func refused(bytes: [UInt8], error: WireError) {
        #expect(throws: error) {
            try bytes.withUnsafeBytes { bytes in
                var reader = WireReader(bytes)
                _ = try MessageHead.kind(&reader)
            }
        }
    }

    @Test("Numbers of kinds are fixed: a process of the build before must not misread them")
    func numbers() {
        #expect(MessageKind.allCases.map(\.rawValue) == Array(1...27))
    }

    @Test("The order to drain has the same form in every version")
    func drain() {
        #expect(MessageHead.drain(version: 77) == [77, 9])
        var writer = WireWriter()
        MessageHead.begin(.supervisorDrain, in: &writer)
        #expect(writer.bytes == MessageHead.drain(version: MessageHead.version))
    }
}
