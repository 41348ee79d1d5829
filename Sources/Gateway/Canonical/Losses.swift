// SPDX-License-Identifier: Apache-2.0
// What a request or an answer loses on its way into another dialect. Nothing is lost silently: it is counted here, shown
// in a header for debugging and in a metric.

package import IPC

/// A kind of loss; the names are label values and must not change.
package enum Loss: UInt8, CaseIterable, Sendable {
    /// A parameter of the top level that the target does not know or its profile forbids.
    case parameter = 1
    /// Hints for the provider's prompt cache.
    case cacheHint = 2
    /// A tool that the provider of the client's dialect would run.
    case hostedTool = 3
    /// State of another provider's reasoning.
    case foreignReasoning = 4
    /// Visible thoughts that the target has no place for.
    case reasoningText = 5
    /// Citations and annotations.
    case citation = 6
    /// An image or document in a place or form that the target cannot take.
    case media = 7
    /// A schema keyword that the target refuses.
    case schemaKeyword = 8
    /// A part that only its own dialect understands.
    case opaquePart = 9
    /// Members of messages, parts or tools without a counterpart.
    case member = 10
    /// A tool choice that the target cannot express.
    case toolChoice = 11
    /// A result without a call or a call without a result; a text or an empty result stands in for it.
    case unpairedCall = 12
    /// A stop sequence beyond what the target takes.
    case stopSequence = 13
    /// An output format that the target cannot enforce.
    case outputFormat = 14
    /// A call beyond those that the client takes in one answer.
    case surplusCall = 15

    package var name: String {
        switch self {
        case .parameter: "parameter"
        case .cacheHint: "cache_hint"
        case .hostedTool: "hosted_tool"
        case .foreignReasoning: "foreign_reasoning"
        case .reasoningText: "reasoning_text"
        case .citation: "citation"
        case .media: "media"
        case .schemaKeyword: "schema_keyword"
        case .opaquePart: "opaque_part"
        case .member: "member"
        case .toolChoice: "tool_choice"
        case .unpairedCall: "unpaired_call"
        case .stopSequence: "stop_sequence"
        case .outputFormat: "output_format"
        case .surplusCall: "surplus_call"
        }
    }
}

/// How often each kind of loss happened in one exchange.
package struct Losses: Equatable, Sendable, CustomStringConvertible, WireCodable {
    /// One for each kind, or empty as long as nothing was lost, which is most of the time and takes no memory.
    private var counts: [UInt32] = []
    /// Names of dropped parameters, at most `maximumNames` and each cut to 64 bytes, for the debugging header.
    package private(set) var parameters: [String] = []

    package static let maximumNames = 16

    package init() {}

    package subscript(_ loss: Loss) -> Int { isEmpty ? 0 : Int(counts[Int(loss.rawValue) - 1]) }

    package var isEmpty: Bool { counts.isEmpty }

    package mutating func add(_ loss: Loss, _ times: Int = 1) {
        guard times > 0 else { return }
        if isEmpty { counts = Array(repeating: 0, count: Loss.allCases.count) }
        counts[Int(loss.rawValue) - 1] &+= UInt32(clamping: times)
    }

    /// Counts a dropped parameter and keeps its name.
    package mutating func add(parameter name: String) {
        add(.parameter)
        guard parameters.count < Losses.maximumNames, !parameters.contains(name) else { return }
        // It becomes part of a header field.
        parameters.append(
            String(decoding: name.utf8.prefix(64).filter { $0 > 0x20 && $0 < 0x7F }, as: UTF8.self))
    }

    /// For people: "parameter=2 (top_k, seed), cache_hint=4".
    package var description: String {
        var items: [String] = []
        for loss in Loss.allCases where self[loss] > 0 {
            let names =
                loss == .parameter && !parameters.isEmpty ? " (\(parameters.joined(separator: ", ")))" : ""
            items.append("\(loss.name)=\(self[loss])\(names)")
        }
        return items.joined(separator: ", ")
    }

    package mutating func add(_ other: Losses) {
        for loss in Loss.allCases where other[loss] > 0 { add(loss, other[loss]) }
        for name in other.parameters
        where parameters.count < Losses.maximumNames && !parameters.contains(name) {
            parameters.append(name)
        }
    }

    package func encode(to writer: inout WireWriter) {
        // Most exchanges lose nothing and should not pay for it.
        writer.put(!isEmpty)
        guard !isEmpty else { return }
        writer.put(list: counts) { $0.put($1) }
        writer.put(list: parameters) { $0.put($1) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        guard try reader.getBool() else { return }
        let counts = try reader.getList { (reader) throws(WireError) in try reader.get(UInt32.self) }
        guard counts.count == Loss.allCases.count else { throw WireError.invalidValue("losses") }
        self.counts = counts
        parameters = try reader.getList { (reader) throws(WireError) in try reader.getString() }
    }
}
