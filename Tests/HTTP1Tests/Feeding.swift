// SPDX-License-Identifier: Apache-2.0
// Ways of handing the same bytes to a parser.

import HTTP1

/// What a parser made of some bytes, comparable.
enum Outcome: Equatable {
    case incomplete
    case head(summary: String, length: Int)
    case invalid(HTTPError)

    var error: HTTPError? {
        if case .invalid(let error) = self { error } else { nil }
    }
}

/// Feeds the first bytes up to each of `ends` until something other than `incomplete` comes back.
func feed(_ bytes: [UInt8], ends: some Sequence<Int>, limits: HTTPLimits = HTTPLimits()) -> Outcome {
    var parser = RequestParser()
    for end in ends {
        switch parser.parseHead(Array(bytes[..<end]), limits: limits) {
        case .incomplete: continue
        case .head(let head, let length): return .head(summary: summary(of: head), length: length)
        case .invalid(let error): return .invalid(error)
        }
    }
    return .incomplete
}

/// All at once.
func feed(_ text: String, limits: HTTPLimits = HTTPLimits()) -> Outcome {
    feed(Array(text.utf8), ends: CollectionOfOne(text.utf8.count), limits: limits)
}

/// The head of a request that must be valid.
func head(_ text: String) -> RequestHead? {
    var parser = RequestParser()
    guard case .head(let head, _) = parser.parseHead(Array(text.utf8), limits: HTTPLimits()) else {
        return nil
    }
    return head
}

/// Everything a head says, one item a line.
func summary(of head: RequestHead) -> String {
    var lines = [
        "\(head.method) \(head.methodName)", "path \(head.path)", "query \(head.query)",
        "minor \(head.minorVersion)", "body \(head.bodyFraming)", "keep \(head.keepAlive)",
        "expects \(head.expectsContinue)", "upgrade \(head.upgrade)", "coding \(head.contentEncoding)",
    ]
    head.forEachHeader { name, value in
        lines.append(String(decoding: name, as: UTF8.self) + "=" + String(decoding: value, as: UTF8.self))
    }
    return lines.joined(separator: "\n")
}
