// SPDX-License-Identifier: Apache-2.0
// Tools of a canonical request: what is offered, which must be used, what was called and what came back.
// Source: API references of Anthropic (tool use), OpenAI (function calling, custom tools), Google (function calling), 2026.

/// What a tool is to the model and to the client that runs it.
package enum ToolKind: Equatable, Sendable {
    /// Called with a JSON object.
    case function
    /// Called with free text (Responses and Chat `custom`). `format` is an object, for example a grammar.
    case custom(format: JSONText?)
    /// Finds further tools and is run by the client (Responses `tool_search`, Messages' tool search).
    case toolSearch
    /// Run by the client under a type of its own (`local_shell`, `apply_patch`, `bash_20250124`, `text_editor_…`).
    /// `definition` is the whole tool as it was written.
    case builtIn(type: String, definition: JSONText)
    /// Run by the provider. `definition` is the whole tool as it was written.
    case hosted(HostedTool, definition: JSONText)
}

/// Tools that providers run.
package enum HostedTool: Equatable, Sendable {
    case webSearch(WebSearch)
    /// The `type` of a tool that has no counterpart elsewhere.
    case other(String)
}

/// What a client asks of a web search.
package struct WebSearch: Equatable, Sendable {
    package var maxUses: Int?
    package var allowedDomains: [String] = []
    package var blockedDomains: [String] = []
    /// An object.
    package var userLocation: JSONText?

    package init() {}
}

/// A tool that the model may call.
package struct Tool: Equatable, Sendable {
    package var kind: ToolKind
    /// As the client knows it, without the namespace.
    package var name: String
    /// Responses `namespace`, for example "mcp__weather".
    package var namespace: String?
    /// What the client says about the namespace, on the first of its tools.
    package var namespaceDescription: String?
    package var description: String?
    /// The schema of the arguments, an object; nil for tools that have none.
    package var schema: JSONText?
    package var strict: Bool?
    /// Known to the client, not shown to the model until something refers to it (Messages `defer_loading`).
    package var isDeferred = false
    /// Declared by an opaque part of the conversation (Responses `additional_tools`), which goes back to a provider of
    /// that dialect in its place.
    package var isInline = false
    package var cacheControl: JSONText?
    package var extra: [ExtraMember] = []

    package init(
        _ kind: ToolKind, name: String, namespace: String? = nil, description: String? = nil,
        schema: JSONText? = nil
    ) {
        self.kind = kind
        self.name = name
        self.namespace = namespace
        self.description = description
        self.schema = schema
    }
}

/// Which tools the answer may or must use.
package enum ToolChoice: Equatable, Sendable {
    case auto
    case none
    /// At least one call.
    case any
    case tool(ToolName)
    /// Only these; `isRequired`: at least one call.
    case subset([ToolName], isRequired: Bool)
}

/// A tool's full name.
package struct ToolName: Hashable, Sendable {
    package var name: String
    package var namespace: String?

    package init(_ name: String, namespace: String? = nil) {
        self.name = name
        self.namespace = namespace
    }
}

/// The forms a call takes in Responses; other dialects know functions only.
package enum CallForm: UInt8, Equatable, Sendable {
    /// `arguments` is the text of a JSON object.
    case function
    /// `arguments` is the free text itself.
    case custom
    /// `arguments` is the text of a JSON object; written as an object.
    case toolSearch
    /// A built-in tool's call; `arguments` is the text of its action, a JSON object.
    case localShell
}

/// The model calls a tool.
package struct ToolCall: Equatable, Sendable {
    /// What the result refers to; unique in the conversation.
    package var id: String
    package var name: String
    package var namespace: String?
    package var form: CallForm
    /// See `CallForm`. Not always valid JSON: models make mistakes.
    package var arguments: String
    /// The id of the item in Responses, which is not the id of the call.
    package var itemID: String?
    package var cacheControl: JSONText?
    package var extra: [ExtraMember] = []

    package init(
        id: String, name: String, namespace: String? = nil, form: CallForm = .function, arguments: String,
        itemID: String? = nil
    ) {
        self.id = id
        self.name = name
        self.namespace = namespace
        self.form = form
        self.arguments = arguments
        self.itemID = itemID
    }
}

/// What a tool gave back.
package struct ToolResult: Equatable, Sendable {
    /// The id of its call.
    package var callID: String
    package var form: CallForm
    /// Texts, images, documents, opaque parts.
    package var content: [Part]
    package var isError: Bool
    /// Tools that the result made known: of a tool search, or references (names) of Messages.
    package var loadedTools: [Tool] = []
    /// The id of the item in Responses.
    package var itemID: String?
    package var cacheControl: JSONText?
    package var extra: [ExtraMember] = []

    package init(callID: String, form: CallForm = .function, content: [Part], isError: Bool = false) {
        self.callID = callID
        self.form = form
        self.content = content
        self.isError = isError
    }
}
