// SPDX-License-Identifier: Apache-2.0
import Runtime
import Testing

@Suite struct DisuseTests {
    private let limit = BodyMemory.unusedUsec

    private func answers(_ disuse: inout Disuse, at times: UInt64...) -> [Bool] {
        times.map { disuse.isLong($0) }
    }

    @Test func `what was never used is unused`() {
        var disuse = Disuse()
        #expect(answers(&disuse, at: limit) == [true])
    }

    @Test func `a use counts from the next question on, and for the whole time`() {
        var disuse = Disuse()
        disuse.used()
        #expect(
            answers(&disuse, at: 100 * limit, 101 * limit - 1, 101 * limit, 102 * limit)
                == [false, false, true, true])
    }

    @Test func `every use begins the time anew`() {
        var disuse = Disuse()
        disuse.used()
        #expect(answers(&disuse, at: 10 * limit) == [false])
        disuse.used()
        #expect(
            answers(&disuse, at: 11 * limit - 1, 12 * limit - 2, 12 * limit - 1) == [false, false, true])
        disuse.used()
        #expect(answers(&disuse, at: 12 * limit) == [false])
    }
}
