// SPDX-License-Identifier: Apache-2.0
// Turns a provider's answer into the client's dialect while it arrives: bytes in, bytes out, event for event. Streams and
// documents meet in every combination.

import EventStream
package import Gateway
package import JSON

/// The translation of one answer with a successful status. No I/O, no clock.
package final class AnswerTranslator {
    package enum Phase: Equatable, Sendable {
        /// Nothing that the client could not be told by another provider as well.
        case undecided
        /// A real part of the answer is there.
        case content
        /// The answer is complete; what the provider still sends changes nothing.
        case finished
        /// The provider reported an error or ended too early.
        case failed(GatewayError)
    }

    /// How the provider's body is to be read.
    package enum Form: Sendable {
        case eventStream
        case document
    }

    /// A document above this size is refused, and so is an answer that a client wants in one piece.
    package static let maximumDocumentBytes = 64 << 20

    private var decoder: any AnswerDecoder
    private var encoder: any AnswerEncoder
    private var restorer: AnswerRestorer
    private let form: Form
    private let clientStreams: Bool
    private var scanner = EventStreamScanner()
    /// A document as far as it has arrived.
    private var collected: [UInt8] = []
    private var collectedBytes = 0
    /// The answer for a client that wants it whole.
    private var document = AnswerDocument()
    /// Kept between calls for their memory: decoded events, and what the restorer made of one.
    private var events: [AnswerEvent] = []
    private var restored: [AnswerEvent] = []
    private(set) package var phase = Phase.undecided
    /// Parts that the client's dialect cannot show.
    private var unshown = Losses()
    /// What the client is not shown of the answer.
    package var losses: Losses {
        var losses = unshown
        losses.add(restorer.losses)
        return losses
    }
    /// What the provider reported up to now.
    private(set) package var usage = Usage()
    private let estimatedInput: Int
    private var hasUsage = false
    /// The provider counted nothing, so the client was told an estimate.
    private(set) package var isUsageEstimated = false
    /// Bytes for the client's body that were not taken yet.
    private var output: [UInt8] = []

    package init(
        decoder: any AnswerDecoder, encoder: any AnswerEncoder, restorer: AnswerRestorer, form: Form,
        clientStreams: Bool, estimatedInput: Int = 0
    ) {
        self.estimatedInput = estimatedInput
        self.decoder = decoder
        self.encoder = encoder
        self.restorer = restorer
        self.form = form
        self.clientStreams = clientStreams
    }

    /// Nothing more is to come: the client has everything.
    package var isOver: Bool {
        switch phase {
        case .finished, .failed: true
        case .undecided, .content: false
        }
    }

    /// The client has everything before the provider has said everything.
    package var endsEarly: Bool {
        if case .failed = phase { return true }
        return phase == .finished && !decoder.isOver
    }

    /// Takes the bytes that are ready for the client.
    package func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    /// The next bytes of the provider's body.
    ///
    /// - Parameter parser: any parser; values that the caller has from it become invalid.
    package func received(_ bytes: UnsafeRawBufferPointer, parser: JSONParser) {
        guard !isOver else { return }
        switch form {
        case .document:
            guard collected.count + bytes.count <= AnswerTranslator.maximumDocumentBytes else {
                return broke(GatewayError(.upstreamUnreachable, "the provider's answer is too large"))
            }
            collected.append(contentsOf: bytes)
        case .eventStream:
            // Taken out for the time of the scan: the closure needs the rest of this value.
            var scanner = self.scanner
            self.scanner = EventStreamScanner()
            do throws(EventStreamError) {
                try scanner.scan(bytes) { event in
                    decoder.received(name: event.name, data: event.data, parser: parser, into: &events)
                }
            } catch {
                events.append(
                    .failed(GatewayError(.upstreamUnreachable, "an event of the provider is too large")))
            }
            self.scanner = scanner
            pass()
        }
    }

    /// The provider closed its body cleanly.
    package func ended(parser: JSONParser) {
        guard !isOver else { return }
        if form == .document { decodeDocument(parser) }
        decoder.ended(into: &events)
        pass()
        if !isOver {
            broke(GatewayError(.upstreamUnreachable, "the provider's answer has no end"))
        }
    }

    /// The provider broke off, or a limit ended the exchange: the client is told in its dialect.
    package func broke(_ error: GatewayError) {
        guard !isOver else { return }
        events.append(.failed(error))
        pass()
    }

    private func decodeDocument(_ parser: JSONParser) {
        let bytes = collected
        collected = []
        bytes.withUnsafeBytes { view in
            do throws(JSONError) {
                let root = try parser.parse(view)
                guard let map = SourceMap(parser) else { return }
                decoder.received(document: root, map: map, into: &events)
            } catch {
                events.append(.failed(GatewayError(.upstreamUnreachable, "the provider's answer is no JSON")))
            }
        }
    }

    /// Sends decoded events on.
    private func pass() {
        for index in events.indices {
            restorer.received(events[index], into: &restored)
            for index in restored.indices { take(restored[index]) }
            restored.removeAll(keepingCapacity: true)
        }
        events.removeAll(keepingCapacity: true)
    }

    private func take(_ event: AnswerEvent) {
        switch event {
        case .usage(let usage):
            self.usage = usage
            hasUsage = true
        case .started, .textBegan, .reasoningBegan: break
        case .opaque(let part):
            if phase == .undecided { phase = .content }
            guard encoder.shows(part) else {
                unshown.add(.opaquePart)
                // Who cannot hear an answer reads it.
                guard let words = part.transcript else { break }
                for event in [.textBegan(phase: nil), .text(words), .textEnded] as [AnswerEvent] {
                    take(event)
                }
                return
            }
        case .failed(let error): phase = .failed(error)
        case .finished:
            if !hasUsage { estimateUsage() }
            phase = .finished
        default: if phase == .undecided { phase = .content }
        }
        collectedBytes += AnswerTranslator.size(event)
        guard !clientStreams else { return encoder.encode(event, into: &output) }
        guard collectedBytes <= AnswerTranslator.maximumDocumentBytes else {
            phase = .failed(GatewayError(.upstreamUnreachable, "the provider's answer is too large"))
            return
        }
        document.add(event)
        if case .finished = event { output.append(contentsOf: encoder.encode(document)) }
    }

    /// Clients that compact by the counts of an answer never would if there were none.
    private func estimateUsage() {
        isUsageEstimated = true
        let usage = Usage(input: estimatedInput, output: TokenEstimate.tokens(ofAnswer: collectedBytes))
        if clientStreams { encoder.encode(.usage(usage), into: &output) } else { document.add(.usage(usage)) }
    }

    private static func size(_ event: AnswerEvent) -> Int {
        switch event {
        case .text(let text), .reasoning(let text), .arguments(let text), .refusal(let text): text.utf8.count
        case .opaque(let part): part.json.bytes.count
        case .reasoningEnded(let state): state?.bytes.count ?? 0
        default: 0
        }
    }
}
