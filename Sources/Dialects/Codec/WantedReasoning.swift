// SPDX-License-Identifier: Apache-2.0
// What a client asks of reasoning, with the effort that is in force.

import Gateway

extension CanonicalRequest {
    /// As `reasoning`, with the effort of the latest turn that speaks of it. Thinking that is off has no effort.
    var wantedReasoning: ReasoningRequest {
        var wanted = reasoning
        wanted.effort = reasoning.mode == .off ? nil : effort
        return wanted
    }

    /// The client says neither how much the model should think nor that it should not.
    var leavesEffortOpen: Bool {
        effort == nil && (reasoning.mode == nil || reasoning.mode == .adaptive)
    }
}
