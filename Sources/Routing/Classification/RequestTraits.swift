// SPDX-License-Identifier: Apache-2.0
// What routing knows of a request beside its model and path; read once by `RequestReader`.

package struct RequestTraits: Equatable, Sendable {
    package var signs: RequestSigns = []
    /// Input tokens by estimate; 0 when nobody estimated.
    package var tokens = 0
    package var hasTools = false
    /// The answer has to be JSON of a given schema.
    package var wantsSchema = false
    /// The model that the prompt names for a subagent.
    package var taggedModel: String?
    /// Which of the route table's probes hold, by their place.
    package var headerProbes: UInt64 = 0
    package var toolProbes: UInt64 = 0
    /// Names the conversation: the same for all its requests, 0 when the client does not say.
    package var session: UInt64 = 0
    /// The client wants to know how it was routed.
    package var wantsExplanation = false

    package init() {}

    package var hasImage: Bool { signs.contains(.image) }
}

/// What the rules of a route table look at, so that only this is looked for.
package struct RuleProbes: Equatable, Sendable {
    /// Each header with a pattern of its value, at most 64.
    var headers: [HeaderProbe] = []
    /// Names of tools, at most 64.
    var tools: [[UInt8]] = []
    /// Whether tags that ask for a search mean anything; else they are left where they are.
    var readsSearchTags = false
}

struct HeaderProbe: Equatable, Sendable {
    /// In lower case.
    let name: [UInt8]
    let pattern: [UInt8]
}

/// A 64-bit hash of names that clients give their conversations (FNV-1a, then mixed): not secret, never 0.
package enum SessionHash {
    package static func of(_ name: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return max(1, mixed(hash))
    }

    /// Spreads the bits, so that any of them can be used alone.
    package static func mixed(_ value: UInt64) -> UInt64 {
        var hash = value
        hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
        return hash ^ (hash >> 31)
    }
}
