// SPDX-License-Identifier: Apache-2.0
import Glibc
import Posix
import Testing

@testable import CLI
@testable import Config

@Suite("ccr doctor")
struct DoctorTests {
    private static let config = """
        {"PORT": 9, "STATE_DIR": "/state", "Providers": [
          {"name": "up", "api_base_url": "https://api.example.com/v1", "api_key": "sk-1", "models": ["m"]},
          {"name": "e", "api_base_url": "builtin:echo"}],
         "Router": {"default": "up,m"}}
        """

    /// A machine on which everything is well.
    private static func healthy() -> MemoryHost {
        let host = MemoryHost()
        host.has("/c.json", mode: 0o600)
        host.has("/state/")
        host.has("/etc/ssl/certs/ca-certificates.crt")
        host.answers["getent ahosts api.example.com"] = ProgramResult(
            status: 0,
            output: "192.0.2.1      STREAM api.example.com\n192.0.2.1      DGRAM\n192.0.2.1      RAW\n")
        return host
    }

    private func doctor(
        _ host: MemoryHost, _ words: [String] = ["--config", "/c.json"], config: String = config,
        environment: [String: String] = [:]
    ) -> Outcome {
        ccr(["doctor"] + words, environment: environment, files: ["/c.json": config], host: host)
    }

