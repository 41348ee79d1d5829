// SPDX-License-Identifier: Apache-2.0
// One configured credential as the refresher gets it. It names where secrets come from and holds none.

package import Config
import Gateway
package import IPC
import Providers

/// A configured credential.
package struct CredentialSpec: Equatable, Sendable, WireCodable {
    /// 1…64 bytes; unique.
    package var name: String
    /// The one provider whose workers may use it.
    package var provider: String
    package var kind: CredentialKind
    /// The key, refresh token, GitHub token, private key file…, depending on the kind.
    package var secret: SecretSource
    /// The client secret of OAuth 2.0 kinds.
    package var clientSecret: SecretSource?
    /// Share of the requests among credentials of the same priority, 1…1000.
    package var weight: Int
    /// Lower numbers are used first.
    package var priority: Int
    /// The header that carries the token.
    package var header: String
    /// Stands before the token in that header; "Bearer " or "".
    package var prefix: String
    /// Header fields that go to the provider with the token.
    package var headers: [String: String]
    /// Settings of the token endpoint by their configuration key: token_url, client_id, scope…
    package var settings: [String: String]
    /// Further fields of the token request.
    package var tokenFields: [String: String]
    package var tokenHeaders: [String: String]
    /// The program that prints the token, with its arguments; empty when there is none.
    package var command: [String]
    /// Variables that the program gets besides the usual ones.
    package var commandEnvironment: [String]

    /// The credential of a provider as it is configured.
    package init(_ entry: ProviderCredential, of provider: Provider) {
        self.init(name: entry.name, provider: provider.name, kind: entry.kind, secret: entry.secret)
        clientSecret = entry.clientSecret
        weight = entry.weight
        priority = entry.priority
        if entry.kind == .staticKey { (header, prefix) = Self.carrier(provider) }
        if let name = entry.header {
            (header, prefix) = (name, name.lowercased() == "authorization" ? "Bearer " : "")
        }
        headers = entry.headers
        settings = entry.settings
        tokenFields = entry.tokenFields
        tokenHeaders = entry.tokenHeaders
        command = entry.command
        commandEnvironment = entry.commandEnvironment
    }

    /// The header of a key, and what stands before the key.
    private static func carrier(_ provider: Provider) -> (String, String) {
        switch ResolvedProvider(provider).profile.auth {
        case .none, .bearer: ("Authorization", "Bearer ")
        case .apiKey: ("x-api-key", "")
        case .googleKey: ("x-goog-api-key", "")
        case .azureKey: ("api-key", "")
        }
    }

    package init(name: String, provider: String, kind: CredentialKind, secret: SecretSource = .vault) {
        self.name = name
        self.provider = provider
        self.kind = kind
        self.secret = secret
        weight = 1
        priority = 0
        header = "Authorization"
        prefix = "Bearer "
        headers = [:]
        settings = [:]
        tokenFields = [:]
        tokenHeaders = [:]
        command = []
        commandEnvironment = []
    }

    /// The login file of another program whose tokens are used as they are; nil when ccr renews its own.
    package var followedFile: String? {
        guard settings["mode"] == "follow", case .file(let path) = secret else { return nil }
        return path
    }

    /// The profile of its kind with the configured settings in place; nil when it asks no token endpoint.
    package var profile: TokenProfile? {
        guard var profile = kind.profile else { return nil }
        if let url = settings["token_url"] { profile.tokenURL = url }
        if let tenant = settings["tenant"] {
            profile.tokenURL = profile.tokenURL.replacing("{tenant}", with: tenant)
        }
        if let id = settings["client_id"] { profile.clientID = id }
        if let scope = settings["scope"] { profile.scope = scope }
        if let url = settings["revoke_url"] { profile.revokeURL = url }
        if settings["body"] == "json" { profile.encoding = .json }
        if settings["body"] == "form" { profile.encoding = .form }
        if let seconds = integer("default_ttl") { profile.defaultLifetime = seconds }
        if let seconds = integer("advisory") { profile.advisoryLead = seconds }
        if let seconds = integer("mandatory") { profile.mandatoryLead = seconds }
        if let codes = settings["permanent_codes"] {
            for code in codes.split(separator: "\n") { profile.permanentCodes[String(code)] = .revoked }
        }
        if let texts = settings["permanent_texts"] {
            profile.permanentTexts += texts.split(separator: "\n").map(String.init)
        }
        profile.fields.merge(tokenFields) { $1 }
        profile.headers.merge(tokenHeaders) { $1 }
        if let url = settings["device_url"] {
            var device = profile.device ?? DeviceProfile(codeURL: url, pollURL: profile.tokenURL)
            device.codeURL = url
            device.pollURL =
                settings["device_token_url"] ?? (kind == .oauth2 ? profile.tokenURL : device.pollURL)
            device.pageURL = settings["device_page_url"] ?? device.pageURL
            if kind == .oauth2 { device.scope = profile.scope }
            profile.device = device
        }
        if let url = settings["authorize_url"] {
            var browser = profile.browser ?? BrowserProfile(pageURL: url, scope: profile.scope)
            browser.pageURL = url
            profile.browser = browser
        }
        if let port = integer("redirect_port") { profile.browser?.ports = [UInt16(clamping: port)] }
        return profile
    }

    /// A setting that is a whole number.
    package func integer(_ name: String) -> Int? { settings[name].flatMap { Int($0) } }

    package func encode(to writer: inout WireWriter) {
        writer.put(name)
        writer.put(provider)
        writer.put(kind.rawValue)
        writer.put(secret.text)
        writer.put(clientSecret) { $0.put($1.text) }
        writer.put(UInt32(weight))
        writer.put(Int32(priority))
        writer.put(header)
        writer.put(prefix)
        for map in [headers, settings, tokenFields, tokenHeaders] { Self.put(map, &writer) }
        writer.put(list: command) { $0.put($1) }
        writer.put(list: commandEnvironment) { $0.put($1) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        name = try reader.getString()
        provider = try reader.getString()
        guard let kind = CredentialKind(rawValue: try reader.getString()) else {
            throw .invalidValue("kind of credential")
        }
        self.kind = kind
        secret = try Self.source(try reader.getString())
        clientSecret = try reader.getOptional { (reader) throws(WireError) in
            try Self.source(try reader.getString())
        }
        weight = Int(try reader.get(UInt32.self))
        priority = Int(try reader.get(Int32.self))
        header = try reader.getString()
        prefix = try reader.getString()
        headers = try Self.map(&reader)
        settings = try Self.map(&reader)
        tokenFields = try Self.map(&reader)
        tokenHeaders = try Self.map(&reader)
        command = try reader.getList { (reader) throws(WireError) in try reader.getString() }
        commandEnvironment = try reader.getList { (reader) throws(WireError) in try reader.getString() }
    }

    private static func source(_ text: String) throws(WireError) -> SecretSource {
        guard let source = SecretSource(text) else { throw .invalidValue("source of a secret") }
        return source
    }

    private static func put(_ map: [String: String], _ writer: inout WireWriter) {
        writer.put(list: map.sorted { $0.key < $1.key }) { writer, entry in
            writer.put(entry.key)
            writer.put(entry.value)
        }
    }

    private static func map(_ reader: inout WireReader) throws(WireError) -> [String: String] {
        let entries = try reader.getList { (reader) throws(WireError) in
            (try reader.getString(), try reader.getString())
        }
        return Dictionary(entries) { $1 }
    }
}
