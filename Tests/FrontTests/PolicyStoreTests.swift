// SPDX-License-Identifier: Apache-2.0
// What a front leaves to the next one, in memory that both have.

import Gateway
import Posix
import Runtime
import Testing

@testable import Front
@testable import Routing

@Suite("What a front leaves to the next one")
struct PolicyStoreTests {
    /// Two fronts of one supervisor.
    private func fronts() throws -> (first: PolicyStore, second: PolicyStore) {
        let memory = try #require(PolicyMemory.make())
        let first = PolicyStore(memory)
        #expect(first.save(1, nowUsec: 1) { _ in [1] })
        return (first, PolicyStore(memory))
    }

    @Test("is read once, and again when it has changed")
    func newer() throws {
        let (first, second) = try fronts()
        #expect(second.load() == [1])
        #expect(second.loadNewer() == nil)
        #expect(first.save(1, nowUsec: 2) { _ in [2] }, "nothing has changed")
        #expect(second.loadNewer() == nil)
        #expect(first.save(2, nowUsec: 3) { _ in [3] })
        #expect(second.loadNewer() == [3])
    }

    @Test("has room for all models that a front remembers, and for a thousand bans")
    func room() throws {
        let config = PolicyConfig(providers: [PolicyProvider(name: "a-provider", credentials: [.unnamed])])
        var policy = Policy(config, seed: 1)
        var latency = Latency()
        for _ in 0..<100 { latency.succeeded(seconds: 1, isStream: true) }
        for number in 0..<Policy.maximumLanes {
            let model = "organisation/model-of-some-size-\(number)"
            let place = policy.place(of: Policy.LaneKey(provider: 0, model: model))
            policy.lanes[place].latency = latency
        }
        for number in 0..<BanList.maximumCount {
            let isAdded = policy.ban(
                Ban(
                    provider: "a-provider", credential: "key",
                    model: "organisation/model-of-some-size-\(number)",
                    origin: .admin, reason: "the reason", sinceUsec: 1, untilUsec: nil), 4)
            #expect(isAdded)
        }
        let (first, second) = try fronts()
        var leftOut = 0
        #expect(
            first.save(2, nowUsec: 5) { room in
                let snapshot = policy.snapshot(room: room)
                leftOut = snapshot.leftOut
                return snapshot.bytes
            })
        #expect(leftOut == 0)
        var restored = Policy(config, seed: 2)
        try restored.restore(try #require(second.load()))
        #expect(restored.lanes.count == Policy.maximumLanes && restored.bans == policy.bans)
    }

    @Test("is what it was when the new one is too large, which is told")
    func tooLarge() throws {
        let (first, second) = try fronts()
        #expect(!first.save(2, nowUsec: 2) { [UInt8](repeating: 0, count: $0 + 1) })
        #expect(second.load() == [1])
        #expect(first.save(3, nowUsec: 3) { [UInt8](repeating: 7, count: $0) })
        #expect(second.load()?.allSatisfy { $0 == 7 } == true)
    }

    @Test("lies in memory of the same version only")
    func versions() throws {
        let memory = try #require(PolicyMemory.make())
        #expect(PolicyMemory.adopt(try memory.duplicateDescriptor())?.capacity == memory.capacity)
        let other = try SharedMemory(name: "test", capacity: memory.capacity / 2)
        #expect(PolicyMemory.adopt(try other.duplicateDescriptor()) == nil)
    }
}
