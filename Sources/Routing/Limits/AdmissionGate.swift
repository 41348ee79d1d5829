// SPDX-License-Identifier: Apache-2.0
// How many requests are at providers at once, in all and of each client key; the others wait for their turn.

package struct AdmissionGate<Element> {
    package enum Entry: Equatable {
        /// It may go on; say `leave` when it is over.
        case goesOn
        /// It stands in line until `next` gives it out.
        case waits
        /// The line of its key is full.
        case isFull
    }

    private let total: Int?
    /// By key.
    private let limits: [Int?]
    private var running = 0
    private var runningByKey: [Int]
    private var queue: FairQueue<Element>

    /// - Parameters:
    ///   - total: requests at once; nil: no bound.
    ///   - limits: the same by key.
    ///   - queued: requests of one key that may wait.
    package init(total: Int?, limits: [Int?], queued: Int) {
        self.total = total
        self.limits = limits
        runningByKey = Array(repeating: 0, count: limits.count)
        queue = FairQueue(keys: limits.count, capacity: queued)
    }

    /// Requests that wait.
    package var waiting: Int { queue.count }

    /// Whether half of the places are taken, or somebody waits.
    package var isHalfFull: Bool { queue.count > 0 || (total.map { running * 2 >= $0 } ?? false) }

    /// A request arrives. Nobody overtakes those of its own key that wait.
    package mutating func enter(_ element: Element, key: Int, deadline: UInt64) -> Entry {
        if hasRoom, hasRoom(key), queue.count == 0 || !queue.isWaiting(key) {
            start(key)
            return .goesOn
        }
        return queue.append(element, key: key, deadline: deadline) ? .waits : .isFull
    }

    /// A request that went on and left, to wait for something else, wants to go on again: the next of its key.
    ///
    /// - Returns: false when it stands in line.
    package mutating func enterAgain(_ element: Element, key: Int, deadline: UInt64) -> Bool {
        guard hasRoom, hasRoom(key) else {
            queue.putBack(element, key: key, deadline: deadline)
            return false
        }
        start(key)
        return true
    }

    /// A request that went on is over.
    package mutating func leave(_ key: Int) {
        running -= 1
        runningByKey[key] -= 1
    }

    /// The next one that may go on now; asked again until it is nil.
    package mutating func next() -> Element? {
        guard queue.count > 0, hasRoom else { return nil }
        let (limits, runningByKey) = (limits, runningByKey)
        guard
            let (element, key) = queue.next(where: { key in limits[key].map { runningByKey[key] < $0 } ?? true
            })
        else { return nil }
        start(key)
        return element
    }

    /// Takes out those that have waited too long.
    package mutating func expire(_ now: UInt64) -> [Element] { queue.expire(now) }

    /// Takes one out that waits.
    package mutating func remove(where fits: (Element) -> Bool) -> Element? { queue.remove(where: fits) }

    private var hasRoom: Bool { total.map { running < $0 } ?? true }

    private func hasRoom(_ key: Int) -> Bool { limits[key].map { runningByKey[key] < $0 } ?? true }

    private mutating func start(_ key: Int) {
        running += 1
        runningByKey[key] += 1
    }
}
