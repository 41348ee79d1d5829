// SPDX-License-Identifier: Apache-2.0
import Posix
import Testing

@Suite struct HeapPeakTests {
    /// The answers of one process that has had as many things as `counts` says, one after the other.
    private func answers(after most: Int, _ counts: [Int]) -> [Bool] {
        var heap = HeapPeak()
        heap.note(most)
        return counts.map { heap.hasHalved($0) }
    }

    @Test func `memory is given back each time half of what was there is gone`() {
        #expect(answers(after: 100, [51, 50, 50, 26, 25]) == [false, true, false, false, true])
    }

    @Test func `the last one counts, and nothing is given back where nothing was`() {
        #expect(answers(after: 1, [1, 0, 0]) == [false, true, false])
        #expect(answers(after: 0, [0]) == [false])
    }
}
