// SPDX-License-Identifier: Apache-2.0
// The embedded provider behind the same interface as a real upstream: its answer comes from this process.

import Curl
import Dialects
import EventLoop
import Gateway
import HTTPClient

/// Plays an echo answer to a delegate, event by event, with the pauses the delegate asks for.
final class EchoUpstream: RunningRequest {
    private unowned let loop: EventLoop
    private weak var delegate: (any TransferDelegate)?
    private let answer: EchoAnswer
    private var nextChunk = 0
    private var headSent = false
    /// It has been read before the answer was made.
    let hasSentBody = true

    init(_ loop: EventLoop, _ answer: EchoAnswer, delegate: any TransferDelegate) {
        self.loop = loop
        self.answer = answer
        self.delegate = delegate
        resume()
    }

    func resume() {
        // The delegate holds this object, so `play` finds both or neither.
        loop.later { [weak self] in self?.play() }
    }

    func cancel() {
        delegate = nil
    }

    private func play() {
        guard let delegate else { return }
        if !headSent {
            headSent = true
            let contentType = Array("content-type: \(answer.contentType)".utf8)
            contentType.withUnsafeBytes { delegate.transferReceived(headLine: $0) }
            delegate.transferReceivedHead(status: answer.status)
        }
        while nextChunk < answer.chunks.count, self.delegate != nil {
            let disposition = answer.chunks[nextChunk].withUnsafeBytes { delegate.transferReceived(body: $0) }
            switch disposition {
            case .taken: nextChunk += 1
            case .pause: return
            case .giveUp:
                return end(.failed(.broken, "given up"))
            }
        }
        end(.complete)
    }

    private func end(_ result: TransferResult) {
        let delegate = delegate
        self.delegate = nil
        delegate?.transferEnded(result)
    }
}
