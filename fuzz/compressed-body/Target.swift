// SPDX-License-Identifier: Apache-2.0
// Fuzzes compressed bodies: the first byte chooses the coding. Whole and byte by byte the same bytes must decode to
// the same, and never to more than the limit.
// Source: RFC 9110 §8.4.1; https://llvm.org/docs/LibFuzzer.html.

import Compression

private let limit = 1 << 18

private func decode(_ coding: ContentCoding, _ bytes: UnsafeRawBufferPointer, step: Int) -> [UInt8]? {
    var output: [UInt8] = []
    do throws(CompressionError) {
        let decoder = try BodyDecoder(coding, maximumOutputBytes: limit)
        for start in stride(from: 0, to: bytes.count, by: step) {
            let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + step, bytes.count)])
            try decoder.decode(piece) { output.append(contentsOf: $0) }
            guard output.count <= limit else { fatalError("more than the limit") }
        }
        try decoder.finish()
        return output
    } catch {
        return nil
    }
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start, count > 0 else { return 0 }
    let body = UnsafeRawBufferPointer(start: start + 1, count: count - 1)
    let coding = ContentCoding.allCases[Int(start.pointee) % ContentCoding.allCases.count]
    guard decode(coding, body, step: 1) == decode(coding, body, step: max(body.count, 1)) else {
        fatalError("\(coding) decodes to something else byte by byte")
    }
    return 0
}
