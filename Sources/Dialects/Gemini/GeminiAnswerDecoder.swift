// SPDX-License-Identifier: Apache-2.0
// Reads a Gemini answer: chunks that each are a whole response object with the next parts.
// Source: Gemini API reference (GenerateContentResponse, FinishReason, UsageMetadata) and google-genai 3.4.0 (types.py),
// 2026. Observed: calls arrive whole; a signature may stand on an empty text; "STOP" also ends answers with calls.

import Bytes
package import Gateway
package import JSON

/// The state machine of one answer. No I/O.
package struct GeminiAnswerDecoder: AnswerDecoder {
    private enum Open {
        case nothing
        case text
        case reasoning
    }

    private let origin: Origin
    private var ids: AnswerIDs
    private var hasStarted = false
    package private(set) var isOver = false
    private var open = Open.nothing
    private var hasCall = false
    private var hasContent = false
    private var usage = Usage()
    private var grounding: [Citation] = []
    private var queries: [String] = []

    /// - Parameters:
    ///   - origin: whom signatures in the answer belong to.
    ///   - ids: for calls, which have none of their own.
    package init(origin: Origin, ids: AnswerIDs) {
        self.origin = origin
        self.ids = ids
    }

    package mutating func received(
        name: UnsafeRawBufferPointer, data: UnsafeRawBufferPointer, parser: JSONParser,
        into events: inout [AnswerEvent]
    ) {
        // What does not parse says nothing; if it was the end, the end will be missed.
        guard !isOver, let root = try? parser.parse(data) else { return }
        received(root, &events)
    }

    package mutating func received(
        document root: JSONValue, map: SourceMap, into events: inout [AnswerEvent]
    ) {
        received(root, &events)
    }

    package mutating func ended(into events: inout [AnswerEvent]) {
        guard !isOver else { return }
        guard hasContent else {
            return fail("the provider ended the answer before it began", &events)
        }
        finish(hasCall ? .toolUse : .endTurn, &events)
    }

    // MARK: - Chunks

    /// One chunk, or an array of them: the form of a stream that is no event stream.
    private mutating func received(_ root: JSONValue, _ events: inout [AnswerEvent]) {
        if root.isArray {
            for chunk in root.elements { received(chunk, &events) }
            return
        }
        guard !isOver, root.isObject else { return }
        // Code Assist puts a member around it.
        let chunk = root.member("response") ?? root
        if let error = chunk.field("error") {
            isOver = true
            events.append(.failed(GatewayError(StreamFailure(error: error, in: chunk))))
            return
        }
        start(chunk, &events)
        if let reported = chunk.member("usageMetadata"), reported.isObject {
            let counts = Usage(gemini: reported)
            if counts != usage {
                usage = counts
                events.append(.usage(counts))
            }
        }
        if chunk.member("promptFeedback")?.field("blockReason") != nil {
            return finish(.contentFilter, &events)
        }
        guard let candidate = chunk.elements(of: "candidates").first(where: { _ in true }) else { return }
        for part in candidate.member("content")?.elements(of: "parts") ?? candidate.elements {
            received(part: part, &events)
        }
        readGrounding(candidate)
        if let reason = candidate.member("finishReason")?.string {
            finish(reason, candidate.member("finishMessage")?.string, &events)
        }
    }

    private mutating func start(_ chunk: JSONValue, _ events: inout [AnswerEvent]) {
        guard !hasStarted else { return }
        hasStarted = true
        events.append(.started(id: chunk.member("responseId")?.string))
    }

    private mutating func received(part: JSONValue, _ events: inout [AnswerEvent]) {
        let state = part.member("thoughtSignature")?.stringBytes.map {
            ReasoningState(.thoughtSignature, origin: origin, bytes: Array($0))
        }
        if let text = part.member("text")?.string {
            if part.member("thought")?.bool == true {
                think(text, state, &events)
            } else {
                say(text, state, &events)
            }
        } else if let call = part.member("functionCall") {
            remember(state, &events)
            self.call(call, &events)
        } else if let name = part.members.first(where: { !$0.value.isNull }).map({
            String(decoding: $0.key, as: UTF8.self)
        }) {
            remember(state, &events)
            hasContent = true
            events.append(.opaque(OpaquePart(.gemini, type: name, json: part.compactJSON)))
        }
    }

    private mutating func think(_ text: String, _ state: ReasoningState?, _ events: inout [AnswerEvent]) {
        if open != .reasoning {
            close(&events)
            open = .reasoning
            events.append(.reasoningBegan(isSummary: true))
        }
        if !text.isEmpty {
            hasContent = true
            events.append(.reasoning(text))
        }
        if state != nil { remember(state, &events) }
    }

    /// A signature stands before the part that carried it, behind the thoughts if they have just ended.
    private mutating func remember(_ state: ReasoningState?, _ events: inout [AnswerEvent]) {
        if let state {
            if open != .reasoning {
                close(&events)
                events.append(.reasoningBegan(isSummary: true))
            }
            open = .nothing
            events.append(.reasoningEnded(state: state))
        } else {
            close(&events)
        }
    }

    private mutating func say(_ text: String, _ state: ReasoningState?, _ events: inout [AnswerEvent]) {
        if state != nil { remember(state, &events) }
        guard !text.isEmpty else { return }
        if open != .text {
            close(&events)
            open = .text
            events.append(.textBegan(phase: nil))
        }
        hasContent = true
        events.append(.text(text))
    }

    private mutating func call(_ call: JSONValue, _ events: inout [AnswerEvent]) {
        guard let name = call.member("name")?.string, !name.isEmpty else { return }
        hasCall = true
        hasContent = true
        let id = call.member("id")?.string.flatMap { $0.isEmpty ? nil : $0 } ?? ids.next("call_")
        events.append(.callBegan(ToolCall(id: id, name: name, arguments: "")))
        if let arguments = call.member("args"), arguments.isObject {
            events.append(.arguments(arguments.compactJSON.text))
        }
        events.append(.callEnded)
    }

    private mutating func close(_ events: inout [AnswerEvent]) {
        switch open {
        case .nothing: break
        case .text: events.append(.textEnded)
        case .reasoning: events.append(.reasoningEnded(state: nil))
        }
        open = .nothing
    }

    /// Sources come with the last chunks, each time all of them.
    private mutating func readGrounding(_ candidate: JSONValue) {
        guard let metadata = candidate.member("groundingMetadata") else { return }
        let sources = metadata.elements(of: "groundingChunks").compactMap { chunk -> Citation? in
            guard let web = chunk.member("web"), let url = web.member("uri")?.string else { return nil }
            return Citation(url: url, title: web.member("title")?.string)
        }
        if !sources.isEmpty { grounding = sources }
        let searched = metadata.elements(of: "webSearchQueries").compactMap(\.string)
        if !searched.isEmpty { queries = searched }
    }

    // MARK: - The end

    private mutating func finish(_ name: String, _ message: String?, _ events: inout [AnswerEvent]) {
        switch name {
        case "STOP": finish(hasCall ? .toolUse : .endTurn, &events)
        case "MAX_TOKENS": finish(.maxTokens, &events)
        case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR":
            finish(.contentFilter, &events)
        case _ where name.hasPrefix("IMAGE_"): finish(.contentFilter, &events)
        case "CONTINUATION": finish(.pauseTurn, &events)
        case "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS",
            "MISSING_THOUGHT_SIGNATURE", "OTHER":
            fail("the provider gave the answer up: \(name)", quote: message ?? "", &events)
        default: finish(hasCall ? .toolUse : .endTurn, &events)
        }
    }

    private mutating func finish(_ reason: StopReason, _ events: inout [AnswerEvent]) {
        for citation in grounding { events.append(.citation(citation)) }
        close(&events)
        for query in queries {
            var writer = JSONWriter()
            writer.string(query)
            events.append(
                .opaque(
                    OpaquePart(.gemini, type: "webSearchQuery", json: JSONText(writer.bytes), search: query)))
        }
        isOver = true
        events.append(.finished(reason, stopSequence: nil))
    }

    private mutating func fail(_ message: String, quote: String = "", _ events: inout [AnswerEvent]) {
        isOver = true
        let quote = String(decoding: quote.utf8.prefix(StreamFailure.maximumMessageBytes), as: UTF8.self)
        events.append(.failed(GatewayError(.upstreamUnreachable, message, quote: quote)))
    }
}
