// SPDX-License-Identifier: Apache-2.0
// One request to a token endpoint over the network. It is sent once, follows no redirect, and ends in bounded time.

import Credentials
import Curl
import EventLoop
import Posix

/// What came of a request.
enum ExchangeResult {
    case answered(TokenAnswer)
    /// No byte was written.
    case notSent(String)
    /// Bytes were written and no complete answer came.
    case lost(String)
}

/// A request under way; calls back once, and not after `cancel`.
final class TokenExchange: TransferDelegate {
    /// Until a connection stands, and for everything.
    static let connectMsec = 10_000
    static let totalUsec: UInt64 = 30_000_000

    private var transfer: Transfer?
    private var timer: Timer?
    private var answer = TokenAnswer(status: 0, body: [])
    private var finish: ((ExchangeResult) -> Void)?

    private final class Body: RequestBody {
        let bytes: [UInt8]

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
        }

        var size: Int { bytes.count }

        // The storage of an array that nobody changes stays where it is while the array is held.
        func piece(from offset: Int) -> UnsafeRawBufferPointer {
            bytes.withUnsafeBytes { UnsafeRawBufferPointer(rebasing: $0[offset...]) }
        }
    }

    init(
        _ request: TokenRequest, _ loop: EventLoop, _ pool: TransferPool,
        finish: @escaping (ExchangeResult) -> Void
    ) throws(Errno) {
        self.finish = finish
        timer = try Timer(loop) { [unowned self] in self.timedOut() }
        timer?.arm(afterUsec: Faults.exchangeUsec ?? Self.totalUsec)
        var lines: [UInt8] = []
        for (name, value) in request.headers + [("Expect", "")] {
            lines += Array((value.isEmpty ? "\(name):" : "\(name): \(value)").utf8) + [0]
        }
        transfer = pool.start(
            TransferRequest(
                url: request.url, headers: lines, body: request.body.map { Body($0) },
                connectTimeoutMsec: Self.connectMsec, proxy: nil, usesOwnConnection: true), delegate: self)
    }

    func cancel() {
        finish = nil
        timer = nil
        transfer?.cancel()
        transfer = nil
    }

    private func timedOut() {
        transfer?.cancel()
        transfer = nil
        complete(.lost("no answer within \(Self.totalUsec / 1_000_000) s"))
    }

    private func complete(_ result: ExchangeResult) {
        timer = nil
        let finish = finish
        self.finish = nil
        finish?(result)
    }

    func transferReceived(headLine: UnsafeRawBufferPointer) {
        guard let colon = headLine.firstIndex(of: UInt8(ascii: ":")) else { return }
        let name = String(decoding: headLine[..<colon], as: UTF8.self).lowercased()
        let value = String(decoding: headLine[(colon + 1)...], as: UTF8.self).drop { $0 == " " }
        switch name {
        case "retry-after": answer.retryAfter = String(value)
        case "date": answer.date = String(value)
        case "content-type": answer.contentType = String(value)
        case "cf-ray": answer.isFromCloudflare = true
        default: break
        }
    }

    func transferReceivedHead(status: Int) {
        answer.status = status
        Faults.pass("after_headers")
    }

    func transferReceived(body: UnsafeRawBufferPointer) -> BodyDisposition {
        guard answer.body.count + body.count <= TokenAnswer.maximumBytes else {
            answer.isOversized = true
            return .giveUp
        }
        answer.body += body
        return .taken
    }

    func transferEnded(_ result: TransferResult) {
        transfer = nil
        switch result {
        case _ where answer.isOversized: complete(.answered(answer))
        case .complete: complete(.answered(answer))
        case .failed(let failure, let text):
            switch failure {
            case .resolve, .connect, .proxy, .tls, .connectTimeout: complete(.notSent(text))
            case .broken, .malformed: complete(.lost(text))
            }
        }
    }
}
