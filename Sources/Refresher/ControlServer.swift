// SPDX-License-Identifier: Apache-2.0
// The refresher's socket: people's commands, and supervisors that bring workers or want a new refresher. The kernel says
// who is at the other end; commands are for this user and root, the rest is for the group too.
// Source: unix(7), SO_PEERCRED.

import CredentialStore
import Credentials
import EventLoop
import Glibc
import IPC
import Journal
import Posix

final class ControlServer {
    private let listener: FileDescriptor
    private var watch: EventLoop.Watch?
    private unowned let keeper: Keeper
    private let commands: Commands
    private let onDrain: () -> Void
    private var peers: [Peer] = []

    /// Connections at once.
    private static let maximumPeers = 64

    private final class Peer {
        var channel: MessageChannel?
        let mayCommand: Bool

        init(mayCommand: Bool) {
            self.mayCommand = mayCommand
        }
    }

    /// - Parameter onDrain: called when a supervisor asks the process to end.
    init(
        _ listener: consuming FileDescriptor, _ keeper: Keeper, _ commands: Commands,
        onDrain: @escaping () -> Void
    ) throws(Errno) {
        self.listener = listener
        self.onDrain = onDrain
        self.keeper = keeper
        self.commands = commands
        watch = try keeper.environment.loop.watch(self.listener.raw, .readable) { [unowned self] _ in
            self.accept()
        }
    }

    private func accept() {
        do throws(Errno) {
            while let accepted = try Socket.accept(listener.raw) {
                let descriptor = accepted.take()
                let peer = try MessageSocket.peer(descriptor.raw)
                let isOwner = peer.user == geteuid() || peer.user == 0
                guard isOwner || peer.group == getegid(), peers.count < Self.maximumPeers else {
                    keeper.environment.journal.log(
                        .warning, .clientRefused, "user \(peer.user) may not use the refresher's socket")
                    continue
                }
                try open(descriptor, mayCommand: isOwner)
            }
        } catch {
            keeper.environment.journal.log(.error, .limitReached, "the refresher's socket: \(error)")
        }
    }

    private func open(_ descriptor: consuming FileDescriptor, mayCommand: Bool) throws(Errno) {
        let peer = Peer(mayCommand: mayCommand)
        peer.channel = try MessageChannel(
            keeper.environment.loop, descriptor,
            onMessage: { [unowned self, unowned peer] bytes, received in
                self.receive(bytes, &received, peer)
            },
            onClose: { [unowned self, unowned peer] in self.close(peer) })
        peers.append(peer)
    }

    private func close(_ peer: Peer) {
        peer.channel?.close()
        peers.removeAll { $0 === peer }
        commands.left(peer)
    }

    private func receive(
        _ bytes: UnsafeRawBufferPointer, _ received: inout MessageSocket.Received, _ peer: Peer
    ) {
        var reader = WireReader(bytes)
        do {
            switch try MessageHead.kind(&reader) {
            case .supervisorAttach:
                let name = try reader.getString()
                try reader.end()
                guard let descriptor = received.takeDescriptor(), attach(name, descriptor) else {
                    throw WireError.invalidValue("channel \(name)")
                }
            case .supervisorDrain:
                try reader.end()
                onDrain()
            case .commandRequest:
                let command: CredentialCommand = try reader.get()
                try reader.end()
                guard peer.mayCommand else {
                    return reply(
                        CredentialReply(
                            succeeded: false, text: "only the refresher's user and root may do that"), peer)
                }
                commands.run(command, of: peer) { [weak self, weak peer] answer in
                    guard let self, let peer else { return }
                    self.reply(answer, peer)
                }
            case let other: throw WireError.invalidValue("\(other) on the refresher's socket")
            }
        } catch {
            keeper.environment.journal.log(.warning, .clientRefused, "the refresher's socket: \(error)")
            close(peer)
        }
    }

    /// Takes the channel to a worker, a front or an exporter; false for any other name.
    func attach(_ name: String, _ descriptor: consuming FileDescriptor) -> Bool {
        if let provider = RefresherConfig.provider(ofChannel: name) {
            keeper.attach(provider: provider, descriptor)
            return true
        }
        guard name == "front" || name == "exporter" else { return false }
        do throws(Errno) {
            keeper.attach(try ReportLink(keeper, commands, mayCommand: name == "front", descriptor))
        } catch {
            keeper.environment.journal.log(.error, .limitReached, "cannot watch a channel: \(error)")
        }
        return true
    }

    private func reply(_ answer: CredentialReply, _ peer: Peer) {
        var writer = WireWriter()
        MessageHead.begin(.refresherReply, in: &writer)
        writer.put(answer)
        peer.channel?.send(writer.bytes)
    }
}
