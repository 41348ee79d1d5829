// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Config

@Suite("A wrong configuration")
struct ProblemTests {
    /// Members before Providers, and what is said about them.
    private static let members: [(String, String)] = [
        (#""PORT": 0"#, "c.json:1:10: error: PORT: is 0, allowed is a whole number from 1 to 65535"),
        (#""PORT": 65536"#, "c.json:1:10: error: PORT: is 65536, allowed is a whole number from 1 to 65535"),
        (#""PORT": 80.5"#, "c.json:1:10: error: PORT: is 80.5, allowed is a whole number from 1 to 65535"),
        (#""PORT": "x""#, "c.json:1:10: error: PORT: is “x”, allowed is a whole number from 1 to 65535"),
        (
            #""PORT": "0x10""#,
            "c.json:1:10: error: PORT: is “0x10”, allowed is a whole number from 1 to 65535"
        ),
        (#""PORT": 1e400"#, "c.json:1:10: error: PORT: is 1e400, allowed is a whole number from 1 to 65535"),
        (#""PORT": [1]"#, "c.json:1:10: error: PORT: is an array, allowed is a whole number from 1 to 65535"),
        (#""HOST": 1"#, "c.json:1:10: error: HOST: is a number, allowed is a string"),
        (
            #""HOST": "example.org""#,
            "c.json:1:10: error: HOST: “example.org” is no numeric IPv4 or IPv6 address (nor “localhost”)"
        ),
        (
            #""HOST": "0.0.0.0""#,
            "c.json:1:10: error: HOST: “0.0.0.0” can be reached from other machines: set APIKEY or Clients, "
                + "or listen on 127.0.0.1"
        ),
        (#""SOCKET": """#, "c.json:1:12: error: SOCKET: allowed are paths of 1 to 107 bytes"),
        (
            #""APIKEY": "a b""#,
            "c.json:1:12: error: APIKEY: allowed are 1 to 1024 printable ASCII characters without blanks"
        ),
        (
            #""Clients": [{"name": "a"}]"#,
            "c.json:1:14: error: Clients[0]: has no key: set key or key_sha256"
        ),
        (#""Clients": [{"name": "a", "key": ""}]"#, "c.json:1:35: error: Clients[0].key: is empty"),
        (
            #""APIKEY": "k", "Clients": [{"name": "a", "key": "k"}]"#,
            "c.json:1:50: error: Clients[0].key: is the key of another client as well"
        ),
        (#""Limits": 1"#, "c.json:1:12: error: Limits: is a number, allowed is an object"),
        (
            #""Limits": {"headBytes": 1}"#,
            "c.json:1:26: error: Limits.headBytes: is 1, allowed is a whole number from 4096 to 131072"
        ),
        (
            #""PROXY_URL": "proxy:80""#,
            "c.json:1:15: error: PROXY_URL: allowed are URLs with http, https, socks4, socks4a, socks5, socks5h"
        ),
        (
            #""Presets": {"a/b": {"route": "p,m"}}"#,
            "c.json:1:14: error: Presets.a/b: allowed are names of 1 to 64 letters, digits, - _ ."
        ),
        (
            #""Presets": {"a": {}}"#,
            "c.json:1:19: error: Presets.a: the key “route” is missing (“provider,model” or the name of a model or alias)"
        ),
        (
            #""Presets": {"a": {"route": "p,m", "temperature": 3}}"#,
            "c.json:1:51: error: Presets.a.temperature: is 3, allowed is a number from 0.0 to 2.0"
        ),
        (
            #""Presets": {"a": {"route": "q,m"}}"#,
            "c.json:1:29: error: Presets.a.route: names the unknown provider “q” (did you mean “p”?)"
        ),
        (
            #""Frontend": {"codex": {"modelMappings": {"default": "mm"}}}"#,
            "c.json:1:54: error: Frontend.codex.modelMappings.default: no provider lists the model “mm” "
                + "(did you mean “m”?)"
        ),
        (
            #""ModelAliases": {"a": "p"}"#,
            "c.json:1:24: error: ModelAliases.a: no provider lists the model “p” "
                + "(“p” is a provider: write “provider,model”)"
        ),
        (
            #""ModelAliases": {"a": "b", "b": "p,m", "c": "c"}"#,
            "c.json:1:46: error: ModelAliases.c: the alias leads back to itself: “c” → “c”"
        ),
        (
            #""ModelAliases": [{"name": "a", "target": "m"}, {"alias": "a", "target": "n"}]"#,
            "c.json:1:59: error: ModelAliases[1].alias: allowed are names that are not empty and not used twice"
        ),
        (
            #""ModelAliases": 3"#,
            "c.json:1:18: error: ModelAliases: is a number, allowed is an object, each value: "
                + "“provider,model” or the name of a model or alias; or an array of objects"
        ),
    ]

    @Test("is refused with place, key and what is allowed", arguments: members)
    func topLevel(members: String, message: String) {
        let loaded = load(minimal(members))
        #expect(loaded.lines == [message])
        #expect(loaded.configuration == nil)
    }

    /// Members that route, and the key and message of the first error.
    private static let routing: [(String, String)] = [
        (
            #""Rules": [{"route": "p,m"}, {"match": {"client": "codex"}, "route": "p,n"}]"#,
            "1:30: error: Rules[1]: can never match: Rules[0] takes every request that it could match"
        ),
        (
            #""Rules": [{"match": {"model": "m*"}, "route": "p,m"}, {"match": {"model": "mm*", "has_image": true}, "route": "p,n"}]"#,
            "1:56: error: Rules[1]: can never match: Rules[0] takes every request that it could match"
        ),
        (
            #""Rules": [{"match": {"min_tokens": 9, "max_tokens": 8}, "route": "p,m"}]"#,
            "1:22: error: Rules[0].match: can never match: min_tokens is above max_tokens"
        ),
        (
            #""Rules": [{"match": {"key": "nobody"}, "route": "p,m"}]"#,
            "1:30: error: Rules[0].match.key: can never match: there is no client “nobody”"
        ),
        (
            #""Rules": [{"match": {"model": ""}, "route": "p,m"}]"#,
            "1:32: error: Rules[0].match.model: can never match: it is empty"
        ),
        (
            #""Rules": [{"match": {"headers": {"a b": "c"}}, "route": "p,m"}]"#,
            "1:42: error: Rules[0].match.headers.a b: can never match: it is no name of a header"
        ),
        (
            #""Rules": [{"match": {"client": "codex"}}]"#,
            "1:12: error: Rules[0]: does nothing: it needs route, split or set"
        ),
        (
            #""Rules": [{"route": "q,m"}]"#,
            "1:22: error: Rules[0].route: names the unknown provider “q” (did you mean “p”?)"
        ),
        (
            #""Rules": [{"split": {"p,m": -1, "p,n": 5}}]"#,
            "1:30: error: Rules[0].split.p,m: is -1, allowed is a whole number from 0 to 1000000"
        ),
        (
            #""Router": {"default": {"route": "p,m", "shadow": {"target": "p,m", "percent": 0}}}"#,
            "1:80: error: Router.default.shadow.percent: is 0, allowed is a whole number from 1 to 100"
        ),
        (
            #""Rules": [{"set": {"max_tokens": 5}, "shadow": {"target": "p,m", "percent": 5}}]"#,
            "1:49: error: Rules[0].shadow: copies what goes nowhere: it needs route or split beside it"
        ),
        (
            #""Rules": [{"match": {"tool": ["t"]}, "route": "p,m"}]"#,
            "1:23: error: Rules[0].match.tool: is nothing that a rule can match on (did you mean “tools”?)"
        ),
        (
            #""Rules": [{"set": {"effort": "hihg"}}]"#,
            "1:31: error: Rules[0].set.effort: is “hihg”, allowed is “none”, “minimal”, “low”, “medium”, “high”, “xhigh”, “max” (did you mean “high”?)"
        ),
        (
            #""Rules": [{"split": {"p,m": 0}}]"#,
            "1:22: error: Rules[0].split: leads nowhere: no share is above 0"
        ),
        (
            #""Frontend": {"codex": {"longContextThreshold": 5}}"#,
            "1:49: error: Frontend.codex.longContextThreshold: is a threshold without a route: set longContext as well"
        ),
        (
            #""ModelAliases": {"a": "b", "b": "c", "c": "a"}"#,
            "1:24: error: ModelAliases.a: the alias leads back to itself: “a” → “b” → “c” → “a”"
        ),
    ]

    @Test("of routing is refused with place and key", arguments: routing)
    func routes(members: String, message: String) {
        let loaded = load(minimal(members))
        #expect(loaded.errors.first == "c.json:" + message)
        #expect(loaded.configuration == nil)
    }

    @Test("of Router is refused with place and key")
    func router() {
        let loaded = load(
            """
            {"Providers": [{"name": "p", "api_base_url": "https://h.example/v1", "models": ["m"]}],
             "Router": {"default": "p,m", "longContextThreshold": 5, "tiers": ["x,y"],
               "think": {"split": {"p,m": 1, "q,m": 2}}}}
            """)
        #expect(
            loaded.errors.map { $0.split(separator: ": ", maxSplits: 2)[2] } == [
                "Router.longContextThreshold: is a threshold without a route: set longContext as well",
                "Router.tiers[0]: names the unknown provider “x” (did you mean “p”?)",
                "Router.think.split.q,m: names the unknown provider “q” (did you mean “p”?)",
            ])
    }

    /// Members of the provider, and the message without its place.
    private static let providerMembers: [(String, String)] = [
        (
            #""protocol": "opnai""#,
            "protocol: is “opnai”, allowed is “openai”, “anthropic”, “gemini” (did you mean “openai”?)"
        ),
        (#""workers": 65"#, "workers: is 65, allowed is a whole number from 1 to 64"),
        (
            #""dialects": []"#,
            "dialects: is empty, allowed is at least one of chat, responses, messages, gemini"
        ),
        (
            #""dialects": ["chats"]"#,
            "dialects[0]: is “chats”, allowed is “chat”, “responses”, “messages”, “gemini” (did you mean “chat”?)"
        ),
        (#""api_key": "a\nb""#, "api_key: holds a line break, a control character or one outside ASCII"),
        (
            #""anthropic_version": "a\r\nb: c""#,
            "anthropic_version: holds a line break, a control character or one outside ASCII"
        ),
        (#""extra_headers": {"a b": "c"}"#, "extra_headers.a b: is no header name"),
        (#""extra_headers": {"Host": "c"}"#, "extra_headers.Host: ccr sets this header itself"),
        (
            #""extra_headers": {"a": "b\r\nc"}"#,
            "extra_headers.a: the value holds a line break, a control character or one outside ASCII"
        ),
        (#""extra_headers": {"a": 1}"#, "extra_headers.a: is a number, allowed is a string"),
        (
            #""proxy": "ftp://h""#,
            "proxy: allowed are URLs with http, https, socks4, socks4a, socks5, socks5h"
        ),
        (
            #""timeouts": {"idleMs": 0}"#,
            "timeouts.idleMs: is 0, allowed is a whole number from 1 to 86400000"
        ),
        (
            #""pricing": {"input_per_million_tokens": -1}"#,
            "pricing.input_per_million_tokens: is -1, allowed is a number from 0.0 to 1000000.0"
        ),
    ]

    @Test("of a provider is refused", arguments: providerMembers)
    func provider(members: String, message: String) {
        let loaded = load(minimal(provider: members))
        #expect(loaded.errors.count == 1)
        #expect(loaded.errors.first?.hasSuffix(" error: Providers[0]." + message) == true, "\(loaded.errors)")
    }

    @Test("is told completely, in the order of the file")
    func everyProblem() {
        let loaded = load(
            """
            {
              "prot": 1,
              "PORT": "x",
              "Providers": [
                {"name": "a", "api_base_url": "ftp://x", "modles": []},
                {"api_base_url": "https://x/v1", "models": ["m", "m", 3]},
                {"name": "b", "api_base_url": "https://x/v1", "models": ["mod-1"], "api_key": "${NOPE}"},
                {"name": "B", "api_base_url": "https://y/v1"}
              ],
              "Router": {"default": "c,m", "think": "b,mod1", "tiers": ["a,z", "nope"], "LOG": 1}
            }
            """)
        #expect(
            loaded.lines == [
                "c.json:2:3: warning: prot: unknown key (did you mean “PORT”?)",
                "c.json:3:11: error: PORT: is “x”, allowed is a whole number from 1 to 65535",
                "c.json:5:35: error: Providers[0].api_base_url: is no http or https URL; "
                    + "allowed is http://HOST[:PORT][/PATH] or https://… or “builtin:echo”",
                "c.json:5:46: warning: Providers[0].modles: unknown key (did you mean “models”?)",
                "c.json:6:5: error: Providers[1]: the key “name” is missing (a string)",
                "c.json:6:59: error: Providers[1].models[2]: is a number, allowed is a string",
                "c.json:7:83: error: Providers[2].api_key: the variable NOPE is not set "
                    + "(set it in the environment or in .env, or write ${NOPE:-default})",
                "c.json:8:14: error: Providers[3].name: another provider is named “B” too (case does not count)",
                "c.json:10:25: error: Router.default: names the unknown provider “c” (did you mean “b”?)",
                "c.json:10:41: warning: Router.think: “b” does not list this model (did you mean “mod-1”?); "
                    + "it is asked all the same",
                "c.json:10:77: warning: Router.LOG: unknown key",
            ])
    }

    @Test(
        "without providers is refused",
        arguments: [
            ("{}", "c.json:1:1: error: the key “Providers” is missing (an array of objects)"),
            (
                #"{"Providers": []}"#,
                "c.json:1:15: error: Providers: is empty, allowed is at least one provider"
            ),
            (
                #"{"Providers": null}"#,
                "c.json:1:1: error: the key “Providers” is missing (an array of objects)"
            ),
            (
                #"{"Providers": {"a": 1}}"#,
                "c.json:1:15: error: Providers: is an object, allowed is an array of objects"
            ),
            ("[]", "c.json:1:1: error: the configuration is an array, allowed is an object"),
        ])
    func noProviders(text: String, message: String) {
        #expect(load(text).errors.first == message)
    }

    @Test(
        "that merely looks wrong is used with a warning",
        arguments: [
            (#""PORT": 1, "PORT": 2"#, "c.json:1:13: warning: PORT: given twice; the last one counts"),
            (
                #""model_alias": {}, "ModelAliases": {}"#,
                "c.json:1:21: warning: ModelAliases: given also as “model_alias”; the last one counts"
            ),
            (#""port": 1"#, "c.json:1:2: warning: port: unknown key (did you mean “PORT”?)"),
            (
                #""LOG_LEVEL": "debug""#,
                "c.json:1:2: warning: LOG_LEVEL: has no effect: the environment variable CCR_LOG sets the level"
            ),
        ])
    func warnings(members: String, message: String) {
        let loaded = load(minimal(members))
        #expect(loaded.lines == [message])
        #expect(loaded.configuration != nil)
    }

    @Test("names both members of an alias circle")
    func circle() {
        let loaded = load(minimal(#""ModelAliases": {"a": "b", "b": "a"}, "Presets": {"x": {"route": "a"}}"#))
        #expect(
            loaded.lines == [
                "c.json:1:24: error: ModelAliases.a: the alias leads back to itself: “a” → “b” → “a”",
                "c.json:1:34: error: ModelAliases.b: the alias leads back to itself: “b” → “a” → “b”",
            ])
    }

    @Test(
        "may be reachable from elsewhere when there is a key",
        arguments: [
            (#""HOST": "0.0.0.0", "APIKEY": "k""#, true),
            (#""HOST": "::", "Clients": [{"name": "a", "key": "k"}]"#, true),
            (#""HOST": "127.8.8.8""#, true), (#""HOST": "::1""#, true), (#""HOST": "[::1]""#, true),
            (#""HOST": "localhost""#, true), (#""HOST": "::ffff:1.2.3.4""#, false),
            (#""HOST": "128.0.0.1""#, false),
            (#""HOST": "::", "APIKEY": """#, false),
        ])
    func hosts(members: String, isAccepted: Bool) {
        #expect((load(minimal(members)).configuration != nil) == isAccepted)
    }

    @Test("on the command line is refused as well")
    func overrides() {
        let loaded = load(
            minimal(#""HOST": "127.0.0.1""#), overrides: ConfigOverrides(host: "0.0.0.0", port: 99))
        #expect(
            loaded.lines == [
                "error: --host: “0.0.0.0” can be reached from other machines: set APIKEY or Clients, "
                    + "or listen on 127.0.0.1"
            ])
        let kept = load(minimal(#""APIKEY": "k""#), overrides: ConfigOverrides(host: "0.0.0.0", port: 99))
        #expect(kept.configuration?.listen == ListenSettings(host: "0.0.0.0", port: 99, socketPath: nil))
    }

    @Test("a client key whose last day is over is named with a warning and stays what it is")
    func expired() {
        let loaded = load(
            minimal(
                #""Clients": [{"name": "a", "key": "k", "expires": "9999-12-31"}, {"name": "b", "key": "l", "#
                    + #""expires": "2020-01-01"}]"#))
        #expect(
            loaded.lines == [
                "c.json:1:103: warning: Clients[1].expires: this day is over, so that the key is refused; "
                    + "set a later one, or remove the client"
            ])
        #expect(loaded.configuration?.clientKeys.map(\.hasExpired) == [false, true])
    }

    @Test("with a thousand faults shows two hundred, the first error among them")
    func bounded() {
        let keys = (0..<1_000).map { "\"zz\($0)\": 1" }.joined(separator: ", ")
        let loaded = load(minimal(keys + #", "PORT": 0"#))
        #expect(loaded.problems.count == ConfigProblems.maximumCount + 2)
        #expect(loaded.errors.count == 1)
        #expect(loaded.lines.last == "note: 800 more problems are not shown")
    }
}
