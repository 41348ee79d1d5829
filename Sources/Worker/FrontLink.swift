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
    private var buffer = WireWriter()
    /// Messages of this turn.
    private var waiting: [UInt8] = []

    /// Notes that the answer to a request begins, before its first byte is written. False when it must not. After the
    /// front's end nobody needs to know.
    func begins(_ tag: UInt64) -> Bool { channel == nil || commits?.append(tag) == true }

    /// Tells the front at the end of the turn, or earlier when that is too much for one datagram.
    func send(_ kind: MessageKind, _ message: some WireCodable) {
        IPC.begin(kind, in: &buffer)
        buffer.put(message)
        // One that is too large for any datagram is lost alone.
        if waiting.count + buffer.bytes.count > MessageSocket.maximumMessageBytes { flush() }
        waiting.append(contentsOf: buffer.bytes)
    }

    /// Tells the front what waits.
    func flush() {
        guard !waiting.isEmpty else { return }
        channel?.send(waiting)
        waiting.removeAll(keepingCapacity: true)
        // What a dead worker's channel had queued by itself is lost with it, and only the notes tell.
        if channel?.queuedCount == 0 { commits?.clear() }
    }
}
