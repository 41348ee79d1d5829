// SPDX-License-Identifier: Apache-2.0
// Memory of processes and the holder of a port, as the kernel tells it.
// Source: proc(5): /proc/PID/statm, /proc/net/tcp, /proc/PID/fd.

import CLinux
import Glibc

package enum ProcessMemory {
    /// Gives free pages of the heap back to the kernel (malloc_trim(3)).
    package static func trim() {
        ccr_trim_heap()
    }

    /// Lets go of the pages of code that only the start needed; what is needed again is mapped again.
    package static func forgetStart() {
        ccr_unmap_clean_pages()
    }

    /// Keeps the pages of freed large blocks until `trim`, for processes that make such blocks with every request: a
    /// fresh page costs more than what is written into it.
    package static func keepFreedBlocks() {
        ccr_keep_heap(32 << 20)
    }

    /// Resident memory of a process in bytes, 0 when it has ended.
    package static func residentBytes(pid: Int32) -> UInt64 {
        guard let text = ProcFile.read("/proc/\(pid)/statm") else { return 0 }
        let fields = text.split(separator: " ")
        guard fields.count > 1, let pages = UInt64(fields[1]) else { return 0 }
        return pages * UInt64(sysconf(Int32(_SC_PAGESIZE)))
    }
}

package enum PortHolder {
    /// "nginx (pid 4711)" for the process that listens on a TCP port, or nil when that cannot be known.
    package static func find(port: UInt16) -> String? {
        var inodes: Set<String> = []
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            guard let text = ProcFile.read(table) else { continue }
            for line in text.split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ")
                // Local address "0100007F:0D80", state 0A is LISTEN, field 9 is the socket's inode.
                guard fields.count > 9, fields[3] == "0A", let colon = fields[1].lastIndex(of: ":"),
                    UInt16(fields[1][fields[1].index(after: colon)...], radix: 16) == port
                else { continue }
                inodes.insert(String(fields[9]))
            }
        }
        guard !inodes.isEmpty, let processes = opendir("/proc") else { return nil }
        defer { closedir(processes) }
        while let entry = readdir(processes) {
            guard let pid = Int32(ProcFile.name(entry)) else { continue }
            if holdsSocket(pid: pid, inodes) {
                let name = ProcFile.read("/proc/\(pid)/comm")?.split(separator: "\n").first ?? "a process"
                return "\(name) (pid \(pid))"
            }
        }
        return nil
    }

    private static func holdsSocket(pid: Int32, _ inodes: Set<String>) -> Bool {
        guard let descriptors = opendir("/proc/\(pid)/fd") else { return false }
        defer { closedir(descriptors) }
        while let entry = readdir(descriptors) {
            var target = [CChar](repeating: 0, count: 64)
            let count = readlink("/proc/\(pid)/fd/\(ProcFile.name(entry))", &target, target.count - 1)
            guard count > 0 else { continue }
            let text = String(decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix("socket:["), inodes.contains(String(text.dropFirst(8).dropLast())) {
                return true
            }
        }
        return false
    }
}

enum ProcFile {
    static func name(_ entry: UnsafeMutablePointer<dirent>) -> String {
        withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    /// A whole file of /proc, at most 4 MiB.
    static func read(_ path: String) -> String? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < 4 << 20 {
            let count = Glibc.read(fd, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
