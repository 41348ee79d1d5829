// SPDX-License-Identifier: Apache-2.0
// Every command as data: called by name, listed by `ccr help`, explained by `--help`, the manual page ccr.1 and the
// completions of the shells.

package enum CommandTable {
    private static let config = CommandOption(
        name: "--config", value: "FILE",
        help: "configuration file (default: $CCR_CONFIG, then the usual places)", completion: .files)
    private static let json = CommandOption(name: "--json", value: nil, help: "print JSON")
    private static let kinds = CommandOption(
        name: "--kinds", value: nil, help: "the kinds that ccr knows instead of the configured providers")
    private static let host = CommandOption(name: "--host", value: "ADDRESS", help: "address instead of HOST")
    private static let credential = Operand(name: "NAME", help: "the credential's name in the configuration")
    private static let port = CommandOption(name: "--port", value: "PORT", help: "port instead of PORT")
    private static let banned = Operand(
        name: "NAME[,MODEL]", help: "a credential or a provider, and one of its models (default: all)")

    private static let drain = CommandOption(
        name: "--drain-seconds", value: "SECONDS", help: "time for running requests at the end (0 to 86400)")
    private static let user = CommandOption(name: "--user", value: nil, help: "the user's units of systemd")
    private static let system = CommandOption(
        name: "--system", value: nil, help: "the system's units of systemd")

    package static let commands: [Command] = [
        Command(
            words: ["run"], group: .service, summary: "run the gateway in the foreground",
            details: """
                SIGTERM finishes running requests and ends; SIGHUP reads the configuration again.
                Exits with 78 when the configuration is wrong.
                """,
            options: [
                config, host, port, drain,
            ],
            run: RunCommand.run),
        Command(
            words: ["start"], group: .service, summary: "start the gateway and wait until it serves",
            details: """
                With the units of systemd installed this starts them: the system's for root, else the user's. Elsewhere
                it starts ccr run in the background, with a pid file and a log below $XDG_STATE_HOME/ccr or
                ~/.local/state/ccr. Does nothing when it runs already.
                """,
            options: [config, host, port, drain, user, system], run: ServiceCommand.start),
        Command(
            words: ["stop"], group: .service, summary: "finish running requests and stop the gateway",
            details: "Under systemd the sockets are stopped as well, so that no connection starts it again.",
            options: [user, system], run: ServiceCommand.stop),
        Command(
            words: ["restart"], group: .service, summary: "stop the gateway and start it again",
            details: "Without options it comes back with those it was started with.",
            options: [config, host, port, drain, user, system], run: ServiceCommand.restart),
        Command(
            words: ["reload"], group: .service,
            summary: "read the configuration again; running streams go on",
            details: "A configuration that is wrong changes nothing.",
            options: [user, system], run: ServiceCommand.reload),
        Command(
            words: ["logs"], group: .service, summary: "show the log of the service",
            details: "From the journal under systemd, else from the file that ccr start writes.",
            options: [
                CommandOption(
                    name: "--follow", short: "-f", value: nil, help: "go on with new lines until interrupted"),
                CommandOption(
                    name: "--lines", short: "-n", value: "N", help: "the last N lines (default: 50)"),
                user, system,
            ],
            run: ServiceCommand.logs),
        Command(
            words: ["enable"], group: .service,
            summary: "have systemd start the gateway at the first connection",
            details: "", options: [user, system], run: ServiceCommand.enable),
        Command(
            words: ["disable"], group: .service, summary: "undo ccr enable; what runs goes on",
            details: "", options: [user, system], run: ServiceCommand.disable),
        Command(
            words: ["status"], group: .service, summary: "ask the running gateway how it is",
            details: """
                Says also who manages it: systemd, ccr start, or nobody that ccr knows of.
                Exits with 1 when nothing answers at the configured address.
                """,
            options: [config, host, port, json], run: StatusCommand.run),
        Command(
            words: ["ban"], group: .service, summary: "stop asking a credential or a provider",
            details: """
                Holds from the next request on, over reloads and upgrades, until its time is over or ccr unban ends it. Asks
                the system's service over its socket for administrators; any other gateway needs ADMIN_API_KEY in its
                configuration.
                """,
            operands: [banned],
            options: [
                CommandOption(
                    name: "--for", value: "TIME", help: "90s, 15m, 2h, 7d (default: until ccr unban)"),
                CommandOption(name: "--reason", value: "TEXT", help: "why, for ccr bans and the log"),
                config, host, port, json,
            ],
            run: BanCommands.ban),
        Command(
            words: ["unban"], group: .service, summary: "ask a banned credential or provider again",
            details: """
                Ends every ban of what is named, those of fail2ban included, and the pauses that led to them. A provider's name
                stands for all of its credentials.
                """,
            operands: [banned], options: [config, host, port, json], run: BanCommands.unban),
        Command(
            words: ["bans"], group: .service, summary: "list what is banned, by whom, why and until when",
            details: "", options: [config, host, port, json], run: BanCommands.list),
        Command(
            words: ["doctor"], group: .configuration,
            summary: "check everything a gateway needs and say what to do",
            details: """
                Looks at the configuration, file permissions, the port, systemd's units, the journal, the kernel, the
                clock, certificates, and whether every provider can be reached; changes nothing and sends no request.
                Exits with 1 when something is found with which requests will fail.
                """,
            options: [config, host, port, json], run: DoctorCommand.run),
        Command(
            words: ["validate"], group: .configuration,
            summary: "check the configuration and name every problem",
            details: "Exits with 0 when ccr would run with it, warnings included, else with 2.",
            options: [config, json], run: ValidateCommand.run),
        Command(
            words: ["models"], group: .configuration,
            summary: "list the models clients can ask for and who answers them",
            details: """
                With --table, prints what is known of models instead: the table in force, in the form of the file that the
                key ModelsFile of the configuration names.
                """,
            options: [
                config, json,
                CommandOption(name: "--table", value: nil, help: "print the table of models, as JSON"),
            ], run: ModelsCommand.run),
        Command(
            words: ["provider", "list"], group: .configuration,
            summary: "list the configured providers: whose API each is and what it speaks",
            details: "With --kinds, lists every kind of provider that ccr knows.",
            options: [config, kinds, json], run: ProviderCommand.list),
        Command(
            words: ["provider", "show"], group: .configuration,
            summary: "print what is known of one provider",
            details: """
                URLs, how the key is sent, what requests must and must not hold, and in which ways it differs from the
                vendor of its dialect. Names no key.
                """,
            operands: [Operand(name: "NAME", help: "a configured provider, or a kind with --kinds")],
            options: [config, kinds, json], run: ProviderCommand.show),
        Command(
            words: ["route", "explain"], group: .configuration,
            summary: "read a request body and say who would be asked and why",
            details: "Reads the JSON body of the request from the standard input; sends nothing.",
            options: [
                config,
                CommandOption(
                    name: "--endpoint", value: "NAME",
                    help: "chat, responses, compact, messages or gemini (default: told from the body)",
                    completion: .words(RouteCommand.endpointNames)),
                CommandOption(
                    name: "--client", value: "KIND", help: "codex, claude_code or other (default: other)",
                    completion: .words(RouteCommand.clientNames)),
                CommandOption(name: "--preset", value: "NAME", help: "as if sent to /preset/NAME/v1/…"),
                CommandOption(
                    name: "--header", value: "FIELD", help: "as if sent with this header field, “NAME: VALUE”"
                ),
                CommandOption(name: "--key", value: "NAME", help: "as if sent with the key of this client"),
                json,
            ],
            run: RouteCommand.run),
        Command(
            words: ["key", "add"], group: .keys, summary: "make a client key and show it once",
            details: """
                Writes a file beside the configuration, config.d/client-NAME.json, that holds the hash of the key and what it
                may do. The key itself is kept nowhere. It works after ccr reload.
                """,
            operands: [Operand(name: "NAME", help: "the client's name: letters, digits, - _ .")],
            options: [
                config,
                CommandOption(
                    name: "--models", value: "PATTERNS", help: "models it may use, with commas between them"),
                CommandOption(name: "--rpm", value: "N", help: "requests in any minute"),
                CommandOption(name: "--tpm", value: "N", help: "tokens in any minute"),
                CommandOption(name: "--concurrency", value: "N", help: "requests at providers at once"),
                CommandOption(name: "--daily-usd", value: "AMOUNT", help: "US dollars a day"),
                CommandOption(name: "--monthly-usd", value: "AMOUNT", help: "US dollars a month"),
                CommandOption(
                    name: "--expires", value: "DAY", help: "last day on which it is valid, YYYY-MM-DD"),
            ],
            run: KeyCommand.add),
        Command(
            words: ["key", "list"], group: .keys,
            summary: "list client keys with their limits, usage and spend",
            details: "Usage and spend come from the running gateway, if it answers.",
            options: [config, host, port, json], run: KeyCommand.list),
        Command(
            words: ["key", "revoke"], group: .keys, summary: "take a client key back that ccr key add made",
            details: "Removes its file. It is refused after ccr reload.",
            operands: [Operand(name: "NAME", help: "the client's name")],
            options: [config], run: KeyCommand.revoke),
        Command(
            words: ["login"], group: .credentials, summary: "log in to a service on another device",
            details: """
                Shows an address and a code to enter there, waits, and stores what the service gives in the vault.
                Never shows a token. A kind in the place of the name is enough where one credential alone is of that kind.
                """,
            operands: [
                Operand(
                    name: "NAME|KIND",
                    help: "the credential's name in the configuration, or codex, copilot, google or oauth2"),
                Operand(name: "NAME", help: "the credential's name behind its kind", isRequired: false),
            ],
            options: [
                config,
                CommandOption(
                    name: "--browser", value: nil,
                    help: "log in with a browser on this machine instead of a code"),
            ], run: CredentialCommands.logIn),
        Command(
            words: ["logout"], group: .credentials, summary: "forget the secrets of a credential",
            details: "",
            operands: [credential], options: [config], run: CredentialCommands.logOut),
        Command(
            words: ["credentials", "list"], group: .credentials,
            summary: "list the configured credentials and what else the vault holds", details: "",
            options: [config], run: CredentialCommands.list),
        Command(
            words: ["credentials", "status"], group: .credentials,
            summary: "show every credential and its state",
            details: "Exits with 1 when one of them needs a login.", options: [config, json],
            run: CredentialCommands.status),
        Command(
            words: ["credentials", "refresh"], group: .credentials, summary: "renew a token now", details: "",
            operands: [credential], options: [config], run: CredentialCommands.refresh),
        Command(
            words: ["credentials", "import"], group: .credentials,
            summary: "store the secret that a file of another program holds",
            details: """
                Reads auth.json of Codex, codex-proxy, CLIProxyAPI and litellm, .copilot-tokens.json, key files of
                Google service accounts, and files with one line. The file stays as it is. Without FILE the places where
                other programs keep their logins are looked at in turn, unless the vault holds a login already.
                """,
            operands: [
                credential,
                Operand(
                    name: "FILE", help: "the file; its mode must be 0600", isRequired: false,
                    completion: .files),
            ],
            options: [
                config,
                CommandOption(
                    name: "--creds-store", value: "STORE",
                    help:
                        "where to look: auto, xdg (codex-proxy), legacy (Codex), keychain (Codex), env or vault",
                    completion: .words(LoginStore.allCases.map(\.rawValue))),
                CommandOption(
                    name: "--creds-path", value: "FILE", help: "the same as FILE", completion: .files),
                CommandOption(
                    name: "--i-understand", value: nil,
                    help: "take a login over that another program uses, which logs that program out"),
                CommandOption(
                    name: "--disable-migrate-refresh", value: nil,
                    help: "use the token in the file to its end before the first refresh"),
                CommandOption(
                    name: "--replace", value: nil, help: "take a file of another account than before"),
                CommandOption(
                    name: "--accept-open-mode", value: nil, help: "read a file that others may read too"),
            ],
            run: CredentialCommands.importFile),
        Command(
            words: ["credentials", "export"], group: .credentials,
            summary: "write a credential's token into a login file of another program",
            details: """
                Writes auth.json as codex-proxy reads it; what else stands in the file stays. The refresh token stays in
                the vault, since two programs that use one end the login, unless --move gives it away.
                """,
            operands: [credential, Operand(name: "FILE", help: "the file", completion: .files)],
            options: [
                config,
                CommandOption(
                    name: "--move", value: nil, help: "give the refresh token away and log ccr out of it"),
            ],
            run: CredentialCommands.export),
        Command(
            words: ["credentials", "rm"], group: .credentials,
            summary: "remove what the vault holds of a credential that is not configured any more",
            details: "", operands: [Operand(name: "NAME", help: "the credential's former name")],
            options: [config], run: CredentialCommands.remove),
        Command(
            words: ["print-token"], group: .credentials,
            summary: "print a credential's token and nothing else",
            details: "For programs that take a token from a command.", operands: [credential],
            options: [config],
            run: CredentialCommands.printToken),
        Command(
            words: ["vault", "rotate-key"], group: .credentials,
            summary: "seal every secret with a new master key", details: "", options: [config],
            run: CredentialCommands.rotateKey),
        Command(
            words: ["vault", "backup"], group: .credentials, summary: "copy the vault to a new file",
            details: """
                The copy is sealed with the master key, which it does not contain. After a restore, logins whose
                tokens have been replaced since need a new login.
                """,
            operands: [Operand(name: "FILE", help: "the copy; must not exist", completion: .files)],
            options: [config], run: CredentialCommands.backUp),
        Command(
            words: ["vault", "restore"], group: .credentials,
            summary: "put a copy in the place of the vault",
            details: """
                The old vault is kept beside it, the refresher starts anew. Secrets that services replace with each use may
                be older than what the services know: they are not sent again, and need a new login when their tokens end.
                """,
            operands: [
                Operand(name: "FILE", help: "the copy, below STATE_DIR/credentials", completion: .files)
            ],
            options: [config], run: CredentialCommands.restore),
        Command(
            words: ["version"], group: .general, summary: "print the version", details: "", options: [json],
            run: VersionCommand.run),
        Command(
            words: ["help"], group: .general, summary: "list the commands, or explain one", details: "",
            operands: [
                Operand(
                    name: "COMMAND", help: "the command to explain, or the first word of several",
                    isRequired: false, completion: .commands)
            ],
            options: [],
            run: { context in
                context.terminal.print(Help.overview)
                return ExitStatus.success
            }),
    ]
}
