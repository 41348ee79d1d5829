// SPDX-License-Identifier: Apache-2.0
// The codecs of every dialect.

import Gateway

enum CodecTable {
    static func requests(_ dialect: Dialect) -> any RequestCodec.Type {
        switch dialect {
        case .chat: ChatRequests.self
        case .responses: ResponsesRequests.self
        case .messages: MessagesRequests.self
        case .gemini: GeminiRequests.self
        }
    }

    /// - Parameter ids: for calls to which the provider gives none.
    static func decoder(_ dialect: Dialect, target: RequestTarget, ids: AnswerIDs) -> any AnswerDecoder {
        let origin = target.origin
        return switch dialect {
        case .chat: ChatAnswerDecoder(origin: origin, ids: ids, rules: target.rules)
        case .responses: ResponsesAnswerDecoder(origin: origin)
        case .messages: MessagesAnswerDecoder(origin: origin, ids: ids)
        case .gemini: GeminiAnswerDecoder(origin: origin, ids: ids)
        }
    }

    /// - Parameter inArray: a Gemini client did not ask for events, so its stream is one JSON array.
    static func encoder(_ dialect: Dialect, _ context: AnswerContext, inArray: Bool) -> any AnswerEncoder {
        switch dialect {
        case .chat: ChatAnswerEncoder(context)
        case .responses: ResponsesAnswerEncoder(context)
        case .messages: MessagesAnswerEncoder(context)
        case .gemini: GeminiAnswerEncoder(context, framing: inArray ? .array : .events)
        }
    }
}
