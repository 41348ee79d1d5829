// SPDX-License-Identifier: Apache-2.0
// Writes an answer to the client's socket: one system call per piece, at most one piece kept when the socket is full.
// Source: RFC 9112 §7.1 (chunked coding).

import Bytes
import EventLoop
import Glibc
import Posix

final class ClientWriter {
    private let descriptor: FileDescriptor?
    /// The descriptor's number; -1 when nobody gets the answer.
    private let raw: Int32
    private unowned let loop: EventLoop
    private var watch: EventLoop.Watch?
    private var pending: [UInt8] = []
    private var pendingStart = 0
    private let onDrained: () -> Void
    private let onBroken: () -> Void
    /// How often the socket was full.
    private(set) var fullCount: UInt32 = 0
    /// CLOCK_MONOTONIC microseconds of the last accepted byte.
    private(set) var lastWriteUsec: UInt64
    private(set) var isBroken = false

    /// Writes to `descriptor`, which it owns; without one to nobody. `onDrained` comes when a full socket has taken everything, `onBroken`
    /// when a full socket turns out to be closed.
    init(
        _ loop: EventLoop, _ descriptor: consuming FileDescriptor?, onDrained: @escaping () -> Void,
        onBroken: @escaping () -> Void
    ) {
        self.loop = loop
        raw = ClientWriter.number(of: descriptor)
        self.descriptor = descriptor
        self.onDrained = onDrained
        self.onBroken = onBroken
        lastWriteUsec = Clock.monotonicUsec()
    }

    private static func number(of descriptor: borrowing FileDescriptor?) -> Int32 {
        switch descriptor {
        case .some(let descriptor): descriptor.raw
        case .none: -1
        }
    }

    deinit {
        watch?.cancel()
    }

    /// Whether bytes wait for the client; more must not be written now.
    var isFull: Bool { pendingStart < pending.count }

    /// Writes a head and a body part in one call; the body is framed as a chunk if `chunked`.
    func write(head: [UInt8] = [], body: UnsafeRawBufferPointer, chunked: Bool, isLast: Bool = false) {
        head.withUnsafeBytes { head in
            guard chunked else { return write(parts: (head, body, .empty, .empty)) }
            var sizeLine = InlineArray<20, UInt8>(repeating: 0)
            let sizeCount = body.isEmpty ? 0 : ClientWriter.sizeLine(body.count, &sizeLine)
            let tail: StaticString =
                switch (body.isEmpty, isLast) {
                case (false, false): "\r\n"
                case (false, true): "\r\n0\r\n\r\n"
                case (true, true): "0\r\n\r\n"
                case (true, false): ""
                }
            withUnsafeBytes(of: &sizeLine) { line in
                write(parts: (head, line.slice(0..<sizeCount), body, ClientWriter.view(tail)))
            }
        }
    }

    /// Sends what follows after the last byte: nothing more will come.
    func shutDown() {
        if raw >= 0 { _ = Glibc.shutdown(raw, Int32(SHUT_WR)) }
    }

    private typealias Parts = (
        UnsafeRawBufferPointer, UnsafeRawBufferPointer, UnsafeRawBufferPointer, UnsafeRawBufferPointer
    )

    private func write(parts: Parts) {
        guard !isBroken, raw >= 0 else { return }
        if isFull {
            for part in [parts.0, parts.1, parts.2, parts.3] { pending.append(contentsOf: part) }
            return
        }
        let vectors: InlineArray<4, iovec> = [
            ClientWriter.vector(parts.0), ClientWriter.vector(parts.1), ClientWriter.vector(parts.2),
            ClientWriter.vector(parts.3),
        ]
        let total = parts.0.count + parts.1.count + parts.2.count + parts.3.count
        guard total > 0 else { return }
        do {
            let sent = try vectors.span.withUnsafeBufferPointer { (list) throws(Errno) in
                try Socket.send(raw, parts: list)
            }
            var written = 0
            if case .bytes(let count) = sent { written = count }
            if written > 0 { lastWriteUsec = Clock.monotonicUsec() }
            guard written < total else { return }
            var skip = written
            for part in [parts.0, parts.1, parts.2, parts.3] {
                if skip >= part.count {
                    skip -= part.count
                } else {
                    pending.append(contentsOf: part[skip...])
                    skip = 0
                }
            }
            try waitForRoom()
        } catch {
            // A client that has gone away is an ordinary end; the owner asks `isBroken` after each write.
            isBroken = true
        }
    }

    private func waitForRoom() throws(Errno) {
        fullCount += 1
        if let watch {
            watch.update(.writable)
        } else {
            watch = try loop.watch(raw, .writable) { [unowned self] ready in self.drain(ready) }
        }
    }

    private func drain(_ ready: EventLoop.Interest) {
        do {
            while isFull {
                let sent = try pending.span.bytes.withUnsafeBytes { (bytes) throws(Errno) in
                    try Socket.send(raw, bytes.slice(pendingStart..<bytes.count))
                }
                guard case .bytes(let count) = sent else { return }
                pendingStart += count
                lastWriteUsec = Clock.monotonicUsec()
            }
        } catch {
            isBroken = true
        }
        watch?.cancel()
        watch = nil
        pending = []
        pendingStart = 0
        if isBroken { onBroken() } else { onDrained() }
    }

    private static func vector(_ bytes: UnsafeRawBufferPointer) -> iovec {
        iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
    }

    private static func view(_ text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    /// "1f40\r\n"; returns its length.
    private static func sizeLine(_ size: Int, _ line: inout InlineArray<20, UInt8>) -> Int {
        let digits = max(1, (Int.bitWidth - size.leadingZeroBitCount + 3) / 4)
        for index in 0..<digits {
            let digit = UInt8(truncatingIfNeeded: size >> ((digits - 1 - index) * 4)) & 0xF
            line[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
        }
        line[digits] = ASCII.carriageReturn
        line[digits + 1] = ASCII.lineFeed
        return digits + 2
    }
}

extension UnsafeRawBufferPointer {
    fileprivate static var empty: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }
}
