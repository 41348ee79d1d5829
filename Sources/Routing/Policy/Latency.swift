// SPDX-License-Identifier: Apache-2.0
// How long a model at a provider takes to its first event: a moving average for the order of candidates, and the
// 95th percentile of the latest for hedging.
// Source: CCR-Rust's routing (α 0.3, doubled at a failure, softmax over the negative averages, three samples needed; there
// a provider without samples comes last and so never gets any, here it comes first).

package import IPC

package struct Latency: Equatable, Sendable {
    static let alpha = 0.3
    /// Fewer samples say nothing.
    package static let enoughSamples = 3
    private static let kept = 64
    /// So many streams tell a 95th percentile.
    package static let enoughStreams = 20

    /// Seconds; 0 before the first sample.
    package private(set) var average = 0.0
    package private(set) var samples = 0
    /// The latest first events of streams in seconds.
    private var latest: [Float] = []
    /// The next one to overwrite when all are kept.
    private var place: UInt8 = 0

    package init() {}

    /// - Parameter isStream: whether it was the first event of several; whole answers say nothing of those.
    package mutating func succeeded(seconds: Double, isStream: Bool) {
        average = samples == 0 ? seconds : Self.alpha * seconds + (1 - Self.alpha) * average
        samples += 1
        guard isStream else { return }
        if latest.count < Self.kept {
            latest.append(Float(seconds))
        } else {
            latest[Int(place)] = Float(seconds)
            place = (place + 1) % UInt8(Self.kept)
        }
    }

    /// The answer was not waited for any longer. It would have taken so long at least, which says something only if it is
    /// longer than usual; were it left out, the slow ones would seem never to have been.
    package mutating func cancelled(seconds: Double) {
        if seconds > average { succeeded(seconds: seconds, isStream: true) }
    }

    /// A failure counts as an answer that took twice as long.
    package mutating func failed() {
        average = Self.alpha * 2 * average + (1 - Self.alpha) * average
    }

    /// Seconds within which 95 of 100 answers begin; nil before there are enough to tell.
    package var percentile95: Double? {
        guard latest.count >= Self.enoughStreams else { return nil }
        return Double(latest.sorted()[(latest.count * 95 + 99) / 100 - 1])
    }

    /// Draws an order without putting back: the weight of each is the softmax of its negative average.
    ///
    /// - Parameters:
    ///   - temperature: seconds by which an average may differ before it matters much; above 0.
    ///   - random: gives numbers of 0..<1.
    /// - Returns: indices; those with too few samples come first, in their order, so that they get some.
    package static func order(
        _ candidates: [Latency], temperature: Double, random: () -> Double
    ) -> [Int] {
        var left = candidates.indices.filter { candidates[$0].samples >= enoughSamples }
        var order = candidates.indices.filter { candidates[$0].samples < enoughSamples }
        while !left.isEmpty {
            let fastest = left.map { candidates[$0].average }.min() ?? 0
            let weights = left.map { Double.exponential((fastest - candidates[$0].average) / temperature) }
            var draw = random() * weights.reduce(0, +)
            var place = 0
            while place < left.count - 1, draw >= weights[place] {
                draw -= weights[place]
                place += 1
            }
            order.append(left.remove(at: place))
        }
        return order
    }
}

extension Latency: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(average)
        writer.put(UInt64(samples))
        writer.put(list: latest) { $0.put($1.bitPattern) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        average = try reader.getDouble()
        samples = Int(clamping: try reader.get(UInt64.self))
        latest = try reader.getList { (reader) throws(WireError) in
            Float(bitPattern: try reader.get())
        }
        guard latest.count <= Self.kept else { throw .invalidValue("\(latest.count) latencies") }
    }
}

extension Double {
    /// e to the power of `x`, for x of at most 0; exact to a few parts in a million, which sampling does not notice.
    static func exponential(_ x: Double) -> Double {
        guard x > -40 else { return 0 }
        // e^x = (e^(x/1024))^1024, whose inner value a short series gives.
        let y = x / 1024
        var value = 1 + y * (1 + y * (0.5 + y / 6))
        for _ in 0..<10 { value *= value }
        return value
    }
}
