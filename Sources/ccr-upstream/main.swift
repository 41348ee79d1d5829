// SPDX-License-Identifier: Apache-2.0
// The executable of every process that speaks to the network. Started by the supervisor, never by hand.

import Glibc
import Worker

exit(WorkerProcess.run())
