// SPDX-License-Identifier: Apache-2.0
// The bounds of this layer. Nothing that a client sends is held or skipped without one.

/// Bounds of a request head; the bounds of a chunked body are constants.
package struct HTTPLimits: Sendable {
    /// Bytes of a head from its request line to its empty line, both included, and a CRLF before it.
    package var headBytes: Int

    package init(headBytes: Int = 65_536) {
        self.headBytes = headBytes
    }

    /// Header lines of one head.
    package static let headers = 128
    /// Chunk extensions of one body, all chunks together.
    package static let chunkExtensionBytes = 1024
    /// The trailer section of one body.
    package static let trailerBytes = 8192
}
