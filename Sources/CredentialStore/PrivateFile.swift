// SPDX-License-Identifier: Apache-2.0
// Files that hold secrets: checked by what was opened and not by name, written so that a crash leaves the old or the
// new content.
// Source: open(2), fstat(2), rename(2), fsync(2).

import Glibc
import Posix

package enum PrivateFile {
    /// Who else may do what with a file or directory.
    package enum Sharing {
        /// Nobody may do anything.
        case none
        /// The group may read.
        case groupMayRead
    }

    /// Makes the directory (0700) if it is missing and checks it: a directory, no link, owned by this user, closed to
    /// others as far as `sharing` says.
    package static func prepareDirectory(_ path: String, _ sharing: Sharing = .none) throws(StoreError) {
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw .system(path, Errno("mkdir")) }
        let raw = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else {
            if errno == ELOOP || errno == ENOTDIR {
                throw .file("\(path) is no directory, or a symbolic link")
            }
            throw .system(path, Errno("open"))
        }
        try check(FileDescriptor(owning: raw), path, sharing)
    }

    /// Checks a file that exists; one that does not is fine. Returns whether it exists.
    @discardableResult
    package static func checkFile(_ path: String, _ sharing: Sharing = .none) throws(StoreError) -> Bool {
        let raw = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard raw >= 0 else {
            if errno == ENOENT { return false }
            if errno == ELOOP { throw .file("\(path) is a symbolic link; put the file itself there") }
            throw .system(path, Errno("open"))
        }
        try check(FileDescriptor(owning: raw), path, sharing)
        return true
    }

    /// Reads a private file of at most `limit` bytes.
    ///
    /// - Parameter acceptsOpenMode: takes a file that others may read, as `ccr … --accept-open-mode` asks for.
    package static func read(_ path: String, limit: Int, acceptsOpenMode: Bool = false) throws(StoreError)
        -> [UInt8]
    {
        let raw = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard raw >= 0 else {
            if errno == ELOOP { throw .file("\(path) is a symbolic link; name the file itself") }
            throw .system(path, Errno("open"))
        }
        let descriptor = FileDescriptor(owning: raw)
        let status = try status(descriptor, path)
        guard status.st_mode & S_IFMT == S_IFREG else { throw .file("\(path) is no regular file") }
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            throw .file(
                "\(path) belongs to user \(status.st_uid), not to \(geteuid()), which reads it, or root; "
                    + "make it theirs with chown \(geteuid()) \(path)")
        }
        if status.st_mode & 0o077 != 0, !acceptsOpenMode {
            throw .file("\(path) has mode \(octal(status.st_mode)); make it 0600 (chmod 600 \(path))")
        }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: min(limit + 1, 64 << 10))
        while bytes.count <= limit {
            let count = Glibc.read(descriptor.raw, &piece, piece.count)
            if count == 0 { return bytes }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw .system(path, Errno("read"))
            }
            bytes += piece[..<count]
        }
        throw .file("\(path) is larger than \(limit) bytes")
    }

    /// Makes an empty file with mode 0600, whatever the umask is; false when there is one already.
    static func create(_ path: String) throws(StoreError) -> Bool {
        let raw = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard raw >= 0 else {
            if errno == EEXIST { return false }
            throw .system(path, Errno("open"))
        }
        let descriptor = FileDescriptor(owning: raw)
        guard fchmod(descriptor.raw, 0o600) == 0 else { throw .system(path, Errno("fchmod")) }
        return true
    }

    /// Replaces a file as a whole, with mode 0600.
    package static func write(_ path: String, _ bytes: [UInt8]) throws(StoreError) {
        let temporary = path + ".new"
        unlink(temporary)
        let raw = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw .system(temporary, Errno("open")) }
        let descriptor = FileDescriptor(owning: raw)
        do throws(Errno) {
            try writeAll(descriptor, bytes)
            guard fsync(descriptor.raw) == 0 else { throw Errno("fsync") }
            guard rename(temporary, path) == 0 else { throw Errno("rename") }
            try syncDirectory(of: path)
        } catch {
            unlink(temporary)
            throw .system(path, error)
        }
    }

    /// Makes the name of a new file survive a power failure.
    static func syncDirectory(of path: String) throws(Errno) {
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let raw = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { throw Errno("open") }
        let descriptor = FileDescriptor(owning: raw)
        guard fsync(descriptor.raw) == 0 else { throw Errno("fsync") }
    }

    static func writeAll(_ descriptor: borrowing FileDescriptor, _ bytes: [UInt8]) throws(Errno) {
        var offset = 0
        while offset < bytes.count {
            let raw = descriptor.raw
            let count = bytes[offset...].withUnsafeBytes { Glibc.write(raw, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw Errno("write")
            }
            offset += count
        }
    }

    private static func status(_ descriptor: borrowing FileDescriptor, _ path: String) throws(StoreError)
        -> stat
    {
        var status = stat()
        guard fstat(descriptor.raw, &status) == 0 else { throw .system(path, Errno("fstat")) }
        return status
    }

    private static func check(_ descriptor: borrowing FileDescriptor, _ path: String, _ sharing: Sharing)
        throws(StoreError)
    {
        let status = try status(descriptor, path)
        guard status.st_uid == geteuid() else {
            throw .file(
                "\(path) belongs to user \(status.st_uid), not to \(geteuid()), which runs ccr; "
                    + "repair it with chown \(geteuid()) \(path)")
        }
        let forbidden: mode_t = sharing == .none ? 0o077 : 0o027
        guard status.st_mode & forbidden == 0 else {
            let wanted = sharing == .none ? "go=" : "g-w,o="
            throw .file(
                "\(path) has mode \(octal(status.st_mode)), which lets others in; repair it with chmod \(wanted) \(path)"
            )
        }
    }

    private static func octal(_ mode: mode_t) -> String {
        let text = String(mode & 0o7777, radix: 8)
        return String(repeating: "0", count: max(0, 4 - text.count)) + text
    }
}
