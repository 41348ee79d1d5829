// SPDX-License-Identifier: Apache-2.0
// The executable of every process that speaks to the network: workers and the refresher. Started by the supervisor; the
// refresher also by the service manager, as `ccr-upstream refresher [--config FILE]`. The refresher starts it once more,
// as "helper".

import Config
import Glibc
import Journal
import Posix
import Refresher
import Worker

let words = Array(CommandLine.arguments.dropFirst())
switch words.first {
case "refresher": break
case HelperLauncher.word where words.count == 2: exit(HelperLauncher.run(hiding: words[1]))
default: exit(WorkerProcess.run())
}
exit(
    RefresherProcess.run {
        let path = words.count == 3 && words[1] == "--config" ? words[2] : nil
        let surroundings = Surroundings(environment: OwnProcess.environment, isRoot: geteuid() == 0)
        // Keys of providers and clients are for others; this process may not be able to read them.
        let loaded = ConfigLoader(files: DiskFiles(), surroundings: surroundings, unresolved: .kept).load(
            path: path)
        for problem in loaded.problems where problem.severity == .error {
            Journal(role: "refresher").log(.error, .configRefused, "\(problem)")
        }
        return loaded.configuration
    })
