// SPDX-License-Identifier: Apache-2.0
// The decision table: what follows from each class of failure. docs/failures.md is compared with it.
// Source: OpenAI and Anthropic SDK retry rules (2026), gRPC retry design (A6), Envoy outlier detection.

package import Gateway

/// What follows from one class of failure, in the order of the members: the first that is possible happens.
package struct FailureRule: Equatable, Sendable {
    /// The same credential is asked again, after a back-off and within the retry budget.
    package let sameCredential: Bool
    /// Another credential of the same provider is asked.
    package let otherCredential: Bool
    /// Another candidate is asked.
    package let otherCandidate: Bool
    /// The request may wait until the provider, or the first of several, can be asked again.
    package let wait: Bool
    /// What the failure says about those that come later.
    package let mark: Mark

    package enum Mark: String, Equatable, Sendable {
        /// Nothing.
        case none
        /// One failure more of the model at this provider; enough of them open its circuit.
        case count
        /// The circuit of the model at this provider opens at once.
        case circuit
        /// The credential is left alone for this model until the time that the provider says.
        case pause
        /// The credential is left alone for every model.
        case credential
    }

    private init(_ same: Bool, _ other: Bool, _ candidate: Bool, _ wait: Bool, _ mark: Mark) {
        sameCredential = same
        otherCredential = other
        otherCandidate = candidate
        self.wait = wait
        self.mark = mark
    }

    /// The row of a class.
    package static func of(_ failure: FailureClass) -> FailureRule {
        switch failure {
        case .network: FailureRule(true, false, true, false, .count)
        case .timeout: FailureRule(false, false, true, false, .count)
        case .server: FailureRule(true, false, true, false, .count)
        case .overload: FailureRule(true, false, true, true, .circuit)
        case .rate: FailureRule(false, true, true, true, .pause)
        case .quota: FailureRule(false, true, true, false, .credential)
        case .authentication: FailureRule(false, true, true, false, .credential)
        case .forbidden: FailureRule(false, true, true, false, .credential)
        case .missing: FailureRule(false, false, true, false, .none)
        case .context: FailureRule(false, false, true, false, .none)
        case .capability: FailureRule(false, false, true, false, .none)
        case .parameter: FailureRule(true, false, false, false, .none)
        case .client: FailureRule(false, false, false, false, .none)
        case .worker: FailureRule(true, false, true, true, .none)
        case .held: FailureRule(false, false, true, true, .none)
        }
    }
}
