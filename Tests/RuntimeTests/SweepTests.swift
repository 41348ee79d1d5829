// SPDX-License-Identifier: Apache-2.0
// The periodic look at what can run out of time.

import EventLoop
import Posix
import Runtime
import Testing

@Suite("Sweep", .timeLimit(.minutes(1))) struct SweepTests {
    @Test("It looks again as long as there is something to look after, then rests until it is woken")
    func cycle() throws {
        let loop = try EventLoop()
        var times: [UInt64] = []
        var sweep: Sweep?
        var end: Timer?
        end = try Timer(loop, accuracyUsec: 1) { loop.exit(0) }
        sweep = try Sweep(loop, intervalMsec: 4) { now in
            times.append(now)
            if times.count == 3 {
                // Three intervals of silence show that it rests.
                end?.arm(afterUsec: 12_000)
                return false
            }
            return true
        }
        let started = Clock.monotonicUsec()
        sweep?.wake()
        sweep?.wake()
        #expect(try loop.run() == 0)
        #expect(times.count == 3)
        #expect(times == times.sorted())
        #expect(times.first ?? 0 >= started + 4_000)
        _ = (sweep, end)
    }
}
