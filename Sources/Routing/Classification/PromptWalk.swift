// SPDX-License-Identifier: Apache-2.0
// One walk over the messages and tools of a request in any dialect, at the depth where types and beginnings of texts
// stand: images, hosted tools, formats, tags.
// Source: API references of OpenAI, Anthropic and Google, 2026.

import Bytes
import Gateway
import JSON

struct PromptWalk {
    private let probes: RuleProbes
    private(set) var signs: RequestSigns = []
    private(set) var toolCount = 0
    private(set) var toolProbes: UInt64 = 0
    private(set) var wantsSchema = false
    /// The text whose beginning names the model of a subagent.
    private(set) var agentTag: (value: JSONValue, tag: PromptTag.Agent)?
    /// The text that asks for a search, and where it does.
    private(set) var searchTag: (value: JSONValue, range: Range<Int>)?

    private var searchTools = 0
    /// The content of the last user message.
    private var lastContent: JSONValue?
    private var messageCount = 0

    /// Messages at the beginning of the conversation whose texts may begin with the tag of a subagent.
    private static let taggedMessages = 8

    init(probes: RuleProbes) {
        self.probes = probes
    }

    mutating func read(_ root: JSONLookup, _ dialect: Dialect) {
        if let tools = root.member("tools") { tools.forEachElement { tool($0) } }
        var format: JSONValue?
        switch dialect {
        case .messages:
            system(root.member("system"))
            root.member("messages")?.forEachElement { message($0, "content") }
            format = root.member("output_config")?.member("format") ?? root.member("output_format")
        case .chat:
            root.member("messages")?.forEachElement { message($0, "content") }
            format = root.member("response_format")
        case .responses:
            system(root.member("instructions"))
            responses(root.member("input"))
            format = root.member("text")?.member("format")
        case .gemini:
            system(root.member("systemInstruction")?.member("parts"))
            root.member("contents")?.forEachElement { message($0, "parts") }
            wantsSchema =
                root.member("generationConfig").map {
                    $0.member("responseSchema") != nil || $0.member("responseJsonSchema") != nil
                } ?? false
        }
        if let format { read(format: format) }
        if toolCount > 0, searchTools == toolCount { signs.insert(.searchOnly) }
        lookAtLastTexts()
    }

    private mutating func responses(_ input: JSONValue?) {
        guard let input else { return }
        if input.kind == .string {
            lastContent = input
            lookForAgentTag(input)
            return
        }
        var last: JSONValue?
        input.forEachElement { item in
            last = item
            if case let (role?, content?) = item.members("role", "content") {
                message(role: role, content: content)
            } else if let output = item.member("output"), output.isArray {
                output.forEachElement { look($0) }
            } else if item.member("type")?.isString("additional_tools") == true {
                item.member("tools")?.forEachElement { tool($0) }
            }
        }
        if last?.member("type")?.isString("compaction_trigger") == true { signs.insert(.compactionTrigger) }
    }

    // MARK: - Tools and format

    private mutating func tool(_ tool: JSONValue) {
        toolCount += 1
        let type = tool.member("type")?.stringBytes
        if type?.hasPrefix("web_search") == true || tool.member("google_search") != nil
            || tool.member("googleSearch") != nil
        {
            searchTools += 1
        }
        guard !probes.tools.isEmpty,
            let name = (tool.member("name") ?? tool.member("function")?.member("name"))?.stringBytes ?? type
        else { return }
        for place in probes.tools.indices
        where probes.tools[place].count == name.count
            && probes.tools[place].withUnsafeBytes({ $0.elementsEqual(name) })
        {
            toolProbes |= 1 << UInt64(place)
        }
    }

    private mutating func read(format: JSONValue) {
        guard format.member("type")?.isString("json_schema") == true else { return }
        wantsSchema = true
        let schema = format.member("schema") ?? format.member("json_schema")?.member("schema")
        if toolCount == 0, schema?.member("properties")?.member("title") != nil { signs.insert(.titleFormat) }
    }

    // MARK: - Messages

    private mutating func system(_ value: JSONValue?) {
        guard let value else { return }
        if value.kind == .string { return lookForAgentTag(value) }
        var isFirst = true
        value.forEachElement { part in
            guard let text = part.member("text") else { return }
            if isFirst, text.hasPrefix("x-anthropic-billing-header:"), text.contains("cc_is_subagent=true") {
                signs.insert(.agentSystem)
            }
            isFirst = false
            lookForAgentTag(text)
        }
    }

    private mutating func message(_ message: JSONValue, _ contentName: StaticString) {
        let (role, content) = message.members("role", contentName)
        self.message(role: role, content: content)
    }

    private mutating func message(role: JSONValue?, content: JSONValue?) {
        messageCount += 1
        guard let content else { return }
        // Gemini's first message need not say whose it is.
        let isUser = role?.isString("user") ?? true
        let isTrusted =
            messageCount <= Self.taggedMessages
            && (isUser || role?.isString("system") == true || role?.isString("developer") == true)
        if isUser { lastContent = content }
        if content.isString {
            if isTrusted { lookForAgentTag(content) }
            return
        }
        content.forEachElement { part in
            if let text = part.member("text") {
                if isTrusted { lookForAgentTag(text) }
            } else {
                look(part)
            }
        }
    }

    /// A part that is no text: an image, or a result that may hold one.
    private mutating func look(_ part: JSONValue) {
        if let type = part.member("type")?.stringBytes {
            if type.equals("image") || type.equals("image_url") || type.equals("input_image") {
                signs.insert(.image)
            } else if type.equals("tool_result"), let inner = part.member("content"), inner.isArray {
                inner.forEachElement { result in
                    if result.member("type")?.isString("image") == true { signs.insert(.image) }
                }
            }
        } else if let data = part.member("inlineData") ?? part.member("inline_data")
            ?? part.member("fileData") ?? part.member("file_data")
        {
            let type = data.member("mimeType") ?? data.member("mime_type")
            if type?.stringBytes?.hasPrefix("image/") == true { signs.insert(.image) }
        }
    }

    // MARK: - Texts

    private mutating func lookForAgentTag(_ value: JSONValue) {
        guard agentTag == nil, let written = value.writtenBytes, PromptTag.mayHoldAgent(written),
            let text = value.stringPrefix(PromptTag.agentTagBytes),
            let tag = PromptTag.agent(in: text)
        else { return }
        agentTag = (value, tag)
    }

    private mutating func lookAtLastTexts() {
        guard let lastContent else { return }
        let texts =
            lastContent.isString ? [lastContent] : lastContent.elements.compactMap { $0.member("text") }
        if probes.readsSearchTags {
            for value in texts where searchTag == nil {
                guard let written = value.writtenBytes, PromptTag.mayHoldSearch(written),
                    let text = value.stringBytes, let range = PromptTag.search(in: text)
                else { continue }
                searchTag = (value, range)
            }
        }
        // Results of tools that quote the demand are no texts of the message.
        if let text = texts.last, text.contains("<analysis>"), text.contains("<summary>") {
            signs.insert(.summaryDemand)
        }
    }
}
