// SPDX-License-Identifier: Apache-2.0
// What operators say about bans: the paths /api/ban, /api/unban and /api/bans.
// Source: docs/failures.md, "Bans".

import Gateway
import JSON
import Journal
import Posix
import Routing

extension FrontProcess {
    /// Performs an operator's request and answers it.
    func administer(_ request: ClientRequest, _ verb: PathTarget.BanVerb) {
        guard verb == .list || !isDraining else {
            // What this front learns from now on no other one gets to know.
            return finish(
                request,
                with: GatewayError(.overloaded, "another front has taken over; ask again", retryAfter: 1),
                close: true)
        }
        // The front beside this one may know of others.
        rememberMore()
        do {
            switch verb {
            case .list:
                let bans = policy.bans.all(now)
                answerLocally(
                    request,
                    body: body { $0.object { $0.member("bans", array: { self.write(bans, &$0) }) } })
            case .ban:
                let ban = try ban(try read(request, .ban))
                answerLocally(request, body: body { self.write([ban], &$0) })
            case .unban:
                let lifted = try unban(try read(request, .unban))
                answerLocally(
                    request,
                    body: body { $0.object { $0.member("unbanned", array: { self.write(lifted, &$0) }) } })
            }
        } catch {
            finish(request, with: error)
        }
    }

    private func read(_ request: ClientRequest, _ verb: BanRequest.Verb) throws(GatewayError) -> BanRequest {
        guard let body = request.body, body.count > 0 else {
            throw GatewayError(.invalidRequest, "the request has no body")
        }
        guard body.count <= RefresherLink.maximumBytes else {
            throw GatewayError(.tooLarge, "the body is larger than \(RefresherLink.maximumBytes) bytes")
        }
        return try body.withBytes { (bytes) throws(GatewayError) in
            let root: JSONValue
            do {
                root = try parser.parse(bytes)
            } catch {
                throw GatewayError(.invalidRequest, "the body is no JSON: \(error)")
            }
            return try BanRequest(root, verb)
        }
    }

    private func ban(_ wanted: BanRequest) throws(GatewayError) -> Ban {
        let subject = try wanted.subject(among: config.policy.providers)
        if let provider = config.policy.providers.firstIndex(where: { $0.name == subject.provider }),
            models.routes.listsModels(provider)
        {
            let known = models.routes.models(of: provider) + policy.models(askedOf: provider)
            try wanted.checkModel(known, of: subject.provider)
        }
        let ban = Ban(
            provider: subject.provider, credential: subject.credential ?? "", model: wanted.model ?? "",
            origin: .admin, reason: wanted.reason, sinceUsec: now,
            untilUsec: wanted.durationMsec.map { now + UInt64($0) * 1000 })
        guard policy.ban(ban, now) else {
            throw GatewayError(.overloaded, "there are \(BanList.maximumCount) bans already")
        }
        kept(ban, BanText.line(ban, now))
        return ban
    }

    private func unban(_ wanted: BanRequest) throws(GatewayError) -> [Ban] {
        let bans = policy.bans.all(now)
        let subject = try wanted.subject(among: config.policy.providers, bans: bans)
        let lifted = policy.unban(
            provider: subject.provider, credential: subject.credential, model: wanted.model, now)
        guard !lifted.isEmpty else {
            let wider = bans.first {
                $0.provider == subject.provider
                    && ($0.credential.isEmpty || $0.credential == subject.credential)
                    && ($0.model.isEmpty || $0.model == wanted.model)
            }
            throw GatewayError(
                .notFound,
                wider.map { "no such ban, but a wider one: \(BanText.line($0, now))" } ?? "no such ban")
        }
        for ban in lifted { kept(ban, BanText.end(ban)) }
        wakeAllParked()
        return lifted
    }

    /// An operator's word outlives this front from the moment it is answered.
    private func kept(_ ban: Ban, _ line: String) {
        savePolicy()
        journal.log(.notice, .credentialBanned, line, BanText.fields(ban))
    }

    private func body(_ write: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        write(&writer)
        return writer.bytes
    }

    private func write(_ bans: [Ban], _ writer: inout JSONWriter) {
        let realtime = Clock.realtimeUsec()
        for ban in bans { BanText.write(ban, now, realtimeUsec: realtime, to: &writer) }
    }
}
