// SPDX-License-Identifier: Apache-2.0
import Config
import Crypto
import IPC
import JSON
import Testing

@testable import Credentials

@Suite("Logins and settings")
struct LoginTests {
    private let parser = JSONParser()

    private func answer(_ status: Int, _ body: String) -> TokenAnswer {
        TokenAnswer(status: status, body: Array(body.utf8))
    }

    private func text(_ request: TokenRequest) -> String {
        String(decoding: request.body ?? [], as: UTF8.self)
    }

    @Test("C18: GitHub's device login goes on, slows down, stops with a reason, or gives the token")
    func standard() throws {
        let profile = try #require(CredentialKind.copilot.profile)
        var login = try #require(DeviceLogin(profile, clientSecret: nil))
        #expect(login.start().url == "https://github.com/login/device/code")
        #expect(text(login.start()) == "{\"client_id\":\"Iv1.b507a08c87ecfe98\",\"scope\":\"read:user\"}")
        let code =
            "{\"device_code\":\"dc\",\"user_code\":\"AB-12\",\"verification_uri\":\"https://github.com/login/device\",\"interval\":5}"
        guard case .show(let url, let shown) = login.codeAnswered(answer(200, code), parser: parser) else {
            Issue.record("no code")
            return
        }
        #expect(url == "https://github.com/login/device" && shown == "AB-12")
        #expect(text(login.poll()).contains("\"device_code\":\"dc\""))
        guard
            case .wait = login.pollAnswered(
                answer(200, "{\"error\":\"authorization_pending\"}"), now: 0, parser: parser)
        else {
            Issue.record("does not wait")
            return
        }
        #expect(login.interval == 5)
        _ = login.pollAnswered(answer(200, "{\"error\":\"slow_down\"}"), now: 0, parser: parser)
        #expect(login.interval == 10)
        for (error, part) in [("expired_token", "expired"), ("access_denied", "refused")] {
            var other = login
            guard
                case .failed(let text) = other.pollAnswered(
                    answer(200, "{\"error\":\"\(error)\"}"), now: 0, parser: parser)
            else {
                Issue.record("goes on")
                return
            }
            #expect(text.contains(part))
        }
        guard
            case .secret(let token) = login.pollAnswered(
                answer(200, "{\"access_token\":\"gho_x\"}"), now: 0, parser: parser)
        else {
            Issue.record("no token")
            return
        }
        #expect(token == Secret("gho_x"))
    }

