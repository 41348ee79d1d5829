// SPDX-License-Identifier: Apache-2.0
// Reading a request's fields with errors that say where: the path of a field is put together on the way out, so that a
// request without a fault pays nothing for it.

import Bytes
import Gateway
import JSON

/// A field that cannot be read as what it should be.
struct FieldError: Error, Equatable {
    /// "content[1].source.data"; empty for the value itself.
    private(set) var path: String
    /// What is wrong, without a byte of the field's value: "must be a string".
    let problem: String

    init(_ path: String, _ problem: String) {
        self.path = path
        self.problem = problem
    }

    /// The same error seen from the object that holds `member`.
    func within(_ member: String) -> FieldError {
        FieldError(path.isEmpty || path.hasPrefix("[") ? member + path : "\(member).\(path)", problem)
    }

    /// The same error seen from the array that holds the element `index`.
    func within(_ index: Int) -> FieldError { within("[\(index)]") }

    /// The error for the client.
    var gatewayError: GatewayError {
        GatewayError(.invalidRequest, path.isEmpty ? "the body \(problem)" : "\(path): \(problem)")
    }
}

extension JSONValue {
    /// A member that is there and not null.
    func field(_ name: StaticString) -> JSONValue? {
        guard let value = member(name), !value.isNull else { return nil }
        return value
    }

    /// A member that is a string, or nil when absent or null.
    func text(_ name: StaticString) throws(FieldError) -> String? {
        guard let value = field(name) else { return nil }
        guard let text = value.string else { throw FieldError("\(name)", "must be a string") }
        return text
    }

    /// A member that must be a string.
    func requiredText(_ name: StaticString) throws(FieldError) -> String {
        guard let text = try text(name) else { throw FieldError("\(name)", "is missing") }
        return text
    }

    /// A member that is a string of at least one byte.
    func identifier(_ name: StaticString) throws(FieldError) -> String {
        let text = try requiredText(name)
        guard !text.isEmpty else { throw FieldError("\(name)", "must not be empty") }
        return text
    }

    func integer(_ name: StaticString) throws(FieldError) -> Int? {
        guard let value = field(name) else { return nil }
        guard let number = value.int else { throw FieldError("\(name)", "must be an integer") }
        return number
    }

    func number(_ name: StaticString) throws(FieldError) -> Double? {
        guard let value = field(name) else { return nil }
        guard let number = value.double else { throw FieldError("\(name)", "must be a number") }
        return number
    }

    func flag(_ name: StaticString) throws(FieldError) -> Bool? {
        guard let value = field(name) else { return nil }
        guard let flag = value.bool else { throw FieldError("\(name)", "must be true or false") }
        return flag
    }

    func object(_ name: StaticString) throws(FieldError) -> JSONValue? {
        guard let value = field(name) else { return nil }
        guard value.isObject else { throw FieldError("\(name)", "must be an object") }
        return value
    }

    func list(_ name: StaticString) throws(FieldError) -> JSONValue? {
        guard let value = field(name) else { return nil }
        guard value.isArray else { throw FieldError("\(name)", "must be an array") }
        return value
    }

    /// A member that is an array of strings; empty when absent or null.
    func texts(_ name: StaticString) throws(FieldError) -> [String] {
        guard let list = try list(name) else { return [] }
        var texts: [String] = []
        for element in list.elements {
            guard let text = element.string else {
                throw FieldError("\(name)[\(texts.count)]", "must be a string")
            }
            texts.append(text)
        }
        return texts
    }

    /// Calls `body` with every element of an array; an error names the element.
    func readElements(_ body: (JSONValue) throws(FieldError) -> Void) throws(FieldError) {
        var index = 0
        for element in elements {
            do throws(FieldError) {
                try body(element)
            } catch {
                throw error.within(index)
            }
            index += 1
        }
    }

    /// Calls `body` with every element of a member that is an array; an error names member and element.
    func readList(
        _ name: StaticString, _ body: (JSONValue) throws(FieldError) -> Void
    ) throws(FieldError) {
        guard let list = try list(name) else { return }
        do throws(FieldError) {
            try list.readElements(body)
        } catch {
            throw error.within("\(name)")
        }
    }
}

extension RequestSource {
    /// A member that is an object, as it was written.
    func objectJSON(_ name: StaticString, of value: JSONValue) throws(FieldError) -> JSONText? {
        try value.object(name).map(json)
    }

    /// A string as it was written; nil for anything else.
    func string(_ value: JSONValue) -> JSONString? {
        guard value.isString else { return nil }
        guard map.holdsStrings else { return value.string.map { JSONString($0) } }
        return JSONString(written: text[map.range(of: value)].dropFirst().dropLast())
    }

    /// A member that must be a string, as it was written.
    func requiredString(_ name: StaticString, of value: JSONValue) throws(FieldError) -> JSONString {
        guard let member = value.field(name) else { throw FieldError("\(name)", "is missing") }
        guard let string = string(member) else { throw FieldError("\(name)", "must be a string") }
        return string
    }

    /// The members of an object besides those named, as they were written. Null says nothing and is left out.
    func extraMembers(of value: JSONValue, besides known: [StaticString]) -> [ExtraMember] {
        var extra: [ExtraMember] = []
        for (key, value) in value.members where !value.isNull && !known.contains(where: key.equals) {
            extra.append(ExtraMember(String(decoding: key, as: UTF8.self), json(value)))
        }
        return extra
    }
}

extension JSONWriter {
    /// Writes members that were taken over as they were.
    mutating func members(_ extra: [ExtraMember]) {
        for member in extra {
            key(member.name)
            raw(member.value.bytes)
        }
    }

    /// Writes a member that is JSON already.
    mutating func member(_ name: StaticString, json: JSONText) {
        key(name)
        raw(json.bytes)
    }

    /// Writes a member unless there is none.
    mutating func optional(_ name: StaticString, _ value: String?) {
        if let value { member(name, value) }
    }

    mutating func optional(_ name: StaticString, _ value: Int?) {
        if let value { member(name, value) }
    }

    mutating func optional(_ name: StaticString, _ value: Double?) {
        guard let value else { return }
        key(name)
        // A whole number was written as one.
        if let whole = Int(exactly: value) { int(whole) } else { double(value) }
    }

    mutating func optional(_ name: StaticString, _ value: Bool?) {
        if let value { member(name, value) }
    }
}
