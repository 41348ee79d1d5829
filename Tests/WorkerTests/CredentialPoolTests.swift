// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Worker

@Suite("Pool of credentials")
struct CredentialPoolTests {
    private func pool(_ members: (String, Int, Int)...) -> CredentialPool {
        var pool = CredentialPool(members.map { (name: $0.0, weight: $0.1, priority: $0.2) })
        for index in 0..<pool.count { pool.setUsable(index, until: 1_000) }
        return pool
    }

    private func picks(_ pool: inout CredentialPool, _ count: Int, now: UInt64 = 0, excluding: Int? = nil)
        -> [String]
    {
        (0..<count).map { _ in pool.pick(now: now, excluding: excluding).map(pool.name) ?? "-" }
    }

    @Test("requests are spread by weight, and evenly in time")
    func weights() {
        var pool = pool(("a", 3, 0), ("b", 1, 0))
        #expect(picks(&pool, 8) == ["a", "a", "b", "a", "a", "a", "b", "a"])
    }

    @Test("a lower priority is used first, a higher one only when no other can be used")
    func priorities() {
        var pool = pool(("spare", 9, 5), ("main", 1, 0))
        #expect(picks(&pool, 3) == ["main", "main", "main"])
        pool.coolDown(0, until: 500)
        #expect(picks(&pool, 2, now: 499) == ["spare", "spare"])
        #expect(picks(&pool, 1, now: 500) == ["main"])
    }

    @Test("one that cools down is left alone until the latest time that was asked for")
    func coolDown() {
        var pool = pool(("a", 1, 0), ("b", 1, 0))
        pool.coolDown(0, until: 300)
        pool.coolDown(0, until: 200)
        #expect(Set(picks(&pool, 4, now: 299)) == ["b"])
        #expect(pool.nextCooled(now: 299) == 300)
        #expect(Set(picks(&pool, 4, now: 300)) == ["a", "b"])
        #expect(pool.nextCooled(now: 300) == nil)
    }

    @Test("a token counts to its end, and one that has gone not at all")
    func ends() {
        var pool = pool(("a", 1, 0), ("b", 1, 0))
        pool.setUsable(1, until: 0)
        #expect(Set(picks(&pool, 4, now: 999)) == ["a"])
        #expect(picks(&pool, 1, now: 1_000) == ["-"])
    }

    @Test("one that has just been refused is passed over", arguments: [1, 2])
    func excluding(_ count: Int) {
        var pool = count == 1 ? pool(("a", 1, 0)) : pool(("a", 1, 0), ("b", 1, 0))
        #expect(Set(picks(&pool, 3, excluding: 0)) == [count == 1 ? "-" : "b"])
    }

    @Test("the names are found in the order of priority, and no other name is")
    func names() {
        let pool = pool(("b", 1, 0), ("a", 1, 0), ("c", 1, -1))
        #expect((0..<3).map(pool.name) == ["c", "a", "b"])
        #expect(pool.index(of: "b") == 2 && pool.index(of: "x") == nil)
    }
}
