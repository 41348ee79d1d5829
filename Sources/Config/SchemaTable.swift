// SPDX-License-Identifier: Apache-2.0
// Every key of the configuration as data: read by the checker, the reader and the manual (docs/config.md).
// Source: the configuration of claude-code-router v2 and of CCR-Rust, whose files load unchanged; ccr's own keys.

extension Schema {
    private static let milliseconds = 1...86_400_000

    static let topLevelKeys: [SchemaKey] = [
        SchemaKey(
            "HOST", .text, default: "127.0.0.1",
            "Numeric address to listen on, or localhost. Any but a loopback address needs APIKEY or Clients."),
        SchemaKey("PORT", .integer(1...65_535), default: "3456", "TCP port to listen on."),
        SchemaKey("SOCKET", .text, "Path of a Unix socket to listen on as well; at most 107 bytes."),
        SchemaKey(
            "APIKEY", .secret,
            "The key that clients send as “Authorization: Bearer …”, “x-api-key” or “x-goog-api-key”. "
                + "Empty means none."),
        SchemaKey(
            "ADMIN_API_KEY", .secret,
            "The key for the paths below /admin and those about bans, sent like APIKEY. Without one only admin sockets may ask for them."
        ),
        SchemaKey("Providers", .objects, required: true, "Where requests go; at least one."),
        SchemaKey("Router", .object, "Which model answers when the client's own choice does not decide."),
        SchemaKey(
            "Rules", .objects, "Rules of the operator; the first that matches and has a route decides."),
        SchemaKey("Presets", .map(.object), "Routes with parameters, called as /preset/NAME/v1/…."),
        SchemaKey("Frontend", .object, "Settings for one kind of client."),
        SchemaKey(
            "ModelAliases", .either(.map(.route), .objects), spellings: ["model_aliases", "model_alias"],
            "Other names for models: an object of alias to target, or an array of objects."),
        SchemaKey(
            "Models", .objects,
            "What is known of models, in front of the built-in table; the first that fits counts."),
        SchemaKey(
            "ModelsFile", .text,
            "A file with the key Models alone that replaces the built-in table; see docs/providers.md."),
        SchemaKey(
            "API_TIMEOUT_MS", .integer(milliseconds), default: "600000", "Longest duration of a whole answer."
        ),
        SchemaKey("PROXY_URL", .secret, "HTTP or SOCKS proxy for every provider without its own."),
        SchemaKey(
            "STATE_DIR", .text,
            "Directory of usage.db. Default: $STATE_DIRECTORY, else /var/lib/ccr for root under systemd, "
                + "else $XDG_STATE_HOME/ccr, else ~/.local/state/ccr."),
        SchemaKey("$schema", .text, "JSON Schema of this file, for editors; ccr does not read it."),
        SchemaKey("Limits", .object, "Bounds on what clients may send and hold."),
        SchemaKey("Timeouts", .object, "How long each step may take."),
        SchemaKey(ignored: "LOG", "Switch of the log file.", "ccr logs to the journal or stderr"),
        SchemaKey(
            ignored: "LOG_LEVEL", "Level of the log file.", "the environment variable CCR_LOG sets the level"),
        SchemaKey(
            ignored: "NON_INTERACTIVE_MODE", "Settings for a client in scripts.", "ccr does not start clients"
        ),
        SchemaKey(ignored: "CLAUDE_PATH", "Path of the client.", "ccr does not start clients"),
        SchemaKey(
            ignored: "CUSTOM_ROUTER_PATH", "JavaScript router.", "ccr runs no code from the configuration"),
        SchemaKey(
            ignored: "REWRITE_SYSTEM_PROMPT", "Replaced system prompt.", "ccr passes prompts on unchanged"),
        SchemaKey(ignored: "transformers", "External JavaScript.", "ccr runs no code from the configuration"),
        SchemaKey(ignored: "plugins", "External JavaScript.", "ccr runs no code from the configuration"),
        SchemaKey(ignored: "fallback", "Routes per scenario.", "Router.tiers gives the order of candidates"),
        SchemaKey(ignored: "forceUseImageAgent", "Image agent.", "ccr has no image agent"),
        SchemaKey(ignored: "StatusLine", "Status line of a client.", "ccr does not start clients"),
        SchemaKey(ignored: "POOL_MAX_IDLE_PER_HOST", "Connection pool.", "each worker sizes its own pool"),
        SchemaKey(ignored: "POOL_IDLE_TIMEOUT_MS", "Connection pool.", "each worker keeps its own pool"),
        SchemaKey(ignored: "SSE_BUFFER_SIZE", "Depth of a queue.", "ccr bounds its buffers in bytes"),
        SchemaKey(ignored: "Persistence", "Redis.", "counts are kept in usage.db below STATE_DIR"),
        SchemaKey(ignored: "DebugCapture", "Captured bodies.", "ccr writes no request or answer to disk"),
        SchemaKey(ignored: "BROKER_SOCKET", "Broker.", "ccr has no broker"),
    ]

