// SPDX-License-Identifier: Apache-2.0
// Holds docs/failures.md against the decision table.

import Foundation
import Gateway
import Testing

@testable import Routing

@Suite("docs/failures.md, decisions")
struct RuleTableTests {
    private static let lines: [String] = {
        let root = #filePath.replacing(/\/Tests\/RoutingTests\/.*/, with: "")
        // Without the document every comparison fails, which tells enough.
        let text = (try? String(contentsOfFile: root + "/docs/failures.md", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }()

    private static func row(_ failure: FailureClass) -> String {
        let rule = FailureRule.of(failure)
        let mark =
            switch rule.mark {
            case .none: "nothing"
            case .count: "counts against the model"
            case .circuit: "opens the model's circuit"
            case .pause: "pauses the credential for this model"
            case .credential: "pauses the credential for every model"
            }
        let answers = [rule.sameCredential, rule.otherCredential, rule.otherCandidate, rule.wait]
            .map { $0 ? "yes" : "no" }.joined(separator: " | ")
        return "| `\(failure.name)` | \(answers) | \(mark) |"
    }

    @Test("has the row of every class", arguments: FailureClass.allCases)
    func row(failure: FailureClass) {
        #expect(Self.lines.contains(Self.row(failure)), "\(Self.row(failure))")
    }
}
