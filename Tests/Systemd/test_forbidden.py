# SPDX-License-Identifier: Apache-2.0
"""What the processes of the installed package must never do, tried inside each of them while it serves.

The table of all attempts against the rights alone is in Tests/SandboxTests; here the units, the users and the files of the
package are in force as well.
"""

import dataclasses
import errno
import os
import pathlib
import struct

from dialects import CHAT
from inject import Injected
from kept import Kept
from machine import NEVER, PORT, Case, wait_for
from wire import post

SANDBOX_REFUSED = "79615bf0f6e6acae60900b4a2e81cc89"
ALL = frozenset({"supervisor", "front", "worker", "exporter", "refresher"})
CHILDREN = ALL - {"supervisor"}
NETWORK = frozenset({"worker", "refresher"})
# RestrictAddressFamilies= answers with the last one.
REFUSED = {-errno.EPERM, -errno.EACCES, -errno.EROFS, -errno.EAFNOSUPPORT}

# System calls of x86-64 (asm/unistd_64.h), and what they take.
OPEN, CLOSE, MMAP, SOCKET, CONNECT, ACCEPT4, SENDTO, BIND, LISTEN = 2, 3, 9, 41, 42, 288, 44, 49, 50
FORK, EXECVE, KILL, UNLINK, PTRACE, SETUID, SETRLIMIT, MOUNT = 57, 59, 62, 87, 101, 105, 160, 165
UNSHARE, PROCESS_VM_READV, MEMFD_CREATE, BPF, USERFAULTFD, IO_URING_SETUP, CLONE = 272, 310, 319, 321, 323, 425, 56
IPV4, IPV6, UNIX, PACKET, STREAM, DATAGRAM, RAW, SEQPACKET = 2, 10, 1, 17, 1, 2, 3, 5
READ, READ_WRITE_CREATE = os.O_RDONLY, os.O_RDWR | os.O_CREAT
LOOPBACK = struct.pack("<H2s4s8x", IPV4, b"\x00\x09", bytes([127, 0, 0, 1]))


def path(text):
    return text.encode() + b"\0"


@dataclasses.dataclass
class Attempt:
    """A call with the roles that it must succeed for, and those that it must be refused; others do not try it."""

    name: str
    call: tuple
    allowed: frozenset
    refused: frozenset

    def __init__(self, name, *call, allowed=(), refused=None):
        self.name, self.call, self.allowed = name, call, frozenset(allowed)
        self.refused = ALL - self.allowed if refused is None else frozenset(refused)


def opening(text, flags=READ, **who):
    return Attempt(f"open {text} {'to write' if flags else ''}", OPEN, path(text), flags, 0o600, **who)


ATTEMPTS = [
    # Programs and processes; the supervisor starts some.
    Attempt("execve", EXECVE, path("/bin/true"), 0, 0, refused=CHILDREN),
    Attempt("fork", FORK, refused=CHILDREN),
    Attempt("ptrace of the first process", PTRACE, 16, 1, 0, 0),
    Attempt("memory of the first process", PROCESS_VM_READV, 1, 0, 0, 0, 0, 0),
    Attempt("a signal to the first process", KILL, 1, 0),
    # The network.
    Attempt("an IPv4 socket", SOCKET, IPV4, STREAM, 0, allowed=NETWORK, refused={"front", "exporter"}),
    Attempt("an IPv6 socket", SOCKET, IPV6, STREAM, 0, allowed=NETWORK, refused={"front", "exporter"}),
    Attempt("a raw socket", SOCKET, IPV4, RAW, 1),
    Attempt("a packet socket", SOCKET, PACKET, DATAGRAM, 0),
    Attempt("a message socket, as to the refresher", SOCKET, UNIX, SEQPACKET, 0, refused=CHILDREN),
    Attempt("a datagram to the journal", SOCKET, UNIX, DATAGRAM, 0, allowed=ALL),
    Attempt("connect", CONNECT, 0, LOOPBACK, len(LOOPBACK), refused={"front", "exporter"}),
    # The refresher listens for the answer of a browser.
    Attempt("bind", BIND, 0, LOOPBACK, len(LOOPBACK), refused=CHILDREN - {"refresher"}),
    Attempt("listen", LISTEN, 0, 1, refused=CHILDREN - {"refresher"}),
    Attempt("accept", ACCEPT4, 0, 0, 0, 0, refused={"worker"}),
    # Files.
    opening("/etc/passwd", allowed={"supervisor"}),
    opening("/etc/ccr/config.json", allowed={"supervisor"}),
    opening("/etc/ssl/certs", allowed=NETWORK, refused={"front", "exporter"}),
    opening("/proc/self/mem", refused=CHILDREN),
    opening("/var/lib/ccr/usage.db", allowed={"exporter"}, refused={"front", "worker", "refresher"}),
    opening("/var/lib/ccr/made", READ_WRITE_CREATE, allowed={"exporter"}, refused={"front", "worker", "refresher"}),
    opening("/var/lib/ccr/credentials/tokens/tokens.db", allowed=NETWORK, refused={"front"}),
    opening("/var/lib/ccr/credentials/tokens/tokens.db", os.O_RDWR, allowed={"refresher"}),
    opening("/var/lib/ccr/credentials/vault/vault.db", allowed={"refresher"}),
    opening("/etc/ccr/made", READ_WRITE_CREATE),
    opening("/usr/lib/ccr/made", READ_WRITE_CREATE),
    opening("/tmp/made", READ_WRITE_CREATE, refused=CHILDREN),
    Attempt("unlink usage.db", UNLINK, path("/var/lib/ccr/usage.db"), refused={"front", "worker", "refresher"}),
    Attempt("an anonymous file", MEMFD_CREATE, path("x"), 0, allowed={"front"}, refused=CHILDREN - {"front"}),
    # Memory: PROT_READ|PROT_WRITE|PROT_EXEC, MAP_PRIVATE|MAP_ANONYMOUS.
    Attempt("memory to write and execute", MMAP, 0, 4096, 7, 0x22, -1, 0),
    # Rights.
    Attempt("another user", SETUID, 0),
    Attempt("a namespace", UNSHARE, 0x1000_0000),
    Attempt("a mount", MOUNT, path("none"), path("/tmp"), path("tmpfs"), 0, 0),
    Attempt("a limit", SETRLIMIT, 7, struct.pack("<QQ", 1 << 20, 1 << 20)),
    Attempt("bpf", BPF, 0, 0, 0),
    Attempt("userfaultfd", USERFAULTFD, 0),
    Attempt("io_uring", IO_URING_SETUP, 1, 0),
]


