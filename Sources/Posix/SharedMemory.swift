// SPDX-License-Identifier: Apache-2.0
// Anonymous files: how a request body or a configuration travels between processes without a copy. They are sealed
// against shrinking, so that no reader loses the ground under it, and otherwise trusted to their writer.
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
    /// - Parameter isSparse: most of it will stay empty, so pages come when they are written; else all come now, which is
    ///   faster than one by one.
    package init(name: String, capacity: Int, isSparse: Bool = false) throws(Errno) {
        let fd = ccr_memfd_create(name)
        guard fd >= 0 else { throw Errno("memfd_create") }
        self.descriptor = FileDescriptor(owning: fd)
        self.capacity = 0
        self.isSparse = isSparse
        guard ccr_memfd_forbid_shrinking(fd) == 0 else { throw Errno("fcntl") }
        try reserve(max(capacity, 1))
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

    /// Checks that a file made by another own process can be read to `size` and will stay so.
    ///
    /// - Throws: EINVAL when the file may shrink or is shorter than `size`.
    package static func check(_ fd: Int32, size: Int) throws(Errno) {
        guard ccr_memfd_cannot_shrink(fd) else { throw Errno("fcntl", code: EINVAL) }
        var status = stat()
        guard fstat(fd, &status) == 0 else { throw Errno("fstat") }
        guard size >= 0, Int(status.st_size) >= size else { throw Errno("fstat", code: EINVAL) }
    }

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
        if let old = address { munmap(old, capacity) }
        address = nil
        guard let mapped = ccr_map_shared(descriptor.raw, size, true, !isSparse) else { throw Errno("mmap") }
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

/// A read-only view of a file that another own process made.
package final class SharedMemoryView {
    private let address: UnsafeMutableRawPointer?
    private let size: Int

    /// Maps the first `size` bytes; the descriptor may be closed afterwards.
    ///
    /// - Throws: EINVAL when the file may shrink or is shorter than `size`.
    package init(_ descriptor: borrowing FileDescriptor, size: Int) throws(Errno) {
        try SharedMemory.check(descriptor.raw, size: size)
        self.size = size
        if size == 0 {
            address = nil
        } else {
            guard let mapped = ccr_map_shared(descriptor.raw, size, false, true) else { throw Errno("mmap") }
            address = mapped
        }
    }

    deinit {
        if let address { munmap(address, size) }
    }

    /// The mapped bytes; valid as long as this object lives.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: address, count: size) }
}
