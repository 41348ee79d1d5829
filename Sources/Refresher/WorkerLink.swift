// SPDX-License-Identifier: Apache-2.0
// The channel to one worker: keys and changes go there, refusals come back. No token travels here.

import CredentialStore
import Credentials
import EventLoop
import IPC
import Journal
import Posix

final class WorkerLink {
    let provider: String
    private unowned let keeper: Keeper
    private var channel: MessageChannel?
    private var told: [String: CredentialNotice] = [:]

    init(provider: String, _ keeper: Keeper, _ descriptor: consuming FileDescriptor) throws(Errno) {
        self.provider = provider
        self.keeper = keeper
        channel = try MessageChannel(
            keeper.environment.loop, descriptor,
            onMessage: { [unowned self] bytes, _ in self.receive(bytes) },
            onClose: { [unowned self] in self.keeper.detach(self) })
    }

    /// Hands over the keys of the provider's tokens.
    func grant(_ ring: KeyRing) {
        let keys = ring.keys(for: .worker(provider: provider)).map { (number: $0.number, key: $0.key) }
        send(.refresherKeys, WorkerKeys(keys: keys))
    }

    /// Tells where a credential stands, if that is news or `always`.
    func tell(_ runner: Runner, always: Bool = false, retryAfterMsec: UInt64 = 0) {
        let notice = CredentialNotice(
            credential: runner.spec.name, generation: runner.machine.generation, state: runner.machine.state,
            retryAfterMsec: retryAfterMsec)
        guard always || told[notice.credential] != notice else { return }
        told[notice.credential] = notice
        send(.refresherNotice, notice)
    }

    private func send(_ kind: MessageKind, _ message: some WireCodable) {
        var writer = WireWriter()
        MessageHead.begin(kind, in: &writer)
        writer.put(message)
        channel?.send(writer.bytes)
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) {
        var reader = WireReader(bytes)
        do {
            switch try MessageHead.kind(&reader) {
            case .workerRefusal:
                let refusal: TokenRefusal = try reader.get()
                try reader.end()
                keeper.refused(refusal, by: self)
            case .workerCooldown:
                let cooldown: CredentialCooldown = try reader.get()
                try reader.end()
                keeper.coolsDown(cooldown, by: self)
            case let other: throw WireError.invalidValue("\(other) from a worker")
            }
        } catch {
            // Another process's fault must not end the one that holds the secrets: only the channel ends.
            keeper.environment.journal.log(
                .error, .protocolViolation, "message from a worker of \(provider): \(error)")
            channel?.close()
            keeper.detach(self)
        }
    }
}
