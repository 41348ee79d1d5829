// SPDX-License-Identifier: Apache-2.0
// HTTP header fields on their way between processes: one block of "name: value" lines, each ended by a zero byte,
// which is the form libcurl takes them in.

import Bytes
package import IPC

/// Header fields in order. Names and values hold no control characters; the HTTP parser has seen to that.
package struct HeaderBlock: Equatable, Sendable, WireCodable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// The bytes end with a zero byte unless they are empty.
    package init(from reader: inout WireReader) throws(WireError) {
        bytes = try reader.getArray()
        guard bytes.isEmpty || bytes.last == 0 else { throw .invalidValue("header block") }
    }

    package func encode(to writer: inout WireWriter) { writer.put(bytes) }

    /// Room for the fields that most clients send, so that the block does not grow in steps.
    private static let usualBytes = 480

    package mutating func append(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        if bytes.isEmpty { bytes.reserveCapacity(HeaderBlock.usualBytes) }
        bytes.append(contentsOf: name)
        // libcurl's notation: "name;" is a field with an empty value, "name:" would remove it.
        if value.isEmpty {
            bytes.append(0x3B)
        } else {
            bytes.append(ASCII.colon)
            bytes.append(ASCII.space)
            bytes.append(contentsOf: value)
        }
        bytes.append(0)
    }

    package mutating func append(_ name: String, _ value: String) {
        var name = name
        var value = value
        name.withUTF8 { name in
            value.withUTF8 { append(UnsafeRawBufferPointer(name), UnsafeRawBufferPointer($0)) }
        }
    }

    /// Keeps libcurl from adding this field on its own.
    package mutating func suppress(_ name: StaticString) {
        bytes.append(name)
        bytes.append(ASCII.colon)
        bytes.append(0)
    }

    package mutating func append(_ other: HeaderBlock) {
        bytes.append(contentsOf: other.bytes)
    }

    /// Removes the fields whose names the condition holds for.
    package mutating func remove(where isUnwanted: (UnsafeRawBufferPointer) -> Bool) {
        var kept: [UInt8] = []
        bytes.withUnsafeBytes { all in
            var start = 0
            while start < all.count, let end = all.firstIndex(of: 0, from: start) {
                let line = all.slice(start..<end)
                let name = line.slice(0..<(line.firstIndex { $0 == ASCII.colon || $0 == 0x3B } ?? line.count))
                if !isUnwanted(name) { kept.append(contentsOf: all.slice(start..<(end + 1))) }
                start = end + 1
            }
        }
        bytes = kept
    }

    /// Whether a field of this name (compared without case) is present.
    package func contains(_ name: StaticString) -> Bool {
        bytes.withUnsafeBytes { all in
            var start = 0
            while start < all.count, let end = all.firstIndex(of: 0, from: start) {
                let line = all.slice(start..<end)
                let length = name.utf8CodeUnitCount
                if line.count > length, line[length] == ASCII.colon || line[length] == 0x3B,
                    ASCII.equalIgnoringCase(line.slice(0..<length), name)
                {
                    return true
                }
                start = end + 1
            }
            return false
        }
    }
}
