// SPDX-License-Identifier: Apache-2.0
// The encoding of messages between own processes: typed put and get pairs, little-endian, lengths before text.
// A reader checks every length and must end exactly at the last byte. The shape follows imsg's typed marshalling
// (OpenBSD smtpd mproc.c): both ends are one build, so a message that does not parse is a bug, not an input.

import Bytes
import Glibc

/// Raised when bytes are no message of the expected type.
package enum WireError: Error, Equatable {
    /// The message ends inside a value.
    case truncated
    /// Bytes remain after the last value.
    case trailingBytes(Int)
    /// A number names no case of its type, or text is no UTF-8.
    case invalidValue(String)
}

/// Builds one message, in memory of its own: an array asks before each number whether it is shared and large enough, which
/// costs more than the number.
package struct WireWriter: ~Copyable {
    private var start: UnsafeMutableRawPointer
    private var capacity: Int
    /// Bytes so far.
    package private(set) var count = 0

    package init(capacity: Int = 256) {
        start = .allocate(byteCount: capacity, alignment: 16)
        self.capacity = capacity
    }

    deinit {
        start.deallocate()
    }

    /// The bytes so far; valid until something is put or removed.
    @inline(__always)
    package var view: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    /// A copy of the bytes so far.
    package var bytes: [UInt8] { Array(view) }

    /// Empties the message but keeps its memory.
    package mutating func removeAll() { count = 0 }

    /// Removes the first bytes.
    package mutating func removeFirst(_ size: Int) {
        count -= size
        memmove(start, start + size, count)
    }

    /// Room for `size` bytes behind the last one.
    @inline(__always)
    private mutating func room(_ size: Int) -> UnsafeMutableRawPointer {
        if count + size > capacity { grow(size) }
        defer { count += size }
        return start + count
    }

    @inline(never)
    private mutating func grow(_ size: Int) {
        capacity = max(2 * capacity, count + size)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: start, byteCount: count)
        start.deallocate()
        start = larger
    }

    // One function per width: a generic one is looked up at run time wherever the compiler cannot specialise it.
    package mutating func put(_ value: UInt8) { append(value) }
    package mutating func put(_ value: UInt16) { append(value.littleEndian) }
    package mutating func put(_ value: UInt32) { append(value.littleEndian) }
    package mutating func put(_ value: UInt64) { append(value.littleEndian) }
    package mutating func put(_ value: Int32) { append(value.littleEndian) }
    package mutating func put(_ value: Int64) { append(value.littleEndian) }

    @inline(__always)
    private mutating func append<Value: BitwiseCopyable>(_ value: Value) {
        room(MemoryLayout<Value>.size).storeBytes(of: value, as: Value.self)
    }

    package mutating func put(_ value: Bool) { append(value ? 1 as UInt8 : 0) }

    package mutating func put(_ value: Double) { put(value.bitPattern) }

    /// At most 4 GiB; the length travels as 32 bits.
    package mutating func put(_ value: UnsafeRawBufferPointer) {
        append(UInt32(value.count).littleEndian)
        if let bytes = value.baseAddress { room(value.count).copyMemory(from: bytes, byteCount: value.count) }
    }

    package mutating func put(_ value: [UInt8]) {
        value.withUnsafeBytes { put($0) }
    }

    package mutating func put(_ value: String) {
        var value = value
        value.withUTF8 { put(UnsafeRawBufferPointer($0)) }
    }

    /// A presence byte, then the value.
    package mutating func put<Value>(_ value: Value?, _ body: (inout WireWriter, Value) -> Void) {
        put(value != nil)
        if let value { body(&self, value) }
    }

    /// A 32-bit count, then each element.
    package mutating func put<Element>(list: [Element], _ body: (inout WireWriter, Element) -> Void) {
        put(UInt32(list.count))
        for element in list { body(&self, element) }
    }
}

