// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Config

@Suite("References in string values")
struct InterpolationTests {
    private let environment = ["NAME": "value", "EMPTY": "", "CREDENTIALS_DIRECTORY": "/run/credentials/ccr"]
    private let files = MemoryFiles(contents: [
        "/run/credentials/ccr/openai": "sk-1\n", "/etc/ccr/key.txt": "sk-2\r\n\n", "/abs": "sk-3",
        "/big": String(repeating: "x", count: 65_537),
    ])

    private func expand(_ text: String) -> (text: String?, isInterpolated: Bool, problems: [String]) {
        var problems = ConfigProblems()
        let position = Position(file: "/etc/ccr/config.json", line: 2, column: 5)
        let node = Interpolation(variables: environment, files: files)
            .apply(to: ConfigNode(.string(text), at: position), keyPath: "A.b", problems: &problems)
        return (node.text, node.isInterpolated, problems.list.map(\.message))
    }

    @Test(
        "are replaced",
        arguments: [
            ("${NAME}", "value"), ("$NAME", "value"), ("a${NAME}b${NAME}c", "avaluebvaluec"),
            ("${NAME:-other}", "value"), ("${EMPTY:-other}", "other"), ("${NOPE:-other}", "other"),
            ("${NOPE:-}", ""), ("${NOPE:-a:-b}", "a:-b"), ("${EMPTY}", ""),
            ("${credential:openai}", "sk-1"), ("${file:key.txt}", "sk-2"), ("${file:/abs}", "sk-3"),
        ])
    func replaced(text: String, value: String) {
        let result = expand(text)
        #expect(result.text == value)
        #expect(result.isInterpolated)
        #expect(result.problems.isEmpty)
    }

    @Test(
        "are not seen where there are none",
        arguments: [
            ("plain", "plain"), ("a$NAME", "a$NAME"), ("$NAME-b", "$NAME-b"), ("$", "$"), ("5$", "5$"),
            ("$1", "$1"),
            ("$${NAME}", "${NAME}"), ("$$NAME", "$NAME"), ("$$", "$$"),
        ])
    func literal(text: String, value: String) {
        let result = expand(text)
        #expect(result.text == value)
        #expect(!result.isInterpolated)
        #expect(result.problems.isEmpty)
    }

    @Test("that lead nowhere stay as they are for a process that needs no key")
    func kept() {
        let text = """
            {"APIKEY": "${credential:nope}", "Clients": [{"name": "a", "key": "$NOPE"}, {"name": "b", "key": "x${NOPE}"}],
            "Providers": [{"name": "p", "api_base_url": "https://${HOST}/v1", "api_key": "${file:/nope}", "models": ["m"]}],
            "Router": {"default": "p,m"}}
            """
        func load(_ unresolved: UnresolvedReferences) -> LoadedConfiguration {
            ConfigLoader(
                files: MemoryFiles(contents: ["c.json": text]),
                surroundings: Surroundings(environment: ["HOST": "h.example"], isRoot: false),
                unresolved: unresolved
            ).load(path: "c.json")
        }
        #expect(load(.refused).errors.count == load(.examined).errors.count + 1, "all but the credential")
        let loaded = load(.kept)
        #expect(loaded.errors == [])
        #expect(loaded.configuration?.providers.first?.apiKey?.expose() == Array("${file:/nope}".utf8))
        #expect(loaded.configuration?.clientKeys.map { $0.key?.expose() }.last == Array("x${NOPE}".utf8))
    }

    @Test(
        "that lead nowhere are named",
        arguments: [
            (
                "$NOPE",
                "the variable NOPE is not set (set it in the environment or in .env, or write ${NOPE:-default})"
            ),
            (
                "${NOPE}",
                "the variable NOPE is not set (set it in the environment or in .env, or write ${NOPE:-default})"
            ),
            ("${NAME", "“${” without “}” (write “$${” for a literal “${”)"),
            (
                "${1x}",
                "“${1x}” is no reference; allowed are ${NAME}, ${NAME:-default}, ${credential:NAME} or ${file:PATH}"
            ),
            (
                "${}",
                "“${}” is no reference; allowed are ${NAME}, ${NAME:-default}, ${credential:NAME} or ${file:PATH}"
            ),
            (
                "${credential:nope}",
                "“/run/credentials/ccr/nope” cannot be read: open: No such file or directory "
                    + "(a service gets it by LoadCredential=nope:FILE, from its next start on)"
            ),
            ("${credential:../x}", "“../x” is no credential name (no “/”, no leading “.”)"),
            ("${credential:}", "“” is no credential name (no “/”, no leading “.”)"),
            ("${file:/big}", "“/big” is larger than 65536 bytes"),
        ])
    func faults(text: String, message: String) {
        #expect(expand(text).problems == [message])
    }

