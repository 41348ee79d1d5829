// SPDX-License-Identifier: Apache-2.0
// A worker's channel to one front: what was handed over, and what the front has to be told.

import EventLoop
import IPC
import Posix
import Runtime

final class FrontLink {
    var channel: MessageChannel?
    var exchanges: [UInt64: Exchange] = [:]
    /// The front's, which sends it before anything else.
    var commits: CommitLog?
    /// Messages of this turn.
    private var waiting = WireWriter()

    /// Notes that the answer to a request begins, before its first byte is written. False when it must not. After the
    /// front's end nobody needs to know.
    func begins(_ tag: UInt64) -> Bool { channel == nil || commits?.append(tag) == true }

    /// Tells the front at the end of the turn, or earlier when that is too much for one datagram.
    func send(_ kind: MessageKind, _ message: some WireCodable) {
        let before = waiting.count
        MessageHead.append(kind, to: &waiting)
        waiting.put(message)
        // One that is too large for any datagram is lost alone.
        if waiting.count > MessageSocket.maximumMessageBytes { flush(upTo: before) }
    }

    /// Tells the front what waits.
    func flush() { flush(upTo: waiting.count) }

    private func flush(upTo end: Int) {
        guard end > 0 else { return }
        channel?.send(UnsafeRawBufferPointer(rebasing: waiting.view[..<end]))
        waiting.removeFirst(end)
        // What a dead worker's channel had queued by itself is lost with it, and only the notes tell.
        if channel?.queuedCount == 0 { commits?.clear() }
    }
}
