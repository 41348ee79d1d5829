// SPDX-License-Identifier: Apache-2.0
// Ids of calls as a Chat provider takes them. Call and result of one request get the same id, which is all that counts.
// Source: OpenAI (at most 64 bytes), Mistral (nine letters and digits), refusals of 2026.

import Gateway

struct ChatCallIDs {
    private static let maximumBytes = 64

    private let form: CallIDForm
    private var wireIDs: [String: String] = [:]
    private var taken: Set<String> = []

    init(_ form: CallIDForm) { self.form = form }

    /// The id itself where it will do, else one in its place that is the same in every request.
    mutating func wireID(_ id: String) -> String {
        if let known = wireIDs[id] { return known }
        var wire = id
        var salt: UInt8 = 0
        while !fits(wire) || !taken.insert(wire).inserted {
            wire = Self.digest(id, salt)
            salt &+= 1
        }
        wireIDs[id] = wire
        return wire
    }

    private func fits(_ id: String) -> Bool {
        switch form {
        case .any: !id.isEmpty && id.utf8.count <= Self.maximumBytes
        case .nineAlphanumerics: id.utf8.count == 9 && id.utf8.allSatisfy(Self.isAlphanumeric)
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        ResponsesItemID.isLetter(byte) && byte != UInt8(ascii: "_") && byte != UInt8(ascii: "-")
    }

    /// Nine letters and digits from FNV-1a, 64 bits: calls are few, and the digest is no secret.
    private static func digest(_ id: String, _ salt: UInt8) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in id.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        hash = (hash ^ UInt64(salt)) &* 0x0000_0100_0000_01B3
        let letters = Array("0123456789abcdefghijklmnopqrstuvwxyz".utf8)
        var text: [UInt8] = []
        for _ in 0..<9 {
            text.append(letters[Int(hash % 36)])
            hash /= 36
        }
        return String(decoding: text, as: UTF8.self)
    }
}
