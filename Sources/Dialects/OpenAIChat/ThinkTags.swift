// SPDX-License-Identifier: Apache-2.0
// Parts the thoughts from the text of models that write them in front of it, between <think> and </think>.
// Source: chat templates of DeepSeek R1, Qwen 3 and MiniMax M2 as served without a reasoning parser, 2026.

/// The state machine of one text. Only what might be a tag is held back.
struct ThinkTags {
    enum Piece: Equatable {
        case thought(String)
        case text(String)
    }

    private enum State {
        /// Nothing but white space yet.
        case before
        case thinking
        /// White space behind the thoughts is none of the text.
        case between
        case text
    }

    private static let opening = Array("<think>".utf8)
    private static let closing = Array("</think>".utf8)

    /// White space in front of the tag, at most.
    private static let maximumSpace = 64

    private var state = State.before
    private var held: [UInt8] = []

    mutating func received(_ piece: String) -> [Piece] {
        if case .text = state { return [.text(piece)] }
        held.append(contentsOf: piece.utf8)
        var pieces: [Piece] = []
        while step(&pieces) {}
        return pieces
    }

    /// The text is over: what was held back is what it looked like.
    mutating func ended() -> [Piece] {
        defer { held = [] }
        let rest = String(decoding: held, as: UTF8.self)
        switch state {
        case .before, .text: return rest.isEmpty ? [] : [.text(rest)]
        case .thinking: return rest.isEmpty ? [] : [.thought(rest)]
        case .between: return []
        }
    }

    /// - Returns: whether there is more to look at.
    private mutating func step(_ pieces: inout [Piece]) -> Bool {
        switch state {
        case .before:
            let start = held.firstIndex { $0 > 0x20 } ?? held.count
            let rest = held[start...]
            if rest.starts(with: Self.opening) {
                held.removeFirst(start + Self.opening.count)
                state = .thinking
                return true
            }
            if Self.opening.starts(with: rest), start < Self.maximumSpace { return false }
            state = .text
            return true
        case .thinking:
            if let end = find() {
                emit(held[..<end]) { pieces.append(.thought($0)) }
                held.removeFirst(end + Self.closing.count)
                state = .between
                return true
            }
            let certain = held.count - longestBeginning()
            emit(held[..<certain]) { pieces.append(.thought($0)) }
            held.removeFirst(certain)
            return false
        case .between:
            guard let start = held.firstIndex(where: { $0 > 0x20 }) else {
                held = []
                return false
            }
            held.removeFirst(start)
            state = .text
            return true
        case .text:
            emit(held[...]) { pieces.append(.text($0)) }
            held = []
            return false
        }
    }

    private func emit(_ bytes: ArraySlice<UInt8>, _ body: (String) -> Void) {
        if !bytes.isEmpty { body(String(decoding: bytes, as: UTF8.self)) }
    }

    private func find() -> Int? {
        guard held.count >= Self.closing.count else { return nil }
        return (0...(held.count - Self.closing.count)).first { held[$0...].starts(with: Self.closing) }
    }

    /// How many bytes at the end may be the beginning of the closing tag.
    private func longestBeginning() -> Int {
        let longest = min(Self.closing.count - 1, held.count)
        return stride(from: longest, to: 0, by: -1).first {
            held.suffix($0).elementsEqual(Self.closing.prefix($0))
        } ?? 0
    }
}
