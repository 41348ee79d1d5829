// SPDX-License-Identifier: Apache-2.0
import Gateway
import Testing

@testable import CLI
@testable import Config

@Suite("The command line")
struct CommandTests {
    private static let good = """
        {"Timeouts": {"drainMs": 7000}, "LOG": true, "Providers": [
          {"name": "p", "api_base_url": "https://h.example/v1/messages?key=s3cret", "models": ["claude-x", "big"]},
          {"name": "e", "api_base_url": "builtin:echo"}],
         "Router": {"default": "e,echo"}, "Presets": {"low": {"route": "p,big", "max_tokens": 3}}}
        """
    private static let files = ["good.json": good, "bad.json": "{\n  \"PORT\": 0\n}", "broken.json": "{"]

    private func run(_ arguments: String..., input: String = "") -> Outcome {
        ccr(arguments, input: input, files: Self.files)
    }

    @Test("lists every command", arguments: [["help"], ["--help"], ["-h"]])
    func help(arguments: [String]) {
        let outcome = ccr(arguments)
        #expect(outcome.status == 0)
        for command in CommandTable.commands { #expect(outcome.output.contains("  \(command.name) ")) }
        #expect(outcome.complaints.isEmpty)
    }

    @Test("without a command lists them on the standard error")
    func nothing() {
        let outcome = ccr([])
        #expect(outcome.status == 2)
        #expect(outcome.output.isEmpty)
        #expect(outcome.complaints.contains("usage: ccr COMMAND"))
    }

    @Test("explains every command and every option of it", arguments: CommandTable.commands.map(\.words))
    func commandHelp(words: [String]) throws {
        let outcome = ccr(words + ["--help"])
        if words != ["help"] { #expect(ccr(["help"] + words).output == outcome.output) }
        let command = try #require(CommandTable.commands.first { $0.words == words })
        #expect(outcome.status == 0)
        #expect(outcome.output.hasPrefix("usage: ccr \(command.name) "))
        for option in command.options { #expect(outcome.output.contains(option.name)) }
        for line in outcome.output.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    }

    @Test("explains the first word of several by the commands that begin with it")
    func groupHelp() {
        let text = ccr(["key"]).complaints
        #expect(text.hasPrefix("usage: ccr key COMMAND [OPTIONS]\n\n  key add     make a client key"))
        #expect(text.contains("key revoke") && !text.contains("validate"))
        #expect(ccr(["key"]).status == 2)
        for words in [["key", "--help"], ["key", "-h"], ["help", "key"]] {
            #expect(ccr(words).output == text && ccr(words).status == 0)
        }
    }

    @Test(
        "refuses what it does not know and names what is near",
        arguments: [
            (["validat"], "ccr: unknown command “validat” (did you mean “validate”?); see ccr help\n"),
            (["key", "ad"], "ccr: unknown command “key ad” (did you mean “key add”?); see ccr help\n"),
            (["xyzzy"], "ccr: unknown command “xyzzy”; see ccr help\n"),
            (
                ["statsu", "now"],
                "ccr: unknown command “statsu now” (did you mean “status”?); see ccr help\n"
            ),
            (["--verson"], "ccr: unknown command “--verson”; see ccr help\n"),
            (
                ["run", "--prot", "1"],
                "ccr run: unknown option “--prot” (did you mean “--port”?); see ccr run --help\n"
            ),
            (["run", "x"], "ccr run: unexpected argument “x”; see ccr run --help\n"),
            (["run", "--port"], "ccr run: --port needs a value: --port PORT; see ccr run --help\n"),
            (["run", "--port="], "ccr run: --port needs a value: --port PORT; see ccr run --help\n"),
            (["run", "--port", "1", "--port=2"], "ccr run: --port is given twice; see ccr run --help\n"),
            (["validate", "--json=1"], "ccr validate: --json takes no value; see ccr validate --help\n"),
            (
                ["run", "--port", "99999"],
                "ccr run: --port is “99999”, allowed is a whole number from 1 to 65535\n"
            ),
            (
                ["run", "--port", "+5"],
                "ccr run: --port is “+5”, allowed is a whole number from 1 to 65535\n"
            ),
            (
                ["run", "--drain-seconds", "x"],
                "ccr run: --drain-seconds is “x”, allowed is a whole number from 0 to 86400\n"
            ),
            (
                ["status", "--port", "0"],
                "ccr status: --port is “0”, allowed is a whole number from 1 to 65535\n"
            ),
            (
                ["route", "explain", "--endpoint", "chats"],
                "note: no configuration file (looked for /etc/ccr/config.json): using the embedded provider “echo” alone\n"
                    + "ccr route explain: --endpoint is “chats”, allowed are chat, responses, compact, messages, gemini\n"
            ),
        ])
    func usage(arguments: [String], message: String) {
        let outcome = ccr(arguments)
        #expect(outcome.status == 2)
        #expect(outcome.complaints == message)
        #expect(outcome.output.isEmpty)
    }

    @Test("prints the version", arguments: [["version"], ["--version"]])
    func version(arguments: [String]) {
        #expect(ccr(arguments).output == "ccr \(CCR.version)\n")
        #expect(ccr(["version", "--json"]).output == #"{"name":"ccr","version":"\#(CCR.version)"}"# + "\n")
    }

    @Test("validates")
    func validate() {
        let good = run("validate", "--config", "good.json")
        #expect(good.status == 0)
        #expect(
            good.output == "good.json: ok, 1 warning; 2 providers, 5 models, listening on 127.0.0.1:3456\n")
        #expect(
            good.complaints
                == "good.json:1:33: warning: LOG: has no effect: ccr logs to the journal or stderr\n")
        let bad = run("validate", "--config=bad.json")
        #expect(bad.status == 2)
        #expect(bad.output == "bad.json: 2 errors, 0 warnings\n")
        #expect(
            bad.complaints == """
                bad.json:1:1: error: the key “Providers” is missing (an array of objects)
                bad.json:2:11: error: PORT: is 0, allowed is a whole number from 1 to 65535

                """)
        let missing = run("validate", "--config", "nope.json")
        #expect(missing.status == 2)
        #expect(missing.complaints == "nope.json:1:1: error: there is no such file\n")
        let none = run("validate")
        #expect(none.status == 0)
        #expect(none.output.hasPrefix("built-in configuration: ok, 0 warnings; 1 provider, 3 models"))
    }

