// SPDX-License-Identifier: Apache-2.0
// What people and the admin paths ask of the refresher. Logins are in Commands+Logins.swift, files and tokens of other
// programs in Commands+Tokens.swift.

import Config
import CredentialStore
import Credentials
import EventLoop
import Gateway
import Glibc
import JSON
import Journal
import Posix

final class Commands {
    typealias Reply = (CredentialReply) -> Void

    unowned let keeper: Keeper
    private let rotation: KeyRotation
    /// Logins that are under way, by credential.
    var logins: [String: Login] = [:]
    /// Revocations under way.
    var revocations: [ObjectIdentifier: TokenExchange] = [:]

    init(_ keeper: Keeper, _ rotation: KeyRotation) {
        self.keeper = keeper
        self.rotation = rotation
    }

    var environment: KeeperEnvironment { keeper.environment }

    /// - Parameter asker: the connection that `left` is called with when it closes.
    func run(_ command: CredentialCommand, of asker: AnyObject, reply: @escaping Reply) {
        do throws(StoreError) {
            switch command.verb {
            case .status: reply(try status())
            case .rotateKey: reply(CredentialReply(succeeded: true, text: try rotation.begin()))
            case .backUp:
                if let objection = objection(command.name) { return reply(objection) }
                try environment.vault.copy(to: command.name)
                reply(
                    CredentialReply(
                        succeeded: true, text: "copied to \(command.name); keep the master key elsewhere"))
            case .restore:
                if let objection = objection(command.name) { return reply(objection) }
                reply(try restore(command.name))
            case .remove: reply(try remove(command.name))
            default:
                guard let runner = keeper.runners[command.name] else {
                    let known =
                        keeper.names.isEmpty ? "none is configured" : keeper.names.joined(separator: ", ")
                    return reply(no("there is no credential “\(command.name)”; there are: \(known)"))
                }
                try run(command, runner, asker, reply)
            }
        } catch {
            reply(no("\(error)"))
        }
    }

    private func run(
        _ command: CredentialCommand, _ runner: Runner, _ asker: AnyObject, _ reply: @escaping Reply
    ) throws(StoreError) {
        switch command.verb {
        case .refresh: refresh(runner, reply)
        case .login: try logIn(runner, asker, reply)
        case .loginInBrowser: try logInWithBrowser(runner, asker, reply)
        case .logout: reply(try logOut(runner))
        case .importFile, .importQuietly, .replace: try importFile(command, runner, reply)
        case .store: try store(command.payload, runner, reply)
        case .printToken: reply(try token(runner))
        case .export, .handOver: reply(try export(runner, withSecret: command.verb == .handOver))
        case .givenAway: reply(try giveAway(command.payload, runner))
        case .status, .rotateKey, .backUp, .restore, .remove: break
        }
    }

    func no(_ text: String) -> CredentialReply { CredentialReply(succeeded: false, text: text) }

    // MARK: - Refresh

    func refresh(_ runner: Runner, _ reply: @escaping Reply) {
        keeper.refresh(runner.spec.name) { [unowned self] in
            if let refusal = runner.attempt.refusal {
                return reply(
                    self.no(
                        "\(runner.spec.name): the new login was refused (\(refusal)); the one before it is in use "
                            + "again, look at ccr credentials status"))
            }
            let machine = runner.machine
            let isGood = machine.state == .fresh || machine.state == .static
            let text = isGood ? "\(runner.spec.name) has token \(machine.generation)" : self.trouble(runner)
            reply(CredentialReply(succeeded: isGood, text: text))
        }
    }

    func trouble(_ runner: Runner) -> String {
        let text = "\(runner.spec.name): \(runner.machine.state.rawValue): \(runner.machine.reason)"
        return runner.neededRemedy.isEmpty ? text : "\(text); \(runner.neededRemedy)"
    }

    // MARK: - The vault

    /// The sandbox lets the refresher reach no other places.
    private func objection(_ path: String) -> CredentialReply? {
        let directory = Paths.join(OwnProcess.workingDirectory, environment.directory)
        guard !path.hasPrefix(directory + "/") else { return nil }
        return no("the refresher reads and writes below \(directory) alone; name a file there")
    }

    private func restore(_ path: String) throws(StoreError) -> CredentialReply {
        try VaultCopy.prepare(path, for: environment.vault)
        // Every process that has the old file open would go on with it.
        let loop = environment.loop
        environment.journal.log(.notice, .processReady, "the vault is restored from a copy; starting anew")
        loop.later { loop.exit(0) }
        return CredentialReply(
            succeeded: true,
            text:
                "the copy is in place; the old vault is kept beside it. Logins whose secrets are replaced with each "
                + "use need a new login when their tokens end")
    }

    private func remove(_ name: String) throws(StoreError) -> CredentialReply {
        guard keeper.runners[name] == nil else {
            return no("“\(name)” is configured; ccr logout \(name) forgets its secrets")
        }
        guard try environment.vault.row(name) != nil else { return no("the vault holds no “\(name)”") }
        try environment.vault.remove(name, now: environment.seconds)
        try Spool.remove(of: name, in: environment.spoolDirectory)
        return CredentialReply(succeeded: true, text: "removed \(name)")
    }

    // MARK: - Status

    private func status() throws(StoreError) -> CredentialReply {
        let reports = keeper.reports
        var json = JSONWriter()
        let now = environment.seconds
        json.array { json in
            for report in reports { report.write(to: &json, now: now) }
        }
        let unknown = try environment.vault.rows().map(\.name).filter { keeper.runners[$0] == nil }
        return CredentialReply(
            succeeded: true, text: unknown.joined(separator: "\n"), json: json.bytes)
    }
}
