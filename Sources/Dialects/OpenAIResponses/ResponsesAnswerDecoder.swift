// SPDX-License-Identifier: Apache-2.0
// Reads a provider's Responses answer. Items are passed on one after the other; what arrives for a later one while an
// earlier one is open waits. Whether a text came in deltas, at its end or only in the finished item makes no difference.
// Source: OpenAI API reference (responses streaming) and openai-python 3.52, 2026-08. Observed: Copilot gives every event
// of an item another id, so the output index counts; ChatGPT's last event may hold no output.

import Bytes
package import Gateway
package import JSON

/// The state machine of one answer. No I/O.
package struct ResponsesAnswerDecoder: AnswerDecoder {
    private let origin: Origin
    private var hasStarted = false
    package private(set) var isOver = false
    /// Items that have begun, by output index.
    private var items: [Int: IncomingItem] = [:]
    /// Output indexes in the order in which they began.
    private var order: [Int] = []
    private var sequencer = PartSequencer()
    private var hasCall = false
    private var hasRefusal = false
    private var hasText = false

    /// - Parameter origin: whom reasoning state in the answer belongs to.
    package init(origin: Origin) {
        self.origin = origin
    }

    package mutating func received(
        name: UnsafeRawBufferPointer, data: UnsafeRawBufferPointer, parser: JSONParser,
        into events: inout [AnswerEvent]
    ) {
        // What does not parse says nothing; if it was the end, the end will be missed.
        guard !isOver, let root = try? parser.parse(data), root.isObject else { return }
        let type = root.member("type")?.stringBytes ?? name
        guard type.hasPrefix("response.") else {
            if type.equals("error") { fail(root.member("error"), in: root, &events) }
            return
        }
        received(type.slice(9..<type.count), root, &events)
    }

    package mutating func received(
        document root: JSONValue, map: SourceMap, into events: inout [AnswerEvent]
    ) {
        guard !isOver else { return }
        if root.field("error") != nil, root.field("output") == nil {
            return fail(root.member("error"), in: root, &events)
        }
        finish(root, &events)
    }

    package mutating func ended(into events: inout [AnswerEvent]) {
        guard !isOver else { return }
        isOver = true
        events.append(
            .failed(
                GatewayError(
                    .upstreamUnreachable, "the provider ended the stream before the answer was complete")))
    }

    // MARK: - Events

    private mutating func received(
        _ type: UnsafeRawBufferPointer, _ root: JSONValue, _ events: inout [AnswerEvent]
    ) {
        if type.hasPrefix("output_item.") {
            guard let item = root.member("item"), item.isObject else { return }
            let index = outputIndex(root, item: item)
            begin(item, at: index, &events)
            guard type.equals("output_item.done") else { return }
            complete(index, with: item, &events)
        } else if type.hasSuffix(".delta") {
            delta(type, root, &events)
        } else if type.equals("output_text.annotation.added") {
            guard let citation = root.member("annotation").flatMap(Citation.init(responses:)) else { return }
            add(.citation(citation), at: outputIndex(root, item: nil), &events)
        } else if type.equals("reasoning_summary_part.added") {
            // Whatever was said in the part before is over.
            let index = outputIndex(root, item: nil)
            if items[index]?.wasBegun(part: .summary, root.member("summary_index")?.int ?? 0) == true {
                add(.reasoningPartEnded, at: index, &events)
            }
        } else if type.equals("completed") || type.equals("incomplete") || type.equals("failed") {
            guard let response = root.member("response") else { return }
            finish(response, &events)
        } else if type.equals("created") || type.equals("in_progress") || type.equals("queued") {
            start(root.member("response"), &events)
        }
    }

    private mutating func start(_ response: JSONValue?, _ events: inout [AnswerEvent]) {
        guard !hasStarted else { return }
        hasStarted = true
        events.append(.started(id: response?.member("id")?.string))
    }

    /// Events of one item share this number; without one they belong to the item that is open or begins.
    private func outputIndex(_ root: JSONValue, item: JSONValue?) -> Int {
        if let index = root.member("output_index")?.int { return index }
        if let id = item?.member("id")?.string ?? root.member("item_id")?.string,
            let index = order.last(where: { items[$0]?.id == id })
        {
            return index
        }
        guard let last = order.last else { return 0 }
        // An item without a number that is not known is a new one.
        return item == nil || items[last]?.isDone == false ? last : last + 1
    }

    private mutating func begin(_ item: JSONValue, at index: Int, _ events: inout [AnswerEvent]) {
        guard items[index] == nil else { return }
        start(nil, &events)
        items[index] = IncomingItem(item)
        order.append(index)
        if let opening = items[index]?.opening { add(opening, at: index, &events) }
    }

    private mutating func delta(
        _ type: UnsafeRawBufferPointer, _ root: JSONValue, _ events: inout [AnswerEvent]
    ) {
        guard let piece = root.member("delta")?.string, !piece.isEmpty else { return }
        let kind: IncomingItem.PartKind
        var number = 0
        if type.equals("output_text.delta") {
            (kind, number) = (.text, root.member("content_index")?.int ?? 0)
        } else if type.equals("reasoning_summary_text.delta") {
            (kind, number) = (.summary, root.member("summary_index")?.int ?? 0)
        } else if type.equals("reasoning_text.delta") {
            (kind, number) = (.thought, root.member("content_index")?.int ?? 0)
        } else if type.equals("function_call_arguments.delta") || type.equals("custom_tool_call_input.delta")
        {
            kind = .arguments
        } else if type.equals("refusal.delta") {
            (kind, number) = (.refusal, root.member("content_index")?.int ?? 0)
        } else {
            return
        }
        let index = outputIndex(root, item: nil)
        if items[index] == nil {
            // Some servers leave out the beginning.
            guard let item = IncomingItem(missing: kind) else { return }
            start(nil, &events)
            items[index] = item
            order.append(index)
            if let opening = item.opening { add(opening, at: index, &events) }
        }
        append(piece, kind, number, at: index, &events)
    }

    private mutating func append(
        _ piece: String, _ kind: IncomingItem.PartKind, _ number: Int, at index: Int,
        _ events: inout [AnswerEvent]
    ) {
        guard let event = items[index]?.received(piece, kind, number) else { return }
        for event in event { add(event, at: index, &events) }
    }

    private mutating func add(_ event: AnswerEvent, at index: Int, _ events: inout [AnswerEvent]) {
        note(event)
        if sequencer.isOpen(index) {
            sequencer.add(index, event, into: &events)
        } else {
            sequencer.begin(index, event, into: &events)
        }
        guard sequencer.isOverfull, !isOver else { return }
        isOver = true
        events.append(.failed(GatewayError(.upstreamUnreachable, "the provider interleaves too much")))
    }

    private mutating func note(_ event: AnswerEvent) {
        switch event {
        case .callBegan: hasCall = true
        case .refusal: hasRefusal = true
        case .text: hasText = true
        default: break
        }
    }

    /// The item is finished: what its deltas did not say is said now, and it is the next one's turn.
    private mutating func complete(_ index: Int, with item: JSONValue, _ events: inout [AnswerEvent]) {
        guard let known = items[index], !known.isDone else { return }
        for (kind, number, text) in known.texts(of: item) {
            let rest = known.rest(of: text, kind, number)
            if !rest.isEmpty { append(rest, kind, number, at: index, &events) }
        }
        close(index, with: item, &events)
    }

    private mutating func close(_ index: Int, with item: JSONValue?, _ events: inout [AnswerEvent]) {
        guard let known = items[index] else { return }
        items[index]?.finish()
        if let part = known.opaque(item) { return sequencer.place(.opaque(part), into: &events) }
        let state = known.state(of: item, origin)
        if state != nil, !sequencer.isOpen(index) {
            sequencer.begin(index, .reasoningBegan(isSummary: true), into: &events)
        }
        sequencer.end(index, known.closing(state), into: &events)
    }

    // MARK: - The end

    private mutating func finish(_ response: JSONValue, _ events: inout [AnswerEvent]) {
        start(response, &events)
        let status = response.member("status")?.stringBytes
        var index = 0
        for item in response.elements(of: "output") {
            // Items that never came by themselves; of those that did, the number or the id is known.
            let id = item.member("id")?.string
            let known = order.first { id != nil && items[$0]?.id == id } ?? index
            begin(item, at: known, &events)
            complete(known, with: item, &events)
            index += 1
        }
        if let reported = response.member("usage"), reported.isObject {
            events.append(.usage(Usage(openAI: reported)))
        }
        if status?.equals("failed") == true || response.field("error") != nil {
            return fail(response.member("error"), in: response, &events)
        }
        let isCut = status?.equals("incomplete") == true
        closeOpenItems(isCut: isCut, &events)
        guard !isOver else { return }
        isOver = true
        events.append(.finished(reason(response, isCut: isCut), stopSequence: nil))
    }

    /// Items that the provider did not end, for example because the answer reached its limit.
    private mutating func closeOpenItems(isCut: Bool, _ events: inout [AnswerEvent]) {
        for index in order {
            guard let item = items[index], !item.isDone else { continue }
            if item.isCall, !isCut {
                isOver = true
                events.append(
                    .failed(GatewayError(.upstreamUnreachable, "the provider ended the answer inside a call"))
                )
                return
            }
            close(index, with: nil, &events)
        }
    }

    private func reason(_ response: JSONValue, isCut: Bool) -> StopReason {
        if isCut {
            let reason = response.member("incomplete_details")?.member("reason")
            return reason?.isString("content_filter") == true ? .contentFilter : .maxTokens
        }
        if hasCall { return .toolUse }
        if response.member("end_turn")?.bool == false { return .pauseTurn }
        return hasRefusal && !hasText ? .refusal : .endTurn
    }

    private mutating func fail(_ error: JSONValue?, in outer: JSONValue, _ events: inout [AnswerEvent]) {
        isOver = true
        events.append(.failed(GatewayError(StreamFailure(error: error, in: outer))))
    }
}
