// SPDX-License-Identifier: Apache-2.0
// A rule of the operator as front holds it against requests: numbers and bits, cheapest first.

import Bytes
import Config
import Gateway
package import IPC

struct RoutingRule: Equatable, Sendable {
    /// "Rules[3]", with its name behind it when it has one.
    let title: String
    var demands = Demands()
    /// A pattern; nil: any model, and none.
    var model: [UInt8]?
    /// The name of the client key.
    var key: String?
    var choice: Choice?
    var overrides = ParameterOverrides()

    /// What is told by comparing numbers. A rule holds most of its memory elsewhere, so that a copy of it costs more than
    /// this look, which decides about most rules.
    struct Demands: Equatable, Sendable {
        var endpoint: Endpoint?
        var client: ClientKind?
        var kind: RequestKind?
        var tokens: ClosedRange<Int> = 0...Int.max
        var hasImage: Bool?
        /// Bits of the table's probes, all of which must hold.
        var headerProbes: UInt64 = 0
        var toolProbes: UInt64 = 0

        func hold(_ request: RoutingRequest, _ kinds: RequestKinds) -> Bool {
            (endpoint == nil || endpoint == request.endpoint) && (client == nil || client == request.client)
                && tokens.contains(request.traits.tokens)
                && (hasImage == nil || hasImage == request.traits.hasImage)
                && headerProbes & ~request.traits.headerProbes == 0
                && toolProbes & ~request.traits.toolProbes == 0
                && (kind.map { RoutingRule.fits($0, kinds) } ?? true)
        }
    }

    /// Whether the request fulfils the rule.
    func matches(_ request: RoutingRequest, _ kinds: RequestKinds) -> Bool {
        guard demands.hold(request, kinds), key == nil || key == request.key else { return false }
        guard let model else { return true }
        var name = request.model ?? ""
        return name.withUTF8 { Glob.matches(model, UnsafeRawBufferPointer($0)) }
    }

    private static func fits(_ kind: RequestKind, _ kinds: RequestKinds) -> Bool {
        kind == .main ? kinds.isEmpty : kinds.contains(RequestKinds(kind))
    }

    /// The first demand that the request does not fulfil, in words; nil when it matches.
    func mismatch(_ request: RoutingRequest, _ kinds: RequestKinds) -> String? {
        let traits = request.traits
        let demands = demands
        if let endpoint = demands.endpoint, endpoint != request.endpoint {
            return "the path is not \(endpoint.clientPath)"
        }
        if let client = demands.client, client != request.client { return "the client is not \(client.name)" }
        if let kind = demands.kind, !RoutingRule.fits(kind, kinds) {
            return "the request is not \(kind.name)"
        }
        if let key, key != request.key { return "the client key is not \(quoted(key))" }
        if !demands.tokens.contains(traits.tokens) {
            return traits.tokens < demands.tokens.lowerBound
                ? "\(traits.tokens) tokens are below \(demands.tokens.lowerBound)"
                : "\(traits.tokens) tokens are above \(demands.tokens.upperBound)"
        }
        if let hasImage = demands.hasImage, hasImage != traits.hasImage {
            return hasImage ? "there is no image" : "there is an image"
        }
        if demands.headerProbes & ~traits.headerProbes != 0 {
            return "a header field is missing or has another value"
        }
        if demands.toolProbes & ~traits.toolProbes != 0 { return "a tool is missing" }
        if let model, !matches(request, kinds) {
            return "the model does not fit \(quoted(String(decoding: model, as: UTF8.self)))"
        }
        return nil
    }
}

