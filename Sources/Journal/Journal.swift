// SPDX-License-Identifier: Apache-2.0
// Structured logging: journal fields under journald, readable lines on standard error otherwise.
// Libraries do not log; a process logs each event once. Never a body, a token or a header value.
// Source: sd_journal_sendv(3), systemd.journal-fields(7), systemd.exec(5) "JOURNAL_STREAM".

import Bytes
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
    let value: Value

    enum Value {
        case text(String)
        case number(Int)
    }

    package init(_ name: StaticString, _ value: String) {
        self.name = name
        self.value = .text(value)
    }

    package init(_ name: StaticString, _ value: Int) {
        self.name = name
        self.value = .number(value)
    }

    package init(_ name: StaticString, _ value: some BinaryInteger) {
        self.init(name, Int(clamping: value))
    }

    var text: String {
        switch value {
        case .text(let text): text
        case .number(let number): String(number)
        }
    }
}

/// A process's log.
package final class Journal {
    private let role: String
    private let provider: String
    private let threshold: LogLevel
    /// Whether entries go to journald, and not to standard error.
    package let isJournald: Bool
    /// Whole lines that are not written yet.
    private var lines: [UInt8] = []
    /// Whether lines wait for `flush`, unless one of them is a notice or graver: of a process that calls it at the end of
    /// each turn of its loop, so that the lines of a turn are written with one call.
    package var keepsLines = false
    private var second = -1
    private var secondText: [UInt8] = []

    /// `threshold` is the least grave level that is written, CCR_LOG's by default.
    package init(role: String, provider: String = "", threshold: LogLevel = Journal.levelFromEnvironment()) {
        self.role = role
        self.provider = provider
        self.threshold = threshold
        self.isJournald = Journal.standardErrorIsJournal()
    }

    /// Whether events of this level are written; ask before building costly fields.
    @inline(__always)
    package func isEnabled(_ level: LogLevel) -> Bool { level <= threshold }

    /// Writes one event. `message` is one line for people.
    package func log(_ level: LogLevel, _ kind: LogKind, _ message: String, _ fields: [LogField] = []) {
        log(level, kind, fields) { $0.append(contentsOf: message.utf8) }
    }

    /// Writes one event whose line for people is appended by `message`: for what happens thousands of times a second, since
    /// a string would cost more than the rest.
    package func log(
        _ level: LogLevel, _ kind: LogKind, _ fields: [LogField], message: (inout [UInt8]) -> Void
    ) {
        guard isEnabled(level) else { return }
        if isJournald {
            var text: [UInt8] = []
            message(&text)
            send(level, kind, String(decoding: text, as: UTF8.self), fields)
        } else {
            print(level, kind, fields, message)
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
        for field in fields { lines.append("\(field.name)=\(field.text)") }
        let texts = lines.map { strdup($0) }
        defer { for text in texts { free(text) } }
        let parts = texts.map { iovec(iov_base: $0, iov_len: $0.map { strlen($0) } ?? 0) }
        // A journal that does not take the entry must not stop the service, and there is nobody else to tell.
        _ = sd_journal_sendv(parts, Int32(parts.count))
    }

    /// Lines up to this size in all are written with one call: a pipe keeps them together then (pipe(7), PIPE_BUF), so
    /// that lines of several processes do not mix.
    private static let maximumWrite = 4096

    /// Builds one line as bytes in a buffer that is kept: a busy front writes thousands of lines a second.
    private func print(
        _ level: LogLevel, _ kind: LogKind, _ fields: [LogField], _ message: (inout [UInt8]) -> Void
    ) {
        // Taken out while it is written, for each access to a property of an object is checked.
        var out: [UInt8] = []
        swap(&out, &lines)
        let start = out.count
        appendTime(to: &out)
        out.append(contentsOf: level.name.utf8)
        out.append(ASCII.space)
        out.append(contentsOf: role.utf8)
        if !provider.isEmpty {
            out.append(0x5B)
            out.append(contentsOf: provider.utf8)
            out.append(0x5D)
        }
        out.append(": ")
        Journal.appendClean(to: &out, message)
        for field in fields {
            out.append(ASCII.space)
            out.append(field.name)
            out.append(0x3D)
            switch field.value {
            case .text(let text): Journal.appendClean(to: &out) { $0.append(contentsOf: text.utf8) }
            case .number(let number): out.append(decimal: number)
            }
        }
        out.append(ASCII.lineFeed)
        let isTooMuch = out.count > Journal.maximumWrite
        swap(&out, &lines)
        if isTooMuch { write(upTo: start) }
        if level <= .notice || !keepsLines { flush() }
    }

    /// Writes what waits.
    package func flush() {
        write(upTo: lines.count)
    }

    private func write(upTo end: Int) {
        guard end > 0 else { return }
        // A closed standard error is no fault.
        _ = lines.withUnsafeBytes { Glibc.write(2, $0.baseAddress, end) }
        if end == lines.count { lines.removeAll(keepingCapacity: true) } else { lines.removeFirst(end) }
    }

    /// Appends what `body` appends: text from elsewhere must not look like a line of its own.
    @inline(__always)
    private static func appendClean(to out: inout [UInt8], _ body: (inout [UInt8]) -> Void) {
        let start = out.count
        body(&out)
        guard out.withUnsafeBytes({ $0[start...].contains { $0 < ASCII.space } }) else { return }
        for index in start..<out.count where out[index] < ASCII.space { out[index] = ASCII.space }
    }

    /// "13:04:05.123 " in local time; hours, minutes and seconds are computed once a second.
    private func appendTime(to out: inout [UInt8]) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        if now.tv_sec != second {
            second = now.tv_sec
            var parts = tm()
            localtime_r(&now.tv_sec, &parts)
            secondText.removeAll(keepingCapacity: true)
            for value in [parts.tm_hour, parts.tm_min, parts.tm_sec] {
                secondText.append(UInt8(value / 10) + 0x30)
                secondText.append(UInt8(value % 10) + 0x30)
                secondText.append(ASCII.colon)
            }
            secondText[8] = 0x2E
        }
        out.append(contentsOf: secondText)
        let milliseconds = now.tv_nsec / 1_000_000
        for digit in [milliseconds / 100, milliseconds / 10 % 10, milliseconds % 10] {
            out.append(UInt8(digit) + 0x30)
        }
        out.append(ASCII.space)
    }
}
