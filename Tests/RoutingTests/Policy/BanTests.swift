// SPDX-License-Identifier: Apache-2.0
// Bans: what an operator may say, whom it means, and that it is kept.

import Gateway
import JSON
import Testing

@testable import Routing

@Suite("Bans")
struct BanTests {
    private static let second: UInt64 = 1_000_000

    private func ban(
        _ credential: String = "c", _ model: String = "", since: UInt64 = 1, until: UInt64? = nil,
        _ origin: Ban.Origin = .admin
    ) -> Ban {
        Ban(
            provider: "p", credential: credential, model: model, origin: origin, reason: "r",
            sinceUsec: since, untilUsec: until)
    }

    private func list(_ bans: Ban...) -> BanList {
        var list = BanList()
        for ban in bans { _ = list.add(ban, ban.sinceUsec) }
        return list
    }

    @Test("end by themselves")
    func expiry() {
        let bans = list(ban(until: 10))
        #expect(bans.covers(provider: "p", credential: "c", model: "m", 9))
        #expect(!bans.covers(provider: "p", credential: "c", model: "m", 10))
        #expect(bans.all(10).isEmpty)
    }

    @Test(
        "are lifted with whatever lies within what is named",
        arguments: [
            (nil, nil, ["", "c", "c m", "d m"]), ("c", nil, ["c", "c m"]), (nil, "m", ["c m", "d m"]),
            ("c", "m", ["c m"]), ("d", "n", []), ("e", nil, []),
        ] as [(String?, String?, [String])])
    func lifting(credential: String?, model: String?, lifted: [String]) {
        var bans = list(ban(""), ban("c"), ban("c", "m", .fail2ban), ban("d", "m"), ban("c", "m2", until: 5))
        let result = bans.lift(provider: "p", credential: credential, model: model, 7)
        #expect(result.map { $0.credential + ($0.model.isEmpty ? "" : " " + $0.model) } == lifted)
        #expect(bans.all(7).count == 4 - lifted.count)
        #expect(bans.lift(provider: "other", credential: nil, model: nil, 7).isEmpty)
    }

    @Test("of another front are taken over, and a lifted one is not brought back by it")
    func merging() {
        var one = list(ban("a"), ban("b"))
        var two = one
        _ = one.lift(provider: "p", credential: "a", model: nil, 5)
        _ = two.add(ban("new", since: 6), 6)
        var again = two
        again.merge(one)
        one.merge(two)
        #expect(Set(one.all(7).map(\.credential)) == ["b", "new"])
        #expect(Set(again.all(7).map(\.credential)) == ["b", "new"])
        // Nor when another ban has been added since.
        _ = again.add(ban("later", since: 6), 6)
        again.merge(two)
        #expect(Set(again.all(7).map(\.credential)) == ["b", "new", "later"])
        _ = again.lift(provider: "p", credential: "later", model: nil, 7)
        // What is banned anew after that is banned.
        _ = one.add(ban("a", since: 8), 8)
        again.merge(one)
        #expect(Set(again.all(9).map(\.credential)) == ["a", "b", "new"])
    }

    @Test("count no more failures than there may be bans")
    func counts() {
        let rules = BanRules(rules: [.init(status: 401, attempts: 2, durationMsec: 0)])
        var bans = BanList()
        func fail(_ model: String) -> Ban? {
            bans.failed(provider: "p", credential: "c", model: model, status: 401, rules, 0)
        }
        _ = fail("m")
        for number in 0..<BanList.maximumCount { _ = fail("n\(number)") }
        #expect(fail("m") == nil)
        #expect(fail("m") != nil)
    }

    @Test("that are over make room, and others are not forgotten for them")
    func bound() {
        var bans = BanList()
        for number in 0..<BanList.maximumCount {
            let isAdded = bans.add(ban("c\(number)", until: number == 0 ? 5 : nil), 1)
            #expect(isAdded)
        }
        let isTooMany = bans.add(ban("more"), 4)
        #expect(!isTooMany)
        let isAdded = bans.add(ban("more"), 6)
        #expect(isAdded)
        #expect(bans.all(6).count == BanList.maximumCount)
    }

