// SPDX-License-Identifier: Apache-2.0
// A provider without a network: the same request always gets the same answer, in the request's own dialect.
// Source: the API references named in the Echo* files of this folder.

import Bytes
package import Gateway
package import JSON

/// A complete answer. The chunks are to be sent in order; a stream has one event in each.
package struct EchoAnswer: Equatable, Sendable {
    package let status: Int
    package let contentType: String
    package let chunks: [[UInt8]]
}

/// Answers by repeating the last text of the user.
///
/// The model decides what else: `echo:tools` calls the first tool offered until a tool's result is in the
/// conversation, `echo:think` reasons first, any other name gives plain text. Token counts are bytes / 4.
package enum EchoProvider {
    /// The longest text that is repeated, in bytes.
    package static let maximumTextBytes = 2 << 10

    /// - Parameters:
    ///   - body: the request's JSON, as the client sent it.
    ///   - requestID: unique; every id in the answer is made from it and from the place in the answer.
    ///   - parser: any parser; values that the caller has from it become invalid.
    package static func answer(
        endpoint: Endpoint, streaming: Bool, model: String, body: [UInt8], requestID: String,
        parser: JSONParser
    ) -> EchoAnswer {
        let root: JSONValue
        do throws(JSONError) {
            root = try parser.parse(body)
        } catch {
            return failure(
                GatewayError(.invalidRequest, "the body is no valid JSON: \(error)"), endpoint, requestID)
        }
        guard root.isObject else {
            let error = GatewayError(.invalidRequest, "the request is not a JSON object")
            return failure(error, endpoint, requestID)
        }
        let inputTokens = max(1, body.count / 4)
        let ids = EchoIDs(requestID: requestID)
        switch endpoint {
        case .chatCompletions:
            let turn = EchoTurn(root, .chat, model: model, inputTokens: inputTokens, ids: ids)
            return EchoChat(turn: turn, request: root).answer(streaming: streaming)
        case .completions:
            let turn = EchoTurn(root, .chat, model: model, inputTokens: inputTokens, ids: ids)
            return EchoCompletions(turn: turn, request: root).answer(streaming: streaming)
        case .responses:
            let turn = EchoTurn(root, .responses, model: model, inputTokens: inputTokens, ids: ids)
            return EchoResponses(turn: turn).answer(streaming: streaming)
        case .messages:
            let turn = EchoTurn(root, .messages, model: model, inputTokens: inputTokens, ids: ids)
            return EchoMessages(turn: turn).answer(streaming: streaming)
        case .countTokens:
            return .document { $0.object { $0.member("input_tokens", inputTokens) } }
        case .embeddings:
            return EchoEmbeddings.answer(root, model: model, inputTokens: inputTokens)
        case .geminiCountTokens:
            return .document { $0.object { $0.member("totalTokens", inputTokens) } }
        case .responsesCompact, .images, .generateContent, .streamGenerateContent:
            let error = GatewayError(.notFound, "the echo provider does not answer \(endpoint.clientPath)")
            return failure(error, endpoint, requestID)
        }
    }

    private static func failure(_ error: GatewayError, _ endpoint: Endpoint, _ requestID: String)
        -> EchoAnswer
    {
        EchoAnswer(
            status: error.kind.status, contentType: "application/json",
            chunks: [ErrorBody.render(error, dialect: endpoint.dialect, requestID: requestID)])
    }
}

/// Ids made from a request's id; letters, digits, "-" and "_", at most 64 bytes.
struct EchoIDs {
    private let stem: String

    init(requestID: String) {
        let plain = requestID.hasPrefix("req_") ? String(requestID.dropFirst(4)) : requestID
        let allowed = plain.unicodeScalars.filter { scalar in
            scalar.isASCII
                && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "_")
        }
        stem = String(String.UnicodeScalarView(allowed.suffix(48)))
    }

    /// The id of the whole answer.
    func whole(_ prefix: String) -> String { prefix + stem }

    /// The id of a part of the answer.
    func part(_ prefix: String, _ position: Int) -> String { "\(prefix)\(stem)_\(position)" }
}

extension EchoAnswer {
    /// A JSON answer in one piece.
    static func document(_ body: (inout JSONWriter) -> Void) -> EchoAnswer {
        var writer = JSONWriter()
        body(&writer)
        return EchoAnswer(status: 200, contentType: "application/json", chunks: [writer.bytes])
    }

    /// The answer to a question for a number of tokens, which no provider was asked.
    package static func count(_ tokens: Int, _ endpoint: Endpoint) -> EchoAnswer {
        document { writer in
            writer.object {
                if endpoint == .geminiCountTokens {
                    $0.member("totalTokens", tokens)
                } else {
                    $0.member("input_tokens", tokens)
                }
            }
        }
    }

    /// A stream of events.
    static func stream(_ events: [[UInt8]]) -> EchoAnswer {
        EchoAnswer(status: 200, contentType: "text/event-stream; charset=utf-8", chunks: events)
    }

    /// One event; without a name it has only data.
    static func event(_ name: String? = nil, _ body: (inout JSONWriter) -> Void) -> [UInt8] {
        var start: [UInt8] = []
        if let name {
            start.append("event: ")
            start.append(contentsOf: name.utf8)
            start.append(ASCII.lineFeed)
        }
        start.append("data: ")
        var writer = JSONWriter(after: start)
        body(&writer)
        return writer.bytes + [ASCII.lineFeed, ASCII.lineFeed]
    }
}
