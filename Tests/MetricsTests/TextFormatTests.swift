// SPDX-License-Identifier: Apache-2.0
// The text a scraper reads.

import Testing

@testable import Metrics

@Suite struct TextFormatTests {
    private func render(_ registry: Registry) -> String {
        var output: [UInt8] = []
        TextFormat.render(registry, into: &output)
        return String(decoding: output, as: UTF8.self)
    }

    @Test func `a histogram is cumulated and ends in +Inf, sum and count`() {
        var registry = Registry([
            MetricFamily("ttft_seconds", .histogram(bounds: [0.1, 0.5]), labels: ["tier"], help: "Time.")
        ])
        let id = registry.series("ttft_seconds", ["a"])
        for value in [0.05, 0.25, 0.5, 4] { registry.observe(id, value) }
        #expect(
            render(registry) == """
                # HELP ttft_seconds Time.
                # TYPE ttft_seconds histogram
                ttft_seconds_bucket{tier="a",le="0.1"} 1
                ttft_seconds_bucket{tier="a",le="0.5"} 3
                ttft_seconds_bucket{tier="a",le="+Inf"} 4
                ttft_seconds_sum{tier="a"} 4.8
                ttft_seconds_count{tier="a"} 4

                """)
    }

    @Test func `families come in the order of the table, series in the order of their labels`() {
        var registry = Registry([
            MetricFamily("z_total", .counter, labels: ["tier", "reason"], help: "Z."),
            MetricFamily("empty", .gauge, help: "Nothing to show."),
            MetricFamily("a", .gauge, help: "A."),
        ])
        registry.set(registry.series("a"), -0.5)
        registry.add(registry.series("z_total", ["b", "x"]), 2)
        registry.add(registry.series("z_total", ["a", "y"]))
        registry.add(registry.series("z_total", ["a", "x"]))
        #expect(
            render(registry) == """
                # HELP z_total Z.
                # TYPE z_total counter
                z_total{tier="a",reason="x"} 1
                z_total{tier="a",reason="y"} 1
                z_total{tier="b",reason="x"} 2
                # HELP a A.
                # TYPE a gauge
                a -0.5

                """)
    }

    @Test func `label values and help are escaped, each by its own rule`() {
        var registry = Registry([
            MetricFamily("m", .gauge, labels: ["l"], help: "A \"quoted\" \\ word\nand a line")
        ])
        registry.set(registry.series("m", ["a\"b\\c\nd ü"]), 1)
        #expect(
            render(registry) == #"""
                # HELP m A "quoted" \\ word\nand a line
                # TYPE m gauge
                m{l="a\"b\\c\nd ü"} 1

                """#)
    }

    @Test(
        arguments: [
            (0.0, "0"), (-3, "-3"), (1e15, "1000000000000000"), (9_007_199_254_740_992, "9007199254740992.0"),
            (0.000001, "1e-06"), (1.5, "1.5"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
        ])
    func `numbers are written so that they can be read back`(value: Double, text: String) {
        #expect(TextFormat.text(value) == text)
    }
}
