// SPDX-License-Identifier: Apache-2.0
// The requests of Anthropic Messages.
// Source: Anthropic API reference (messages, count_tokens), anthropic-python 2.11, Claude Code 2.1.329, 2026.

package import Gateway

/// Reads and writes the body of `POST /v1/messages`.
package enum MessagesRequests: RequestCodec {
    package static func decode(_ source: RequestSource) throws(GatewayError) -> CanonicalRequest {
        do throws(FieldError) {
            return try MessagesRequestReader(source: source).request()
        } catch {
            throw error.gatewayError
        }
    }

    package static func encode(
        _ request: CanonicalRequest, for target: RequestTarget, _ notes: inout RequestNotes
    ) throws(GatewayError) -> [UInt8] {
        var writer = MessagesRequestWriter(request: request, target: target, notes: notes)
        let body = writer.body()
        notes = writer.notes
        return body
    }
}
