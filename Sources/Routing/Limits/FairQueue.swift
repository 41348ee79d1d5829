// SPDX-License-Identifier: Apache-2.0
// Waiting in line by client key: each key has a line of its own, and the lines are served in turn, so that a key with a
// thousand requests takes no more turns than one with two. A line is bounded and nobody waits for ever.
// Source: start-time fair queueing (Goyal, Vin, Cheng: SIGCOMM 1996) with requests of one unit.

package struct FairQueue<Element> {
    private struct Waiting {
        let element: Element
        let deadline: UInt64
    }

    private struct Line {
        var waiting: [Waiting] = []
        /// Turns that the line has had, counted from where the others stood when it began to wait.
        var turns: UInt64 = 0
    }

    /// By key.
    private var lines: [Line]
    private let capacity: Int
    /// The turns of the line that was served last.
    private var turn: UInt64 = 0
    package private(set) var count = 0

    /// - Parameters:
    ///   - keys: numbers from 0 below this one are keys.
    ///   - capacity: elements that may wait in one line.
    package init(keys: Int, capacity: Int) {
        lines = Array(repeating: Line(), count: keys)
        self.capacity = capacity
    }

    /// Puts an element at the end of its key's line; false when the line is full.
    package mutating func append(_ element: Element, key: Int, deadline: UInt64) -> Bool {
        guard lines[key].waiting.count < capacity else { return false }
        // Turns that a line did not use while nobody waited in it are not kept for later.
        if lines[key].waiting.isEmpty { lines[key].turns = max(lines[key].turns, turn) }
        lines[key].waiting.append(Waiting(element: element, deadline: deadline))
        count += 1
        return true
    }

    /// Puts an element that has had its turn at the head of its key's line, however long that is.
    package mutating func putBack(_ element: Element, key: Int, deadline: UInt64) {
        if lines[key].waiting.isEmpty { lines[key].turns = max(lines[key].turns, turn) }
        lines[key].waiting.insert(Waiting(element: element, deadline: deadline), at: 0)
        count += 1
    }

    /// Whether somebody waits in the line of a key.
    package func isWaiting(_ key: Int) -> Bool { !lines[key].waiting.isEmpty }

    /// Takes out whoever is next among the keys that may go on now.
    package mutating func next(where mayGoOn: (Int) -> Bool) -> (element: Element, key: Int)? {
        guard count > 0 else { return nil }
        var best: Int?
        for key in lines.indices where !lines[key].waiting.isEmpty {
            if let known = best, lines[known].turns <= lines[key].turns { continue }
            if mayGoOn(key) { best = key }
        }
        guard let key = best else { return nil }
        turn = lines[key].turns
        lines[key].turns += 1
        count -= 1
        return (lines[key].waiting.removeFirst().element, key)
    }

    /// Takes out those whose time is over.
    package mutating func expire(_ now: UInt64) -> [Element] {
        guard count > 0 else { return [] }
        var expired: [Element] = []
        for key in lines.indices where lines[key].waiting.contains(where: { $0.deadline <= now }) {
            expired += lines[key].waiting.filter { $0.deadline <= now }.map(\.element)
            lines[key].waiting.removeAll { $0.deadline <= now }
        }
        count -= expired.count
        return expired
    }

    /// Takes out the first element that fits, wherever it stands.
    package mutating func remove(where fits: (Element) -> Bool) -> Element? {
        guard count > 0 else { return nil }
        for key in lines.indices {
            guard let place = lines[key].waiting.firstIndex(where: { fits($0.element) }) else { continue }
            count -= 1
            return lines[key].waiting.remove(at: place).element
        }
        return nil
    }
}
