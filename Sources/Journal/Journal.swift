// SPDX-License-Identifier: Apache-2.0
// Structured logging: journal fields under journald, readable lines on standard error otherwise.
// Libraries do not log; a process logs each event once. Never a body, a token or a header value.
// Source: sd_journal_sendv(3), systemd.journal-fields(7), systemd.exec(5) "JOURNAL_STREAM".

import CLinux
import CSystemd
import Glibc

/// How grave an event is; raw values are syslog priorities.
package enum LogLevel: Int32, CaseIterable, Comparable, Sendable {
    case error = 3
    case warning = 4
    case notice = 5
    case info = 6
    case debug = 7

    /// The value of CCR_LOG that selects it.
    package var name: String {
        switch self {
        case .error: "error"
        case .warning: "warning"
        case .notice: "notice"
        case .info: "info"
        case .debug: "debug"
        }
    }

    package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}

/// A field of an event; names are CCR_… as listed in docs/logging.md.
package struct LogField {
    let name: StaticString
    let value: String

    package init(_ name: StaticString, _ value: String) {
        self.name = name
        self.value = value
    }

    package init(_ name: StaticString, _ value: some BinaryInteger) {
        self.init(name, String(value))
    }
}

/// A process's log.
package final class Journal {
    private let role: String
    private let provider: String
    private let threshold: LogLevel
    private let toJournal: Bool

    /// `threshold` is the least grave level that is written, CCR_LOG's by default.
    package init(role: String, provider: String = "", threshold: LogLevel = Journal.levelFromEnvironment()) {
        self.role = role
        self.provider = provider
        self.threshold = threshold
        self.toJournal = Journal.standardErrorIsJournal()
    }

    /// Whether events of this level are written; ask before building costly fields.
    @inline(__always)
    package func isEnabled(_ level: LogLevel) -> Bool { level <= threshold }

    /// Writes one event. `message` is one line for people.
    package func log(_ level: LogLevel, _ kind: LogKind, _ message: String, _ fields: [LogField] = []) {
        guard isEnabled(level) else { return }
        if toJournal {
            send(level, kind, message, fields)
        } else {
            print(level, kind, message, fields)
        }
    }

    /// The level named by CCR_LOG, else info.
    package static func levelFromEnvironment() -> LogLevel {
        guard let value = getenv("CCR_LOG") else { return .info }
        let name = String(cString: value)
        return LogLevel.allCases.first { $0.name == name } ?? .info
    }

    /// JOURNAL_STREAM names the device and inode of the stream that systemd connected to the journal.
    private static func standardErrorIsJournal() -> Bool {
        guard let value = getenv("JOURNAL_STREAM") else { return false }
        var status = stat()
        guard fstat(2, &status) == 0 else { return false }
        return String(cString: value) == "\(status.st_dev):\(status.st_ino)"
    }

    private func send(_ level: LogLevel, _ kind: LogKind, _ message: String, _ fields: [LogField]) {
        var lines = [
            "MESSAGE=\(message)", "PRIORITY=\(level.rawValue)", "MESSAGE_ID=\(kind.messageID)",
            "SYSLOG_IDENTIFIER=ccr", "CCR_ROLE=\(role)",
        ]
        if !provider.isEmpty { lines.append("CCR_PROVIDER=\(provider)") }
        for field in fields { lines.append("\(field.name)=\(field.value)") }
        let texts = lines.map { strdup($0) }
        defer { for text in texts { free(text) } }
        let parts = texts.map { iovec(iov_base: $0, iov_len: $0.map { strlen($0) } ?? 0) }
        // A journal that does not take the entry must not stop the service, and there is nobody else to tell.
        _ = sd_journal_sendv(parts, Int32(parts.count))
    }

    private func print(_ level: LogLevel, _ kind: LogKind, _ message: String, _ fields: [LogField]) {
        var line = "\(Journal.timeOfDay()) \(level.name) \(role)"
        if !provider.isEmpty { line += "[\(provider)]" }
        line += ": \(message)"
        for field in fields { line += " \(field.name)=\(field.value)" }
        line += "\n"
        line.withUTF8 { bytes in
            // One write, so that lines of several processes do not mix; a closed standard error is no fault.
            _ = write(2, bytes.baseAddress, bytes.count)
        }
    }

    /// "13:04:05.123" in local time.
    private static func timeOfDay() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        localtime_r(&now.tv_sec, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let milliseconds = now.tv_nsec / 1_000_000
        let padding = milliseconds < 10 ? "00" : milliseconds < 100 ? "0" : ""
        return "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(padding)\(milliseconds)"
    }
}
