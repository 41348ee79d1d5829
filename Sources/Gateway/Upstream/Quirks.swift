// SPDX-License-Identifier: Apache-2.0
// Peculiarities of providers that are either there or not. Each has a name for configurations and one exact meaning;
// which provider has which is data in Providers.
// Source: API references and client libraries of the providers named in Providers/, read 2026-11-21.

package import IPC

/// A set of peculiarities of one upstream. Without any, it takes everything that its dialect's first vendor takes.
package struct Quirks: OptionSet, Hashable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    private init(bit: UInt64) {
        self.init(rawValue: 1 << bit)
    }

    // Conversation

    /// Chat: adjacent messages of one role are refused, so they are joined.
    package static let strictAlternation = Quirks(bit: 0)
    /// Chat: the content of a text-only message must be a string and no list of parts.
    package static let stringContent = Quirks(bit: 1)
    /// Chat: members that are null are refused; they are left out, and missing content becomes "".
    package static let noNulls = Quirks(bit: 2)
    /// No images in messages.
    package static let noImages = Quirks(bit: 3)
    /// No images in results of tools; they follow in a user message. Chat never takes them.
    package static let noResultImages = Quirks(bit: 4)
    /// No documents (PDF and other files) in messages.
    package static let noDocuments = Quirks(bit: 5)
    /// Images must be sent as data: the provider does not fetch URLs.
    package static let noImageURLs = Quirks(bit: 6)
    /// Messages: a role "system" among the messages is understood.
    package static let midSystem = Quirks(bit: 7)
    /// The last turn must not be the assistant's.
    package static let noPrefill = Quirks(bit: 8)
    /// `cache_control` on parts is understood, or at least ignored.
    package static let cacheControl = Quirks(bit: 9)
    /// `prompt_cache_key` is understood.
    package static let cacheKey = Quirks(bit: 10)

    // Tools

    /// `strict` in tools is refused; it is left out.
    package static let noStrict = Quirks(bit: 11)
    /// `parallel_tool_calls` is refused; it is left out.
    package static let noParallelToolCalls = Quirks(bit: 12)
    /// Tools other than functions (custom, hosted, namespaces) are refused.
    package static let functionToolsOnly = Quirks(bit: 13)
    /// The provider searches the web by its dialect's hosted tool.
    package static let webSearch = Quirks(bit: 14)
    /// Functions and an output format do not go together.
    package static let noFormatWithTools = Quirks(bit: 15)
    /// Gemini: `id` of calls and responses is understood.
    package static let callIDs = Quirks(bit: 16)

    // Parameters

    /// Chat: `stream_options` is refused; usage comes without it or not at all.
    package static let noStreamOptions = Quirks(bit: 17)
    package static let noTemperature = Quirks(bit: 18)
    package static let noTopP = Quirks(bit: 19)
    /// `top_k` is understood beyond Messages and Gemini, which always have it.
    package static let topK = Quirks(bit: 20)
    package static let noStop = Quirks(bit: 21)
    /// `presence_penalty` and `frequency_penalty` are refused.
    package static let noPenalties = Quirks(bit: 22)
    package static let noSeed = Quirks(bit: 23)
    /// `seed` is called `random_seed`.
    package static let randomSeed = Quirks(bit: 24)
    /// `user`, `safety_identifier` and `metadata` are refused.
    package static let noMetadata = Quirks(bit: 25)
    package static let noServiceTier = Quirks(bit: 26)
    package static let noVerbosity = Quirks(bit: 27)
    /// The limit of output tokens cannot be set.
    package static let noMaxTokens = Quirks(bit: 28)

    // Answers

    /// The count of input tokens does not include those read from the cache.
    package static let usageExcludesCached = Quirks(bit: 29)
    /// The count of output tokens does not include reasoning.
    package static let usageExcludesReasoning = Quirks(bit: 30)
    /// Only streams are offered: a client that wants a document gets it folded from one.
    package static let streamOnly = Quirks(bit: 31)
    /// No streams are offered: a client that wants one gets the document as events.
    package static let documentOnly = Quirks(bit: 32)
    /// Responses: events of one item carry differing ids; the first one counts.
    package static let unstableItemIDs = Quirks(bit: 33)
    /// Responses: `output` of the last event may be empty although items were sent.
    package static let emptyFinalOutput = Quirks(bit: 34)

    // Responses

    /// Requests must say `store: false`; reasoning goes on by its encrypted content.
    package static let storeFalse = Quirks(bit: 35)
    /// `previous_response_id` and `conversation` are not kept here.
    package static let stateless = Quirks(bit: 36)
    /// `instructions` must be there, even if empty.
    package static let needsInstructions = Quirks(bit: 37)
    /// Encrypted reasoning content is not offered.
    package static let noEncryptedReasoning = Quirks(bit: 38)
    /// Tools must say whether they are `strict`.
    package static let needsStrict = Quirks(bit: 39)

    // Header fields

    /// Header fields say whether a person or an agent began the request, and whether it holds an image.
    package static let editorFields = Quirks(bit: 40)

    /// Every quirk by its name in configurations and documents, in the order of the manual.
    package static let names: [(name: String, quirk: Quirks)] = [
        ("strict_alternation", .strictAlternation), ("string_content", .stringContent),
        ("no_nulls", .noNulls),
        ("no_images", .noImages), ("no_result_images", .noResultImages), ("no_documents", .noDocuments),
        ("no_image_urls", .noImageURLs), ("mid_system", .midSystem), ("no_prefill", .noPrefill),
        ("cache_control", .cacheControl), ("cache_key", .cacheKey), ("no_strict", .noStrict),
        ("no_parallel_tool_calls", .noParallelToolCalls), ("function_tools_only", .functionToolsOnly),
        ("web_search", .webSearch), ("no_format_with_tools", .noFormatWithTools), ("call_ids", .callIDs),
        ("no_stream_options", .noStreamOptions), ("no_temperature", .noTemperature), ("no_top_p", .noTopP),
        ("top_k", .topK), ("no_stop", .noStop), ("no_penalties", .noPenalties), ("no_seed", .noSeed),
        ("random_seed", .randomSeed), ("no_metadata", .noMetadata), ("no_service_tier", .noServiceTier),
        ("no_verbosity", .noVerbosity), ("no_max_tokens", .noMaxTokens),
        ("usage_excludes_cached", .usageExcludesCached),
        ("usage_excludes_reasoning", .usageExcludesReasoning),
        ("stream_only", .streamOnly), ("document_only", .documentOnly),
        ("unstable_item_ids", .unstableItemIDs),
        ("empty_final_output", .emptyFinalOutput), ("store_false", .storeFalse), ("stateless", .stateless),
        ("needs_instructions", .needsInstructions), ("no_encrypted_reasoning", .noEncryptedReasoning),
        ("needs_strict", .needsStrict), ("editor_fields", .editorFields),
    ]

    /// The names of those that are set, in the order of the manual.
    package var names: [String] { Quirks.names.filter { contains($0.quirk) }.map(\.name) }
}

extension Quirks: WireCodable {
    package func encode(to writer: inout WireWriter) { writer.put(rawValue) }

    package init(from reader: inout WireReader) throws(WireError) { self.init(rawValue: try reader.get()) }
}
