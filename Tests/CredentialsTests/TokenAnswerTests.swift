// SPDX-License-Identifier: Apache-2.0
import Config
import Crypto
import JSON
import Testing

@testable import Credentials

@Suite("Token answers")
struct TokenAnswerTests {
    private let parser = JSONParser()
    private static let plain = TokenProfile(
        grant: .refreshToken, tokenURL: "https://a.example/token", rotates: true)
    private static let copilot = CredentialKind.copilot.profile ?? plain
    private static let codex = CredentialKind.codex.profile ?? plain
    private static let account = CredentialKind.googleServiceAccount.profile ?? plain

    private func outcome(_ status: Int, _ body: String, _ profile: TokenProfile = plain, date: String? = nil)
        -> TokenOutcome
    {
        var answer = TokenAnswer(status: status, body: Array(body.utf8))
        answer.date = date
        return answer.outcome(profile, now: 1_000_000, parser: parser)
    }

    private func lifetime(_ outcome: TokenOutcome) -> Int? {
        guard case .granted(let grant) = outcome else { return nil }
        return grant.lifetime
    }

    @Test(
        "A10: expires_in absent, as text, out of range",
        arguments: [
            ("", 300), (",\"expires_in\":\"3600\"", 3600), (",\"expires_in\":3600.0", 3600),
            (",\"expires_in\":1000000000000", 30 * 86_400), (",\"expires_in\":0", nil),
            (",\"expires_in\":-1", nil),
            (",\"expires_in\":\"soon\"", nil), (",\"expires_in\":null", nil),
        ] as [(String, Int?)])
    func expiresIn(member: String, seconds: Int?) {
        let result = outcome(200, "{\"access_token\":\"at\"\(member)}")
        #expect(lifetime(result) == seconds)
        if seconds == nil { #expect(result.name == "protocol_error") }
    }

    @Test(
        "each answer has its class",
        arguments: [
            (200, "<html>portal</html>", "protocol_error"), (200, "", "protocol_error"),
            (200, "{}", "protocol_error"), (200, "[]", "protocol_error"),
            (200, "{\"access_token\":\"a b\"}", "protocol_error"),
            (200, "{\"access_token\":\"at\",\"token_type\":\"mac\"}", "protocol_error"),
            (200, "{\"access_token\":\"at\",\"refresh_token\":\"r\\nt\"}", "protocol_error"),
            (200, "{\"access_token\":\"at\",\"token_type\":\"BEARER\"}", "ok"),
            (302, "", "protocol_error"), (307, "{}", "protocol_error"),
            (400, "{\"error\":\"invalid_grant\"}", "permanent"),
            (400, "{\"error\":\"invalid_client\"}", "config_error"),
            (401, "{\"error\":{\"code\":\"invalid_scope\"}}", "config_error"),
            (401, "{}", "suspect_permanent"), (401, "{\"code\":\"something_new\"}", "suspect_permanent"),
            (403, "<html>blocked</html>", "waf"), (404, "", "config_error"), (408, "", "transient"),
            (429, "", "transient"), (500, "", "transient"), (503, "<html>", "transient"),
            (200, "{\"error\":\"slow_down\"}", "transient"),
        ])
    func classes(status: Int, body: String, name: String) {
        #expect(outcome(status, body).name == name)
    }

    @Test(
        "C13: every way to say that a secret is dead",
        arguments: [
            (401, "{\"error\":{\"code\":\"refresh_token_expired\"}}", LoginReason.expired),
            (401, "{\"error\":\"refresh_token_reused\"}", .reusedByOther),
            (401, "{\"code\":\"refresh_token_invalidated\"}", .revoked),
            (400, "{\"error\":\"invalid_grant\"}", .revoked),
        ])
    func dead(status: Int, body: String, reason: LoginReason) {
        #expect(outcome(status, body, Self.codex) == .permanent(reason))
    }

    @Test("C13: a server that only says it in words is understood by the configured words")
    func words() {
        var profile = Self.plain
        profile.permanentTexts = ["authorization grant is invalid"]
        let body = "{\"message\":\"The provided authorization grant is invalid, expired or revoked\"}"
        #expect(outcome(400, body, profile) == .permanent(.revoked))
        #expect(outcome(400, body).name == "config_error")
    }

    @Test(
        "C9: Retry-After in seconds, as a date, as nonsense, absent and too large",
        arguments: [
            ("7", 7), ("Sun, 06 Nov 1994 08:50:37 GMT", 60), ("soon", 60), (nil, 60), ("86400", 3600),
            ("-5", 60),
            ("0", 1),
        ] as [(String?, Int)])
    func retryAfter(text: String?, seconds: Int) {
        var answer = TokenAnswer(status: 429, body: [])
        answer.retryAfter = text
        answer.date = "Sun, 06 Nov 1994 08:49:37 GMT"
        #expect(
            answer.outcome(Self.plain, now: 0, parser: parser) == .transient("HTTP 429", retryAfter: seconds))
    }

