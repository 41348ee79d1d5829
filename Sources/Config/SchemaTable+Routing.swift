// SPDX-License-Identifier: Apache-2.0
// The keys that decide who answers a request: Router, Frontend, Rules, Presets, ModelAliases.
// Source: the configuration of claude-code-router v2 and of CCR-Rust, whose files load unchanged; ccr's own keys.

extension Schema {
    /// What the manual says of the route of each kind of request.
    private static let kinds: [(kind: RequestKind, help: String)] = [
        (.background, "Titles, summaries and other chores of an agent."),
        (.think, "Turns that ask for more thinking than usual."),
        (.longContext, "Requests above longContextThreshold."),
        (.webSearch, "Searches in the web."),
        (.image, "Conversations that hold an image."),
        (.subagent, "Turns of agents that another agent has started."),
        (.compact, "Summaries with which an agent makes room in its context."),
    ]

    private static let shares = SchemaKind.map(.integer(RouteReader.weights))
    private static let sharesHelp = "Shares of the sessions by route, in place of route."

    /// Copies of requests to another model.
    private static func shadow(_ path: String) -> [SchemaKey] {
        [
            SchemaKey(
                "\(path).shadow", .object,
                "Copies of some requests go to another model; nobody gets the answers."),
            SchemaKey("\(path).shadow.target", .route, required: true, "Where they go."),
            SchemaKey(
                "\(path).shadow.percent", .integer(1...100), required: true,
                "So many of a hundred requests are copied."),
        ]
    }

    /// A route as text, or as an object with one or several.
    private static func choice(
        _ path: String, spellings: [String] = [], routeSpellings: [String] = [], _ help: String
    ) -> [SchemaKey] {
        [
            SchemaKey(path, .either(.route, .object), spellings: spellings, help),
            SchemaKey(path + ".route", .route, spellings: routeSpellings, "The route."),
            SchemaKey(path + ".split", shares, sharesHelp),
        ] + shadow(path)
    }

    /// The routes of Router by kind, each with shares.
    private static let kindKeys =
        kinds.flatMap { entry -> [SchemaKey] in
            let isSearch = entry.kind == .webSearch
            return choice(
                "Router.\(entry.kind.name)", spellings: isSearch ? ["web_search"] : [],
                routeSpellings: isSearch ? ["search_provider", "searchProvider"] : [], entry.help)
        } + [
            SchemaKey(
                "Router.webSearch.enabled", .boolean, default: "true",
                "false: searches are requests like others.")
        ]

    private static let thresholds = 1...1_000_000_000

    private static let frontendKeys = ["codex", "claudeCode"].flatMap { name in
        [SchemaKey("Frontend.\(name).default", .route, "As Router.default, for this client.")]
            + kinds.map {
                SchemaKey(
                    "Frontend.\(name).\($0.kind.name)", .route, "As Router.\($0.kind.name), for this client.")
            } + [
                SchemaKey(
                    "Frontend.\(name).longContextThreshold", .integer(thresholds),
                    "As Router.longContextThreshold, for this client.")
            ]
    }

