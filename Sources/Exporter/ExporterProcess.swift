// SPDX-License-Identifier: Apache-2.0
// The exporter process from start to end. It counts what the fronts report and shows it; it sees no prompt and no
// secret, and makes no connection.

import Gateway
import Runtime
import ServiceManager

package enum ExporterProcess {
    /// Runs the process until it is drained; returns its exit status.
    ///
    /// Inherited descriptors: "config" (a sealed memfd with `ExporterConfig`), "control" (to the supervisor),
    /// "front" (to fronts that run already), "metrics" (listening stream sockets).
    package static func run() -> Int32 {
        var manager: Manager?
        let status = Child.run(
            role: .exporter, stateDirectory: { (config: ExporterConfig) in config.stateDirectory }
        ) {
            child, config, inherited in
            let made = try Manager(child.loop, child.journal, config) { child.protocolViolation($0) }
            manager = made
            while let descriptor = try inherited.take("front") { made.attach("front", descriptor) }
            while let descriptor = try inherited.take("refresher") { made.attach("refresher", descriptor) }
            while let descriptor = try inherited.take("metrics") { try made.listen(descriptor) }
            let handlers = Child.Handlers(
                attach: { made.attach($0, $1) }, drain: { made.drain() },
                status: { made.processesChanged($0) })
            return (handlers, made.status)
        }
        manager?.finish()
        return status
    }
}
