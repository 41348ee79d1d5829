// SPDX-License-Identifier: Apache-2.0
// The connections to upstreams that speak plain HTTP: kept for the next request, closed when none comes.
// Source: RFC 9112 §9.3 (persistence), §9.3.1 (retrying), §9.5 (closing).

import Curl
import EventLoop
import Posix

/// Starts requests over connections that wait or over new ones.
final class PlainConnections {
    let loop: EventLoop
    let dialler: TransferPool
    /// Where all connections receive; what a request does not take at once is copied.
    let receiveBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)
    /// Where heads are written.
    var head: [UInt8] = []
    private(set) var origins: [String: PlainOrigin] = [:]
    /// Most requests of a worker go where the last one went.
    private var lastAddress: (url: String, address: PlainAddress?)?
    private var lastOrigin: PlainOrigin?
    private var waitingCount = 0
    private var cleaning: Timer?
    private var isCleaningArmed = false
    private let roundUsec: UInt64
    /// Counts the rounds of cleaning: the clock of connections that wait.
    private var round: UInt64 = 0

    /// Connections kept open while nobody uses them.
    private static let maximumWaiting = 512
    /// A connection that has waited for so many rounds is closed.
    private static let roundsToWait: UInt64 = 4

    init(_ loop: EventLoop, _ dialler: TransferPool, unusedConnectionMsec: Int) throws(Errno) {
        self.loop = loop
        self.dialler = dialler
        roundUsec = UInt64(unusedConnectionMsec) * 1000 / PlainConnections.roundsToWait
        cleaning = try Timer(loop, accuracyUsec: 100_000) { [unowned self] in self.clean() }
    }

    deinit {
        for origin in origins.values { origin.closeWaiting(origin.waiting.count) }
        receiveBuffer.deallocate()
    }

    /// What the URL says, or nil when it is libcurl's.
    func address(_ url: String) -> PlainAddress? {
        if let lastAddress, lastAddress.url == url { return lastAddress.address }
        let address = PlainAddress(url)
        lastAddress = (url, address)
        return address
    }

    func start(_ request: TransferRequest, at address: PlainAddress, delegate: any TransferDelegate)
        -> PlainTransfer
    {
        let origin = origin(address.origin)
        let transfer = PlainTransfer(request, at: address, origin, self, delegate: delegate)
        if !request.usesOwnConnection, let connection = origin.waiting.popLast() {
            waitingCount -= 1
            transfer.begin(on: connection)
        } else {
            transfer.connect()
        }
        return transfer
    }

    private func origin(_ url: String) -> PlainOrigin {
        if let lastOrigin, lastOrigin.url == url { return lastOrigin }
        let origin = origins[url] ?? PlainOrigin(url)
        origins[url] = origin
        lastOrigin = origin
        cleanLater()
        return origin
    }

    /// Keeps a connection whose answer has arrived for the next request.
    func keep(_ connection: PlainConnection) {
        guard waitingCount < PlainConnections.maximumWaiting else { return connection.close() }
        connection.rest(since: round)
        connection.origin.waiting.append(connection)
        waitingCount += 1
    }

    /// A waiting connection is of no further use.
    func drop(_ connection: PlainConnection) {
        connection.close()
        guard let place = connection.origin.waiting.firstIndex(where: { $0 === connection }) else { return }
        connection.origin.waiting.remove(at: place)
        waitingCount -= 1
    }

    private func cleanLater() {
        guard !isCleaningArmed else { return }
        isCleaningArmed = true
        cleaning?.arm(afterUsec: roundUsec)
    }

    private func clean() {
        isCleaningArmed = false
        round += 1
        let before = waitingCount
        for origin in origins.values {
            // The ones that have waited longest come first.
            let old = origin.waiting.prefix { round - $0.lastUse > PlainConnections.roundsToWait }.count
            origin.closeWaiting(old)
            waitingCount -= old
        }
        // Servers to which nobody has a connection are forgotten: the model in a URL may choose the server.
        lastOrigin = nil
        for url in Array(origins.keys) where isKnownUniquelyReferenced(&origins[url]) { origins[url] = nil }
        if waitingCount < before { ProcessMemory.trim() }
        if !origins.isEmpty { cleanLater() }
    }
}
