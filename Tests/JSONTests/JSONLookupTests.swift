// SPDX-License-Identifier: Apache-2.0
import JSON
import Testing

@Suite struct JSONLookupTests {
    @Test(arguments: [
        #"{"model":1,"messages":2,"max_tokens":3}"#,
        // Letters that share a bit with another one: "-" with "m", "4" with "t".
        #"{"-odel":1,"4ools":2}"#,
        // The first letter written by its number, and another one.
        #"{"\u006dodel":1}"#, #"{"m\u006fdel":1}"#, #"{"\"model":1}"#,
        #"{"":1}"#, #"{"model":{"tools":1}}"#, #"{"model":1,"model":2}"#, "{}", "[1]", #""model""#,
    ])
    func `a name is found exactly when the object has it`(text: String) throws {
        let parser = JSONParser()
        let bytes = Array(text.utf8)
        let value = try parser.parse(bytes)
        let lookup = JSONLookup(value)
        for name in ["model", "messages", "max_tokens", "tools", "-odel", "temperature"] as [StaticString] {
            #expect(lookup.member(name)?.int == value.member(name)?.int, "\(name)")
            #expect((lookup.member(name) == nil) == (value.member(name) == nil), "\(name)")
        }
        #expect(lookup.isEmpty == (value.count == 0 || !value.isObject))
        withExtendedLifetime(parser) {}
    }
}
