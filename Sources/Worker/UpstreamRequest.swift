// SPDX-License-Identifier: Apache-2.0
// The header fields of a provider: its key, its version field, what the operator adds. Built once per worker.
// Source: API references of OpenAI ("Authentication") and Anthropic ("Versions"), 2026.

package import Gateway

package struct UpstreamHeaders {
    private let ownFields: HeaderBlock
    private let versionField: HeaderBlock
    private let config: WorkerConfig

    package init(_ config: WorkerConfig) {
        self.config = config
        var own = HeaderBlock()
        switch config.auth {
        case .none: break
        case .bearer: own.append("Authorization", "Bearer " + String(decoding: config.key, as: UTF8.self))
        case .apiKey: own.append("x-api-key", String(decoding: config.key, as: UTF8.self))
        }
        for (name, value) in config.extraHeaders.sorted(by: { $0.key < $1.key }) { own.append(name, value) }
        // libcurl adds these on its own unless told not to; a client's own values pass in its header block.
        own.suppress("Expect")
        ownFields = own
        var version = HeaderBlock()
        version.append("anthropic-version", config.anthropicVersion)
        versionField = version
    }

    /// The fields for one request: the client's, then the provider's.
    package func fields(for handoff: HandoffRequest) -> HeaderBlock {
        var block = handoff.headers
        if handoff.endpoint.dialect == .messages, !block.contains("anthropic-version") {
            block.append(versionField)
        }
        if !block.contains("accept") { block.suppress("Accept") }
        if !block.contains("content-type") { block.suppress("Content-Type") }
        block.append(ownFields)
        return block
    }
}
