// SPDX-License-Identifier: Apache-2.0
// What a process gets from whoever started it, systemd or ccr's supervisor: descriptors with names.
// Source: sd_listen_fds(3), systemd.socket(5) "FileDescriptorName=".

import CSystemd
import Glibc
package import Posix

/// The inherited descriptors, each taken once.
package struct InheritedDescriptors: ~Copyable {
    private var entries: [Entry]

    private struct Entry {
        let name: String
        let descriptor: SharedDescriptor
        var number: Int32
    }

    /// Reads LISTEN_FDS and LISTEN_FDNAMES and removes them from the environment.
    ///
    /// - Throws: the error of sd_listen_fds, for example when LISTEN_FDS is no number.
    package init() throws(Errno) {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = sd_listen_fds_with_names(1, &names)
        guard count >= 0 else { throw Errno("sd_listen_fds", code: -count) }
        entries = []
        for index in 0..<Int(count) {
            let name = names?[index].map { String(cString: $0) } ?? ""
            free(names?[index])
            let number = Int32(3 + index)
            entries.append(
                Entry(
                    name: name, descriptor: SharedDescriptor(FileDescriptor(owning: number)), number: number))
        }
        free(names)
    }

    /// The names in order, one per descriptor.
    package var names: [String] { entries.map(\.name) }

    /// Takes the first descriptor of this name as an owned copy, or nil.
    package mutating func take(_ name: String) throws(Errno) -> FileDescriptor? {
        guard let index = entries.firstIndex(where: { $0.name == name }) else { return nil }
        return try takeEntry(index)
    }

    /// Takes every descriptor whose name starts with `prefix`, in order.
    package mutating func takeAll(prefix: String) throws(Errno) -> [(
        name: String, descriptor: SharedDescriptor
    )] {
        var taken: [(String, SharedDescriptor)] = []
        while let index = entries.firstIndex(where: { $0.name.hasPrefix(prefix) }) {
            let name = entries[index].name
            taken.append((name, SharedDescriptor(try takeEntry(index))))
        }
        return taken
    }

    /// A fresh number above 2 with the close-on-exec flag; the inherited one is closed with its entry.
    private mutating func takeEntry(_ index: Int) throws(Errno) -> FileDescriptor {
        let copy = fcntl(entries[index].number, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw Errno("fcntl") }
        entries.remove(at: index)
        return FileDescriptor(owning: copy)
    }
}
