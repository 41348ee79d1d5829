// SPDX-License-Identifier: Apache-2.0
// The executable of the command line, the supervisor, the front and the exporter. It links nothing that speaks to
// the network; that is ccr-upstream's part. The supervisor starts the other two with their role as first word, and a
// new version of itself with "check-upgrade", before it becomes that version.

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
case "check-upgrade": exit(checkUpgrade(Array(words.dropFirst())))
default: exit(runCommand(words))
}

func runCommand(_ words: [String]) -> Int32 {
    let status = CommandLineTool.run(words, environment: OwnProcess.environment) { options in
        SupervisorProcess.run(
            SupervisorOptions(
                configuration: options.configuration, reload: { options.reload() },
                executableDirectory: OwnProcess.executableDirectory, arguments: CommandLine.arguments,
                drainMsec: options.hasDrainOption ? options.drainMs : nil))
    }
    // The configuration was in order a moment ago, when this version was asked; the old processes still serve.
    guard Handover.isPending else { return status }
    return SupervisorProcess.run(
        .withoutConfiguration(
            executableDirectory: OwnProcess.executableDirectory, arguments: CommandLine.arguments))
}

/// Whether this version can take over from one that hands over in the form of the first word, started with the rest.
func checkUpgrade(_ words: [String]) -> Int32 {
    // EX_PROTOCOL of sysexits.h.
    guard words.first == String(Handover.version) else { return 76 }
    return CommandLineTool.run(Array(words.dropFirst()), environment: OwnProcess.environment) { _ in 0 }
}
