// SPDX-License-Identifier: Apache-2.0
// Writes one answer to a client's socket, as fast as the client reads.

import EventLoop
import HTTP1
import Posix

extension Answer {
    /// The whole answer, head and body.
    ///
    /// - Parameters:
    ///   - isHead: the request was HEAD, so that the body is left out.
    ///   - isHTTP11: what the client speaks. With false, `keepAlive` is said aloud, which HTTP/1.1 allows too.
    func bytes(keepAlive: Bool, isHTTP11: Bool, isHead: Bool = false) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(body.count + 256)
        ResponseHead.begin(status: status, into: &output)
        ResponseHead.header("content-type", contentType, into: &output)
        ResponseHead.header("cache-control", "no-store", into: &output)
        if status == 405 { ResponseHead.header("allow", "GET, HEAD", into: &output) }
        ResponseHead.end(
            framing: .length(body.count), keepAlive: keepAlive, isHTTP11: isHTTP11, into: &output)
        if !isHead { output += body }
        return output
    }
}

/// An answer on its way; owns its descriptor and closes it at the end.
final class AnswerWriter {
    /// How the writing ended.
    enum Ending {
        /// The kernel has all of it.
        case complete
        case clientGone
        case timedOut
    }

    private let loop: EventLoop
    private let descriptor: FileDescriptor
    private let bytes: [UInt8]
    private var sent = 0
    private var watch: EventLoop.Watch?
    private let deadlineUsec: UInt64
    private var onEnd: ((Ending) -> Void)?
    /// How often the socket was full.
    private(set) var fullCount: UInt32 = 0

    /// - Parameters:
    ///   - descriptor: the client's socket, non-blocking.
    ///   - deadlineUsec: CLOCK_MONOTONIC microseconds after which `check` gives up.
    ///   - onEnd: called once; the socket is not touched afterwards.
    init(
        _ loop: EventLoop, _ descriptor: consuming FileDescriptor, _ bytes: [UInt8], deadlineUsec: UInt64,
        onEnd: @escaping (Ending) -> Void
    ) {
        self.loop = loop
        self.descriptor = descriptor
        self.bytes = bytes
        self.deadlineUsec = deadlineUsec
        self.onEnd = onEnd
    }

    deinit {
        watch?.cancel()
    }

    /// Writes what the socket takes now and goes on when it takes more; may call `onEnd` at once.
    func start() {
        do {
            while sent < bytes.count {
                let result = try bytes.withUnsafeBytes { (view) throws(Errno) in
                    try Socket.send(descriptor.raw, UnsafeRawBufferPointer(rebasing: view[sent...]))
                }
                guard case .bytes(let count) = result else { return try waitForRoom() }
                sent += count
            }
            end(.complete)
        } catch {
            end(.clientGone)
        }
    }

    /// Gives up when the deadline has passed.
    func check(nowUsec: UInt64) {
        if nowUsec >= deadlineUsec { end(.timedOut) }
    }

    private func waitForRoom() throws(Errno) {
        fullCount += 1
        if watch == nil {
            watch = try loop.watch(descriptor.raw, .writable) { [unowned self] _ in self.start() }
        }
    }

    private func end(_ ending: Ending) {
        watch?.cancel()
        watch = nil
        let call = onEnd
        onEnd = nil
        call?(ending)
    }
}
