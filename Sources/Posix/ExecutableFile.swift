// SPDX-License-Identifier: Apache-2.0
// Files by what they are and not by their path: a package manager puts a new file under the old name.
// Source: open(2) "O_PATH", stat(2).

import CLinux
import Glibc

/// What tells a file from the one that replaces it.
package struct FileIdentity: Equatable, Sendable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let modifiedSec: Int64
    private let modifiedNsec: Int64

    /// The file at `path`, symbolic links followed, or nil when there is none.
    package init?(path: String) {
        var status = Glibc.stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    /// The file that is open, or nil when the descriptor is not.
    package init?(_ descriptor: borrowing FileDescriptor) {
        var status = Glibc.stat()
        guard fstat(descriptor.raw, &status) == 0 else { return nil }
        self.init(status)
    }

    /// Whether both are one file, changed since or not.
    package func isSameFile(as other: FileIdentity) -> Bool {
        device == other.device && inode == other.inode
    }

    private init(_ status: Glibc.stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modifiedSec = Int64(status.st_mtim.tv_sec)
        modifiedNsec = Int64(status.st_mtim.tv_nsec)
    }
}

package enum ExecutableFile {
    /// Opens a file only to start it.
    package static func open(_ path: String) throws(Errno) -> FileDescriptor {
        // O_PATH, which the overlay does not import.
        let fd = Glibc.open(path, 0o10_000_000 | O_CLOEXEC)
        guard fd >= 0 else { throw Errno("open") }
        return FileDescriptor(owning: fd)
    }
}
