// SPDX-License-Identifier: Apache-2.0
// A lock in memory that several own processes map, which is free again when its holder dies.
// Source: pthread_mutexattr_setrobust(3), pthread_mutexattr_setpshared(3).

import Glibc

package struct SharedLock {
    /// Bytes that it takes, and its alignment.
    package static let bytes = 64

    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    /// A lock that another process has made at this place, which stays mapped as long as it is used.
    package init(at memory: UnsafeMutableRawPointer) {
        mutex = memory.assumingMemoryBound(to: pthread_mutex_t.self)
    }

    /// Makes one, in memory that is all zero and that nobody else uses yet.
    package static func make(at memory: UnsafeMutableRawPointer) throws(Errno) -> SharedLock {
        precondition(MemoryLayout<pthread_mutex_t>.size <= bytes)
        let mutex = memory.bindMemory(to: pthread_mutex_t.self, capacity: 1)
        var attributes = pthread_mutexattr_t()
        pthread_mutexattr_init(&attributes)
        defer { pthread_mutexattr_destroy(&attributes) }
        pthread_mutexattr_setpshared(&attributes, Int32(PTHREAD_PROCESS_SHARED))
        pthread_mutexattr_setrobust(&attributes, Int32(PTHREAD_MUTEX_ROBUST))
        let code = pthread_mutex_init(mutex, &attributes)
        guard code == 0 else { throw Errno("pthread_mutex_init", code: code) }
        return SharedLock(at: memory)
    }

    /// Waits for the lock. Its holder may have died in the middle of what it did.
    package func lock() {
        if pthread_mutex_lock(mutex) == EOWNERDEAD { pthread_mutex_consistent(mutex) }
    }

    package func unlock() { pthread_mutex_unlock(mutex) }
}
