// SPDX-License-Identifier: Apache-2.0
// How long crashed processes wait.

import Testing

@testable import Supervisor

@Suite("Back-off") struct BackOffTests {
    @Test("The wait doubles from 50 ms and stays at 10 s")
    func doubling() {
        var backOff = BackOff()
        let waits = (0..<11).map { _ in backOff.ended(uptimeUsec: 0) }
        #expect(waits == [50, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000])
    }

    @Test(
        "Thirty seconds of uptime begin anew, less does not",
        arguments: [(29_999_999, 800), (30_000_000, 50), (.max, 50)] as [(UInt64, Int)])
    func reset(uptime: UInt64, wait: Int) {
        var backOff = BackOff()
        for _ in 0..<4 { _ = backOff.ended(uptimeUsec: 1) }
        #expect(backOff.ended(uptimeUsec: uptime) == wait)
        #expect(backOff.ended(uptimeUsec: 1) == wait * 2)
    }
}