    /// The efforts that a rule or preset can ask for, the lowest first.
    package static let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]

    /// The paths that a rule can name, as clients call them.
    package static let rulePaths = [
        "/v1/chat/completions", "/v1/responses", "/v1/responses/compact", "/v1/messages",
        "/v1/messages/count_tokens", "/v1/completions", "/v1/embeddings", "/v1/images/generations",
        "/v1beta/models/{model}:generateContent", "/v1beta/models/{model}:streamGenerateContent",
        "/v1beta/models/{model}:countTokens",
    ]

    private static let ruleKeys: [SchemaKey] =
        [
            SchemaKey("Rules[].name", .text, "For explanations."),
            SchemaKey(
                "Rules[].match", .object, "What a request must fulfil, all of it; without it every one fits."),
            SchemaKey("Rules[].match.path", .choice(rulePaths), "The path it came to."),
            SchemaKey("Rules[].match.client", .choice(["codex", "claude_code", "other"]), "Who sent it."),
            SchemaKey(
                "Rules[].match.kind", .choice(RequestKind.allCases.map(\.name)), "What the request is for."),
            SchemaKey("Rules[].match.model", .text, "The model it names; “*” stands for any characters."),
            SchemaKey(
                "Rules[].match.headers", .map(.text),
                "Header fields it has, with their values; “*” stands for any characters."),
            SchemaKey(
                "Rules[].match.key", .text, "The name of the client key it came with; “default” is APIKEY."),
            SchemaKey("Rules[].match.min_tokens", .integer(0...1_000_000_000), "Its input tokens at least."),
            SchemaKey("Rules[].match.max_tokens", .integer(0...1_000_000_000), "Its input tokens at most."),
            SchemaKey("Rules[].match.tools", .list(.text), "Tools it offers, all of them."),
            SchemaKey("Rules[].match.has_image", .boolean, "Whether it holds an image."),
            SchemaKey("Rules[].route", .route, "Where it goes then. Without it the next rules decide."),
            SchemaKey("Rules[].split", shares, sharesHelp),
        ] + shadow("Rules[]") + [
            SchemaKey("Rules[].set", .object, "Parameters of requests that match and do not set them."),
            SchemaKey("Rules[].set.max_tokens", .integer(1...10_000_000), "Token limit of the answer."),
            SchemaKey("Rules[].set.temperature", .number(0...2), "Temperature."),
            SchemaKey(
                "Rules[].set.effort", .choice(efforts), spellings: ["reasoning_effort"],
                "How much to think, in the provider's form."),
        ]

    static let routingKeys: [SchemaKey] =
        choice("Router.default", "Answers when nothing else decides; also the first fallback.")
        + kindKeys + [
            SchemaKey(
                "Router.longContextThreshold", .integer(thresholds), default: "60000",
                "Input tokens above which a request is of the kind longContext."),
            SchemaKey(
                "Router.tiers", .list(.route),
                "The candidates after the first, in order. Default: the routes of Router."),
            SchemaKey(
                "Router.ignoreDirect", .boolean, default: "false",
                "Of “provider,model” sent by a client only the model counts."),
            SchemaKey(
                "Router.forceNonStreaming", .boolean, default: "false",
                "Providers are asked for whole answers, of which clients that stream get a stream."),
            SchemaKey(ignored: "Router.gpRouting", "Learned order of tiers.", "candidates keep their order"),
            SchemaKey(ignored: "Router.batching", "Batched requests.", "each request is sent at once"),
            SchemaKey(
                "Presets.*.route", .route, spellings: ["model"], required: true, "Where its requests go."),
            SchemaKey(
                "Presets.*.max_tokens", .integer(1...10_000_000), "Token limit of requests that set none."),
            SchemaKey("Presets.*.temperature", .number(0...2), "Temperature of requests that set none."),
            SchemaKey(
                "Presets.*.effort", .choice(efforts), spellings: ["reasoning_effort"],
                "Effort of requests that say nothing of how much to think."),
            SchemaKey("Frontend.codex", .object, "Settings for Codex."),
            SchemaKey("Frontend.claudeCode", .object, "Settings for Claude Code."),
            SchemaKey(
                "Frontend.codex.modelMappings", .map(.route),
                "Codex's model names and what answers them; the key “default” answers for missing and unknown ones."
            ),
            SchemaKey(
                ignored: "Frontend.codex.cachePreferences", "Prompt caching.",
                "ccr passes cache settings on unchanged"),
        ] + frontendKeys + ruleKeys + [
            SchemaKey("ModelAliases[].alias", .text, spellings: ["name"], required: true, "The other name."),
            SchemaKey(
                "ModelAliases[].target", .route, spellings: ["model", "route"], required: true,
                "What it stands for."),
        ]
}
