// SPDX-License-Identifier: Apache-2.0
// Fuzzes the reading of request bodies: what was read, written again and read again must be the same, whether a text was
// there at once or came in pieces, and the place of a top-level member in the source must hold that member.
// Source: RFC 8259; https://llvm.org/docs/LibFuzzer.html.

import JSON

// One parser for all inputs, as in a process: what one document leaves behind must not show in the next.
private nonisolated(unsafe) let parser = JSONParser()
private nonisolated(unsafe) let second = JSONParser()

private func write(_ value: JSONValue, to writer: inout JSONWriter) {
    switch value.kind {
    case .object:
        writer.object { writer in
            value.forEachMember { key, value in
                writer.key(String(decoding: key, as: UTF8.self))
                write(value, to: &writer)
            }
        }
    case .array: writer.array { writer in value.forEachElement { write($0, to: &writer) } }
    case .string: writer.string(value.string ?? "")
    case .number:
        if let number = value.int { writer.int(number) } else { writer.double(value.double ?? 0) }
    case .bool: writer.bool(value.bool ?? false)
    case .null: writer.null()
    }
}

private func text(_ value: JSONValue) -> [UInt8] {
    var writer = JSONWriter()
    write(value, to: &writer)
    return writer.bytes
}

private func reread(_ bytes: [UInt8]) -> [UInt8] {
    do throws(JSONError) {
        return text(try second.parse(bytes))
    } catch {
        fatalError("a text that was written cannot be read: \(error)")
    }
}

/// What a text is read as that comes in pieces, each time in another place; nil when it is none.
private func arriving(_ bytes: UnsafeRawBufferPointer, step: Int) -> [UInt8]? {
    let scanner = JSONScanner()
    for end in stride(from: step, to: bytes.count, by: step) {
        Array(bytes[..<end]).withUnsafeBytes { scanner.advance($0) }
    }
    return (try? second.parse(bytes, scanner: scanner)).map { text($0) }
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    let step = 1 + count / 5
    guard let value = try? parser.parse(bytes) else {
        guard arriving(bytes, step: step) == nil else { fatalError("in pieces it is a text") }
        return 0
    }
    let written = text(value)
    guard arriving(bytes, step: step) == written else { fatalError("in pieces the text is another") }
    guard reread(written) == written else { fatalError("written and read again, the text is another") }
    // What stands behind a text is no part of it.
    let longer = Array(bytes) + [UInt8](repeating: 0x22, count: 64)
    longer.withUnsafeBytes { longer in
        guard let value = try? second.parse(UnsafeRawBufferPointer(rebasing: longer[..<count])),
            text(value) == written
        else { fatalError("with more behind it, the text is another") }
    }
    switch parser.sourceRange(ofTopLevel: "model") {
    case .absent:
        guard value.member("model") == nil else { fatalError("a member without a place") }
    case .found(let range):
        guard let member = value.member("model"), reread(Array(bytes[range])) == text(member) else {
            fatalError("another member stands in the place of 'model'")
        }
    case .duplicate:
        guard value.members.count(where: { String(decoding: $0.key, as: UTF8.self) == "model" }) > 1 else {
            fatalError("one member is no duplicate")
        }
    }
    return 0
}
