// SPDX-License-Identifier: Apache-2.0
// What is logged, and how it looks on standard error. Tests that set the environment are processes of their own.

import Glibc
import Journal
import Testing

@Suite("Log kinds and levels") struct LogTableTests {
    @Test("Every kind has a message id of its own: 128 bits in small hexadecimal digits")
    func messageIDs() {
        let ids = LogKind.allCases.map(\.messageID)
        #expect(Set(ids).count == ids.count)
        for id in ids {
            #expect(id.utf8.count == 32)
            #expect(id.allSatisfy { "0123456789abcdef".contains($0) })
        }
    }

    @Test("Levels are syslog's priorities and ordered by gravity")
    func levels() {
        #expect(LogLevel.allCases.map(\.rawValue) == [3, 4, 5, 6, 7])
        #expect(LogLevel.allCases.map(\.name) == ["error", "warning", "notice", "info", "debug"])
        #expect(LogLevel.error < .warning)
        #expect(LogLevel.allCases.sorted() == LogLevel.allCases)
    }

    @Test("A threshold lets graver events through and no others", arguments: LogLevel.allCases)
    func threshold(level: LogLevel) {
        let journal = Journal(role: "t", threshold: level)
        #expect(LogLevel.allCases.filter(journal.isEnabled) == LogLevel.allCases.filter { $0 <= level })
    }
}

@Suite("Log lines", .timeLimit(.minutes(1))) struct LogLineTests {
    private func lines(_ result: ExitTest.Result?) throws -> [String] {
        let output = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        return output.split(separator: "\n").map(String.init)
    }

    /// A line without its time, which is checked.
    private func rest(_ line: String?) throws -> String {
        let line = try #require(line)
        #expect(
            try line.prefix(13).wholeMatch(of: Regex("[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3} ")) != nil)
        return String(line.dropFirst(13))
    }

    @Test(
        "The lines of a turn are written at its end, in order, and sooner only with a grave one or when they are many"
    )
    func turn() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            let journal = Journal(role: "t", threshold: .info)
            journal.keepsLines = true
            for text in ["one", "two"] { journal.log(.info, .requestFinished, text) }
            write(2, "-\n", 2)
            journal.flush()
            write(2, "-\n", 2)
            journal.log(.info, .requestFinished, "three")
            journal.log(.warning, .limitReached, "four")
            write(2, "-\n", 2)
            for text in ["five", String(repeating: "x", count: 5000)] {
                journal.log(.info, .requestFinished, text)
            }
            write(2, "-\n", 2)
            journal.flush()
        }
        let ends = try lines(result).map { $0.split(separator: " ").last.map { $0.prefix(5) } }
        #expect(ends == ["-", "one", "two", "-", "three", "four", "-", "five", "-", "xxxxx"])
    }

    @Test("A line holds time, level, role, provider, message and fields")
    func format() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            Journal(role: "worker", provider: "openai", threshold: .info).log(
                .warning, .candidateFailed, "answered 429",
                [LogField("CCR_REQUEST_ID", "req_1"), LogField("CCR_UPSTREAM_STATUS", 429)])
            Journal(role: "front", threshold: .info).log(.info, .processReady, "ready")
            Journal(role: "front", threshold: .info).log(.debug, .processReady, "too much")
        }
        let lines = try lines(result)
        #expect(lines.count == 2)
        #expect(
            try rest(lines.first)
                == "warning worker[openai]: answered 429 CCR_REQUEST_ID=req_1 CCR_UPSTREAM_STATUS=429")
        #expect(try rest(lines.last) == "info front: ready")
    }

    @Test("Text from outside can neither begin a line of its own nor steer a terminal")
    func injection() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            let text = "a\n00:00:00.000 error front: forged\r\u{1B}[2Jb\u{0}c\td"
            Journal(role: "front", threshold: .info).log(
                .info, .clientRefused, text, [LogField("CCR_PATH", text), LogField("CCR_OTHER", "grüße")])
        }
        let lines = try lines(result)
        #expect(lines.count == 1)
        let shown = "a 00:00:00.000 error front: forged  [2Jb c d"
        #expect(try rest(lines.first) == "info front: \(shown) CCR_PATH=\(shown) CCR_OTHER=grüße")
    }

    @Test(
        "CCR_LOG chooses the least grave level; a word it does not know means info",
        arguments: [
            ("error", 1), ("warning", 2), ("notice", 3), ("info", 4), ("debug", 5), ("DEBUG", 4), ("", 4),
            ("trace", 4),
        ])
    func fromEnvironment(value: String, count: Int) async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            [value] in
            setenv("CCR_LOG", value, 1)
            let journal = Journal(role: "front")
            for level in LogLevel.allCases { journal.log(level, .processReady, "x") }
        }
        #expect(try lines(result).count == count)
    }

    @Test("Without CCR_LOG the level is info")
    func withoutEnvironment() async throws {
        await #expect(processExitsWith: .exitCode(6)) {
            unsetenv("CCR_LOG")
            exit(Journal.levelFromEnvironment().rawValue)
        }
    }

    @Test("When standard error is the journal's stream, events go to the journal and not there")
    func journalStream() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            var status = stat()
            fstat(2, &status)
            setenv("JOURNAL_STREAM", "\(status.st_dev):\(status.st_ino)", 1)
            Journal(role: "front", threshold: .info).log(.info, .processReady, "to the journal")
            setenv("JOURNAL_STREAM", "\(status.st_dev):\(status.st_ino + 1)", 1)
            Journal(role: "front", threshold: .info).log(.info, .processReady, "to the terminal")
        }
        let lines = try lines(result)
        #expect(try lines.map(rest) == ["info front: to the terminal"])
    }
}
