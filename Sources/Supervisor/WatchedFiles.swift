// SPDX-License-Identifier: Apache-2.0
// Files that a sandbox allows by what they are, Landlock's way, while programs like dhclient and certbot put new files
// under their names.

import Posix
import Sandbox

struct WatchedFiles {
    private var known: [(path: String, identity: FileIdentity?)]

    /// Looks at the places as they are now.
    init(_ places: [Place]) {
        // The state directory is none of them: it is the same for as long as the processes run.
        known = places.flatMap { $0.paths(stateDirectory: "") }.map { ($0, FileIdentity(path: $0)) }
    }

    /// The paths under which another file stands than at the last look. One that is missing is waited for.
    mutating func update() -> [String] {
        var replaced: [String] = []
        for index in known.indices {
            guard let now = FileIdentity(path: known[index].path) else { continue }
            if known[index].identity.map({ !$0.isSameFile(as: now) }) ?? true {
                replaced.append(known[index].path)
            }
            known[index].identity = now
        }
        return replaced
    }
}
