// SPDX-License-Identifier: Apache-2.0
// Runs one login on another device: sends what `DeviceLogin` says and waits as long as it says.

import Config
import Credentials
import EventLoop
import Posix

final class LoginFlow {
    private var login: DeviceLogin
    private let environment: KeeperEnvironment
    private let show: (String, String) -> Void
    private let done: (LoginResult) -> Void
    private var exchange: TokenExchange?
    private var timer: Timer?
    private var deadlineUsec: UInt64 = 0

    init(
        _ login: DeviceLogin, _ environment: KeeperEnvironment, show: @escaping (String, String) -> Void,
        done: @escaping (LoginResult) -> Void
    ) {
        self.login = login
        self.environment = environment
        self.show = show
        self.done = done
    }

    /// A request under way keeps itself alive, and would answer to nobody.
    deinit { exchange?.cancel() }

    func start() {
        send(login.start()) { [unowned self] answer in
            self.perform(self.login.codeAnswered(answer, parser: self.environment.parser))
        }
    }

    private func send(_ request: TokenRequest, _ answered: @escaping (TokenAnswer) -> Void) {
        do throws(Errno) {
            exchange = try TokenExchange(request, environment.loop, environment.transfers) {
                [unowned self] result in
                self.exchange = nil
                switch result {
                case .answered(let answer): answered(answer)
                case .notSent(let text), .lost(let text):
                    // The code is still good: the network may come back before it ends.
                    if self.deadlineUsec > 0 { return self.waitAndPoll() }
                    self.end(.failed("\(request.address): \(text); nothing was changed"))
                }
            }
        } catch {
            end(.failed("\(error)"))
        }
    }

    private func perform(_ step: DeviceLogin.Step) {
        switch step {
        case .send(let request):
            send(request) { [unowned self] answer in self.polled(answer) }
        case .show(let url, let code):
            deadlineUsec = Clock.monotonicUsec() + UInt64(login.lifetime) * 1_000_000
            show(url, code)
            waitAndPoll()
        case .wait: waitAndPoll()
        case .granted(let grant):
            guard let refresh = grant.refresh else {
                return end(.failed("the service gave no refresh token"))
            }
            end(.secret(refresh, account: grant.accountID))
        case .secret(let secret): end(.secret(secret, account: nil))
        case .failed(let text): end(.failed(text))
        }
    }

    private func polled(_ answer: TokenAnswer) {
        perform(login.pollAnswered(answer, now: environment.seconds, parser: environment.parser))
    }

    private func waitAndPoll() {
        guard Clock.monotonicUsec() < deadlineUsec else {
            return end(.failed("nobody entered the code in time; start the login again"))
        }
        do throws(Errno) {
            timer = try Timer(environment.loop) { [unowned self] in
                self.send(self.login.poll()) { [unowned self] answer in self.polled(answer) }
            }
            timer?.arm(afterUsec: UInt64(login.interval) * 1_000_000)
        } catch {
            end(.failed("\(error)"))
        }
    }

    private func end(_ result: LoginResult) {
        // The owner lets go of this object inside the call.
        let done = done
        environment.loop.later { done(result) }
    }
}
