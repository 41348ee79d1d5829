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
    /// The checked configuration to start with; nil after an upgrade that does not find one in order.
    let configuration: Configuration?
    /// Reads the configuration again; called for each reload.
    let reload: (() -> LoadedConfiguration)?
    /// The directory of the executables ccr and ccr-upstream.
    let executableDirectory: String
    /// The words of the command line, the program's name first, for an upgrade.
    let arguments: [String]
    /// How long to drain before the end, instead of what the configuration says.
    let drainMsec: Int?

    package init(
        configuration: Configuration, reload: @escaping () -> LoadedConfiguration,
        executableDirectory: String, arguments: [String], drainMsec: Int?
    ) {
        self.configuration = configuration
        self.reload = reload
        self.executableDirectory = executableDirectory
        self.arguments = arguments
        self.drainMsec = drainMsec
    }

    private init(executableDirectory: String, arguments: [String]) {
        configuration = nil
        reload = nil
        self.executableDirectory = executableDirectory
        self.arguments = arguments
        drainMsec = nil
    }

    /// For a supervisor that came by an upgrade and does not find its configuration in order: it keeps what runs.
    /// A reload makes it start itself anew.
    package static func withoutConfiguration(executableDirectory: String, arguments: [String])
        -> SupervisorOptions
    {
        SupervisorOptions(executableDirectory: executableDirectory, arguments: arguments)
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
        do {
            let handover = try Handover.take()
            // Given up once, and for everything that this process becomes: filters add up.
            if handover == nil { giveUpNeverNeeded(journal) }
            if let configuration = options.configuration {
                makeDirectory(configuration.stateDirectory, journal)
            }
            // The stack alone holds the listeners: a second holder would keep sockets open that it closes.
            let stack = try Stack(
                options, journal: journal, listeners: try listeners(handover, options.configuration),
                loop: try EventLoop(), handover: handover)
            return try stack.run(handover)
        } catch {
            journal.log(.error, .processEnded, "cannot start: \(error)")
            Notifier.status("cannot start: \(error)")
            return 1
        }
    }

    private static func listeners(_ handover: Handover?, _ configuration: Configuration?) throws -> Listeners
    {
        if let handover { return Listeners(adopting: handover.listeners) }
        guard let configuration else { throw Errno("open", code: ENOENT) }
        var inherited = try InheritedDescriptors()
        return try Listeners(&inherited, configuration.listen)
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
