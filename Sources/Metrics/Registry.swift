// SPDX-License-Identifier: Apache-2.0
// All series of a process in flat storage: changing one is an addition at an index, no lookup by name.

/// Holds the series of a fixed list of families.
package struct Registry {
    package let families: [MetricFamily]

    /// Series over all families; beyond it a new label combination is counted as "other".
    package let seriesLimit: Int

    private var familyIndex: [String: Int] = [:]
    private var byLabels: [[[String]: SeriesID]]
    /// Per family, its series in ascending order of their label values: the order of rendering.
    private var ordered: [[SeriesID]]
    private var series: [Series] = []
    private var cells: [Double] = []
    private var touched: [SeriesID] = []

    private struct Series {
        let family: Int
        let labels: [String]
        let cell: Int
        let isLasting: Bool
        var isShown = false
        var isTouched = false
    }

    /// The value that stands for every combination beyond the limit.
    package static let overflowLabel = "other"

    /// Names in `families` must differ.
    package init(_ families: [MetricFamily], seriesLimit: Int = 10_000) {
        self.families = families
        self.seriesLimit = seriesLimit
        byLabels = Array(repeating: [:], count: families.count)
        ordered = Array(repeating: [], count: families.count)
        for (index, family) in families.enumerated() {
            if familyIndex.updateValue(index, forKey: family.name) != nil {
                fatalError("metric \(family.name) is listed twice")
            }
        }
    }

    /// The number of series that exist.
    package var seriesCount: Int { series.count }

    /// The series of a family with these label values, made when it does not exist; hot paths keep the id.
    ///
    /// The values are in the order of the family's labels; a family or label count that does not exist is
    /// a bug.
    package mutating func series(_ name: String, _ labels: [String] = []) -> SeriesID {
        guard let family = familyIndex[name], families[family].labels.count == labels.count else {
            fatalError("no metric \(name) with \(labels.count) labels")
        }
        return series(family: family, labels)
    }

    private mutating func series(family: Int, _ labels: [String]) -> SeriesID {
        if let known = byLabels[family][labels] { return known }
        let overflow = labels.map { _ in Registry.overflowLabel }
        // One more per family may exist, the one that takes what is beyond the limit.
        if series.count >= seriesLimit, labels != overflow { return series(family: family, overflow) }
        let id = SeriesID(index: series.count)
        series.append(
            Series(
                family: family, labels: labels, cell: cells.count, isLasting: families[family].isLasting))
        cells.append(contentsOf: repeatElement(0, count: families[family].kind.cellCount))
        byLabels[family][labels] = id
        let position = ordered[family].firstIndex {
            labels.lexicographicallyPrecedes(series[$0.index].labels)
        }
        ordered[family].insert(id, at: position ?? ordered[family].count)
        return id
    }

    // MARK: - Changing values

    /// Adds to a counter or gauge.
    @inline(__always)
    package mutating func add(_ id: SeriesID, _ amount: Double) {
        cells[series[id.index].cell] += amount
        touch(id)
    }

    /// Adds to a counter or gauge.
    @inline(__always)
    package mutating func add(_ id: SeriesID, _ amount: Int = 1) {
        add(id, Double(amount))
    }

    /// Sets a gauge.
    package mutating func set(_ id: SeriesID, _ value: Double) {
        cells[series[id.index].cell] = value
        touch(id)
    }

    /// Counts an observation in a histogram.
    @inline(__always)
    package mutating func observe(_ id: SeriesID, _ value: Double) {
        let cell = series[id.index].cell
        guard case .histogram(let bounds) = families[series[id.index].family].kind else {
            return add(id, value)
        }
        var bucket = 0
        while bucket < bounds.count, value > bounds[bucket] { bucket += 1 }
        cells[cell + bucket] += 1
        cells[cell + bounds.count + 1] += value
        touch(id)
    }

    /// Shows a series at its present value, zero when it is new.
    package mutating func show(_ id: SeriesID) {
        series[id.index].isShown = true
    }

    /// Takes every series of a family out of the output, until it is changed again.
    package mutating func hideAll(_ name: String) {
        guard let family = familyIndex[name] else { fatalError("no metric \(name)") }
        for id in ordered[family] {
            series[id.index].isShown = false
            cells[series[id.index].cell] = 0
        }
    }

    @inline(__always)
    private mutating func touch(_ id: SeriesID) {
        series[id.index].isShown = true
        guard series[id.index].isLasting, !series[id.index].isTouched else { return }
        series[id.index].isTouched = true
        touched.append(id)
    }

    // MARK: - Reading values

    /// A counter's or gauge's value.
    package func value(_ id: SeriesID) -> Double { cells[series[id.index].cell] }

    /// A histogram's number of observations and their sum.
    package func summary(_ id: SeriesID) -> (count: Double, sum: Double) {
        let values = cellValues(id)
        return (values.dropLast().reduce(0, +), values.last ?? 0)
    }

    /// The value below which this part (0...1) of a histogram's observations lies, linear within its bucket; 0
    /// without observations, the highest bound when it lies above that (as Prometheus' histogram_quantile).
    package func quantile(_ part: Double, of id: SeriesID) -> Double {
        let entry = series[id.index]
        guard case .histogram(let bounds) = families[entry.family].kind else { return 0 }
        var rank = part * summary(id).count
        guard rank > 0 else { return 0 }
        var lower = 0.0
        for (index, bound) in bounds.enumerated() {
            let count = cells[entry.cell + index]
            if count > 0, rank <= count { return lower + (bound - lower) * rank / count }
            rank -= count
            lower = bound
        }
        return lower
    }

    /// The shown series of a family in order, each with its label values.
    package func shown(_ name: String) -> [(labels: [String], id: SeriesID)] {
        guard let family = familyIndex[name] else { fatalError("no metric \(name)") }
        return ordered[family].compactMap { id in
            series[id.index].isShown ? (series[id.index].labels, id) : nil
        }
    }

    /// The numbers a series holds: one, or for a histogram one per bucket (not cumulated, +Inf last) and the sum.
    package func cellValues(_ id: SeriesID) -> ArraySlice<Double> {
        let entry = series[id.index]
        return cells[entry.cell..<(entry.cell + families[entry.family].kind.cellCount)]
    }

    /// The family and label values of a series.
    package func identity(_ id: SeriesID) -> (family: MetricFamily, labels: [String]) {
        (families[series[id.index].family], series[id.index].labels)
    }

    // MARK: - Lasting values

    /// Takes the lasting series that have changed since the last call.
    package mutating func takeTouched() -> [SeriesID] {
        let taken = touched
        touched.removeAll(keepingCapacity: true)
        for id in taken { series[id.index].isTouched = false }
        return taken
    }

    /// Marks series as changed again, because storing them failed.
    package mutating func giveBackTouched(_ ids: [SeriesID]) {
        for id in ids { touch(id) }
    }

    /// Marks every lasting series as changed, because the store is a new one.
    package mutating func touchAll() {
        for index in series.indices where series[index].isShown { touch(SeriesID(index: index)) }
    }

    /// Puts stored numbers back; false when no lasting family fits the name, labels and number of cells.
    package mutating func restore(_ name: String, labels: [String], cells stored: [Double]) -> Bool {
        guard let family = familyIndex[name], families[family].isLasting,
            families[family].labels.count == labels.count, families[family].kind.cellCount == stored.count
        else { return false }
        let id = series(family: family, labels)
        guard series[id.index].labels == labels else { return false }
        for (offset, value) in stored.enumerated() { cells[series[id.index].cell + offset] = value }
        series[id.index].isShown = true
        return true
    }
}
