// SPDX-License-Identifier: Apache-2.0
// Logins and logouts: on another device, in a browser on this machine, and what the terms of the services say.

import Config
import CredentialStore
import Credentials
import EventLoop
import JSON
import Journal
import Posix

extension Commands {
    /// Who asked has gone, as after Ctrl-C: a login that nobody waits for must not replace what is there.
    func left(_ asker: AnyObject) {
        for (name, login) in logins where login.asker === asker {
            logins[name] = nil
            environment.journal.log(
                .notice, .credentialTrouble,
                "the login of \(name) is given up: who began it does not wait for it")
        }
    }

    func logIn(_ runner: Runner, _ asker: AnyObject?, _ reply: @escaping Reply) throws(StoreError) {
        let name = runner.spec.name
        guard let (profile, clientSecret) = try begin(runner, reply), profile.device != nil,
            let login = DeviceLogin(profile, clientSecret: clientSecret)
        else {
            let hasBrowser = runner.profile?.browser != nil
            return reply(
                no(
                    "credentials of kind \(runner.spec.kind.rawValue) have no login on another device; use "
                        + (hasBrowser ? "ccr login --browser \(name)" : "ccr credentials import")))
        }
        let flow = LoginFlow(
            login, environment, show: { [unowned self] in self.show($0, $1, reply) },
            done: { [unowned self] in self.finish($0, runner, reply) })
        logins[name] = Login(flow: flow, asker: asker, reply: reply)
        flow.start()
    }

    func logInWithBrowser(_ runner: Runner, _ asker: AnyObject?, _ reply: @escaping Reply)
        throws(StoreError)
    {
        guard let (profile, clientSecret) = try begin(runner, reply), profile.browser != nil else {
            return reply(
                no("credentials of kind \(runner.spec.kind.rawValue) have no login in a browser here"))
        }
        do throws(Errno) {
            let flow = try BrowserFlow(
                profile, clientSecret: clientSecret, environment,
                show: { [unowned self] in self.show($0, nil, reply) },
                done: { [unowned self] in self.finish($0, runner, reply) })
            logins[runner.spec.name] = Login(flow: flow, asker: asker, reply: reply)
            flow.start()
        } catch {
            reply(no("no loopback port for the login is free: \(error)"))
        }
    }

    /// What both logins need; nil after the person was told that there is none.
    private func begin(_ runner: Runner, _ reply: @escaping Reply) throws(StoreError) -> (
        TokenProfile, Secret?
    )? {
        guard let profile = runner.profile else { return nil }
        abandonLogin(runner, "another login of \(runner.spec.name) was begun")
        var clientSecret: Secret?
        if let source = runner.spec.clientSecret {
            clientSecret = try SecretReader.secret(source, kind: runner.spec.kind)
        }
        if let notice = TermsNotice.text(runner.spec.kind) {
            reply(CredentialReply(isLast: false, succeeded: true, text: notice))
        }
        return (profile, clientSecret)
    }

    /// Whoever waits for a login that is under way learns why it ends.
    private func abandonLogin(_ runner: Runner, _ why: String) {
        guard let login = logins.removeValue(forKey: runner.spec.name) else { return }
        login.reply(no(why))
    }

    private func show(_ url: String, _ code: String?, _ reply: @escaping Reply) {
        var json = JSONWriter()
        json.object { json in
            json.member("url", url)
            if let code { json.member("code", code) }
        }
        let text =
            code.map {
                "Open \(url) and enter the code \($0). Enter it only if you started this login yourself."
            } ?? "Open this address in a browser on this machine:\n\(url)"
        reply(CredentialReply(isLast: false, succeeded: true, text: text, json: json.bytes))
    }

    private func finish(_ result: LoginResult, _ runner: Runner, _ reply: @escaping Reply) {
        logins[runner.spec.name] = nil
        switch result {
        case .failed(let text): reply(no(text))
        case .secret(let secret, let account):
            do throws(StoreError) {
                // A login may be to another account than before: it replaces what was there.
                try keep(secret, account: account ?? "", "login", runner, reply)
            } catch {
                reply(no("\(error)"))
            }
        }
    }

    // MARK: - Logout

    func logOut(_ runner: Runner) throws(StoreError) -> CredentialReply {
        abandonLogin(runner, "\(runner.spec.name) was logged out meanwhile")
        // One that does not open is forgotten like any other.
        let secret = try? environment.vault.secret(runner.spec.name, "refresh")
        try environment.vault.forget(runner.spec.name, now: environment.seconds)
        try runner.forgotten()
        if let secret, let profile = runner.profile, let url = profile.revokeURL {
            revoke(secret, at: url, profile)
        }
        return CredentialReply(succeeded: true, text: "logged out of \(runner.spec.name)")
    }

    /// Tells the service that the secret is not used any more. It is forgotten either way.
    private func revoke(_ secret: Secret, at url: String, _ profile: TokenProfile) {
        var fields = [
            ("token", String(decoding: secret.expose(), as: UTF8.self)), ("token_type_hint", "refresh_token"),
        ]
        if !profile.clientID.isEmpty { fields.append(("client_id", profile.clientID)) }
        let request = TokenRequest(
            url: url, fields: fields, encoding: profile.encoding, headers: profile.headers)
        do throws(Errno) {
            var id: ObjectIdentifier?
            let exchange = try TokenExchange(request, environment.loop, environment.transfers) {
                [weak self] result in
                if let id { self?.revocations[id] = nil }
                if case .answered(let answer) = result, answer.status < 300 { return }
                self?.environment.journal.log(
                    .notice, .credentialTrouble,
                    "the service did not confirm a logout; the secret is forgotten here all the same")
            }
            id = ObjectIdentifier(exchange)
            revocations[ObjectIdentifier(exchange)] = exchange
        } catch {
            environment.journal.log(.notice, .credentialTrouble, "a logout was not reported: \(error)")
        }
    }
}

/// A login that is under way.
struct Login {
    /// Ends when nobody holds it.
    let flow: AnyObject
    /// The connection on which it was asked for.
    weak var asker: AnyObject?
    /// Who waits for its end.
    let reply: Commands.Reply
}

/// How a login ends.
enum LoginResult {
    case secret(Secret, account: String?)
    case failed(String)
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
