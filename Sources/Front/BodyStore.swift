// SPDX-License-Identifier: Apache-2.0
// Where a request body is collected and parsed: in memory that only front can change.

import Glibc
import JSON
import Posix

/// A growing body.
final class BodyStore {
    /// Bodies up to this size travel inside the handoff message, larger ones in a memfd.
    static let inlineLimit = 32 * 1024

    private var inline: [UInt8] = []
    private var large: Large?
    private var largeCount = 0
    /// Has looked at what was received so far, if that went straight into large memory.
    var scanner: JSONScanner?
    private let limit: Int
    private let pool: BodyPool
    private let provider: Int?

    private enum Large {
        case buffer(BodyBuffer)
        case file(BodyFile)

        var address: UnsafeMutableRawPointer? {
            switch self {
            case .buffer(let buffer): buffer.address
            case .file(let file): file.memory.mapped.baseAddress
            }
        }

        var capacity: Int {
            switch self {
            case .buffer(let buffer): buffer.capacity
            case .file(let file): file.memory.capacity
            }
        }

        /// Returns false when there is no memory.
        func reserve(_ minimum: Int) -> Bool {
            switch self {
            case .buffer(let buffer): return buffer.reserve(minimum)
            case .file(let file):
                do throws(Errno) {
                    try file.memory.reserve(minimum)
                    return true
                } catch {
                    return false
                }
            }
        }
    }

    /// Raised when the body outgrows its limit, or the memory there is.
    enum Fault: Error {
        case tooLarge
        case noMemory
    }

    /// - Parameter provider: whose worker will probably be asked, and may see the body in any case.
    init(limit: Int, expected: Int, pool: BodyPool, provider: Int? = nil) {
        self.provider = provider
        self.limit = limit
        self.pool = pool
        if expected <= BodyStore.inlineLimit { inline.reserveCapacity(expected) }
    }

    deinit {
        if case .buffer(let buffer) = large { pool.give(buffer) }
    }

    var count: Int { large == nil ? inline.count : largeCount }

    /// The body when it is small, else nil.
    var inlineBytes: [UInt8]? { large == nil ? inline : nil }

    /// The file that holds a large body, if it is one of this provider's.
    func file(of provider: Int) -> BodyFile? {
        guard case .file(let file) = large, file.provider == provider else { return nil }
        return file
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Fault) {
        guard bytes.count <= limit - count else { throw .tooLarge }
        if large == nil, inline.count + bytes.count <= BodyStore.inlineLimit {
            inline.append(contentsOf: bytes)
            return
        }
        var rest = bytes
        while !rest.isEmpty {
            let room = try room(rest.count)
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<room.count]))
            largeCount += room.count
            rest = UnsafeRawBufferPointer(rebasing: rest[room.count...])
        }
    }

    /// Room for at least one and at most `wanted` bytes of a large body; `commit` takes them over.
    func room(_ wanted: Int) throws(Fault) -> UnsafeMutableRawBufferPointer {
        let large = try spill()
        if large.capacity - largeCount < min(wanted, large.capacity / 4) {
            let needed = min(largeCount + wanted, large.capacity * 4)
            guard large.reserve(needed) else { throw .noMemory }
        }
        let spare = large.capacity - largeCount
        return UnsafeMutableRawBufferPointer(
            start: large.address.map { $0 + largeCount }, count: min(wanted, spare))
    }

    func commit(_ count: Int) {
        largeCount += count
        let scanner = self.scanner ?? JSONScanner()
        self.scanner = scanner
        scanner.advance(UnsafeRawBufferPointer(start: large?.address, count: largeCount))
    }

    /// Lends the body.
    func withBytes<Value, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        if let large {
            return try body(UnsafeRawBufferPointer(start: large.address, count: largeCount))
        }
        let held = inline
        return try held.span.bytes.withUnsafeBytes { (bytes) throws(Failure) in try body(bytes) }
    }

    private func spill() throws(Fault) -> Large {
        if let large { return large }
        let large: Large
        if let provider {
            do throws(Errno) {
                large = .file(try pool.takeFile(provider: provider))
            } catch {
                throw .noMemory
            }
        } else {
            large = .buffer(pool.takeBuffer())
        }
        let held = inline
        guard large.reserve(held.count) else { throw .noMemory }
        self.large = large
        inline = []
        held.withUnsafeBytes { held in
            UnsafeMutableRawBufferPointer(start: large.address, count: large.capacity).copyMemory(from: held)
        }
        largeCount = held.count
        return large
    }
}
