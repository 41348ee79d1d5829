// SPDX-License-Identifier: Apache-2.0
// The connection to a refresher that the service manager runs. It may go at any time, to be restarted, upgraded or
// after a crash; the socket stays with the service manager, and connecting starts the refresher again.
// Source: systemd.socket(5).

import Credentials
import EventLoop
import Gateway
import Glibc
import IPC
import Posix

final class RefresherLink {
    /// What happens to the connection.
    enum Event: Equatable {
        /// There is a connection; the refresher at its end knows no worker yet.
        case connected
        /// The refresher has gone, which was asked for or not.
        case lost(expected: Bool)
        /// Nothing accepts connections; told once, and tried again until somebody does.
        case unreachable(Errno)
    }

    private let path: String
    private let loop: EventLoop
    private let onEvent: (Event) -> Void
    private var channel: MessageChannel?
    private var timer: Timer?
    private var backOff = BackOff()
    private var connectedUsec: UInt64 = 0
    private var connectedRealtimeUsec: UInt64 = 0
    private var losses: UInt32 = 0
    private var drainAsked = false
    private var toldUnreachable = false

    /// Connects as soon as the loop runs, and again whenever the connection is lost.
    init(path: String, _ loop: EventLoop, onEvent: @escaping (Event) -> Void) throws(Errno) {
        self.path = path
        self.loop = loop
        self.onEvent = onEvent
        timer = try Timer(loop) { [unowned self] in self.connect() }
        timer?.arm(afterUsec: 0)
    }

    var isConnected: Bool { channel != nil }

    private func connect() {
        do {
            let descriptor = try MessageSocket.connect(path: path, blocks: false)
            channel = try MessageChannel(loop, descriptor, onMessage: { _, _ in }) { [unowned self] in
                self.closed()
            }
        } catch {
            timer?.arm(afterUsec: UInt64(backOff.ended(uptimeUsec: 0)) * 1000)
            guard !toldUnreachable else { return }
            toldUnreachable = true
            return onEvent(.unreachable(error))
        }
        connectedUsec = Clock.monotonicUsec()
        connectedRealtimeUsec = Clock.realtimeUsec()
        drainAsked = false
        toldUnreachable = false
        onEvent(.connected)
    }

    private func closed() {
        channel = nil
        let expected = drainAsked
        if expected {
            // It ended to begin anew with another configuration.
            timer?.arm(afterUsec: 0)
        } else {
            losses += 1
            timer?.arm(
                afterUsec: UInt64(backOff.ended(uptimeUsec: Clock.monotonicUsec() - connectedUsec)) * 1000)
        }
        onEvent(.lost(expected: expected))
    }

    /// Brings the refresher its end of a channel to a worker.
    func bring(_ name: String, _ descriptor: SharedDescriptor) {
        var writer = WireWriter()
        MessageHead.begin(.supervisorAttach, in: &writer)
        writer.put(name)
        channel?.send(writer.bytes, descriptors: [descriptor.raw])
    }

    /// Asks the refresher to end, so that the next one reads its configuration anew.
    func drain() {
        drainAsked = true
        channel?.send(MessageHead.drain(version: MessageHead.version))
    }

    /// The refresher among the processes. The service manager knows its pid and memory.
    var status: ProcessStatus {
        ProcessStatus(
            role: "refresher", provider: "", pid: 0, state: isConnected ? .ready : .backOff, restarts: losses,
            residentBytes: 0, startedUsec: connectedRealtimeUsec,
            text: "run by the service manager, at \(path)")
    }
}
