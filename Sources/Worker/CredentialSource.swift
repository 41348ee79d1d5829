// SPDX-License-Identifier: Apache-2.0
// A worker's side of the refresher: keeps its provider's tokens ready to be sent, reads them again when they change,
// reports refused ones and lets requests wait for their successors.

import Config
import CredentialStore
import Credentials
import EventLoop
import Gateway
import IPC
import Posix

/// A token in use by one request.
struct CredentialLease {
    let index: Int
    let generation: UInt64
    /// The header fields that carry it.
    let fields: HeaderBlock
    /// Replaces scheme, host and port of the provider's URL.
    let origin: String?
    /// Signs each request, where the provider wants that.
    let keys: SigningKeys?
}

final class CredentialSource {
    private let provider: String
    private let tokensPath: String
    private let loop: EventLoop
    private var tokens: [Token]
    private var keys: [NumberedKey] = []
    private var reader: TokenReader?
    private var channel: MessageChannel?
    private var sweep: Timer?
    private var waiting: [Waiter] = []
    private let complain: (String) -> Void
    /// Since when no refresher has said a word, on the clock of `now`; nil while one is there.
    private var silentSince: UInt64?
    /// How often the store was read; requests never do.
    private(set) var readCount = 0

    private struct Token {
        let name: String
        /// The end of its life in milliseconds of CLOCK_BOOTTIME; 0 without a token.
        var usableUntil: UInt64 = 0
        var lease: CredentialLease?
        var state = CredentialState.empty
        /// No refusal is reported again before this time.
        var quietUntil: UInt64 = 0
        /// The generation that is being asked about.
        var asked: UInt64?
        /// The refresher at the channel's end has said where this credential stands. Its first word is no answer.
        var isKnown = false
    }

    /// A request that waits for a token.
    private struct Waiter {
        let index: Int
        let refused: CredentialLease?
        let deadline: UInt64
        let resume: (Result<CredentialLease, GatewayError>) -> Void
    }

    /// How long a request waits for a token, in milliseconds, and how often it is looked whether the time is over.
    private let waitMsec: UInt64
    private static let lookUsec: UInt64 = 250_000
    /// Requests that may wait.
    private static let maximumWaiting = 10_000
    /// A refused token is not asked about again for this long.
    private static let quietMsec: UInt64 = 60_000
    /// Read at the start: the file is out of reach of the sandbox.
    private let bootID = Clock.bootID()

    init(
        provider: String, members: [CredentialMember], tokensPath: String, _ loop: EventLoop,
        complain: @escaping (String) -> Void
    ) throws(Errno) {
        self.provider = provider
        self.tokensPath = tokensPath
        self.loop = loop
        self.complain = complain
        waitMsec = UInt64(members.map(\.waitMsec).max() ?? 15_000)
        tokens = members.map { Token(name: $0.name) }
        sweep = try Timer(loop, accuracyUsec: Self.lookUsec / 4) { [unowned self] in self.dropLate() }
        silentSince = now
    }

    // MARK: - Requests

    /// A token of the credential that front has chosen: at once when there is one, which costs a look into memory.
    ///
    /// - Parameter isOnly: front knows of no other that could be used in its place, so that its token is waited for.
    func acquire(
        _ name: String, isOnly: Bool, _ resume: @escaping (Result<CredentialLease, GatewayError>) -> Void
    ) {
        guard let index = index(of: name) else { return resume(.failure(unavailable())) }
        if let lease = lease(index) { return resume(.success(lease)) }
        guard isOnly, mayCome(index), waiting.count < Self.maximumWaiting else {
            return resume(.failure(unavailable()))
        }
        wait(index, refused: nil, resume)
    }

    /// A token of whichever credential has one, for what is the same with each of them.
    func acquireAny(_ resume: @escaping (Result<CredentialLease, GatewayError>) -> Void) {
        let usable = tokens.indices.first { lease($0) != nil } ?? tokens.indices.first { mayCome($0) }
        acquire(tokens[usable ?? 0].name, isOnly: true, resume)
    }

    private func index(of name: String) -> Int? { tokens.firstIndex { $0.name == name } }

    @inline(__always)
    private func lease(_ index: Int) -> CredentialLease? {
        tokens[index].usableUntil > now ? tokens[index].lease : nil
    }

    /// The provider answered 401 to a token: `resume` gets a newer one, or the reason why not.
    func refused(
        _ lease: CredentialLease, _ resume: @escaping (Result<CredentialLease, GatewayError>) -> Void
    ) {
        if let newer = newer(than: lease) { return resume(.success(newer)) }
        let token = tokens[lease.index]
        if token.quietUntil > now { return resume(.failure(denied(lease))) }
        guard isRefresherExpected, waiting.count < Self.maximumWaiting else {
            return resume(
                .failure(
                    GatewayError(
                        .overloaded, "the credential of \(provider) was refused, and no refresher runs",
                        retryAfter: 5)))
        }
        ask(about: lease)
        wait(lease.index, refused: lease, resume)
    }

