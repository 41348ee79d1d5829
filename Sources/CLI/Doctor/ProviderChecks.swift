// SPDX-License-Identifier: Apache-2.0
// Whether `ccr doctor` reaches the providers: the name is resolved and a TCP connection made, to the provider or to the
// proxy in front of it. Nothing is sent.
// Source: libcurl-env(3) for the proxy variables; getent(1).

import Config

/// A host and port to connect to.
struct Destination: Hashable {
    let host: String
    let port: UInt16

    /// The ports of the schemes when the URL names none.
    private static let ports: [String: UInt16] = [
        "http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080,
    ]

    /// Of an absolute URL; nil for what is none. A user and password are left out.
    init?(url: String) {
        guard let colon = url.firstRange(of: "://") else { return nil }
        let scheme = url[..<colon.lowerBound].lowercased()
        let authority = url[colon.upperBound...].prefix { $0 != "/" && $0 != "?" }
        let place = authority[
            (authority.lastIndex(of: "@").map { authority.index(after: $0) } ?? authority.startIndex)...]
        let end: Substring.Index
        if place.hasPrefix("[") {
            guard let bracket = place.firstIndex(of: "]") else { return nil }
            host = String(place[place.index(after: place.startIndex)..<bracket])
            end = place.index(after: bracket)
        } else {
            end = place.firstIndex(of: ":") ?? place.endIndex
            host = String(place[..<end])
        }
        let rest = place[end...]
        guard let port = rest.isEmpty ? Self.ports[scheme] : UInt16(rest.dropFirst()), !host.isEmpty else {
            return nil
        }
        self.port = port
    }

    /// "api.openai.com:443"
    var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// The proxy variables of the environment, as the workers' libcurl follows them.
struct ProxyVariables {
    private let environment: [String: String]

    init(_ environment: [String: String]) {
        self.environment = environment
    }

    /// The proxy for a URL to this host, or nil.
    func proxy(scheme: String, host: String) -> String? {
        guard !isExcluded(host) else { return nil }
        // HTTP_PROXY in capitals is not read: a CGI request could set it.
        let names = scheme == "https" ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy"]
        return (names + ["all_proxy", "ALL_PROXY"]).lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
    }

    private func isExcluded(_ host: String) -> Bool {
        let list = environment["no_proxy"] ?? environment["NO_PROXY"] ?? ""
        return list.split(whereSeparator: { $0 == "," || $0 == " " }).contains { entry in
            let name = entry.hasPrefix(".") ? entry.dropFirst() : entry
            return entry == "*" || host == name || host.hasSuffix(".\(name)")
        }
    }
}

extension Doctor {
    /// For the resolution of a name, and for the connection.
    private static let timeoutMs = 5_000

    func providers() -> [Finding] {
        var known: [Destination: String] = [:]
        return (loaded.configuration?.providers ?? []).map { provider in
            let subject = "provider \(provider.name)"
            guard let url = provider.baseURL?.text else { return .ok(subject, "inside ccr") }
            let scheme = url.hasPrefix("https:") ? "https" : "http"
            let configured = provider.proxy.map { String(decoding: $0.expose(), as: UTF8.self) }
            let proxy =
                configured
                ?? ProxyVariables(context.environment).proxy(
                    scheme: scheme, host: provider.baseURL?.host ?? "")
            let remedy =
                proxy == nil
                ? "check the network, the name and whether a proxy is needed (PROXY_URL)"
                : "check the proxy that PROXY_URL, the provider's proxy or the environment names"
            // A proxy without a scheme speaks HTTP.
            let target = proxy.map { $0.contains("://") ? $0 : "http://\($0)" } ?? url
            guard let destination = Destination(url: target) else {
                return .fail(subject, "its address cannot be read", "correct api_base_url or the proxy")
            }
            context.terminal.progress("asking \(destination.text) …")
            let fault = known[destination] ?? reach(destination)
            known[destination] = fault
            let place = (proxy == nil ? "" : "proxy ") + destination.text
            return fault.isEmpty
                ? .ok(subject, "\(place) can be reached") : .fail(subject, "\(place): \(fault)", remedy)
        }
    }

    /// "" when a connection can be made, else why not.
    private func reach(_ destination: Destination) -> String {
        var addresses = [destination.host]
        if !destination.host.contains(":"), destination.host.contains(where: { !$0.isNumber && $0 != "." }) {
            // In a process of its own, because getaddrinfo(3) cannot be given a time.
            let answer = host.query(["getent", "ahosts", destination.host], timeoutMs: Self.timeoutMs)
            guard let answer else { return "the name is not resolved in \(Self.timeoutMs / 1_000) s" }
            // One line for each address and kind of socket.
            addresses = answer.output.split(separator: "\n").filter { $0.contains("STREAM") }
                .map { String($0.prefix { $0 != " " }) }
            guard answer.status == 0, !addresses.isEmpty else { return "the name is not known" }
        }
        var fault = ""
        // Of many addresses the first ones tell enough.
        for address in addresses.prefix(3) {
            guard let reason = host.connect(address, port: destination.port, timeoutMs: Self.timeoutMs) else {
                return ""
            }
            fault = reason
        }
        return fault
    }
}
