// SPDX-License-Identifier: Apache-2.0
// Token counts of one exchange in disjoint classes, so that they can be added without counting twice.

package import IPC

/// What a provider reported; all zero when it reported nothing.
package struct Usage: Equatable, Sendable, WireCodable {
    /// Input tokens that were neither read from nor written to a cache.
    package var input = 0
    /// Input tokens read from the provider's prompt cache.
    package var cacheRead = 0
    /// Input tokens written to the provider's prompt cache.
    package var cacheWrite = 0
    /// Output tokens, reasoning included.
    package var output = 0
    /// The part of `output` that was reasoning.
    package var reasoning = 0

    package init(input: Int = 0, cacheRead: Int = 0, cacheWrite: Int = 0, output: Int = 0, reasoning: Int = 0)
    {
        self.input = input
        self.cacheRead = cacheRead
        self.cacheWrite = cacheWrite
        self.output = output
        self.reasoning = reasoning
    }

    package func encode(to writer: inout WireWriter) {
        for count in [input, cacheRead, cacheWrite, output, reasoning] { writer.put(Int64(count)) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        input = Int(try reader.get(Int64.self))
        cacheRead = Int(try reader.get(Int64.self))
        cacheWrite = Int(try reader.get(Int64.self))
        output = Int(try reader.get(Int64.self))
        reasoning = Int(try reader.get(Int64.self))
    }
}