    @Test("to credentials need systemd's directory")
    func noDirectory() {
        var problems = ConfigProblems()
        let node = ConfigNode(.string("${credential:x}"), at: Position(file: "f", line: 1, column: 1))
        _ = Interpolation(variables: [:], files: files).apply(to: node, keyPath: "k", problems: &problems)
        #expect(
            problems.list.map(\.description) == [
                "f:1:1: error: k: ${credential:x} is what systemd passes to a service (LoadCredential=); to check "
                    + "it, be root while ccr.service runs, or set CREDENTIALS_DIRECTORY to a directory with the file x"
            ])
    }

    @Test("take .env beside the file before .env in the working directory, and the environment before both")
    func precedence() throws {
        let text = minimal(provider: #""tier_name": "${A}-${B}-${C}""#)
        let files = [
            "/x/c.json": text, ".env": "A=cwd\nB=cwd\nC=cwd", "/x/.env": "A=file\nB=file",
        ]
        let surroundings = Surroundings(environment: ["A": "real"], isRoot: false)
        let loaded = ConfigLoader(files: MemoryFiles(contents: files), surroundings: surroundings)
            .load(path: "/x/c.json")
        #expect(try #require(loaded.configuration).providers[0].tierName == "real-file-cwd")
    }

    @Test("never show their value in a message")
    func hidden() {
        let loaded = load(
            minimal(#""PORT": "${S}", "HOST": "${S}""#, provider: #""protocol": "$S", "workers": "$S""#),
            environment: ["S": "sk-secret"])
        #expect(loaded.errors.count == 4)
        #expect(!loaded.lines.joined().contains("sk-secret"))
    }
}

@Suite("The reader of .env files")
struct DotEnvTests {
    @Test(
        "takes one line",
        arguments: [
            ("A=b", "b"), (" A = b ", "b"), ("export A=b", "b"), ("A=", ""), ("A=b # c", "b"),
            ("A=b#c", "b#c"),
            ("A=#c", ""), ("A='b # $c \\n'", "b # $c \\n"), (#"A="b\n\t\"\\\$" # c"#, "b\n\t\"\\$"),
            ("A=b=c", "b=c"),
            ("A=b\r", "b"), ("A=\"\"", ""),
        ])
    func lines(line: String, value: String) {
        var problems = ConfigProblems()
        #expect(DotEnv.parse(Array(line.utf8), file: ".env", problems: &problems) == ["A": value])
        #expect(problems.list.isEmpty)
    }

    @Test(
        "skips what is no assignment and says so",
        arguments: [
            ("hello", "expected NAME=value"),
            ("1A=b", "“1A” is no variable name (letters, digits and _, no digit first)"),
            ("=b", "“” is no variable name (letters, digits and _, no digit first)"),
            ("A=\"b", "the quote of the value of A is never closed"),
        ])
    func faults(line: String, message: String) {
        var problems = ConfigProblems()
        let variables = DotEnv.parse(Array("# c\n\n\(line)\nZ=1".utf8), file: ".env", problems: &problems)
        #expect(variables == ["Z": "1"])
        #expect(problems.list.map(\.description) == [".env:3:1: warning: \(message); the line is skipped"])
    }

    @Test("survives every beginning of a file")
    func everyCut() {
        let bytes = Array("export A=\"x\\\"é\" # c\nB='y'\r\nC=z".utf8)
        for cut in 0...bytes.count {
            var problems = ConfigProblems()
            _ = DotEnv.parse(Array(bytes[..<cut]), file: ".env", problems: &problems)
        }
    }
}
