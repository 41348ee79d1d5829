// SPDX-License-Identifier: Apache-2.0
// The commands about credentials. They only ask the refresher; no secret but the token of `print-token` passes through
// them to the terminal.

import Config
import CredentialStore
import Credentials
import JSON
import Posix
import SecretService

enum CredentialCommands {
    private static let maximumFileBytes = 128 << 10

    /// Words that stand for kinds of credentials in `ccr login`.
    private static let kinds: [String: CredentialKind] = [
        "codex": .codex, "copilot": .copilot, "google": .googleUser, "oauth2": .oauth2,
    ]

    @Sendable static func logIn(_ context: CommandContext) -> Int32 {
        guard let configuration = context.loadOrComplain(unresolved: .kept) else { return ExitStatus.usage }
        do throws(UsageError) {
            let name = try name(of: context.operands, among: configuration.providers.flatMap(\.credentials))
            let verb: CredentialCommand.Verb = context.has("--browser") ? .loginInBrowser : .login
            return ask(context, CredentialCommand(verb, name: name), configuration)
        } catch {
            context.terminal.complain("ccr login: \(error.message)")
            return ExitStatus.usage
        }
    }

    /// The credential that NAME, KIND NAME, or KIND alone means where it is the only one of its kind.
    static func name(of words: [String], among credentials: [ProviderCredential]) throws(UsageError) -> String
    {
        let isNamed = words.count > 1
        if !isNamed, credentials.contains(where: { $0.name == words[0] }) { return words[0] }
        guard let kind = kinds[words[0]] else {
            // The refresher says which names there are.
            guard isNamed else { return words[0] }
            throw UsageError(
                message:
                    "\(quoted(words[0])) is no kind; allowed are \(kinds.keys.sorted().joined(separator: ", "))"
            )
        }
        let found = credentials.filter { $0.kind == kind && (!isNamed || $0.name == words[1]) }.map(\.name)
        guard found.count == 1 else {
            let wanted = isNamed ? quoted(words[1]) : "which"
            throw UsageError(
                message: found.isEmpty
                    ? "there is no credential of kind \(kind.rawValue)\(isNamed ? " with the name \(wanted)" : "")"
                    : "several credentials are of kind \(kind.rawValue); name one of \(found.joined(separator: ", "))"
            )
        }
        return found[0]
    }

    @Sendable static func logOut(_ context: CommandContext) -> Int32 { ask(context, .logout) }

    @Sendable static func refresh(_ context: CommandContext) -> Int32 { ask(context, .refresh) }

    @Sendable static func printToken(_ context: CommandContext) -> Int32 { ask(context, .printToken) }

    @Sendable static func rotateKey(_ context: CommandContext) -> Int32 { ask(context, .rotateKey) }

    @Sendable static func backUp(_ context: CommandContext) -> Int32 { ask(context, .backUp, isPath: true) }

    @Sendable static func restore(_ context: CommandContext) -> Int32 { ask(context, .restore, isPath: true) }

    @Sendable static func remove(_ context: CommandContext) -> Int32 { ask(context, .remove) }

    // MARK: - Import and export

    @Sendable static func importFile(_ context: CommandContext) -> Int32 {
        guard let configuration = context.loadOrComplain(unresolved: .kept) else { return ExitStatus.usage }
        guard
            let credential = configuration.providers.flatMap(\.credentials).first(where: {
                $0.name == context.operands[0]
            })
        else {
            return complain(
                context, "there is no credential \(quoted(context.operands[0])) in the configuration")
        }
        guard let found = found(context, credential, configuration) else { return ExitStatus.failure }
        if case .tokens = found {} else if let objection = objection(context, credential) { return objection }
        switch found {
        case .tokens(let tokens):
            return ask(
                context, CredentialCommand(.store, name: credential.name, payload: tokens), configuration)
        case .file(let path): return importFile(path, context, credential, configuration)
        case .contents(let contents):
            return take(
                contents, from: "what the desktop's keyring holds", context, credential, configuration)
        }
    }

    /// The exit status when the person has not said that the login may be taken over; nil when it may.
    private static func objection(_ context: CommandContext, _ credential: ProviderCredential) -> Int32? {
        let isFollowed = credential.settings["mode"] == "follow"
        guard credential.kind.profile?.rotates == true, !isFollowed, !context.has("--i-understand") else {
            return nil
        }
        return complain(
            context,
            "importing \(quoted(credential.name)) takes the login over: the program that wrote it is logged out. "
                + "Prefer ccr login \(credential.name), or repeat with --i-understand")
    }

