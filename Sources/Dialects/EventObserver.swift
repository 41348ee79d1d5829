// SPDX-License-Identifier: Apache-2.0
// What the events of an upstream's stream mean, per dialect. The common event, a delta, is looked at and not parsed.
// Source: OpenAI API reference (chat and responses streaming), Anthropic API reference (messages streaming), 2026-08;
// google-genai 3.4.0 (types.py: GenerateContentResponse).

import Bytes
import EventStream
import Gateway
import JSON

/// The meaning of one event stream so far.
struct EventObserver {
    let endpoint: Endpoint
    private(set) var phase = ResponseObserver.Phase.undecided
    private(set) var usage = Usage()
    /// From `response.created` and its like; needed to end the stream in the same response's name.
    private(set) var responseID: String?
    private(set) var model: String?
    private(set) var createdAt: Int?
    /// One more than the highest `sequence_number`.
    private(set) var nextSequenceNumber = 0
    /// The answer was finished in substance: only the dialect's last event is missing.
    private var sawFinish = false

    init(endpoint: Endpoint) {
        self.endpoint = endpoint
    }

    mutating func received(_ event: borrowing ServerSentEvent, _ parser: JSONParser) {
        switch phase {
        case .finished, .failed: return
        case .undecided, .content: break
        }
        switch endpoint.dialect {
        case .chat: chat(event.data, parser)
        case .responses:
            if let number = MemberScan.integer(of: "\"sequence_number\"", in: event.data) {
                nextSequenceNumber = max(nextSequenceNumber, number + 1)
            }
            named(event, parser) { $0.responses($1, $2, parser) }
        case .messages: named(event, parser) { $0.messages($1, $2, parser) }
        case .gemini: gemini(event.data, parser)
        }
    }

    mutating func ended() {
        switch phase {
        case .finished, .failed: break
        case .undecided, .content:
            phase =
                sawFinish
                ? .finished
                : .failed(
                    StreamFailure(.truncated, "the provider ended the stream before the answer was complete"))
        }
    }

    /// An event could not be held, and nothing that follows it can be read.
    mutating func gaveUp() {
        switch phase {
        case .finished, .failed: break
        case .undecided, .content:
            phase = .failed(StreamFailure(.truncated, "an event of the provider's stream is too large"))
        }
    }

    private mutating func failed(error: JSONValue?, in outer: JSONValue?) {
        // What is announced as an error and cannot be read is one all the same.
        phase = .failed(
            outer.map { StreamFailure(error: error, in: $0) }
                ?? StreamFailure(.reported, "the provider sent an error that cannot be read"))
    }

