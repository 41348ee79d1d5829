// SPDX-License-Identifier: Apache-2.0
import Dialects
import Gateway
import JSON

/// Observes an answer given in parts; a fresh copy of each part, so that a view kept too long would show.
func observe(
    _ parts: [ArraySlice<UInt8>], _ endpoint: Endpoint, isEventStream: Bool = true, ends: Bool = true
) -> ResponseObserver {
    let parser = JSONParser()
    var observer = ResponseObserver(endpoint: endpoint, isEventStream: isEventStream)
    for part in parts {
        Array(part).withUnsafeBytes { observer.received($0, parser: parser) }
    }
    if ends {
        observer.ended()
    }
    return withExtendedLifetime(parser) { observer }
}

func observe(
    _ text: String, _ endpoint: Endpoint, isEventStream: Bool = true, ends: Bool = true
) -> ResponseObserver {
    observe([Array(text.utf8)[...]], endpoint, isEventStream: isEventStream, ends: ends)
}

extension ResponseObserver {
    var failure: StreamFailure? {
        guard case .failed(let failure) = phase else { return nil }
        return failure
    }
}

/// Whole streams as providers send them, and what they cost.
struct Golden: Sendable {
    let name: String
    let endpoint: Endpoint
    let text: String
    let usage: Usage

    static let all = [
        chat, deepSeek, xai, groq, completions, images, responses, responsesUnnamed, messages, unstopped,
        gemini,
    ]

    static let chat = Golden(
        name: "chat", endpoint: .chatCompletions,
        text: """
            : OPENROUTER PROCESSING

            data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}

            data: {"id":"c1","choices":[{"index":0,"delta":{"content":"\\"usage\\":{ and \\"error\\":{"},"finish_reason":null}],"usage":null}

            data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}

            data: {"id":"c1","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":10},"completion_tokens_details":{"reasoning_tokens":5}}}

            data: [DONE]


            """, usage: Usage(input: 30, cacheRead: 60, cacheWrite: 10, output: 20, reasoning: 5))

    static let deepSeek = Golden(
        name: "cache counted beside", endpoint: .chatCompletions,
        text: """
            data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}

            data: {"choices":[{"delta":{},"finish_reason":"stop"}], "usage" : {"prompt_tokens":10,"completion_tokens":2,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":6}}

            data: [DONE]


            """, usage: Usage(input: 6, cacheRead: 4, output: 2))

    static let xai = Golden(
        name: "reasoning counted beside", endpoint: .chatCompletions,
        text: """
            data: {"choices":[{"delta":{"content":"a"},"finish_reason":""}]}

            data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":19,"completion_tokens_details":{"reasoning_tokens":7}}}

            data: [DONE]


            """, usage: Usage(input: 10, output: 9, reasoning: 7))

    static let groq = Golden(
        name: "no [DONE]", endpoint: .chatCompletions,
        text: """
            data: {"choices":[{"delta":{"content":"a"}}]}

            data: {"choices":[{"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","usage":{"prompt_tokens":3,"completion_tokens":4}}}


            """, usage: Usage(input: 3, output: 4))

    static let completions = Golden(
        name: "completions", endpoint: .completions,
        text: """
            data: {"object":"text_completion","choices":[{"text":"a","index":0,"finish_reason":null}]}

            data: {"object":"text_completion","choices":[{"text":"","index":0,"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}

            data: [DONE]


            """, usage: Usage(input: 1, output: 1))

    static let gemini = Golden(
        name: "gemini", endpoint: .streamGenerateContent,
        text: """
            data: {"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":60},"responseId":"r"}

            data: {"candidates":[{"content":{"role":"model","parts":[{"text":"\\"error\\":{","thought":true}]}}],"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":1}}

            data: {"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":60,"candidatesTokenCount":20,"thoughtsTokenCount":5,"totalTokenCount":125}}


            """, usage: Usage(input: 40, cacheRead: 60, output: 25, reasoning: 5))

    static let images = Golden(
        name: "images", endpoint: .images,
        text: """
            event: image_generation.partial_image
            data: {"type":"image_generation.partial_image","b64_json":"AAAA","partial_image_index":0}

            event: image_generation.completed
            data: {"type":"image_generation.completed","b64_json":"AAAA","usage":{"total_tokens":30,"input_tokens":10,"output_tokens":20,"input_tokens_details":{"text_tokens":10,"image_tokens":0}}}


            """, usage: Usage(input: 10, output: 20))

    static let responses = Golden(
        name: "responses", endpoint: .responses,
        text: """
            event: response.created
            data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":7,"status":"in_progress","model":"m","output":[],"usage":null}}

            event: response.in_progress
            data: {"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_1","status":"in_progress"}}

            event: response.output_item.added
            data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","content":[]}}

            event: response.output_text.delta
            data: {"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"é😀"}

            event: response.output_item.done
            data: {"type":"response.output_item.done","sequence_number":4,"output_index":0,"item":{"id":"msg_1","type":"message"}}

            event: response.completed
            data: {"type":"response.completed","sequence_number":5,"response":{"id":"resp_1","status":"completed","usage":{"input_tokens":50,"input_tokens_details":{"cached_tokens":20},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":59}}}


            """, usage: Usage(input: 30, cacheRead: 20, output: 9, reasoning: 3))

    static let responsesUnnamed = Golden(
        name: "responses without event lines", endpoint: .responses,
        text: """
            data: {"type": "response.created", "response": {"id": "resp_1"}}

            data: {"type":"keepalive"}

            data: {"sequence_number": 8, "type": "response.output_text.delta", "delta": "a"}

            data: {"type":"response.incomplete","response":{"id":"resp_1","incomplete_details":{"reason":"max_output_tokens"},"usage":{"input_tokens":1,"input_tokens_details":null,"output_tokens":2,"total_tokens":3}}}


            """, usage: Usage(input: 1, output: 2))

    static let messages = Golden(
        name: "messages", endpoint: .messages,
        text: """
            event: message_start
            data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"m","stop_reason":null,"usage":{"input_tokens":11,"cache_creation_input_tokens":5,"cache_read_input_tokens":70,"output_tokens":1}}}

            event: ping
            data: {"type": "ping"}

            event: content_block_start
            data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}

            event: content_block_stop
            data: {"type":"content_block_stop","index":0}

            event: message_delta
            data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":null,"output_tokens":15,"output_tokens_details":{"thinking_tokens":4}}}

            event: message_stop
            data: {"type":"message_stop"}


            """, usage: Usage(input: 11, cacheRead: 70, cacheWrite: 5, output: 15, reasoning: 4))

    static let unstopped = Golden(
        name: "messages without event lines and message_stop", endpoint: .messages,
        text: """
            data: {"type":"message_start","message":{"usage":{"input_tokens":0,"output_tokens":0}}}

            data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}

            data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":3,"output_tokens":4}}


            """, usage: Usage(input: 3, output: 4))
}
