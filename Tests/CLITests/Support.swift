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

    var hasColor: Bool { false }

    func progress(_ text: String) {}
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

/// A machine in memory; unless told otherwise it has nothing installed and no systemd.
final class MemoryHost: Host {
    /// Paths that exist; those that end in "/" are directories.
    var paths: [String: FileFacts] = [:]
    /// What programs print, by their words.
    var answers: [String: ProgramResult] = [:]
    /// Addresses that nothing can be connected to, and why.
    var unreachable: [String: String] = [:]
    var statusOfPrograms: Int32 = 0
    var portError: Errno?
    var holder: String?
    var kernel = KernelFacts(
        release: "6.1.0", hasSeccomp: true, landlockABI: 2, hasMemfd: true, hasPidfd: true)
    var fileLimits: (soft: UInt64, hard: UInt64) = (524_288, 524_288)
    var realtime: Int64 = 1_800_000_000
    var isEverythingWritable = true
    /// The programs that were run with the own streams, in order.
    private(set) var performed: [String] = []
    /// The program that ccr became.
    private(set) var became: String?

    func has(_ path: String, mode: UInt32 = 0o644, size: Int64 = 1) {
        let isDirectory = path.hasSuffix("/")
        paths[isDirectory ? String(path.dropLast()) : path] = FileFacts(
            mode: isDirectory ? 0o755 : mode, isDirectory: isDirectory, size: size)
    }

    func query(_ arguments: [String], timeoutMs: Int) -> ProgramResult? {
        answers[arguments.joined(separator: " ")]
    }

    func perform(_ arguments: [String]) -> Int32 {
        performed.append(arguments.joined(separator: " "))
        return statusOfPrograms
    }

    func become(_ arguments: [String]) -> Errno {
        became = arguments.joined(separator: " ")
        return Errno("execvp", code: ENOENT)
    }

    func facts(_ path: String) -> FileFacts? { paths[path] }
    func isWritable(_ path: String) -> Bool { paths[path] != nil && isEverythingWritable }
    func connect(_ address: String, port: UInt16, timeoutMs: Int) -> String? {
        unreachable["\(address):\(port)"]
    }
    func bindError(_ address: ListenAddress) -> Errno? { portError }
    func portHolder(_ port: UInt16) -> String? { holder }
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
    files: [String: String] = [:], host: MemoryHost = MemoryHost(),
    isRoot: Bool = geteuid() == 0,
    supervisor: @escaping (RunOptions) -> Int32 = { _ in 99 }
) -> Outcome {
    let terminal = MemoryTerminal(input: input)
    let status = CommandLineTool.run(
        arguments, environment: environment, files: MemoryFiles(contents: files), terminal: terminal,
        host: host, isRoot: isRoot, runSupervisor: supervisor)
    return Outcome(status: status, output: terminal.output, complaints: terminal.complaints)
}
