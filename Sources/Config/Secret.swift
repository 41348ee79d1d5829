// SPDX-License-Identifier: Apache-2.0
// A key or token from the configuration that no message, log or dump shows.

/// Bytes that are only given away on request.
package struct Secret: Equatable, Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    private let bytes: [UInt8]

    package init(_ text: String) {
        bytes = Array(text.utf8)
    }

    package init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The secret itself; do not put it into text that is shown.
    package func expose() -> [UInt8] { bytes }

    package var isEmpty: Bool { bytes.isEmpty }

    /// Always "…".
    package var description: String { "…" }
    /// Always "…".
    package var debugDescription: String { "…" }
    /// Nothing, so that `dump` and string interpolation of an owner stay silent.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
