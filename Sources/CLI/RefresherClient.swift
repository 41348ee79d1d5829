// SPDX-License-Identifier: Apache-2.0
// Asks the refresher over its socket and shows what it answers, step by step.

import Config
import Credentials
import IPC
import Posix

enum RefresherClient {
    /// Why there is no answer.
    struct Failure: Error {
        let message: String
    }

    /// Sends one command and calls `step` with every part of the answer; returns the last one.
    static func ask(_ command: CredentialCommand, socket path: String, step: (CredentialReply) -> Void)
        throws(Failure) -> CredentialReply
    {
        do {
            let socket = try MessageSocket.connect(path: path)
            var writer = WireWriter()
            MessageHead.begin(.commandRequest, in: &writer)
            writer.put(command)
            _ = try writer.bytes.withUnsafeBytes { try MessageSocket.send(socket.raw, $0) }
            let buffer = UnsafeMutableRawBufferPointer.allocate(
                byteCount: MessageSocket.maximumMessageBytes, alignment: 16)
            defer { buffer.deallocate() }
            while true {
                try MessageSocket.awaitMessage(socket.raw)
                guard let received = try MessageSocket.receive(socket.raw, into: buffer) else { continue }
                if received.count == 0 { break }
                guard let reply = reply(UnsafeRawBufferPointer(rebasing: buffer[..<received.count])) else {
                    throw Errno("recvmsg", code: 71)  // EPROTO
                }
                if reply.isLast { return reply }
                step(reply)
            }
        } catch {
            throw Failure(
                message: "the refresher does not answer at \(path) (\(error)); it runs beside a "
                    + "gateway whose configuration has credentials, or "
                    + "behind ccr-refresher.socket, for root")
        }
        throw Failure(message: "the refresher closed the connection; its log says why")
    }

    private static func reply(_ bytes: UnsafeRawBufferPointer) -> CredentialReply? {
        var reader = WireReader(bytes)
        guard let kind = try? MessageHead.kind(&reader), kind == .refresherReply,
            let reply = try? reader.get(CredentialReply.self)
        else { return nil }
        return reply
    }
}
