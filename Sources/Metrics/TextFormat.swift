// SPDX-License-Identifier: Apache-2.0
// The Prometheus text format, version 0.0.4: families in the order of their table, series by label values.
// Source: prometheus.io/docs/instrumenting/exposition_formats ("Text-based format").

import Bytes

/// Renders a registry for a scraper.
package enum TextFormat {
    /// The media type of what `render` writes.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Appends every shown series; families without one are left out.
    package static func render(_ registry: Registry, into output: inout [UInt8]) {
        for family in registry.families {
            let shown = registry.shown(family.name)
            guard !shown.isEmpty else { continue }
            output.append("# HELP ")
            output.append(contentsOf: family.name.utf8)
            output.append(ASCII.space)
            escape(family.help, quotes: false, into: &output)
            output.append("\n# TYPE ")
            output.append(contentsOf: family.name.utf8)
            output.append(ASCII.space)
            output.append(family.kind.name)
            output.append(ASCII.lineFeed)
            for (labels, id) in shown {
                let names = Array(zip(family.labels, labels))
                switch family.kind {
                case .counter, .gauge:
                    line(family.name, "", names, registry.value(id), into: &output)
                case .histogram(let bounds):
                    histogram(family.name, bounds, names, registry.cellValues(id), into: &output)
                }
            }
        }
    }

    private static func histogram(
        _ name: String, _ bounds: [Double], _ labels: [(String, String)], _ cells: ArraySlice<Double>,
        into output: inout [UInt8]
    ) {
        var count = 0.0
        for (bound, cell) in zip(bounds + [.infinity], cells) {
            count += cell
            line(name, "_bucket", labels + [("le", text(bound))], count, into: &output)
        }
        line(name, "_sum", labels, cells.last ?? 0, into: &output)
        line(name, "_count", labels, count, into: &output)
    }

    private static func line(
        _ name: String, _ suffix: StaticString, _ labels: [(String, String)], _ value: Double,
        into output: inout [UInt8]
    ) {
        output.append(contentsOf: name.utf8)
        output.append(suffix)
        var separator: StaticString = "{"
        for (label, labelValue) in labels {
            output.append(separator)
            output.append(contentsOf: label.utf8)
            output.append("=\"")
            escape(labelValue, quotes: true, into: &output)
            output.append(ASCII.quote)
            separator = ","
        }
        if !labels.isEmpty { output.append("}") }
        output.append(ASCII.space)
        output.append(contentsOf: text(value).utf8)
        output.append(ASCII.lineFeed)
    }

    /// Backslash and line feed are escaped everywhere, the quote only in label values.
    private static func escape(_ text: String, quotes: Bool, into output: inout [UInt8]) {
        for byte in text.utf8 {
            switch byte {
            case ASCII.backslash: output.append("\\\\")
            case ASCII.lineFeed: output.append("\\n")
            case ASCII.quote where quotes: output.append("\\\"")
            default: output.append(byte)
            }
        }
    }

    /// A number as Go's ParseFloat reads it: whole ones without a fraction, infinities with their sign.
    static func text(_ value: Double) -> String {
        if value == .infinity { return "+Inf" }
        if value == -.infinity { return "-Inf" }
        if value.isNaN { return "NaN" }
        // 2^53: below it every whole number is exact.
        if value.magnitude < 9_007_199_254_740_992, value == value.rounded() { return String(Int(value)) }
        return String(value)
    }
}
