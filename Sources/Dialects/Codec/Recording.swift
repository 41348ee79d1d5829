// SPDX-License-Identifier: Apache-2.0
// Sounds in requests: the part that Chat and Responses have for them, which Gemini takes as inline data. Nobody else listens.
// Source: OpenAI API reference (input_audio), openai-python 3.52 (wav, mp3); Gemini API reference (audio understanding),
// Qwen (data URLs in input_audio), 2026.

import Gateway
import JSON

enum Recording {
    /// The `type` of the part, and the member that holds data and format.
    static let type = "input_audio"
    /// What stands for a sound or a film where it cannot be played.
    static let absent = "[a recording that is not available]"

    /// The part of a message.
    static func part(
        _ value: JSONValue, _ dialect: Dialect, _ source: RequestSource
    ) throws(FieldError) -> OpaquePart {
        _ = try sound(value)
        return OpaquePart(dialect, type: type, json: source.json(value), summary: absent)
    }

    /// The bytes and their media type. A URL is nothing that a provider of another dialect can be sure to get at.
    static func sound(_ value: JSONValue) throws(FieldError) -> MediaSource? {
        guard let audio = try value.object("input_audio") else { throw FieldError(type, "is missing") }
        do throws(FieldError) {
            let data = try audio.requiredText("data")
            do throws(FieldError) {
                let given = "audio/" + (try audio.text("format") ?? "wav")
                guard !data.hasPrefix("https://"), !data.hasPrefix("http://") else { return nil }
                if data.hasPrefix("data:"), case .base64(let type, let data) = try MediaText.source(url: data)
                {
                    return .base64(mediaType: type.hasPrefix("audio/") ? type : given, data: data)
                }
                guard let bytes = MediaText.standardBase64(data) else { throw FieldError("", "is no base64") }
                return .base64(mediaType: given, data: bytes)
            } catch {
                throw error.path.isEmpty ? error.within("data") : error
            }
        } catch {
            throw error.within(type)
        }
    }
}

extension OpaquePart {
    /// The sound that the part is, for a provider of another dialect that listens.
    var sound: MediaSource? {
        guard type == Recording.type, dialect == .chat || dialect == .responses else { return nil }
        return json.withValue { (try? Recording.sound($0)) ?? nil } ?? nil
    }
}
