// SPDX-License-Identifier: Apache-2.0
// An answer that went wrong although the upstream said 200, and any error object of a provider.
// Source: OpenAI, Anthropic, Google and OpenRouter API references (error codes, streaming errors), read 2026-08.

package import Gateway
import JSON

/// What the upstream reported inside its answer, or that it broke off.
package struct StreamFailure: Error, Equatable, Sendable {
    package enum Origin: Equatable, Sendable {
        /// The upstream's own bytes tell the error; a client that got them knows.
        case reported
        /// The answer ended, or was given up, without a word about it.
        case truncated
    }

    /// The longest message in bytes.
    package static let maximumMessageBytes = 500
    static let wordless = "the provider reported an error without a message"

    package let origin: Origin
    package let kind: ErrorKind
    /// The upstream's wording without what looks like a key, about `maximumMessageBytes` of UTF-8 at most.
    package let message: String
    /// What it means for what comes next.
    package let report: FailureReport

    /// A failure that has no wording of the upstream's.
    init(_ origin: Origin, _ message: String) {
        self.origin = origin
        kind = .upstreamUnreachable
        self.message = message
        report = FailureReport(.server)
    }

    /// Reads an error as the providers write it.
    ///
    /// - Parameters:
    ///   - error: the object with code, type and message, or just a text.
    ///   - outer: what holds it; some providers put the code or the message there.
    ///   - status: the HTTP status, or 0 inside an answer that began well.
    ///   - nowUnix: seconds since 1970, if the caller knows.
    init(error: JSONValue?, in outer: JSONValue, status: Int = 0, nowUnix: Int? = nil) {
        let sources = [error, outer].compactMap { $0 }
        let base =
            status == 0
            ? FailureMeaning("", .server) : FailureTable.meaning(ofStatus: status)
        let said = Self.message(error, sources) ?? ""
        origin = .reported
        message = said.isEmpty ? Self.wordless : said
        var meaning = base
        // A code that says no more than its status does not replace it.
        if let row = Self.row(sources), status == 0 || !Self.general.contains(row.sign) { meaning = row }
        meaning = Self.refined(meaning, by: said)
        var parameter = meaning.class == .parameter ? FailureHints.parameter(sources, message: said) : ""
        if meaning.class == .parameter, parameter.isEmpty { meaning = FailureMeaning("", .client) }
        if meaning.class == .client, meaning.kind == .invalidRequest, let capability = Self.capability(said) {
            meaning = FailureMeaning("", .capability)
            parameter = capability
        }
        kind = meaning.kind
        report = FailureReport(
            meaning.class, status: status,
            retryAfterMsec: FailureHints.retryAfterMsec(sources, message: said, nowUnix: nowUnix),
            parameter: parameter)
    }

    /// Codes that repeat what a status says.
    private static let general = [
        "invalid_request_error", "INVALID_ARGUMENT", "server_error", "api_error", "INTERNAL",
    ]

    private static func row(_ sources: [JSONValue]) -> FailureMeaning? {
        if let row = sources.compactMap({ detail($0) }).first { return row }
        for name in ["code", "type", "status", "__type"] as [StaticString] {
            for source in sources {
                guard let value = source.member(name) else { continue }
                if let row = row(value) { return row }
                // Some providers write the HTTP status that they would have sent.
                if let status = value.int, (400...599).contains(status) {
                    return FailureTable.meaning(ofStatus: status)
                }
            }
        }
        return nil
    }

    private static func row(_ value: JSONValue?) -> FailureMeaning? {
        guard let text = value?.string else { return nil }
        return FailureTable.codes.first { $0.sign == text }
    }

    /// Anthropic's `details.error_code` and the `reason` of Google's ErrorInfo say more than the type beside them.
    private static func detail(_ source: JSONValue) -> FailureMeaning? {
        guard let details = source.member("details") else { return nil }
        if let row = row(details.member("error_code")) { return row }
        for detail in details.elements {
            if let row = row(detail.member("reason")) { return row }
            guard let violations = detail.member("violations") else { continue }
            for violation in violations.elements {
                let meaning = refined(
                    FailureMeaning("", .rate), by: violation.member("quotaId")?.string ?? "")
                if meaning.class != .rate { return meaning }
            }
        }
        return nil
    }

    /// What the provider cannot take, in Claude Code's words.
    private static func capability(_ message: String) -> String? {
        let text = message.lowercased()
        return FailureTable.capabilities.first { text.contains($0.sign) }?.capability
    }

    /// What the wording adds.
    private static func refined(_ meaning: FailureMeaning, by message: String) -> FailureMeaning {
        guard meaning.class == .client || meaning.class == .rate, !message.isEmpty else { return meaning }
        if meaning.kind == .invalidRequest, ContextOverflow.isTold(by: message) {
            return FailureMeaning("", .context)
        }
        let text = message.lowercased()
        return FailureTable.wordings.first { $0.within == meaning.class && text.contains($0.meaning.sign) }?
            .meaning ?? meaning
    }

    private static func message(_ error: JSONValue?, _ sources: [JSONValue]) -> String? {
        let texts = [error?.stringBytes] + sources.map { $0.member("message")?.stringBytes }
        guard let text = texts.compactMap({ $0 }).first(where: { !$0.isEmpty }) else { return nil }
        var end = min(text.count, maximumMessageBytes)
        // Never cut inside a character: bytes 10xxxxxx continue one.
        while end < text.count, end > 0, text[end] & 0xC0 == 0x80 { end -= 1 }
        return Redaction.quote(String(decoding: text[..<end], as: UTF8.self))
    }
}
