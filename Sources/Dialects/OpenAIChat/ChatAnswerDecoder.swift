// SPDX-License-Identifier: Apache-2.0
// Reads answers of Chat Completions, streams and documents, of OpenAI and of what is compatible with it.
// Source: OpenAI API reference (chat completion chunks), DeepSeek, Groq, Mistral, OpenRouter, xAI, Moonshot and MiniMax API
// references, observed streams of vLLM and Ollama, 2026.

import Bytes
package import Gateway
package import JSON

/// The state machine of one answer.
package struct ChatAnswerDecoder: AnswerDecoder {
    private let origin: Origin
    private let rules: UpstreamRules
    private var calls: ChatCalls
    private var sequencer = PartSequencer()
    private var details = ReasoningDetails()
    /// Thoughts came in a member of their own.
    private var hasPlainThoughts = false
    private var thinkTags: ThinkTags?
    /// Everything thought, for providers that want it back.
    private var thoughts = ""
    /// What the model says aloud.
    private var speech: SpokenAnswer?
    private var hasStarted = false
    /// A part of the answer, of whatever kind, has been there.
    private var hasContent = false
    private var finishReason: String?
    private(set) package var isOver = false

    /// Keys of parts in the sequencer; those of calls count from 0.
    private static let textKey = -1
    private static let reasoningKey = -2

    /// - Parameters:
    ///   - origin: who answers, and may have its reasoning back.
    ///   - ids: for calls that come without an id, or with one that another answer could bear too.
    ///   - rules: where the provider puts its thoughts, whether it wants them back, how it counts.
    package init(origin: Origin, ids: AnswerIDs, rules: UpstreamRules = UpstreamRules()) {
        self.origin = origin
        self.rules = rules
        calls = ChatCalls(ids: ids)
        thinkTags = rules.reasoning == .thinkTags ? ThinkTags() : nil
    }

    package mutating func received(
        name: UnsafeRawBufferPointer, data: UnsafeRawBufferPointer, parser: JSONParser,
        into events: inout [AnswerEvent]
    ) {
        guard !isOver else { return }
        if data.hasPrefix("[DONE]") { return finish(into: &events) }
        // What is no JSON says nothing; if it was the end, the end of the stream tells.
        guard let root = try? parser.parse(data) else { return }
        received(chunk: root, isDocument: false, into: &events)
    }

    package mutating func received(document root: JSONValue, map: SourceMap, into events: inout [AnswerEvent])
    {
        guard !isOver else { return }
        received(chunk: root, isDocument: true, into: &events)
        if !isOver { finish(into: &events) }
    }

    package mutating func ended(into events: inout [AnswerEvent]) {
        guard !isOver else { return }
        // Neither [DONE] nor a reason: the end of the connection is not the end of the answer.
        guard finishReason != nil else {
            let place = hasContent ? "in the middle" : "before it began"
            return fail(
                GatewayError(.upstreamUnreachable, "the provider ended its answer \(place)"), into: &events)
        }
        finish(into: &events)
    }

    /// The thoughts go back as a text. Lists of details always do: those who write them want them.
    private var wantsThoughtsBack: Bool { rules.replay != .never }

    // MARK: - Chunks

    private mutating func received(chunk root: JSONValue, isDocument: Bool, into events: inout [AnswerEvent])
    {
        let choice = root.member("choices")?.elements.first { _ in true }
        if let failure = Self.failure(root, choice) { return fail(GatewayError(failure), into: &events) }
        if !hasStarted, choice != nil || root.member("id") != nil {
            hasStarted = true
            events.append(.started(id: root.member("id")?.string))
        }
        if let choice {
            if let delta = choice.member(isDocument ? "message" : "delta") {
                received(delta: delta, into: &events)
            }
            if let reason = choice.member("finish_reason")?.string, !reason.isEmpty { finishReason = reason }
        }
        readUsage(root, choice, into: &events)
        if sequencer.isOverfull || calls.isOverfull || speech?.isOverfull == true {
            fail(
                GatewayError(.upstreamUnreachable, "the provider's answer is too entangled to be read"),
                into: &events)
        }
    }

    /// The error that a chunk tells of. A filter's or a usage chunk has no choices and no error.
    private static func failure(_ root: JSONValue, _ choice: JSONValue?) -> StreamFailure? {
        if let error = root.member("error"), error.isObject || error.stringBytes?.isEmpty == false {
            return StreamFailure(error: error, in: root)
        }
        // vLLM writes it flat, MiniMax beside an answer that is none.
        if root.member("object")?.isString("error") == true { return StreamFailure(error: root, in: root) }
        if let status = root.member("base_resp")?.member("status_code")?.int, status != 0, choice == nil {
            return StreamFailure(error: root.member("base_resp")?.member("status_msg"), in: root)
        }
        guard let reason = choice?.member("finish_reason") else { return nil }
        if reason.isString("error") || reason.isString("network_error") {
            return StreamFailure(error: choice?.member("error"), in: root)
        }
        if reason.isString("insufficient_system_resource") {
            return StreamFailure(.reported, "the provider ran out of resources")
        }
        return nil
    }

    private mutating func readUsage(_ root: JSONValue, _ choice: JSONValue?, into events: inout [AnswerEvent])
    {
        // Groq and Moonshot put it elsewhere.
        let reported =
            root.member("usage") ?? root.member("x_groq")?.member("usage") ?? choice?.member("usage")
        guard let reported, reported.isObject else { return }
        events.append(.usage(Usage(openAI: reported, excludesCached: rules.has(.usageExcludesCached))))
    }

    // MARK: - Deltas

    private mutating func received(delta: JSONValue, into events: inout [AnswerEvent]) {
        var shownDetails: String?
        if let list = delta.member("reasoning_details"), list.isArray {
            shownDetails = details.add(list)
            if shownDetails == nil, !details.isEmpty { openReasoning(into: &events) }
        }
        let thought = delta.member("reasoning_content") ?? delta.member("reasoning")
        if let text = thought?.string, !text.isEmpty {
            hasPlainThoughts = true
            reason(text, into: &events)
        } else if let text = shownDetails, !text.isEmpty {
            // Details that come behind the thoughts repeat them.
            if hasPlainThoughts { openReasoning(into: &events) } else { reason(text, into: &events) }
        }
        if let content = delta.member("content") { receivedContent(content, into: &events) }
        if let refusal = delta.member("refusal")?.string, !refusal.isEmpty {
            hasContent = true
            close(into: &events)
            sequencer.place(.refusal(refusal), into: &events)
        }
        if let piece = delta.member(SpokenAnswer.member), piece.isObject {
            hasContent = true
            var speech = self.speech ?? SpokenAnswer()
            // Taken out, so that it grows in place.
            self.speech = nil
            speech.add(piece)
            self.speech = speech
        }
        if let list = delta.member("annotations"), list.isArray {
            for annotation in list.elements { cite(annotation, into: &events) }
        }
        if let list = delta.member("tool_calls"), list.isArray {
            for call in list.elements { received(call: call, into: &events) }
        }
        if let call = delta.member("function_call"), call.isObject {
            // The form before tools; there is one call at most and it has no id.
            receive(calls.resolve(index: 0, id: nil), function: call, into: &events)
        }
    }

    private mutating func receivedContent(_ content: JSONValue, into events: inout [AnswerEvent]) {
        if let text = content.string {
            if !text.isEmpty { say(text, into: &events) }
            return
        }
        // Mistral writes a list when the model thinks.
        for part in content.elements {
            if part.member("type")?.isString("thinking") == true {
                for piece in part.member("thinking")?.elements ?? part.elements {
                    if let text = piece.member("text")?.string, !text.isEmpty { reason(text, into: &events) }
                }
            } else if let text = part.member("text")?.string, !text.isEmpty {
                say(text, into: &events)
            }
        }
    }

    private mutating func say(_ text: String, into events: inout [AnswerEvent]) {
        guard thinkTags != nil else { return write(text, into: &events) }
        for piece in thinkTags?.received(text) ?? [] { pass(piece, into: &events) }
    }

    private mutating func pass(_ piece: ThinkTags.Piece, into events: inout [AnswerEvent]) {
        switch piece {
        case .text(let text): write(text, into: &events)
        case .thought(let text): reason(text, into: &events)
        }
    }

    private mutating func write(_ text: String, into events: inout [AnswerEvent]) {
        hasContent = true
        if !sequencer.isOpen(Self.textKey) {
            closeReasoning(into: &events)
            endCompleteCalls(into: &events)
            sequencer.begin(Self.textKey, .textBegan(phase: nil), into: &events)
        }
        sequencer.add(Self.textKey, .text(text), into: &events)
    }

    private mutating func reason(_ text: String, into events: inout [AnswerEvent]) {
        hasContent = true
        openReasoning(into: &events)
        if wantsThoughtsBack { thoughts += text }
        sequencer.add(Self.reasoningKey, .reasoning(text), into: &events)
    }

    private mutating func openReasoning(into events: inout [AnswerEvent]) {
        guard !sequencer.isOpen(Self.reasoningKey) else { return }
        closeText(into: &events)
        endCompleteCalls(into: &events)
        sequencer.begin(Self.reasoningKey, .reasoningBegan(isSummary: false), into: &events)
    }

    private func citation(_ annotation: JSONValue) -> Citation? {
        guard let source = annotation.member("url_citation"), let url = source.member("url")?.string else {
            return nil
        }
        return Citation(
            url: url, title: source.member("title")?.string, text: source.member("content")?.string)
    }

    private mutating func cite(_ annotation: JSONValue, into events: inout [AnswerEvent]) {
        guard let citation = citation(annotation) else { return }
        if sequencer.isOpen(Self.textKey) {
            sequencer.add(Self.textKey, .citation(citation), into: &events)
        } else {
            sequencer.place(.citation(citation), into: &events)
        }
    }

    // MARK: - Calls

    private mutating func received(call: JSONValue, into events: inout [AnswerEvent]) {
        let id = call.member("id")?.string
        let slot = calls.resolve(index: call.member("index")?.int, id: id)
        if let function = call.member("function") ?? call.member("custom") {
            receive(slot, function: function, isCustom: call.member("custom") != nil, into: &events)
        }
    }

    private mutating func receive(
        _ slot: Int, function: JSONValue, isCustom: Bool = false, into events: inout [AnswerEvent]
    ) {
        hasContent = true
        calls.name(slot, function.member("name")?.string, isCustom: isCustom)
        let given = function.member(isCustom ? "input" : "arguments")
        // Some send the object itself instead of its text.
        let piece = given?.string ?? (given?.isObject == true ? given?.compactJSON.text : nil) ?? ""
        guard !piece.isEmpty else { return }
        begin(slot, into: &events)
        calls.add(slot, piece)
        sequencer.add(slot, .arguments(piece), into: &events)
        if sequencer.hasWaiting { endCompleteCalls(into: &events) }
    }

    /// A call begins with its arguments: until then its name may still grow.
    private mutating func begin(_ slot: Int, into events: inout [AnswerEvent]) {
        guard !calls.hasBegun(slot) else { return }
        close(into: &events)
        endCompleteCalls(into: &events)
        // Calls before it that have no arguments come before it all the same.
        for earlier in calls.waiting(before: slot) {
            sequencer.begin(earlier, .callBegan(calls.begin(earlier)), into: &events)
        }
        sequencer.begin(slot, .callBegan(calls.begin(slot)), into: &events)
    }

    private mutating func endCompleteCalls(into events: inout [AnswerEvent]) {
        for slot in calls.takeComplete() { sequencer.end(slot, .callEnded, into: &events) }
    }

    // MARK: - The end

    private mutating func closeText(into events: inout [AnswerEvent]) {
        guard sequencer.isOpen(Self.textKey) else { return }
        sequencer.end(Self.textKey, .textEnded, into: &events)
    }

    private mutating func closeReasoning(into events: inout [AnswerEvent]) {
        guard sequencer.isOpen(Self.reasoningKey) else { return }
        var state: ReasoningState?
        if !details.isEmpty {
            state = ReasoningState(.reasoningDetails, origin: origin, bytes: details.take())
        } else if wantsThoughtsBack {
            state = ReasoningState(.reasoningContent, origin: origin, bytes: Array(thoughts.utf8))
        }
        thoughts = ""
        sequencer.end(Self.reasoningKey, .reasoningEnded(state: state), into: &events)
    }

    private mutating func close(into events: inout [AnswerEvent]) {
        closeText(into: &events)
        closeReasoning(into: &events)
    }

    private mutating func finish(into events: inout [AnswerEvent]) {
        for piece in thinkTags?.ended() ?? [] { pass(piece, into: &events) }
        close(into: &events)
        if let speech { sequencer.place(.opaque(speech.part), into: &events) }
        for slot in calls.waiting(before: .max) {
            sequencer.begin(slot, .callBegan(calls.begin(slot)), into: &events)
        }
        let isCut = calls.hasUnfinished && finishReason == nil
        guard !isCut, finishReason != nil || hasContent else {
            return fail(
                GatewayError(.upstreamUnreachable, "the provider ended its answer in the middle"),
                into: &events)
        }
        for slot in calls.takeOpen() { sequencer.end(slot, .callEnded, into: &events) }
        isOver = true
        events.append(.finished(stopReason, stopSequence: nil))
    }

    private var stopReason: StopReason {
        switch finishReason {
        case "length", "max_tokens", "model_length": .maxTokens
        case "content_filter", "sensitive": .contentFilter
        // What the model wants done is done, whatever else is said.
        default: calls.isEmpty ? .endTurn : .toolUse
        }
    }

    private mutating func fail(_ error: GatewayError, into events: inout [AnswerEvent]) {
        isOver = true
        events.append(.failed(error))
    }
}
