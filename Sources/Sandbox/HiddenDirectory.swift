// SPDX-License-Identifier: Apache-2.0
// Hides one directory from a foreign program that otherwise may do what it needs: Landlock knows only what is allowed, so
// everything beside the way to the directory is.
// Source: landlock(7).

import CLinux
import Glibc
package import Posix

extension Sandbox {
    /// Rules for a program about to be started: it may not read, write or remove files in the directory. What stands
    /// directly in a directory above it and is made later can be neither, until the next rules are made.
    ///
    /// - Returns: nil where the kernel has no Landlock.
    package static func rules(hiding directory: String) throws(Errno) -> SharedDescriptor? {
        guard Landlock.version > 0 else { return nil }
        guard let resolved = realpath(directory, nil) else { throw Errno("realpath") }
        defer { free(resolved) }
        let path = String(cString: resolved)
        let ruleset = try Landlock.makeContentRules()
        var above = "/"
        for component in path.split(separator: "/") {
            for name in try names(in: above) where name != component {
                try Landlock.allowContent("\(above)\(name)", ruleset.raw)
            }
            above += "\(component)/"
        }
        return SharedDescriptor(ruleset)
    }

    /// Entries of a directory at most; more than any that a state directory stands in has.
    private static let maximumEntries = 100_000

    /// The entries of a directory but symbolic links: what they lead to is reached by its own name.
    private static func names(in directory: String) throws(Errno) -> [String] {
        // A directory that can be passed and not read: nothing in it can be named.
        guard let stream = opendir(directory) else {
            guard errno == EACCES else { throw Errno("opendir") }
            return []
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream), names.count < maximumEntries {
            guard entry.pointee.d_type != UInt8(DT_LNK) else { continue }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
