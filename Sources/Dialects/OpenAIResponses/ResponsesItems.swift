// SPDX-License-Identifier: Apache-2.0
// What readers and writers of Responses items share: ids, and which objects stand where.
// Source: OpenAI API reference (responses), observed ids and refusals of 2026; codex-cli 0.163.0.

import Gateway
import JSON

enum ResponsesItemID {
    static let maximumBytes = 64

    /// How ids of a call's item begin.
    static func prefix(_ form: CallForm) -> String { "\(staticPrefix(form))" }

    static func staticPrefix(_ form: CallForm) -> StaticString {
        switch form {
        case .function: "fc_"
        case .custom: "ctc_"
        case .toolSearch: "tsc_"
        case .localShell: "lsh_"
        }
    }

    /// Whether a provider takes the id: it begins as it should, is short, and has no other letters than ids have.
    static func isValid(_ id: String, prefix: String) -> Bool {
        guard id.utf8.count <= maximumBytes, id.utf8.count > prefix.utf8.count,
            id.utf8.prefix(prefix.utf8.count).elementsEqual(prefix.utf8)
        else { return false }
        return id.utf8.allSatisfy(isLetter)
    }

    static func isLetter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

extension OpaquePart {
    /// It stands inside a message and not among the items.
    var isResponsesContent: Bool {
        type.hasPrefix("input_") || type.hasPrefix("output_") || type == "encrypted_content"
            || type == "computer_screenshot"
    }
}

extension Part {
    /// An image or a document.
    var isMedia: Bool {
        switch self {
        case .image, .document: true
        case .text, .reasoning, .toolCall, .toolResult, .refusal, .opaque: false
        }
    }
}
