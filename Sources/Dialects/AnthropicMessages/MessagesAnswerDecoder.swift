// SPDX-License-Identifier: Apache-2.0
// Reads answers of Messages, streams and documents, of Anthropic and of what is compatible with it.
// Source: Anthropic API reference (messages, messages streaming, stop reasons), anthropic-python 2.11, 2026.

import Bytes
package import Gateway
package import JSON

/// The state machine of one answer.
package struct MessagesAnswerDecoder: AnswerDecoder {
    private let origin: Origin
    private var ids: AnswerIDs
    private var sequencer = PartSequencer()
    /// The open blocks, by index.
    private var blocks: [Int: IncomingBlock] = [:]
    private var hasStarted = false
    private var hasContent = false
    private var hasCall = false
    private var usage = Usage()
    private var stop: (reason: StopReason, sequence: String?)?
    private(set) package var isOver = false

    /// Blocks that may be open at the same time.
    private static let maximumOpen = 256

    /// - Parameters:
    ///   - origin: who answers, and may have its reasoning back.
    ///   - ids: for calls that come without an id.
    package init(origin: Origin, ids: AnswerIDs) {
        self.origin = origin
        self.ids = ids
    }

    package mutating func received(
        name: UnsafeRawBufferPointer, data: UnsafeRawBufferPointer, parser: JSONParser,
        into events: inout [AnswerEvent]
    ) {
        // What is no JSON says nothing; if it was the end, the end of the stream tells.
        guard !isOver, let root = try? parser.parse(data) else { return }
        guard let type = root.member("type")?.stringBytes else {
            // Compatible servers report errors without their dress.
            if name.equals("error") || root.member("error") != nil { fail(root, into: &events) }
            return
        }
        if type.equals("content_block_delta") {
            received(delta: root, into: &events)
        } else if type.equals("content_block_start") {
            received(start: root, into: &events)
        } else if type.equals("content_block_stop") {
            if let index = root.member("index")?.int { close(index, into: &events) }
        } else if type.equals("message_start") {
            start(root.member("message"), into: &events)
        } else if type.equals("message_delta") {
            readUsage(root, into: &events)
            readStop(root.member("delta"))
        } else if type.equals("message_stop") {
            finish(into: &events)
        } else if type.equals("error") {
            fail(root, into: &events)
        }
    }

    package mutating func received(document root: JSONValue, map: SourceMap, into events: inout [AnswerEvent])
    {
        guard !isOver else { return }
        if root.member("type")?.isString("error") == true || root.member("content") == nil {
            return fail(root, into: &events)
        }
        start(root, into: &events)
        for (index, block) in root.elements(of: "content").enumerated() {
            hasContent = true
            open(
                index, block, input: block.member("input").map { JSONText(Array(map.bytes(of: $0))) },
                into: &events)
            for citation in block.elements(of: "citations") { cite(index, citation, into: &events) }
            close(index, into: &events)
        }
        readStop(root)
        finish(into: &events)
    }

    package mutating func ended(into events: inout [AnswerEvent]) {
        guard !isOver else { return }
        guard stop != nil || hasContent else {
            return fail("the provider ended its answer before it began", into: &events)
        }
        // A call that was not closed is not whole, whatever its text looks like.
        guard stop != nil || !blocks.values.contains(where: \.isCall) else {
            return fail("the provider ended its answer in the middle", into: &events)
        }
        finish(into: &events)
    }

    // MARK: - The message

    private mutating func start(_ message: JSONValue?, into events: inout [AnswerEvent]) {
        guard let message, !hasStarted else { return }
        hasStarted = true
        events.append(.started(id: message.member("id")?.string))
        readUsage(message, into: &events)
    }

    private mutating func readUsage(_ holder: JSONValue, into events: inout [AnswerEvent]) {
        guard let reported = holder.member("usage"), reported.isObject else { return }
        usage.merge(messages: reported)
        events.append(.usage(usage))
    }

    private mutating func readStop(_ holder: JSONValue?) {
        guard let name = holder?.member("stop_reason")?.string else { return }
        stop = (MessagesOutcome.reason(name), holder?.member("stop_sequence")?.string)
    }

    private mutating func finish(into events: inout [AnswerEvent]) {
        for index in blocks.keys.sorted() { close(index, into: &events) }
        isOver = true
        let (reason, sequence) = stop ?? (.endTurn, nil)
        let isCall = hasCall && (reason == .endTurn || reason == .stopSequence)
        events.append(.finished(isCall ? .toolUse : reason, stopSequence: sequence))
    }

    private mutating func fail(_ root: JSONValue, into events: inout [AnswerEvent]) {
        isOver = true
        events.append(.failed(GatewayError(StreamFailure(error: root.member("error"), in: root))))
    }

    private mutating func fail(_ problem: String, into events: inout [AnswerEvent]) {
        isOver = true
        events.append(.failed(GatewayError(.upstreamUnreachable, problem)))
    }

    // MARK: - Blocks

    private mutating func received(start root: JSONValue, into events: inout [AnswerEvent]) {
        guard let index = root.member("index")?.int, let block = root.member("content_block") else { return }
        guard blocks.count < Self.maximumOpen else {
            return fail("the provider's answer is too entangled to be read", into: &events)
        }
        hasContent = true
        // An index that is used again without having ended begins anew.
        close(index, into: &events)
        open(index, block, input: nil, into: &events)
    }

    /// - Parameter input: of a document, where nothing follows.
    private mutating func open(
        _ index: Int, _ block: JSONValue, input: JSONText?, into events: inout [AnswerEvent]
    ) {
        let incoming = IncomingBlock(block, origin: origin)
        blocks[index] = incoming
        switch incoming.kind {
        case .text:
            sequencer.begin(index, .textBegan(phase: nil), into: &events)
            add(index, .text(block.member("text")?.string ?? ""), into: &events)
        case .thinking:
            sequencer.begin(index, .reasoningBegan(isSummary: false), into: &events)
            add(index, .reasoning(block.member("thinking")?.string ?? ""), into: &events)
        case .redacted: sequencer.begin(index, .reasoningBegan(isSummary: false), into: &events)
        case .toolUse:
            hasCall = true
            let id = block.member("id")?.string.flatMap { $0.isEmpty ? nil : $0 } ?? ids.next("toolu_")
            let call = ToolCall(id: id, name: block.member("name")?.string ?? "", arguments: "")
            sequencer.begin(index, .callBegan(call), into: &events)
            if let input { add(index, .arguments(input.text), into: &events) }
        case .opaque: break
        }
    }

    private mutating func add(_ index: Int, _ event: AnswerEvent, into events: inout [AnswerEvent]) {
        switch event {
        case .text(""), .reasoning(""), .arguments(""): return
        default: sequencer.add(index, event, into: &events)
        }
        if sequencer.isOverfull { fail("the provider's answer is too entangled to be read", into: &events) }
    }

    private mutating func received(delta root: JSONValue, into events: inout [AnswerEvent]) {
        guard let index = root.member("index")?.int, let delta = root.member("delta"),
            let type = delta.member("type")?.stringBytes, let kind = blocks[index]?.kind
        else { return }
        if type.equals("text_delta") {
            if kind == .text { add(index, .text(delta.member("text")?.string ?? ""), into: &events) }
        } else if type.equals("thinking_delta") {
            if kind == .thinking {
                add(index, .reasoning(delta.member("thinking")?.string ?? ""), into: &events)
            }
        } else if type.equals("input_json_delta") {
            let piece = delta.member("partial_json")?.string ?? ""
            if kind == .toolUse {
                blocks[index]?.hasInput = true
                add(index, .arguments(piece), into: &events)
            } else if blocks[index]?.collect(input: piece) == false {
                fail("the provider's answer is too large", into: &events)
            }
        } else if type.equals("compaction_delta") {
            blocks[index]?.compacted(delta)
        } else if type.equals("signature_delta") {
            blocks[index]?.sign(delta.member("signature")?.string ?? "")
        } else if type.equals("citations_delta") {
            if let citation = delta.member("citation") { cite(index, citation, into: &events) }
        }
    }

    private mutating func cite(_ index: Int, _ citation: JSONValue, into events: inout [AnswerEvent]) {
        // Places in documents of the request mean nothing elsewhere.
        guard let url = citation.member("url")?.string else { return }
        let source = Citation(
            url: url, title: citation.member("title")?.string, text: citation.member("cited_text")?.string)
        add(index, .citation(source), into: &events)
    }

    private mutating func close(_ index: Int, into events: inout [AnswerEvent]) {
        guard let block = blocks.removeValue(forKey: index) else { return }
        switch block.kind {
        case .text: sequencer.end(index, .textEnded, into: &events)
        case .thinking, .redacted: sequencer.end(index, .reasoningEnded(state: block.state), into: &events)
        case .toolUse: sequencer.end(index, .callEnded, into: &events)
        case .opaque: sequencer.place(.opaque(block.part), into: &events)
        }
    }
}
