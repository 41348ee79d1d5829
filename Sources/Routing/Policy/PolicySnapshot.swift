// SPDX-License-Identifier: Apache-2.0
// What of the policy's state outlives a front: circuits, pauses, latencies and bans, by name and not by number, so
// that another configuration can go on with what it knows as well.

package import IPC

package struct PolicySnapshot: Equatable, Sendable {
    package let bytes: [UInt8]
    /// Models that had no room.
    package let leftOut: Int
}

extension Policy {
    private static let snapshotVersion: UInt8 = 4

    /// The state in bytes. Sessions and requests under way are not in it.
    ///
    /// - Parameter room: bytes at most, as far as models can be left out for it: those that say least.
    package func snapshot(room: Int = .max) -> PolicySnapshot {
        var writer = WireWriter()
        writer.put(Self.snapshotVersion)
        writer.put(bans)
        writer.put(list: Array(providers.indices)) { writer, index in
            let provider = config.providers[index]
            writer.put(provider.name)
            writer.put(list: Array(provider.credentials.indices)) { writer, credential in
                let state = providers[index].credentials[credential]
                writer.put(provider.credentials[credential].name)
                writer.put(state.gate)
                writer.put(UInt32(clamping: state.strikes))
            }
        }
        var left = lanes.count
        for lane in lanes.sorted(by: { $0.says(moreThan: $1) }) {
            let entry = entry(lane)
            // Behind it, and at the end, stands a length.
            guard writer.bytes.count + entry.count + 8 <= room else { break }
            writer.put(entry)
            left -= 1
        }
        writer.put([UInt8]())
        return PolicySnapshot(bytes: writer.bytes, leftOut: left)
    }

    private func entry(_ lane: Lane) -> [UInt8] {
        var writer = WireWriter(capacity: 512)
        let provider = config.providers[lane.key.provider]
        writer.put(provider.name)
        writer.put(lane.key.model)
        writer.put(lane.circuit)
        writer.put(lane.latency)
        writer.put(list: Array(lane.pauses.indices)) { writer, credential in
            writer.put(provider.credentials[credential].name)
            writer.put(lane.pauses[credential])
            writer.put(UInt32(clamping: lane.strikes[credential]))
        }
        return writer.bytes
    }

    /// Goes on from a snapshot of another front; what this configuration does not know is left out.
    ///
    /// - Throws: when the bytes are none, or of another version; then nothing has changed.
    package mutating func restore(_ bytes: [UInt8]) throws(WireError) {
        let present = self
        let result = bytes.withUnsafeBytes { view in
            Result { () throws(WireError) in try present.restored(from: WireReader(view)) }
        }
        self = try result.get()
    }

    /// Takes over the bans alone: for a front that has learnt the rest itself.
    ///
    /// - Throws: when the bytes are no snapshot, or of another version.
    package mutating func restoreBans(_ bytes: [UInt8]) throws(WireError) {
        let result = bytes.withUnsafeBytes { view in
            Result { () throws(WireError) in
                var reader = WireReader(view)
                return try Self.bans(&reader)
            }
        }
        bans.merge(try result.get())
    }

    private func restored(from reader: WireReader) throws(WireError) -> Policy {
        var reader = reader
        var copy = self
        copy.bans.merge(try Self.bans(&reader))
        try copy.restoreProviders(&reader)
        try copy.restoreLanes(&reader)
        try reader.end()
        return copy
    }

    private static func bans(_ reader: inout WireReader) throws(WireError) -> BanList {
        let version: UInt8 = try reader.get()
        guard version == snapshotVersion else { throw .invalidValue("snapshot \(version)") }
        return try reader.get()
    }

    private mutating func restoreProviders(_ reader: inout WireReader) throws(WireError) {
        for _ in 0..<Int(try reader.get(UInt32.self)) {
            let name = try reader.getString()
            let provider = config.providers.firstIndex { $0.name == name }
            for _ in 0..<Int(try reader.get(UInt32.self)) {
                let credential = try reader.getString()
                let gate: Breaker = try reader.get()
                let strikes = Int(try reader.get(UInt32.self))
                guard let provider,
                    let index = config.providers[provider].credentials.firstIndex(where: {
                        $0.name == credential
                    })
                else { continue }
                withCredential(provider, index) {
                    $0.gate = gate
                    $0.strikes = strikes
                }
            }
        }
    }

    private mutating func restoreLanes(_ reader: inout WireReader) throws(WireError) {
        while true {
            let entry = try reader.getBytes()
            guard !entry.isEmpty else { return }
            var lane = WireReader(entry)
            try restoreLane(&lane)
            try lane.end()
        }
    }

    private mutating func restoreLane(_ reader: inout WireReader) throws(WireError) {
        let name = try reader.getString()
        let provider = config.providers.firstIndex { $0.name == name }
        let model = try reader.getString()
        let circuit: Breaker = try reader.get()
        let latency: Latency = try reader.get()
        let place = provider.map { self.place(of: LaneKey(provider: $0, model: model)) }
        if let place {
            lanes[place].circuit = circuit
            lanes[place].latency = latency
        }
        for _ in 0..<Int(try reader.get(UInt32.self)) {
            let credential = try reader.getString()
            let pause: Breaker = try reader.get()
            let strikes = Int(try reader.get(UInt32.self))
            guard let provider, let place,
                let index = config.providers[provider].credentials.firstIndex(where: {
                    $0.name == credential
                })
            else { continue }
            lanes[place].pauses[index] = pause
            lanes[place].strikes[index] = strikes
        }
    }
}
