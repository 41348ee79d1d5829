// SPDX-License-Identifier: Apache-2.0
// Where a canonical request is going, as encoders need to know it.

package import Gateway

package struct RequestTarget: Equatable, Sendable {
    /// Reasoning state of this origin may be sent, any other must not.
    package var origin: Origin
    /// The answer is wanted as a stream; may differ from what the client wants.
    package var streaming: Bool
    /// How the provider wants things, for this model.
    package var rules: UpstreamRules
    /// What is known of the model: efforts, budgets, window.
    package var model: ModelRules

    /// - Parameter rules: the provider's; what the model changes of them is applied here.
    package init(
        origin: Origin, streaming: Bool, rules: UpstreamRules = UpstreamRules(),
        model: ModelRules = ModelRules()
    ) {
        self.origin = origin
        self.streaming = streaming
        self.rules = model.applied(to: rules)
        self.model = model
    }

    /// Whether a provider of `dialect` may get this state back.
    ///
    /// State that a client carried in its dialect's native field has no known origin: it goes to providers of that
    /// dialect, as it would without ccr.
    package func accepts(_ state: ReasoningState, dialect: Dialect, of request: CanonicalRequest) -> Bool {
        guard let origin = state.origin else { return request.dialect == dialect }
        return origin == self.origin
    }
}
