// SPDX-License-Identifier: Apache-2.0
// What each kind of process is given.

import Runtime
import Testing

@Suite("Process table") struct ProcessTableTests {
    @Test("Every kind of process stands in it once")
    func complete() {
        #expect(ProcessTable.entries.map(\.role.rawValue).sorted() == Role.allCases.map(\.rawValue).sorted())
        for role in Role.allCases { #expect(ProcessTable.entry(role).role == role) }
    }

    @Test("Only workers and the refresher are given what decides about the network")
    func environment() {
        for entry in ProcessTable.entries {
            let network = entry.environment.filter {
                $0.lowercased().hasSuffix("_proxy") || $0.hasPrefix("SSL_")
            }
            #expect(network.isEmpty == ![.worker, .refresher].contains(entry.role))
            #expect(Set(entry.environment).count == entry.environment.count)
            #expect(entry.environment.contains("CCR_LOG"))
        }
    }

    @Test("Only workers and the refresher are the executable that links the network library")
    func executables() {
        #expect(
            ProcessTable.entries.filter { $0.executable == "ccr-upstream" }.map(\.role) == [
                .worker, .refresher,
            ])
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
