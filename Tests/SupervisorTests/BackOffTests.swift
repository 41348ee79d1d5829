// SPDX-License-Identifier: Apache-2.0
// How long crashed processes wait, and what each kind of process is given.

import Gateway
import Testing

@testable import Supervisor

@Suite("Back-off") struct BackOffTests {
    @Test("The wait doubles from 50 ms and stays at 10 s")
    func doubling() {
        var backOff = BackOff()
        let waits = (0..<11).map { _ in backOff.ended(uptimeUsec: 0) }
        #expect(waits == [50, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000])
    }

    @Test(
        "Thirty seconds of uptime begin anew, less does not",
        arguments: [(29_999_999, 800), (30_000_000, 50), (.max, 50)] as [(UInt64, Int)])
    func reset(uptime: UInt64, wait: Int) {
        var backOff = BackOff()
        for _ in 0..<4 { _ = backOff.ended(uptimeUsec: 1) }
        #expect(backOff.ended(uptimeUsec: uptime) == wait)
        #expect(backOff.ended(uptimeUsec: 1) == wait * 2)
    }
}

@Suite("Process table") struct ProcessTableTests {
    @Test("Every kind of process stands in it once")
    func complete() {
        #expect(ProcessTable.entries.map(\.role.rawValue).sorted() == Role.allCases.map(\.rawValue).sorted())
        for role in Role.allCases { #expect(ProcessTable.entry(role).role == role) }
    }

    @Test("Only workers are given what decides about the network")
    func environment() {
        for entry in ProcessTable.entries {
            let network = entry.environment.filter {
                $0.lowercased().hasSuffix("_proxy") || $0.hasPrefix("SSL_")
            }
            #expect(network.isEmpty == (entry.role != .worker))
            #expect(Set(entry.environment).count == entry.environment.count)
            #expect(entry.environment.contains("CCR_LOG"))
        }
    }

    @Test("Only workers are the executable that links the network library")
    func executables() {
        #expect(ProcessTable.entries.filter { $0.executable == "ccr-upstream" }.map(\.role) == [.worker])
    }

    @Test("No process is given a variable that supervision sets itself, or one that may hold a secret")
    func secrets() {
        for name in ProcessTable.entries.flatMap(\.environment) {
            for part in ["KEY", "TOKEN", "SECRET", "LISTEN", "NOTIFY", "WATCHDOG", "SWIFT"] {
                #expect(!name.uppercased().contains(part))
            }
        }
    }
}
