// SPDX-License-Identifier: Apache-2.0
import Dialects
import Gateway
import Testing

@Suite struct ToolNameTableTests {
    private func register(_ tools: [ToolName], maximum: Int = 64) -> (ToolNameTable, [String]) {
        var table = ToolNameTable()
        let names = tools.map { table.register($0, form: .function, isWrapped: false, maximum: maximum) }
        return (table, names)
    }

    @Test func `a plain name stays`() {
        let (table, names) = register([ToolName("Bash"), ToolName("mcp__weather__get-weather")])
        #expect(names == ["Bash", "mcp__weather__get-weather"])
        #expect(table.entry("Bash")?.tool == ToolName("Bash"))
        #expect(table.upstreamName(ToolName("Bash")) == "Bash")
        #expect(table.entry("Other") == nil)
    }

    @Test func `a namespace is flattened and found again`() {
        let tool = ToolName("get", namespace: "mcp__weather")
        let (table, names) = register([tool])
        #expect(names == ["mcp__weather__get"])
        #expect(table.entry("mcp__weather__get")?.tool == tool)
    }

    @Test func `a long name becomes a short one that is the same in every request`() {
        let long = ToolName(String(repeating: "very_long_", count: 12))
        let (table, names) = register([long])
        #expect(names[0].utf8.count == 64)
        #expect(names[0].hasPrefix("very_long_very_long_"))
        #expect(table.entry(names[0])?.tool == long)
        #expect(register([ToolName("a"), long]).1[1] == names[0])
    }

    @Test func `names that differ only at their end or in their letters stay different`() {
        let stem = String(repeating: "x", count: 80)
        let tools = [
            ToolName(stem + "1"), ToolName(stem + "2"), ToolName("a.b"), ToolName("a/b"), ToolName("a_b"),
            ToolName("b", namespace: "a_"), ToolName("_b", namespace: "a"),
        ]
        let (table, names) = register(tools)
        #expect(Set(names).count == tools.count)
        for (tool, name) in zip(tools, names) { #expect(table.entry(name)?.tool == tool) }
    }

    @Test func `what providers refuse in a name is replaced`() {
        for name in register([ToolName("9lives"), ToolName("-x"), ToolName("größe"), ToolName("")]).1 {
            #expect(name.utf8.count <= 64)
            #expect(name.wholeMatch(of: /[a-zA-Z_][a-zA-Z0-9_-]*/) != nil, "\(name)")
        }
    }

    @Test func `a tool that is registered twice keeps its name`() {
        let (_, names) = register([ToolName("a"), ToolName("a")])
        #expect(names == ["a", "a"])
    }
}
