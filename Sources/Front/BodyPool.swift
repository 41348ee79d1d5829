// SPDX-License-Identifier: Apache-2.0
// Memory for large request bodies, used again while requests keep coming: fresh pages cost more than receiving the
// body into them. A worker reads a body in a file of its provider, which is used again for that provider only, since the
// worker may have kept the descriptor; it cannot write it. A connection that was last handed to a provider's worker
// receives into such a file at once, everybody else into memory of front's own, from which the body is copied.
// Source: memfd_create(2); docs/decisions/0026-a-large-body-is-received-where-its-worker-reads-it.md.

import Glibc
import Posix
import Runtime

/// Growable private memory.
final class BodyBuffer {
    private(set) var address: UnsafeMutableRawPointer
    private(set) var capacity: Int

    init(capacity: Int) {
        guard let address = malloc(capacity) else { fatalError("no memory for a request body") }
        self.address = address
        self.capacity = capacity
    }

    deinit {
        free(address)
    }

    /// Makes room for `minimum` bytes in all. Returns false when there is no memory.
    func reserve(_ minimum: Int) -> Bool {
        guard minimum > capacity else { return true }
        guard let larger = realloc(address, minimum) else { return false }
        address = larger
        capacity = minimum
        return true
    }
}

/// A file lent to one body. Goes back to its pool with the last who holds it.
final class BodyFile {
    let memory: SharedMemory
    let provider: Int
    /// A worker may still read it, so it is not used again.
    var isLost = false
    private let pool: BodyPool

    fileprivate init(_ memory: SharedMemory, _ provider: Int, _ pool: BodyPool) {
        self.memory = memory
        self.provider = provider
        self.pool = pool
    }

    deinit {
        if !isLost { pool.give(memory, provider: provider) }
    }
}

final class BodyPool {
    private var buffers: [BodyBuffer] = []
    /// By provider.
    private var files: [Int: [SharedMemory]] = [:]
    private var disuse = Disuse()

    /// Fresh memory starts this large and quadruples, so that a claimed length alone costs nothing.
    static let firstCapacity = 256 * 1024

    /// Private memory of some size.
    func takeBuffer() -> BodyBuffer {
        disuse.used()
        return buffers.popLast() ?? BodyBuffer(capacity: BodyPool.firstCapacity)
    }

    /// Takes private memory back.
    func give(_ buffer: BodyBuffer) {
        guard buffers.count < BodyMemory.maximumCount, buffer.capacity <= BodyMemory.maximumBytes else {
            return
        }
        buffers.append(buffer)
        buffers.sort { $0.capacity < $1.capacity }
    }

    /// An empty file for the worker of `provider`, of some size.
    func takeFile(provider: Int, capacity: Int = firstCapacity) throws(Errno) -> BodyFile {
        disuse.used()
        let memory =
            if let idle = files[provider]?.popLast() {
                idle
            } else {
                try SharedMemory(name: "ccr-body", capacity: capacity, isOwn: true)
            }
        memory.count = 0
        return BodyFile(memory, provider, self)
    }

    /// A file that holds `body`, for the worker of `provider`.
    func file(holding body: UnsafeRawBufferPointer, provider: Int) throws(Errno) -> BodyFile {
        let file = try takeFile(provider: provider, capacity: body.count)
        try file.memory.reserve(body.count)
        try file.memory.append(body)
        return file
    }

    fileprivate func give(_ memory: SharedMemory, provider: Int) {
        guard memory.capacity <= BodyMemory.maximumBytes else { return }
        var list = files[provider] ?? []
        guard list.count < BodyMemory.maximumCount else { return }
        list.append(memory)
        list.sort { $0.capacity < $1.capacity }
        files[provider] = list
    }

    /// Frees everything that is not lent when nothing has been taken for a while. Returns whether it did.
    func sweep(_ now: UInt64) -> Bool {
        guard disuse.isLong(now), isHolding else { return false }
        buffers = []
        files = [:]
        return true
    }

    /// Whether there is memory that is not lent.
    var isHolding: Bool { !buffers.isEmpty || !files.isEmpty }
}
