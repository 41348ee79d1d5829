// SPDX-License-Identifier: Apache-2.0
// Watches, deferred work, timers and signals.

import EventLoop
import Glibc
import Posix
import Testing

@Suite("Event loop", .timeLimit(.minutes(1))) struct EventLoopTests {
    let loop: EventLoop

    init() throws { loop = try EventLoop() }

    @Test("The loop returns the code it was ended with", arguments: [0, 1, 78] as [Int32])
    func exitCode(code: Int32) throws {
        loop.later { [loop] in loop.exit(code) }
        #expect(try loop.runForTest() == code)
    }

    @Test("A descriptor that stays readable is reported again and again")
    func levelTriggered() throws {
        let pair = try Pair()
        pair.poke()
        var count = 0
        let watch = try loop.watch(pair.fd, .readable) { [loop] ready in
            #expect(ready == .readable)
            count += 1
            if count == 3 { loop.exit(0) }
        }
        try loop.runForTest()
        #expect(count == 3)
        watch.cancel()
    }

    @Test("An arrival is told once, the next one again, and what still waits when the interest is set again")
    func arrival() throws {
        let pair = try Pair()
        pair.poke()
        var count = 0
        let watch = try loop.watch(pair.fd, .arrival) { ready in
            #expect(ready == .readable)
            count += 1
        }
        var turn = 0
        let turns = try loop.watch(try #require(pair.b).raw, .writable) { [loop] _ in
            turn += 1
            switch turn {
            case 5: pair.poke()
            case 10:
                watch.update(.writable)
                watch.update(.arrival)
            case 15: loop.exit(0)
            default: break
            }
        }
        try loop.runForTest()
        #expect(count == 3)
        watch.cancel()
        turns.cancel()
    }

    @Test("Only what was asked for is reported, and a change of mind counts from then on")
    func interest() throws {
        let pair = try Pair()
        pair.poke()
        var seen: [EventLoop.Interest] = []
        var watch: EventLoop.Watch?
        watch = try loop.watch(pair.fd, .writable) { [loop] ready in
            seen.append(ready)
            switch seen.count {
            case 1: watch?.update(.readable)
            case 2: watch?.update([.readable, .writable])
            default: loop.exit(0)
            }
        }
        try loop.runForTest()
        #expect(seen == [.writable, .readable, [.readable, .writable]])
        #expect(watch?.interest == [.readable, .writable])
        watch?.cancel()
    }

    @Test("The peer's end is reported, and a closed connection without being asked")
    func peerEnds() throws {
        let pair = try Pair()
        var seen: [EventLoop.Interest] = []
        let watch = try loop.watch(pair.fd, .readableOrClosed) { [loop] ready in
            seen.append(ready)
            if seen.count == 1 {
                hangUp(&pair.b)
            } else {
                loop.exit(0)
            }
        }
        shutdown(try #require(pair.b).raw, Int32(SHUT_WR))
        try loop.runForTest()
        #expect(seen == [.readableOrClosed, [.readableOrClosed, .hangUp]])
        watch.cancel()
    }

    @Test("A watch that another handler of the same batch cancels is not called")
    func cancelInBatch() throws {
        let pairs = [try Pair(), try Pair()]
        var watches: [EventLoop.Watch] = []
        var called: [Int] = []
        for (index, pair) in pairs.enumerated() {
            pair.poke()
            watches.append(
                try loop.watch(pair.fd, .readable) { [loop] _ in
                    called.append(index)
                    // Both were ready before the loop ran, so both events are in this batch.
                    watches[1 - index].cancel()
                    loop.later { loop.later { loop.exit(0) } }
                    pairs[index].drain()
                })
        }
        try loop.runForTest()
        #expect(called.count == 1)
        for watch in watches { watch.cancel() }
    }

    @Test("An old event does not reach the watch that took its place")
    func slotReuse() throws {
        let pairs = [try Pair(), try Pair()]
        let fresh = try Pair()
        var watches: [EventLoop.Watch] = []
        var called: [String] = []
        var isPoked = false
        for (index, pair) in pairs.enumerated() {
            pair.poke()
            watches.append(
                try loop.watch(pair.fd, .readable) { [loop] _ in
                    called.append("old")
                    watches[1 - index].cancel()
                    pairs[index].drain()
                    do {
                        watches[1 - index] = try loop.watch(fresh.fd, .readable) { _ in
                            called.append(isPoked ? "fresh" : "fresh, by an old event")
                            loop.exit(0)
                        }
                    } catch {
                        Issue.record(error)
                    }
                    loop.later {
                        loop.later {
                            isPoked = true
                            fresh.poke()
                        }
                    }
                })
        }
        try loop.runForTest()
        #expect(called == ["old", "fresh"])
        for watch in watches { watch.cancel() }
    }

    @Test("A watch may cancel itself, more than once, and its descriptor may be watched again")
    func cancelSelf() throws {
        let pair = try Pair()
        pair.poke()
        var count = 0
        var watch: EventLoop.Watch?
        watch = try loop.watch(pair.fd, .readable) { [loop] _ in
            count += 1
            watch?.cancel()
            watch?.cancel()
            watch?.update(.writable)
            loop.later {
                do {
                    watch = try loop.watch(pair.fd, .readable) { _ in loop.exit(0) }
                } catch {
                    Issue.record(error)
                }
            }
        }
        try loop.runForTest()
        #expect(count == 1)
        watch?.cancel()
    }

    @Test("The watch of a descriptor that was closed first is forgotten without harm")
    func forget() throws {
        let pair = try Pair()
        let watch = try loop.watch(pair.fd, .readable) { _ in Issue.record("called") }
        pair.poke()
        pair.a = nil
        watch.forget()
        loop.later { [loop] in loop.later { loop.exit(0) } }
        try loop.runForTest()
    }

    @Test("What cannot be watched is refused, and its place is used for the next")
    func refused() throws {
        #expect(throws: Errno("epoll_ctl", code: EBADF)) { try loop.watch(-1, .readable) { _ in } }
        let pair = try Pair()
        let watch = try loop.watch(pair.fd, .readable) { [loop] _ in loop.exit(0) }
        #expect(throws: Errno("epoll_ctl", code: EEXIST)) { try loop.watch(pair.fd, .readable) { _ in } }
        pair.poke()
        try loop.runForTest()
        watch.cancel()
    }

    @Test("Deferred work runs once, in order, after every event at hand")
    func later() throws {
        let pairs = [try Pair(), try Pair(), try Pair()]
        var order: [String] = []
        var watches: [EventLoop.Watch] = []
        for pair in pairs {
            pair.poke()
            watches.append(
                try loop.watch(pair.fd, .readable) { [loop] _ in
                    order.append("event")
                    pair.drain()
                    loop.later { order.append("later") }
                })
        }
        loop.later { [loop] in
            order.append("before")
            loop.later { loop.later { loop.later { loop.exit(0) } } }
        }
        try loop.runForTest()
        #expect(order.filter { $0 == "later" }.count == 3)
        #expect(order.filter { $0 == "before" }.count == 1)
        #expect(order.firstIndex(of: "later") ?? 0 > order.lastIndex(of: "event") ?? 9)
        for watch in watches { watch.cancel() }
    }

    @Test("The end of a turn comes after its events and deferred work, before the loop waits or ends")
    func turnEnd() throws {
        let pair = try Pair()
        var order: [String] = []
        loop.atTurnEnd { if let last = order.last, last != "|" { order.append("|") } }
        let timer = try Timer(loop, accuracyUsec: 1) { order.append("timer") }
        let watch = try loop.watch(pair.fd, .readable) { [loop] _ in
            order.append("event")
            loop.later {
                order.append("deferred")
                loop.exit(0)
            }
        }
        let waker = try loop.watch(try #require(pair.b).raw, .writable) { _ in
            // The loop has waited: what the timer left is written out.
            if order == ["timer", "|"] { pair.poke() }
        }
        timer.arm(afterUsec: 1)
        try loop.runForTest()
        #expect(order == ["timer", "|", "event", "deferred", "|"])
        watch.cancel()
        waker.cancel()
    }

    @Test("A chain of deferred work does not starve descriptors")
    func chain() throws {
        let pair = try Pair()
        var turns = 0
        var ended = false
        let watch = try loop.watch(pair.fd, .readable) { [loop] _ in
            ended = true
            loop.exit(0)
        }
        func next() {
            turns += 1
            if turns == 3 { pair.poke() }
            if !ended, turns < 1_000_000 { loop.later(next) }
        }
        loop.later(next)
        try loop.runForTest()
        #expect(turns < 1000)
        watch.cancel()
    }

    @Test("More ready descriptors than one batch holds are all served")
    func manyDescriptors() throws {
        let pairs = try (0..<300).map { _ in try Pair() }
        var served = Set<Int>()
        var watches: [EventLoop.Watch] = []
        for (index, pair) in pairs.enumerated() {
            pair.poke()
            watches.append(
                try loop.watch(pair.fd, .readable) { [loop] _ in
                    served.insert(index)
                    if served.count == pairs.count { loop.exit(0) }
                })
        }
        try loop.runForTest()
        #expect(served.count == 300)
        for watch in watches { watch.cancel() }
    }
}

@Suite("Timers and signals", .timeLimit(.minutes(1))) struct TimerTests {
    let loop: EventLoop

    init() throws { loop = try EventLoop() }

    @Test("Timers fire once each, in the order of their times and not before them")
    func order() throws {
        var fired: [String] = []
        let started = Clock.monotonicUsec()
        let late = try Timer(loop, accuracyUsec: 1) { [loop] in
            fired.append("late")
            loop.exit(0)
        }
        let early = try Timer(loop, accuracyUsec: 1) { fired.append("early") }
        late.arm(afterUsec: 4_000)
        early.arm(atUsec: started + 1_000)
        try loop.runForTest()
        #expect(fired == ["early", "late"])
        #expect(Clock.monotonicUsec() >= started + 4_000)
        withExtendedLifetime((late, early)) {}
    }

    @Test("A timer fires as often as it is armed")
    func rearmed() throws {
        var count = 0
        var timer: Timer?
        timer = try Timer(loop, accuracyUsec: 1) { [loop] in
            count += 1
            if count < 3 {
                timer?.arm(afterUsec: 0)
            } else {
                loop.exit(0)
            }
        }
        timer?.arm(afterUsec: 0)
        try loop.runForTest()
        #expect(count == 3)
        timer = nil
    }

    @Test("A new setting replaces the old one, no setting means no call")
    func replaced() throws {
        var fired: [String] = []
        let moved = try Timer(loop, accuracyUsec: 1) { fired.append("moved") }
        let disarmed = try Timer(loop, accuracyUsec: 1) { fired.append("disarmed") }
        let unarmed = try Timer(loop, accuracyUsec: 1) { fired.append("unarmed") }
        var dropped: Timer? = try Timer(loop, accuracyUsec: 1) { fired.append("dropped") }
        let end = try Timer(loop, accuracyUsec: 1) { [loop] in loop.exit(0) }
        moved.arm(afterUsec: 0)
        moved.arm(afterUsec: 10_000_000)
        disarmed.arm(afterUsec: 0)
        disarmed.disarm()
        dropped?.arm(afterUsec: 0)
        dropped = nil
        end.arm(afterUsec: 2_000)
        try loop.runForTest()
        #expect(fired.isEmpty)
        withExtendedLifetime((moved, disarmed, unarmed, end)) {}
    }

    @Test("A watched signal becomes a call and interrupts nothing")
    func signal() throws {
        var mask = sigset_t()
        pthread_sigmask(SIG_BLOCK, nil, &mask)
        defer { pthread_sigmask(SIG_SETMASK, &mask, nil) }
        var count = 0
        let watch = try SignalWatch(loop, SIGUSR1) { [loop] in
            count += 1
            loop.exit(0)
        }
        // Goes to this thread alone, which blocks it.
        raise(SIGUSR1)
        #expect(count == 0)
        try loop.runForTest()
        #expect(count == 1)
        withExtendedLifetime(watch) {}
    }
}