class Sandbox(Case):
    @classmethod
    def setUpClass(cls):
        cls.machine = cls.enterClassContext(Kept())
        # These entries are what is tested.
        cls.machine.never = tuple(i for i in NEVER if i != SANDBOX_REFUSED)
        wait_for("an answer", 20, cls.machine.is_served)
        running = cls.machine.host_pids("ccr.service") | cls.machine.host_pids("ccr-refresher.service")
        # Of the workers the one that has credentials.
        cls.processes = {
            name.split()[0]: pid for name, pid in running.items() if not name.startswith("worker") or name == "worker kept"
        }

    def attempt(self, role, refused_calls):
        faults = []
        with Injected(self.processes[role]) as process:
            for attempt in ATTEMPTS:
                if role not in attempt.allowed | attempt.refused:
                    continue
                result = process.call(*attempt.call)
                said = os.strerror(-result) if result < 0 else "works"
                if role in attempt.allowed and result < 0:
                    faults.append(f"{attempt.name} fails: {said}")
                elif role in attempt.refused and result not in REFUSED:
                    faults.append(f"{attempt.name}: {said}")
                if result > 2 and attempt.call[0] in (OPEN, SOCKET, MEMFD_CREATE):
                    process.call(CLOSE, result)
        self.assertEqual(faults, [])
        if refused_calls:
            wait_for(
                f"reports of {refused_calls} by {role}", 10,
                lambda: refused_calls <= {e["CCR_SYSCALL"] for e in self.refusals(role)},
            )  # fmt: skip

    def refusals(self, role):
        return self.machine.journal(f"MESSAGE_ID={SANDBOX_REFUSED}", f"CCR_ROLE={role}")

    def test_every_role_is_there(self):
        self.assertEqual(set(self.processes), ALL)
        for role, pid in self.processes.items():
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            self.assertIn("NoNewPrivs:\t1\n", status, role)
            self.assertRegex(status, "CapBnd:\t0+\n", role)

    def test_supervisor(self):
        self.attempt("supervisor", set())

    def test_front(self):
        self.attempt("front", {"execve", "ptrace", "open", "connect"})

    def test_worker(self):
        self.attempt("worker", {"execve", "ptrace", "accept4"})

    def test_exporter(self):
        self.attempt("exporter", {"execve", "ptrace", "connect"})

    def test_refresher(self):
        self.attempt("refresher", {"execve", "ptrace"})

    def test_z_everything_still_serves_afterwards(self):
        self.assertEqual(post(PORT, CHAT.path, CHAT.request("m", stream=False), timeout=20).status, 200)
        running = {**self.machine.host_pids("ccr.service"), **self.machine.host_pids("ccr-refresher.service")}
        self.assertLessEqual(set(self.processes.values()), set(running.values()), running)
