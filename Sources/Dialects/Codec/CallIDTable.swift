// SPDX-License-Identifier: Apache-2.0
// Ids of calls as a provider takes them. Call and result of one request get the same id, which is all that counts.
// Source: OpenAI (call_id, at most 64 bytes) and Anthropic (^[a-zA-Z0-9_-]+$), API references and refusals of 2026.

struct CallIDTable {
    static let maximumBytes = 64

    private var wireIDs: [String: String] = [:]
    private var taken: Set<String> = []

    /// The id itself where it will do, else one in its place.
    mutating func wireID(_ id: String) -> String {
        if let known = wireIDs[id] { return known }
        var wire = id
        if id.isEmpty || id.utf8.count > CallIDTable.maximumBytes
            || !id.utf8.allSatisfy(ResponsesItemID.isLetter)
        {
            let letters = id.utf8.filter(ResponsesItemID.isLetter).prefix(48)
            wire = String(decoding: letters, as: UTF8.self) + "_0"
        }
        var number = 0
        while !taken.insert(wire).inserted {
            number += 1
            wire = "\(wire.prefix(56))_\(number)"
        }
        wireIDs[id] = wire
        return wire
    }
}
