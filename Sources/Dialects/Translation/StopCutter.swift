// SPDX-License-Identifier: Apache-2.0
// Cuts an answer's text at the client's stop sequences, for providers that know none (Responses).
// Source: OpenAI API reference (chat: stop), Anthropic (stop_sequences), 2026: the sequence itself is not part of the text.

/// The state machine of one answer's text. Text that might be the beginning of a sequence is held back.
struct StopCutter {
    private let sequences: [[UInt8]]
    private let longest: Int
    private var held: [UInt8] = []
    /// The sequence that was found; no text follows it.
    private(set) var found: String?

    /// - Parameter sequences: empty ones are passed over.
    init(_ sequences: [String]) {
        self.sequences = sequences.filter { !$0.isEmpty }.map { Array($0.utf8) }
        longest = self.sequences.map(\.count).max() ?? 0
    }

    /// Takes the next piece and returns what may be shown.
    mutating func received(_ piece: String) -> String {
        guard longest > 0 else { return piece }
        guard found == nil else { return "" }
        held.append(contentsOf: piece.utf8)
        var index = 0
        while index < held.count {
            for sequence in sequences where held[index...].starts(with: sequence) {
                found = String(decoding: sequence, as: UTF8.self)
                let shown = String(decoding: held[..<index], as: UTF8.self)
                held = []
                return shown
            }
            if mayBegin(at: index) { break }
            index += 1
        }
        let shown = String(decoding: held[..<index], as: UTF8.self)
        held.removeFirst(index)
        return shown
    }

    /// The text is over: what was held back is text after all.
    mutating func ended() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }

    /// Whether the bytes from here to the end are the beginning of a sequence.
    private func mayBegin(at index: Int) -> Bool {
        let rest = held[index...]
        return sequences.contains { $0.count > rest.count && $0.starts(with: rest) }
    }
}
