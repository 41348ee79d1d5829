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
    /// Gemini generateContent.
    case gemini = 4

    /// The name used in configuration, logs and metrics.
    package var name: String {
        switch self {
        case .chat: "chat"
        case .responses: "responses"
        case .messages: "messages"
        case .gemini: "gemini"
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
    case generateContent = 9
    case streamGenerateContent = 10
    case geminiCountTokens = 11

    private struct Row {
        let path: String
        let dialect: Dialect
        let version: String

        init(path: String, dialect: Dialect) {
            self.path = path
            self.dialect = dialect
            version = "/v1"
        }

        /// A method of Gemini's models.
        init(gemini method: String) {
            path = "/models/\(Endpoint.modelPlaceholder):\(method)"
            dialect = .gemini
            version = "/v1beta"
        }
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
        case .generateContent: Row(gemini: "generateContent")
        case .streamGenerateContent: Row(gemini: "streamGenerateContent")
        case .geminiCountTokens: Row(gemini: "countTokens")
        }
    }

    /// What stands in `path` for the model's name.
    package static let modelPlaceholder = "{model}"

    /// The path below the version, with its leading slash; also what is appended to a provider's base URL.
    package var path: String { row.path }
    /// The model is named in the path and not in the body: `path` holds the placeholder.
    package var hasModelInPath: Bool { row.dialect == .gemini }
    /// What an upstream needs in the URL's query, without "?"; without it Gemini streams one JSON array.
    package var upstreamQuery: String { self == .streamGenerateContent ? "alt=sse" : "" }
    /// The dialect of requests, answers and errors on this path.
    package var dialect: Dialect { row.dialect }
    /// The path as clients call it.
    package var clientPath: String { Endpoint.clientPaths[Int(rawValue)] }

    /// By raw value; every line of the log has one.
    private static let clientPaths = [""] + allCases.map { $0.row.version + $0.row.path }
}
