// SPDX-License-Identifier: Apache-2.0
import EventStream
import Testing

/// An event as a test sees it.
struct Seen: Equatable, Sendable {
    let name: String
    let data: String

    init(_ name: String, _ data: String) {
        self.name = name
        self.data = data
    }
}

/// A stream and what it means.
struct Sample: Sendable, CustomTestStringConvertible {
    let text: String
    let events: [Seen]
    var testDescription: String { String(text.prefix(60)).debugDescription }

    init(_ text: String, _ events: [Seen]) {
        self.text = text
        self.events = events
    }
}

let samples: [Sample] = [
    Sample("", []),
    Sample("data: a\n\n", [Seen("", "a")]),
    Sample("data:a\n\ndata:  b\n\n", [Seen("", "a"), Seen("", " b")]),
    Sample("event: x\ndata: {\"a\":1}\n\n", [Seen("x", "{\"a\":1}")]),
    Sample("event:x\r\ndata:1\r\n\r\nevent: y\r\ndata: 2\r\n\r\n", [Seen("x", "1"), Seen("y", "2")]),
    Sample("data: a\r\rdata: b\r\r", [Seen("", "a"), Seen("", "b")]),
    Sample(
        "data: a\r\n\ndata: b\n\r\ndata: c\n\rdata: d\r\n\r",
        [Seen("", "a"), Seen("", "b"), Seen("", "c"), Seen("", "d")]),
    Sample("data: a\ndata: b\ndata:\ndata: c\n\n", [Seen("", "a\nb\n\nc")]),
    Sample("data\n\ndata\ndata\n\ndata:\n\n", [Seen("", ""), Seen("", "\n"), Seen("", "")]),
    Sample(": comment\n\n:\n\n: x\ndata: a\n: y\n\n", [Seen("", "a")]),
    Sample("id: 1\nretry: 10\ndata: a\nfoo: bar\nfoo\ndatas: x\neventual: y\n\n", [Seen("", "a")]),
    Sample("event: a\nevent: b\ndata: 1\n\ndata: 2\n\n", [Seen("b", "1"), Seen("", "2")]),
    Sample("event: a\n\ndata: 1\n\n", [Seen("", "1")]),
    Sample("event\nevent:\ndata: 1\n\n", [Seen("", "1")]),
    Sample("\u{FEFF}data: a\n\n", [Seen("", "a")]),
    Sample("\u{FEFF}\ndata: a\n\n", [Seen("", "a")]),
    Sample("\u{FEFF}\n\n\u{FEFF}data: a\n\ndata: b\n\n", [Seen("", "b")]),
    Sample("\u{FEFF}\u{FEFF}data: a\n\n", []),
    Sample("\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [Seen("", "a"), Seen("", "b")]),
    Sample("data: é😀\n\ndata: \u{0}\n\n", [Seen("", "é😀"), Seen("", "\u{0}")]),
    Sample("data: a: b\n\n data: c\n\n", [Seen("", "a: b")]),
    Sample("data: complete\n\ndata: cut", [Seen("", "complete")]),
    Sample("data: complete\n\ndata: cut\n", [Seen("", "complete")]),
]

@Suite struct EventStreamScannerTests {
    /// Feeds the parts and gives the events and whether the end is a boundary.
    private func scan(_ parts: [ArraySlice<UInt8>]) throws -> (events: [Seen], boundary: Bool) {
        var scanner = EventStreamScanner()
        var events: [Seen] = []
        for part in parts {
            // A copy of its own: a view kept for too long would show.
            let bytes = Array(part)
            try bytes.withUnsafeBytes { view in
                try scanner.scan(view) { event in
                    events.append(
                        Seen(
                            String(decoding: event.name, as: UTF8.self),
                            String(decoding: event.data, as: UTF8.self)))
                }
            }
        }
        return (events, scanner.isAtBoundary)
    }

    @Test(arguments: samples)
    func `a stream read at once has the standard's events`(sample: Sample) throws {
        #expect(try scan([Array(sample.text.utf8)[...]]).events == sample.events)
    }

    @Test(arguments: samples)
    func `a stream read byte by byte has the same events`(sample: Sample) throws {
        let bytes = Array(sample.text.utf8)
        #expect(try scan(bytes.indices.map { bytes[$0...$0] }).events == sample.events)
    }

    @Test(arguments: samples)
    func `a stream split at any two points has the same events`(sample: Sample) throws {
        let bytes = Array(sample.text.utf8)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let parts = [bytes[..<first], bytes[first..<second], bytes[second...]]
                #expect(try scan(parts).events == sample.events, "split at \(first) and \(second)")
            }
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `any mixture of lines, however it is cut, has the same events`() throws {
        var random = SplitMix(state: 1)
        let pieces = ["\r", "\n", "\r\n", "data: a", "data", "event: e", ":c", "\u{FEFF}", "x"]
        for _ in 0..<3000 {
            let text = (0..<Int.random(in: 1...14, using: &random)).map { _ in
                pieces.randomElement(using: &random) ?? ""
            }
            let bytes = Array(text.joined().utf8)
            var parts: [ArraySlice<UInt8>] = []
            var start = 0
            while start < bytes.count {
                let end = min(bytes.count, start + Int.random(in: 0...4, using: &random))
                parts.append(bytes[start..<end])
                start = end
            }
            let whole = try scan([bytes[...]])
            let cut = try scan(parts)
            #expect(whole.events == cut.events, "\(text)")
            // Behind a byte order mark that came in parts, an empty line is not taken for a boundary.
            #expect(whole.boundary == cut.boundary || text.first == "\u{FEFF}", "\(text)")
        }
    }

    @Test(arguments: [
        ("", true), ("d", false), ("data: a", false), ("data: a\n", false), ("data: a\n\n", true),
        (": c\n", false),
        (": c\n\n", true), ("\n", true), ("data: a\r\n\r", false), ("data: a\r\n\r\n", true),
        ("data: a\n\nd", false),
        ("data: a\n\nevent: x\n", false),
    ])
    func `a boundary is where an event's blank line ends`(text: String, expected: Bool) throws {
        let bytes = Array(text.utf8)
        #expect(try scan([bytes[...]]).boundary == expected)
        #expect(try scan(bytes.indices.map { bytes[$0...$0] }).boundary == expected)
        for split in 0...bytes.count {
            #expect(try scan([bytes[..<split], bytes[split...]]).boundary == expected)
        }
    }

    @Test func `an event larger than any buffer is carried over`() throws {
        let data = [UInt8](repeating: 0x78, count: 1_000_000)
        let stream = Array("event: big\ndata: ".utf8) + data + Array("\n\ndata: next\n\n".utf8)
        let parts = stride(from: 0, to: stream.count, by: 16_384).map {
            stream[$0..<min($0 + 16_384, stream.count)]
        }
        let events = try scan(parts).events
        #expect(events.map(\.name) == ["big", ""])
        #expect(events.map(\.data.utf8.count) == [1_000_000, 4])
    }

    @Test func `an event may reach the bound and not pass it`() throws {
        let line = Array("data: ".utf8)
        let fill = [UInt8](repeating: 0x78, count: EventStreamScanner.maximumEventBytes - line.count - 2)
        #expect(try scan([line[...], fill[...], [0x0A, 0x0A]]).events.count == 1)
        #expect(throws: EventStreamError.eventTooLarge) {
            try scan([line[...], fill[...], [0x78], [0x0A, 0x0A]])
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["\n", "\r", "\r\n", "x\r", ":\n", "data\n"])
    func `a hostile run of line ends costs linear time`(unit: String) throws {
        let bytes = Array(String(repeating: unit, count: 200_000).utf8)
        _ = try scan([bytes[...]])
        _ = try scan([Array("data: x\n".utf8)[...], bytes[...]])
    }
}

/// A generator whose numbers are the same in every run.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
