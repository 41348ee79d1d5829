// SPDX-License-Identifier: Apache-2.0
// The description of a metric: its name, type, labels and meaning, as a row of a table.
// Source: prometheus.io/docs/concepts/data_model, prometheus.io/docs/practices/naming.

/// A named metric and the labels that tell its series apart.
package struct MetricFamily: Sendable {
    /// What the numbers mean to a scraper.
    package enum Kind: Equatable, Sendable {
        /// Only grows, except when it begins again at zero.
        case counter
        /// Goes up and down.
        case gauge
        /// Counts observations by upper bound; bounds ascend and exclude +Inf.
        case histogram(bounds: [Double])

        /// The word on the TYPE line.
        package var name: StaticString {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }

        /// The numbers one series holds: a histogram one per bucket, +Inf included, and the sum last.
        var cellCount: Int {
            switch self {
            case .counter, .gauge: 1
            case .histogram(let bounds): bounds.count + 2
            }
        }
    }

    package let name: String
    package let kind: Kind
    /// Label names in the order of every series' values; fixed for the life of the metric.
    package let labels: [String]
    /// One sentence for the HELP line.
    package let help: String
    /// Whether the values must be there again after a restart of the process.
    package let isLasting: Bool

    package init(_ name: String, _ kind: Kind, labels: [String] = [], isLasting: Bool = false, help: String) {
        self.name = name
        self.kind = kind
        self.labels = labels
        self.isLasting = isLasting
        self.help = help
    }
}

/// The number of a series in its registry; valid for the registry's life.
package struct SeriesID: Equatable, Hashable, Sendable {
    let index: Int
}
