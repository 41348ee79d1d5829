// SPDX-License-Identifier: Apache-2.0
// The executables of ccr as they were when this supervisor started. All processes are started from these open files,
// so that a package that is being unpacked never mixes two versions; an upgrade is what changes them.

import Posix
import Runtime

final class Executables {
    private let directory: String
    private var files: [String: OpenFile] = [:]

    private struct OpenFile {
        let descriptor: SharedDescriptor
        let identity: FileIdentity?
    }

    /// Opens every executable of the process table in `directory`.
    init(directory: String) throws(Errno) {
        self.directory = directory
        for name in Set(ProcessTable.entries.map(\.executable)) {
            // The supervisor's own file is the one it runs from, even if its path leads elsewhere already.
            let path = name == Executables.own ? "/proc/self/exe" : "\(directory)/\(name)"
            let descriptor: FileDescriptor
            do { descriptor = try ExecutableFile.open(path) } catch {
                throw Errno("cannot open \(path)", code: error.code)
            }
            let identity = FileIdentity(descriptor)
            files[name] = OpenFile(descriptor: SharedDescriptor(descriptor), identity: identity)
        }
    }

    private static let own = "ccr"

    /// The path under which the next version of the supervisor is found.
    var ownPath: String { "\(directory)/\(Executables.own)" }

    /// The open file of an executable.
    func open(_ name: String) throws(Errno) -> FileDescriptor {
        guard let file = files[name] else { throw Errno("open", code: 2) }
        return try file.descriptor.take()
    }

    /// Whether other files stand under the names of these; one that is missing for the moment does not count.
    var areReplaced: Bool {
        files.contains { name, file in
            guard let now = FileIdentity(path: "\(directory)/\(name)") else { return false }
            return now != file.identity
        }
    }
}
