// SPDX-License-Identifier: Apache-2.0
// Fuzzes the codecs of requests: whatever a body holds, it is refused with an error for its client or becomes a body of
// every dialect that is JSON. The first byte chooses the client's dialect.
// Source: https://llvm.org/docs/LibFuzzer.html.

import Dialects
import Gateway
import JSON

private nonisolated(unsafe) let codecs: [any RequestCodec.Type] = [
    ChatRequests.self, ResponsesRequests.self, MessagesRequests.self, GeminiRequests.self,
]
private nonisolated(unsafe) let parser = JSONParser()
// What is written may be nested deeper than what was read.
private nonisolated(unsafe) let judge = JSONParser(maximumDepth: 1_024)

private func read(_ codec: any RequestCodec.Type, _ body: [UInt8]) -> CanonicalRequest? {
    body.withUnsafeBytes { read(codec, body, $0) }
}

private func read(_ codec: any RequestCodec.Type, _ body: [UInt8], _ view: UnsafeRawBufferPointer)
    -> CanonicalRequest?
{
    guard let root = try? parser.parse(view), let map = SourceMap(parser) else {
        return nil
    }
    do throws(GatewayError) {
        return try codec.decode(
            RequestSource(root: root, text: body, map: map, model: "gemini-3-pro", streaming: true))
    } catch {
        guard error.kind == .invalidRequest, !error.message.isEmpty else {
            fatalError("refused as something else: \(error)")
        }
        return nil
    }
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    guard let first = bytes.first else { return 0 }
    let body = Array(bytes[1...])
    guard let request = read(codecs[Int(first) % codecs.count], body) else { return 0 }
    for codec in codecs {
        for provider in ["p", "q"] {
            var notes = RequestNotes()
            let target = RequestTarget(
                origin: Origin(provider: provider, model: "m"), streaming: request.streaming)
            do throws(GatewayError) {
                let written = try codec.encode(request, for: target, &notes)
                guard (try? judge.parse(written)) != nil else { fatalError("\(codec) wrote what is no JSON") }
            } catch {
                guard error.kind == .invalidRequest else { fatalError("refused as something else: \(error)") }
            }
        }
    }
    return 0
}