    /// What the command names or the stores hold; nil after the person was told that there is nothing to do.
    private static func found(
        _ context: CommandContext, _ credential: ProviderCredential, _ configuration: Configuration
    ) -> FoundLogin? {
        if let path = context.operands.dropFirst().first ?? context.options["--creds-path"] {
            return .file(path)
        }
        guard let store = LoginStore(rawValue: context.options["--creds-store"] ?? "auto") else {
            _ = complain(
                context,
                "allowed are --creds-store "
                    + LoginStore.allCases.map(\.rawValue).joined(separator: ", "))
            return nil
        }
        if store == .auto || store == .vault, isUsable(context, credential.name, configuration) {
            context.terminal.complain("ccr: the vault holds a login of \(credential.name) already")
            return nil
        }
        let sources = LoginSources(kind: credential.kind, environment: context.environment)
        do throws(SecretService.Failure) {
            if let found = try sources.find(store) { return found }
        } catch {
            _ = complain(context, error.text)
            return nil
        }
        _ = complain(
            context,
            "there is no login in \(sources.description(store)); name a file, or run ccr login \(credential.name)"
        )
        return nil
    }

    private static func isUsable(
        _ context: CommandContext, _ name: String, _ configuration: Configuration
    ) -> Bool {
        let reply = try? RefresherClient.ask(  // without an answer there is nothing to compare with
            CredentialCommand(.status), socket: socket(context, configuration), step: { _ in })
        let parser = JSONParser()
        guard let reply, let list = try? parser.parse(reply.json) else { return false }
        defer { withExtendedLifetime(parser) {} }
        return list.elements.contains {
            $0.member("name")?.string == name && $0.member("usable")?.bool == true
        }
    }

    private static func importFile(
        _ path: String, _ context: CommandContext, _ credential: ProviderCredential,
        _ configuration: Configuration
    ) -> Int32 {
        do throws(StoreError) {
            let bytes = try PrivateFile.read(
                path, limit: maximumFileBytes, acceptsOpenMode: context.has("--accept-open-mode"))
            return take(Secret(bytes: bytes), from: path, context, credential, configuration)
        } catch {
            return complain(context, "\(error)")
        }
    }

    /// Hands what another program wrote to the refresher.
    private static func take(
        _ contents: Secret, from place: String, _ context: CommandContext, _ credential: ProviderCredential,
        _ configuration: Configuration
    ) -> Int32 {
        do throws(ImportError) {
            // The refresher does not know where it stood.
            _ = try ImportedFile(
                contents.expose(), kind: credential.kind, follows: credential.settings["mode"] == "follow",
                parser: JSONParser())
        } catch {
            return complain(context, "\(place) \(error); nothing was changed")
        }
        let verb: CredentialCommand.Verb =
            context.has("--replace")
            ? .replace : context.has("--disable-migrate-refresh") ? .importQuietly : .importFile
        return ask(
            context, CredentialCommand(verb, name: credential.name, payload: contents),
            configuration)
    }

    @Sendable static func export(_ context: CommandContext) -> Int32 {
        guard let configuration = context.loadOrComplain(unresolved: .kept) else { return ExitStatus.usage }
        let command = CredentialCommand(
            context.has("--move") ? .handOver : .export, name: context.operands[0])
        do {
            let reply = try RefresherClient.ask(
                command, socket: socket(context, configuration), step: { _ in })
            guard reply.succeeded else { return complain(context, reply.text) }
            try LoginFile.write(context.operands[1], tokens: reply.json)
            context.terminal.print("wrote \(context.operands[1])")
            guard context.has("--move") else { return ExitStatus.success }
            // Only now that the file holds the login it is taken from the vault.
            return ask(
                context,
                CredentialCommand(.givenAway, name: command.name, payload: Secret(bytes: reply.json)),
                configuration)
        } catch let error as RefresherClient.Failure {
            return complain(context, error, configuration)
        } catch {
            return complain(context, "\(error)")
        }
    }

    // MARK: - Status

    @Sendable static func list(_ context: CommandContext) -> Int32 {
        guard let configuration = context.loadOrComplain(unresolved: .kept) else { return ExitStatus.usage }
        var rows = [["NAME", "PROVIDER", "KIND", "SECRET", "WEIGHT", "PRIORITY"]]
        for provider in configuration.providers {
            for entry in provider.credentials {
                let source = entry.command.first ?? entry.secret.text
                rows.append([
                    entry.name, provider.name, entry.kind.rawValue, source, String(entry.weight),
                    String(entry.priority),
                ])
            }
        }
        let reply = try? RefresherClient.ask(  // the configuration is worth showing without a refresher too
            CredentialCommand(.status), socket: socket(context, configuration), step: { _ in })
        for name in (reply?.text ?? "").split(separator: "\n") {
            rows.append([String(name), "", "not configured", "vault", "", ""])
        }
        for line in TextTable.lines(rows) { context.terminal.print(line) }
        return ExitStatus.success
    }

