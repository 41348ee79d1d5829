// SPDX-License-Identifier: Apache-2.0
// How long a credential is at its limit, where only the body of the answer says so.
// Source: the ChatGPT backend's error "usage_limit_reached" as the Codex command line reads it, November 2026.

import JSON

enum UsageLimit {
    /// More of an answer is not looked at.
    static let maximumBytes = 16 << 10
    /// A credential rests for at most this long before its provider is asked again.
    static let longestSeconds = 86_400

    /// Seconds until the limit ends: error.resets_in_seconds, else error.resets_at (seconds since 1970); nil when the
    /// body says nothing of it.
    static func seconds(_ body: [UInt8], nowUnix: Int, parser: JSONParser) -> Int? {
        guard let root = try? parser.parse(body), root.isObject, let error = root.member("error") else {
            return nil  // a limit without a word about its end
        }
        let left =
            error.member("resets_in_seconds")?.int ?? error.member("resets_at")?.int.map { $0 - nowUnix }
        return left.map { max(1, $0) }
    }
}
