// SPDX-License-Identifier: Apache-2.0
import Gateway
import IPC
import JSON
import Testing

@testable import Routing

@Suite("The route table on the wire")
struct TableWireTests {
    private static let members = """
        "Router": {"default": "shared", "think": "chatty,big", "ignoreDirect": true},
        "ModelAliases": {"fast": "chatty,small"}, "Presets": {"p": {"route": "fast", "max_tokens": 5}, "q": {
        "route": "big", "temperature": 1}}, "APIKEY": "s3cret",
        "Frontend": {"codex": {"modelMappings": {"big": "resp,gpt-5.5", "default": "echo,codex"}}}
        """

    private func encoded() throws -> (RouteTable, [UInt8]) {
        let table = try table(with: Self.members)
        var writer = WireWriter()
        writer.put(table)
        return (table, writer.bytes)
    }

    private func decode(_ bytes: [UInt8]) throws(WireError) -> RouteTable {
        let result = bytes.withUnsafeBytes { buffer -> Result<RouteTable, WireError> in
            var reader = WireReader(buffer)
            return Result { () throws(WireError) in
                let table: RouteTable = try reader.get()
                try reader.end()
                return table
            }
        }
        return try result.get()
    }

    @Test("comes back as it was")
    func roundTrip() throws {
        let (table, bytes) = try encoded()
        #expect(try decode(bytes) == table)
    }

    @Test("holds no secret and no URL")
    func noSecret() throws {
        let text = String(decoding: try encoded().1, as: UTF8.self)
        #expect(!text.contains("s3cret"))
        #expect(!text.contains("http"))
    }

    @Test("is refused when it ends early or was changed, never trusted")
    func damaged() throws {
        let (_, bytes) = try encoded()
        for cut in bytes.indices { #expect(throws: WireError.self) { try decode(Array(bytes[..<cut])) } }
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0xFF
            _ = try? decode(changed)
        }
    }
}

@Suite("The model catalogue")
struct CatalogueTests {
    private let parser = JSONParser()

    private func catalogue(_ members: String) throws -> JSONValue {
        try parser.parse(ModelCatalogue.body(try table(with: members)))
    }

    private func strings(_ value: JSONValue?, _ name: StaticString) -> [String] {
        value?.elements.compactMap { $0.member(name)?.string } ?? []
    }

    private static let members = """
        "Router": {"default": "resp,shared"}, "ModelAliases": {"fast": "chatty,small", "smart": "gpt-5.5"},
        "Presets": {"p": {"route": "fast"}, "r": {"route": "resp,gpt-5.5"}},
        "Frontend": {"codex": {"modelMappings": {"gpt-9": "resp,gpt-5.5"}}}
        """