    /// Whether there is a refresher, or it has not been gone for longer than a request waits: it may be starting anew.
    private var isRefresherExpected: Bool { silentSince.map { now < $0 + waitMsec } ?? true }

    /// Reports a refused token, once; one that is refused while no refresher is there is reported when it comes.
    private func ask(about lease: CredentialLease) {
        let token = tokens[lease.index]
        guard let channel, channel.takesMessages, token.isKnown, token.asked != lease.generation else {
            return
        }
        tokens[lease.index].asked = lease.generation
        var writer = WireWriter()
        MessageHead.begin(.workerRefusal, in: &writer)
        writer.put(TokenRefusal(credential: tokens[lease.index].name, generation: lease.generation))
        channel.send(writer.bytes)
    }

    private func newer(than lease: CredentialLease) -> CredentialLease? {
        guard let held = tokens[lease.index].lease, held.generation > lease.generation else { return nil }
        return held
    }

    /// The provider wants a credential to be left alone for these seconds, which front sees to: the refresher shows it.
    func coolsDown(_ lease: CredentialLease, seconds: Int) {
        var writer = WireWriter()
        MessageHead.begin(.workerCooldown, in: &writer)
        writer.put(
            CredentialCooldown(credential: tokens[lease.index].name, seconds: UInt32(clamping: seconds)))
        channel?.send(writer.bytes)
    }

    /// A token was refused when its answer could not be asked for again: a new one is there for the next request.
    func report(_ lease: CredentialLease) {
        guard newer(than: lease) == nil, tokens[lease.index].quietUntil <= now else { return }
        ask(about: lease)
    }

    private func wait(
        _ index: Int, refused: CredentialLease?,
        _ resume: @escaping (Result<CredentialLease, GatewayError>) -> Void
    ) {
        waiting.append(Waiter(index: index, refused: refused, deadline: now + waitMsec, resume: resume))
        if waiting.count == 1 { sweep?.arm(afterUsec: Self.lookUsec) }
    }

    /// Whether a token may still come without a person.
    private func mayCome(_ index: Int) -> Bool {
        !tokens[index].state.needsPerson && tokens[index].state != .storageBlocked
    }

    private func unavailable() -> GatewayError {
        let states = tokens.map { "\($0.name): \($0.state.rawValue)" }.joined(separator: ", ")
        var text = "no credential of \(provider) can be used (\(states))"
        if let lost = tokens.first(where: { $0.state == .needsLogin }) {
            text += "; run ccr login \(lost.name)"
        }
        let isPassing = tokens.indices.contains { mayCome($0) }
        return GatewayError(isPassing ? .overloaded : .upstreamUnreachable, text)
    }

    private func denied(_ lease: CredentialLease) -> GatewayError {
        let name = tokens[lease.index].name
        let state = tokens[lease.index].state
        let text = "\(provider) refuses the credential \(name) (\(state.rawValue))"
        guard state.needsPerson else { return GatewayError(.overloaded, text, retryAfter: 5) }
        return GatewayError(
            .upstreamUnreachable, state == .needsLogin ? "\(text); run ccr login \(name)" : text)
    }

    // MARK: - The refresher

    /// The channel to a refresher; a new one replaces the old one.
    func attach(_ descriptor: consuming FileDescriptor) {
        do {
            channel = try MessageChannel(
                loop, descriptor, onMessage: { [unowned self] bytes, _ in self.receive(bytes) },
                onClose: { [unowned self] in self.refresherGone() })
            forgetRefresher()
        } catch {
            complain("cannot watch the refresher's channel: \(error)")
        }
    }

    /// Tokens are good without a refresher; those who wait for a new one wait for the next refresher.
    private func refresherGone() {
        channel = nil
        forgetRefresher()
    }

    /// What was asked of the one before is asked of the next one, once that has said where the credentials stand.
    private func forgetRefresher() {
        if silentSince == nil { silentSince = now }
        for index in tokens.indices {
            tokens[index].asked = nil
            tokens[index].isKnown = false
        }
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) {
        var message = WireReader(bytes)
        do {
            switch try MessageHead.kind(&message) {
            case .refresherKeys:
                let granted: WorkerKeys = try message.get()
                try message.end()
                keys = granted.keys.map { NumberedKey(number: $0.number, key: $0.key) }
                // The file may be another one than that of the refresher before.
                reader = nil
                read()
                settle()
            case .refresherNotice:
                let notice: CredentialNotice = try message.get()
                try message.end()
                take(notice)
            case let other: throw WireError.invalidValue("\(other) from the refresher")
            }
        } catch {
            complain("message from the refresher: \(error)")
            channel?.close()
            refresherGone()
        }
    }