    @Test("finds nothing to say about a machine that is well")
    func well() {
        let outcome = doctor(Self.healthy())
        #expect(outcome.status == 0, "\(outcome.output)")
        #expect(
            outcome.output == """
                ok    configuration  /c.json
                ok    permissions    nobody else can change it or read a key in it
                ok    state          /state
                ok    port           127.0.0.1:9 is free
                ok    service        no systemd here: ccr start runs ccr in the background
                ok    journal        no journald: the log goes to standard error, of ccr start
                                     to a file
                ok    kernel         Linux 6.1.0: seccomp, Landlock ABI 2, memfd, pidfd
                ok    open files     524288 are allowed
                ok    clock          plausible
                ok    certificates   /etc/ssl/certs/ca-certificates.crt
                ok    provider up    api.example.com:443 can be reached
                ok    provider e     inside ccr

                12 ok, no warning, no failure

                """)
    }

    /// One thing that is wrong, what is said of it, and the exit status.
    private struct Fault: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let status: Int32
        let line: String
        let remedy: String
        let spoil: @Sendable (MemoryHost) -> Void

        init(
            _ name: String, _ status: Int32, _ line: String, _ remedy: String,
            _ spoil: @escaping @Sendable (MemoryHost) -> Void
        ) {
            testDescription = name
            self.status = status
            self.line = line
            self.remedy = remedy
            self.spoil = spoil
        }
    }

    private static let faults: [Fault] = [
        Fault("key for everyone", 0, "every user can read /c.json", "chmod o-r /c.json") {
            $0.has("/c.json", mode: 0o644)
        },
        Fault("config for everyone", 1, "others than its owner can change /c.json", "chmod go-w /c.json") {
            $0.has("/c.json", mode: 0o622)
        },
        Fault("state not writable", 1, "/state cannot be written", "set STATE_DIR") {
            $0.isEverythingWritable = false
        },
        Fault("port taken", 1, "127.0.0.1:9 is held by nginx (pid 7)", "set another PORT") {
            $0.portError = Errno("bind", code: EADDRINUSE)
            $0.holder = "nginx (pid 7)"
        },
        Fault("port forbidden", 1, "this user may not listen", "1024 or more") {
            $0.portError = Errno("bind", code: EACCES)
        },
        Fault("foreign address", 1, "cannot listen on 127.0.0.1:9", "an address of this machine") {
            $0.portError = Errno("bind", code: EADDRNOTAVAIL)
        },
        Fault("old kernel", 1, "Linux 4.19 lacks pidfd_open", "5.11 or newer") {
            $0.kernel = KernelFacts(
                release: "4.19", hasSeccomp: true, landlockABI: 0, hasMemfd: true, hasPidfd: false)
        },
        Fault("no Landlock", 0, "without Landlock", "lsm=landlock") {
            $0.kernel = KernelFacts(
                release: "6.1", hasSeccomp: true, landlockABI: 0, hasMemfd: true, hasPidfd: true)
        },
        Fault("few files", 0, "1024 are allowed, Limits.connections is 10000", "ulimit -Hn") {
            $0.fileLimits = (1_024, 1_024)
        },
        Fault("clock of 1970", 1, "earlier than ccr was built", "timedatectl set-ntp true") {
            $0.paths["/proc/self/exe"] = FileFacts(mode: 0o755, modified: 1_790_000_000)
            $0.realtime = 60
        },
        Fault("no certificates", 1, "no provider can be trusted", "apt install ca-certificates") {
            $0.paths["/etc/ssl/certs/ca-certificates.crt"] = nil
        },
        Fault("slow names", 1, "the name is not resolved in 5 s", "check the network") { $0.answers = [:] },
        Fault("unknown name", 1, "the name is not known", "check the network") {
            $0.answers["getent ahosts api.example.com"] = ProgramResult(status: 2, output: "")
        },
        Fault("no way there", 1, "connect: No route to host", "check the network") {
            $0.unreachable["192.0.2.1:443"] = "connect: No route to host"
        },
    ]

    @Test("says what is wrong and what to do", arguments: faults)
    private func fault(_ fault: Fault) {
        let host = Self.healthy()
        fault.spoil(host)
        let outcome = doctor(host)
        #expect(outcome.status == fault.status)
        let text = outcome.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(text.contains(fault.line), "\(outcome.output)")
        #expect(text.contains(fault.remedy), "\(outcome.output)")
        #expect(outcome.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(!outcome.output.contains("sk-1"))
    }

    @Test("tells programs the same")
    func json() {
        let host = Self.healthy()
        host.unreachable["192.0.2.1:443"] = "no answer in time"
        let outcome = doctor(host, ["--config", "/c.json", "--json"])
        #expect(outcome.status == 1)
        #expect(
            outcome.output.hasPrefix(#"{"ok":false,"findings":[{"level":"ok","subject":"configuration","#))
        #expect(outcome.output.contains(#""text":"api.example.com:443: no answer in time""#))
    }

    @Test("names the first error of a wrong configuration and goes on")
    func wrongConfiguration() {
        let outcome = doctor(Self.healthy(), config: "{\"PORT\": 0}")
        #expect(outcome.status == 1)
        #expect(outcome.output.contains("ccr validate names every problem"))
        #expect(outcome.output.contains("ok    kernel"))
        #expect(doctor(Self.healthy(), ["--port", "x"]).status == 2)
    }

    @Test("says that a file of claude-code-router is not read beside another one")
    func shadowed() {
        let host = Self.healthy()
        for path in ["/h/.config/ccr/config.json", "/h/.claude-code-router/config.json"] {
            host.has(path, mode: 0o600)
        }
        let outcome = ccr(
            ["doctor"], environment: ["HOME": "/h"], files: ["/h/.config/ccr/config.json": Self.config],
            host: host)
        let text = outcome.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(
            text.contains("claude-code-router /h/.claude-code-router/config.json is not read"),
            "\(outcome.output)")
    }

    @Test("asks systemd about its units, and not the socket, which would start the service")
    func systemd() {
        let host = Self.healthy()
        host.has("/run/systemd/system/")
        host.has("/run/systemd/journal/socket")
        host.has("/run/user/7/systemd/private")
        for unit in ["ccr.service", "ccr.socket"] {
            host.has("/usr/lib/systemd/user/\(unit)")
            host.answers[
                "systemctl --user show --property=ActiveState,SubState,UnitFileState,InvocationID,Listen \(unit)"
            ] =
                ProgramResult(
                    status: 0, output: unit == "ccr.socket" ? "ActiveState=active\n" : "ActiveState=failed\n")
        }
        host.answers["timedatectl show --property=NTPSynchronized --value"] = ProgramResult(
            status: 0, output: "no\n")
        let context = CommandContext(
            options: ["--config": "/c.json"], operands: [], environment: ["XDG_RUNTIME_DIR": "/run/user/7"],
            isRoot: false, files: MemoryFiles(contents: ["/c.json": Self.config]), terminal: MemoryTerminal(),
            host: host, runSupervisor: { _ in 99 })
        let findings = Doctor(context, ConfigOverrides()).examine()
        #expect(findings.contains(.ok("port", "systemd listens for ccr (ccr.socket)")))
        #expect(findings.contains(.ok("journal", "journald is there")))
        #expect(findings.contains { $0.subject == "service" && $0.level == .fail })
        #expect(findings.contains { $0.subject == "clock" && $0.level == .warn })
    }

    @Test(
        "finds where a URL leads",
        arguments: [
            ("https://api.example.com/v1", "api.example.com:443"), ("http://h", "h:80"),
            ("http://127.0.0.1:11434/v1", "127.0.0.1:11434"), ("https://[::1]:8443/x", "[::1]:8443"),
            ("socks5h://user:p@ss@proxy.example:9050", "proxy.example:9050"), ("socks5://p", "p:1080"),
            ("https://h?api-version=1", "h:443"), ("h:80", nil), ("gopher://h", nil), ("http://h:99999", nil),
        ] as [(String, String?)])
    func destination(url: String, expected: String?) {
        #expect(Destination(url: url)?.text == expected)
    }

    @Test(
        "follows the proxy variables as the workers do",
        arguments: [
            (["https_proxy": "http://p:1"], "https", "http://p:1"),
            (["https_proxy": "http://p:1"], "http", nil),
            (["HTTP_PROXY": "http://p:1"], "http", nil), (["http_proxy": "http://p:1"], "http", "http://p:1"),
            (["ALL_PROXY": "http://p:1"], "https", "http://p:1"),
            (["https_proxy": "http://p:1", "no_proxy": "x,.example.com"], "https", nil),
            (["https_proxy": "http://p:1", "no_proxy": "example.org, ple.com"], "https", "http://p:1"),
            (["https_proxy": "http://p:1", "NO_PROXY": "*"], "https", nil),
        ] as [([String: String], String, String?)])
    func proxy(environment: [String: String], scheme: String, expected: String?) {
        #expect(ProxyVariables(environment).proxy(scheme: scheme, host: "api.example.com") == expected)
    }

    @Test("connects to the proxy instead of the provider")
    func throughProxy() {
        let host = Self.healthy()
        host.answers = [:]
        let outcome = doctor(host, environment: ["https_proxy": "192.0.2.9:3128"])
        #expect(outcome.output.contains("proxy 192.0.2.9:3128 can be reached"), "\(outcome.output)")
        host.unreachable["192.0.2.9:3128"] = "connect: Connection refused"
        #expect(doctor(host, environment: ["https_proxy": "192.0.2.9:3128"]).status == 1)
    }
}
