// SPDX-License-Identifier: Apache-2.0
// Anonymous files: how a request body or a configuration travels between processes without a copy. They are sealed
// against shrinking, so that no reader loses the ground under it, and if need be against everybody else's writing.
// Source: memfd_create(2), fcntl(2) "File Sealing".

import CLinux
import Glibc

/// An anonymous file that grows while it is written and is mapped while it lives.
package final class SharedMemory {
    private let descriptor: FileDescriptor
    private var address: UnsafeMutableRawPointer?
    /// Bytes mapped; at least `count`.
    private(set) package var capacity: Int
    private let isSparse: Bool
    /// Bytes written so far.
    package var count = 0

    /// Creates an empty file with room for `capacity` bytes, rounded up to whole pages.
    ///
    /// - Parameters:
    ///   - isSparse: most of it will stay empty, so pages come when they are written; else all come now, which is faster
    ///     than one by one.
    ///   - isOwn: nobody who gets its descriptor can write it, so that it may be read while others have it.
    package init(name: String, capacity: Int, isSparse: Bool = false, isOwn: Bool = false) throws(Errno) {
        let fd = ccr_memfd_create(name)
        guard fd >= 0 else { throw Errno("memfd_create") }
        self.descriptor = FileDescriptor(owning: fd)
        self.capacity = 0
        self.isSparse = isSparse
        guard ccr_memfd_forbid_shrinking(fd) == 0 else { throw Errno("fcntl") }
        try reserve(max(capacity, 1))
        guard !isOwn || ccr_memfd_forbid_writing(fd) == 0 else { throw Errno("fcntl") }
    }

    /// Maps the whole of a file that another own process made, to write it as well; takes no page that has none yet.
    ///
    /// - Throws: EINVAL when the file may shrink or is empty.
    package init(adopting descriptor: consuming FileDescriptor) throws(Errno) {
        guard ccr_memfd_cannot_shrink(descriptor.raw) else { throw Errno("fcntl", code: EINVAL) }
        var status = stat()
        guard fstat(descriptor.raw, &status) == 0 else { throw Errno("fstat") }
        capacity = Int(status.st_size)
        isSparse = true
        guard capacity > 0, let mapped = ccr_map_shared(descriptor.raw, capacity, true, false) else {
            throw Errno("mmap")
        }
        address = mapped
        count = capacity
        self.descriptor = descriptor
    }

    deinit {
        if let address { munmap(address, capacity) }
    }

    /// Everything that is mapped, written or not.
    package var mapped: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: address, count: capacity)
    }

    /// A second descriptor of the file, owned by the caller.
    package func duplicateDescriptor() throws(Errno) -> FileDescriptor { try descriptor.duplicate() }

    /// The file's descriptor, owned by this object.
    package var raw: Int32 { descriptor.raw }

    /// The bytes written so far.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: address, count: count) }

    /// The room behind the written bytes.
    package var spare: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: address.map { $0 + count }, count: capacity - count)
    }

    /// Makes room for at least `minimum` bytes in all; written bytes are kept.
    package func reserve(_ minimum: Int) throws(Errno) {
        guard minimum > capacity else { return }
        let page = 4096
        let size = (minimum + page - 1) / page * page
        guard ftruncate(descriptor.raw, off_t(size)) == 0 else { throw Errno("ftruncate") }
        let mapped =
            if let address {
                ccr_grow_mapping(address, capacity, size, !isSparse)
            } else {
                ccr_map_shared(descriptor.raw, size, true, !isSparse)
            }
        guard let mapped else { throw Errno("mmap") }
        address = mapped
        capacity = size
    }

    /// Appends bytes, growing by doubling.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        guard !bytes.isEmpty else { return }
        if count + bytes.count > capacity { try reserve(max(count + bytes.count, capacity * 2)) }
        spare.copyMemory(from: bytes)
        count += bytes.count
    }

    /// Appends bytes, growing by doubling.
    package func append(_ bytes: [UInt8]) throws(Errno) {
        try bytes.span.bytes.withUnsafeBytes { (view) throws(Errno) in try append(view) }
    }
}

/// Which file it is that another own process made, and how long. No other file that exists has its numbers: the kernel
/// counts inodes without a name in 64 bits.
package struct SharedFile {
    package let size: Int
    private let device: dev_t
    private let inode: ino_t

    /// - Throws: EINVAL when the file may shrink.
    package init(_ descriptor: borrowing FileDescriptor) throws(Errno) {
        guard ccr_memfd_cannot_shrink(descriptor.raw) else { throw Errno("fcntl", code: EINVAL) }
        var status = stat()
        guard fstat(descriptor.raw, &status) == 0 else { throw Errno("fstat") }
        size = Int(status.st_size)
        device = status.st_dev
        inode = status.st_ino
    }

    /// Whether it is the same one, which may have grown.
    package func isSame(as other: SharedFile) -> Bool { inode == other.inode && device == other.device }
}

/// A read-only view of a file that another own process made, as long as it is when the view is made.
package final class SharedMemoryView {
    package let file: SharedFile
    private let address: UnsafeMutableRawPointer?

    /// Maps the file; the descriptor may be closed afterwards.
    ///
    /// - Throws: EINVAL when the file may shrink.
    package convenience init(_ descriptor: borrowing FileDescriptor) throws(Errno) {
        try self.init(descriptor, SharedFile(descriptor))
    }

    /// Maps a file that has been looked at.
    package init(_ descriptor: borrowing FileDescriptor, _ file: SharedFile) throws(Errno) {
        self.file = file
        guard file.size > 0 else {
            address = nil
            return
        }
        guard let mapped = ccr_map_shared(descriptor.raw, file.size, false, true) else { throw Errno("mmap") }
        address = mapped
    }

    deinit {
        if let address { munmap(address, file.size) }
    }

    /// The mapped bytes; valid as long as this object lives.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: address, count: file.size) }
}
