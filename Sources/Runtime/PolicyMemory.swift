// SPDX-License-Identifier: Apache-2.0
// The memory in which the fronts of a supervisor leave what they know for each other: two snapshots, then the windows of
// the limits per minute behind the lock that guards them.

package import Posix

package enum PolicyMemory {
    /// Room for two snapshots, of the front before and of the present one.
    package static let snapshotBytes = 1 << 22
    /// Room for the windows of a thousand credentials, models and client keys.
    private static let minuteBytes = 1 << 20
    // Pages that nobody writes cost nothing. Whoever changes what is in them changes the size as well.

    /// Makes it; nil when there is none to have. Without it fronts begin with empty hands, which is no failure.
    package static func make() -> SharedMemory? {
        guard
            let memory = try? SharedMemory(
                name: "ccr-policy", capacity: snapshotBytes + minuteBytes, isSparse: true),
            let lock = lock(in: memory), (try? SharedLock.make(at: lock)) != nil
        else { return nil }
        return memory
    }

    /// That of the supervisor before this one; nil when it is of another version.
    package static func adopt(_ descriptor: consuming FileDescriptor) -> SharedMemory? {
        guard let memory = try? SharedMemory(adopting: descriptor), lock(in: memory) != nil else {
            return nil
        }
        return memory
    }

    /// Where the lock is; nil in memory of a supervisor of another version.
    package static func lock(in memory: SharedMemory) -> UnsafeMutableRawPointer? {
        guard memory.capacity == snapshotBytes + minuteBytes else { return nil }
        return memory.mapped.baseAddress.map { $0 + snapshotBytes }
    }
}