    // MARK: - In the policy

    private static let config = PolicyConfig(
        bans: BanRules(rules: [.init(status: 429, attempts: 1, durationMsec: 0)]),
        providers: [
            PolicyProvider(
                name: "p",
                credentials: ["c", "d"].map {
                    PolicyCredential(name: $0, weight: 1, priority: $0 == "c" ? 0 : 1, limit: MinuteLimits())
                })
        ])

    /// The credential that a request gets, "" when it gets none.
    private func asked(_ policy: inout Policy, _ now: UInt64) -> String {
        var course = Course(
            [RouteCandidate(provider: "p", providerIndex: 0, model: "m")], deadlineUsec: 600 * Self.second)
        guard case .ask(let grant) = policy.next(&course, now) else { return "" }
        policy.abandoned(&course, now)
        return grant.credentialName
    }

    /// One request fails with 429, which is a ban by the rules.
    private func banned(seed: UInt64 = 1) -> Policy {
        var policy = Policy(Self.config, seed: seed)
        var course = Course(
            [RouteCandidate(provider: "p", providerIndex: 0, model: "m")], deadlineUsec: 600 * Self.second)
        _ = policy.next(&course, 0)
        _ = policy.failed(&course, FailureReport(.rate, status: 429, retryAfterMsec: 3_600_000), 0)
        return policy
    }

    @Test("the end of a ban is the end of the pause that led to it")
    func unban() {
        var policy = banned()
        #expect(asked(&policy, 1) == "d")
        let lifted = policy.unban(provider: "p", credential: "c", model: nil, 2)
        #expect(lifted.map(\.origin) == [.fail2ban] && lifted.map(\.status) == [429])
        #expect(asked(&policy, 3) == "c")
        let again = policy.unban(provider: "p", credential: "c", model: nil, 4)
        #expect(again.isEmpty)
    }

    @Test("are taken over by a front that has learnt nothing, and by one that has")
    func snapshots() throws {
        var fresh = Policy(Self.config, seed: 2)
        let isAdded = fresh.ban(ban("d"), 1)
        #expect(isAdded)
        try fresh.restore(banned().snapshot().bytes)
        #expect(asked(&fresh, 2) == "", "its own ban and the other's")

        var busy = Policy(Self.config, seed: 3)
        #expect(asked(&busy, 1) == "c")
        try busy.restoreBans(banned().snapshot().bytes)
        #expect(asked(&busy, 2) == "d")
        #expect(throws: (any Error).self) { try busy.restoreBans([1]) }
        #expect(throws: (any Error).self) { try busy.restoreBans([]) }
    }

    // MARK: - Requests

    private func request(_ text: String, _ verb: BanRequest.Verb = .ban) throws(GatewayError) -> BanRequest {
        let parser = JSONParser()
        defer { withExtendedLifetime(parser) {} }
        guard let root = try? parser.parse(Array(text.utf8)) else {
            throw GatewayError(.invalidRequest, "no JSON")
        }
        return try BanRequest(root, verb)
    }

