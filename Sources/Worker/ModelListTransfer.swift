// SPDX-License-Identifier: Apache-2.0
// One GET for a provider's list of models: bounded in bytes and time, no redirect is followed.

import Curl
import EventLoop
import HTTPClient
import Posix

final class ModelListTransfer: TransferDelegate {
    /// What came of it; the text says why nothing did.
    enum Outcome {
        case answered(status: Int, body: [UInt8])
        case failed(String)
    }

    /// ChatGPT's list carries a prompt for each model.
    static let maximumBytes = 4 << 20
    static let totalUsec: UInt64 = 30_000_000

    private var transfer: (any RunningRequest)?
    private var timer: Timer?
    private var status = 0
    private var body: [UInt8] = []
    private var finish: ((Outcome) -> Void)?

    /// - Parameter finish: called once, from the event loop.
    init(
        _ request: TransferRequest, _ loop: EventLoop, _ client: HTTPClient,
        finish: @escaping (Outcome) -> Void
    ) throws(Errno) {
        self.finish = finish
        timer = try Timer(loop) { [unowned self] in
            self.transfer?.cancel()
            self.end(.failed("no answer within \(Self.totalUsec / 1_000_000) s"))
        }
        timer?.arm(afterUsec: Self.totalUsec)
        transfer = client.start(request, delegate: self)
    }

    private func end(_ outcome: Outcome) {
        transfer = nil
        timer = nil
        let finish = finish
        self.finish = nil
        finish?(outcome)
    }

    func transferReceived(headLine: UnsafeRawBufferPointer) {}

    func transferReceivedHead(status: Int) { self.status = status }

    func transferReceived(body part: UnsafeRawBufferPointer) -> BodyDisposition {
        guard body.count + part.count <= Self.maximumBytes else {
            body = []
            return .giveUp
        }
        body += part
        return .taken
    }

    func transferEnded(_ result: TransferResult) {
        switch result {
        case .complete: end(.answered(status: status, body: body))
        case .failed(_, let text): end(.failed(text))
        }
    }
}
