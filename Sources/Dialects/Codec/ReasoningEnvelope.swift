// SPDX-License-Identifier: Apache-2.0
// The envelope in which a client carries another dialect's reasoning state for ccr:
// "ccr1:" and base64url of a version-free binary record. Its origin is part of it; a state goes back to nobody else.
// It is not signed: whoever can change it could as well send the provider a state of their own.
// Source: RFC 4648 §5 (base64url without padding).

package import Gateway
import IPC

package enum ReasoningEnvelope {
    package static let prefix: StaticString = "ccr1:"
    /// How an envelope begins in base64, the form of Gemini's signatures.
    package static let encodedPrefix: StaticString = "Y2NyMT"
    /// Longer envelopes are not opened. Encrypted thoughts of one turn have some 10 to 100 KB.
    package static let maximumBytes = 8 << 20

    /// Whether a text claims to be an envelope.
    package static func isEnvelope(_ text: String) -> Bool {
        text.utf8.starts(with: UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount))
    }

    /// The text for the client's opaque field; nil for a state without a known origin, which needs none.
    package static func seal(_ state: ReasoningState) -> String? {
        guard let origin = state.origin else { return nil }
        var writer = WireWriter()
        writer.put(state.form.rawValue)
        writer.put(origin.provider)
        writer.put(origin.model)
        writer.put(state.itemID) { $0.put($1) }
        writer.put(state.bytes)
        return "\(prefix)\(Base64URL.encode(writer.bytes))"
    }

    /// The state inside; nil when the text is no envelope or a damaged one, which is then dropped.
    package static func open(_ text: String) -> ReasoningState? {
        guard isEnvelope(text), text.utf8.count <= maximumBytes,
            let bytes = Base64URL.decode(text.utf8.dropFirst(prefix.utf8CodeUnitCount))
        else { return nil }
        return bytes.withUnsafeBytes { view in
            var reader = WireReader(view)
            do {
                let form: ReasoningState.Form = try reader.getCase()
                let provider = try reader.getString()
                let model = try reader.getString()
                let itemID = try reader.getOptional { (reader) throws(WireError) in try reader.getString() }
                let payload = try reader.getArray()
                try reader.end()
                return ReasoningState(
                    form, origin: Origin(provider: provider, model: model), bytes: payload, itemID: itemID)
            } catch {
                // A client cut or changed it; without the state the provider thinks anew.
                return nil
            }
        }
    }
}

/// base64url without padding (RFC 4648 §5).
package enum Base64URL {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let invalid: UInt8 = 0xFF
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: invalid, count: 256)
        for (value, letter) in alphabet.enumerated() { values[Int(letter)] = UInt8(value) }
        return values
    }()

    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 4 + 2) / 3)
        var buffer: UInt32 = 0
        var bits = 0
        for byte in bytes {
            buffer = buffer << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(alphabet[Int(buffer >> UInt32(bits)) & 0x3F])
            }
        }
        if bits > 0 { text.append(alphabet[Int(buffer << UInt32(6 - bits)) & 0x3F]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// - Returns: nil for a letter outside the alphabet, an impossible length, or bits left over that are not zero.
    package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 3 / 4)
        var buffer: UInt32 = 0
        var bits = 0
        for letter in text {
            let value = values[Int(letter)]
            guard value != invalid else { return nil }
            buffer = buffer << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bits)))
            }
        }
        guard buffer & ((1 << UInt32(bits)) - 1) == 0 else { return nil }
        return bytes
    }
}
