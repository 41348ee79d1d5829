// SPDX-License-Identifier: Apache-2.0
// The channels from front to the processes that answer: what each one holds, and which is the least busy.

import EventLoop
import Gateway
import IPC
import Posix
import Runtime

/// A channel to one worker process.
final class WorkerLink {
    let providerIndex: Int
    let workerIndex: Int
    var channel: MessageChannel?
    /// The answers that the worker has begun and not told of.
    let commits: CommitLog
    /// Handed-over requests by tag.
    var requests: [UInt64: ClientRequest] = [:]

    init(providerIndex: Int, workerIndex: Int) throws(Errno) {
        commits = try CommitLog()
        self.providerIndex = providerIndex
        self.workerIndex = workerIndex
    }

    /// Whether the worker may be given requests.
    var takesMessages: Bool { channel?.takesMessages == true }
}

/// All channels to workers, by provider.
struct WorkerLinks {
    private var byProvider: [[WorkerLink]]

    init(providerCount: Int) {
        byProvider = Array(repeating: [], count: providerCount)
    }

    /// Reads "worker-PROVIDER-INDEX".
    static func parse(_ name: String) -> (provider: Int, worker: Int)? {
        let parts = name.split(separator: "-")
        guard parts.count == 3, parts[0] == "worker", let provider = Int(parts[1]), let worker = Int(parts[2])
        else { return nil }
        return (provider, worker)
    }

    mutating func add(_ link: WorkerLink) {
        byProvider[link.providerIndex].append(link)
    }

    mutating func remove(_ link: WorkerLink) {
        byProvider[link.providerIndex].removeAll { $0 === link }
    }

    /// The running worker of a provider that holds the fewest requests, or nil when none runs.
    func leastBusy(_ provider: Int) -> WorkerLink? {
        byProvider[provider].lazy.filter(\.takesMessages).min { $0.requests.count < $1.requests.count }
    }
}
