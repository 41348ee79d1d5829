// SPDX-License-Identifier: Apache-2.0
// Who a client says its end user is, in the forms that providers take: clients put more into it than providers allow.
// Source: OpenAI API reference (safety_identifier: at most 64 characters), Claude Code 2.1.329 (metadata.user_id: JSON with
// device_id, account_uuid and session_id; earlier "user_…_session_…"), 2026.

enum EndUser {
    /// A name of at most `maximum` bytes for the user that `userID` tells of, or nil when there is none that short.
    static func identifier(_ userID: String, maximum: Int = 64) -> String? {
        let name = member("device_id", of: userID) ?? prefix(of: userID, before: "_account_") ?? userID
        return !name.isEmpty && name.utf8.count <= maximum ? name : nil
    }

    /// The session that `userID` tells of, if it does.
    static func session(_ userID: String) -> String? {
        if let session = member("session_id", of: userID) { return session.isEmpty ? nil : session }
        guard let range = userID.firstRange(of: "_session_"), range.upperBound < userID.endIndex else {
            return nil
        }
        return String(userID[range.upperBound...])
    }

    /// A member without escapes of a small JSON object.
    private static func member(_ name: String, of json: String) -> String? {
        guard json.hasPrefix("{"), let key = json.firstRange(of: "\"\(name)\":\"") else { return nil }
        let value = json[key.upperBound...]
        return value.firstIndex(of: "\"").map { String(value[..<$0]) }
    }

    private static func prefix(of text: String, before needle: String) -> String? {
        text.firstRange(of: needle).map { String(text[..<$0.lowerBound]) }
    }
}