    @Test("C11: an answer that was cut for its size is none")
    func oversized() {
        var answer = TokenAnswer(status: 200, body: Array("{\"access_token\":\"at\"}".utf8))
        answer.isOversized = true
        #expect(answer.outcome(Self.plain, now: 0, parser: parser).name == "protocol_error")
    }

    @Test("C16: a success without a refresh token keeps the old one, one with it replaces it")
    func rotation() {
        guard case .granted(let kept) = outcome(200, "{\"access_token\":\"at\"}"),
            case .granted(let new) = outcome(200, "{\"access_token\":\"at\",\"refresh_token\":\"rt-2\"}")
        else {
            Issue.record("not granted")
            return
        }
        #expect(kept.refresh == nil)
        #expect(new.refresh == Secret("rt-2"))
    }

    @Test("A8: a Copilot token lives by the server's hint when the clocks disagree, and has its own endpoint")
    func copilotAnswer() {
        let body =
            "{\"token\":\"tid=1;exp=2\",\"expires_at\":1000900,\"refresh_in\":1500,\"endpoints\":{\"api\":\"https://api.b.example\"}}"
        // 1970-01-12 13:46:40 is 1,000,000 s; the server is ten minutes ahead.
        let result = outcome(200, body, Self.copilot, date: "Mon, 12 Jan 1970 13:56:40 GMT")
        guard case .granted(let grant) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(
            grant.lifetime == 1560 && grant.renewAfter == 1500 && grant.baseURL == "https://api.b.example")
        #expect(
            lifetime(
                outcome(
                    200, "{\"token\":\"t\",\"expires_at\":1001700}", Self.copilot,
                    date: "Mon, 12 Jan 1970 13:56:40 GMT"))
                == 1100)
        #expect(outcome(200, "{\"token\":\"t\"}", Self.copilot).name == "protocol_error")
        let plainText = "{\"token\":\"t\",\"refresh_in\":9,\"endpoints\":{\"api\":\"http://evil.example\"}}"
        #expect(outcome(200, plainText, Self.copilot).name == "protocol_error")
    }

    @Test(
        "C20: GitHub's reasons to refuse an account",
        arguments: [
            ("no_copilot_access", true), ("not_signed_up", true), ("subscription_ended", true),
            ("enterprise_managed_user_account", true), ("feature_flag_blocked", true), ("spammy_user", true),
            ("access_revoked", true), ("billing_locked", true), ("trade_restricted", true),
            ("trade_restricted_country", true), ("snippy_not_configured", true), ("expired_coupon", true),
            ("revoked_coupon", true), ("go_http_client", false), ("programmatic_token_generation", false),
        ])
    func notifications(id: String, mayProbe: Bool) {
        let body = "{\"error_details\":{\"notification_id\":\"\(id)\",\"message\":\"m\",\"url\":\"u\"}}"
        guard case .denied(_, let probes) = outcome(403, body, Self.copilot) else {
            Issue.record("not denied")
            return
        }
        #expect(probes == mayProbe)
        let transient = "{\"error_details\":{\"notification_id\":\"server_error\"}}"
        #expect(outcome(403, transient, Self.copilot).name == "transient")
    }

    @Test("C19: a wrong local clock is told from a bad key by the server's words and its Date")
    func skew() {
        let body =
            "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT: Token must be a short-lived token and in a reasonable timeframe\"}"
        #expect(outcome(400, body, Self.account, date: "Mon, 12 Jan 1970 13:56:40 GMT") == .clockSkew(600))
        #expect(
            outcome(
                400, "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}",
                Self.account
            ).name
                == "config_error")
    }

    private func webToken(_ claims: String, algorithm: String = "RS256") -> String {
        let parts = ["{\"alg\":\"\(algorithm)\"}", claims].map { Base64.encodeURL(Array($0.utf8)) }
        return parts.joined(separator: ".") + ".x"
    }

    @Test("C17: the account of a ChatGPT token and its life come from its claims")
    func claimsOfToken() {
        let token = webToken(
            "{\"iat\":500,\"exp\":1500,\"https://api.openai.com/auth\":{\"chatgpt_account_id\":\"acct\",\"chatgpt_account_is_fedramp\":true}}"
        )
        guard
            case .granted(let grant) = outcome(
                200, "{\"access_token\":\"\(token)\",\"expires_in\":5}", Self.codex)
        else {
            Issue.record("not granted")
            return
        }
        // From iat to exp: right even though both lie long before this machine's clock.
        #expect(
            grant.lifetime == 1000 && grant.accountID == "acct" && grant.headers["X-OpenAI-Fedramp"] == "true"
        )
        #expect(lifetime(outcome(200, "{\"access_token\":\"opaque\"}", Self.codex)) == 3600)
    }

    @Test("a ChatGPT token without a signature, or one that had ended by the server's own clock, is no token")
    func badWebTokens() {
        func answer(_ token: String, date: String? = nil) -> TokenOutcome {
            outcome(200, "{\"access_token\":\"\(token)\"}", Self.codex, date: date)
        }
        let claims = "{\"iat\":1000000,\"exp\":1000600}"
        let unsigned = [webToken(claims, algorithm: "None"), String(webToken(claims).dropLast())]
        for token in unsigned { #expect(answer(token) == .protocolError("the token is not signed")) }
        // 1,000,599 and 1,000,600.
        #expect(lifetime(answer(webToken(claims), date: "Mon, 12 Jan 1970 13:56:39 GMT")) == 600)
        #expect(
            answer(webToken(claims), date: "Mon, 12 Jan 1970 13:56:40 GMT")
                == .protocolError("the token has expired already"))
    }

    @Test(
        "C20: GitHub's words and page are shown, short and without anything that could be a secret",
        arguments: [
            ("No access.", "https://github.com/x", "no_copilot_access: No access. (https://github.com/x)"),
            ("", "https://github.com/x?token=CANARY", "no_copilot_access"),
            ("gho_CANARY is bad", "javascript:1", "no_copilot_access: [redacted] is bad"),
            (
                String(repeating: "no ", count: 99), "",
                "no_copilot_access:" + String(repeating: " no", count: 40)
            ),
        ])
    func words(message: String, page: String, shown: String) {
        let details = "\"message\":\"\(message)\",\"url\":\"\(page)\""
        let body = "{\"error_details\":{\"notification_id\":\"no_copilot_access\",\(details)}}"
        #expect(outcome(403, body, Self.copilot).reason == shown)
    }

    @Test("no error text holds what a server sent in a field that is not a plain code")
    func noEcho() {
        let body = "{\"error\":\"eyJCANARY.secret.x\",\"error_description\":\"CANARY\"}"
        for status in [400, 401, 403, 404, 200] {
            #expect(!outcome(status, body).reason.contains("CANARY"))
        }
    }

    @Test(
        "H7: secrets go over https, or over http to this machine",
        arguments: [
            ("https://a.example/t", true), ("http://127.0.0.1:9/t", true), ("http://[::1]:9/t", true),
            ("http://localhost/t", true), ("http://a.example/t", false),
            ("http://127.0.0.1.evil.example/", false),
            ("http://localhost.evil.example", false), ("ftp://a/", false), ("https://", false),
            ("https://user@a.example/", false), ("https://a.example/ x", false),
        ])
    func urls(url: String, isAllowed: Bool) {
        #expect(SafeURL.isAllowed(url) == isAllowed)
    }
}
