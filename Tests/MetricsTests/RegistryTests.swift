// SPDX-License-Identifier: Apache-2.0
// The registry: series, limits and values that last.

import Testing

@testable import Metrics

private let families = [
    MetricFamily("requests_total", .counter, labels: ["tier"], isLasting: true, help: "Requests."),
    MetricFamily("active", .gauge, help: "Active."),
    MetricFamily(
        "seconds", .histogram(bounds: [0.1, 1]), labels: ["tier"], isLasting: true, help: "Seconds."),
]

@Suite struct RegistryTests {
    var registry = Registry(families, seriesLimit: 4)

    @Test mutating func `the same labels name the same series`() {
        let first = registry.series("requests_total", ["a"])
        registry.add(first, 2)
        registry.add(registry.series("requests_total", ["a"]))
        #expect(registry.value(first) == 3)
        #expect(registry.seriesCount == 1)
    }

    @Test(arguments: [0.0: [1.0, 0, 0], 0.1: [1, 0, 0], 0.11: [0, 1, 0], 1: [0, 1, 0], 1.1: [0, 0, 1]])
    func `an observation falls into the first bucket whose bound is not below it`(
        value: Double, buckets: [Double]
    ) {
        var registry = registry
        let id = registry.series("seconds", ["a"])
        registry.observe(id, value)
        #expect(Array(registry.cellValues(id)) == buckets + [value])
        #expect(registry.summary(id) == (1, value))
    }

    @Test mutating func `label combinations beyond the limit are counted as other`() {
        for index in 0..<10 { registry.add(registry.series("requests_total", ["tier\(index)"])) }
        #expect(registry.seriesCount == 5)
        let other = registry.series("requests_total", ["other"])
        #expect(registry.value(other) == 6)
        #expect(
            registry.shown("requests_total").map(\.labels) == [
                ["other"], ["tier0"], ["tier1"], ["tier2"], ["tier3"],
            ])
    }

    @Test mutating func `series are in the order of their labels, whatever the order of their making`() {
        for tier in ["b", "c", "a"] { registry.show(registry.series("requests_total", [tier])) }
        #expect(registry.shown("requests_total").map(\.labels) == [["a"], ["b"], ["c"]])
    }

    @Test mutating func `only lasting series that changed are taken for storing, each once`() {
        let requests = registry.series("requests_total", ["a"])
        registry.add(requests)
        registry.add(requests)
        registry.set(registry.series("active"), 3)
        registry.show(registry.series("requests_total", ["b"]))
        let taken1 = registry.takeTouched()
        #expect(taken1 == [requests])
        let taken2 = registry.takeTouched()
        #expect(taken2 == [])
        registry.giveBackTouched([requests])
        let taken3 = registry.takeTouched()
        #expect(taken3 == [requests])
    }

    @Test mutating func `a new store gets every lasting series`() {
        let first = registry.series("requests_total", ["a"])
        let second = registry.series("seconds", ["a"])
        registry.add(first)
        registry.observe(second, 1)
        _ = registry.takeTouched()
        registry.touchAll()
        let taken4 = registry.takeTouched()
        #expect(taken4 == [first, second])
    }

    @Test mutating func `stored numbers come back and are not stored again`() {
        let restored = registry.restore("seconds", labels: ["a"], cells: [1, 2, 3, 9.5])
        #expect(restored)
        let id = registry.series("seconds", ["a"])
        #expect(registry.summary(id) == (6, 9.5))
        let touched = registry.takeTouched()
        #expect(touched == [])
        #expect(registry.shown("seconds").count == 1)
    }

    @Test(
        arguments: [
            ("unknown", ["a"], [1.0]), ("active", [String](), [1]), ("requests_total", [String](), [1]),
            ("requests_total", ["a"], [1, 2]), ("seconds", ["a"], [1, 2, 3]),
        ])
    func `stored numbers that fit no lasting family are refused`(
        name: String, labels: [String], cells: [Double]
    ) {
        var registry = registry
        let restored = registry.restore(name, labels: labels, cells: cells)
        #expect(!restored)
        #expect(registry.seriesCount == 0)
    }

    @Test mutating func `a hidden family is empty until one of its series changes`() {
        let active = registry.series("active")
        registry.set(active, 2)
        registry.hideAll("active")
        #expect(registry.shown("active").isEmpty)
        registry.set(active, 5)
        #expect(registry.shown("active").count == 1)
        #expect(registry.value(active) == 5)
    }

    @Test(arguments: [0.0: 0.0, 0.25: 0.05, 0.5: 0.1, 0.75: 0.55, 1: 1])
    func `a quantile is linear within its bucket and at most the highest bound`(part: Double, value: Double) {
        var registry = registry
        let id = registry.series("seconds", ["a"])
        let empty = registry.quantile(part, of: id)
        #expect(empty == 0)
        for seconds in [0.01, 0.02, 0.2, 5] { registry.observe(id, seconds) }
        let quantile = registry.quantile(part, of: id)
        #expect(quantile == (part == 0.75 ? 1 : value))
    }
}
