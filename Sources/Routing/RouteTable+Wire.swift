// SPDX-License-Identifier: Apache-2.0
// The wire form of a route table: what the supervisor sends to front. Indices are checked on arrival.

import Gateway
package import IPC

extension RouteTable: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(list: providers) { writer, provider in
            writer.put(provider.name)
            writer.put(provider.tierName)
            writer.put(list: provider.dialects) { $0.put($1.rawValue) }
            writer.put(list: provider.models) { $0.put($1) }
            writer.put(list: provider.variants) { $0.put($1) }
            writer.put(list: provider.limits) { writer, limits in writer.put(limits) { $0.put($1) } }
            writer.put(provider.tellsModels)
        }
        writer.put(list: aliases) { $0.put($1) }
        writer.put(list: codexMappings) { $0.put($1) }
        writer.put(codexDefault) { $0.put($1) }
        writer.put(list: presets) { $0.put($1) }
        writer.put(list: clients) { $0.put($1) }
        writer.put(list: rules) { $0.put($1) }
        writer.put(probes)
        writer.put(list: fallbacks) { $0.put($1) }
        writer.put(ignoresPins)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let providers = try reader.getList { (reader) throws(WireError) in
            RouteProvider(
                name: try reader.getString(),
                tierName: try reader.getString(),
                dialects: try reader.getList { (reader) throws(WireError) in try reader.getCase() },
                models: try reader.getList { (reader) throws(WireError) in try reader.getString() },
                variants: try reader.getList { (reader) throws(WireError) in try reader.getString() },
                limits: try reader.getList { (reader) throws(WireError) in
                    try reader.getOptional { (reader) throws(WireError) in try reader.get() }
                },
                tellsModels: try reader.getBool()
            )
        }
        let aliases: [NamedDestination] = try reader.getList { (reader) throws(WireError) in try reader.get()
        }
        let codexMappings: [NamedDestination] = try reader.getList { (reader) throws(WireError) in
            try reader.get()
        }
        let codexDefault: Destination? = try reader.getOptional { (reader) throws(WireError) in
            try reader.get()
        }
        let presets = try reader.getList { (reader) throws(WireError) in try PresetDestination(from: &reader)
        }
        let clients: [ClientRoutes] = try reader.getList { (reader) throws(WireError) in try reader.get() }
        guard clients.count == ClientKind.allCases.count else {
            throw .invalidValue("routes of \(clients.count) kinds of clients")
        }
        let rules: [RoutingRule] = try reader.getList { (reader) throws(WireError) in try reader.get() }
        let probes: RuleProbes = try reader.get()
        let fallbacks: [Destination] = try reader.getList { (reader) throws(WireError) in try reader.get() }
        let ignoresPins = try reader.getBool()

        let choices =
            clients.flatMap { [$0.standard] + $0.kinds }.compactMap { $0?.choice }
            + rules.compactMap(\.choice)
        let destinations =
            (aliases + codexMappings).map(\.destination) + presets.map(\.destination) + fallbacks
            + [codexDefault].compactMap { $0 } + choices.flatMap(\.shares).map(\.destination)
            + choices.compactMap { $0.shadow?.destination }
        for number in destinations.flatMap(\.providers) where !providers.indices.contains(number) {
            throw .invalidValue("provider \(number) of \(providers.count)")
        }
        self.init(
            providers: providers, aliases: aliases, codexMappings: codexMappings, codexDefault: codexDefault,
            presets: presets, clients: clients, rules: rules, probes: probes, fallbacks: fallbacks,
            ignoresPins: ignoresPins)
    }
}

extension PresetDestination: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(name)
        writer.put(destination)
        writer.put(overrides)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        name = try reader.getString()
        destination = try reader.get()
        overrides = try reader.get()
    }
}

extension Destination: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(list: providers) { $0.put(UInt32($1)) }
        writer.put(model)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        providers = try reader.getList { (reader) throws(WireError) in Int(try reader.get(UInt32.self)) }
        model = try reader.getString()
    }
}

extension NamedDestination: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(name)
        writer.put(destination)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        name = try reader.getString()
        destination = try reader.get()
    }
}
