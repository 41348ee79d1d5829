// SPDX-License-Identifier: Apache-2.0
// The body of GET /v1/presets.
// Source: CCR-Rust, which answers an array of {name, route, max_tokens, temperature}; effort is ccr's.

import JSON

package enum PresetList {
    /// Every preset in the order of the configuration, its route followed to the provider.
    package static func body(_ table: RouteTable) -> [UInt8] {
        var writer = JSONWriter()
        writer.array { writer in
            for preset in table.presets {
                let owner = preset.destination.providers.first.map { table.providers[$0].name } ?? ""
                writer.object { writer in
                    writer.key("name")
                    writer.string(preset.name)
                    writer.key("route")
                    writer.string("\(owner),\(preset.destination.model)")
                    writer.key("max_tokens")
                    if let limit = preset.overrides.maxTokens { writer.int(limit) } else { writer.null() }
                    writer.key("temperature")
                    if let value = preset.overrides.temperature {
                        writer.double(value)
                    } else {
                        writer.null()
                    }
                    writer.key("effort")
                    if let effort = preset.overrides.effort { writer.string(effort) } else { writer.null() }
                }
            }
        }
        return writer.bytes
    }
}
