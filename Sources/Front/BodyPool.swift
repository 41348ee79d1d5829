// SPDX-License-Identifier: Apache-2.0
// Memfds for large request bodies, used again while requests keep coming: making the pages of a fresh one costs more
// than receiving the body. Given back only when the worker is done with the request, and freed when front rests.

import Posix

final class BodyPool {
    private var idle: [SharedMemory] = []

    /// Files kept, and the largest that is kept.
    private static let maximumCount = 8
    private static let maximumBytes = 8 << 20
    /// A fresh file starts this large and quadruples, so that a claimed length alone costs nothing.
    static let firstCapacity = 256 * 1024

    /// An empty file, the largest at hand.
    func take() throws(Errno) -> SharedMemory {
        if let memory = idle.popLast() { return memory }
        return try SharedMemory(name: "ccr-body", capacity: BodyPool.firstCapacity)
    }

    /// Takes a file back that nobody reads any more.
    func give(_ memory: SharedMemory) {
        guard idle.count < BodyPool.maximumCount, memory.capacity <= BodyPool.maximumBytes else { return }
        memory.count = 0
        idle.append(memory)
        idle.sort { $0.capacity < $1.capacity }
    }

    /// Frees everything.
    func empty() {
        idle = []
    }
}
