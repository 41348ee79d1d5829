// SPDX-License-Identifier: Apache-2.0
// The dialects clients and providers speak, and the paths that belong to them.

/// A wire format family; decides request shape, stream events and error bodies.
package enum Dialect: UInt8, CaseIterable, Sendable {
    /// OpenAI Chat Completions and its relatives (completions, embeddings, images).
    case chat = 1
    /// OpenAI Responses.
    case responses = 2
    /// Anthropic Messages.
    case messages = 3

    /// The name used in configuration, logs and metrics.
    package var name: String {
        switch self {
        case .chat: "chat"
        case .responses: "responses"
        case .messages: "messages"
        }
    }
}

/// A path that a worker answers.
package enum Endpoint: UInt8, CaseIterable, Sendable {
    case chatCompletions = 1
    case responses = 2
    case responsesCompact = 3
    case messages = 4
    case countTokens = 5
    case completions = 6
    case embeddings = 7
    case images = 8

    private struct Row {
        let path: String
        let dialect: Dialect
    }

    private var row: Row {
        switch self {
        case .chatCompletions: Row(path: "/chat/completions", dialect: .chat)
        case .responses: Row(path: "/responses", dialect: .responses)
        case .responsesCompact: Row(path: "/responses/compact", dialect: .responses)
        case .messages: Row(path: "/messages", dialect: .messages)
        case .countTokens: Row(path: "/messages/count_tokens", dialect: .messages)
        case .completions: Row(path: "/completions", dialect: .chat)
        case .embeddings: Row(path: "/embeddings", dialect: .chat)
        case .images: Row(path: "/images/generations", dialect: .chat)
        }
    }

    /// The path below "/v1", with its leading slash; also what is appended to a provider's base URL.
    package var path: String { row.path }
    /// The dialect of requests, answers and errors on this path.
    package var dialect: Dialect { row.dialect }
    /// The path as clients call it.
    package var clientPath: String { "/v1" + row.path }
}
