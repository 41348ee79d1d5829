// SPDX-License-Identifier: Apache-2.0
// Where a command's text goes and where its input comes from: the three standard streams, or memory in tests.
// Source: write(2), read(2).

import Glibc
package import Posix

/// The streams of one command.
package protocol Terminal: AnyObject {
    /// Writes to the standard output.
    func print(_ text: String)
    /// Writes to the standard error.
    func complain(_ text: String)
    /// Shows what is being waited for on a line that the next text replaces; nothing when nobody watches.
    func progress(_ text: String)
    /// Whether the standard output shows colours.
    var hasColor: Bool { get }
    /// All of the standard input, at most `limit` + 1 bytes.
    func input(limit: Int) throws(Errno) -> [UInt8]
}

/// The process's own streams.
package final class StandardTerminal: Terminal {
    private var showsProgress = false

    package init() {}

    package func print(_ text: String) {
        clearProgress()
        write(STDOUT_FILENO, text + "\n")
    }

    package func complain(_ text: String) {
        clearProgress()
        write(STDERR_FILENO, text + "\n")
    }

    package func progress(_ text: String) {
        guard isatty(STDERR_FILENO) == 1 else { return }
        write(STDERR_FILENO, "\r\u{1B}[K" + text)
        showsProgress = true
    }

    private func clearProgress() {
        if showsProgress { write(STDERR_FILENO, "\r\u{1B}[K") }
        showsProgress = false
    }

    package var hasColor: Bool {
        let environment = OwnProcess.environment
        // https://no-color.org: any value that is not empty.
        return isatty(STDOUT_FILENO) == 1 && environment["NO_COLOR"]?.isEmpty != false
            && environment["TERM"] != "dumb"
    }

    package func input(limit: Int) throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= limit {
            let count = read(STDIN_FILENO, &chunk, min(chunk.count, limit + 1 - bytes.count))
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw Errno("read")
            }
            bytes.append(contentsOf: chunk[..<count])
        }
        return bytes
    }

    /// Writes everything; a reader that went away ("ccr help | head") ends the writing, not the program's sense.
    private func write(_ descriptor: Int32, _ text: String) {
        var text = text
        text.withUTF8 { bytes in
            var offset = 0
            while offset < bytes.count {
                let count = Glibc.write(
                    descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
                if count < 0 {
                    if errno == EINTR { continue }
                    return
                }
                offset += count
            }
        }
    }
}
