// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

@testable import CLI
@testable import Config

@Suite("The verbs of the service")
struct ServiceTests {
    /// A machine with systemd and these units.
    private static func host(
        system: [String] = [], user: [String] = [], active: [String] = [], answers: Bool = true
    ) -> MemoryHost {
        let host = MemoryHost()
        host.has("/run/systemd/system/")
        host.has("/run/user/7/systemd/private")
        for unit in system { host.has("/usr/lib/systemd/system/\(unit)") }
        for unit in user { host.has("/usr/lib/systemd/user/\(unit)") }
        let properties = "ActiveState,SubState,UnitFileState,InvocationID,Listen"
        for scope in ["", " --user"] {
            for unit in ["ccr.service", "ccr.socket"] {
                let isActive = active.contains("\(unit)\(scope)")
                host.answers["systemctl\(scope) show --property=\(properties) \(unit)"] = ProgramResult(
                    status: 0,
                    output: """
                        Listen=127.0.0.1:3456 (Stream)
                        ActiveState=\(isActive ? "active" : "inactive")
                        SubState=\(isActive ? "running" : "dead")
                        UnitFileState=enabled
                        InvocationID=b8a1

                        """)
            }
        }
        return host
    }

    private static let units = ["ccr.service", "ccr.socket", "ccr-metrics.socket"]
    private static let environment = ["XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/nonexistent"]

    private static func context(_ host: MemoryHost, isRoot: Bool, options: [String: String] = [:])
        -> CommandContext
    {
        CommandContext(
            options: options, operands: [], environment: environment, isRoot: isRoot, files: MemoryFiles(),
            terminal: MemoryTerminal(), host: host, runSupervisor: { _ in 99 })
    }

    @Test(
        "go to the manager that fits the caller",
        arguments: [
            // installed for the system, for the user, active, root
            ([], [], [], true, ServiceManager.background),
            ([], [], [], false, .background),
            (units, [], [], true, .systemd(.system)),
            (units, [], [], false, .systemd(.system)),
            (units, units, [], true, .systemd(.system)),
            (units, units, [], false, .systemd(.user)),
            (units, units, ["ccr.socket"], false, .systemd(.system)),
            (units, units, ["ccr.socket", "ccr.service --user"], false, .systemd(.user)),
            ([], units, [], true, .background),
            ([], units, [], false, .systemd(.user)),
        ] as [([String], [String], [String], Bool, ServiceManager)])
    func manager(
        system: [String], user: [String], active: [String], isRoot: Bool, expected: ServiceManager
    ) throws {
        let host = Self.host(system: system, user: user, active: active)
        let survey = ServiceSurvey(Self.context(host, isRoot: isRoot))
        #expect(try survey.manager(wanted: nil) == expected)
    }

    @Test("are ccr's own where systemd is not the init system, whatever is installed")
    func notBooted() throws {
        let host = Self.host(system: Self.units)
        host.paths["/run/systemd/system"] = nil
        let survey = ServiceSurvey(Self.context(host, isRoot: true))
        #expect(try survey.manager(wanted: nil) == .background)
        #expect(throws: UsageError.self) { try survey.manager(wanted: .system) }
    }

    @Test("refuse the units that somebody asks for and that are not there")
    func notInstalled() throws {
        let survey = ServiceSurvey(Self.context(Self.host(system: Self.units), isRoot: false))
        #expect(try survey.manager(wanted: .system) == .systemd(.system))
        #expect(throws: UsageError.self) { try survey.manager(wanted: .user) }
    }

    private func run(_ words: String..., host: MemoryHost) -> Outcome {
        ccr(words, environment: Self.environment, host: host)
    }

