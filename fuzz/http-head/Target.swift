// SPDX-License-Identifier: Apache-2.0
// Fuzzes request heads: the same bytes must mean the same whole and byte by byte, and an accepted head must not
// hold anything by which another server could read it differently.
// Source: RFC 9112 §11.2; https://llvm.org/docs/LibFuzzer.html.

import HTTP1

/// A result in a form that compares.
private enum Outcome: Equatable {
    case incomplete
    case head(String, Int)
    case invalid(HTTPError)

    init(_ result: RequestParser.Result) {
        switch result {
        case .incomplete: self = .incomplete
        case .head(let head, let length): self = .head(describe(head), length)
        case .invalid(let error): self = .invalid(error)
        }
    }
}

private func describe(_ head: RequestHead) -> String {
    var text = "\(head.methodName) \(head.path) \(head.query) \(head.minorVersion) \(head.bodyFraming)"
    text += " \(head.keepAlive) \(head.expectsContinue) \(head.upgrade) \(head.contentEncoding)"
    head.forEachHeader { name, value in text += "\(Array(name)):\(Array(value))" }
    return text
}

/// Checks what every accepted head has, by counting its lines in another way than the parser.
private func check(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) {
    let lines = bytes.count { $0 == 0x0A }
    let skipped = bytes.first == 0x0D ? 1 : 0
    guard lines == head.headerCount + 2 + skipped else { fatalError("a header line is missing or too many") }
    var lengths = 0
    var codings = 0
    var hosts = 0
    head.forEachHeader { name, value in
        guard !name.isEmpty, !value.contains(where: { $0 == 0x0A || $0 == 0x0D || $0 == 0 }) else {
            fatalError("a header line that is none")
        }
        switch String(decoding: name, as: UTF8.self).lowercased() {
        case "content-length": lengths += 1
        case "transfer-encoding": codings += 1
        case "host": hosts += 1
        default: break
        }
    }
    guard lengths + codings <= 1, hosts == 1 || (hosts == 0 && head.minorVersion == 0) else {
        fatalError("framing or host in doubt")
    }
    guard (head.bodyFraming == .none) == (lengths + codings == 0),
        (head.bodyFraming == .chunked) == (codings == 1)
    else { fatalError("framing other than the header lines say") }
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    let limits = HTTPLimits(headBytes: 1024)
    var parser = RequestParser()
    let result = parser.parseHead(bytes, limits: limits)
    if case .head(let head, let length) = result {
        check(head, UnsafeRawBufferPointer(rebasing: bytes[..<length]))
    }
    let whole = Outcome(result)
    var pieces = RequestParser()
    var piecewise = Outcome.incomplete
    for end in 0...count {
        piecewise = Outcome(pieces.parseHead(UnsafeRawBufferPointer(rebasing: bytes[..<end]), limits: limits))
        guard piecewise == .incomplete else { break }
    }
    guard piecewise == whole else { fatalError("byte by byte: \(piecewise), whole: \(whole)") }
    return 0
}
