// SPDX-License-Identifier: Apache-2.0
// The channel to a front or an exporter: how every credential is goes there. A front also passes on what comes to the
// admin paths; it has checked who may.

import Credentials
import EventLoop
import Gateway
import IPC
import Journal
import Posix

final class ReportLink {
    private unowned let keeper: Keeper
    private let commands: Commands
    private var channel: MessageChannel?

    init(_ keeper: Keeper, _ commands: Commands, mayCommand: Bool, _ descriptor: consuming FileDescriptor)
        throws(Errno)
    {
        self.keeper = keeper
        self.commands = commands
        channel = try MessageChannel(
            keeper.environment.loop, descriptor,
            onMessage: { [unowned self] bytes, _ in self.receive(bytes, mayCommand: mayCommand) },
            onClose: { [unowned self] in self.keeper.detach(self) })
    }

    func report(_ list: [CredentialReport]) {
        send(.refresherReport) { writer in writer.put(list: list) { $0.put($1) } }
    }

    private func send(_ kind: MessageKind, _ body: (inout WireWriter) -> Void) {
        var writer = WireWriter()
        MessageHead.begin(kind, in: &writer)
        body(&writer)
        channel?.send(writer.bytes)
    }

    private func receive(_ bytes: UnsafeRawBufferPointer, mayCommand: Bool) {
        var reader = WireReader(bytes)
        do {
            let kind = try MessageHead.kind(&reader)
            guard kind == .frontCommand, mayCommand else {
                throw WireError.invalidValue("\(kind) on a channel for reports")
            }
            let request: AdminRequest = try reader.get()
            try reader.end()
            commands.answer(request) { [weak self] answer in
                self?.send(.refresherAnswer) { $0.put(answer) }
            }
        } catch {
            // Another process's fault must not end the one that holds the secrets: only the channel ends.
            keeper.environment.journal.log(.error, .protocolViolation, "message from a front: \(error)")
            channel?.close()
            keeper.detach(self)
        }
    }
}
