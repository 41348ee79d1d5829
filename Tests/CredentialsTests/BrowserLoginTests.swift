// SPDX-License-Identifier: Apache-2.0
import Config
import JSON
import Testing

@testable import Credentials

@Suite("Login in a browser")
struct BrowserLoginTests {
    private static let random = [UInt8](repeating: 7, count: 32) + [UInt8](repeating: 9, count: 32)

    private func login() throws -> BrowserLogin {
        let profile = try #require(CredentialKind.codex.profile)
        return try #require(BrowserLogin(profile, clientSecret: nil, port: 1455, random: Self.random))
    }

    private var state: String { "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk" }

    @Test("the page's address names the client, the way back, the challenge of RFC 7636 and the state")
    func page() throws {
        let url = try login().pageURL
        #expect(url.hasPrefix("https://auth.openai.com/oauth/authorize?response_type=code&client_id=app_"))
        #expect(url.contains("redirect_uri=http%3A%2F%2Flocalhost%3A1455%2Fauth%2Fcallback&"))
        #expect(url.contains("code_challenge_method=S256") && url.contains("&state=\(state)"))
        #expect(url.contains("codex_cli_simplified_flow=true"))
        #expect(!url.contains("BwcHBwcH"), "the verifier stays here")
    }

    @Test(
        "only the redirect of this login counts",
        arguments: [
            ("/auth/callback", "code=abc&state=STATE", BrowserLogin.Return.code("abc")),
            ("/auth/callback", "state=STATE&code=a%2Bb", .code("a+b")),
            ("/auth/callback", "code=abc&state=other", .unknown),
            ("/auth/callback", "code=abc", .unknown),
            ("/auth/callback", "state=STATE", .unknown),
            ("/auth/callback", "code=%2&state=STATE", .unknown),
            ("/auth/callback", "code=a%0Ab&state=STATE", .unknown),
            ("/favicon.ico", "code=abc&state=STATE", .unknown),
            ("/auth/callback", "error=access_denied&state=STATE", .refused("the login was refused")),
            ("/auth/callback", "error=strange&state=STATE", .refused("the service refuses the login")),
            (
                "/auth/callback",
                "error=access_denied&error_description=missing_codex_entitlement+x&state=STATE",
                .refused("the account has no access to Codex")
            ),
            ("/auth/callback", "error=access_denied&state=other", .unknown),
        ])
    func back(_ path: String, _ query: String, _ wanted: BrowserLogin.Return) throws {
        #expect(try login().returned(path: path, query: query.replacing("STATE", with: state)) == wanted)
    }

    @Test("the code is exchanged with the verifier and the same way back")
    func exchange() throws {
        let request = try login().exchange("abc")
        let body = String(decoding: try #require(request.body), as: UTF8.self)
        #expect(body.contains("grant_type=authorization_code&code=abc&"))
        #expect(body.contains("code_verifier=BwcHBwcH"))
        #expect(request.url == "https://auth.openai.com/oauth/token")
    }

    @Test("a kind without a page has no such login")
    func none() throws {
        let profile = try #require(CredentialKind.copilot.profile)
        #expect(BrowserLogin(profile, clientSecret: nil, port: 1) == nil)
    }
}

@Suite("Tokens that are handed over")
struct StoredTokensTests {
    @Test(
        "an access token is needed, everything else may be missing",
        arguments: [
            (#"{"accessToken":"a","refreshToken":"r","expiresAt":1800000000000,"userID":"u"}"#, ""),
            (#"{"accessToken":"a"}"#, ""),
            (#"{"refreshToken":"r"}"#, "accessToken is missing or not usable"),
            (#"{"accessToken":"a b"}"#, "accessToken is missing or not usable"),
            (#"{"accessToken":"a","refreshToken":7}"#, "refreshToken is not usable"),
            (#"{"accessToken":"a","expiresAt":"soon"}"#, "expiresAt is no point in time"),
            (#"{"accessToken":"e30.e30."}"#, "accessToken is not signed"),
            ("[]", "the body is no JSON object"),
        ])
    func form(_ text: String, _ fault: String) {
        do throws(StoredTokens.Fault) {
            let tokens = try StoredTokens(Array(text.utf8), parser: JSONParser())
            #expect(fault.isEmpty && tokens.access == Secret("a"))
            if tokens.refresh != nil {
                #expect(tokens.expiresAt == 1_800_000_000 && tokens.accountID == "u")
            }
        } catch {
            #expect(error.message == fault)
        }
    }
}
