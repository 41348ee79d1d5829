// SPDX-License-Identifier: Apache-2.0
// One kind of provider as data: what it speaks and where, how it wants its key, what its requests must and must not hold.
// Source: see Quirks.swift; the rows are in Providers.

import Bytes
package import IPC

/// What ends a stream when all went well.
package enum StreamEnd: String, CaseIterable, Sendable {
    /// The line `data: [DONE]`.
    case done
    /// A typed last event: `response.completed` and its like, `message_stop`.
    case event
    /// The end of the connection, behind a chunk with a finish reason.
    case close
}

/// How a provider writes its errors.
package enum ErrorShape: String, CaseIterable, Sendable {
    /// `{"error":{"message","type","param","code"}}`; `code` may be a number, `error` a text.
    case openai
    /// `{"type":"error","error":{"type","message"}}`
    case anthropic
    /// `{"error":{"code","message","status","details"}}`, also as the one element of an array.
    case google
    /// `{"detail":…}`, a text or an array of `{"msg"}`, beside the form of OpenAI.
    case detail
    /// `{"object":"error","message","type","code"}`, beside the form of OpenAI.
    case flat
}

/// A member that the top level of a request must have.
package struct RequiredMember: Equatable, Sendable {
    package var name: String
    /// One JSON value.
    package var json: String
    /// The client's own value is replaced; else it stands.
    package var isForced: Bool

    package init(_ name: String, _ json: String, forced isForced: Bool = false) {
        self.name = name
        self.json = json
        self.isForced = isForced
    }
}

/// A dialect as one provider serves it.
package struct Surface: Equatable, Sendable {
    /// An endpoint's path where it is not the dialect's own.
    package struct Path: Equatable, Sendable {
        package var endpoint: Endpoint
        /// Below the base path, with `Endpoint.modelPlaceholder` where the model stands.
        package var path: String
        /// For streams, if they have another one.
        package var streamPath: String?

        package init(_ endpoint: Endpoint, _ path: String, stream streamPath: String? = nil) {
            self.endpoint = endpoint
            self.path = path
            self.streamPath = streamPath
        }
    }

    package var dialect: Dialect
    /// From the root of the host, without the version and without a slash at the end: "/api", or "".
    package var basePath: String
    /// What follows: "/v1". Put behind a configured base path that ends in no version; "" where there is none.
    package var version: String
    /// What is served; others are answered by ccr or refused.
    package var endpoints: [Endpoint]
    package var paths: [Path]
    package var streamEnd: StreamEnd
    package var required: [RequiredMember]
    /// Members of the top level that are refused, so they are left out.
    package var forbidden: [String]

    /// - Parameter also: what is served beside the dialect's principal endpoints.
    package init(
        _ dialect: Dialect, base basePath: String = "", version: String = "", also: [Endpoint] = [],
        paths: [Path] = [], streamEnd: StreamEnd? = nil, required: [RequiredMember] = [],
        forbidden: [String] = []
    ) {
        self.dialect = dialect
        self.basePath = basePath
        self.version = version
        endpoints = Surface.principal(dialect) + also
        self.paths = paths
        self.streamEnd = streamEnd ?? Surface.streamEnd(dialect)
        self.required = required
        self.forbidden = forbidden
    }

    private static func principal(_ dialect: Dialect) -> [Endpoint] {
        switch dialect {
        case .chat: [.chatCompletions]
        case .responses: [.responses]
        case .messages: [.messages]
        case .gemini: [.generateContent, .streamGenerateContent]
        }
    }

    /// How streams of a dialect end where nothing else is known.
    package static func streamEnd(_ dialect: Dialect) -> StreamEnd {
        switch dialect {
        case .chat: .done
        case .responses, .messages: .event
        case .gemini: .close
        }
    }

    /// The path of an endpoint below the base path.
    package func path(_ endpoint: Endpoint, streaming: Bool) -> String {
        guard let own = paths.first(where: { $0.endpoint == endpoint }) else { return endpoint.path }
        return streaming ? own.streamPath ?? own.path : own.path
    }
}

/// The dialects in which models of a name are answered.
package struct ModelDialects: Equatable, Sendable {
    /// "*" stands for any number of characters; in lower case.
    package let pattern: String
    package let dialects: [Dialect]

    package init(_ pattern: String, _ dialects: [Dialect]) {
        self.pattern = pattern
        self.dialects = dialects
    }

    func fits(_ model: String) -> Bool {
        Array(model.lowercased().utf8).withUnsafeBytes { Glob.matches(Array(pattern.utf8), $0) }
    }
}

