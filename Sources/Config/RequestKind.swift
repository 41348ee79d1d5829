// SPDX-License-Identifier: Apache-2.0
// The kinds of work that requests of agents ask for, each of which may have a route of its own.

/// What a request is for.
package enum RequestKind: UInt8, CaseIterable, Sendable {
    /// A turn of the conversation that its user sees.
    case main = 0
    /// Titles, summaries and other chores beside the conversation.
    case background = 1
    /// A turn that asks the model to think hard.
    case think = 2
    /// More input tokens than the threshold.
    case longContext = 3
    /// A search in the web, by a hosted tool or a tag in the prompt.
    case webSearch = 4
    /// The conversation holds an image.
    case image = 5
    /// A turn of an agent that another agent has started.
    case subagent = 6
    /// The conversation is to be cut down to a summary.
    case compact = 7

    /// The key of its route in Router and Frontend, and its label in headers and metrics.
    package var name: String {
        switch self {
        case .main: "main"
        case .background: "background"
        case .think: "think"
        case .longContext: "longContext"
        case .webSearch: "webSearch"
        case .image: "image"
        case .subagent: "subagent"
        case .compact: "compact"
        }
    }

    /// The kinds with a route of their own, in the order of the manual.
    package static let routed: [RequestKind] = [
        .background, .think, .longContext, .webSearch, .image, .subagent, .compact,
    ]
}
