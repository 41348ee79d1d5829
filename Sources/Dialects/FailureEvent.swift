// SPDX-License-Identifier: Apache-2.0
// The event that ends a stream which has begun and cannot be completed.
// Source: OpenAI API reference (response.failed), openai-python 3.52 (_streaming.py raises on `error`), Anthropic API
// reference (error events), codex-cli 0.163.0 (ignores a bare `error` event of Responses), 2026-08; google-genai 3.4.0
// (raises on a chunk that begins with `{"error":`).

import Bytes
package import Gateway
import JSON

package enum FailureEvent {
    /// The bytes to append to the stream; the stream ends behind them.
    ///
    /// An event that the upstream left unfinished is ended first, since it cannot be taken back.
    /// - Parameters:
    ///   - error: what the client is told.
    ///   - observer: has seen every byte of the stream.
    ///   - requestID: the id in the answer's request id header.
    package static func render(
        _ error: GatewayError, after observer: borrowing ResponseObserver, requestID: String
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        if !observer.isAtBoundary {
            bytes.append("\n\n")
        }
        switch observer.endpoint.dialect {
        case .chat:
            bytes.append("data: ")
            var writer = JSONWriter(after: bytes)
            writer.object { writer in
                writer.member("error", object: { ErrorBody.writeOpenAI(error, .chat, to: &$0) })
            }
            bytes = writer.bytes
        case .responses:
            bytes.append("event: response.failed\ndata: ")
            var writer = JSONWriter(after: bytes)
            writeFailed(error, observer.events, requestID, to: &writer)
            bytes = writer.bytes
        case .messages:
            bytes.append("event: error\ndata: ")
            var writer = JSONWriter(after: bytes)
            ErrorBody.writeAnthropic(error, requestID: requestID, to: &writer)
            bytes = writer.bytes
        case .gemini:
            bytes.append("data: ")
            var writer = JSONWriter(after: bytes)
            ErrorBody.writeGoogle(error, to: &writer)
            bytes = writer.bytes
        }
        bytes.append("\n\n")
        return bytes
    }

    private static func writeFailed(
        _ error: GatewayError, _ events: EventObserver, _ requestID: String, to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.member("type", "response.failed")
            writer.member("sequence_number", events.nextSequenceNumber)
            writer.member(
                "response",
                object: { writer in
                    // SDKs refuse a last event whose id is not that of the first.
                    writer.member("id", events.responseID ?? "resp_" + requestID)
                    writer.member("object", "response")
                    writer.member("created_at", events.createdAt ?? 0)
                    writer.member("status", "failed")
                    writer.member(
                        "error",
                        object: { writer in
                            writer.member("code", ErrorName(error.kind).failedCode)
                            writer.member("message", error.clientMessage)
                        })
                    writer.member("incomplete_details", nil)
                    writer.member("model", events.model ?? "")
                    writer.member("output", array: { _ in })
                    writer.member("parallel_tool_calls", true)
                    writer.member("tool_choice", "auto")
                    writer.member("tools", array: { _ in })
                    writer.member("usage", nil)
                })
        }
    }
}
