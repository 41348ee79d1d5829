// SPDX-License-Identifier: Apache-2.0
// The file that says which process `ccr start` started. A process id alone would be taken over by another process one
// day; with the boot and the moment of the start beside it, it names one process for ever.
// Source: proc(5) "/proc/pid/stat" field 22, "/proc/sys/kernel/random/boot_id"; pidfd_open(2); flock(2).

import CLinux
import Config
import Glibc
import Posix

/// A background instance as the file describes it.
struct PidRecord: Equatable {
    /// The supervisor.
    let pid: Int32
    /// The boot it was started in.
    let boot: String
    /// When it was started, in clock ticks since that boot.
    let startTicks: UInt64
    /// The words behind `ccr run` that it was started with; none holds a line break.
    let arguments: [String]

    /// The process id in the first line, as in every such file, then the rest, one item a line.
    var text: String { ([String(pid), boot, String(startTicks)] + arguments).map { $0 + "\n" }.joined() }

    init(pid: Int32, boot: String, startTicks: UInt64, arguments: [String]) {
        self.pid = pid
        self.boot = boot
        self.startTicks = startTicks
        self.arguments = arguments
    }

    /// Nil when the text is none of ours.
    init?(_ text: String) {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard lines.popLast() == "", lines.count >= 3, let pid = Int32(lines[0]), pid > 1,
            let ticks = UInt64(lines[2])
        else { return nil }
        self.init(pid: pid, boot: lines[1], startTicks: ticks, arguments: Array(lines[3...]))
    }
}

/// A process that was looked up, held by a descriptor: signals reach it and no other.
struct HeldProcess: ~Copyable {
    let pid: Int32
    private let pidfd: FileDescriptor

    /// The process of a record, or nil when it has ended.
    init?(_ record: PidRecord) {
        guard record.boot == ProcessFacts.boot else { return nil }
        let raw = ccr_pidfd_open(record.pid)
        guard raw >= 0 else { return nil }
        let held = FileDescriptor(owning: raw)
        // Looked at after it is held, so that it cannot change in between.
        guard ProcessFacts.startTicks(of: record.pid) == record.startTicks else { return nil }
        pidfd = held
        pid = record.pid
    }

    func signal(_ number: Int32) { _ = ccr_pidfd_send_signal(pidfd.raw, number) }

    /// Whether it ends within this time.
    func hasEnded(withinMs timeout: Int) -> Bool {
        var entry = pollfd(fd: pidfd.raw, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, Int32(clamping: timeout)) > 0
    }
}

enum ProcessFacts {
    /// The identity of this boot; empty when the kernel does not tell.
    static var boot: String { read("/proc/sys/kernel/random/boot_id").filter { $0 != "\n" } }

    /// When a process was started, in clock ticks since the boot, or nil when it is gone.
    static func startTicks(of pid: Int32) -> UInt64? { startTicks(in: read("/proc/\(pid)/stat")) }

    /// Field 22. The name in field 2 may hold blanks and brackets; the last bracket ends it.
    static func startTicks(in text: String) -> UInt64? {
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        // A zombie has ended, whatever its id still says.
        guard fields.count > 19, fields[0] != "Z" else { return nil }
        return UInt64(fields[19])
    }

    private static func read(_ path: String) -> String {
        // A file of /proc that is missing belongs to a process that has ended.
        String(decoding: (try? DiskFiles().read(path, limit: 4_096)) ?? [], as: UTF8.self)
    }
}

/// The file and its lock. Who starts, stops or restarts holds the lock, so that two of them do not cross.
struct PidFile: ~Copyable {
    /// How long another command may hold the lock.
    static let lockTimeoutMs = 60_000

    private let descriptor: FileDescriptor

    /// Opens the file, which is made when it is missing, and waits for its lock.
    init(locking path: String) throws(Errno) {
        let raw = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard raw >= 0 else { throw Errno("open") }
        let opened = FileDescriptor(owning: raw)
        let deadline = Clock.monotonicUsec() + UInt64(Self.lockTimeoutMs) * 1_000
        while flock(raw, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR, Clock.monotonicUsec() < deadline else {
                throw Errno("flock")
            }
            poll(nil, 0, 50)
        }
        descriptor = opened
    }

    /// What the file says, without waiting for a lock.
    static func read(_ path: String) -> PidRecord? {
        // A missing file means that nothing was started.
        (try? DiskFiles().read(path, limit: 65_536)).flatMap {
            PidRecord(String(decoding: $0, as: UTF8.self))
        }
    }

    /// Replaces the content; nil leaves an empty file, since another command may wait for its lock.
    func write(_ record: PidRecord?) throws(Errno) {
        guard ftruncate(descriptor.raw, 0) == 0 else { throw Errno("ftruncate") }
        var text = record?.text ?? ""
        let count = text.utf8.count
        let written = text.withUTF8 { pwrite(descriptor.raw, $0.baseAddress, $0.count, 0) }
        guard written == count else { throw Errno("write") }
    }
}
