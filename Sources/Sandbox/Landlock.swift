// SPDX-License-Identifier: Apache-2.0
// Access to files and TCP ports, taken away by Landlock as far as the kernel knows it.
// Source: landlock(7), linux/landlock.h; the versions of the ABI are in its chapter "Compatibility".

import CLinux
import Glibc
import Posix

enum Landlock {
    /// The kernel's version of the interface, 0 without Landlock.
    static var version: Int { max(0, Int(ccr_landlock_abi())) }

    private static let writeFile: UInt64 = 1 << 1
    private static let readFile: UInt64 = 1 << 2
    private static let readDirectory: UInt64 = 1 << 3
    private static let removeFile: UInt64 = 1 << 5
    private static let makeFile: UInt64 = 1 << 8
    private static let refer: UInt64 = 1 << 13
    private static let truncate: UInt64 = 1 << 14

    /// Every right on files that this version can take away: the first 13, then refer, truncate and device ioctls.
    private static func allFileRights(_ version: Int) -> UInt64 {
        switch version {
        case ...1: 0x1FFF
        case 2: 0x3FFF
        case 3...4: 0x7FFF
        default: 0xFFFF
        }
    }

    /// Rules about the content of files alone, which allow nothing yet.
    static func makeContentRules() throws(Errno) -> FileDescriptor {
        let raw = ccr_landlock_create(contentRights(version), 0, version < 6 ? 0 : 2)
        guard raw >= 0 else { throw Errno("landlock_create_ruleset") }
        return FileDescriptor(owning: raw)
    }

    /// Allows a place in such rules, with all that is below it; one that is gone or out of reach is left out.
    static func allowContent(_ path: String, _ ruleset: Int32) throws(Errno) {
        guard ccr_landlock_allow(ruleset, path, contentRights(version)) != 0 else { return }
        guard [ENOENT, ENOTDIR, EACCES, ELOOP].contains(errno) else { throw Errno("landlock_add_rule") }
    }

    private static func contentRights(_ version: Int) -> UInt64 {
        (readFile | writeFile | removeFile | refer | truncate) & allFileRights(version)
    }

    /// Binding and connecting TCP sockets, from version 4 on.
    private static func networkRights(_ version: Int, _ abilities: Set<Ability>) -> UInt64 {
        guard version >= 4 else { return 0 }
        return (abilities.contains(.listen) ? 0 : 1) | (abilities.contains(.connect) ? 0 : 2)
    }

    /// Enforces the rights on the calling thread. Places that do not exist are left out.
    static func enter(_ rights: Rights, stateDirectory: String) throws(Errno) {
        let version = version
        let all = allFileRights(version)
        let raw = ccr_landlock_create(
            all, networkRights(version, rights.abilities),
            // Signals to processes outside, from version 6 on. Abstract Unix addresses stay: the supervisor's is one.
            version < 6 ? 0 : 2)
        guard raw >= 0 else { throw Errno("landlock_create_ruleset") }
        let ruleset = FileDescriptor(owning: raw)
        let read = readFile | readDirectory
        let write = read | writeFile | removeFile | makeFile | truncate
        for (places, access) in [(rights.reads, read), (rights.writes, write)] {
            for path in places.flatMap({ $0.paths(stateDirectory: stateDirectory) }) {
                guard ccr_landlock_allow(ruleset.raw, path, access & all) != 0 else { continue }
                guard errno == ENOENT || errno == ENOTDIR || errno == EACCES else {
                    throw Errno("landlock_add_rule")
                }
            }
        }
        guard ccr_landlock_restrict(ruleset.raw) == 0 else { throw Errno("landlock_restrict_self") }
    }
}

extension Place {
    /// The absolute paths of the place; none when its variable is not set.
    package func paths(stateDirectory: String) -> [String] {
        switch self {
        case .path(let path): return [path]
        case .variable(let name):
            guard let value = getenv(name) else { return [] }
            return String(cString: value).split(separator: ":").map(String.init)
        case .directoryBehind(let link):
            guard let target = realpath(link, nil) else { return [] }
            defer { free(target) }
            let path = String(cString: target)
            guard path.hasPrefix("/run/"), let slash = path.lastIndex(of: "/") else { return [] }
            return [String(path[..<slash])]
        case .stateDirectory: return stateDirectory.isEmpty ? [] : [stateDirectory]
        }
    }
}
