// SPDX-License-Identifier: Apache-2.0
// `ccr run`: the supervisor from its first moment, in the foreground of a terminal or as the service's main process.
// Source: sd_listen_fds(3), prctl(2).

package import Config
import EventLoop
import Gateway
import Glibc
import IPC
import Journal
import Posix
import Sandbox
import ServiceManager

/// How the supervisor was started.
package struct SupervisorOptions {
    /// The checked configuration to start with.
    package let configuration: Configuration
    /// Reads the configuration again; called for each reload.
    package let reload: () -> LoadedConfiguration
    /// The directory of the executables ccr and ccr-upstream.
    package let executableDirectory: String
    /// How long to drain before the end, instead of what the configuration says.
    package let drainMsec: Int?
    let startedRealtimeUsec: UInt64

    package init(
        configuration: Configuration, reload: @escaping () -> LoadedConfiguration,
        executableDirectory: String,
        drainMsec: Int?
    ) {
        self.configuration = configuration
        self.reload = reload
        self.executableDirectory = executableDirectory
        self.drainMsec = drainMsec
        startedRealtimeUsec = Clock.realtimeUsec()
    }
}

package enum SupervisorProcess {
    /// Runs the stack until SIGTERM; returns the exit status.
    package static func run(_ options: SupervisorOptions) -> Int32 {
        ProcessSettings.setName("ccr-supervisor")
        // It holds the configuration, which may hold keys.
        ProcessSettings.forbidDumps()
        ProcessSettings.raiseFileLimit()
        let journal = Journal(role: "supervisor")
        giveUpNeverNeeded(journal)
        let configuration = options.configuration
        makeDirectory(configuration.stateDirectory, journal)
        do {
            var inherited = try InheritedDescriptors()
            let listeners = try Listeners(&inherited, configuration.listen)
            let stack = try Stack(options, journal: journal, listeners: listeners, loop: try EventLoop())
            return try stack.run(configuration)
        } catch {
            journal.log(.error, .processEnded, "cannot start: \(error)")
            return 1
        }
    }

    /// Says once for all processes what this kernel cannot enforce.
    private static func giveUpNeverNeeded(_ journal: Journal) {
        var problems = Sandbox.gaps.map { "this kernel has \($0)" }
        do { try Sandbox.giveUpNeverNeeded() } catch { problems.append("\(error)") }
        for problem in problems {
            journal.log(
                .warning, .sandboxIncomplete, "\(problem); processes keep rights that they should not have")
        }
    }

    /// The exporter gets a directory that exists; it may not make one itself.
    private static func makeDirectory(_ path: String, _ journal: Journal) {
        var prefix = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            prefix += "/\(part)"
            guard mkdir(prefix, 0o700) != 0, errno != EEXIST else { continue }
            // The exporter goes on without its database and says so on /metrics.
            return journal.log(.warning, .storeTrouble, "cannot make \(prefix): \(Errno("mkdir"))")
        }
    }
}
