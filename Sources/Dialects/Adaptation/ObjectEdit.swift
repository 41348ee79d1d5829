// SPDX-License-Identifier: Apache-2.0
// Changes single members of a JSON object by splices of its text: whatever is not named keeps its bytes.
// Source: RFC 8259 §4 (objects).

import Bytes
import Gateway
import JSON

/// What happens to the members of one name; of a name given twice, to each.
enum MemberChange: Equatable {
    case remove
    /// The value is replaced; a missing member is added.
    case set(String)
    /// A missing member is added; one that is there stands.
    case add(String)
    /// The name is replaced, unless a member of the new name is there already.
    case rename(String)
}

/// Collects splices for one document.
struct ObjectEdit {
    private let text: UnsafeRawBufferPointer
    private let map: SourceMap
    private(set) var splices: [Splice] = []

    init(text: UnsafeRawBufferPointer, map: SourceMap) {
        self.text = text
        self.map = map
    }

    /// The byte offsets of a value.
    private func range(_ value: JSONValue) -> Range<Int> {
        let bytes = map.bytes(of: value)
        guard let start = bytes.baseAddress, let origin = text.baseAddress else { return 0..<0 }
        let offset = start - origin
        return offset..<(offset + bytes.count)
    }

    /// Replaces a value as a whole.
    mutating func replace(_ value: JSONValue, _ json: String) {
        let range = range(value)
        splices.append(Splice(offset: range.lowerBound, length: range.count, replacement: Array(json.utf8)))
    }

    /// Applies changes by the name of the member. Values that are replaced or removed must not be edited themselves.
    mutating func change(_ object: JSONValue, _ changes: [(name: String, change: MemberChange)]) {
        var present: Set<String> = []
        for (key, _) in object.members { present.insert(String(decoding: key, as: UTF8.self)) }
        let whole = range(object)
        var end = whole.lowerBound + 1
        var keptCount = 0
        for (key, value) in object.members {
            let name = String(decoding: key, as: UTF8.self)
            let place = range(value)
            // From the end of the member before: with its comma, its name and its colon.
            let span = end..<place.upperBound
            end = place.upperBound
            switch changes.first(where: { $0.name == name })?.change {
            case .remove:
                splices.append(Splice(offset: span.lowerBound, length: span.count, replacement: []))
                continue
            case .set(let json):
                dropComma(span, ifFirst: keptCount == 0)
                splices.append(
                    Splice(offset: place.lowerBound, length: place.count, replacement: Array(json.utf8)))
            case .rename(let new) where !present.contains(new):
                dropComma(span, ifFirst: keptCount == 0)
                rename(span, to: new)
            case .rename:
                splices.append(Splice(offset: span.lowerBound, length: span.count, replacement: []))
                continue
            case .add, nil: dropComma(span, ifFirst: keptCount == 0)
            }
            keptCount += 1
        }
        add(changes.filter { !present.contains($0.name) }, at: end, isFirst: keptCount == 0)
    }

    private mutating func add(
        _ changes: [(name: String, change: MemberChange)], at offset: Int, isFirst: Bool
    ) {
        var isFirst = isFirst
        var bytes: [UInt8] = []
        for (name, change) in changes {
            let json: String
            switch change {
            case .set(let value), .add(let value): json = value
            case .remove, .rename: continue
            }
            if !isFirst { bytes.append(ASCII.comma) }
            isFirst = false
            JSONWriter.append(string: name, to: &bytes)
            bytes.append(ASCII.colon)
            bytes += Array(json.utf8)
        }
        if !bytes.isEmpty { splices.append(Splice(offset: offset, length: 0, replacement: bytes)) }
    }

    /// The comma in front of what has become the first member goes.
    private mutating func dropComma(_ span: Range<Int>, ifFirst: Bool) {
        guard ifFirst, let comma = text.slice(span).firstIndex(where: { $0 > ASCII.space }),
            text[span.lowerBound + comma] == ASCII.comma
        else { return }
        splices.append(Splice(offset: span.lowerBound + comma, length: 1, replacement: []))
    }

    private mutating func rename(_ span: Range<Int>, to name: String) {
        guard let quote = text.slice(span).firstIndex(of: ASCII.quote, from: 0) else { return }
        let start = span.lowerBound + quote
        var index = start + 1
        while index < span.upperBound, text[index] != ASCII.quote {
            index += text[index] == ASCII.backslash ? 2 : 1
        }
        var bytes: [UInt8] = []
        JSONWriter.append(string: name, to: &bytes)
        splices.append(Splice(offset: start, length: index + 1 - start, replacement: bytes))
    }

    /// The splices in ascending order.
    var sorted: [Splice] {
        splices.enumerated().sorted { ($0.element.offset, $0.offset) < ($1.element.offset, $1.offset) }
            .map(\.element)
    }
}
