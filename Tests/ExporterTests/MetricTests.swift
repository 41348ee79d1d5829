// SPDX-License-Identifier: Apache-2.0
// The list of metrics against its documentation.

import Glibc
import Metrics
import Testing

@testable import Exporter

@Suite struct MetricTests {
    /// The rows of the first table of docs/metrics.md.
    private func documented() throws -> [[String]] {
        let here = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let fd = open("/\(here)/docs/metrics.md", O_RDONLY)
        try #require(fd >= 0)
        defer { close(fd) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(fd, &bytes, bytes.count)
        let lines = String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n")
        return lines.filter { $0.hasPrefix("| `ccr_") }.map { line in
            line.split(separator: "|").prefix(4).map {
                String($0.filter { $0 != "`" && $0 != " " })
            }
        }
    }

    @Test
    func `the documentation lists every metric with its type, labels and life, in the order of the output`()
        throws
    {
        let expected = Metric.allCases.map(\.family).map { family in
            [
                family.name, "\(family.kind.name)", family.labels.joined(separator: ","),
                family.isLasting ? "yes" : "no",
            ]
        }
        let rows = try documented()
        #expect(rows == expected)
    }

    @Test(arguments: Metric.allCases)
    func `names and types follow the conventions of Prometheus`(metric: Metric) {
        let family = metric.family
        #expect(family.name.hasPrefix("ccr_"))
        #expect(family.name.hasSuffix("_total") == (family.kind == .counter))
        #expect(family.help.hasSuffix("."))
        if case .histogram(let bounds) = family.kind { #expect(bounds == bounds.sorted()) }
    }
}