    @Test(
        "call systemctl with exactly these words",
        arguments: [
            ("start", "systemctl --user start ccr.socket ccr-metrics.socket ccr.service"),
            ("stop", "systemctl --user stop ccr.socket ccr-metrics.socket ccr.service"),
            ("restart", "systemctl --user restart ccr.service"),
            ("reload", "systemctl --user reload ccr.service"),
            ("enable", "systemctl --user enable ccr.socket ccr-metrics.socket ccr.service"),
            ("disable", "systemctl --user disable ccr.socket ccr-metrics.socket ccr.service"),
        ])
    func systemctl(verb: String, words: String) {
        let host = Self.host(user: Self.units)
        let outcome = run(verb, "--user", host: host)
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("ccr.service of the user"))
        #expect(host.performed == [words])
    }

    @Test("show the end of the log behind a failure", arguments: ["start", "restart", "reload"])
    func failure(verb: String) {
        let host = Self.host(user: Self.units)
        host.statusOfPrograms = 3
        let outcome = run(verb, "--user", host: host)
        #expect(outcome.status == 1)
        #expect(outcome.output.isEmpty)
        #expect(
            host.performed.last
                == "journalctl --quiet --no-pager --output=cat --lines=15 _SYSTEMD_INVOCATION_ID=b8a1 "
                + "+ USER_INVOCATION_ID=b8a1")
        host.answers = [:]
        #expect(run(verb, "--user", host: host).status == 1)
        #expect(host.performed.last?.hasSuffix("--lines=15 --user-unit=ccr.service") == true)
    }

    @Test("become the program that shows logs")
    func logs() {
        let host = Self.host(user: Self.units)
        _ = run("logs", "--user", "-f", "-n", "7", host: host)
        #expect(host.became == "journalctl --quiet --no-pager --user-unit=ccr.service --lines=7 --follow")
        let plain = MemoryHost()
        #expect(run("logs", host: plain).complaints.contains("there is no log"))
        plain.has("/nonexistent/.local/state/ccr/ccr.log")
        let outcome = run("logs", "--follow", host: plain)
        #expect(plain.became == "tail -n 50 -F -- /nonexistent/.local/state/ccr/ccr.log")
        #expect(outcome.status == 1)
        #expect(outcome.complaints.contains("tail: execvp: No such file or directory"))
    }

    @Test(
        "refuse what does not fit",
        arguments: [
            (["start", "--user", "--system"], "--user and --system exclude each other"),
            (["start", "--user", "--port", "80"], "--port has no place here"),
            (["logs", "-n", "-1"], "--lines is “-1”"),
            (["start", "now"], "unexpected argument “now”"),
        ])
    func refusals(words: [String], message: String) {
        let host = Self.host(user: Self.units)
        let outcome = ccr(words, environment: Self.environment, host: host)
        #expect(outcome.status == 2)
        #expect(outcome.complaints.contains(message), "\(outcome.complaints)")
        #expect(host.performed.isEmpty)
    }

    @Test("say that nothing starts programs where there is no systemd", arguments: ["enable", "disable"])
    func noSystemd(verb: String) {
        let outcome = run(verb, host: MemoryHost())
        #expect(outcome.status == 1)
        #expect(outcome.complaints.contains("no systemd with ccr.service"))
    }

    @Test("tell who manages the gateway")
    func keeper() {
        let host = Self.host(user: Self.units, active: ["ccr.service --user"])
        let keeper = Keeper(Self.context(host, isRoot: false))
        #expect(
            keeper.lines == [
                "managed by systemd (user): ccr.service active, running, enabled; "
                    + "ccr.socket inactive, dead, enabled"
            ])
        #expect(Keeper(Self.context(MemoryHost(), isRoot: false)) == .nobody)
    }
}

@Suite("The pid file")
struct PidFileTests {
    private static let record = PidRecord(
        pid: 4711, boot: "3e238fd8-f541-4530-bfa7-2799ed7acc12", startTicks: 265_042,
        arguments: ["--config", "/home/a b/c.json"])

    @Test("begins with the process id and is read as it was written")
    func roundTrip() {
        #expect(Self.record.text.hasPrefix("4711\n"))
        #expect(PidRecord(Self.record.text) == Self.record)
    }

    @Test(
        "of another form counts as none",
        arguments: [
            "", "4711", "4711\n", "4711\nboot\n", "x\nboot\n1\n", "4711\nboot\nx\n", "1\nboot\n1\n",
            "4711\nboot\n1",
        ])
    func otherForms(text: String) {
        #expect(PidRecord(text) == nil)
    }

    @Test("names one process: another boot, another start or another id do not count")
    func identity() throws {
        let ticks = try #require(ProcessFacts.startTicks(of: getpid()))
        let own = PidRecord(pid: getpid(), boot: ProcessFacts.boot, startTicks: ticks, arguments: [])
        #expect(HeldProcess(own)?.pid == getpid())
        let others = [
            PidRecord(pid: getpid(), boot: "another", startTicks: ticks, arguments: []),
            PidRecord(pid: getpid(), boot: own.boot, startTicks: ticks + 1, arguments: []),
            PidRecord(pid: 1, boot: own.boot, startTicks: ticks, arguments: []),
        ]
        for other in others { #expect(HeldProcess(other)?.pid == nil) }
    }

    @Test(
        "finds the start of a process whatever its name is",
        arguments: [
            ("7 (a b) ) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 1234 5 6", 1_234),
            ("7 (ccr) Z 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 1234 5 6", nil),
            ("7 (ccr) S 1 7", nil), ("", nil),
        ] as [(String, UInt64?)])
    func startTicks(text: String, expected: UInt64?) {
        #expect(ProcessFacts.startTicks(in: text) == expected)
    }

    @Test("lies where the user's state is")
    func place() {
        #expect(Background(environment: ["HOME": "/h"]).pidPath == "/h/.local/state/ccr/ccr.pid")
        #expect(Background(environment: ["HOME": "/h", "XDG_STATE_HOME": "/s"]).logPath == "/s/ccr/ccr.log")
        #expect(
            Background(environment: ["HOME": "/h", "XDG_STATE_HOME": "s"]).directory == "/h/.local/state/ccr")
        #expect(Background(environment: [:]).directory == "/var/lib/ccr")
    }

    @Test("hands no variable of a service manager on to what is started")
    func environment() {
        let cleaned = Background.cleaned([
            "NOTIFY_SOCKET": "@x", "JOURNAL_STREAM": "1:2", "OPENAI_API_KEY": "k",
        ])
        #expect(cleaned == ["OPENAI_API_KEY": "k"])
    }
}
