// SPDX-License-Identifier: Apache-2.0
// Runs one login in a browser on this machine: listens on a loopback port for the browser's way back, exchanges the
// code. Nobody but a process of this machine can connect, and without the login's state nothing counts.
// Source: RFC 8252 §7.3, §8.3.

import Config
import Credentials
import EventLoop
import Glibc
import Posix

final class BrowserFlow {
    private let login: BrowserLogin
    private let listener: SharedDescriptor
    private let environment: KeeperEnvironment
    private let show: (String) -> Void
    private var done: ((LoginResult) -> Void)?
    private var watch: EventLoop.Watch?
    private var visitors: [Visitor] = []
    private var exchange: TokenExchange?
    private var timer: Timer?

    /// Until the person is given up, and how much of a request is read.
    private static let waitUsec: UInt64 = 900_000_000
    private static let maximumBytes = 16 << 10
    private static let maximumVisitors = 8

    private final class Visitor {
        let descriptor: FileDescriptor
        var watch: EventLoop.Watch?
        var bytes: [UInt8] = []

        init(_ descriptor: consuming FileDescriptor) {
            self.descriptor = descriptor
        }
    }

    /// - Throws: the error of the last port when none can be bound.
    init(
        _ profile: TokenProfile, clientSecret: Secret?, _ environment: KeeperEnvironment,
        show: @escaping (String) -> Void, done: @escaping (LoginResult) -> Void
    ) throws(Errno) {
        let (listener, port) = try Self.listen(profile.browser?.ports ?? [])
        guard let login = BrowserLogin(profile, clientSecret: clientSecret, port: port) else {
            throw Errno("bind", code: EINVAL)
        }
        self.login = login
        self.listener = listener
        self.environment = environment
        self.show = show
        self.done = done
    }

    deinit {
        close()
        // A request under way keeps itself alive, and would answer to nobody.
        exchange?.cancel()
    }

    private static func listen(_ ports: [UInt16]) throws(Errno) -> (SharedDescriptor, UInt16) {
        var failure = Errno("bind", code: EADDRINUSE)
        for port in ports {
            do throws(Errno) {
                let descriptor = try Socket.listen(.tcp(host: "127.0.0.1", port: port), backlog: 8)
                return (SharedDescriptor(descriptor), port)
            } catch {
                failure = error
            }
        }
        throw failure
    }

    func start() {
        do throws(Errno) {
            watch = try environment.loop.watch(listener.raw, .readable) { [unowned self] _ in self.accept() }
            timer = try Timer(environment.loop) { [unowned self] in
                self.end(.failed("nobody logged in in time; start the login again"))
            }
            timer?.arm(afterUsec: Self.waitUsec)
            show(login.pageURL)
        } catch {
            end(.failed("\(error)"))
        }
    }

    private func accept() {
        do throws(Errno) {
            while let accepted = try Socket.accept(listener.raw) {
                let visitor = Visitor(accepted.take())
                if visitors.count >= Self.maximumVisitors { dismiss(visitors[0]) }
                visitor.watch = try environment.loop.watch(visitor.descriptor.raw, .readable) {
                    [unowned self, unowned visitor] _ in self.read(visitor)
                }
                visitors.append(visitor)
            }
        } catch {
            end(.failed("\(error)"))
        }
    }

    private func dismiss(_ visitor: Visitor) {
        visitor.watch?.cancel()
        visitors.removeAll { $0 === visitor }
    }

    private func read(_ visitor: Visitor) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let raw = visitor.descriptor.raw
        let result = buffer.withUnsafeMutableBytes { bytes in try? Socket.receive(raw, into: bytes) }
        guard case .bytes(let count)? = result, visitor.bytes.count + count <= Self.maximumBytes else {
            if case .wouldBlock? = result { return }
            return dismiss(visitor)
        }
        visitor.bytes += buffer[..<count]
        guard let end = visitor.bytes.firstIndex(of: 0x0A) else { return }
        let line = visitor.bytes[..<end]
        answer(visitor, String(decoding: line, as: UTF8.self))
    }

    /// "GET /auth/callback?code=… HTTP/1.1": nothing else of a request matters here.
    private func answer(_ visitor: Visitor, _ line: String) {
        let words = line.split(separator: " ")
        var returned = BrowserLogin.Return.unknown
        if words.count == 3, words[0] == "GET", exchange == nil {
            let cut = words[1].firstIndex(of: "?") ?? words[1].endIndex
            returned = login.returned(
                path: String(words[1][..<cut]), query: String(words[1][cut...].dropFirst()))
        }
        switch returned {
        case .unknown: say("404 Not Found", "Nothing is here.", visitor)
        case .refused(let text):
            say("200 OK", "The login did not succeed. You may close this window.", visitor)
            end(.failed(text))
        case .code(let code):
            say("200 OK", "The login goes on in the terminal. You may close this window.", visitor)
            send(login.exchange(code))
        }
    }

    private func say(_ status: String, _ text: String, _ visitor: Visitor) {
        let answer =
            "HTTP/1.1 \(status)\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: \(text.utf8.count)\r\n"
            + "Cache-Control: no-store\r\nConnection: close\r\n\r\n\(text)"
        // A browser that does not take this small answer at once does not get one.
        _ = Array(answer.utf8).withUnsafeBytes { try? Socket.send(visitor.descriptor.raw, $0) }
        shutdown(visitor.descriptor.raw, Int32(SHUT_WR))
        dismiss(visitor)
    }

    private func send(_ request: TokenRequest) {
        do throws(Errno) {
            exchange = try TokenExchange(request, environment.loop, environment.transfers) {
                [unowned self] result in
                switch result {
                case .notSent(let text), .lost(let text):
                    self.end(.failed("\(request.address): \(text); nothing was changed"))
                case .answered(let answer):
                    let step = self.login.exchanged(
                        answer, now: self.environment.seconds, parser: self.environment.parser)
                    switch step {
                    case .granted(let grant):
                        guard let refresh = grant.refresh else {
                            return self.end(.failed("the service gave no refresh token"))
                        }
                        self.end(.secret(refresh, account: grant.accountID))
                    case .failed(let text): self.end(.failed(text))
                    default: self.end(.failed("the service gave no token"))
                    }
                }
            }
        } catch {
            end(.failed("\(error)"))
        }
    }

    private func close() {
        watch?.cancel()
        watch = nil
        for visitor in visitors { visitor.watch?.cancel() }
        visitors = []
        timer = nil
    }

    private func end(_ result: LoginResult) {
        close()
        let done = done
        self.done = nil
        // The owner lets go of this object inside the call.
        environment.loop.later { done?(result) }
    }
}
