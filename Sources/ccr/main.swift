// SPDX-License-Identifier: Apache-2.0
// The executable of the command line, the supervisor, the front and the exporter. It links nothing that speaks to
// the network; that is ccr-upstream's part. The supervisor starts the other two with their role as first word.

import CLI
import Exporter
import Front
import Glibc
import Posix
import Supervisor

let words = Array(CommandLine.arguments.dropFirst())
switch words.first {
case "front": exit(FrontProcess.run())
case "exporter": exit(ExporterProcess.run())
default: exit(runCommand(words))
}

func runCommand(_ words: [String]) -> Int32 {
    CommandLineTool.run(words, environment: OwnProcess.environment) { options in
        SupervisorProcess.run(
            SupervisorOptions(
                configuration: options.configuration, reload: { options.reload() },
                executableDirectory: OwnProcess.executableDirectory,
                drainMsec: options.hasDrainOption ? options.drainMs : nil))
    }
}