    @Test("lists aliases, models, mappings, presets, then pins, each once")
    func ids() throws {
        let root = try catalogue(Self.members)
        #expect(
            strings(root.member("data"), "id") == [
                "fast", "smart", "small", "big", "shared", "gpt-5.5", "gpt-5.5-none", "gpt-5.5-low",
                "gpt-5.5-medium", "gpt-5.5-high", "gpt-5.5-xhigh", "claude-opus-4-6", "echo", "echo:tools",
                "echo:think", "gpt-9", "p", "r", "chatty,small", "chatty,big", "chatty,shared",
                "resp,gpt-5.5",
                "resp,shared", "claude,claude-opus-4-6", "claude,shared", "echo,echo", "echo,echo:tools",
                "echo,echo:think",
            ])
        withExtendedLifetime(parser) {}
    }

    @Test("lists what an account may use in place of what is configured, and both are answered")
    func offered() throws {
        let configured = try table(with: #""Router": {"default": "chatty,big"}"#)
        let resp = try #require(configured.providers.firstIndex { $0.name == "resp" })
        let table = configured.offering(["brand-new", "gpt-5.5"], by: resp)
        let ids = strings(try parser.parse(ModelCatalogue.body(table)).member("data"), "id")
        withExtendedLifetime(parser) {}
        #expect(ids.filter { $0.hasPrefix("resp,") } == ["resp,brand-new", "resp,gpt-5.5"])
        #expect(ids.contains("brand-new") && ids.contains("gpt-5.5-high"))
        for (model, provider) in [
            ("brand-new", "resp"), ("gpt-5.5", "resp"), ("shared", "chatty"), ("nope", "chatty"),
        ] {
            let decision = try table.resolve(
                RoutingRequest(model: model, endpoint: .chatCompletions, client: .other))
            #expect(decision.candidates.first?.provider == provider, "\(model)")
        }
        #expect(table.offered(by: resp) == ["brand-new", "gpt-5.5"])
        #expect(table.offering([], by: resp).offered(by: resp) == [])
        let less = configured.offering(["gpt-5.5"], by: resp)
        let unlisted = try less.resolve(RoutingRequest(model: "shared", endpoint: .responses, client: .other))
        #expect(unlisted.candidates.first?.provider == "resp", "what is configured stays asked for")
    }

    @Test("has what the OpenAI and Anthropic SDKs require")
    func sdks() throws {
        let root = try catalogue(Self.members)
        #expect(root.member("object")?.string == "list")
        #expect(root.member("has_more")?.bool == false)
        #expect(root.member("first_id")?.string == "fast")
        #expect(root.member("last_id")?.string == "echo,echo:think")
        for model in try #require(root.member("data")).elements {
            #expect(model.member("object")?.string == "model")
            #expect(model.member("type")?.string == "model")
            #expect(model.member("created")?.int == 0)
            #expect(model.member("owned_by")?.string?.isEmpty == false)
            #expect(model.member("display_name")?.string == model.member("id")?.string)
            #expect(model.member("created_at")?.string == "1970-01-01T00:00:00Z")
        }
        withExtendedLifetime(parser) {}
    }

    @Test("offers Codex every model, the default first, since requests are translated")
    func codex() throws {
        let root = try catalogue(Self.members)
        #expect(
            strings(root.member("models"), "slug") == [
                "fast", "smart", "small", "big", "shared", "gpt-5.5", "claude-opus-4-6", "echo", "echo:tools",
                "echo:think", "gpt-9", "p", "r",
            ])
        let preferred = try catalogue(#""Router": {"default": "echo:think"}"#)
        #expect(strings(preferred.member("models"), "slug").first == "echo:think")
        withExtendedLifetime(parser) {}
    }

    /// Without any one of these Codex drops the whole list.
    private static let required: [StaticString] = [
        "slug", "display_name", "supported_reasoning_levels", "shell_type", "visibility", "supported_in_api",
        "priority", "base_instructions", "support_verbosity", "truncation_policy",
        "experimental_supported_tools",
    ]

    @Test("gives Codex every field that it requires")
    func requiredFields() throws {
        let root = try catalogue(Self.members)
        var priorities: [Int] = []
        for entry in try #require(root.member("models")).elements {
            for field in Self.required { #expect(entry.member(field) != nil, "\(field)") }
            #expect(entry.member("truncation_policy")?.member("mode")?.string == "tokens")
            #expect(entry.member("truncation_policy")?.member("limit")?.int == 10_000)
            #expect(entry.member("use_responses_lite")?.bool == false)
            #expect(entry.member("tool_mode")?.string == "direct")
            #expect(entry.member("base_instructions")?.string?.isEmpty == false)
            let reasons = entry.member("supports_reasoning_summaries")?.bool
            #expect(reasons == ["smart", "gpt-5.5", "gpt-9", "r"].contains(entry.member("slug")?.string))
            priorities.append(try #require(entry.member("priority")?.int))
        }
        #expect(priorities == Array(1...13))
        withExtendedLifetime(parser) {}
    }

    @Test("is empty but valid without a listed model")
    func empty() throws {
        let empty = try table(#"{"Providers": [{"name": "p", "api_base_url": "http://h/v1"}]}"#)
        #expect(
            String(decoding: ModelCatalogue.body(empty), as: UTF8.self)
                == #"{"object":"list","data":[],"has_more":false,"first_id":null,"last_id":null,"models":[]}"#
        )
    }

    @Test("has the presets beside it")
    func presets() throws {
        let table = try table(
            with:
                #""Presets": {"p": {"route": "big", "max_tokens": 5}, "q": {"route": "echo,e", "effort": "low"}}"#
        )
        #expect(
            String(decoding: PresetList.body(table), as: UTF8.self)
                == #"[{"name":"p","route":"chatty,big","max_tokens":5,"temperature":null,"effort":null},"#
                + #"{"name":"q","route":"echo,e","max_tokens":null,"temperature":null,"effort":"low"}]"#)
    }
}
