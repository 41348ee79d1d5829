// SPDX-License-Identifier: Apache-2.0
// Finds the events in a stream of bytes without copying those that arrive whole; only an event that is split over
// reads is carried over. The bytes themselves belong to the caller and pass untouched.
// Source: WHATWG HTML §9.2 (server-sent events), read 2026-08.

import Bytes

/// One event; both views are valid only inside the callback.
package struct ServerSentEvent {
    /// The value of the last `event:` line, empty when there is none.
    package let name: UnsafeRawBufferPointer
    /// The `data:` lines joined by LF.
    package let data: UnsafeRawBufferPointer
}

/// The stream is not one that can be held: give it up.
package enum EventStreamError: Error, Equatable, Sendable {
    /// An event does not end within `EventStreamScanner.maximumEventBytes`.
    case eventTooLarge
}

/// The incremental scanner of one stream.
///
/// `id:` and `retry:` lines are skipped: nothing here reconnects. An event that the end of the stream cuts off is
/// never reported, as the standard asks.
package struct EventStreamScanner {
    /// The largest event in bytes, field names and line ends included.
    package static let maximumEventBytes = 16 << 20
    /// A carried event above this size gives its buffer back when it is done.
    private static let retainedBytes = 64 << 10

    /// The bytes of an event that has begun and not ended.
    private var carried: [UInt8] = []
    /// The carried bytes end behind a line end, so that a line end now would end the event.
    private var carriedEndsLine = false
    /// The last byte was a CR; an LF that follows belongs to it.
    private var skipsLineFeed = false
    /// Nothing has been scanned, so that a byte order mark may follow.
    private var isAtStart = true
    private var joined: [UInt8] = []

    package init() {}

    /// Whether the bytes so far end behind an event's blank line, so that other events may be inserted here.
    /// False after a lone CR, which may be the first half of a line end.
    package var isAtBoundary: Bool { carried.isEmpty && !skipsLineFeed }

    /// Scans the next bytes and calls `body` for each event that ends in them.
    /// - Throws: `EventStreamError`; the scanner must not be used afterwards.
    package mutating func scan(
        _ bytes: UnsafeRawBufferPointer, _ body: (borrowing ServerSentEvent) -> Void
    ) throws(EventStreamError) {
        guard let first = bytes.first else { return }
        var start = 0
        if skipsLineFeed {
            skipsLineFeed = false
            if first == ASCII.lineFeed {
                start = 1
                // Without it, a blank LF line behind a carried CR would read as CR LF.
                if !carried.isEmpty {
                    carried.append(first)
                }
            }
        }
        if !carried.isEmpty {
            start = try completeCarried(bytes, from: start, body)
        }
        guard start < bytes.count else { return }
        start = scanWhole(bytes, from: start, body)
        try carry(bytes, from: start, to: bytes.count)
    }

    /// Reports the events that lie wholly in `bytes`; returns where the first incomplete one begins.
    private mutating func scanWhole(
        _ bytes: UnsafeRawBufferPointer, from start: Int, _ body: (borrowing ServerSentEvent) -> Void
    ) -> Int {
        var cursor = LineCursor(bytes, from: start)
        var eventStart = start
        var name = 0..<0
        var data = 0..<0
        var dataLines = 0
        var isFirstLine = isAtStart
        while var line = cursor.next() {
            if isFirstLine {
                isFirstLine = false
                if bytes.slice(line).hasPrefix("\u{FEFF}") {
                    line = (line.lowerBound + 3)..<line.upperBound
                }
            }
            guard line.isEmpty else {
                switch Field(bytes, line) {
                case .data(let value):
                    if dataLines == 0 {
                        data = value
                    } else {
                        join(bytes, data, value, isSecond: dataLines == 1)
                    }
                    dataLines += 1
                case .name(let value): name = value
                case .other: break
                }
                continue
            }
            if dataLines == 1 {
                body(ServerSentEvent(name: bytes.slice(name), data: bytes.slice(data)))
            } else if dataLines > 1 {
                let name = bytes.slice(name)
                joined.withUnsafeBytes { body(ServerSentEvent(name: name, data: $0)) }
                joined.removeAll(keepingCapacity: joined.count <= Self.retainedBytes)
            }
            isAtStart = false
            eventStart = cursor.position
            name = 0..<0
            dataLines = 0
        }
        skipsLineFeed = cursor.endedInCarriageReturn
        if dataLines > 1 {
            joined.removeAll(keepingCapacity: true)
        }
        return eventStart
    }

    /// Adds a further data line to those before it.
    private mutating func join(
        _ bytes: UnsafeRawBufferPointer, _ first: Range<Int>, _ value: Range<Int>, isSecond: Bool
    ) {
        if isSecond {
            joined.append(contentsOf: bytes.slice(first))
        }
        joined.append(ASCII.lineFeed)
        joined.append(contentsOf: bytes.slice(value))
    }

    /// Adds what is left of the carried event and reports it; returns where the bytes behind it begin.
    private mutating func completeCarried(
        _ bytes: UnsafeRawBufferPointer, from start: Int, _ body: (borrowing ServerSentEvent) -> Void
    ) throws(EventStreamError) -> Int {
        var cursor = LineCursor(bytes, from: start)
        var endsLine = carriedEndsLine
        var isComplete = false
        while !isComplete, let line = cursor.next() {
            isComplete = line.isEmpty && endsLine
            endsLine = true
        }
        let end = isComplete ? cursor.position : bytes.count
        try carry(bytes, from: start, to: end)
        skipsLineFeed = end == bytes.count && cursor.endedInCarriageReturn
        guard isComplete else { return end }
        var event = carried
        carried = []
        let skips = skipsLineFeed
        event.withUnsafeBytes { view in
            var rest = 0
            // A byte order mark before an empty line makes two events out of one, the first of them empty.
            while rest < view.count {
                let next = scanWhole(view, from: rest, body)
                guard next > rest else { fatalError("a carried event has no end") }
                rest = next
            }
        }
        skipsLineFeed = skips
        event.removeAll(keepingCapacity: event.count <= Self.retainedBytes)
        carried = event
        return end
    }

    private mutating func carry(
        _ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int
    ) throws(EventStreamError) {
        guard start < end else { return }
        guard carried.count + (end - start) <= Self.maximumEventBytes else { throw .eventTooLarge }
        carried.append(contentsOf: bytes.slice(start..<end))
        let last = bytes[end - 1]
        carriedEndsLine = last == ASCII.lineFeed || last == ASCII.carriageReturn
    }
}

/// A line with a field that matters here; the ranges are those of the values.
private enum Field {
    case data(Range<Int>)
    case name(Range<Int>)
    case other

    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) {
        if let value = Self.value(of: "data", bytes, line) {
            self = .data(value)
        } else if let value = Self.value(of: "event", bytes, line) {
            self = .name(value)
        } else {
            self = .other
        }
    }

    /// The value of the field when the line has that name. One space behind the colon is not part of it.
    @inline(__always)
    private static func value(
        of name: StaticString, _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>
    ) -> Range<Int>? {
        guard bytes.slice(line).hasPrefix(name) else { return nil }
        var start = line.lowerBound + name.utf8CodeUnitCount
        guard start < line.upperBound else { return line.upperBound..<line.upperBound }
        guard bytes[start] == ASCII.colon else { return nil }
        start += 1
        if start < line.upperBound, bytes[start] == ASCII.space {
            start += 1
        }
        return start..<line.upperBound
    }
}
