// SPDX-License-Identifier: Apache-2.0
// What people ask of the refresher: status, refresh, login, logout, import, the token itself, a new master key, a copy.

import Config
import CredentialStore
import Credentials
import EventLoop
import Glibc
import JSON
import Posix

final class Commands {
    typealias Reply = (CredentialReply) -> Void

    private unowned let keeper: Keeper
    private let masterKey: MasterKeyFile
    private var logins: [String: LoginFlow] = [:]

    init(_ keeper: Keeper, _ masterKey: MasterKeyFile) {
        self.keeper = keeper
        self.masterKey = masterKey
    }

    private var environment: KeeperEnvironment { keeper.environment }

    func run(_ command: CredentialCommand, reply: @escaping Reply) {
        do throws(StoreError) {
            switch command.verb {
            case .status: reply(status())
            case .rotateKey: reply(try rotateKey())
            case .backUp:
                try environment.vault.copy(to: command.name)
                reply(
                    CredentialReply(
                        succeeded: true, text: "copied to \(command.name); keep the master key elsewhere"))
            case .refresh, .login, .logout, .importFile, .printToken:
                guard let runner = keeper.runners[command.name] else {
                    let known =
                        keeper.names.isEmpty ? "none is configured" : keeper.names.joined(separator: ", ")
                    return reply(no("there is no credential “\(command.name)”; there are: \(known)"))
                }
                try run(command, runner, reply)
            }
        } catch {
            reply(no("\(error)"))
        }
    }

    private func run(_ command: CredentialCommand, _ runner: Runner, _ reply: @escaping Reply)
        throws(StoreError)
    {
        switch command.verb {
        case .refresh: refresh(runner, reply)
        case .login: try logIn(runner, reply)
        case .logout:
            try environment.vault.forget(runner.spec.name, now: environment.seconds)
            runner.forgotten()
            reply(CredentialReply(succeeded: true, text: "logged out of \(runner.spec.name)"))
        case .importFile: try importFile(command.payload, runner, reply)
        case .printToken: reply(try token(runner))
        case .status, .rotateKey, .backUp: break
        }
    }

    private func no(_ text: String) -> CredentialReply { CredentialReply(succeeded: false, text: text) }

    // MARK: - Refresh, import, login

    private func refresh(_ runner: Runner, _ reply: @escaping Reply) {
        keeper.refresh(runner.spec.name) { [unowned self] in
            let machine = runner.machine
            let isGood = machine.state == .fresh || machine.state == .static
            let text = isGood ? "\(runner.spec.name) has token \(machine.generation)" : self.trouble(runner)
            reply(CredentialReply(succeeded: isGood, text: text))
        }
    }

    private func trouble(_ runner: Runner) -> String {
        "\(runner.spec.name): \(runner.machine.state.rawValue): \(runner.machine.reason)"
    }

    private func importFile(_ payload: Secret, _ runner: Runner, _ reply: @escaping Reply) throws(StoreError)
    {
        let file: ImportedFile
        do throws(ImportError) {
            file = try ImportedFile(payload.expose(), kind: runner.spec.kind, parser: environment.parser)
        } catch {
            return reply(no("\(error); nothing was changed"))
        }
        let held = try environment.vault.row(runner.spec.name)?.accountID ?? ""
        if let account = file.accountID, !held.isEmpty, account != held {
            return reply(no("the file is of another account; run ccr logout \(runner.spec.name) first"))
        }
        try keep(file.secret, account: file.accountID, "import", runner, reply)
    }

    /// Stores a long-lived secret and asks for a token at once: for one that rotates this makes it ours alone.
    private func keep(
        _ secret: Secret, account: String?, _ event: String, _ runner: Runner, _ reply: @escaping Reply
    )
        throws(StoreError)
    {
        try environment.vault.setSecrets(
            runner.spec.name, ["refresh": secret], accountID: account, event: event, note: "",
            now: environment.seconds)
        runner.secretChanged()
        refresh(runner, reply)
    }

