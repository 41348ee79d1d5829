// SPDX-License-Identifier: Apache-2.0
// A process shuts itself in once it has started: no new privileges, Landlock for files and ports, seccomp for system
// calls. What it was not given by its rights fails with EPERM or EACCES from then on, whoever asks for it.

import CLinux
import Glibc
package import Posix

package enum Sandbox {
    /// What this kernel cannot enforce, in words for people.
    package static var gaps: [String] {
        var list: [String] = []
        if !ccr_has_seccomp() { list.append("no filter of system calls (seccomp)") }
        if Landlock.version == 0 { list.append("no rules for files (Landlock)") }
        return list
    }

    /// Takes everything from the calling process but its rights and the descriptors it holds. To be called before
    /// it has read a byte from outside.
    ///
    /// - Returns: what failed though the kernel offers it; the rest is enforced all the same.
    package static func enter(_ rights: Rights, stateDirectory: String) -> [Errno] {
        // The zone's file is out of reach from now on.
        tzset()
        var failures: [Errno] = []
        func attempt(_ step: () throws(Errno) -> Void) {
            do { try step() } catch { failures.append(error) }
        }
        attempt(forbidNewPrivileges)
        if Landlock.version > 0 {
            attempt { () throws(Errno) in try Landlock.enter(rights, stateDirectory: stateDirectory) }
        }
        if ccr_has_seccomp() {
            attempt { () throws(Errno) in try filter(for: rights.abilities).load() }
        }
        return failures
    }

    /// Gives up what no part of ccr ever needs, for this process and all that it starts. The supervisor's share: it
    /// must start programs, bind sockets and read files that only the configuration names.
    package static func giveUpNeverNeeded() throws(Errno) {
        try forbidNewPrivileges()
        guard ccr_has_seccomp() else { return }
        let filter = try CallFilter(otherwise: .allow)
        for name in SystemCalls.neverNeeded { try filter.add(CallRule(name), .fail(EPERM)) }
        try filter.load()
    }

    private static func forbidNewPrivileges() throws(Errno) {
        guard ccr_forbid_new_privileges() == 0 else { throw Errno("prctl") }
    }

    private static func filter(for abilities: Set<Ability>) throws(Errno) -> CallFilter {
        let filter = try CallFilter(otherwise: .report)
        for name in SystemCalls.base { try filter.add(CallRule(name)) }
        for rule in SystemCalls.conditional(pid: getpid()) { try filter.add(rule) }
        for ability in abilities {
            for rule in SystemCalls.rules(of: ability) { try filter.add(rule) }
        }
        for (rule, error) in SystemCalls.refusedQuietly(abilities) { try filter.add(rule, .fail(error)) }
        return filter
    }

    // MARK: - Refusals

    /// A descriptor that is readable after the first refusal of each system call. To be asked for before `enter`;
    /// it belongs to the process for good.
    package static func watchRefusals() throws(Errno) -> Int32 {
        let descriptor = ccr_watch_refusals()
        guard descriptor >= 0 else { throw Errno("sigaction") }
        return descriptor
    }

    /// Makes that descriptor unreadable again, until a call is refused that never was before.
    package static func acknowledgeRefusals() { ccr_acknowledge_refusals() }

    /// The names of the system calls that were refused so far.
    package static func refusedCalls() -> [String] {
        var names: [String] = []
        var number = ccr_next_refusal(-1)
        while number >= 0 {
            names.append(CallFilter.name(of: number))
            number = ccr_next_refusal(number)
        }
        return names
    }
}
