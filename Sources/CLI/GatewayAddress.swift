// SPDX-License-Identifier: Apache-2.0
// Where a running ccr is asked, and the questions that commands ask it.

import Config
import JSON
import Posix

struct GatewayAddress {
    /// The time for one question while a command waits.
    private static let timeoutMs = 1_000

    private let address: ListenAddress
    /// For gateways that want one: the first client key that is not only known by its hash, or the administrators'.
    private let key: Secret?

    /// - Parameter isForAdmin: with the key for the paths of administrators.
    init(
        _ configuration: Configuration, _ overrides: ConfigOverrides = ConfigOverrides(),
        isForAdmin: Bool = false
    ) {
        let host = Self.reachable(overrides.host ?? configuration.listen.host)
        address = .tcp(host: host, port: overrides.port ?? configuration.listen.port)
        key = isForAdmin ? configuration.adminKey : configuration.clientKeys.lazy.compactMap(\.key).first
    }

    /// Where a command finds the gateway it is about: the system's service at its socket for administrators where the
    /// caller may open that, an instance of ccr start where it was told to listen, else at the configured address.
    ///
    /// - Parameter command: its name, for complaints.
    /// - Returns: nil after the person was told what is wrong with the options or the configuration.
    static func find(
        _ context: CommandContext, _ keeper: Keeper, command: String, isForAdmin: Bool = false
    ) -> GatewayAddress? {
        let overrides: ConfigOverrides
        do {
            overrides = try RunCommand.addressOptions(context)
        } catch {
            context.terminal.complain("ccr \(command): \(error.message)")
            return nil
        }
        var asked = context
        if case .background(let record, _) = keeper, !ServiceSurvey.namesGateway(context) {
            asked = context.with(options: record.arguments)
        }
        if ServiceSurvey.isAboutSystem(asked), asked.host.isWritable(ServiceManager.adminSocket) {
            return GatewayAddress(adminSocket: ServiceManager.adminSocket)
        }
        guard let configuration = asked.loadOrComplain() else { return nil }
        let own = (try? RunCommand.addressOptions(asked)) ?? overrides
        return GatewayAddress(configuration, own, isForAdmin: isForAdmin)
    }

    /// An administrators' socket, which asks for no key.
    init(adminSocket path: String) {
        address = .unix(path: path)
        key = nil
    }

    /// An address to connect to: listening everywhere includes loopback.
    private static func reachable(_ host: String) -> String {
        switch host {
        case "0.0.0.0", "localhost": "127.0.0.1"
        case "::", "[::1]": "::1"
        default: host
        }
    }

    /// "127.0.0.1:3456", or the path of a socket.
    var authority: String { address.description }

    var url: String { "http://\(authority)" }

    func get(_ path: String, timeoutMs: Int = HTTPClient.timeoutMs) throws(HTTPClient.Failure) -> HTTPResponse
    {
        try HTTPClient.ask(path, at: address, key: key, timeoutMs: timeoutMs)
    }

    func post(_ path: String, _ json: [UInt8]) throws(HTTPClient.Failure) -> HTTPResponse {
        try HTTPClient.ask(path, json: json, at: address, key: key)
    }

    /// Whether every process of a ccr is ready there.
    var isReady: Bool { (try? get("/health/readiness", timeoutMs: Self.timeoutMs))?.status == 200 }

    /// Whether it is a ccr that answers there.
    var isCCR: Bool {
        guard let body = (try? get("/health", timeoutMs: Self.timeoutMs))?.body else { return false }
        let parser = JSONParser()
        defer { withExtendedLifetime(parser) {} }
        // What is no JSON is no ccr.
        return (try? parser.parse(body))?.member("processes") != nil
    }
}
