// SPDX-License-Identifier: Apache-2.0
// Memory for large request bodies, used again while requests keep coming: fresh pages cost more than receiving the
// body into them. Front receives and parses in memory of its own, which nobody else can change meanwhile, and then
// copies into a memfd of the provider that is asked. A provider's memfd is used again for that provider only, since
// its worker may have kept the descriptor.
// Source: memfd_create(2).

import Glibc
import Posix

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

final class BodyPool {
    private var buffers: [BodyBuffer] = []
    /// By provider.
    private var files: [Int: [SharedMemory]] = [:]

    /// Kept per kind and provider, and the largest that is kept.
    private static let maximumCount = 8
    static let maximumBytes = 8 << 20
    /// A fresh buffer starts this large and quadruples, so that a claimed length alone costs nothing.
    static let firstCapacity = 256 * 1024

    /// Private memory of some size.
    func takeBuffer() -> BodyBuffer {
        buffers.popLast() ?? BodyBuffer(capacity: BodyPool.firstCapacity)
    }

    /// Takes private memory back.
    func give(_ buffer: BodyBuffer) {
        guard buffers.count < BodyPool.maximumCount, buffer.capacity <= BodyPool.maximumBytes else { return }
        buffers.append(buffer)
        buffers.sort { $0.capacity < $1.capacity }
    }

    /// A memfd that holds `body`, for the worker of `provider`.
    func file(holding body: UnsafeRawBufferPointer, provider: Int) throws(Errno) -> SharedMemory {
        let memory: SharedMemory
        if let idle = files[provider]?.popLast() {
            memory = idle
        } else {
            memory = try SharedMemory(name: "ccr-body", capacity: body.count)
        }
        memory.count = 0
        try memory.reserve(body.count)
        try memory.append(body)
        return memory
    }

    /// Takes a memfd back that the provider's worker does not read any more.
    func give(_ memory: SharedMemory, provider: Int) {
        guard memory.capacity <= BodyPool.maximumBytes else { return }
        var list = files[provider] ?? []
        guard list.count < BodyPool.maximumCount else { return }
        list.append(memory)
        list.sort { $0.capacity < $1.capacity }
        files[provider] = list
    }

    /// Frees everything.
    func empty() {
        buffers = []
        files = [:]
    }
}
