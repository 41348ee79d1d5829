// SPDX-License-Identifier: Apache-2.0
import Bytes
import Gateway
import JSON
import Testing

@testable import Dialects

@Suite struct AnswerTranslatorTests {
    /// A dialect of the test's own: every event's data is one word, "end" ends, "bad" fails, "half" leaves a call open.
    private struct WordDecoder: AnswerDecoder {
        var isOver = false

        mutating func received(
            name: UnsafeRawBufferPointer, data: UnsafeRawBufferPointer, parser: JSONParser,
            into events: inout [AnswerEvent]
        ) {
            take(String(decoding: data, as: UTF8.self), &events)
        }

        mutating func received(document root: JSONValue, map: SourceMap, into events: inout [AnswerEvent]) {
            for word in root.elements { take(word.string ?? "", &events) }
        }

        mutating func ended(into events: inout [AnswerEvent]) {
            if !isOver { events.append(.failed(GatewayError(.upstreamUnreachable, "too early"))) }
            isOver = true
        }

        private mutating func take(_ word: String, _ events: inout [AnswerEvent]) {
            guard !isOver else { return }
            switch word {
            case "hello": events.append(.started(id: nil))
            case "end":
                events.append(.usage(Usage(input: 1, output: 2)))
                events.append(.finished(.endTurn, stopSequence: nil))
                isOver = true
            case "bare":
                events.append(.finished(.endTurn, stopSequence: nil))
                isOver = true
            case "bad":
                events.append(.failed(GatewayError(.rateLimited, "reported")))
                isOver = true
            case "shown", "hidden":
                events.append(.opaque(OpaquePart(.chat, type: word, json: JSONText("{}"))))
            default: events.append(.text(word))
            }
        }
    }

    private struct LineEncoder: AnswerEncoder {
        mutating func encode(_ event: AnswerEvent, into bytes: inout [UInt8]) {
            switch event {
            case .text(let text): bytes.append(contentsOf: "+\(text)\n".utf8)
            case .finished: bytes.append(contentsOf: "done\n".utf8)
            case .failed(let error): bytes.append(contentsOf: "failed \(error.message)\n".utf8)
            default: break
            }
        }

        func shows(_ part: OpaquePart) -> Bool { part.type == "shown" }

        mutating func encode(_ document: AnswerDocument) -> [UInt8] {
            var text = "whole:"
            for case .text(let part) in document.parts { text += part.text }
            return Array(text.utf8)
        }
    }

    private let parser = JSONParser()

    private func translator(_ form: AnswerTranslator.Form, clientStreams: Bool) -> AnswerTranslator {
        AnswerTranslator(
            decoder: WordDecoder(), encoder: LineEncoder(),
            restorer: AnswerRestorer(names: ToolNameTable(), stop: []), form: form,
            clientStreams: clientStreams)
    }

    private func feed(_ translator: AnswerTranslator, _ text: String) -> String {
        Array(text.utf8).withUnsafeBytes { translator.received($0, parser: parser) }
        return String(decoding: translator.takeOutput(), as: UTF8.self)
    }

    @Test func `a stream is translated event for event`() {
        let translator = translator(.eventStream, clientStreams: true)
        #expect(feed(translator, "data: hello\n\n") == "")
        #expect(translator.phase == .undecided)
        #expect(feed(translator, "data: one\n\nda") == "+one\n")
        #expect(translator.phase == .content)
        #expect(feed(translator, "ta: two\n\ndata: end\n\n") == "+two\ndone\n")
        #expect(translator.phase == .finished)
        #expect(translator.usage == Usage(input: 1, output: 2))
        #expect(feed(translator, "data: late\n\n") == "")
    }

    @Test func `a stream becomes one document for a client that wants it whole`() {
        let translator = translator(.eventStream, clientStreams: false)
        #expect(feed(translator, "data: one\n\ndata: two\n\n") == "")
        #expect(translator.phase == .content)
        #expect(feed(translator, "data: end\n\n") == "whole:onetwo")
    }

    @Test func `a document becomes a stream, or another document`() {
        for (clientStreams, expected) in [(true, "+one\n+two\ndone\n"), (false, "whole:onetwo")] {
            let translator = translator(.document, clientStreams: clientStreams)
            #expect(feed(translator, #"["hello","one","#) == "")
            #expect(feed(translator, #""two","end"]"#) == "")
            translator.ended(parser: parser)
            #expect(String(decoding: translator.takeOutput(), as: UTF8.self) == expected)
            #expect(translator.phase == .finished)
        }
    }

    @Test func `a reported error fails the answer and tells a streaming client`() {
        let translator = translator(.eventStream, clientStreams: true)
        #expect(feed(translator, "data: one\n\ndata: bad\n\n") == "+one\nfailed reported\n")
        #expect(translator.phase == .failed(GatewayError(.rateLimited, "reported")))
    }

    @Test(arguments: [true, false])
    func `what no provider counted is estimated for the client and not for the records`(counts: Bool) {
        let words = counts ? ["hello", "end"] : ["hello", "thirty-six letters of an answer here", "bare"]
        let translator = AnswerTranslator(
            decoder: WordDecoder(), encoder: ChatAnswerEncoder(CodecSupport.context),
            restorer: AnswerRestorer(names: ToolNameTable(), stop: []), form: .eventStream,
            clientStreams: true, estimatedInput: 50)
        let stream = feed(translator, words.map { "data: \($0)\n\n" }.joined())
        #expect(translator.isUsageEstimated == !counts)
        #expect(
            stream.contains(counts ? #""prompt_tokens":1,"# : #""prompt_tokens":50,"completion_tokens":10"#))
        #expect(translator.usage == (counts ? Usage(input: 1, output: 2) : Usage()))
    }

    @Test func `an end that comes too early is a failure`() {
        let translator = translator(.eventStream, clientStreams: true)
        _ = feed(translator, "data: one\n\n")
        translator.ended(parser: parser)
        #expect(String(decoding: translator.takeOutput(), as: UTF8.self) == "failed too early\n")
    }

    @Test func `a broken connection is told once`() {
        let translator = translator(.eventStream, clientStreams: true)
        _ = feed(translator, "data: one\n\n")
        translator.broke(GatewayError(.upstreamTimeout, "silent"))
        translator.broke(GatewayError(.upstreamTimeout, "again"))
        translator.ended(parser: parser)
        #expect(String(decoding: translator.takeOutput(), as: UTF8.self) == "failed silent\n")
    }

    @Test(arguments: [true, false])
    func `what a client is not shown is counted`(clientStreams: Bool) {
        let translator = translator(.eventStream, clientStreams: clientStreams)
        _ = feed(translator, "data: shown\n\ndata: hidden\n\ndata: hidden\n\ndata: end\n\n")
        #expect(translator.losses[.opaquePart] == 2)
    }

    @Test func `a document that is no JSON fails`() {
        let translator = translator(.document, clientStreams: false)
        _ = feed(translator, "<html>")
        translator.ended(parser: parser)
        guard case .failed(let error) = translator.phase else {
            Issue.record("\(translator.phase)")
            return
        }
        #expect(error.kind == .upstreamUnreachable)
        #expect(translator.takeOutput().isEmpty)
    }
}