    private func logIn(_ runner: Runner, _ reply: @escaping Reply) throws(StoreError) {
        let name = runner.spec.name
        guard let profile = runner.spec.profile, profile.device != nil else {
            return reply(
                no(
                    "credentials of kind \(runner.spec.kind.rawValue) have no login; use ccr credentials import"
                ))
        }
        guard logins[name] == nil else { return reply(no("a login to \(name) is under way")) }
        var clientSecret: Secret?
        if let source = runner.spec.clientSecret {
            clientSecret = try SecretReader.secret(source, kind: runner.spec.kind)
        }
        guard let login = DeviceLogin(profile, clientSecret: clientSecret) else { return }
        if let notice = TermsNotice.text(runner.spec.kind) {
            reply(CredentialReply(isLast: false, succeeded: true, text: notice))
        }
        logins[name] = LoginFlow(
            login, environment,
            show: { url, code in
                var json = JSONWriter()
                json.object { json in
                    json.member("url", url)
                    json.member("code", code)
                }
                reply(
                    CredentialReply(
                        isLast: false, succeeded: true,
                        text:
                            "Open \(url) and enter the code \(code). Enter it only if you started this login yourself.",
                        json: json.bytes))
            },
            done: { [unowned self] result in
                self.logins[name] = nil
                switch result {
                case .failed(let text): reply(self.no(text))
                case .secret(let secret, let account):
                    do throws(StoreError) {
                        // A login may be to another account than before: it replaces what was there.
                        try self.keep(secret, account: account ?? "", "login", runner, reply)
                    } catch {
                        reply(self.no("\(error)"))
                    }
                }
            })
        logins[name]?.start()
    }

    private func token(_ runner: Runner) throws(StoreError) -> CredentialReply {
        guard runner.machine.isUsable(now: environment.bootMsec),
            let sealed = try environment.vault.secret(runner.spec.name, "access"),
            let token = PublishedToken(sealedForm: sealed), let field = token.fields.first
        else { return no(trouble(runner)) }
        let text = String(decoding: field.value.expose(), as: UTF8.self)
        let prefix = runner.spec.prefix
        return CredentialReply(
            succeeded: true, text: text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text)
    }

    // MARK: - The vault

    private func rotateKey() throws(StoreError) -> CredentialReply {
        let both = environment.vault.keys.rotated()
        // Both keys are on the disk before anything is sealed with the new one, and until nothing needs the old one.
        try masterKey.save(both)
        try environment.vault.reseal(with: both)
        try keeper.keysChanged()
        try masterKey.save(both.retired())
        return CredentialReply(
            succeeded: true,
            text: "master key \(both.masters[0].number) is in use; older copies of the vault need the old one"
        )
    }

    // MARK: - Status

    private func status() -> CredentialReply {
        var json = JSONWriter()
        var lines: [String] = []
        let now = environment.bootMsec
        json.array { json in
            for name in keeper.names {
                guard let runner = keeper.runners[name] else { continue }
                let machine = runner.machine
                let expires = machine.validUntil.map { Int($0 > now ? ($0 - now) / 1000 : 0) }
                let next = machine.nextAttemptAt.map { Int($0 > now ? ($0 - now) / 1000 : 0) }
                json.object { json in
                    json.member("name", name)
                    json.member("provider", runner.spec.provider)
                    json.member("kind", runner.spec.kind.rawValue)
                    json.member("state", machine.state.rawValue)
                    json.member("reason", machine.reason)
                    json.member("generation", Int(machine.generation))
                    json.key("expires_in_seconds")
                    if let expires { json.int(expires) } else { json.null() }
                    json.key("next_attempt_in_seconds")
                    if let next { json.int(next) } else { json.null() }
                    json.member("refused_total", environment.refusals[name] ?? 0)
                    json.member(
                        "refresh_total",
                        object: { json in
                            for (outcome, count) in (environment.outcomes[name] ?? [:]).sorted(by: {
                                $0.key < $1.key
                            }) {
                                json.key(outcome)
                                json.int(count)
                            }
                        })
                }
                lines.append("\(name) \(machine.state.rawValue)")
            }
        }
        return CredentialReply(succeeded: true, text: lines.joined(separator: "\n"), json: json.bytes)
    }
}

/// What the terms of a service say about a login, as far as it is known; shown before the login.
enum TermsNotice {
    static func text(_ kind: CredentialKind) -> String? {
        switch kind {
        case .codex:
            "This logs in with a ChatGPT account through the public client of the Codex command line. No statement of "
                + "OpenAI for or against its use by other programs is known to this project; it is your account."
        case .copilot:
            "This uses the token exchange that GitHub's own editors use. GitHub detects and may refuse other clients; "
                + "use it for one person, and keep the header fields truthful."
        default: nil
        }
    }
}
