// SPDX-License-Identifier: Apache-2.0
// A request as every dialect can be read into and written from: the one form between the dialects. It is a superset
// of Messages and Responses, so that neither loses what the other could carry.
// Source: API references of Anthropic (Messages), OpenAI (Chat Completions, Responses), Google (generateContent), 2026.

/// A request for an answer of a model, independent of the dialect it came in.
///
/// Only what a dialect can express is set: nil and empty mean that the client said nothing about it, and the
/// target's default applies. Values are not checked against any provider's ranges; encoders clamp or drop.
package struct CanonicalRequest: Equatable, Sendable {
    /// The dialect the client wrote it in.
    package var dialect: Dialect
    /// The model's name as the provider knows it.
    package var model: String
    /// The client wants a stream of events.
    package var streaming: Bool
    /// A Chat client asked for the chunk with usage (`stream_options.include_usage`).
    package var wantsStreamUsage = false

    /// What stands before the conversation: Messages `system`, Responses `instructions`, leading system or developer
    /// messages of Chat. Texts, as a rule; in the order of the request.
    package var system: [Part] = []
    /// The conversation in order. Turns of one role may follow each other; encoders join or part them.
    package var turns: [Turn] = []

    /// In the order of the request, which providers' prompt caches depend on.
    package var tools: [Tool] = []
    package var toolChoice: ToolChoice?
    /// False: at most one call in an answer.
    package var allowsParallelCalls: Bool?

    package var reasoning = ReasoningRequest()
    /// The effort is an operator's and not the client's, so that every provider is told it in its own form.
    package var effortIsGiven = false
    package var outputFormat: OutputFormat?
    package var sampling = Sampling()

    /// "low", "medium", "high": how long the text should be.
    package var verbosity: String?
    package var serviceTier: String?
    /// Who the client says its end user is (`metadata.user_id`, `safety_identifier`, `user`).
    package var userID: String?
    /// What requests of one session share (`prompt_cache_key`).
    package var cacheKey: String?
    /// Free metadata, an object.
    package var metadata: JSONText?

    /// Members of the top level that the canonical form has no place for, in order, as they were written.
    /// Written again to the same dialect only, else dropped and counted.
    package var extra: [ExtraMember] = []

    /// The client wants no answer but a summary to go on from (Responses `compaction_trigger`, the last turn).
    package var compacts = false
    /// What the client is told by a provider of another dialect: something in the request can be read or done only by
    /// one of its own, and the conversation means something else without it. Nil: nothing of that kind is there.
    package var foreignRefusal: GatewayError?

    /// How long the body was that it was read from: about as long as another will be. 0: not known.
    package var sourceBytes = 0

    package init(dialect: Dialect, model: String, streaming: Bool) {
        self.dialect = dialect
        self.model = model
        self.streaming = streaming
    }

    /// Memory for a body that is written from this request.
    package var expectedBytes: Int { sourceBytes + sourceBytes / 16 + 1_024 }

    /// The effort that is in force: what the latest turn says about it, else the request.
    package var effort: String? {
        turns.last { $0.effort != nil }?.effort ?? reasoning.effort
    }
}

/// How answers are drawn. Nil: not said.
package struct Sampling: Equatable, Sendable {
    /// Output tokens at most, reasoning included.
    package var maxTokens: Int?
    package var temperature: Double?
    package var topP: Double?
    package var topK: Int?
    package var stop: [String] = []
    package var seed: Int?
    package var presencePenalty: Double?
    package var frequencyPenalty: Double?

    package init() {}
}

/// How much the model should think, and what of it the client wants to see.
package struct ReasoningRequest: Equatable, Sendable {
    package enum Mode: Equatable, Sendable {
        /// The client switched it off.
        case off
        /// The model decides (`adaptive`), guided by the effort.
        case adaptive
        /// Up to so many tokens.
        case budget(Int)
    }

    /// How the thoughts are to be shown.
    package enum Display: String, Sendable {
        case omitted
        case summarized
        case updates
    }

    /// Nil: not said.
    package var mode: Mode?
    /// "none", "minimal", "low", "medium", "high", "xhigh", "max" or whatever the client wrote.
    package var effort: String?
    package var display: Display?
    /// What the client wrote about summaries of Responses (`auto`, `concise`, `detailed`).
    package var summary: String?

    package init(mode: Mode? = nil, effort: String? = nil, display: Display? = nil, summary: String? = nil) {
        self.mode = mode
        self.effort = effort
        self.display = display
        self.summary = summary
    }
}

/// The form that the answer's text must have.
package enum OutputFormat: Equatable, Sendable {
    /// Any JSON object.
    case jsonObject
    /// JSON that fits a schema.
    case jsonSchema(name: String?, schema: JSONText, strict: Bool?)
}
