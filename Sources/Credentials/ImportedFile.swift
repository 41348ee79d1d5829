// SPDX-License-Identifier: Apache-2.0
// The credential files of other programs, read into one form. The file itself is never changed.
// Source: the programs' own readers, November 2026: Codex, codex-proxy, CLIProxyAPI, litellm, codex-code-router.

package import Config
package import JSON

/// What a file holds.
package struct ImportedFile: Equatable, Sendable {
    /// The long-lived secret: refresh token, GitHub token, key file or key.
    package var secret: Secret
    package var accountID: String?
    /// The short-lived token, if there is one.
    package var access: Secret?
    /// Its end in seconds since 1970.
    package var expiresAt: Int?
    /// Header fields that belong to the account.
    package var headers: [String: String] = [:]

    /// - Parameter follows: the file stays the other program's: its short-lived token is what counts.
    /// - Throws: what is wrong with the file, without a word of its content.
    package init(_ bytes: [UInt8], kind: CredentialKind, follows: Bool = false, parser: JSONParser)
        throws(ImportError)
    {
        switch kind {
        case .staticKey, .command: self = try Self.line(bytes)
        case .awsSigV4:
            guard SigningKeys(bytes, parser: parser) != nil else { throw .noSecret }
            self.init(secret: Secret(bytes: bytes))
        case .googleServiceAccount:
            guard ServiceAccount(bytes) != nil else { throw .noKeyFile }
            self.init(secret: Secret(bytes: bytes))
        case .copilot: self = try Self.gitHub(bytes, parser)
        default: self = try Self.tokens(bytes, follows: follows, parser)
        }
    }

    private init(secret: Secret) {
        self.secret = secret
    }

    /// One line of text, and nothing but it.
    private static func line(_ bytes: [UInt8]) throws(ImportError) -> ImportedFile {
        guard let line = KeyText.line(bytes) else { throw .noKey }
        return ImportedFile(secret: line)
    }

    /// {githubToken, copilotToken, endpoint, expiresAt}, or a bare token.
    private static func gitHub(_ bytes: [UInt8], _ parser: JSONParser) throws(ImportError) -> ImportedFile {
        guard let root = parser.object(bytes) else { return try line(bytes) }
        let token = root.member("githubToken")?.string ?? root.member("oauth_token")?.string
        guard let token, TokenAnswer.isUsable(token) else { throw .noSecret }
        return ImportedFile(secret: Secret(token))
    }

    /// {tokens: {…}} of Codex and codex-proxy, or the same members at the top.
    private static func tokens(_ bytes: [UInt8], follows: Bool, _ parser: JSONParser) throws(ImportError)
        -> ImportedFile
    {
        guard let root = parser.object(bytes) else { throw bytes.isEmpty ? .empty : .noJSON }
        let tokens = root.member("tokens") ?? root
        func text(_ name: StaticString, _ other: StaticString) -> String? {
            let found = tokens.member(name)?.string ?? tokens.member(other)?.string
            return found.flatMap { $0.isEmpty ? nil : $0 }
        }
        let refresh = text("refresh_token", "refreshToken") ?? ""
        let access = text("access_token", "accessToken")
        guard TokenAnswer.isUsable(follows ? access ?? "" : refresh) else { throw .noSecret }
        let identity = text("id_token", "idToken")
        let account = text("account_id", "userID")
        let written =
            tokens.member("expiresAt") ?? tokens.member("expires_at") ?? tokens.member("expired")
            ?? tokens.member("expiry_date")
        let end = written.flatMap { Timestamp.seconds($0) }
        var file = ImportedFile(secret: Secret(refresh))
        // The token's own claim wins over what the file says.
        let claims = access.flatMap { WebToken(Array($0.utf8), parser: parser) }
        let accountClaims =
            claims?.accountID == nil
            ? identity.flatMap { WebToken(Array($0.utf8), parser: parser) } : claims
        file.accountID = account ?? accountClaims?.accountID
        guard claims?.isSigned ?? true, accountClaims?.isSigned ?? true else { throw .unsigned }
        if accountClaims?.isFedRAMP == true { file.headers["X-OpenAI-Fedramp"] = "true" }
        if let access, TokenAnswer.isUsable(access) {
            file.access = Secret(access)
            file.expiresAt = claims?.expiresAt ?? end
        }
        return file
    }
}

/// What is wrong with a file; the text goes on behind its name.
package enum ImportError: Error, Equatable, CustomStringConvertible {
    case empty
    case noJSON
    case noSecret
    case unsigned
    case noKey
    case noKeyFile

    /// The program that writes the file may be in the middle of it.
    package var mayBeHalfWritten: Bool { self == .empty || self == .noJSON }

    package var description: String {
        switch self {
        case .empty:
            "is empty: the program that writes it may be in the middle of it; try again, or log in there"
        case .noJSON:
            "is no JSON object: half written, damaged, or not a login at all; log in where it is written"
        case .noSecret: "holds no usable token; log in where it is written"
        case .unsigned:
            "holds a token without a signature, which no service gives out; log in where it is written"
        case .noKey: "does not hold one line with a key: no blanks, no second line, only ASCII"
        case .noKeyFile: "is no key file of a service account, or its key is shorter than 2048 bits"
        }
    }
}

/// Keys as people and files write them.
package enum KeyText {
    private static let maximumBytes = 8 << 10

    /// The key without the one line end that may follow it; nil for nothing, inner line ends, blanks and anything
    /// that cannot travel in a header.
    package static func line(_ bytes: [UInt8]) -> Secret? {
        var key = bytes[...]
        if key.last == 0x0A { key.removeLast() }
        if key.last == 0x0D { key.removeLast() }
        guard !key.isEmpty, key.count <= maximumBytes, key.allSatisfy({ 0x21...0x7E ~= $0 }) else {
            return nil
        }
        return Secret(bytes: Array(key))
    }
}