    private func take(_ notice: CredentialNotice) {
        guard let index = index(of: notice.credential) else { return }
        let held = tokens[index].lease?.generation ?? 0
        let isFirst = !tokens[index].isKnown
        silentSince = nil
        tokens[index].isKnown = true
        tokens[index].state = notice.state
        if notice.generation > held || notice.state == .denied { read() }
        if notice.state == .denied || notice.state == .crypto || notice.state == .disabled {
            tokens[index].usableUntil = 0
        }
        if notice.state != .refreshing, notice.state != .suspect {
            if tokens[index].asked == notice.generation {
                tokens[index].quietUntil = now + Self.quiet(notice)
            }
            tokens[index].asked = nil
        }
        if isFirst { askAgain(about: index) }
        settle()
    }

    /// A refresher has come: it is told what was refused meanwhile.
    private func askAgain(about index: Int) {
        let refused = waiting.lazy.compactMap(\.refused).first {
            $0.index == index && self.newer(than: $0) == nil
        }
        if let refused { ask(about: refused) }
    }

    /// How long a token that was asked about in vain is not asked about again.
    private static func quiet(_ notice: CredentialNotice) -> UInt64 {
        if notice.retryAfterMsec > 0 { return min(notice.retryAfterMsec, quietMsec) }
        return notice.state.needsPerson ? quietMsec : 1000
    }

    /// Resumes whoever can go on, or never will.
    private func settle() {
        let list = waiting
        waiting = []
        for waiter in list {
            if let refused = waiter.refused {
                if let newer = newer(than: refused) {
                    waiter.resume(.success(newer))
                } else if !tokens[refused.index].isKnown
                    || tokens[refused.index].asked == refused.generation
                {
                    waiting.append(waiter)
                } else {
                    waiter.resume(.failure(denied(refused)))
                }
            } else if let lease = lease(waiter.index) {
                waiter.resume(.success(lease))
            } else if mayCome(waiter.index) {
                waiting.append(waiter)
            } else {
                waiter.resume(.failure(unavailable()))
            }
        }
    }

    private func dropLate() {
        let late = waiting.filter { $0.deadline <= now }
        waiting.removeAll { $0.deadline <= now }
        for waiter in late {
            waiter.resume(
                .failure(
                    GatewayError(.overloaded, "no new token for \(provider) came in time", retryAfter: 5)))
        }
        if !waiting.isEmpty { sweep?.arm(afterUsec: Self.lookUsec) }
    }

    // MARK: - The store

    /// Reads every row of the provider again.
    private func read() {
        readCount += 1
        do throws(StoreError) {
            let reader = try openReader()
            for row in try reader.rows(of: provider) { take(row) }
        } catch {
            reader = nil
            complain("the tokens of \(provider) cannot be read: \(error)")
        }
    }

    /// The store is there once the refresher has run; until then the next message tries again.
    private func openReader() throws(StoreError) -> TokenReader {
        if let reader { return reader }
        let opened = try TokenReader(path: tokensPath)
        reader = opened
        return opened
    }

    private func take(_ row: TokenRow) {
        guard let index = index(of: row.credential) else { return }
        tokens[index].state = row.state
        guard let opened = Envelope.open(row.sealed, keys, row.place),
            let token = PublishedToken(sealedForm: opened)
        else {
            tokens[index].usableUntil = 0
            return
        }
        if tokens[index].lease?.generation != row.generation {
            var fields = HeaderBlock()
            for field in token.fields {
                fields.append(field.name, String(decoding: field.value.expose(), as: UTF8.self))
            }
            tokens[index].lease = CredentialLease(
                index: index, generation: row.generation, fields: fields, origin: token.origin,
                keys: token.keys)
            tokens[index].quietUntil = 0
        }
        tokens[index].usableUntil = end(of: row)
    }

    /// The end of the token's life on this boot's clock.
    private func end(of row: TokenRow) -> UInt64 {
        guard let expiresAt = row.expiresAt else { return .max }
        if row.bootID == bootID, let deadline = row.deadline { return deadline }
        let left = expiresAt - Int(Clock.realtimeUsec() / 1_000_000)
        return left > 0 ? now + UInt64(left) * 1000 : 0
    }

    private var now: UInt64 { Clock.boottimeUsec() / 1000 }
}
