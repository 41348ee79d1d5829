// SPDX-License-Identifier: Apache-2.0
// A worker's channel to one front: what was handed over, and what the front has to be told.

import EventLoop
import IPC
import Runtime

final class FrontLink {
    var channel: MessageChannel?
    var exchanges: [UInt64: Exchange] = [:]
    /// The front's, which sends it before anything else.
    var commits: CommitLog?
    private var waiting = WireWriter()

    /// More is not kept until the end of the turn. The largest message fits behind it.
    private static let maximumWaiting = 16_384

    /// Notes that the answer to a request begins, before its first byte is written. False when it must not.
    func begins(_ tag: UInt64) -> Bool { commits?.append(tag) ?? false }

    /// Tells the front at the end of the turn; after the front's end nobody needs to know.
    func send(_ kind: MessageKind, _ message: some WireCodable) {
        IPC.append(kind, to: &waiting)
        waiting.put(message)
        if waiting.bytes.count > FrontLink.maximumWaiting { flush() }
    }

    /// Tells the front what waits.
    func flush() {
        guard !waiting.bytes.isEmpty else { return }
        channel?.send(waiting.bytes)
        waiting.removeAll()
        // What a dead worker's channel had queued by itself is lost with it, and only the notes tell.
        if channel?.queuedCount == 0 { commits?.clear() }
    }
}
