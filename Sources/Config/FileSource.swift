// SPDX-License-Identifier: Apache-2.0
// Where the text of a configuration comes from: the disk, or memory in tests.
// Source: open(2), read(2), readdir(3), fstat(2).

import Glibc
package import Posix

/// Reads whole files; the only way the configuration touches the outside.
package protocol FileSource {
    /// The bytes of the file, at most `limit` + 1 of them.
    /// - Throws: ENOENT when there is none; EISDIR for a directory.
    func read(_ path: String, limit: Int) throws(Errno) -> [UInt8]
    /// The names in a directory, in any order; none when there is no such directory.
    func names(in directory: String) throws(Errno) -> [String]
}

/// The file system.
package struct DiskFiles: FileSource {
    package init() {}

    package func read(_ path: String, limit: Int) throws(Errno) -> [UInt8] {
        // Without O_NONBLOCK a FIFO with no writer would hang the start for ever.
        let raw = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard raw >= 0 else { throw Errno("open") }
        let descriptor = FileDescriptor(owning: raw)
        var status = stat()
        guard fstat(descriptor.raw, &status) == 0 else { throw Errno("fstat") }
        guard status.st_mode & S_IFMT != S_IFDIR else { throw Errno("read", code: EISDIR) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= limit {
            let wanted = min(chunk.count, limit + 1 - bytes.count)
            let count = Glibc.read(descriptor.raw, &chunk, wanted)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw Errno("read")
            }
            bytes.append(contentsOf: chunk[..<count])
        }
        return bytes
    }

    package func names(in directory: String) throws(Errno) -> [String] {
        guard let stream = opendir(directory) else {
            if errno == ENOENT || errno == ENOTDIR { return [] }
            throw Errno("opendir")
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            names.append(name)
        }
        return names
    }
}