    @Test("as root, validates with what systemd passed to the running service")
    func validateCredentials() {
        let text = #"""
            {"Providers": [{"name": "p", "api_base_url": "http://127.0.0.1:9/v1", "models": ["m"],
             "api_key": "${credential:key}"}]}
            """#
        let directory = "/run/credentials/ccr.service"
        let running = MemoryHost()
        running.has(directory + "/")
        func validate(_ host: MemoryHost, _ environment: [String: String] = [:], isRoot: Bool = true)
            -> Outcome
        {
            ccr(
                ["validate", "--config", "c.json"], environment: environment,
                files: ["c.json": text, directory + "/key": "sk-service\n", "/own/key": "sk-own"], host: host,
                isRoot: isRoot)
        }
        #expect(validate(running).status == 0)
        #expect(validate(MemoryHost(), ["CREDENTIALS_DIRECTORY": "/own"]).status == 0)
        for outcome in [validate(MemoryHost()), validate(running, isRoot: false)] {
            #expect(outcome.status == 0, "the configuration may be right")
            #expect(outcome.output.hasPrefix("c.json: ok, 1 warning;"))
            #expect(outcome.complaints.contains("be root while ccr.service runs"))
        }
        let missing = validate(running, ["CREDENTIALS_DIRECTORY": "/other"])
        #expect(missing.status == 2)
        #expect(missing.complaints.contains("“/other/key” cannot be read"))
        #expect(missing.complaints.contains("LoadCredential=key:FILE, from its next start on"))
    }

    @Test(
        "a login names a credential, its kind where there is one alone, or both",
        arguments: [
            (["work"], "work"), (["codex", "work"], "work"), (["google"], "drive"), (["nobody"], "nobody"),
            (["oauth2"], "oauth2"),
            (["codex"], "several credentials are of kind codex_oauth; name one of work, home"),
            (["copilot"], "there is no credential of kind copilot"),
            (["google", "work"], "there is no credential of kind google_adc_user with the name “work”"),
            (["static", "work"], "“static” is no kind; allowed are codex, copilot, google, oauth2"),
        ])
    func logins(words: [String], expected: String) throws {
        let text = #"""
            {"Providers": [{"name": "p", "api_base_url": "https://h.example/v1", "models": ["m"], "credentials": [
              {"name": "work", "kind": "codex_oauth"}, {"name": "home", "kind": "codex_oauth"},
              {"name": "oauth2", "kind": "static"},
              {"name": "drive", "kind": "google_adc_user", "client_id": "c", "client_secret": "env:S"}]}]}
            """#
        let loaded = ConfigLoader(
            files: MemoryFiles(contents: ["c.json": text]),
            surroundings: Surroundings(environment: [:], isRoot: false)
        ).load(path: "c.json")
        let credentials = try #require(loaded.configuration).providers.flatMap(\.credentials)
        do throws(UsageError) {
            #expect(try CredentialCommands.name(of: words, among: credentials) == expected)
        } catch {
            #expect(error.message == expected)
        }
    }

    @Test("runs with no credentials of another service")
    func runCredentials() {
        let text =
            #"{"Providers": [{"name": "p", "api_base_url": "builtin:echo", "api_key": "${credential:key}"}]}"#
        let host = MemoryHost()
        host.has("/run/credentials/ccr.service/")
        let outcome = ccr(
            ["run", "--config", "c.json"],
            files: ["c.json": text, "/run/credentials/ccr.service/key": "sk-service"], host: host,
            isRoot: true)
        #expect(outcome.status == 78)
        #expect(outcome.complaints.contains("LoadCredential="))
    }

    @Test("validates for programs")
    func validateJSON() throws {
        let outcome = run("validate", "--config", "bad.json", "--json")
        #expect(outcome.status == 2)
        #expect(outcome.complaints.isEmpty)
        #expect(
            outcome.output == #"{"valid":false,"files":["bad.json"],"problems":["#
                + #"{"severity":"error","file":"bad.json","line":1,"column":1,"key":"","#
                + #""message":"the key “Providers” is missing (an array of objects)"},"#
                + #"{"severity":"error","file":"bad.json","line":2,"column":11,"key":"PORT","#
                + #""message":"is 0, allowed is a whole number from 1 to 65535"}]}"# + "\n")
    }

    @Test("lists models")
    func models() {
        let outcome = run("models", "--config", "good.json")
        #expect(outcome.status == 0)
        #expect(
            outcome.output == """
                MODEL       ANSWERED BY   SPEAKS
                claude-x    p,claude-x    messages
                big         p,big         messages
                echo        e,echo        chat responses messages
                echo:tools  e,echo:tools  chat responses messages
                echo:think  e,echo:think  chat responses messages
                low         p,big         messages

                """)
        #expect(
            run("models", "--config", "good.json", "--json").output.hasPrefix(
                #"{"object":"list","data":[{"id":"#))
        #expect(run("models", "--config", "broken.json").status == 2)
    }

    @Test("explains a route")
    func explain() {
        let outcome = run(
            "route", "explain", "--config", "good.json", "--endpoint", "messages", "--client", "claude_code",
            input: #"{"model": "big", "messages": []}"#)
        #expect(outcome.status == 0)
        #expect(
            outcome.output == """
                /v1/messages, model “big”, client claude_code, about 6 tokens
                  “big” is listed by a provider: model “big” at p
                  fallback from Router: “echo” at e
                decided by model big, as main; candidates:
                  1. p, model “big”: https://h.example/v1/messages
                  2. e, model “echo”: embedded provider

                """)
    }

    @Test("names each candidate of a route once")
    func explainOnce() {
        let outcome = run("route", "explain", "--config", "good.json", input: "{}")
        #expect(
            outcome.output == """
                /v1/chat/completions, model missing, client other, about 1 token
                  the request names no model
                  Router.default decides: model “echo” at e
                decided by Router.default, as main; candidates:
                  1. e, model “echo”: embedded provider

                """)
    }

    @Test("names what there is where a name is none")
    func choices() {
        #expect(
            run("route", "explain", "--config", "good.json", "--key", "x", input: "{}").complaints.hasSuffix(
                "ccr route explain: there is no client “x”\n"))
        let files = [
            "c.json":
                #"{"Providers":[{"name":"e","api_base_url":"builtin:echo"}],"Clients":[{"name":"ci","key":"k"}]}"#
        ]
        #expect(
            ccr(["route", "explain", "--config", "c.json", "--key", "x"], input: "{}", files: files)
                .complaints
                == "ccr route explain: there is no client “x” (there is “ci”)\n")
        #expect(
            run("provider", "show", "--config", "good.json", "openai").complaints.hasSuffix(
                "“openai” is no configured provider (there are “p”, “e”); with --kinds it is a kind\n"))
        #expect(
            run("provider", "show", "opnai", "--kinds").complaints
                == "ccr provider show: “opnai” is no kind of provider (did you mean “openai”?)\n")
        let status = run("credentials", "status", "--config", "good.json")
        #expect(status.status == 1)
        #expect(
            status.complaints.contains(
                "ccr: the configuration has no credentials (Providers[].credentials); "))
    }

    @Test("explains a route for programs")
    func explainJSON() {
        let outcome = run(
            "route", "explain", "--config", "good.json", "--preset", "low", "--json",
            input: #"{"system": "x"}"#)
        #expect(
            outcome.output == #"{"path":"/v1/messages","model":null,"client":"other","tokens":3,"steps":["#
                + #""the path names the preset “low”: model “big” at p","unless the request does, max_tokens is set to 3","#
                + #""fallback from Router: “echo” at e"],"kind":"main","reason":"preset low","candidates":[{"provider":"p","model":"big"},"#
                + #"{"provider":"e","model":"echo"}],"max_tokens":3,"temperature":null,"effort":null}"# + "\n"
        )
        let wrong = run(
            "route", "explain", "--config", "good.json", "--json", input: #"{"model": "q,x", "input": ""}"#)
        #expect(wrong.status == 1)
        #expect(
            wrong.output == #"{"path":"/v1/responses","model":"q,x","client":"other","tokens":5,"steps":[],"#
                + #""error":{"status":404,"message":"“q,x” names no configured provider (did you mean “e” or “p”?)"}}"#
                + "\n")
    }

    @Test(
        "refuses a body that cannot be routed",
        arguments: [
            ("", "the standard input is no JSON body"), ("[]", "the body is no JSON object"),
            ("{", "the standard input is no JSON body"),
            (#"{"model": 1}"#, "“model” is no string"),
        ])
    func body(input: String, message: String) {
        let outcome = run("route", "explain", "--config", "good.json", input: input)
        #expect(outcome.status == 2)
        #expect(outcome.complaints.hasPrefix("ccr route explain: " + message), "\(outcome.complaints)")
    }

    @Test("hands the checked configuration to the supervisor")
    func runs() throws {
        var options: RunOptions?
        let outcome = ccr(
            ["run", "--config", "good.json", "--host", "::1", "--port=99", "--drain-seconds", "3"],
            files: Self.files
        ) {
            options = $0
            return 5
        }
        #expect(outcome.status == 5)
        let given = try #require(options)
        #expect(given.configuration.listen == ListenSettings(host: "::1", port: 99, socketPath: nil))
        #expect(given.overrides == ConfigOverrides(host: "::1", port: 99))
        #expect(given.files == ["good.json"])
        #expect(given.reload().files == ["good.json"])
        #expect(given.reload().configuration == given.configuration)
        #expect(given.drainMs == 3_000)
        #expect(given.hasDrainOption)
        _ = ccr(["run"], environment: ["CCR_CONFIG": "good.json"], files: Self.files) {
            options = $0
            return 0
        }
        #expect(options?.drainMs == 7_000)
        #expect(options?.hasDrainOption == false)
        #expect(options?.reload().files == ["good.json"])
        #expect(options?.files == ["good.json"])
    }

    @Test(
        "ends a run with a wrong configuration with 78", arguments: ["bad.json", "broken.json", "nope.json"])
    func badConfiguration(file: String) {
        let outcome = run("run", "--config", file)
        #expect(outcome.status == 78)
        #expect(outcome.complaints.contains("\(file):"))
    }

    @Test("ends a run that others could reach without a key with 78")
    func openHost() {
        let outcome = run("run", "--config", "good.json", "--host", "0.0.0.0")
        #expect(outcome.status == 78)
        #expect(outcome.complaints.contains("error: --host: “0.0.0.0” can be reached from other machines"))
    }

    @Test("prints no secret")
    func secrets() {
        for arguments in [["validate"], ["models"], ["models", "--json"], ["route", "explain"]] {
            let outcome = ccr(
                arguments + ["--config", "good.json"], input: #"{"model":"p,big","system":""}"#,
                files: Self.files)
            #expect(!(outcome.output + outcome.complaints).contains("s3cret"))
        }
    }
}
