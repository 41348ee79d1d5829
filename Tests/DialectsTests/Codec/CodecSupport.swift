// SPDX-License-Identifier: Apache-2.0
import EventStream
import Foundation
import Gateway
import JSON
import Testing

@testable import Dialects

/// What the tests of all codecs share.
enum CodecSupport {
    static let origin = Origin(provider: "p", model: "m")
    static let context = AnswerContext(
        model: "m", createdUnix: 1_700_000_000, wantsStreamUsage: true, ids: AnswerIDs(requestID: "req_t"))

    /// A file below Tests.
    static func file(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: root.appendingPathComponent(path)))
    }

    /// A text of Tests/DialectsTests/Golden.
    static func golden(_ name: String) throws -> String {
        String(decoding: try file("DialectsTests/Golden/" + name), as: UTF8.self)
    }

    /// Compares with a golden file. With CCR_WRITE_GOLDEN in the environment the file is written instead, to be read
    /// and judged by whoever changed the code.
    static func expect(
        _ text: String, isGolden name: String, sourceLocation: SourceLocation = #_sourceLocation
    )
        throws
    {
        let isJSON = name.hasSuffix(".json")
        let text = isJSON ? try normalised(text) : text
        if ProcessInfo.processInfo.environment["CCR_WRITE_GOLDEN"] != nil {
            let file = root.appendingPathComponent("DialectsTests/Golden/" + name)
            try (text + (isJSON ? "\n" : "")).write(to: file, atomically: true, encoding: .utf8)
            return
        }
        let golden = try golden(name)
        #expect(text == (isJSON ? try normalised(golden) : golden), sourceLocation: sourceLocation)
    }

    private static var root: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    static func decode(
        _ codec: any RequestCodec.Type, _ body: [UInt8], model: String = "m", streaming: Bool? = nil
    ) throws -> CanonicalRequest {
        let parser = JSONParser()
        return try body.withUnsafeBytes { view in
            let root = try parser.parse(view)
            let map = try #require(SourceMap(parser))
            return try codec.decode(
                RequestSource(root: root, text: body, map: map, model: model, streaming: streaming))
        }
    }

    static func decode(_ codec: any RequestCodec.Type, _ body: String, streaming: Bool? = nil) throws
        -> CanonicalRequest
    {
        try decode(codec, Array(body.utf8), streaming: streaming)
    }

    static func encode(
        _ codec: any RequestCodec.Type, _ request: CanonicalRequest, to origin: Origin = origin,
        rules: UpstreamRules = UpstreamRules()
    ) throws -> (body: String, notes: RequestNotes) {
        var notes = RequestNotes()
        let target = RequestTarget(origin: origin, streaming: request.streaming, rules: rules)
        let bytes = try codec.encode(request, for: target, &notes)
        return (String(decoding: bytes, as: UTF8.self), notes)
    }

    /// The message of the error that decoding ends with.
    static func refusal(_ codec: any RequestCodec.Type, _ body: String) -> String? {
        do {
            _ = try decode(codec, body)
            return nil
        } catch let error as GatewayError {
            return error.kind == .invalidRequest ? error.message : nil
        } catch {
            return nil
        }
    }

    /// The events of a stream that arrives in the given parts.
    static func events(_ decoder: any AnswerDecoder, _ parts: [ArraySlice<UInt8>], ends: Bool = true) throws
        -> [AnswerEvent]
    {
        var decoder = decoder
        var scanner = EventStreamScanner()
        let parser = JSONParser()
        var events: [AnswerEvent] = []
        for part in parts {
            try Array(part).withUnsafeBytes { view in
                try scanner.scan(view) {
                    decoder.received(name: $0.name, data: $0.data, parser: parser, into: &events)
                }
            }
        }
        if ends { decoder.ended(into: &events) }
        return events
    }

    static func events(_ decoder: any AnswerDecoder, _ text: String) throws -> [AnswerEvent] {
        try events(decoder, [Array(text.utf8)[...]])
    }

    /// The events of a document.
    static func events(_ decoder: any AnswerDecoder, document text: String) throws -> [AnswerEvent] {
        var decoder = decoder
        let parser = JSONParser()
        var events: [AnswerEvent] = []
        try Array(text.utf8).withUnsafeBytes { view in
            let root = try parser.parse(view)
            let map = try #require(SourceMap(parser))
            decoder.received(document: root, map: map, into: &events)
        }
        decoder.ended(into: &events)
        return events
    }

    /// The stream that events become.
    static func stream(_ encoder: any AnswerEncoder, _ events: [AnswerEvent]) -> String {
        var encoder = encoder
        var bytes: [UInt8] = []
        for event in events { encoder.encode(event, into: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func document(_ events: [AnswerEvent]) -> AnswerDocument {
        var document = AnswerDocument()
        for event in events { document.add(event) }
        return document
    }

    static func document(_ encoder: any AnswerEncoder, _ events: [AnswerEvent]) -> String {
        var encoder = encoder
        return String(decoding: encoder.encode(document(events)), as: UTF8.self)
    }

    /// JSON with sorted members, so that texts compare; null members are as good as absent ones.
    static func normalised(_ json: String) throws -> String {
        let value = try JSONSerialization.jsonObject(with: Data(json.utf8), options: [.fragmentsAllowed])
        let data = try JSONSerialization.data(
            withJSONObject: withoutNulls(value), options: [.sortedKeys, .prettyPrinted, .fragmentsAllowed])
        return String(decoding: data, as: UTF8.self)
    }

    /// Compares two JSON texts and reports the first line in which they differ.
    static func expectSame(_ a: String, _ b: String, sourceLocation: SourceLocation = #_sourceLocation) throws
    {
        let a = try normalised(a).split(separator: "\n")
        let b = try normalised(b).split(separator: "\n")
        let different = zip(a, b).first { $0 != $1 }
        #expect(
            different == nil && a.count == b.count, "\(different.map { "\($0.0) | \($0.1)" } ?? "length")",
            sourceLocation: sourceLocation)
    }

    private static func withoutNulls(_ value: Any) -> Any {
        if let object = value as? [String: Any] {
            return object.filter { !($0.value is NSNull) }.mapValues(withoutNulls)
        }
        if let array = value as? [Any] { return array.map(withoutNulls) }
        return value
    }
}

/// One of the two event sequences differs only in how its texts are cut.
func joined(_ events: [AnswerEvent]) -> [AnswerEvent] {
    var joined: [AnswerEvent] = []
    for event in events {
        switch (joined.last, event) {
        case (.text(let a)?, .text(let b)): joined[joined.count - 1] = .text(a + b)
        case (.reasoning(let a)?, .reasoning(let b)): joined[joined.count - 1] = .reasoning(a + b)
        case (.arguments(let a)?, .arguments(let b)): joined[joined.count - 1] = .arguments(a + b)
        case (.refusal(let a)?, .refusal(let b)): joined[joined.count - 1] = .refusal(a + b)
        default: joined.append(event)
        }
    }
    return joined
}
