// SPDX-License-Identifier: Apache-2.0
// Bytes of images and documents as text: base64, and data URLs that hold it.
// Source: RFC 4648 §4 and §5, RFC 2397.

import Bytes
import Gateway

enum MediaText {
    private static let digit: UInt8 = 1
    private static let urlDigit: UInt8 = 2
    private static let classes: [UInt8] = {
        var classes = [UInt8](repeating: 0, count: 256)
        for byte in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8 {
            classes[Int(byte)] = digit
        }
        for byte in "-_".utf8 { classes[Int(byte)] = urlDigit }
        return classes
    }()

    /// The text as standard base64 with padding, whichever of the two alphabets and with or without padding it was
    /// written; nil when it is no base64. The empty text is none: a picture without a byte is no picture.
    static func standardBase64(_ text: String) -> String? {
        var text = text
        let verdict = text.withUTF8 { bytes -> (isStandard: Bool, missing: Int)? in
            var end = bytes.count
            while end > 0, bytes.count - end < 2, bytes[end - 1] == UInt8(ascii: "=") { end -= 1 }
            let padding = bytes.count - end
            guard end > 0, end % 4 != 1, padding == 0 || bytes.count % 4 == 0 else { return nil }
            var isStandard = true
            for index in 0..<end {
                let class_ = classes[Int(bytes[index])]
                guard class_ != 0 else { return nil }
                if class_ == urlDigit { isStandard = false }
            }
            return (isStandard, padding > 0 ? 0 : (4 - end % 4) % 4)
        }
        guard let verdict else { return nil }
        if verdict.isStandard, verdict.missing == 0 { return text }
        var bytes = Array(text.utf8)
        for index in bytes.indices {
            switch bytes[index] {
            case UInt8(ascii: "-"): bytes[index] = UInt8(ascii: "+")
            case UInt8(ascii: "_"): bytes[index] = UInt8(ascii: "/")
            default: break
            }
        }
        bytes.append(contentsOf: repeatElement(UInt8(ascii: "="), count: verdict.missing))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The source that a URL stands for: its bytes when it is a data URL, else the URL itself.
    ///
    /// - Throws: for a data URL without base64 or with a broken one; the path is the URL's own.
    static func source(url: String) throws(FieldError) -> MediaSource {
        guard url.utf8.count >= 5, url.prefix(5).lowercased() == "data:" else {
            guard !url.isEmpty else { throw FieldError("", "must not be empty") }
            return .url(url)
        }
        guard let comma = url.utf8.firstIndex(of: ASCII.comma) else {
            throw FieldError("", "is a data URL without data")
        }
        let head = url[url.index(url.startIndex, offsetBy: 5)..<comma]
        let parameters = head.split(separator: ";", omittingEmptySubsequences: false)
        guard parameters.dropFirst().contains(where: { $0.lowercased() == "base64" }) else {
            throw FieldError("", "is a data URL without base64")
        }
        guard let data = standardBase64(String(url[url.utf8.index(after: comma)...])) else {
            throw FieldError("", "is no base64")
        }
        let mediaType = parameters.first.map(String.init) ?? ""
        return .base64(mediaType: mediaType.isEmpty ? "application/octet-stream" : mediaType, data: data)
    }

    static func dataURL(mediaType: String, data: String) -> String { "data:\(mediaType);base64,\(data)" }
}
