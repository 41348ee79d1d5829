// SPDX-License-Identifier: Apache-2.0
// What the echo provider reads from a conversation and decides to say, independent of how a dialect writes it.
// Source: OpenAI API reference (chat, responses), Anthropic API reference (messages), Gemini API reference
// (generateContent), request bodies, 2026-08.

import Bytes
import Gateway
import JSON

/// The answer of one turn.
struct EchoTurn {
    /// What is said: a text, or a call of a tool.
    enum Content {
        case text(String)
        /// `arguments` is a JSON object as text.
        case call(tool: String, arguments: String)
    }

    let model: String
    let inputTokens: Int
    let ids: EchoIDs
    /// The reasoning before the content, nil for none.
    let reasoning: String?
    let content: Content

    /// Tokens of the reasoning; a part of `outputTokens`.
    var reasoningTokens: Int { reasoning.map(Self.tokens) ?? 0 }

    var outputTokens: Int {
        switch content {
        case .text(let text): reasoningTokens + Self.tokens(text)
        case .call(_, let arguments): reasoningTokens + Self.tokens(arguments)
        }
    }

    init(_ request: JSONValue, _ dialect: Dialect, model: String, inputTokens: Int, ids: EchoIDs) {
        self.model = model
        self.inputTokens = inputTokens
        self.ids = ids
        let conversation = EchoConversation(request, dialect)
        let text = "You said: " + conversation.lastUserText
        reasoning =
            model == "echo:think" ? "The user wrote \(conversation.lastUserText.utf8.count) bytes." : nil
        if model == "echo:tools", !conversation.hasToolResult, let call = EchoTool.firstCall(request, dialect)
        {
            content = .call(tool: call.name, arguments: call.arguments)
        } else {
            content = .text(text)
        }
    }

    private static func tokens(_ text: String) -> Int { max(1, text.utf8.count / 4) }

    /// Cuts a text as a stream would bring it: in pieces of up to 24 bytes, never inside a character.
    static func pieces(_ text: String) -> [String] {
        var pieces: [String] = []
        var piece = ""
        for character in text {
            if !piece.isEmpty, piece.utf8.count + character.utf8.count > 24 {
                pieces.append(piece)
                piece = ""
            }
            piece.append(character)
        }
        return piece.isEmpty ? pieces : pieces + [piece]
    }
}

/// What matters in the messages of a request.
struct EchoConversation {
    private(set) var lastUserText = ""
    private(set) var hasToolResult = false

    init(_ request: JSONValue, _ dialect: Dialect) {
        switch dialect {
        case .chat:
            read(request.member("prompt"))
            for message in request.member("messages").list {
                hasToolResult = hasToolResult || message.member("role")?.isString("tool") == true
                readMessage(message)
            }
        case .responses:
            read(request.member("input"))
            for item in request.member("input").list {
                let type = item.member("type")?.stringBytes
                let isOutput = type?.equals("function_call_output") == true
                hasToolResult = hasToolResult || isOutput || type?.equals("custom_tool_call_output") == true
                readMessage(item)
            }
        case .messages:
            for message in request.member("messages").list {
                for block in message.member("content").list {
                    hasToolResult = hasToolResult || block.member("type")?.isString("tool_result") == true
                }
                readMessage(message)
            }
        case .gemini:
            for content in request.member("contents").list {
                let parts = content.member("parts")
                for part in parts.list {
                    hasToolResult = hasToolResult || part.member("functionResponse") != nil
                }
                // Without a role a turn is the user's.
                if content.member("role")?.isString("model") != true { read(parts) }
            }
        }
        lastUserText = Self.bounded(lastUserText)
    }

    private mutating func readMessage(_ message: JSONValue) {
        guard message.member("role")?.isString("user") == true else { return }
        read(message.member("content"))
    }

    /// Takes a string, or the last text in a list of strings and parts.
    private mutating func read(_ content: JSONValue?) {
        lastUserText = content?.string ?? lastUserText
        for part in content.list {
            lastUserText = part.string ?? part.member("text")?.string ?? lastUserText
        }
    }

    private static func bounded(_ text: String) -> String {
        guard text.utf8.count > EchoProvider.maximumTextBytes else { return text }
        var result = ""
        for character in text {
            guard result.utf8.count + character.utf8.count <= EchoProvider.maximumTextBytes else { break }
            result.append(character)
        }
        return result
    }
}

/// The tools that a request offers.
enum EchoTool {
    /// A call of the first function, with arguments that its schema accepts as far as required ones go.
    static func firstCall(_ request: JSONValue, _ dialect: Dialect) -> (name: String, arguments: String)? {
        for tool in tools(request, dialect) {
            // Server tools of Messages have a type; functions have none or "custom".
            let type = tool.member("type")?.stringBytes
            let function: JSONValue?
            switch dialect {
            case .chat: function = tool.member("function")
            case .responses: function = type?.equals("function") == true ? tool : nil
            case .messages: function = type == nil || type?.equals("custom") == true ? tool : nil
            case .gemini: function = tool
            }
            guard let function, let name = function.member("name")?.string else { continue }
            let schema =
                function.member("parameters") ?? function.member("input_schema")
                ?? function.member("parametersJsonSchema")
            return (name, arguments(schema))
        }
        return nil
    }

    /// The entries of `tools`; Gemini has its functions one level below.
    private static func tools(_ request: JSONValue, _ dialect: Dialect) -> [JSONValue] {
        var tools: [JSONValue] = []
        for tool in request.member("tools").list {
            guard dialect == .gemini else {
                tools.append(tool)
                continue
            }
            for function in tool.member("functionDeclarations").list { tools.append(function) }
        }
        return tools
    }

    private static func arguments(_ schema: JSONValue?) -> String {
        var writer = JSONWriter()
        let properties = schema?.member("properties")
        writer.object { writer in
            for required in (schema?.member("required")).list {
                guard let name = required.string else { continue }
                let property = properties?.members.first { String(decoding: $0.key, as: UTF8.self) == name }
                writer.key(name)
                write(property?.value, to: &writer)
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// The plainest value of a property's type.
    private static func write(_ property: JSONValue?, to writer: inout JSONWriter) {
        let type = property?.member("type")
        if let choice = property?.member("enum")?.elements.first(where: { $0.kind == .string })?.string {
            writer.string(choice)
        } else if type?.isString("integer") == true || type?.isString("number") == true {
            writer.int(property?.member("minimum")?.int ?? 0)
        } else if type?.isString("boolean") == true {
            writer.bool(false)
        } else if type?.isString("array") == true {
            writer.array { _ in }
        } else if type?.isString("object") == true {
            writer.object { _ in }
        } else {
            writer.string("echo")
        }
    }
}

extension JSONValue? {
    /// The elements of an array; none of anything else.
    fileprivate var list: [JSONValue] { map { Array($0.elements) } ?? [] }
}
