// SPDX-License-Identifier: Apache-2.0
// A libcurl multi handle on the event loop: connection reuse, HTTP/2 and timers for all transfers of a process. A
// connection carries one of them at a time.
// Source: libcurl-multi(3), curl_multi_socket_action(3).

import CCurl
package import EventLoop
package import Posix

/// Starts transfers and keeps their connections. One per process.
package final class TransferPool {
    private let loop: EventLoop
    private var multi: UnsafeMutableRawPointer?
    private var timer: Timer?
    /// CLOCK_MONOTONIC microseconds at which libcurl wants to be called, and at which the timer fires.
    private var wantedUsec = UInt64.max
    private var armedUsec = UInt64.max
    private var idle: [Transfer] = []
    /// Indexed by descriptor number.
    private var sockets: [WatchedSocket?] = []
    /// Sockets of connections, whose end is told once they are made; libcurl's resolver has others.
    private var connections: Set<Int32> = []
    private var kickQueued = false
    private var runningCount = 0
    private var cleaning: Timer?
    private var isCleaningArmed = false
    private let unusedConnectionMsec: Int
    /// The fewest handles that lay idle at one time since the last cleaning: so many were not needed.
    private var leastIdle = 0

    /// A socket of libcurl. Between two requests on a kept connection it stays registered with the kernel, which
    /// saves two system calls per request; an event nobody wants takes it out.
    private struct WatchedSocket {
        let watch: EventLoop.Watch
        var wanted: EventLoop.Interest
    }

    /// Easy handles kept for reuse; each holds about 5 KB.
    private static let maximumIdleTransfers = 256
    /// Upstream connections kept open while nobody uses them.
    private static let maximumIdleConnections = 512
    /// libcurl looks through its connections at most once a second.
    private static let cleaningUsec: UInt64 = 1_100_000

    /// - Parameter unusedConnectionMsec: how long a connection stays open while nobody uses it; at least 1,000, counted
    ///   in whole seconds.
    package init(_ loop: EventLoop, unusedConnectionMsec: Int) throws(Errno) {
        self.loop = loop
        self.unusedConnectionMsec = unusedConnectionMsec
        guard curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK else {
            throw Errno("curl_global_init", code: 12)
        }
        var table = TransferPool.callbacks
        ccr_curl_install(&table)
        multi = ccr_multi_init(Unmanaged.passUnretained(self).toOpaque(), TransferPool.maximumIdleConnections)
        guard multi != nil else { throw Errno("curl_multi_init", code: 12) }
        timer = try Timer(loop) { [unowned self] in self.timerFired() }
        cleaning = try Timer(loop, accuracyUsec: 100_000) { [unowned self] in self.clean() }
    }

    /// Seconds in libcurl's sense, which counts whole ones and wants more than this many.
    var unusedConnectionSeconds: Int { unusedConnectionMsec / 1000 - 1 }

    /// Transfers and dials that have been started and have not ended.
    package var activeCount: Int { runningCount }

    /// Starts a request; the first report comes later, from the event loop.
    package func start(_ request: TransferRequest, delegate: any TransferDelegate) -> Transfer {
        let transfer = idle.popLast() ?? Transfer(pool: self)
        leastIdle = min(leastIdle, idle.count)
        transfer.prepare(request, delegate: delegate)
        // The transfer is kept alive by its delegate; libcurl holds the bare handle.
        add(transfer)
        return transfer
    }

    /// Connects to an origin, "http://host:port", past any proxy. `completion` is called later, from the event loop.
    package func dial(
        _ origin: String, connectTimeoutMsec: Int, completion: @escaping (consuming DialResult) -> Void
    ) -> Dial {
        let dial = Dial(origin, connectTimeoutMsec: connectTimeoutMsec, pool: self, completion: completion)
        add(dial)
        return dial
    }

    private func add(_ member: PoolMember) {
        runningCount += 1
        let result = curl_multi_add_handle(multi, member.easy)
        guard result == CURLM_OK else { fatalError(String(cString: curl_multi_strerror(result))) }
    }

    func remove(_ member: PoolMember) {
        curl_multi_remove_handle(multi, member.easy)
        runningCount -= 1
    }

    /// Runs a transfer that has just ended once more.
    func restart(_ transfer: Transfer) {
        remove(transfer)
        add(transfer)
    }

    func recycle(_ transfer: Transfer) {
        remove(transfer)
        if idle.count < TransferPool.maximumIdleTransfers { idle.append(transfer) }
    }

    /// Something may have finished outside of a socket event.
    func progressed() {
        kick()
    }

    // MARK: - What is not used any more

    private func cleanLater(afterUsec usec: UInt64) {
        guard !isCleaningArmed else { return }
        isCleaningArmed = true
        cleaning?.arm(afterUsec: usec)
    }

    /// Closes old connections and frees handles that were not needed since the last time.
    private func clean() {
        isCleaningArmed = false
        let before = connections.count + idle.count
        ccr_multi_close_unused(multi, unusedConnectionSeconds)
        act(CURL_SOCKET_TIMEOUT, 0)
        // The last ones are used first, so the first ones are those that were not needed.
        idle.removeFirst(leastIdle)
        leastIdle = idle.count
        if connections.count + idle.count < before { ProcessMemory.trim() }
        if !connections.isEmpty || !idle.isEmpty {
            cleanLater(afterUsec: max(TransferPool.cleaningUsec, UInt64(unusedConnectionMsec) * 1000 / 4))
        }
    }

    // MARK: - libcurl's callbacks

    private static let callbacks = ccr_curl_callbacks(
        header: { context, bytes, size in
            (owner(context) as Transfer).received(header: UnsafeRawBufferPointer(start: bytes, count: size))
        },
        body: { context, bytes, size in
            (owner(context) as Transfer).received(body: UnsafeRawBufferPointer(start: bytes, count: size))
                .rawValue
        },
        read: { context, buffer, size in
            (owner(context) as Transfer).fill(UnsafeMutableRawBufferPointer(start: buffer, count: size))
        },
        seek: { context, offset in (owner(context) as Transfer).seek(Int(offset)) },
        socket: { context, fd, what in (owner(context) as TransferPool).socketChanged(fd, what) },
        timer: { context, milliseconds in (owner(context) as TransferPool).timerChanged(milliseconds) },
        opening: { context, fd in (owner(context) as TransferPool).socketOpened(fd) },
        closing: { context, fd in (owner(context) as TransferPool).forget(fd) }
    )

    private func socketChanged(_ fd: Int32, _ what: Int32) {
        let index = Int(fd)
        let wanted: EventLoop.Interest =
            switch what {
            case CURL_POLL_IN: .readable
            case CURL_POLL_OUT: .writable
            case CURL_POLL_INOUT: .readableAndWritable
            default: .init(rawValue: 0)
            }
        if index >= sockets.count {
            sockets.append(contentsOf: repeatElement(nil, count: index + 64 - sockets.count))
        }
        guard let known = sockets[index] else {
            if !wanted.isNothing { watch(fd, wanted) }
            return
        }
        if !wanted.isNothing {
            sockets[index]?.wanted = wanted
            known.watch.update(wanted)
        } else if known.wanted.rawValue == EventLoop.Interest.readable.rawValue, connections.contains(fd) {
            // A connection that answered and may be kept: taken back only when it reports something.
            sockets[index]?.wanted = .init(rawValue: 0)
        } else {
            forget(fd)
        }
    }

    private func watch(_ fd: Int32, _ wanted: EventLoop.Interest) {
        do {
            let watch = try loop.watch(fd, wanted) { [unowned self] ready in self.socketReady(fd, ready) }
            sockets[Int(fd)] = WatchedSocket(watch: watch, wanted: wanted)
        } catch {
            fatalError("watching an upstream socket: \(error)")
        }
    }

    /// The socket closes, or has been closed while its connection was still being made.
    private func forget(_ fd: Int32) {
        connections.remove(fd)
        guard Int(fd) < sockets.count, let socket = sockets[Int(fd)] else { return }
        socket.watch.cancel()
        sockets[Int(fd)] = nil
    }

    /// A number that is known already belonged to a socket that libcurl closed without a word. If it did so within
    /// one call, it takes the new socket for the old one and does not say again what it waits for.
    private func socketOpened(_ fd: Int32) {
        if Int(fd) < sockets.count, let stale = sockets[Int(fd)] {
            stale.watch.forget()
            sockets[Int(fd)] = nil
            if !stale.wanted.isNothing { watch(fd, stale.wanted) }
        }
        connections.insert(fd)
        cleanLater(afterUsec: TransferPool.cleaningUsec)
    }

    private func socketReady(_ fd: Int32, _ ready: EventLoop.Interest) {
        guard let socket = sockets[Int(fd)] else { return }
        if socket.wanted.isNothing {
            // An idle connection was closed by the upstream; libcurl finds out when it wants to use it.
            socket.watch.cancel()
            sockets[Int(fd)] = nil
            return
        }
        var mask: Int32 = 0
        if ready.includes(anyOf: .readable) { mask |= CURL_CSELECT_IN }
        if ready.includes(anyOf: .writable) { mask |= CURL_CSELECT_OUT }
        if ready.includes(anyOf: .broken) { mask |= CURL_CSELECT_ERR | CURL_CSELECT_IN }
        act(fd, mask)
    }

    /// libcurl changes its mind with every request, mostly to a later time. So the timer is only ever set to an earlier
    /// one: when it fires too early, it is set to what is wanted by then.
    private func timerChanged(_ milliseconds: Int) {
        wantedUsec = .max
        switch milliseconds {
        case ..<0: break
        case 0: kick()
        default:
            wantedUsec = Clock.monotonicUsec() + UInt64(milliseconds) * 1000
            armTimer()
        }
    }

    private func armTimer() {
        guard wantedUsec < armedUsec else { return }
        armedUsec = wantedUsec
        timer?.arm(atUsec: armedUsec)
    }

    private func timerFired() {
        armedUsec = .max
        if wantedUsec <= Clock.monotonicUsec() {
            wantedUsec = .max
            act(CURL_SOCKET_TIMEOUT, 0)
        } else {
            armTimer()
        }
    }

    /// libcurl must not be called back from its own timer callback, so a due timeout waits for the end of the batch.
    private func kick() {
        guard !kickQueued else { return }
        kickQueued = true
        loop.later { [unowned self] in
            self.kickQueued = false
            self.act(CURL_SOCKET_TIMEOUT, 0)
        }
    }

    private func act(_ fd: Int32, _ mask: Int32) {
        var running: Int32 = 0
        curl_multi_socket_action(multi, fd, mask, &running)
        var code = CURLE_OK
        while let easy = ccr_multi_next_done(multi, &code) {
            (owner(ccr_easy_owner(easy)) as PoolMember).ended(code)
        }
    }
}