    @Test("OpenAI's device login waits on 403 and 404, then exchanges the code with the server's verifier")
    func openAI() throws {
        let profile = try #require(CredentialKind.codex.profile)
        var login = try #require(DeviceLogin(profile, clientSecret: nil))
        let code = "{\"device_auth_id\":\"da\",\"usercode\":\"ZZ\",\"interval\":\"3\"}"
        guard case .show(let url, let shown) = login.codeAnswered(answer(200, code), parser: parser) else {
            Issue.record("no code")
            return
        }
        #expect(url == "https://auth.openai.com/codex/device" && shown == "ZZ" && login.interval == 3)
        for status in [403, 404] {
            guard case .wait = login.pollAnswered(answer(status, ""), now: 0, parser: parser) else {
                Issue.record("does not wait on \(status)")
                return
            }
        }
        let granted = "{\"authorization_code\":\"ac\",\"code_challenge\":\"c\",\"code_verifier\":\"v\"}"
        guard case .send(let request) = login.pollAnswered(answer(200, granted), now: 0, parser: parser)
        else {
            Issue.record("no exchange")
            return
        }
        #expect(request.url == "https://auth.openai.com/oauth/token")
        #expect(
            text(request)
                == "grant_type=authorization_code&code=ac&redirect_uri=https%3A%2F%2Fauth.openai.com%2Fdeviceauth%2Fcallback"
                + "&client_id=app_EMoamEEZ73f0CkXaXp7hrann&code_verifier=v")
        let tokens = "{\"access_token\":\"at\",\"refresh_token\":\"rt\",\"id_token\":\"i\"}"
        guard case .granted(let grant) = login.pollAnswered(answer(200, tokens), now: 0, parser: parser)
        else {
            Issue.record("not granted")
            return
        }
        #expect(grant.refresh == Secret("rt"))
    }

    @Test("a login that fails names the address that failed")
    func failures() throws {
        let profile = try #require(CredentialKind.codex.profile)
        let device = try #require(profile.device)
        func text(_ step: DeviceLogin.Step) -> String {
            if case .failed(let text) = step { text } else { "" }
        }
        for bad in [answer(200, "<html>"), answer(404, ""), answer(500, "{}")] {
            var login = try #require(DeviceLogin(profile, clientSecret: nil))
            #expect(text(login.codeAnswered(bad, parser: parser)).hasPrefix(device.codeURL))
        }
        var login = try #require(DeviceLogin(profile, clientSecret: nil))
        _ = login.codeAnswered(answer(200, "{\"device_auth_id\":\"d\",\"user_code\":\"A\"}"), parser: parser)
        #expect(text(login.pollAnswered(answer(302, ""), now: 0, parser: parser)).hasPrefix(device.pollURL))
        let code = "{\"authorization_code\":\"ac\",\"code_verifier\":\"v\"}"
        _ = login.pollAnswered(answer(200, code), now: 0, parser: parser)
        #expect(
            text(login.pollAnswered(answer(200, "<html>"), now: 0, parser: parser))
                == "\(profile.tokenURL) gave no token: the answer is HTML")
    }

    @Test("a page that is not https is not shown")
    func badPage() throws {
        let profile = try #require(CredentialKind.copilot.profile)
        var login = try #require(DeviceLogin(profile, clientSecret: nil))
        let code = "{\"device_code\":\"dc\",\"user_code\":\"A\",\"verification_uri\":\"javascript:alert(1)\"}"
        guard case .failed = login.codeAnswered(answer(200, code), parser: parser) else {
            Issue.record("shown")
            return
        }
    }

    @Test(
        "what is wrong with another program's file is told apart",
        arguments: [
            ("", .empty), ("{\"tokens\":{\"acc", .noJSON), ("<html>", .noJSON), ("[]", .noJSON),
            ("{\"tokens\":{\"access_token\":\"a\"}}", .noSecret),
            ("{\"refresh_token\":\"r\",\"access_token\":\"e30.e30.\"}", .unsigned),
            ("{\"refresh_token\":\"r\",\"access_token\":\"a\",\"id_token\":\"e30.e30.\"}", .unsigned),
        ] as [(String, ImportError)])
    func badFiles(text: String, problem: ImportError) {
        #expect(throws: problem) {
            try ImportedFile(Array(text.utf8), kind: .codex, parser: parser)
        }
    }

    @Test("F1: when a token ends, the token itself says, then the file")
    func endOfToken() throws {
        func end(_ token: String) throws -> Int? {
            let text = "{\"refresh_token\":\"r\",\"access_token\":\"\(token)\",\"expires_at\":1800000000}"
            return try ImportedFile(Array(text.utf8), kind: .codex, parser: parser).expiresAt
        }
        #expect(try end("opaque") == 1_800_000_000)
        #expect(
            try end("e30." + Base64.encodeURL(Array("{\"exp\":1700000000}".utf8)) + ".s") == 1_700_000_000)
    }

    @Test(
        "times of other programs' files",
        arguments: [
            ("1700000000", 1_700_000_000), ("1700000000123", 1_700_000_000),
            ("\"1700000000123\"", 1_700_000_000),
            ("\"2023-11-14T22:13:20Z\"", 1_700_000_000), ("\"2023-11-14T23:13:20.5+01:00\"", 1_700_000_000),
            ("\"2023-13-14T22:13:20Z\"", nil), ("\"yesterday\"", nil), ("null", nil),
        ] as [(String, Int?)])
    func timestamps(text: String, seconds: Int?) throws {
        let value = try parser.parse(Array("[\(text)]".utf8))
        var found: Int?
        for element in value.elements { found = Timestamp.seconds(element) }
        #expect(found == seconds)
    }

    @Test(
        "a source of a secret is one of four, and a path is absolute",
        arguments: [
            ("vault", true), ("env:A", true), ("file:/etc/key", true), ("credential:a", true),
            ("file:key", false),
            ("credential:../a", false), ("env:", false), ("sk-secret", false), ("", false),
        ])
    func sources(text: String, isSource: Bool) {
        #expect(SecretSource(text)?.text == (isSource ? text : nil))
    }

    @Test("a credential's configuration survives the way to another process, and replaces what its kind says")
    func wire() throws {
        var spec = CredentialSpec(name: "n", provider: "p", kind: .oauth2, secret: .file("/k"))
        spec.clientSecret = .environment("S")
        spec.weight = 3
        spec.headers = ["x-a": "1"]
        spec.settings = [
            "token_url": "https://t.example", "scope": "a b", "body": "json",
            "device_url": "https://d.example",
        ]
        var writer = WireWriter()
        writer.put(spec)
        let copy = try writer.bytes.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            return try reader.get(CredentialSpec.self)
        }
        #expect(copy == spec)
        let profile = try #require(spec.profile)
        #expect(profile.tokenURL == "https://t.example" && profile.encoding == .json)
        #expect(
            profile.device?.codeURL == "https://d.example" && profile.device?.pollURL == "https://t.example")
    }

    @Test("a client authenticates in the body, or with the header that RFC 6749 describes")
    func clientAuthentication() throws {
        var profile = TokenProfile(grant: .clientCredentials, tokenURL: "https://t.example")
        profile.clientID = "a:b"
        profile.scope = "x y"
        let body = try #require(
            TokenRequest(profile, secret: Secret(""), clientSecret: Secret("s&"), settings: [:], now: 0))
        #expect(text(body) == "grant_type=client_credentials&scope=x%20y&client_id=a%3Ab&client_secret=s%26")
        let basic = try #require(
            TokenRequest(
                profile, secret: Secret(""), clientSecret: Secret("s&"), settings: ["client_auth": "basic"],
                now: 0))
        #expect(text(basic) == "grant_type=client_credentials&scope=x%20y")
        #expect(basic.headers.contains { $0.name == "Authorization" && $0.value == "Basic YSUzQWI6cyUyNg==" })
    }
}
