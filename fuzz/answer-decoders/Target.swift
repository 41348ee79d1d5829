// SPDX-License-Identifier: Apache-2.0
// Fuzzes the reading of answers: whatever a provider sends, as a stream or as a document, its answer ends once and nothing
// follows, cut anywhere it means the same, and every dialect's stream of it ends once as well.
// Source: https://llvm.org/docs/LibFuzzer.html.

import Dialects
import EventStream
import Gateway
import JSON

private nonisolated(unsafe) let parser = JSONParser()
private let origin = Origin(provider: "p", model: "m")
private let context = AnswerContext(
    model: "m", createdUnix: 0, wantsStreamUsage: true, ids: AnswerIDs(requestID: "req_f"))

private func decoder(_ choice: UInt8) -> any AnswerDecoder {
    switch choice % 4 {
    case 0: ResponsesAnswerDecoder(origin: origin)
    case 1: GeminiAnswerDecoder(origin: origin, ids: AnswerIDs(requestID: "req_u"))
    case 3: MessagesAnswerDecoder(origin: origin, ids: AnswerIDs(requestID: "req_u"))
    default: ChatAnswerDecoder(origin: origin, ids: AnswerIDs(requestID: "req_u"))
    }
}

private func streamed(_ choice: UInt8, _ body: UnsafeRawBufferPointer, step: Int) -> [AnswerEvent]? {
    var decoder = decoder(choice)
    var scanner = EventStreamScanner()
    var events: [AnswerEvent] = []
    var start = 0
    while start < body.count {
        let end = min(start + step, body.count)
        do throws(EventStreamError) {
            try scanner.scan(UnsafeRawBufferPointer(rebasing: body[start..<end])) {
                decoder.received(name: $0.name, data: $0.data, parser: parser, into: &events)
            }
        } catch {
            return nil
        }
        start = end
    }
    decoder.ended(into: &events)
    return events
}

private func documented(_ choice: UInt8, _ body: UnsafeRawBufferPointer) -> [AnswerEvent]? {
    guard let root = try? parser.parse(body), let map = SourceMap(parser) else {
        return nil
    }
    var decoder = decoder(choice)
    var events: [AnswerEvent] = []
    decoder.received(document: root, map: map, into: &events)
    decoder.ended(into: &events)
    return events
}

private func isEnd(_ event: AnswerEvent) -> Bool {
    switch event {
    case .finished, .failed: true
    default: false
    }
}

private func check(_ events: [AnswerEvent]) {
    guard events.count(where: isEnd) == 1, events.last.map(isEnd) == true else {
        fatalError("the answer does not end exactly once, at its end")
    }
    let encoders: [any AnswerEncoder] = [
        ResponsesAnswerEncoder(context), GeminiAnswerEncoder(context),
        GeminiAnswerEncoder(context, framing: .array), MessagesAnswerEncoder(context),
        ChatAnswerEncoder(context),
    ]
    for var encoder in encoders {
        var bytes: [UInt8] = []
        for event in events { encoder.encode(event, into: &bytes) }
        let length = bytes.count
        encoder.encode(.text("late"), into: &bytes)
        encoder.encode(.finished(.endTurn, stopSequence: nil), into: &bytes)
        guard bytes.count == length else { fatalError("something follows the end") }
    }
    var document = AnswerDocument()
    for event in events { document.add(event) }
    guard document.failure == nil else { return }
    for var encoder in encoders {
        guard (try? parser.parse(encoder.encode(document))) != nil else {
            fatalError("a document is no JSON")
        }
    }
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    guard let first = bytes.first else { return 0 }
    let body = UnsafeRawBufferPointer(rebasing: bytes[1...])
    if let events = documented(first, body) { check(events) }
    guard let whole = streamed(first, body, step: max(body.count, 1)) else { return 0 }
    check(whole)
    guard let cut = streamed(first, body, step: 1), cut == whole else {
        fatalError("cut into bytes, the stream means something else")
    }
    return 0
}
