// SPDX-License-Identifier: Apache-2.0
// The channel to the refresher: how every credential is comes from there, requests to admin paths go there. Front has
// checked who may; it keeps nothing of what passes.

import EventLoop
import Gateway
import IPC
import Posix

final class RefresherLink {
    private unowned let front: FrontProcess
    private var channel: MessageChannel?
    /// As the refresher last described them; empty without one.
    private(set) var credentials: [CredentialReport] = []
    private var requests: [UInt64: ClientRequest] = [:]

    /// The largest body of an admin path.
    static let maximumBytes = 64 << 10

    init(_ front: FrontProcess) {
        self.front = front
    }

    /// Takes the channel over; a new one replaces the old one.
    func attach(_ descriptor: consuming FileDescriptor) throws(Errno) {
        channel?.close()
        failAll()
        channel = try MessageChannel(
            front.loop, descriptor, onMessage: { [unowned self] bytes, _ in self.handle(bytes) },
            onClose: { [unowned self] in
                self.front.tick()
                self.channel = nil
                self.failAll()
            })
    }

    /// Passes a request on, and its answer back.
    func ask(_ request: ClientRequest, _ verb: AdminRequest.Verb) {
        guard let channel else {
            return front.finish(
                request, with: GatewayError(.overloaded, "no refresher is running", retryAfter: 1))
        }
        let body = request.body?.withBytes { bytes in Array(bytes) } ?? []
        request.body = nil
        guard body.count <= Self.maximumBytes else {
            return front.finish(
                request, with: GatewayError(.tooLarge, "the body is larger than \(Self.maximumBytes) bytes"))
        }
        var writer = WireWriter()
        MessageHead.begin(.frontCommand, in: &writer)
        writer.put(AdminRequest(tag: request.tag, verb: verb, body: body))
        requests[request.tag] = request
        channel.send(writer.bytes)
    }

    private func handle(_ bytes: UnsafeRawBufferPointer) {
        front.tick()
        var reader = WireReader(bytes)
        do {
            switch try MessageHead.kind(&reader) {
            case .refresherReport:
                credentials = try reader.getList { (reader) throws(WireError) in
                    try reader.get(CredentialReport.self)
                }
                try reader.end()
                front.models.credentialsChanged(credentials)
            case .refresherAnswer:
                let answer: AdminAnswer = try reader.get()
                try reader.end()
                guard let request = requests.removeValue(forKey: answer.tag) else { return }
                guard !request.isAbandoned else {
                    front.record(request, status: 499, outcome: .aborted, rejection: nil)
                    return request.connection.answered(reusable: false)
                }
                front.answerLocally(request, status: Int(answer.status), body: answer.body)
            case let other: throw WireError.invalidValue("\(other) from the refresher")
            }
        } catch {
            front.protocolViolation("message from the refresher: \(error)")
        }
    }

    private func failAll() {
        let unanswered = requests.values
        requests = [:]
        for request in unanswered {
            front.finish(
                request, with: GatewayError(.overloaded, "the refresher has gone; try again", retryAfter: 1))
        }
    }
}
