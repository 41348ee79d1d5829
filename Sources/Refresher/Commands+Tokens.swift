// SPDX-License-Identifier: Apache-2.0
// Secrets and tokens that come from files and requests, and the token on its way out to the one who owns it.

import Config
import CredentialStore
import Credentials
import Gateway
import JSON
import Posix

extension Commands {
    func importFile(_ command: CredentialCommand, _ runner: Runner, _ reply: @escaping Reply)
        throws(StoreError)
    {
        let name = runner.spec.name
        let file: ImportedFile
        do throws(ImportError) {
            file = try ImportedFile(
                command.payload.expose(), kind: runner.spec.kind, follows: runner.spec.followedFile != nil,
                parser: environment.parser)
        } catch {
            return reply(no("the file \(error); nothing was changed"))
        }
        let held = try environment.vault.row(name)?.accountID ?? ""
        if command.verb != .replace, let account = file.accountID, !held.isEmpty, account != held {
            return reply(
                no("the file is of another account; add --replace, or run ccr logout \(name) first"))
        }
        if runner.spec.followedFile != nil {
            // Only whose account it is; the file itself stays the source of the tokens.
            try environment.vault.setSecrets(
                name, [:], accountID: file.accountID, event: "import", note: "follow",
                now: environment.seconds)
            runner.secretChanged()
            return refresh(runner, reply)
        }
        if let objection = try replaced(file.secret, runner) { return reply(objection) }
        guard command.verb == .importQuietly, let access = file.access, lives(file.expiresAt) else {
            return try keep(file.secret, account: file.accountID, "import", runner, reply)
        }
        guard !runner.isRunning else { return reply(busy(runner)) }
        try environment.vault.setSecrets(
            name, ["refresh": file.secret], accountID: file.accountID, event: "import", note: "",
            now: environment.seconds)
        try runner.adopt(access, account: file.accountID, expiresAt: file.expiresAt, headers: file.headers)
        reply(CredentialReply(succeeded: true, text: "\(name) has token \(runner.machine.generation)"))
    }

    /// The answer to somebody who brings a secret that this refresher has sent and got another one for. To send it again
    /// would end the login that goes on with the other one.
    private func replaced(_ secret: Secret?, _ runner: Runner) throws(StoreError) -> CredentialReply? {
        let name = runner.spec.name
        guard let secret, runner.spec.profile?.rotates == true,
            try environment.vault.row(name)?.state != .needsLogin,
            try environment.vault.secret(name, "refresh") != secret,
            try environment.vault.wasReplaced(name, secret: secret)
        else { return nil }
        return no(
            "this refresh token of \(name) has been used already, and the login goes on with its successor, which "
                + "the service may end if the old one is sent again; nothing was changed")
    }

    /// Whether a token with this end, in seconds since 1970, is worth taking.
    private func lives(_ end: Int?) -> Bool { end.map { $0 > environment.seconds } ?? true }

    private func busy(_ runner: Runner) -> CredentialReply {
        no("a refresh of \(runner.spec.name) is under way; nothing was changed, try again")
    }

