// SPDX-License-Identifier: Apache-2.0
// The one event loop of a process: sd-event for signals, timers and the watchdog, inside an epoll set of its own for
// the descriptors that carry traffic. sd-event dispatches one source per turn and asks the kernel again after each;
// here the kernel is asked once for a whole batch, and sd-event's own descriptor is one entry of the set.
// Source: sd-event(3), sd_event_get_fd(3), sd_event_prepare(3), epoll(7), sched_yield(2).

import CLinux
import CSystemd
import Glibc
package import Posix

/// Runs callbacks for descriptors, timers and signals on the thread that calls `run`.
package final class EventLoop {
    let event: OpaquePointer
    private let epoll: FileDescriptor
    private var slots: [Slot] = []
    private var freeSlots: [Int] = []
    private var deferred: [() -> Void] = []
    private var turnEnds: [() -> Void] = []
    private var exitCode: Int32?
    /// sd-event has armed its timers and waits; a changed timer must be armed again before the loop sleeps.
    private var isArmed = false
    private var timersChanged = false

    private struct Slot {
        var watch: Watch?
        var generation: UInt32
    }

    /// Marks the entry of sd-event's own descriptor in the set; no slot has this number.
    private static let timerEntry = UInt64.max
    /// Events taken from the kernel at once; a bound on how long one batch can keep timers waiting.
    private static let batchSize = 128
    /// After so many events of a batch the CPU is offered to whoever waits for it: what was handed on need not wait until
    /// the whole batch is served. One call of 0.3 µs if nobody does.
    private static let eventsBetweenYields = 16
    private let batch = UnsafeMutablePointer<epoll_event>.allocate(capacity: EventLoop.batchSize)
    /// Where the loop's message channels receive.
    let messageBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 262_144, alignment: 16)

    /// Makes the loop; one per process.
    package init() throws(Errno) {
        var event: OpaquePointer?
        let result = sd_event_new(&event)
        guard result >= 0, let event else { throw Errno("sd_event_new", code: -result) }
        self.event = event
        let fd = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard fd >= 0 else { throw Errno("epoll_create1") }
        self.epoll = FileDescriptor(owning: fd)
        var entry = epoll_event()
        entry.events = EPOLLIN.rawValue
        entry.data.u64 = EventLoop.timerEntry
        guard epoll_ctl(fd, EPOLL_CTL_ADD, sd_event_get_fd(event), &entry) == 0 else {
            throw Errno("epoll_ctl")
        }
    }

    deinit {
        sd_event_unref(event)
        batch.deallocate()
        messageBuffer.deallocate()
    }

    /// What to be told about a descriptor.
    package struct Interest: OptionSet {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// Whether nothing is asked for but what is reported always.
        package var isNothing: Bool { rawValue == 0 }

        package static let readable = Interest(rawValue: EPOLLIN.rawValue)
        package static let writable = Interest(rawValue: EPOLLOUT.rawValue)
        /// Reported always: both directions are closed.
        package static let hangUp = Interest(rawValue: EPOLLHUP.rawValue)
        /// Reported always: an error waits on the descriptor.
        package static let failed = Interest(rawValue: EPOLLERR.rawValue)

        // What is asked for and looked at with every event. Set literals and set algebra of another module are
        // generic calls at run time, which cost more than the rest of an event.

        package static let readableAndWritable = Interest(rawValue: EPOLLIN.rawValue | EPOLLOUT.rawValue)
        /// Also when the peer has closed its sending side.
        package static let readableOrClosed = Interest(rawValue: EPOLLIN.rawValue | EPOLLRDHUP.rawValue)
        /// Like `readableOrClosed`, but told once for each time that something arrives, and once when watching begins:
        /// whoever does not receive until there is nothing left has to remember it (epoll(7), EPOLLET).
        package static let arrival = Interest(
            rawValue: EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue)
        /// Told once, when the peer has closed its sending side or the connection is broken, and not when bytes arrive.
        package static let departure = Interest(rawValue: EPOLLRDHUP.rawValue | EPOLLET.rawValue)
        /// Nothing more can be sent.
        package static let broken = Interest(rawValue: EPOLLERR.rawValue | EPOLLHUP.rawValue)
        /// Nothing more will come.
        package static let gone = Interest(
            rawValue: EPOLLERR.rawValue | EPOLLHUP.rawValue | EPOLLRDHUP.rawValue)
        /// There is something to receive, be it the end.
        package static let receivable = Interest(
            rawValue: EPOLLIN.rawValue | EPOLLERR.rawValue | EPOLLHUP.rawValue)

        /// Whether one of these was reported.
        @inline(__always)
        package func includes(anyOf other: Interest) -> Bool { rawValue & other.rawValue != 0 }
    }

    /// A watched descriptor; watching ends with `cancel` or with the object.
    package final class Watch {
        /// Held until the watch ends, as the loop holds the watch: a weak reference makes every use of the loop slow.
        private var loop: EventLoop?
        fileprivate let fd: Int32
        fileprivate let slot: Int
        fileprivate let handler: (Interest) -> Void
        private(set) package var interest: Interest

        fileprivate init(
            loop: EventLoop, fd: Int32, slot: Int, interest: Interest, handler: @escaping (Interest) -> Void
        ) {
            self.loop = loop
            self.fd = fd
            self.slot = slot
            self.interest = interest
            self.handler = handler
        }

        /// Changes what is reported; one system call, none when nothing changes.
        package func update(_ interest: Interest) {
            guard interest != self.interest, let loop else { return }
            self.interest = interest
            loop.modify(self)
        }

        /// Ends watching; no handler call comes afterwards, not even for events already fetched.
        /// Call it before the descriptor is closed.
        package func cancel() {
            guard let loop else { return }
            loop.remove(self, kernelToo: true)
            self.loop = nil
        }

        /// Ends watching of a descriptor that has been closed already, which took it out of the kernel's set.
        package func forget() {
            guard let loop else { return }
            loop.remove(self, kernelToo: false)
            self.loop = nil
        }
    }

    /// Watches a descriptor, level-triggered. The loop holds the watch until it is cancelled.
    package func watch(_ fd: Int32, _ interest: Interest, _ handler: @escaping (Interest) -> Void)
        throws(Errno)
        -> Watch
    {
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = slots.count
            slots.append(Slot(watch: nil, generation: 0))
        }
        let watch = Watch(loop: self, fd: fd, slot: slot, interest: interest, handler: handler)
        slots[slot].watch = watch
        var entry = kernelEntry(watch)
        guard epoll_ctl(epoll.raw, EPOLL_CTL_ADD, fd, &entry) == 0 else {
            let error = Errno("epoll_ctl")
            release(slot)
            throw error
        }
        return watch
    }

    /// Runs `body` after the events at hand, before the loop sleeps again.
    package func later(_ body: @escaping () -> Void) {
        deferred.append(body)
    }

    /// Runs `body` whenever the loop is about to wait or to end: the place for what the events of a turn have in common,
    /// such as writing out what they left.
    package func atTurnEnd(_ body: @escaping () -> Void) {
        turnEnds.append(body)
    }

    /// Runs until `exit`; returns its code. May be called again afterwards.
    package func run() throws(Errno) -> Int32 {
        while true {
            if !isArmed || timersChanged { try serveTimers() }
            for body in turnEnds { body() }
            if exitCode != nil { break }
            // Deferred work waits for the events at hand and for nothing else.
            try serveDescriptors(sleeping: deferred.isEmpty)
            runDeferred()
        }
        defer { exitCode = nil }
        return exitCode ?? 0
    }

    /// Lets `run` return after the current callback.
    package func exit(_ code: Int32) {
        exitCode = code
    }

    /// A timer or signal was set; it counts from the next turn on.
    func sourcesChanged() {
        timersChanged = true
    }

    /// Answers the service manager's watchdog, if one is set, from this loop (sd_event_set_watchdog(3)).
    package func enableWatchdog() {
        sd_event_set_watchdog(event, 1)
        sourcesChanged()
    }

    // MARK: - The epoll set

    private func kernelEntry(_ watch: Watch) -> epoll_event {
        var entry = epoll_event()
        entry.events = watch.interest.rawValue
        entry.data.u64 = UInt64(slots[watch.slot].generation) << 32 | UInt64(watch.slot)
        return entry
    }

    fileprivate func modify(_ watch: Watch) {
        var entry = kernelEntry(watch)
        if epoll_ctl(epoll.raw, EPOLL_CTL_MOD, watch.fd, &entry) != 0 {
            fatalError("\(Errno("epoll_ctl")) on descriptor \(watch.fd): it was closed while watched")
        }
    }

    fileprivate func remove(_ watch: Watch, kernelToo: Bool) {
        if kernelToo {
            _ = epoll_ctl(epoll.raw, EPOLL_CTL_DEL, watch.fd, nil)
        }
        release(watch.slot)
    }

    private func release(_ slot: Int) {
        slots[slot].watch = nil
        // Events of this slot that were fetched before now carry an old generation and are passed over.
        slots[slot].generation &+= 1
        freeSlots.append(slot)
    }

    /// Takes one batch of events from the kernel and serves it.
    private func serveDescriptors(sleeping: Bool) throws(Errno) {
        let count = epoll_wait(epoll.raw, batch, Int32(EventLoop.batchSize), sleeping ? -1 : 0)
        guard count >= 0 else {
            if errno == EINTR { return }
            throw Errno("epoll_wait")
        }
        var timersDue = false
        for index in 0..<Int(count) {
            let entry = batch[index]
            if entry.data.u64 == EventLoop.timerEntry {
                timersDue = true
                continue
            }
            let slot = Int(entry.data.u64 & 0xFFFF_FFFF)
            let current = slots[slot]
            guard current.generation == UInt32(entry.data.u64 >> 32), let watch = current.watch else {
                continue
            }
            watch.handler(Interest(rawValue: entry.events))
            if (index + 1) % EventLoop.eventsBetweenYields == 0, index + 1 < Int(count) { _ = sched_yield() }
        }
        if timersDue { try serveTimers() }
    }

    /// Dispatches what sd-event has pending, then has it arm its timers for the sleep.
    private func serveTimers() throws(Errno) {
        timersChanged = false
        if isArmed {
            isArmed = false
            if try check(sd_event_wait(event, 0), "sd_event_wait") { try dispatchTimer() }
        }
        while exitCode == nil {
            guard try check(sd_event_prepare(event), "sd_event_prepare") else {
                isArmed = true
                return
            }
            try dispatchTimer()
        }
    }

    private func dispatchTimer() throws(Errno) {
        _ = try check(sd_event_dispatch(event), "sd_event_dispatch")
    }

    /// Whether sd-event has something pending.
    private func check(_ result: Int32, _ call: String) throws(Errno) -> Bool {
        guard result >= 0 else { throw Errno(call, code: -result) }
        return result > 0
    }

    private func runDeferred() {
        guard !deferred.isEmpty else { return }
        // Work queued by this work waits for the next turn, so that no chain of it starves the descriptors.
        let work = deferred
        deferred.removeAll(keepingCapacity: true)
        for body in work { body() }
    }
}
