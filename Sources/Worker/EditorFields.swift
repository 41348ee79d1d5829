// SPDX-License-Identifier: Apache-2.0
// Header fields that say who began a request and what is in it, for services that editors speak to.
// Source: microsoft/vscode-copilot-chat and litellm 1.109.1: X-Initiator, Copilot-Vision-Request, X-Request-Id.

import Gateway
import JSON

enum EditorFields {
    /// Adds the fields that the client has not sent. A request is an agent's when the conversation holds an answer or the result of a tool already.
    static func append(to fields: inout HeaderBlock, body: [UInt8], requestID: String, parser: JSONParser) {
        var isAgents = false
        var hasImage = false
        body.withUnsafeBytes { text in
            // Front has parsed it before; of what is no object nothing is known.
            guard let root = try? parser.parse(text), root.isObject else { return }
            let turns = root.member("messages") ?? root.member("input")
            guard let turns, turns.isArray else { return }
            turns.forEachElement { turn in
                guard turn.isObject else { return }
                if let role = turn.member("role") {
                    isAgents = isAgents || role.isString("assistant") || role.isString("tool")
                } else if let type = turn.member("type"), !type.isString("message") {
                    isAgents = true
                }
                guard let content = turn.member("content"), content.isArray else { return }
                content.forEachElement { part in
                    guard part.isObject, let type = part.member("type") else { return }
                    isAgents = isAgents || type.isString("tool_result")
                    hasImage =
                        hasImage || type.isString("image_url") || type.isString("input_image")
                        || type.isString("image")
                }
            }
        }
        // An editor that is the client says these itself.
        if !fields.contains("x-request-id") { fields.append("X-Request-Id", requestID) }
        if !fields.contains("x-initiator") { fields.append("X-Initiator", isAgents ? "agent" : "user") }
        if hasImage, !fields.contains("copilot-vision-request") {
            fields.append("Copilot-Vision-Request", "true")
        }
    }
}
