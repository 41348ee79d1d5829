// SPDX-License-Identifier: Apache-2.0
import Foundation
import Gateway
import Testing

@testable import Dialects

@Suite struct ChatAnswerEncoderTests {
    private func stream(_ events: [AnswerEvent], wantsUsage: Bool = true) -> String {
        var context = CodecSupport.context
        context.wantsStreamUsage = wantsUsage
        return CodecSupport.stream(ChatAnswerEncoder(context), events)
    }

    @Test func `a stream has every chunk in the order of the answer`() throws {
        try CodecSupport.expect(stream(AnswerSample.events), isGolden: "chat-stream.txt")
    }

    @Test func `a document has the members of the stream`() throws {
        let document = CodecSupport.document(ChatAnswerEncoder(CodecSupport.context), AnswerSample.events)
        try CodecSupport.expect(document, isGolden: "chat-document.json")
    }

    @Test func `every chunk is JSON of its own with the same identity`() throws {
        let chunks = stream(AnswerSample.events).components(separatedBy: "\n\n").filter { !$0.isEmpty }
        #expect(chunks.last == "data: [DONE]")
        for chunk in chunks.dropLast() {
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(chunk.dropFirst(6).utf8)) as? [String: Any])
            #expect(object["id"] as? String == "chatcmpl-t")
            #expect(object["object"] as? String == "chat.completion.chunk")
            #expect(object["created"] as? Int == 1_700_000_000)
            #expect(object["model"] as? String == "m")
        }
    }

    @Test func `usage comes only when it is asked for`() {
        #expect(stream(AnswerSample.events).contains(#""choices":[],"usage":{"prompt_tokens":10,"#))
        #expect(!stream(AnswerSample.events, wantsUsage: false).contains("usage"))
    }

    @Test func `an error is the last event, and the marker of an end is missing`() {
        let error = AnswerEvent.failed(GatewayError(.rateLimited, "slow"))
        let text = stream([.text("a"), error, .text("late"), .finished(.endTurn, stopSequence: nil)])
        #expect(
            text.hasSuffix(
                #"data: {"error":{"message":"slow","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#
                    + "\n\n"))
        #expect(!text.contains("[DONE]") && !text.contains("late"))
        #expect(stream([error]).hasPrefix(#"data: {"error""#))
    }

    @Test func `an empty answer begins and ends`() {
        let text = stream([.finished(.endTurn, stopSequence: nil)], wantsUsage: false)
        #expect(text.components(separatedBy: "data: ").count == 4)
        #expect(text.hasSuffix("data: [DONE]\n\n"))
    }

    @Test(arguments: [ReasoningState.Form.signature, .encryptedContent, .redacted, .thoughtSignature])
    func `a state that the thoughts do not repeat travels in the details, and comes back`(
        form: ReasoningState.Form
    ) throws {
        let state = ReasoningState(form, origin: CodecSupport.origin, bytes: Array("sig".utf8))
        let events: [AnswerEvent] = [
            .reasoningBegan(isSummary: false), .reasoning("h"), .reasoning("m"),
            .reasoningEnded(state: state),
            .finished(.endTurn, stopSequence: nil),
        ]
        let text = stream(events)
        let details = try #require(
            text.components(separatedBy: #""reasoning_details":"#).last?.components(separatedBy: "},\"finish")
                .first)
        let document = CodecSupport.document(ChatAnswerEncoder(CodecSupport.context), events)
        #expect(document.contains(details))
        let request = try CodecSupport.decode(
            ChatRequests.self,
            #"{"model":"m","messages":[{"role":"assistant","content":"x","reasoning_content":"hm","reasoning_details":\#(details)}]}"#
        )
        #expect(request.turns[0].parts.first == .reasoning(ReasoningPart("hm", state: state)))
    }

    @Test(arguments: [
        (StopReason.endTurn, "stop"), (.stopSequence, "stop"), (.maxTokens, "length"),
        (.toolUse, "tool_calls"),
        (.refusal, "content_filter"), (.contentFilter, "content_filter"), (.pauseTurn, "stop"),
        (.contextWindowExceeded, "length"), (.compaction, "stop"),
    ])
    func `each reason has its name`(reason: StopReason, name: String) {
        #expect(
            stream([.text("a"), .finished(reason, stopSequence: nil)]).contains(
                #""delta":{},"finish_reason":"\#(name)""#))
    }

    @Test func `a custom call is free text in both forms, and a refusal has its member`() {
        var events: [AnswerEvent] = [
            .callBegan(ToolCall(id: "call_1", name: "p", form: .custom, arguments: "")), .arguments("a {"),
            .callEnded,
            .refusal("no"), .finished(.toolUse, stopSequence: nil),
        ]
        #expect(stream(events).contains(#""type":"custom","custom":{"name":"p","input":""}"#))
        #expect(stream(events).contains(#""custom":{"input":"a {"}"#))
        #expect(stream(events).contains(#""delta":{"refusal":"no"}"#))
        events.removeLast()
        let document = CodecSupport.document(ChatAnswerEncoder(CodecSupport.context), events)
        #expect(document.contains(#""custom":{"name":"p","input":"a {"}"#))
        #expect(document.contains(#""refusal":"no""#))
    }
}