    @Test("are asked for with a name, a model, a time and a reason")
    func whole() throws {
        let wanted = try request(#"{"credential":"c","model":"m","ttl":"15m","reason":"why"}"#)
        #expect(wanted.model == "m" && wanted.durationMsec == 900_000 && wanted.reason == "why")
        let least = try request(#"{"credential":"c","model":null,"ttl":"permanent"}"#)
        #expect(least.model == nil && least.durationMsec == nil && least.reason == "")
    }

    @Test(
        "are refused with what is wrong",
        arguments: [
            ("[]", "the body is no JSON object"), ("{}", "“credential” is missing"),
            (#"{"credential":1}"#, "“credential” is no string"),
            (#"{"credential":""}"#, "“credential” is no string, or an empty one"),
            (#"{"credentail":"c"}"#, "unknown member “credentail” (did you mean “credential”?); known are"),
            (#"{"credential":"c","credential":"d"}"#, "“credential” is given twice"),
            (#"{"credential":"c","ttl":"soon"}"#, "“ttl” is “soon”, allowed are “permanent” and times"),
            (#"{"credential":"c","ttl":600}"#, "“ttl” is no string"),
            (#"{"credential":"c","reason":"a\nb"}"#, "has control characters"),
            (
                #"{"credential":"c","reason":"\#(String(repeating: "x", count: 201))"}"#,
                "“reason” is longer than 200 bytes"
            ),
        ])
    func faults(body: String, message: String) {
        let error = #expect(throws: GatewayError.self) { try request(body) }
        #expect(error?.kind == .invalidRequest)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test("their end takes no time and no reason")
    func unbanMembers() {
        let error = #expect(throws: GatewayError.self) {
            try request(#"{"credential":"c","ttl":"1m"}"#, .unban)
        }
        #expect(error?.message == "unknown member “ttl”; known are credential, provider, model")
    }

    private static let providers = [
        PolicyProvider(name: "openai"),
        PolicyProvider(
            name: "pool",
            credentials: ["first", "second", "openai"].map {
                PolicyCredential(name: $0, weight: 1, priority: 0, limit: MinuteLimits())
            }),
    ]

    @Test(
        "mean a credential, else a provider",
        arguments: [
            (#"{"credential":"second"}"#, "pool", "second"), (#"{"credential":"pool"}"#, "pool", nil),
            (#"{"credential":"openai"}"#, "pool", "openai"), (#"{"provider":"openai"}"#, "openai", nil),
            (#"{"provider":"pool","credential":"first"}"#, "pool", "first"),
        ] as [(String, String, String?)])
    func subjects(body: String, provider: String, credential: String?) throws {
        let subject = try request(body).subject(among: Self.providers)
        #expect(subject == BanRequest.Subject(provider: provider, credential: credential))
    }

    @Test(
        "of what does not exist name what is near",
        arguments: [
            (
                #"{"credential":"secnd"}"#,
                "there is no credential or provider “secnd” (did you mean “second”?)"
            ),
            (#"{"credential":"pol"}"#, "there is no credential or provider “pol” (did you mean “pool”?)"),
            (#"{"provider":"opanai"}"#, "there is no provider “opanai” (did you mean “openai”?)"),
            (
                #"{"provider":"pool","credential":"fist"}"#,
                "provider “pool” has no credential “fist” (did you mean “first”?)"
            ),
            (#"{"credential":"zzz"}"#, "there is no credential or provider “zzz”"),
        ])
    func unknown(body: String, message: String) throws {
        let wanted = try request(body)
        let error = #expect(throws: GatewayError.self) { try wanted.subject(among: Self.providers) }
        #expect(error?.kind == .notFound)
        #expect(error?.message == message)
    }

    @Test("of what the configuration has lost can be ended")
    func lost() throws {
        let gone = Ban(
            provider: "gone", credential: "key", model: "", origin: .admin, reason: "", sinceUsec: 0,
            untilUsec: nil)
        let subject = try request(#"{"credential":"key"}"#, .unban).subject(
            among: Self.providers, bans: [gone])
        #expect(subject == BanRequest.Subject(provider: "gone", credential: "key"))
    }

    @Test("of models are for those that the provider has")
    func models() throws {
        let wanted = try request(#"{"credential":"pool","model":"gpt-5"}"#)
        try wanted.checkModel(["gpt-5"], of: "pool")
        try wanted.checkModel([], of: "pool")
        let error = #expect(throws: GatewayError.self) { try wanted.checkModel(["gpt-5.5"], of: "pool") }
        #expect(error?.kind == .notFound)
        #expect(error?.message == "provider “pool” has no model “gpt-5” (did you mean “gpt-5.5”?)")
    }
}