/// A kind of provider.
package struct ProviderProfile: Equatable, Sendable {
    /// The name in configurations: "openai", "openai-compatible".
    package var kind: String
    /// At least one, none twice. The first one's base path is what a configured URL without an endpoint means.
    package var surfaces: [Surface]
    package var auth: AuthScheme
    /// Fields that every request has, in place of the client's; lower-case names. The operator's go before.
    package var headers: [String: String]
    /// Fields of clients that are not passed on; lower-case names.
    package var forbiddenHeaders: [String]
    package var errors: ErrorShape
    package var rules: UpstreamRules
    /// Models that are not answered in every dialect of the provider; the first one that fits counts.
    package var modelDialects: [ModelDialects]
    /// Where it tells which models an account may use; nil where the configuration has to.
    package var listing: ModelListing?

    package init(
        _ kind: String, _ surfaces: [Surface], auth: AuthScheme = .bearer, headers: [String: String] = [:],
        forbiddenHeaders: [String] = [], errors: ErrorShape = .openai, rules: UpstreamRules = UpstreamRules(),
        modelDialects: [ModelDialects] = [], listing: ModelListing? = nil
    ) {
        self.listing = listing
        self.modelDialects = modelDialects
        self.kind = kind
        self.surfaces = surfaces
        self.auth = auth
        self.headers = headers
        self.forbiddenHeaders = forbiddenHeaders
        self.errors = errors
        self.rules = rules
    }

    package var dialects: [Dialect] { surfaces.map(\.dialect) }

    package func surface(_ dialect: Dialect) -> Surface? { surfaces.first { $0.dialect == dialect } }

    package func serves(_ endpoint: Endpoint) -> Bool {
        surface(endpoint.dialect)?.endpoints.contains(endpoint) == true
    }

    /// Whether a model is answered in a dialect.
    ///
    /// - Parameter own: what the operator says of the model; empty when nothing.
    package func answers(_ model: String, in dialect: Dialect, own: [Dialect]) -> Bool {
        let known = own.isEmpty ? modelDialects.first { $0.fits(model) }?.dialects ?? [] : own
        return known.isEmpty || known.contains(dialect)
    }

    /// The dialects in which to ask for what a client asked in `dialect`: its own first if the provider has it, then by how
    /// little is lost. Who speaks Gemini has Chat for the clients of others alone, without thought signatures, which
    /// Gemini 3 wants back with every call.
    package func dialects(for dialect: Dialect) -> [Dialect] {
        let order: [Dialect] =
            switch dialect {
            case .chat: [.chat, .responses, .messages, .gemini]
            case .responses: [.responses, .messages, .gemini, .chat]
            case .messages: [.messages, .responses, .gemini, .chat]
            case .gemini: [.gemini, .messages, .responses, .chat]
            }
        return order.filter { surface($0) != nil }
    }
}

extension ProviderProfile: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(kind)
        writer.put(list: surfaces) { $0.put($1) }
        writer.put(auth.rawValue)
        writer.put(list: headers.sorted { $0.key < $1.key }) { writer, field in
            writer.put(field.key)
            writer.put(field.value)
        }
        writer.put(list: forbiddenHeaders) { $0.put($1) }
        writer.put(errors.rawValue)
        writer.put(rules)
        writer.put(list: modelDialects) { writer, row in
            writer.put(row.pattern)
            writer.put(list: row.dialects) { $0.put($1.rawValue) }
        }
        writer.put(listing) { writer, listing in
            writer.put(listing.form.rawValue)
            writer.put(listing.path)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        kind = try reader.getString()
        surfaces = try reader.getList { (reader) throws(WireError) in try reader.get() }
        auth = try reader.getCase()
        headers = [:]
        let fields = try reader.getList { (reader) throws(WireError) in
            (try reader.getString(), try reader.getString())
        }
        for (name, value) in fields { headers[name] = value }
        forbiddenHeaders = try reader.getList { (reader) throws(WireError) in try reader.getString() }
        errors = try reader.getNamed()
        rules = try reader.get()
        modelDialects = try reader.getList { (reader) throws(WireError) in
            let pattern = try reader.getString()
            let dialects = try reader.getList { (reader) throws(WireError) in
                try reader.getCase(Dialect.self)
            }
            return ModelDialects(pattern, dialects)
        }
        listing = try reader.getOptional { (reader) throws(WireError) in
            ModelListing(try reader.getCase(), try reader.getString())
        }
    }
}

extension Surface: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(dialect.rawValue)
        writer.put(basePath)
        writer.put(version)
        writer.put(list: endpoints) { $0.put($1.rawValue) }
        writer.put(list: paths) { writer, path in
            writer.put(path.endpoint.rawValue)
            writer.put(path.path)
            writer.put(path.streamPath) { $0.put($1) }
        }
        writer.put(streamEnd.rawValue)
        writer.put(list: required) { $0.put($1) }
        writer.put(list: forbidden) { $0.put($1) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        dialect = try reader.getCase()
        basePath = try reader.getString()
        version = try reader.getString()
        endpoints = try reader.getList { (reader) throws(WireError) in try reader.getCase() }
        paths = try reader.getList { (reader) throws(WireError) in
            Path(
                try reader.getCase(), try reader.getString(),
                stream: try reader.getOptional { (reader) throws(WireError) in try reader.getString() })
        }
        streamEnd = try reader.getNamed()
        required = try reader.getList { (reader) throws(WireError) in try reader.get() }
        forbidden = try reader.getList { (reader) throws(WireError) in try reader.getString() }
    }
}

extension RequiredMember: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(name)
        writer.put(json)
        writer.put(isForced)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        name = try reader.getString()
        json = try reader.getString()
        isForced = try reader.getBool()
    }
}