    /// Stores a long-lived secret and asks for a token at once: for one that rotates this makes it ours alone.
    func keep(
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

    /// Stores tokens that somebody obtained elsewhere: {accessToken, refreshToken?, expiresAt?, userID?}.
    func store(_ payload: Secret, _ runner: Runner, _ reply: @escaping Reply) throws(StoreError) {
        let tokens: StoredTokens
        do throws(StoredTokens.Fault) {
            tokens = try StoredTokens(payload.expose(), parser: environment.parser)
        } catch {
            return reply(no(error.message))
        }
        guard runner.spec.followedFile == nil, runner.spec.command.isEmpty else {
            return reply(no("the tokens of \(runner.spec.name) come from elsewhere"))
        }
        if let objection = try replaced(tokens.refresh, runner) { return reply(objection) }
        guard lives(tokens.expiresAt) else {
            guard let refresh = tokens.refresh else {
                return reply(
                    no(
                        "accessToken has expired; nothing was changed: send one that lives, or a refreshToken with it"
                    ))
            }
            return try keep(refresh, account: tokens.accountID, "import", runner, reply)
        }
        guard !runner.isRunning else { return reply(busy(runner)) }
        var secrets: [String: Secret] = [:]
        if let refresh = tokens.refresh { secrets["refresh"] = refresh }
        try environment.vault.setSecrets(
            runner.spec.name, secrets, accountID: tokens.accountID, event: "import", note: "tokens",
            now: environment.seconds)
        try runner.adopt(
            tokens.access, account: tokens.accountID, expiresAt: tokens.expiresAt, headers: [:])
        reply(
            CredentialReply(
                succeeded: true, text: "\(runner.spec.name) has token \(runner.machine.generation)"))
    }

    // MARK: - Out

    func token(_ runner: Runner) throws(StoreError) -> CredentialReply {
        guard let text = try bearer(runner) else { return no(trouble(runner)) }
        return CredentialReply(succeeded: true, text: text)
    }

    private func bearer(_ runner: Runner) throws(StoreError) -> String? {
        guard runner.machine.isUsable(now: environment.bootMsec),
            let sealed = try environment.vault.secret(runner.spec.name, "access"),
            let token = PublishedToken(sealedForm: sealed), token.keys == nil, let field = token.fields.first
        else { return nil }
        let text = String(decoding: field.value.expose(), as: UTF8.self)
        let prefix = runner.spec.prefix
        return text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
    }

    /// The members of "tokens" as codex-proxy's auth.json has them. The refresh token goes along only when ccr gives
    /// it away: two programs that use one chain end it.
    func export(_ runner: Runner, withSecret: Bool) throws(StoreError) -> CredentialReply {
        guard let text = try bearer(runner), let row = try environment.vault.row(runner.spec.name) else {
            return no(trouble(runner))
        }
        var json = JSONWriter()
        let refresh = withSecret ? try environment.vault.secret(runner.spec.name, "refresh") : nil
        if withSecret, refresh == nil {
            return no("the vault holds nothing of \(runner.spec.name) that could be given away")
        }
        json.object { json in
            json.member("access_token", text)
            if let refresh {
                json.member("refresh_token", String(decoding: refresh.expose(), as: UTF8.self))
            }
            if !row.accountID.isEmpty { json.member("account_id", row.accountID) }
            if let end = row.expiresAt { json.member("expiresAt", end * 1000) }
        }
        return CredentialReply(succeeded: true, text: "", json: json.bytes)
    }

    /// Forgets what `export` has given away, now that it stands in a file.
    func giveAway(_ tokens: Secret, _ runner: Runner) throws(StoreError) -> CredentialReply {
        let given = environment.parser.object(tokens.expose())?.member("refresh_token")?.string
        guard !runner.isRunning, let given,
            try environment.vault.secret(runner.spec.name, "refresh") == Secret(given)
        else {
            return no(
                "\(runner.spec.name) was renewed meanwhile, so that the refresh token in the file is dead; ccr keeps "
                    + "the login, repeat the export")
        }
        try environment.vault.forget(runner.spec.name, now: environment.seconds)
        try runner.forgotten()
        return CredentialReply(
            succeeded: true, text: "\(runner.spec.name) is given away; ccr has logged out of it")
    }

    // MARK: - Admin paths

    /// Answers a request of an admin path in the form that codex-proxy's clients know.
    func answer(_ request: AdminRequest, reply: @escaping (AdminAnswer) -> Void) {
        func answer(_ status: UInt16, _ body: (inout JSONWriter) -> Void) {
            var json = JSONWriter()
            json.object(body)
            reply(AdminAnswer(tag: request.tag, status: status, body: json.bytes))
        }
        switch request.verb {
        case .status: answer(200) { self.adminStatus(&$0) }
        case .store:
            let name = StoredTokens.credentialName(request.body, parser: environment.parser)
            let runner = name.map { keeper.runners[$0] } ?? onlyLogin
            guard let runner else {
                return answer(400) {
                    $0.member("status", "error")
                    $0.member(
                        "message",
                        "name one of the credentials: \(keeper.names.joined(separator: ", "))")
                }
            }
            do throws(StoreError) {
                try store(Secret(bytes: request.body), runner) { result in
                    answer(result.succeeded ? 200 : 400) {
                        $0.member("status", result.succeeded ? "success" : "error")
                        $0.member("message", result.text)
                    }
                }
            } catch {
                answer(500) {
                    $0.member("status", "error")
                    $0.member("message", "\(error)")
                }
            }
        }
    }

    /// The one credential that a login stands behind, if there is one alone.
    private var onlyLogin: Runner? {
        let found = keeper.runners.values.filter { $0.spec.kind == .codex }
        return found.count == 1 ? found.first : keeper.runners.count == 1 ? keeper.runners.first?.value : nil
    }

    private func adminStatus(_ json: inout JSONWriter) {
        let now = environment.seconds
        let reports = keeper.reports
        let shown = onlyLogin.flatMap { runner in reports.first { $0.name == runner.spec.name } }
        json.member("type", "oauth")
        json.member("hasCredentials", shown?.isUsable ?? reports.contains(where: \.isUsable))
        if let shown {
            if !shown.isUsable { json.member("error", "\(shown.state): \(shown.reason)") }
            // An account that cannot be read is not shown.
            if let account = try? environment.vault.row(shown.name)?.accountID, !account.isEmpty {
                json.member("userID", account)
            }
            if let end = shown.expiresAt {
                json.member("expiresAt", end * 1000)
                json.member("minutesUntilExpiry", (end - now) / 60)
                json.member("isExpired", end <= now)
                json.member("needsRefreshSoon", end - now <= 3600)
            }
        }
        json.member(
            "credentials",
            array: { json in
                for report in reports { report.write(to: &json, now: now) }
            })
    }
}
