// SPDX-License-Identifier: Apache-2.0
import Posix
import Testing

@Suite struct HeapPeakTests {
    @Test func `memory is given back each time half of what was there is gone`() {
        var heap = HeapPeak()
        heap.note(100)
        #expect(!heap.hasHalved(51))
        #expect(heap.hasHalved(50))
        #expect(!heap.hasHalved(50), "nothing more is gone")
        #expect(!heap.hasHalved(26))
        #expect(heap.hasHalved(25))
    }

    @Test func `the last one counts, and nothing is given back where nothing was`() {
        var heap = HeapPeak()
        #expect(!heap.hasHalved(0))
        heap.note(1)
        #expect(!heap.hasHalved(1))
        #expect(heap.hasHalved(0))
        #expect(!heap.hasHalved(0))
    }
}
