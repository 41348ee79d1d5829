// SPDX-License-Identifier: Apache-2.0
// What the supervisor gives front: routes, limits and the digests of client keys. No provider credential, no URL.

package import Gateway
package import IPC

package struct FrontConfig: Equatable, Sendable, WireCodable {
    package var routes: RouteTable
    package var limits: FrontLimits
    /// The accepted client keys; empty when none is needed.
    package var clients: [ClientRule]
    /// By provider.
    package var prices: [ProviderPrices]
    /// SHA-256 of the key for admin paths; empty when only admin sockets may ask for them.
    package var adminKeyDigests: [[UInt8]]
    /// The body of GET /v1/models.
    package var modelsBody: [UInt8]
    /// The body of GET /v1/presets.
    package var presetsBody: [UInt8]
    /// Order, repetitions, waits, limits and bans of candidates.
    package var policy: PolicyConfig

    package init(
        routes: RouteTable, limits: FrontLimits, clients: [ClientRule], prices: [ProviderPrices],
        adminKeyDigests: [[UInt8]] = [], modelsBody: [UInt8], presetsBody: [UInt8], policy: PolicyConfig
    ) {
        self.adminKeyDigests = adminKeyDigests
        self.routes = routes
        self.limits = limits
        self.clients = clients
        self.prices = prices
        self.modelsBody = modelsBody
        self.presetsBody = presetsBody
        self.policy = policy
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(routes)
        writer.put(limits)
        writer.put(list: clients) { $0.put($1) }
        writer.put(list: prices) { $0.put($1) }
        writer.put(list: adminKeyDigests) { $0.put($1) }
        writer.put(modelsBody)
        writer.put(presetsBody)
        writer.put(policy)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        routes = try reader.get()
        limits = try reader.get()
        clients = try reader.getList { (reader) throws(WireError) in try reader.get() }
        prices = try reader.getList { (reader) throws(WireError) in try reader.get() }
        guard prices.count == routes.providers.count else {
            throw .invalidValue("prices of \(prices.count) providers")
        }
        adminKeyDigests = try reader.getList { (reader) throws(WireError) in try reader.getArray() }
        modelsBody = try reader.getArray()
        presetsBody = try reader.getArray()
        policy = try reader.get()
        guard policy.providers.count == routes.providers.count else {
            throw .invalidValue("a policy for \(policy.providers.count) providers")
        }
    }
}
