// SPDX-License-Identifier: Apache-2.0
// Judges what a program printed that is to print a token.
// Source: credential_process of the AWS SDKs; executables of Google's client libraries ("executable-sourced
// credentials"); sysexits.h for 75 (EX_TEMPFAIL) and 77 (EX_NOPERM).

import Config
package import IPC
package import JSON

/// How such a program prints.
package enum HelperFormat: String, CaseIterable, Sendable {
    /// The token on the first line.
    case raw
    /// {access_token or token, expires_in | expires_at | expiry, token_type?}.
    case json
    /// {AccessKeyId, SecretAccessKey, SessionToken?, Expiration?}.
    case aws
    /// {success, token_type, id_token | saml_response | access_token, expiration_time, code, message}.
    case google
}

/// What came of one run.
package struct HelperAnswer: Equatable, Sendable, WireCodable {
    package enum Ending: UInt8, CaseIterable, Sendable {
        case exited = 1
        case killed = 2
        /// It was ended for its time.
        case timedOut = 3
        /// It could not be started, or should not be: `status` is an errno.
        case notStarted = 4
    }

    package var ending: Ending
    /// Exit status, signal or errno.
    package var status: Int32
    /// At most `maximumBytes` of the standard output.
    package var output: [UInt8]
    /// More was printed.
    package var isOversized: Bool
    /// Why it was not started, for people.
    package var reason: String
    /// The last bytes of the error output; may hold anything.
    package var errors: [UInt8]

    package static let maximumBytes = 64 << 10
    package static let maximumErrorBytes = 2 << 10

    package init(
        _ ending: Ending, status: Int32, output: [UInt8] = [], isOversized: Bool = false,
        reason: String = "", errors: [UInt8] = []
    ) {
        self.errors = errors
        self.ending = ending
        self.status = status
        self.output = output
        self.isOversized = isOversized
        self.reason = reason
    }

    /// - Parameters:
    ///   - defaultLifetime: seconds, for programs that do not say; nil means without an end.
    ///   - now: seconds since 1970.
    package func outcome(_ format: HelperFormat, defaultLifetime: Int?, now: Int, parser: JSONParser)
        -> TokenOutcome
    {
        switch ending {
        case .timedOut: return .transient("the program did not end in time", retryAfter: nil)
        case .killed: return .transient("the program was ended by signal \(status)", retryAfter: nil)
        case .notStarted: return .configError(reason)
        case .exited: break
        }
        switch status {
        case 0: break
        case 75: return .transient("the program asks to be run again later", retryAfter: nil)
        case 77: return .permanent(.expired)
        default: return .transient("the program exited with status \(status)", retryAfter: nil)
        }
        if isOversized {
            return .protocolError("the program printed more than \(Self.maximumBytes >> 10) KiB")
        }
        guard !output.isEmpty else { return .protocolError("the program printed nothing") }
        switch format {
        case .raw: return raw(defaultLifetime)
        case .json: return json(defaultLifetime, now, parser)
        case .aws: return aws(now, parser)
        case .google: return google(now, parser)
        }
    }

    private func raw(_ lifetime: Int?) -> TokenOutcome {
        let line = output.prefix { $0 != 0x0A && $0 != 0x0D }
        let token = String(decoding: line, as: UTF8.self)
        guard TokenAnswer.isUsable(token) else {
            return .protocolError("the first line that the program printed is no token")
        }
        return .granted(TokenGrant(token: Secret(token), lifetime: lifetime))
    }

    private func json(_ lifetime: Int?, _ now: Int, _ parser: JSONParser) -> TokenOutcome {
        guard let root = parser.object(output) else {
            return .protocolError("the program printed no JSON object")
        }
        if let type = root.member("token_type")?.string, type.lowercased() != "bearer" {
            return .protocolError("the token is of another type than Bearer")
        }
        var seconds = lifetime
        if let left = root.member("expires_in") {
            guard let left = TokenAnswer.number(left), left > 0 else {
                return .protocolError("expires_in is no positive number")
            }
            seconds = left
        } else if let end = root.member("expires_at") ?? root.member("expiry") {
            guard let end = Timestamp.seconds(end) else {
                return .protocolError("the end of the token is no point in time")
            }
            seconds = end - now
        }
        return grant(root.member("access_token") ?? root.member("token"), seconds)
    }

    private func grant(_ token: JSONValue?, _ lifetime: Int?) -> TokenOutcome {
        guard let text = token?.string, TokenAnswer.isUsable(text) else {
            return .protocolError("what the program printed has no usable token")
        }
        if let lifetime, lifetime <= 0 { return .protocolError("the token has expired already") }
        return .granted(
            TokenGrant(token: Secret(text), lifetime: lifetime.map { min($0, TokenAnswer.maximumLifetime) }))
    }

    private func aws(_ now: Int, _ parser: JSONParser) -> TokenOutcome {
        guard let keys = SigningKeys(output, parser: parser) else {
            return .protocolError("the program printed no AWS keys")
        }
        let lifetime = keys.expiresAt.map { $0 - now }
        if let lifetime, lifetime <= 0 { return .protocolError("the keys have expired already") }
        return .granted(
            TokenGrant(
                token: Secret(""), lifetime: lifetime.map { min($0, TokenAnswer.maximumLifetime) }, keys: keys
            ))
    }

    private func google(_ now: Int, _ parser: JSONParser) -> TokenOutcome {
        guard let root = parser.object(output) else {
            return .protocolError("the program printed no JSON object")
        }
        guard root.member("success")?.bool == true else {
            return .transient("the program reports a failure", retryAfter: nil)
        }
        let end = root.member("expiration_time").flatMap { Timestamp.seconds($0) }
        return grant(
            root.member("access_token") ?? root.member("id_token") ?? root.member("saml_response"),
            end.map { $0 - now })
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(ending.rawValue)
        writer.put(status)
        writer.put(output)
        writer.put(isOversized)
        writer.put(reason)
        writer.put(errors)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        ending = try reader.getCase()
        status = try reader.get()
        output = try reader.getArray()
        isOversized = try reader.getBool()
        reason = try reader.getString()
        errors = try reader.getArray()
    }
}

/// One program as the helper process may start it.
package struct HelperCommand: Equatable, Sendable, WireCodable {
    /// The absolute path and the arguments.
    package var words: [String]
    /// "NAME=value".
    package var environment: [String]
    package var timeoutMsec: UInt32

    package init(words: [String], environment: [String], timeoutMsec: UInt32) {
        self.words = words
        self.environment = environment
        self.timeoutMsec = timeoutMsec
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(list: words) { $0.put($1) }
        writer.put(list: environment) { $0.put($1) }
        writer.put(timeoutMsec)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        words = try reader.getList { (reader) throws(WireError) in try reader.getString() }
        environment = try reader.getList { (reader) throws(WireError) in try reader.getString() }
        timeoutMsec = try reader.get()
    }
}
