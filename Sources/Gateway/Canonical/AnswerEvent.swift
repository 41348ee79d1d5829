// SPDX-License-Identifier: Apache-2.0
// An answer as a sequence of events that every dialect's stream and document is read into and written from. A document
// is the same sequence at once, so streaming and plain clients and providers meet in every combination.
// Source: streaming references of Anthropic (Messages), OpenAI (Chat Completions, Responses), Google, 2026.

/// One step of an answer.
///
/// A well-formed sequence: `started`; then parts one after the other, each begun, continued and ended before the next
/// begins (decoders hold back what arrives interleaved); `usage` at any place, the last one counts; then one of
/// `finished` and `failed`, after which nothing follows.
package enum AnswerEvent: Equatable, Sendable {
    /// The provider began. Its own id of the answer, or nil.
    case started(id: String?)

    case textBegan(phase: String?)
    case text(String)
    case textEnded

    case reasoningBegan(isSummary: Bool)
    case reasoning(String)
    /// A further summary or thought within the same reasoning item begins.
    case reasoningPartEnded
    /// `state` is what the provider wants back, if anything.
    case reasoningEnded(state: ReasoningState?)

    /// `arguments` of the call is empty; they follow.
    case callBegan(ToolCall)
    /// A piece of the arguments' text.
    case arguments(String)
    case callEnded

    /// The model refuses, in its own words; a piece of the text.
    case refusal(String)
    /// A source of the text before it: a citation or annotation.
    case citation(Citation)
    /// Something the provider did itself that only its own dialect can show (a web search, an image).
    case opaque(OpaquePart)

    /// Token counts so far; a later one replaces it.
    case usage(Usage)
    case finished(StopReason, stopSequence: String?)
    /// The provider reported an error inside its answer, or broke it off.
    case failed(GatewayError)
}

/// Where a statement comes from.
package struct Citation: Equatable, Sendable {
    package var url: String
    package var title: String?
    /// The cited words, if the provider gives them.
    package var text: String?

    package init(url: String, title: String? = nil, text: String? = nil) {
        self.url = url
        self.title = title
        self.text = text
    }
}

/// Why an answer ended.
package enum StopReason: UInt8, CaseIterable, Sendable {
    /// The model had said everything.
    case endTurn = 1
    /// One of the client's stop sequences was reached.
    case stopSequence = 2
    case maxTokens = 3
    /// The model waits for the results of its calls. An answer with a call ends so, whatever the provider says.
    case toolUse = 4
    /// The model refused.
    case refusal = 5
    /// The provider's filter cut the answer.
    case contentFilter = 6
    /// The provider paused a long turn and wants the conversation sent again.
    case pauseTurn = 7
    case contextWindowExceeded = 8
    /// The provider ended the answer after compacting the conversation.
    case compaction = 9
}