    /// Calls `body` with the event's name, or the type in its data when the name says nothing.
    private mutating func named(
        _ event: borrowing ServerSentEvent, _ parser: JSONParser,
        _ body: (inout EventObserver, UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void
    ) {
        if !event.name.isEmpty, !event.name.equals("message") {
            body(&self, event.name, event.data)
        } else {
            let data = event.data
            MemberScan.withType(of: data, parser) { body(&self, $0, data) }
        }
    }

    // MARK: - Chat Completions, completions, images

    private mutating func chat(_ data: UnsafeRawBufferPointer, _ parser: JSONParser) {
        let brace = UInt8(ascii: "{")
        if data.hasPrefix("[DONE]") {
            phase = .finished
        } else if phase == .undecided
            || MemberScan.value(of: "\"usage\"", in: data, beginningWith: brace, or: brace) != nil
            || MemberScan.value(of: "\"error\"", in: data, beginningWith: brace, or: ASCII.quote) != nil
        {
            inspectChat(data, parser)
        } else if MemberScan.value(
            of: "\"finish_reason\"", in: data, beginningWith: ASCII.quote, or: ASCII.quote) != nil
        {
            sawFinish = true
        }
    }

    private mutating func inspectChat(_ data: UnsafeRawBufferPointer, _ parser: JSONParser) {
        // What is no JSON decides nothing: the client gets it as it is.
        guard let root = try? parser.parse(data) else { return }
        let choice = root.member("choices")?.elements.first { _ in true }
        // Groq and Moonshot put it elsewhere.
        let reported =
            root.member("usage") ?? root.member("x_groq")?.member("usage") ?? choice?.member("usage")
        if let reported, reported.isObject {
            usage = Usage(openAI: reported)
        }
        if let error = root.member("error"), error.isObject || error.kind == .string,
            choice == nil || choice?.member("finish_reason")?.isString("error") == true
        {
            return failed(error: error, in: root)
        }
        if choice?.member("finish_reason")?.kind == .string {
            sawFinish = true
        }
        let type = root.member("type")?.stringBytes
        if sawFinish || type?.hasPrefix("image_generation.") == true
            || root.member("choices")?.elements.contains(where: Self.saysSomething) == true
        {
            phase = .content
        }
        if type?.equals("image_generation.completed") == true {
            sawFinish = true
        }
    }

    /// Whether a choice holds more than the greeting, which is a role and an empty text.
    private static func saysSomething(_ choice: JSONValue) -> Bool {
        choice.member("text")?.stringBytes?.isEmpty == false
            || choice.member("delta").map { isFilled($0, besides: "role") } == true
    }

    /// Whether an object has a member, other than the named one, that is a text, list or object and not empty.
    private static func isFilled(_ object: JSONValue, besides name: StaticString) -> Bool {
        object.members.contains { key, value in
            !key.equals(name) && (value.stringBytes?.isEmpty == false || value.count > 0)
        }
    }

    // MARK: - Responses

    private mutating func responses(
        _ type: UnsafeRawBufferPointer, _ data: UnsafeRawBufferPointer, _ parser: JSONParser
    ) {
        if type.equals("error") {
            // The type may be a view into the parser's buffers; it is not used behind this point.
            let root = try? parser.parse(data)
            return failed(error: root?.member("error"), in: root)
        }
        guard type.hasPrefix("response.") else { return }
        let event = type.slice(9..<type.count)
        if event.equals("created") || event.equals("queued") || event.equals("in_progress") {
            if responseID == nil {
                _ = readResponse(data, parser)
            }
        } else if event.equals("completed") || event.equals("incomplete") {
            _ = readResponse(data, parser)
            phase = .finished
        } else if event.equals("failed") {
            let response = readResponse(data, parser)
            failed(error: response?.member("error"), in: response)
        } else if !event.hasSuffix(".added") {
            // An item or part that is added is empty as yet.
            phase = .content
        }
    }

    private mutating func readResponse(_ data: UnsafeRawBufferPointer, _ parser: JSONParser) -> JSONValue? {
        // An event without a readable response tells nothing; it is the client's to judge.
        guard let response = (try? parser.parse(data))?.member("response") else { return nil }
        responseID = response.member("id")?.string ?? responseID
        model = response.member("model")?.string ?? model
        createdAt = response.member("created_at")?.int ?? createdAt
        if let reported = response.member("usage"), reported.isObject {
            usage = Usage(openAI: reported)
        }
        return response
    }

    // MARK: - Messages

    private mutating func messages(
        _ type: UnsafeRawBufferPointer, _ data: UnsafeRawBufferPointer, _ parser: JSONParser
    ) {
        if type.hasPrefix("content_block_") {
            if phase == .undecided { inspectBlock(data, parser) }
        } else if type.equals("message_start") {
            let message = (try? parser.parse(data))?.member("message")
            if let reported = message?.member("usage"), reported.isObject {
                usage.merge(messages: reported)
            }
        } else if type.equals("message_delta") {
            phase = .content
            let root = try? parser.parse(data)
            if let reported = root?.member("usage"), reported.isObject {
                usage.merge(messages: reported)
            }
            sawFinish = sawFinish || root?.member("delta")?.member("stop_reason")?.kind == .string
        } else if type.equals("message_stop") {
            phase = .finished
        } else if type.equals("error") {
            let root = try? parser.parse(data)
            failed(error: root?.member("error"), in: root)
        }
    }

    /// Blocks of text and thinking begin empty; a tool's begins with its name.
    private mutating func inspectBlock(_ data: UnsafeRawBufferPointer, _ parser: JSONParser) {
        let root = try? parser.parse(data)
        let part = root?.member("content_block") ?? root?.member("delta")
        if let part, Self.isFilled(part, besides: "type") { phase = .content }
    }

    // MARK: - Gemini

    /// A stream has no last event of its own: it ends with the connection, behind a chunk with a finish reason.
    private mutating func gemini(_ data: UnsafeRawBufferPointer, _ parser: JSONParser) {
        let brace = UInt8(ascii: "{")
        // Counts are running totals, so those of the last chunks suffice.
        guard
            phase == .undecided || sawFinish
                || MemberScan.value(
                    of: "\"finishReason\"", in: data, beginningWith: ASCII.quote, or: ASCII.quote) != nil
                || MemberScan.value(of: "\"error\"", in: data, beginningWith: brace, or: brace) != nil,
            let root = try? parser.parse(data)
        else { return }
        if let reported = root.member("usageMetadata"), reported.isObject { usage = Usage(gemini: reported) }
        let candidate = root.member("candidates")?.elements.first { _ in true }
        if let error = root.member("error"), error.isObject, candidate == nil {
            return failed(error: error, in: root)
        }
        let isBlocked = root.member("promptFeedback")?.member("blockReason")?.kind == .string
        if candidate != nil || isBlocked { phase = .content }
        if isBlocked || candidate?.member("finishReason")?.kind == .string { sawFinish = true }
    }
}
