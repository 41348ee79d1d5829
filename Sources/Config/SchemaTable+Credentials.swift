// SPDX-License-Identifier: Apache-2.0
// The keys of one entry of Providers[].credentials.
// Source: see Credentials/TokenProfile.swift.

extension Schema {
    private static let seconds = 1...2_592_000

    static let credentialKeys: [SchemaKey] = [
        SchemaKey(
            "Providers[].credentials", .objects,
            "Credentials that ccr keeps alive, instead of api_key; see credentials.md."),
        SchemaKey(
            "Providers[].credentials[].name", .text, required: true,
            "Name in commands, logs and metrics; unique among all providers."),
        SchemaKey(
            "Providers[].credentials[].kind", .choice(CredentialKind.allCases.map(\.rawValue)),
            required: true,
            "How it is obtained and renewed."),
        SchemaKey(
            "Providers[].credentials[].secret", .text, default: "vault",
            "Where the key, key file or refresh token is: env:NAME, file:/PATH, credential:NAME (of the service "
                + "manager) or vault (put there by ccr login or ccr credentials import)."),
        SchemaKey(
            "Providers[].credentials[].client_secret", .text,
            "The OAuth client's secret: a source like secret."),
        SchemaKey(
            "Providers[].credentials[].weight", .integer(1...1000), default: "1",
            "Share of the requests among credentials of the same priority."),
        SchemaKey(
            "Providers[].credentials[].priority", .integer(0...1000), default: "0",
            "Lower ones are used first."),
        SchemaKey(
            "Providers[].credentials[].header", .text,
            "Header that carries the token. Default: as auth_header for static, else Authorization."),
        SchemaKey(
            "Providers[].credentials[].headers", .map(.text),
            "Header fields that go to the provider with the token."
        ),
        SchemaKey(
            "Providers[].credentials[].token_url", .text,
            "Token endpoint: https, or http on loopback. Required for oauth2 and oauth2_cc."),
        SchemaKey("Providers[].credentials[].client_id", .text, "The OAuth client."),
        SchemaKey("Providers[].credentials[].scope", .text, "Scopes, with blanks between them."),
        SchemaKey("Providers[].credentials[].tenant", .text, "Tenant of azure_entra."),
        SchemaKey(
            "Providers[].credentials[].client_auth", .choice(["post", "basic"]), default: "post",
            "Where the client's secret travels: in the body or in the Authorization header."),
        SchemaKey(
            "Providers[].credentials[].body", .choice(["form", "json"]),
            "Form of the token request. Default: what the kind uses."),
        SchemaKey(
            "Providers[].credentials[].device_url", .text, "Where a login on another device gets its code."),
        SchemaKey(
            "Providers[].credentials[].device_token_url", .text,
            "Where such a login asks for its outcome. Default: token_url, or what the kind uses."),
        SchemaKey(
            "Providers[].credentials[].device_page_url", .text, "Page to show when the service names none."),
        SchemaKey(
            "Providers[].credentials[].token_fields", .map(.text), "Further fields of the token request."),
        SchemaKey(
            "Providers[].credentials[].token_headers", .map(.text),
            "Further header fields of the token request."),
        SchemaKey(
            "Providers[].credentials[].default_ttl", .integer(seconds),
            "Seconds a token is taken to live when the service does not say."),
        SchemaKey(
            "Providers[].credentials[].advisory", .integer(seconds),
            "Seconds before its end at which a token is renewed, at most a fifth of its life."),
        SchemaKey(
            "Providers[].credentials[].mandatory", .integer(seconds),
            "Seconds before its end up to which a refresh whose outcome is unknown is put off."),
        SchemaKey(
            "Providers[].credentials[].wait_ms", .integer(100...120_000), default: "15000",
            "Milliseconds a request waits for a token that is being renewed."),
        SchemaKey(
            "Providers[].credentials[].mode", .choice(["own", "follow"]), default: "own",
            "follow reads the tokens of another program's login file and never renews them."),
        SchemaKey(
            "Providers[].credentials[].command", .list(.text),
            "Program that prints the token: absolute path and arguments, no shell. For command and aws_sigv4."
        ),
        SchemaKey(
            "Providers[].credentials[].command_format", .choice(["raw", "json", "aws", "google"]),
            "What the program prints. Default: raw, of aws_sigv4 aws."),
        SchemaKey(
            "Providers[].credentials[].command_env", .list(.text),
            "Variables of the refresher's environment that the program gets besides PATH, HOME and LANG."),
        SchemaKey(
            "Providers[].credentials[].command_timeout", .integer(1...120),
            "Seconds after which the program is ended. Default: 30."),
        SchemaKey(
            "Providers[].credentials[].region", .text, "AWS region of aws_sigv4, as “us-east-1”."),
        SchemaKey(
            "Providers[].credentials[].service", .text,
            "Name of the service in AWS signatures. Default: bedrock."),
        SchemaKey(
            "Providers[].credentials[].authorize_url", .text,
            "Page of a login in a browser on this machine. Default: what the kind uses."),
        SchemaKey(
            "Providers[].credentials[].redirect_port", .integer(1024...65535),
            "Loopback port to which such a login returns. Default: 1455."),
        SchemaKey(
            "Providers[].credentials[].revoke_url", .text,
            "Where a logout revokes the refresh token. Default: what the kind uses."),
        SchemaKey(
            "Providers[].credentials[].permanent_codes", .list(.text),
            "Error codes of the service that mean that the secret is dead."),
        SchemaKey(
            "Providers[].credentials[].permanent_texts", .list(.text),
            "The same for services that only say it in words."),
    ]
}
