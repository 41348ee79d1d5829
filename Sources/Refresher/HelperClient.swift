// SPDX-License-Identifier: Apache-2.0
// The refresher's end of the channel to the helper process, which starts the programs that print tokens.

import Credentials
import EventLoop
import Glibc
import IPC
import Posix

final class HelperClient {
    private var channel: MessageChannel?
    private let process: ChildProcess
    private var watch: EventLoop.Watch?
    private let numbers: [String: UInt32]
    private var waiting: [UInt32: (HelperAnswer) -> Void] = [:]

    /// Starts the helper process; nil when no credential has a program. To be called before the sandbox is entered.
    ///
    /// - Parameters:
    ///   - vault: the directory that no program sees into.
    ///   - onEnd: the helper process has ended, which it never should.
    init?(
        _ specs: [CredentialSpec], _ loop: EventLoop, hiding vault: String, onEnd: @escaping () -> Void
    ) throws(Errno) {
        let specs = specs.filter { !$0.command.isEmpty }
        guard !specs.isEmpty else { return nil }
        numbers = Dictionary(uniqueKeysWithValues: specs.enumerated().map { ($1.name, UInt32($0)) })
        var mine: FileDescriptor?
        var theirs: FileDescriptor?
        try MessageSocket.pair().split { first, second in
            mine = consume first
            theirs = consume second
        }
        guard let mine = mine.take(), let theirs = theirs.take() else { fatalError("a pair without ends") }
        process = try ChildProcess.spawn(
            path: "/proc/self/exe", arguments: ["ccr-upstream", HelperLauncher.word, vault], environment: [],
            descriptors: [theirs.raw])
        watch = try loop.watch(process.raw, .readable) { [unowned self] _ in
            self.watch?.cancel()
            onEnd()
        }
        channel = try MessageChannel(
            loop, mine, onMessage: { [unowned self] bytes, _ in self.receive(bytes) }, onClose: {})
        var writer = WireWriter()
        MessageHead.begin(.refresherCommands, in: &writer)
        writer.put(list: specs.map { Self.command($0) }) { $0.put($1) }
        channel?.send(writer.bytes)
    }

    deinit { watch?.cancel() }

    private static func command(_ spec: CredentialSpec) -> HelperCommand {
        var environment = ["PATH=/usr/local/bin:/usr/bin:/bin"]
        for name in ["HOME", "LANG"] + spec.commandEnvironment {
            if let value = getenv(name) { environment.append("\(name)=\(String(cString: value))") }
        }
        return HelperCommand(
            words: spec.command, environment: environment,
            timeoutMsec: UInt32(spec.integer("command_timeout") ?? 30) * 1000)
    }

    /// Runs a credential's program; one run of each at a time.
    func run(_ credential: String, done: @escaping (HelperAnswer) -> Void) {
        guard let number = numbers[credential] else { fatalError("no program of \(credential)") }
        waiting[number] = done
        var writer = WireWriter()
        MessageHead.begin(.refresherRun, in: &writer)
        writer.put(number)
        channel?.send(writer.bytes)
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) {
        var reader = WireReader(bytes)
        do {
            let kind = try MessageHead.kind(&reader)
            guard kind == .helperAnswer else { throw WireError.invalidValue("\(kind) from the helper") }
            let number: UInt32 = try reader.get()
            let answer: HelperAnswer = try reader.get()
            try reader.end()
            waiting.removeValue(forKey: number)?(answer)
        } catch {
            fatalError("message from the helper process: \(error)")
        }
    }
}
