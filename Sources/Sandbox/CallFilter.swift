// SPDX-License-Identifier: Apache-2.0
// A filter of system calls, built and loaded by libseccomp.
// Source: seccomp(2), seccomp_init(3), seccomp_rule_add(3), seccomp_attr_set(3).

import CLinux
import CSeccomp
import Glibc
import Posix

/// A filter until it is loaded.
final class CallFilter {
    private let context: UnsafeMutableRawPointer

    /// What happens to a call that no rule names, or that a rule names.
    enum Action {
        case allow
        /// The call fails with EPERM and is reported (`ccr_watch_refusals`).
        case report
        /// The call fails with this error.
        case fail(Int32)

        fileprivate var number: UInt32 {
            switch self {
            case .allow: 0x7FFF_0000
            case .report: 0x0003_0000
            // SCMP_ACT_ERRNO.
            case .fail(let code): 0x0005_0000 | UInt32(code) & 0xFFFF
            }
        }
    }

    init(otherwise action: Action) throws(Errno) {
        guard let context = seccomp_init(action.number) else { throw Errno("seccomp_init", code: ENOMEM) }
        self.context = context
        // Calls of another architecture or of the x32 interface have other numbers: nothing of ccr makes them.
        try check(seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, 0x8000_0000), "seccomp_attr_set")
        try check(seccomp_attr_set(context, SCMP_FLTATR_CTL_TSYNC, 1), "seccomp_attr_set")
    }

    deinit {
        seccomp_release(context)
    }

    /// Adds a rule; a call that this architecture does not have is left out.
    func add(_ rule: CallRule, _ action: Action = .allow) throws(Errno) {
        let number = seccomp_syscall_resolve_name(rule.name)
        guard number >= 0 else { return }
        let tests = rule.tests.map {
            scmp_arg_cmp(arg: $0.index, op: SCMP_CMP_MASKED_EQ, datum_a: $0.mask, datum_b: $0.value)
        }
        try check(
            seccomp_rule_add_array(context, action.number, number, UInt32(tests.count), tests),
            "seccomp_rule_add")
    }

    /// Enforces the filter on every thread of the process.
    func load() throws(Errno) {
        try check(seccomp_load(context), "seccomp_load")
    }

    private func check(_ result: Int32, _ call: String) throws(Errno) {
        guard result == 0 else { throw Errno(call, code: -result) }
    }

    /// The name of a system call's number.
    static func name(of number: Int32) -> String {
        // SCMP_ARCH_NATIVE is 0.
        guard let text = seccomp_syscall_resolve_num_arch(0, number) else { return "number \(number)" }
        defer { free(text) }
        return String(cString: text)
    }
}
