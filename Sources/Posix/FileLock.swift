// SPDX-License-Identifier: Apache-2.0
// A lock that one process holds as long as it lives, however it ends.
// Source: flock(2).

import Glibc

/// An exclusive lock on a file of its own. Not on a database: closing a second descriptor of that would drop
/// SQLite's locks (fcntl(2), "Record locks").
package final class FileLock {
    private let descriptor: FileDescriptor

    /// Creates the file when it is missing and locks it. A symbolic link in its place is refused.
    ///
    /// - Parameter waits: until the process that holds the lock has gone.
    /// - Throws: EWOULDBLOCK when another process holds the lock, or the error of open(2).
    package init(path: String, waits: Bool = false) throws(Errno) {
        let fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard fd >= 0 else { throw Errno("open") }
        descriptor = FileDescriptor(owning: fd)
        while flock(fd, waits ? LOCK_EX : LOCK_EX | LOCK_NB) != 0 {
            guard errno == EINTR else { throw Errno("flock") }
        }
    }
}
