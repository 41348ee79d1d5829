// SPDX-License-Identifier: Apache-2.0
// Lays a drop-in file over the configuration: objects merge key by key, Providers and Clients by name, all else replaces.

enum ConfigMerge {
    /// Arrays whose elements merge by their names.
    private static let named: Set<String> = ["Providers", "Clients"]

    /// `base` with everything `overlay` says; values keep the position of the file they come from.
    static func merge(_ base: ConfigNode, _ overlay: ConfigNode, isNamed: Bool = false) -> ConfigNode {
        switch (base.value, overlay.value) {
        case (.object(var members), .object(let additions)):
            for addition in additions {
                guard let index = members.lastIndex(where: { $0.key == addition.key }) else {
                    members.append(addition)
                    continue
                }
                let node = merge(members[index].node, addition.node, isNamed: named.contains(addition.key))
                members[index] = ConfigMember(
                    key: addition.key, keyPosition: addition.keyPosition, node: node)
            }
            return ConfigNode(.object(members), at: base.position)
        case (.array(var elements), .array(let additions)) where isNamed:
            for addition in additions {
                let name = addition["name"]?.text
                if let name, let index = elements.firstIndex(where: { $0["name"]?.text == name }) {
                    elements[index] = merge(elements[index], addition)
                } else {
                    elements.append(addition)
                }
            }
            return ConfigNode(.array(elements), at: base.position)
        default:
            return overlay
        }
    }
}