extension RoutingRule {
    /// - Parameter probes: gets what the rule looks at, if it is not there yet.
    init(_ rule: RouteRule, number: Int, probes: inout RuleProbes, follow: (RouteChoice) -> Choice?) {
        title = "Rules[\(number)]" + (rule.name.isEmpty ? "" : " \(quoted(rule.name))")
        let match = rule.match
        demands.endpoint = match.path.flatMap { path in Endpoint.allCases.first { $0.clientPath == path } }
        demands.client = match.client.flatMap { name in ClientKind.allCases.first { $0.name == name } }
        demands.kind = match.kind
        model = match.model.map { Array($0.utf8) }
        key = match.key
        demands.tokens = (match.minTokens ?? 0)...max(match.minTokens ?? 0, match.maxTokens ?? .max)
        demands.hasImage = match.hasImage
        for header in match.headers {
            let probe = HeaderProbe(name: Array(header.name.utf8), pattern: Array(header.pattern.utf8))
            demands.headerProbes |= RoutingRule.bit(of: probe, in: &probes.headers)
        }
        for tool in match.tools {
            demands.toolProbes |= RoutingRule.bit(of: Array(tool.utf8), in: &probes.tools)
        }
        choice = rule.choice.flatMap(follow)
        overrides = ParameterOverrides(
            maxTokens: rule.maxTokens, temperature: rule.temperature, effort: rule.effort)
    }

    private static func bit<Probe: Equatable>(of probe: Probe, in list: inout [Probe]) -> UInt64 {
        if let place = list.firstIndex(of: probe) { return 1 << UInt64(place) }
        // The configuration bounds the number of different ones.
        guard list.count < RuleProbes.maximumCount else { return 1 << UInt64(RuleProbes.maximumCount) }
        list.append(probe)
        return 1 << UInt64(list.count - 1)
    }
}

extension RuleProbes {
    /// Different ones of a kind; the bit behind them is never set, so that a rule which needs more matches nothing.
    static let maximumCount = 63
}

extension RoutingRule: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(title)
        writer.put(demands.endpoint) { $0.put($1.rawValue) }
        writer.put(demands.client) { $0.put($1.rawValue) }
        writer.put(demands.kind) { $0.put($1.rawValue) }
        writer.put(model) { $0.put($1) }
        writer.put(key) { $0.put($1) }
        writer.put(UInt64(demands.tokens.lowerBound))
        writer.put(UInt64(demands.tokens.upperBound))
        writer.put(demands.hasImage) { $0.put($1) }
        writer.put(demands.headerProbes)
        writer.put(demands.toolProbes)
        writer.put(choice) { $0.put($1) }
        writer.put(overrides)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        title = try reader.getString()
        demands.endpoint = try reader.getOptional { (reader) throws(WireError) in try reader.getCase() }
        demands.client = try reader.getOptional { (reader) throws(WireError) in try reader.getCase() }
        demands.kind = try reader.getOptional { (reader) throws(WireError) in try reader.getCase() }
        model = try reader.getOptional { (reader) throws(WireError) in try reader.getArray() }
        key = try reader.getOptional { (reader) throws(WireError) in try reader.getString() }
        let least = Int(clamping: try reader.get(UInt64.self))
        demands.tokens = least...max(least, Int(clamping: try reader.get(UInt64.self)))
        demands.hasImage = try reader.getOptional { (reader) throws(WireError) in try reader.getBool() }
        demands.headerProbes = try reader.get()
        demands.toolProbes = try reader.get()
        choice = try reader.getOptional { (reader) throws(WireError) in try reader.get() }
        overrides = try reader.get()
    }
}

extension RuleProbes: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(list: headers) { writer, probe in
            writer.put(probe.name)
            writer.put(probe.pattern)
        }
        writer.put(list: tools) { $0.put($1) }
        writer.put(readsSearchTags)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        headers = try reader.getList { (reader) throws(WireError) in
            HeaderProbe(name: try reader.getArray(), pattern: try reader.getArray())
        }
        tools = try reader.getList { (reader) throws(WireError) in try reader.getArray() }
        guard headers.count <= RuleProbes.maximumCount, tools.count <= RuleProbes.maximumCount else {
            throw .invalidValue("\(headers.count) header and \(tools.count) tool probes")
        }
        readsSearchTags = try reader.getBool()
    }
}
