// SPDX-License-Identifier: Apache-2.0
// The refresher from start to end: the one process that holds refresh tokens, client secrets and private keys, and the
// only one that speaks to token endpoints. It never sees a client's bytes.

package import Config
import CredentialStore
import Credentials
import EventLoop
import Glibc
import Journal
import Posix
import Runtime
import SQLite
import ServiceManager

package enum RefresherProcess {
    /// EX_CONFIG of sysexits.h, at which a service manager does not start it again.
    private static let statusOfBadConfiguration: Int32 = 78

    /// Runs the process until it is drained; returns its exit status, 78 when only a person can help.
    ///
    /// Inherited descriptors: "config" (a sealed memfd with `RefresherConfig`) and "control" from a supervisor, or
    /// "refresher" (a listening socket for `ControlServer`) from a service manager.
    /// - Parameter load: reads the configuration when no supervisor gave one.
    package static func run(load: @escaping () -> Configuration?) -> Int32 {
        umask(0o077)
        var state: State?
        var needsPerson = false
        let status = Child.run(
            role: .refresher, stateDirectory: { (config: RefresherConfig) in config.directory },
            reads: { $0.secretDirectories },
            load: { load().map { RefresherConfig($0) } }
        ) { child, config, inherited in
            let listener = try inherited.take("refresher")
            // systemd's sockets block, and accept(2) is called until nothing waits.
            try listener?.setNonBlocking(true)
            let made: State
            do {
                made = try State(config, child, listener)
            } catch let error as StoreError where error.isFinal {
                needsPerson = true
                throw error
            }
            for prefix in ["worker-", "front", "exporter"] {
                for (name, descriptor) in try inherited.takeAll(prefix: prefix) {
                    made.attach(name, try descriptor.take())
                }
            }
            state = made
            let handlers = Child.Handlers(
                attach: { name, descriptor in made.attach(name, descriptor) }, drain: { made.drain() })
            return (handlers, made.status)
        }
        withExtendedLifetime(state) {}
        return needsPerson ? statusOfBadConfiguration : status
    }
}

/// Everything that the running process holds.
private final class State {
    private let child: Child
    private let lock: FileLock
    private let keeper: Keeper
    private let server: ControlServer
    private let commands: Commands

    /// Waits until no other refresher uses the vault; the kernel ends the wait, however the other one ends.
    init(_ config: RefresherConfig, _ child: Child, _ listener: consuming FileDescriptor?) throws {
        self.child = child
        let vaultDirectory = config.directory + "/vault"
        try PrivateFile.prepareDirectory(config.directory, .groupMayRead)
        try PrivateFile.prepareDirectory(vaultDirectory)
        try PrivateFile.prepareDirectory(vaultDirectory + "/spool")
        try PrivateFile.prepareDirectory(config.directory + "/tokens", .groupMayRead)
        for path in [config.directory, config.directory + "/tokens"] where chmod(path, 0o750) != 0 {
            throw Errno("chmod")
        }
        lock = try State.lead(vaultDirectory, child.journal)
        let masterKey = MasterKeyFile(
            directory: vaultDirectory,
            credentials: getenv("CREDENTIALS_DIRECTORY").map { String(cString: $0) })
        let path = vaultDirectory + "/vault.db"
        let clock = KeeperClock()
        let now = Int(clock.wallUsec / 1_000_000)
        let isRestored = try VaultCopy.takeUp(path, now: now)
        let vault = try Vault(path: path, keys: try masterKey.load(vaultExists: access(path, F_OK) == 0))
        let fence = try vault.takeLease(holder: "\(clock.bootID) \(getpid())", now: now)
        let tokens = try State.tokens(config.directory + "/tokens/tokens.db", child.journal)
        if isRestored {
            let rotating = config.credentials.filter { $0.profile?.rotates == true }.map(\.name)
            try vault.restored(above: try tokens.generations(), rotating: Set(rotating), now: now)
        }
        let helper = try HelperClient(config.credentials, child.loop, hiding: vaultDirectory) {
            [unowned child] in
            child.journal.log(.error, .processEnded, "the helper process has ended; starting anew")
            child.loop.exit(1)
        }
        let environment = try KeeperEnvironment(
            loop: child.loop, journal: child.journal, clock: clock, vault: vault, tokens: tokens,
            directory: config.directory, helper: helper)
        keeper = try Keeper(
            config.credentials, environment, onDrained: { [unowned child] in child.loop.exit(0) })
        let socket: FileDescriptor
        if let listener {
            socket = listener
        } else {
            socket = try MessageSocket.listen(path: config.directory + "/refresher.sock")
        }
        commands = Commands(keeper, try KeyRotation(keeper, masterKey))
        server = try ControlServer(
            socket, keeper, commands, onDrain: { [unowned keeper] in Self.drain(keeper) })
        child.journal.log(.debug, .processReady, "leading with fence \(fence)")
    }

    private static func lead(_ directory: String, _ journal: Journal) throws -> FileLock {
        var path = directory + "/refresher.lock"
        if Faults.ignoresLock { path += "-\(getpid())" }
        do throws(Errno) {
            return try FileLock(path: path)
        } catch {
            if error.code == ELOOP { throw StoreError.file("\(path) is a symbolic link; remove it") }
            guard error.code == EWOULDBLOCK else { throw error }
            journal.log(.notice, .processReady, "another refresher runs; standing by")
            return try FileLock(path: path, waits: true)
        }
    }

    /// tokens.db can be made again from the vault: a damaged one is put aside.
    private static func tokens(_ path: String, _ journal: Journal) throws(StoreError) -> TokenDatabase {
        do throws(StoreError) {
            return try TokenDatabase(path: path)
        } catch {
            guard case .database(_, let cause) = error, cause.remedy == .replaceFile else { throw error }
            let aside = "\(path).corrupt-\(Clock.realtimeUsec() / 1_000_000)"
            rename(path, aside)
            for suffix in ["-wal", "-shm"] { unlink(path + suffix) }
            journal.log(
                .error, .storeTrouble, "\(error); it is kept as \(aside) and made again from the vault")
            return try TokenDatabase(path: path)
        }
    }

    var status: String { "keeping \(keeper.names.count) credentials" }

    /// A supervisor brings a worker.
    func attach(_ name: String, _ descriptor: consuming FileDescriptor) {
        guard server.attach(name, descriptor) else { child.protocolViolation("a channel named \(name)") }
    }

    func drain() { Self.drain(keeper) }

    private static func drain(_ keeper: Keeper) {
        Notifier.stopping()
        keeper.drain()
    }
}
