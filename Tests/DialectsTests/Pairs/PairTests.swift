// SPDX-License-Identifier: Apache-2.0
import Gateway
import JSON
import Testing

@testable import Dialects

/// A client's dialect and a provider's.
struct DialectPair: Sendable, CustomTestStringConvertible {
    let client: Dialect
    let provider: Dialect

    var testDescription: String { "\(client.name)-to-\(provider.name)" }

    static let all = Dialect.allCases.flatMap { client in
        Dialect.allCases.map { DialectPair(client: client, provider: $0) }
    }
    static let different = all.filter { $0.client != $0.provider }

    /// A conversation with calls, their results and an image, as a client of this dialect sends it.
    private static func request(_ client: Dialect) throws -> [UInt8] {
        switch client {
        case .chat: try CodecSupport.file("Fixtures/chat/tool-loop.json")
        case .responses: try CodecSupport.file("Fixtures/responses/codex-standard.json")
        case .messages: try CodecSupport.file("Fixtures/messages/tool-result.json")
        case .gemini: try CodecSupport.file("Fixtures/gemini/tool-loop.json")
        }
    }

    /// Thoughts, text and two calls at once, as a provider of this dialect streams them.
    static func answer(_ provider: Dialect) throws -> [UInt8] {
        try CodecSupport.file("Fixtures/answers/\(provider.name).txt")
    }

    /// The client's request translated.
    func translation(streaming: Bool) throws -> (Translation, body: [UInt8]) {
        var body = try DialectPair.request(client)
        if !streaming {
            body = Array(
                String(decoding: body, as: UTF8.self).replacing(/"stream": ?true/, with: #""stream":false"#)
                    .utf8)
        }
        let request = TranslationRequest(
            client: client, upstream: provider,
            target: RequestTarget(origin: CodecSupport.origin, streaming: true),
            streamingByPath: client == .gemini ? streaming : nil, requestID: "req_t",
            nowUnix: 1_700_000_000)
        return try Translation.make(
            request, body: body, clientModel: "m", estimatedInput: 9, parser: JSONParser())
    }

    /// What the client gets of the provider's stream when it arrives in such parts.
    func answer(inPartsOf size: Int, streaming: Bool = true) throws -> String {
        let translator = try translation(streaming: streaming).0.translator(.eventStream)
        let bytes = try DialectPair.answer(provider)
        let parser = JSONParser()
        var output: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            bytes[start..<min(start + size, bytes.count)].withUnsafeBytes {
                translator.received($0, parser: parser)
            }
            output += translator.takeOutput()
        }
        translator.ended(parser: parser)
        output += translator.takeOutput()
        #expect(translator.phase == .finished)
        return String(decoding: output, as: UTF8.self)
    }
}

@Suite struct PairTests {
    @Test(arguments: DialectPair.different)
    func `a client's request becomes one that the provider takes`(pair: DialectPair) throws {
        let body = try pair.translation(streaming: true).body
        try CodecSupport.expect(
            String(decoding: body, as: UTF8.self), isGolden: "pairs/\(pair.testDescription)-request.json")
    }

    @Test(arguments: DialectPair.different)
    func `a provider's stream becomes one of the client's`(pair: DialectPair) throws {
        try CodecSupport.expect(
            try pair.answer(inPartsOf: .max), isGolden: "pairs/\(pair.testDescription)-stream.txt")
    }

    @Test(arguments: DialectPair.different)
    func `a provider's stream becomes the client's document`(pair: DialectPair) throws {
        try CodecSupport.expect(
            try pair.answer(inPartsOf: .max, streaming: false),
            isGolden: "pairs/\(pair.testDescription)-answer.json")
    }

    @Test(arguments: DialectPair.all)
    func `a stream that arrives byte by byte is the same to the client`(pair: DialectPair) throws {
        let whole = try pair.answer(inPartsOf: .max)
        for size in [1, 2, 3, 5, 64] { #expect(try pair.answer(inPartsOf: size) == whole) }
    }

    @Test(arguments: Dialect.allCases)
    func `a provider's stream may be parted anywhere`(provider: Dialect) throws {
        let bytes = try DialectPair.answer(provider)
        func events(_ parts: [ArraySlice<UInt8>]) throws -> [AnswerEvent] {
            try CodecSupport.events(
                CodecTable.decoder(
                    provider, target: RequestTarget(origin: CodecSupport.origin, streaming: true),
                    ids: AnswerIDs(requestID: "req_u")), parts)
        }
        let whole = try events([bytes[...]])
        #expect(whole.contains(.text("„Ōslo“ 🙂\n")))
        for split in bytes.indices {
            #expect(try events([bytes[..<split], bytes[split...]]) == whole)
        }
    }

    @Test(arguments: DialectPair.all)
    func `a client sees the same words, calls and reason whoever answers`(pair: DialectPair) throws {
        let decoder = CodecTable.decoder(
            pair.client, target: RequestTarget(origin: CodecSupport.origin, streaming: true),
            ids: AnswerIDs(requestID: "req_v"))
        let answer = CodecSupport.document(
            try CodecSupport.events(decoder, try pair.answer(inPartsOf: .max)))
        var texts = "", thoughts = ""
        var calls: [String] = []
        for part in answer.parts {
            switch part {
            case .text(let part): texts += part.text
            case .reasoning(let part): thoughts += part.text
            case .toolCall(let call): calls.append("\(call.name) \(call.arguments)")
            case .image, .document, .toolResult, .refusal, .opaque: break
            }
        }
        #expect(texts == "Ich schaue nach: „Ōslo“ 🙂\n")
        #expect(thoughts == "They ask for two towns.")
        #expect(answer.stop == .toolUse)
        // The Chat client of the fixture wants one call at a time.
        let both = [#"get_weather {"city":"Oslo"}"#, #"get_weather {"city":"Bern"}"#]
        #expect(calls == (pair.client == .chat ? [both[0]] : both))
        let usage = answer.usage
        #expect(usage.input + usage.cacheRead + usage.cacheWrite == 100 && usage.output == 30)
    }
}
