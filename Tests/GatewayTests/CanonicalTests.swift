// SPDX-License-Identifier: Apache-2.0
import Gateway
import IPC
import Testing

@Suite struct CanonicalTests {
    private func fold(_ events: [AnswerEvent]) -> AnswerDocument {
        var document = AnswerDocument()
        for event in events { document.add(event) }
        return document
    }

    @Test func `the events of an answer fold into its parts`() {
        let state = ReasoningState(.signature, origin: nil, bytes: [1, 2])
        let document = fold([
            .started(id: "x"), .reasoningBegan(isSummary: true), .reasoning("think "), .reasoning("hard"),
            .reasoningPartEnded, .reasoning("again"), .reasoningEnded(state: state),
            .textBegan(phase: "commentary"),
            .text("Hel"), .text("lo"), .textEnded, .citation(Citation(url: "https://example.org")),
            .callBegan(ToolCall(id: "c", name: "f", arguments: "")), .arguments("{\"a\""), .arguments(":1}"),
            .callEnded, .usage(Usage(input: 1)), .usage(Usage(input: 5, output: 7)),
            .finished(.toolUse, stopSequence: nil),
        ])
        #expect(document.id == "x")
        #expect(
            document.parts == [
                .reasoning(ReasoningPart("think hard\n\nagain", isSummary: true, state: state)),
                .text(TextPart("Hello", phase: "commentary")),
                .toolCall(ToolCall(id: "c", name: "f", arguments: "{\"a\":1}")),
            ])
        #expect(document.citations.map(\.partIndex) == [1])
        #expect(document.usage == Usage(input: 5, output: 7))
        #expect(document.stop == .toolUse)
        #expect(document.failure == nil)
    }

    @Test func `events without their beginning are taken as if it had been there`() {
        #expect(
            fold([.text("a"), .reasoning("b"), .refusal("c"), .refusal("d"), .arguments("lost")]).parts == [
                .text(TextPart("a")), .reasoning(ReasoningPart("b")), .refusal("cd"),
            ])
    }

    @Test func `losses add up and travel`() throws {
        var losses = Losses()
        #expect(losses.isEmpty)
        losses.add(.cacheHint, 3)
        losses.add(parameter: "top_k")
        losses.add(parameter: "top_k")
        var more = Losses()
        more.add(.cacheHint)
        for index in 0..<40 { more.add(parameter: "p\(index)") }
        losses.add(more)
        #expect(losses[.cacheHint] == 4)
        #expect(losses[.parameter] == 42)
        #expect(losses.parameters.count == Losses.maximumNames)
        #expect(losses.parameters.first == "top_k")
        var writer = WireWriter()
        writer.put(losses)
        let bytes = writer.bytes
        try bytes.withUnsafeBytes { view in
            var reader = WireReader(view)
            #expect(try reader.get(Losses.self) == losses)
            try reader.end()
        }
    }

    @Test func `every kind of loss has a name of its own`() {
        #expect(Set(Loss.allCases.map(\.name)).count == Loss.allCases.count)
    }
}
