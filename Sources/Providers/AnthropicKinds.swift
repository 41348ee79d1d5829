// SPDX-License-Identifier: Apache-2.0
// Anthropic's own API.
// Sources, read 2026-11-21: anthropic-python 2.11.0 (_client.py, _constants.py, types); platform documents of 2026-08.

import Gateway

extension ProviderTable {
    static let anthropicKinds: [ProviderProfile] = [
        ProviderProfile(
            "anthropic",
            [Surface(.messages, version: "/v1", also: [.countTokens])],
            auth: .apiKey, errors: .anthropic,
            rules: rules([.midSystem, .cacheControl, .webSearch]) {
                // types/tool_param.py: ^[a-zA-Z0-9_-]{1,128}$.
                $0.toolNameBytes = 128
                $0.temperatureMilli = 1_000
                $0.stopCount = 8_191
            })
    ]
}
