// SPDX-License-Identifier: Apache-2.0
// What the supervisor gives one worker: its provider and nothing of any other.

package import IPC

/// How a provider's key is sent.
package enum AuthScheme: UInt8, CaseIterable, Sendable {
    /// No key.
    case none = 0
    /// "Authorization: Bearer KEY".
    case bearer = 1
    /// "x-api-key: KEY".
    case apiKey = 2
    /// "x-goog-api-key: KEY".
    case googleKey = 3
    /// "api-key: KEY".
    case azureKey = 4
}

/// Times of an exchange and its connection, all in milliseconds.
package struct ExchangeTimeouts: Equatable, Sendable, WireCodable {
    /// Until a connection stands, TLS included.
    package var connect: Int
    /// From the handoff to the first real event or the answer's first byte.
    package var firstEvent: Int
    /// From the handoff to the end of an answer that is no stream.
    package var total: Int
    /// Without a byte from the upstream, or with a client that does not read.
    package var idle: Int
    /// Silence of the upstream after which the client gets a sign of life.
    package var keepalive: Int
    /// How long the head is held back while a stream has shown nothing but its opening events.
    package var commitHold: Int
    /// How long a connection to the upstream stays open while nobody uses it.
    package var unusedConnection: Int

    package init(
        connect: Int, firstEvent: Int, total: Int, idle: Int, keepalive: Int, commitHold: Int,
        unusedConnection: Int
    ) {
        self.connect = connect
        self.firstEvent = firstEvent
        self.total = total
        self.idle = idle
        self.keepalive = keepalive
        self.commitHold = commitHold
        self.unusedConnection = unusedConnection
    }

    package func encode(to writer: inout WireWriter) {
        for value in [connect, firstEvent, total, idle, keepalive, commitHold, unusedConnection] {
            writer.put(UInt64(value))
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        connect = Int(clamping: try reader.get(UInt64.self))
        firstEvent = Int(clamping: try reader.get(UInt64.self))
        total = Int(clamping: try reader.get(UInt64.self))
        idle = Int(clamping: try reader.get(UInt64.self))
        keepalive = Int(clamping: try reader.get(UInt64.self))
        commitHold = Int(clamping: try reader.get(UInt64.self))
        unusedConnection = Int(clamping: try reader.get(UInt64.self))
    }
}

/// A credential that a worker may use, by name.
package struct CredentialMember: Equatable, Sendable, WireCodable {
    package var name: String
    package var weight: Int
    package var priority: Int
    /// How long a request waits for its token, in milliseconds.
    package var waitMsec: Int

    package init(name: String, weight: Int, priority: Int, waitMsec: Int = 15_000) {
        self.waitMsec = waitMsec
        self.name = name
        self.weight = weight
        self.priority = priority
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(name)
        writer.put(UInt32(weight))
        writer.put(UInt32(priority))
        writer.put(UInt32(waitMsec))
    }

    package init(from reader: inout WireReader) throws(WireError) {
        name = try reader.getString()
        weight = Int(try reader.get(UInt32.self))
        priority = Int(try reader.get(UInt32.self))
        waitMsec = Int(try reader.get(UInt32.self))
    }
}

/// A worker's whole configuration.
package struct WorkerConfig: Equatable, Sendable, WireCodable {
    package var provider: String
    /// Answers come from the embedded echo instead of a network.
    package var isEcho: Bool
    package var profile: ProviderProfile
    /// What is known of the provider's models, in the order of matching.
    package var models: [ModelRules]
    /// The upstream URL of each endpoint in what the provider speaks.
    package var urls: [Endpoint: String]
    /// For streams, where they have another URL.
    package var streamURLs: [Endpoint: String]
    /// Where the provider's models are asked for; nil when nobody wants to know.
    package var modelsURL: String?
    /// The provider's key, or empty; held by this worker alone.
    package var key: [UInt8]
    /// Sent as "anthropic-version" when the client sends none.
    package var anthropicVersion: String
    /// Fields that are added to every request or replace the client's.
    package var extraHeaders: [String: String]
    /// "scheme://host:port", "" for none, nil for the environment's.
    package var proxy: String?
    package var timeouts: ExchangeTimeouts
    /// Kept alive by the refresher, instead of `key`; front says which one to use.
    package var credentials: [CredentialMember]
    /// The directory of tokens.db; "" without credentials.
    package var tokenDirectory: String

    package init(
        provider: String, isEcho: Bool, profile: ProviderProfile, models: [ModelRules],
        urls: [Endpoint: String],
        streamURLs: [Endpoint: String], key: [UInt8],
        anthropicVersion: String, extraHeaders: [String: String], proxy: String?, timeouts: ExchangeTimeouts,
        credentials: [CredentialMember] = [], tokenDirectory: String = "", modelsURL: String? = nil
    ) {
        self.modelsURL = modelsURL
        self.credentials = credentials
        self.tokenDirectory = tokenDirectory
        self.provider = provider
        self.isEcho = isEcho
        self.profile = profile
        self.models = models
        self.urls = urls
        self.streamURLs = streamURLs
        self.key = key
        self.anthropicVersion = anthropicVersion
        self.extraHeaders = extraHeaders
        self.proxy = proxy
        self.timeouts = timeouts
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(provider)
        writer.put(isEcho)
        writer.put(profile)
        writer.put(list: models) { $0.put($1) }
        for list in [urls, streamURLs] {
            writer.put(list: list.sorted { $0.key.rawValue < $1.key.rawValue }) { writer, entry in
                writer.put(entry.key.rawValue)
                writer.put(entry.value)
            }
        }
        writer.put(key)
        writer.put(anthropicVersion)
        writer.put(list: extraHeaders.sorted { $0.key < $1.key }) { writer, entry in
            writer.put(entry.key)
            writer.put(entry.value)
        }
        writer.put(proxy) { $0.put($1) }
        writer.put(timeouts)
        writer.put(list: credentials) { $0.put($1) }
        writer.put(tokenDirectory)
        writer.put(modelsURL) { $0.put($1) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        provider = try reader.getString()
        isEcho = try reader.getBool()
        profile = try reader.get()
        models = try reader.getList { (reader) throws(WireError) in try reader.get() }
        urls = try WorkerConfig.urls(&reader)
        streamURLs = try WorkerConfig.urls(&reader)
        key = try reader.getArray()
        anthropicVersion = try reader.getString()
        extraHeaders = [:]
        let headerList = try reader.getList { (reader) throws(WireError) in
            (try reader.getString(), try reader.getString())
        }
        for (name, value) in headerList { extraHeaders[name] = value }
        proxy = try reader.getOptional { (reader) throws(WireError) in try reader.getString() }
        timeouts = try reader.get()
        credentials = try reader.getList { (reader) throws(WireError) in
            try reader.get(CredentialMember.self)
        }
        tokenDirectory = try reader.getString()
        modelsURL = try reader.getOptional { (reader) throws(WireError) in try reader.getString() }
    }

    private static func urls(_ reader: inout WireReader) throws(WireError) -> [Endpoint: String] {
        var urls: [Endpoint: String] = [:]
        let list = try reader.getList { (reader) throws(WireError) in
            (try reader.getCase(Endpoint.self), try reader.getString())
        }
        for (endpoint, url) in list { urls[endpoint] = url }
        return urls
    }

    /// The URL to ask, or nil for what the provider does not speak. Inlined: a call copies all of the configuration.
    @inline(__always)
    package func url(_ endpoint: Endpoint, streaming: Bool) -> String? {
        (streaming ? streamURLs[endpoint] : nil) ?? urls[endpoint]
    }
}
