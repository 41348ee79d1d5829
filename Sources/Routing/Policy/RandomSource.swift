// SPDX-License-Identifier: Apache-2.0
// Random numbers for jitter and sampling, from a seed, so that a test can repeat what happened. Not for secrets.
// Source: SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014).

package struct RandomSource: Equatable, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func uint64() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// 0..<1.
    package mutating func fraction() -> Double { Double(uint64() >> 11) * 0x1p-53 }
}
