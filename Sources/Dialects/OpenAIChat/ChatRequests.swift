// SPDX-License-Identifier: Apache-2.0
// The requests of OpenAI Chat Completions and of what is compatible with it.
// Source: OpenAI API reference (chat completions), openai-python 3.52, 2026.

package import Gateway

/// Reads and writes the body of `POST /v1/chat/completions`.
package enum ChatRequests: RequestCodec {
    package static func decode(_ source: RequestSource) throws(GatewayError) -> CanonicalRequest {
        do throws(FieldError) {
            return try ChatRequestReader(source: source).request()
        } catch {
            throw error.gatewayError
        }
    }

    package static func encode(
        _ request: CanonicalRequest, for target: RequestTarget, _ notes: inout RequestNotes
    ) throws(GatewayError) -> [UInt8] {
        var writer = ChatRequestWriter(request: request, target: target, notes: notes)
        let body = writer.body()
        notes = writer.notes
        return body
    }
}
