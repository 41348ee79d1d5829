// SPDX-License-Identifier: Apache-2.0
// The bounds of everything a client can send or hold, as front enforces them. Defaults are the configuration's.

package import IPC

/// Sizes in bytes, times in milliseconds.
package struct FrontLimits: Equatable, Sendable, WireCodable {
    package var headBytes: Int
    /// Also the bound of a compressed body after decoding.
    package var bodyBytes: Int
    /// Largest growth of a compressed body: decoded bytes for each encoded one.
    package var decodedRatio: Int
    package var headerTimeoutMsec: Int
    package var bodyTimeoutMsec: Int
    package var idleTimeoutMsec: Int
    package var connections: Int
    package var requestsInFlight: Int
    /// Requests at providers at once; Int.max: no bound.
    package var concurrentRequests: Int
    /// Requests of one client key that wait for their turn, and how long.
    package var queuedRequests: Int
    package var queueTimeoutMsec: Int
    /// From a request's head to the end of its answer; for a stream, to its first event.
    package var totalTimeoutMsec: Int

    package init(
        headBytes: Int, bodyBytes: Int, decodedRatio: Int, headerTimeoutMsec: Int, bodyTimeoutMsec: Int,
        idleTimeoutMsec: Int,
        connections: Int, requestsInFlight: Int, concurrentRequests: Int = .max, queuedRequests: Int = 1_000,
        queueTimeoutMsec: Int = 30_000, totalTimeoutMsec: Int
    ) {
        self.headBytes = headBytes
        self.bodyBytes = bodyBytes
        self.decodedRatio = decodedRatio
        self.headerTimeoutMsec = headerTimeoutMsec
        self.bodyTimeoutMsec = bodyTimeoutMsec
        self.idleTimeoutMsec = idleTimeoutMsec
        self.connections = connections
        self.requestsInFlight = requestsInFlight
        self.concurrentRequests = concurrentRequests
        self.queuedRequests = queuedRequests
        self.queueTimeoutMsec = queueTimeoutMsec
        self.totalTimeoutMsec = totalTimeoutMsec
    }

    package func encode(to writer: inout WireWriter) {
        for value in [
            headBytes, bodyBytes, decodedRatio, headerTimeoutMsec, bodyTimeoutMsec, idleTimeoutMsec,
            connections,
            requestsInFlight, concurrentRequests, queuedRequests, queueTimeoutMsec,
            totalTimeoutMsec,
        ] { writer.put(UInt64(value)) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        headBytes = Int(clamping: try reader.get(UInt64.self))
        bodyBytes = Int(clamping: try reader.get(UInt64.self))
        decodedRatio = Int(clamping: try reader.get(UInt64.self))
        headerTimeoutMsec = Int(clamping: try reader.get(UInt64.self))
        bodyTimeoutMsec = Int(clamping: try reader.get(UInt64.self))
        idleTimeoutMsec = Int(clamping: try reader.get(UInt64.self))
        connections = Int(clamping: try reader.get(UInt64.self))
        requestsInFlight = Int(clamping: try reader.get(UInt64.self))
        concurrentRequests = Int(clamping: try reader.get(UInt64.self))
        queuedRequests = Int(clamping: try reader.get(UInt64.self))
        queueTimeoutMsec = Int(clamping: try reader.get(UInt64.self))
        totalTimeoutMsec = Int(clamping: try reader.get(UInt64.self))
    }
}
