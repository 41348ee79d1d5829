// SPDX-License-Identifier: Apache-2.0
// Fuzzes event streams: whole, byte by byte and in pieces of seven, the same bytes must give the events that a
// plain reading of the standard, line by line over everything, gives.
// Source: WHATWG HTML §9.2.6 (interpreting an event stream); https://llvm.org/docs/LibFuzzer.html.

import EventStream

private struct Event: Equatable {
    var name: [UInt8] = []
    var data: [UInt8] = []
}

/// The standard's algorithm without a thought of speed.
private func expected(_ bytes: UnsafeRawBufferPointer) -> [Event] {
    var rest = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
    var events: [Event] = []
    var name: [UInt8] = []
    var data: [UInt8]?
    while let end = rest.firstIndex(where: { $0 == 0x0A || $0 == 0x0D }) {
        let line = rest[..<end]
        let isPair = rest[end] == 0x0D && end + 1 < rest.endIndex && rest[end + 1] == 0x0A
        rest = rest[(end + (isPair ? 2 : 1))...]
        if line.isEmpty {
            if let data { events.append(Event(name: name, data: data)) }
            name = []
            data = nil
            continue
        }
        let colon = line.firstIndex(of: 0x3A) ?? line.endIndex
        var value = line[colon...].dropFirst()
        if value.first == 0x20 { value = value.dropFirst() }
        switch String(decoding: line[..<colon], as: UTF8.self) {
        case "event": name = Array(value)
        case "data": data = data.map { $0 + [0x0A] + value } ?? Array(value)
        default: break
        }
    }
    return events
}

private func scanned(_ bytes: UnsafeRawBufferPointer, step: Int) -> [Event] {
    var scanner = EventStreamScanner()
    var events: [Event] = []
    for start in stride(from: 0, to: bytes.count, by: step) {
        let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + step, bytes.count)])
        do throws(EventStreamError) {
            try scanner.scan(piece) { events.append(Event(name: Array($0.name), data: Array($0.data))) }
        } catch {
            fatalError("\(bytes.count) bytes are too large: \(error)")
        }
    }
    return events
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    let events = expected(bytes)
    for step in [max(count, 1), 1, 7] {
        guard scanned(bytes, step: step) == events else { fatalError("other events in pieces of \(step)") }
    }
    return 0
}
