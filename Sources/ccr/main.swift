// SPDX-License-Identifier: Apache-2.0
// The executable of the command line, the supervisor, the front and the exporter. It links nothing that speaks to
// the network; that is ccr-upstream's part.

import Exporter
import Front
import Glibc

switch CommandLine.arguments.dropFirst().first {
case "front": exit(FrontProcess.run())
case "exporter": exit(ExporterProcess.run())
default: exit(runCommand())
}
