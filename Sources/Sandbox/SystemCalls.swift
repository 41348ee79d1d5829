// SPDX-License-Identifier: Apache-2.0
// Which system calls each ability needs, as data. Found by strace(1) of every role under load, at its start, its end
// and in a crash, and by reading what glibc, libcurl, OpenSSL, SQLite and libsystemd may call besides.
// Source: the manual page of each call; numbers of flags from the kernel's uapi headers.

import Glibc

/// A condition on one argument: `argument & mask == value`.
struct ArgumentTest: Sendable {
    let index: UInt32
    let mask: UInt64
    let value: UInt64

    init(_ index: UInt32, mask: UInt64 = .max, is value: UInt64) {
        self.index = index
        self.mask = mask
        self.value = value
    }
}

/// A call that is allowed when all of its tests hold.
struct CallRule: Sendable {
    let name: String
    let tests: [ArgumentTest]

    init(_ name: String, _ tests: ArgumentTest...) {
        self.name = name
        self.tests = tests
    }
}

enum SystemCalls {
    /// Needed by every process: memory, time, the event loop, descriptors that are open, and its own end.
    static let base: [String] = [
        "brk", "madvise", "mremap", "munmap", "membarrier",
        "clock_getres", "clock_gettime", "clock_nanosleep", "gettimeofday", "nanosleep", "time",
        "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd2", "poll",
        "ppoll",
        "pselect6", "select", "signalfd4", "timerfd_create", "timerfd_gettime", "timerfd_settime",
        "close", "close_range", "dup", "fcntl", "fstat", "lseek", "newfstatat", "pread64", "read", "readv",
        "write", "writev",
        "getpeername", "getsockname", "getsockopt", "recvfrom", "recvmsg", "sendmsg", "sendto", "setsockopt",
        "shutdown",
        "exit", "exit_group", "futex", "getegid", "geteuid", "getgid", "getpid", "getppid", "getrandom",
        "getrusage", "gettid", "getuid", "restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask",
        "rt_sigreturn", "sched_getaffinity", "sched_yield", "set_robust_list", "sigaltstack", "sysinfo",
        "uname",
    ]

    private static let executable = ArgumentTest(2, mask: 4, is: 0)

    /// Calls every process needs in one form only.
    static func conditional(pid: Int32) -> [CallRule] {
        [
            // Memory is never executable unless it was so at the start (PROT_EXEC is 4).
            CallRule("mmap", executable), CallRule("mprotect", executable),
            // sd_notify and the journal: a datagram socket of the Unix family; type without its flags.
            CallRule("socket", ArgumentTest(0, is: 1), ArgumentTest(1, mask: 0xF, is: 2)),
            // TCGETS, FIONREAD, FIONBIO.
            CallRule("ioctl", ArgumentTest(1, mask: 0xFFFF_FFFF, is: 0x5401)),
            CallRule("ioctl", ArgumentTest(1, mask: 0xFFFF_FFFF, is: 0x541B)),
            CallRule("ioctl", ArgumentTest(1, mask: 0xFFFF_FFFF, is: 0x5421)),
            // Limits may be read.
            CallRule("prlimit64", ArgumentTest(2, is: 0)),
            // abort(3).
            CallRule("tgkill", ArgumentTest(0, mask: 0xFFFF_FFFF, is: UInt64(UInt32(bitPattern: pid)))),
        ]
    }

    /// Flags of open(2) that write or make a file: O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_TMPFILE without O_DIRECTORY.
    private static let writingFlags: UInt64 = 0x1 | 0x2 | 0x40 | 0x200 | 0x40_0000

    /// O_RDWR, O_CREAT, O_NOFOLLOW, O_CLOEXEC; O_LARGEFILE does not count.
    private static let sqliteLogFlags: UInt64 = 0x2 | 0x40 | 0x2_0000 | 0x8_0000

    private static let lookups = [
        "access", "faccessat", "faccessat2", "fstatfs", "getcwd", "getdents64", "lstat", "readlink",
        "readlinkat",
        "stat", "statfs", "statx",
    ]

