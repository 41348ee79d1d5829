// SPDX-License-Identifier: Apache-2.0
// Puts parts that a provider streams at the same time one behind the other, as `AnswerEvent` asks: the first open part
// passes at once, what belongs to later ones waits.

import Gateway

/// The open parts of one answer. Keys are the decoder's own and name a part only while it is open.
struct PartSequencer {
    /// Bytes that wait at most; an upstream that interleaves more is given up.
    static let maximumWaitingBytes = 16 << 20

    private struct Open {
        let key: Int
        var events: [AnswerEvent] = []
        var hasEnded = false
    }

    /// The first one passes.
    private var parts: [Open] = []
    private var waitingBytes = 0

    /// More waits than may.
    var isOverfull: Bool { waitingBytes > PartSequencer.maximumWaitingBytes }

    /// Something waits for the end of the first open part.
    var hasWaiting: Bool { parts.count > 1 }

    func isOpen(_ key: Int) -> Bool { parts.contains { $0.key == key && !$0.hasEnded } }

    mutating func begin(_ key: Int, _ event: AnswerEvent, into events: inout [AnswerEvent]) {
        parts.append(Open(key: key))
        add(key, event, into: &events)
    }

    /// An event of a part that was begun; of any other it is dropped.
    mutating func add(_ key: Int, _ event: AnswerEvent, into events: inout [AnswerEvent]) {
        guard let index = parts.lastIndex(where: { $0.key == key && !$0.hasEnded }) else { return }
        guard index > 0 else { return events.append(event) }
        waitingBytes += event.approximateBytes
        parts[index].events.append(event)
    }

    /// The last event of a part; what waited for it passes.
    mutating func end(_ key: Int, _ event: AnswerEvent, into events: inout [AnswerEvent]) {
        guard let index = parts.lastIndex(where: { $0.key == key && !$0.hasEnded }) else { return }
        add(key, event, into: &events)
        parts[index].hasEnded = true
        while let first = parts.first, first.hasEnded {
            parts.removeFirst()
            guard !parts.isEmpty else { break }
            for event in parts[0].events { waitingBytes -= event.approximateBytes }
            events += parts[0].events
            parts[0].events = []
        }
    }

    /// An event that stands between parts: at once when none is open, else behind those that are.
    mutating func place(_ event: AnswerEvent, into events: inout [AnswerEvent]) {
        guard !parts.isEmpty else { return events.append(event) }
        waitingBytes += event.approximateBytes
        parts.append(Open(key: .min, events: [event], hasEnded: true))
    }
}

extension AnswerEvent {
    /// What holding it costs, roughly.
    fileprivate var approximateBytes: Int {
        switch self {
        case .text(let text), .reasoning(let text), .arguments(let text), .refusal(let text):
            64 + text.utf8.count
        case .opaque(let part): 64 + part.json.bytes.count
        case .reasoningEnded(let state): 64 + (state?.bytes.count ?? 0)
        case .started, .textBegan, .textEnded, .reasoningBegan, .reasoningPartEnded, .callBegan, .callEnded,
            .citation, .usage, .finished, .failed:
            64
        }
    }
}