/// Takes one message apart, in the order in which it was built.
package struct WireReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    /// The bytes must outlive the reader.
    package init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    @inline(__always)
    private mutating func take(_ count: Int) throws(WireError) -> UnsafeRawBufferPointer {
        guard count >= 0, bytes.count - position >= count else { throw .truncated }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)])
    }

    // One function per width, as for writing.
    package mutating func get(_: UInt8.Type = UInt8.self) throws(WireError) -> UInt8 { try load() }
    package mutating func get(_: UInt16.Type = UInt16.self) throws(WireError) -> UInt16 { try load() }
    package mutating func get(_: UInt32.Type = UInt32.self) throws(WireError) -> UInt32 { try load() }
    package mutating func get(_: UInt64.Type = UInt64.self) throws(WireError) -> UInt64 { try load() }
    package mutating func get(_: Int32.Type = Int32.self) throws(WireError) -> Int32 { try load() }
    package mutating func get(_: Int64.Type = Int64.self) throws(WireError) -> Int64 { try load() }

    @inline(__always)
    private mutating func load<Value: FixedWidthInteger & BitwiseCopyable>() throws(WireError) -> Value {
        let size = MemoryLayout<Value>.size
        guard bytes.count - position >= size, let base = bytes.baseAddress else { throw .truncated }
        defer { position += size }
        return Value(littleEndian: (base + position).loadUnaligned(as: Value.self))
    }

    package mutating func getBool() throws(WireError) -> Bool {
        switch try get(UInt8.self) {
        case 0: return false
        case 1: return true
        case let other: throw .invalidValue("bool \(other)")
        }
    }

    package mutating func getDouble() throws(WireError) -> Double {
        Double(bitPattern: try get())
    }

    /// A view into the message; valid as long as the message is.
    package mutating func getBytes() throws(WireError) -> UnsafeRawBufferPointer {
        let count: UInt32 = try get()
        return try take(Int(count))
    }

    package mutating func getArray() throws(WireError) -> [UInt8] { Array(try getBytes()) }

    package mutating func getString() throws(WireError) -> String {
        let view = try getBytes()
        let characters = view.bindMemory(to: UInt8.self)
        // Nearly all text is ASCII and needs no validation, which costs more than the rest of a message.
        if characters.allSatisfy({ $0 < 0x80 }) { return String(decoding: characters, as: UTF8.self) }
        guard let text = String(validating: characters, as: UTF8.self) else {
            throw .invalidValue("text is no UTF-8")
        }
        return text
    }

    package mutating func getOptional<Value>(
        _ body: (inout WireReader) throws(WireError) -> Value
    ) throws(WireError) -> Value? {
        try getBool() ? try body(&self) : nil
    }

    /// Reads a counted list; the count is checked against the bytes that remain.
    package mutating func getList<Element>(
        _ body: (inout WireReader) throws(WireError) -> Element
    ) throws(WireError) -> [Element] {
        let count = Int(try get(UInt32.self))
        // Every element takes at least one byte, so a count above that is a lie.
        guard count <= remaining else { throw .truncated }
        var list: [Element] = []
        list.reserveCapacity(count)
        for _ in 0..<count { list.append(try body(&self)) }
        return list
    }

    /// A case of a closed set, by its raw number.
    package mutating func getCase<Value: RawRepresentable>(_: Value.Type = Value.self) throws(WireError)
        -> Value
    where Value.RawValue == UInt8 {
        let raw: UInt8 = try get()
        guard let value = Value(rawValue: raw) else { throw .invalidValue("\(Value.self) \(raw)") }
        return value
    }

    /// Bytes that have not been read.
    package var remaining: Int { bytes.count - position }

    /// Whether everything has been read.
    package var isAtEnd: Bool { remaining == 0 }

    /// Checks that nothing remains.
    package func end() throws(WireError) {
        guard isAtEnd else { throw .trailingBytes(remaining) }
    }
}

/// A value with a wire form.
package protocol WireCodable {
    /// Appends the value.
    func encode(to writer: inout WireWriter)
    /// Reads the value in the order of `encode`.
    init(from reader: inout WireReader) throws(WireError)
}

extension WireWriter {
    package mutating func put(_ value: some WireCodable) { value.encode(to: &self) }
}

extension WireReader {
    package mutating func get<Value: WireCodable>(_: Value.Type = Value.self) throws(WireError) -> Value {
        try Value(from: &self)
    }
}