    static func rules(of ability: Ability) -> [CallRule] {
        switch ability {
        case .accept: [CallRule("accept4")]
        case .listen: ["bind", "listen"].map { CallRule($0) }
        case .connect:
            ["connect", "recvmmsg", "sendmmsg"].map { CallRule($0) }
                // TCP and UDP over IPv4 and IPv6.
                + [2, 10].flatMap { family in
                    [1, 2].map { type in
                        CallRule("socket", ArgumentTest(0, is: family), ArgumentTest(1, mask: 0xF, is: type))
                    }
                }
                // A Unix stream to nscd or systemd-resolved; which addresses this machine has, by netlink's routing
                // protocol.
                + [
                    CallRule("socket", ArgumentTest(0, is: 1), ArgumentTest(1, mask: 0xF, is: 1)),
                    CallRule("socket", ArgumentTest(0, is: 16), ArgumentTest(2, is: 0)),
                ]
        case .startThreads:
            [
                // CLONE_THREAD; a new process does not have it.
                CallRule("clone", ArgumentTest(0, mask: 0x1_0000, is: 0x1_0000)),
                // By a pair of Unix sockets libcurl's resolver threads wake the loop.
                CallRule("socketpair", ArgumentTest(0, is: 1)),
            ]
        // PROT_READ | PROT_EXEC without MAP_ANONYMOUS.
        case .loadLibraries: [CallRule("mmap", ArgumentTest(2, is: 5), ArgumentTest(3, mask: 0x20, is: 0))]
        case .shareMemory: ["ftruncate", "memfd_create"].map { CallRule($0) }
        case .readFiles:
            lookups.map { CallRule($0) } + [
                CallRule("open", ArgumentTest(1, mask: writingFlags, is: 0)),
                CallRule("openat", ArgumentTest(2, mask: writingFlags, is: 0)),
            ]
        case .writeFiles:
            (lookups + [
                "fallocate", "fchmod", "fchown", "fdatasync", "flock", "fsync", "ftruncate", "open", "openat",
                "pwrite64", "rename", "renameat", "renameat2", "unlink", "unlinkat",
            ]).map { CallRule($0) }
        }
    }

    /// Calls that fail without a report, each with the error that its caller knows how to take. New processes and
    /// threads are among them because glibc blocks every signal while it makes one, the report's included.
    static func refusedQuietly(_ abilities: Set<Ability>) -> [(rule: CallRule, error: Int32)] {
        var list = [(CallRule("fork"), EPERM), (CallRule("vfork"), EPERM)]
        if abilities.contains(.startThreads) {
            // The flags of clone3 are in memory, where a filter cannot look; glibc goes on with clone.
            list.append((CallRule("clone3"), ENOSYS))
            list.append((CallRule("clone", ArgumentTest(0, mask: 0x1_0000, is: 0)), EPERM))
        } else {
            list += [(CallRule("clone3"), EPERM), (CallRule("clone"), EPERM)]
        }
        // glibc binds its netlink socket before it asks for addresses, and does without (getaddrinfo(3)).
        if abilities.contains(.connect), !abilities.contains(.listen) {
            list.append((CallRule("bind"), EPERM))
        }
        // SQLite asks for its log in this form even of a database that it only reads, and goes on reading when it may not
        // write; as root it also wants to give the log's index to the owner of the database (os_unix.c).
        if abilities.contains(.readFiles), !abilities.contains(.writeFiles) {
            list += [
                (CallRule("openat", ArgumentTest(2, mask: 0xFFFF_7FFF, is: sqliteLogFlags)), EACCES),
                (CallRule("fchown"), EPERM),
            ]
        }
        return list
    }

    /// What nothing in ccr does, and the supervisor gives up for itself and all that it starts: other processes'
    /// memory, the kernel's own workings, mounts, namespaces, users, keys, and interfaces known for their bugs.
    static let neverNeeded: [String] = [
        "acct", "add_key", "adjtimex", "bpf", "chroot", "clock_adjtime", "clock_settime", "delete_module",
        "finit_module", "fsconfig", "fsmount", "fsopen", "fspick", "get_kernel_syms", "init_module",
        "io_uring_enter", "io_uring_register", "io_uring_setup", "ioperm", "iopl", "kcmp", "kexec_file_load",
        "kexec_load", "keyctl", "lookup_dcookie", "mbind", "migrate_pages", "mount", "mount_setattr",
        "move_mount",
        "move_pages", "name_to_handle_at", "nfsservctl", "open_by_handle_at", "open_tree", "perf_event_open",
        "personality", "pivot_root", "pidfd_getfd", "process_madvise", "process_vm_readv",
        "process_vm_writev",
        "ptrace", "quotactl", "quotactl_fd", "reboot", "request_key", "setdomainname", "setfsgid", "setfsuid",
        "setgid", "setgroups", "sethostname", "setns", "setregid", "setresgid", "setresuid", "setreuid",
        "settimeofday", "setuid", "swapoff", "swapon", "syslog", "umount2", "unshare", "uselib",
        "userfaultfd",
        "vhangup",
    ]
}