    static let tuningKeys: [SchemaKey] = [
        SchemaKey("Limits.headBytes", .integer(4_096...131_072), default: "65536", "Largest request head."),
        SchemaKey(
            "Limits.bodyBytes", .integer(1_024...1_073_741_824), default: "67108864",
            "Largest request body, also after decompression."),
        SchemaKey(
            "Limits.headerTimeoutMs", .integer(100...3_600_000), default: "15000",
            "Time for a request's head."),
        SchemaKey(
            "Limits.bodyTimeoutMs", .integer(100...3_600_000), default: "120000", "Time for a request's body."
        ),
        SchemaKey(
            "Limits.idleTimeoutMs", .integer(100...3_600_000), default: "75000",
            "How long a connection may wait between requests."),
        SchemaKey(
            "Limits.connections", .integer(1...1_000_000), default: "10000", "Client connections at once."),
        SchemaKey("Limits.requestsInFlight", .integer(1...1_000_000), default: "6000", "Requests at once."),
        SchemaKey(
            "Limits.concurrentRequests", .integer(1...1_000_000),
            "Requests at providers at once; further ones wait, each client key in its turn. Default: no bound."
        ),
        SchemaKey(
            "Limits.queuedRequests", .integer(0...100_000), default: "1000",
            "Requests of one client key that wait for their turn."),
        SchemaKey(
            "Limits.queueTimeoutMs", .integer(1...3_600_000), default: "30000",
            "How long a request waits for its turn."),
        SchemaKey(
            "Limits.decodedRatio", .integer(1...100_000), default: "100",
            "Largest growth of a compressed body above 1 MiB, decoded to encoded size."),
        SchemaKey(
            "Timeouts.connectMs", .integer(milliseconds), default: "10000",
            "Connecting to a provider, TLS included."),
        SchemaKey(
            "Timeouts.firstEventMs", .integer(milliseconds), default: "300000",
            "Until a provider's first event."),
        SchemaKey("Timeouts.idleMs", .integer(milliseconds), default: "300000", "Silence inside an answer."),
        SchemaKey("Timeouts.totalMs", .integer(milliseconds), "A whole answer. Default: API_TIMEOUT_MS."),
        SchemaKey(
            "Timeouts.keepaliveMs", .integer(milliseconds), default: "15000",
            "Silence after which a streaming client is sent a ping."),
        SchemaKey(
            "Timeouts.commitHoldMs", .integer(0...86_400_000), default: "10000",
            "How long a stream's head waits for the first event, or a whole answer, before it is sent."),
        SchemaKey(
            "Timeouts.unusedConnectionMs", .integer(1_000...86_400_000), default: "60000",
            "How long a connection to a provider stays open unused."),
        SchemaKey(
            "Timeouts.drainMs", .integer(0...86_400_000), default: "30000",
            "Time for running requests at the end."),
        SchemaKey(
            "Timeouts.watchdogMs", .integer(1_000...600_000), default: "10000",
            "Silence after which a process is replaced."),
    ]
}
