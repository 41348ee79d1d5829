// SPDX-License-Identifier: Apache-2.0
import CLI
import Config
import Glibc
import Posix
import Testing

/// Keeps what a command writes and gives it what it reads.
final class MemoryTerminal: Terminal {
    private(set) var output = ""
    private(set) var complaints = ""
    private let stdin: [UInt8]

    init(input: String = "") {
        stdin = Array(input.utf8)
    }

    func print(_ text: String) { output += text + "\n" }
    func complain(_ text: String) { complaints += text + "\n" }
    func input(limit: Int) throws(Errno) -> [UInt8] { Array(stdin.prefix(limit + 1)) }
}

/// Files in memory.
struct MemoryFiles: FileSource {
    var contents: [String: String] = [:]

    func read(_ path: String, limit: Int) throws(Errno) -> [UInt8] {
        guard let text = contents[path] else { throw Errno("open", code: ENOENT) }
        return Array(text.utf8.prefix(limit + 1))
    }

    func names(in directory: String) throws(Errno) -> [String] { [] }
}

/// What one call of ccr came to.
struct Outcome {
    let status: Int32
    let output: String
    let complaints: String
}

/// Calls ccr with files in memory; the supervisor is the closure.
func ccr(
    _ arguments: [String], input: String = "", environment: [String: String] = [:],
    files: [String: String] = [:],
    supervisor: @escaping (RunOptions) -> Int32 = { _ in 99 }
) -> Outcome {
    let terminal = MemoryTerminal(input: input)
    let status = CommandLineTool.run(
        arguments, environment: environment, files: MemoryFiles(contents: files), terminal: terminal,
        runSupervisor: supervisor)
    return Outcome(status: status, output: terminal.output, complaints: terminal.complaints)
}
