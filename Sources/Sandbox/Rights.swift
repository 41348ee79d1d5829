// SPDX-License-Identifier: Apache-2.0
// The vocabulary of rights: what a kind of process keeps when it has started. Everything else is taken away.

/// What a process may still do besides serving the descriptors it holds.
package struct Rights: Sendable {
    package let abilities: Set<Ability>
    /// Files and directories that may be read, directories with all that is below them.
    package let reads: [Place]
    /// Directories in which files may be made, changed and removed.
    package let writes: [Place]

    package init(_ abilities: Set<Ability>, reads: [Place] = [], writes: [Place] = []) {
        self.abilities = abilities
        self.reads = reads
        self.writes = writes
    }
}

/// A group of system calls that belong together; the table is in SystemCalls.swift.
package enum Ability: CaseIterable, Sendable {
    /// Take connections off inherited listening sockets.
    case accept
    /// Bind TCP sockets and listen on them.
    case listen
    /// Make connections and resolve names.
    case connect
    /// Start threads of this very process.
    case startThreads
    /// Load shared libraries: map files executable that are not writable.
    case loadLibraries
    /// Make anonymous files.
    case shareMemory
    /// Open files for reading.
    case readFiles
    /// Make, change and remove files.
    case writeFiles
}

/// A place in the file system.
package enum Place: Sendable {
    /// An absolute path.
    case path(String)
    /// The paths, with colons between them, in an environment variable.
    case variable(String)
    /// The directory below /run in which the file is that a symbolic link leads to: its owner puts a new file there
    /// whenever something changes.
    case directoryBehind(link: String)
    /// The state directory of the configuration.
    case stateDirectory
}