    @Sendable static func status(_ context: CommandContext) -> Int32 {
        guard let configuration = context.loadOrComplain(unresolved: .kept) else { return ExitStatus.usage }
        do throws(RefresherClient.Failure) {
            let reply = try RefresherClient.ask(
                CredentialCommand(.status), socket: socket(context, configuration), step: { _ in })
            let parser = JSONParser()
            guard let list = try? parser.parse(reply.json) else {
                return complain(context, "the refresher's answer cannot be read")
            }
            var rows = [["NAME", "PROVIDER", "KIND", "STATE", "EXPIRES", "REASON"]]
            var needsLogin = false
            for entry in list.elements {
                let state = entry.member("state")?.string ?? ""
                needsLogin = needsLogin || state == CredentialState.needsLogin.rawValue
                let isUsable = entry.member("usable")?.bool == true
                rows.append([
                    entry.member("name")?.string ?? "", entry.member("provider")?.string ?? "",
                    entry.member("kind")?.string ?? "", state,
                    entry.member("expires_in_seconds")?.int.map(TextTable.duration)
                        ?? (isUsable ? "never" : ""),
                    ["reason", "remedy"].compactMap { entry.member($0)?.string }.filter { !$0.isEmpty }
                        .joined(separator: "; "),
                ])
            }
            withExtendedLifetime(parser) {}
            if context.has("--json") {
                context.terminal.print(String(decoding: reply.json, as: UTF8.self))
            } else {
                for line in TextTable.lines(rows) { context.terminal.print(line) }
            }
            return needsLogin ? ExitStatus.failure : ExitStatus.success
        } catch {
            return complain(context, error, configuration)
        }
    }

    /// - Parameter isPath: the operand is a path, which may be relative to where the person is.
    private static func ask(_ context: CommandContext, _ verb: CredentialCommand.Verb, isPath: Bool = false)
        -> Int32
    {
        guard let configuration = context.loadOrComplain(unresolved: .kept) else { return ExitStatus.usage }
        let operand = context.operands.first ?? ""
        let name = isPath ? Paths.join(OwnProcess.workingDirectory, operand) : operand
        return ask(context, CredentialCommand(verb, name: name), configuration)
    }

    private static func ask(
        _ context: CommandContext, _ command: CredentialCommand, _ configuration: Configuration
    )
        -> Int32
    {
        do throws(RefresherClient.Failure) {
            let reply = try RefresherClient.ask(command, socket: socket(context, configuration)) { step in
                context.terminal.print(step.text)
            }
            guard reply.succeeded else { return complain(context, reply.text) }
            context.terminal.print(reply.text)
            return ExitStatus.success
        } catch {
            return complain(context, error, configuration)
        }
    }

    private static func socket(_ context: CommandContext, _ configuration: Configuration) -> String {
        ServiceSurvey.isAboutSystem(context)
            ? ServiceManager.refresherSocket : RefresherConfig.socketPath(below: configuration.stateDirectory)
    }

    private static func complain(
        _ context: CommandContext, _ failure: RefresherClient.Failure, _ configuration: Configuration
    ) -> Int32 {
        let hasCredentials = configuration.providers.contains { !$0.credentials.isEmpty }
        return complain(
            context,
            (hasCredentials ? "" : "the configuration has no credentials (Providers[].credentials); ")
                + failure.message)
    }

    private static func complain(_ context: CommandContext, _ text: String) -> Int32 {
        context.terminal.complain("ccr: \(text)")
        return ExitStatus.failure
    }
}

extension SecretService.Failure {
    /// For people.
    fileprivate var text: String {
        switch self {
        case .noBus:
            "there is no session bus to reach the desktop's keyring; run this as its user, in the desktop's session"
        case .noService:
            "nobody on the session bus keeps secrets; start the desktop's keyring (gnome-keyring, KWallet, KeePassXC)"
        case .locked: "the desktop's keyring is locked; unlock it, then repeat"
        case .ambiguous(let count):
            "the desktop's keyring holds \(count) logins of Codex for this directory; set CODEX_HOME"
        case .refused(let reason): "the desktop's keyring does not give the login: \(reason)"
        }
    }
}
