// SPDX-License-Identifier: Apache-2.0
// Fuzzes chunked bodies: the same bytes must give the same body, end and error whole and byte by byte.
// Source: RFC 9112 §7.1; https://llvm.org/docs/LibFuzzer.html.

import HTTP1

private struct Decoded: Equatable {
    var body: [UInt8] = []
    var consumed = 0
    var isComplete = false
    var error: HTTPError?

    /// - Parameter step: the bytes of each piece.
    init(_ bytes: UnsafeRawBufferPointer, step: Int) {
        var decoder = ChunkedDecoder(bodyLimit: 1 << 20)
        var position = 0
        while position < bytes.count, !isComplete {
            let end = min(position + step, bytes.count)
            do throws(HTTPError) {
                var piece: [UInt8] = []
                let result = try decoder.decode(UnsafeRawBufferPointer(rebasing: bytes[position..<end])) {
                    piece.append(contentsOf: $0)
                }
                body += piece
                consumed += result.consumed
                isComplete = result.isComplete
                guard isComplete || position + result.consumed == end else { fatalError("bytes left over") }
                position = end
            } catch {
                self.error = error
                // Data in front of a fault in the same piece is of no use to anybody, and differs by piece.
                body = []
                consumed = 0
                return
            }
        }
        guard UInt64(body.count) <= decoder.announcedBytes else { fatalError("more than announced") }
    }
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    let whole = Decoded(bytes, step: max(count, 1))
    guard Decoded(bytes, step: 1) == whole else { fatalError("byte by byte differs from whole") }
    guard Decoded(bytes, step: 7) == whole else { fatalError("pieces of seven differ from whole") }
    return 0
}
