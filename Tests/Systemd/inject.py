# SPDX-License-Identifier: Apache-2.0
"""Makes system calls inside a process that runs, as if its own code made them: the process is stopped, three bytes of
code that is never run again (its entry point) become "syscall; int3", and registers and memory are put back afterwards.

So a sandbox is tested where it holds, in the very process that entered it. x86-64 only. Source: ptrace(2).
"""

import ctypes
import os
import signal
import struct

SEIZE, INTERRUPT, CONT, DETACH = 0x4206, 0x4207, 7, 17
GETREGS, SETREGS, POKETEXT, PEEKTEXT = 12, 13, 4, 1
WALL = 0x40000000
AT_ENTRY = 9
CODE = b"\x0f\x05\xcc"

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
libc.ptrace.restype = ctypes.c_long


class Registers(ctypes.Structure):
    """struct user_regs_struct of sys/user.h."""

    _fields_ = [
        (name, ctypes.c_ulonglong)
        for name in (
            "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base "
            "ds es fs gs"
        ).split()
    ]


def ptrace(request, pid, address=0, data=0):
    ctypes.set_errno(0)
    result = libc.ptrace(request, pid, address, data)
    if result == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), f"ptrace({request}) of {pid}: {os.strerror(ctypes.get_errno())}")
    return result


class Injected:
    """A process that is stopped while the context is open. All calls have to come from one thread."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        ptrace(SEIZE, self.pid)
        ptrace(INTERRUPT, self.pid)
        self.wait()
        self.saved = Registers()
        ptrace(GETREGS, self.pid, 0, ctypes.addressof(self.saved))
        self.entry = self.auxiliary(AT_ENTRY)
        self.code = ptrace(PEEKTEXT, self.pid, self.entry)
        word = CODE + struct.pack("<q", self.code)[len(CODE) :]
        ptrace(POKETEXT, self.pid, self.entry, struct.unpack("<q", word)[0])
        # Below the red zone of the interrupted function: room for arguments, then the stack of the signal handler.
        self.scratch = (self.saved.rsp - 8192) & ~0xFFF
        self.stack = self.scratch - 256
        self.used = 0
        with open(f"/proc/{self.pid}/mem", "rb") as memory:
            memory.seek(self.scratch)
            self.below = memory.read(4096)
        return self

    def __exit__(self, *_):
        self.write(self.scratch, self.below)
        ptrace(POKETEXT, self.pid, self.entry, self.code)
        ptrace(SETREGS, self.pid, 0, ctypes.addressof(self.saved))
        ptrace(DETACH, self.pid)

    def auxiliary(self, key):
        with open(f"/proc/{self.pid}/auxv", "rb") as file:
            return dict(struct.iter_unpack("<QQ", file.read()))[key]

    def wait(self):
        _, status = os.waitpid(self.pid, WALL)
        if not os.WIFSTOPPED(status):
            raise AssertionError(f"the process {self.pid} ended under the test: {status}")
        return os.WSTOPSIG(status)

    def write(self, address, data):
        with open(f"/proc/{self.pid}/mem", "r+b", 0) as memory:
            memory.seek(address)
            memory.write(data)

    def store(self, data):
        """Puts bytes into the memory of the process; returns their address, valid until the next call."""
        address = self.scratch + self.used
        self.used += (len(data) + 15) & ~15
        if self.used > 4096:
            raise ValueError("too much for the scratch page")
        self.write(address, data)
        return address

    def call(self, number, *arguments):
        """The result of a system call: a value, or the negative error number. Bytes are passed by their address."""
        self.used = 0
        values = [self.store(a) if isinstance(a, bytes) else a for a in arguments]
        registers = Registers.from_buffer_copy(self.saved)
        registers.rip, registers.rsp, registers.rax = self.entry, self.stack, number
        # The call that was interrupted is not begun anew in this place.
        registers.orig_rax = 0xFFFF_FFFF_FFFF_FFFF
        for name, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), values):
            setattr(registers, name, value & 0xFFFF_FFFF_FFFF_FFFF)
        ptrace(SETREGS, self.pid, 0, ctypes.addressof(registers))
        deliver = 0
        while True:
            ptrace(CONT, self.pid, 0, deliver)
            stop = self.wait()
            if stop == signal.SIGTRAP:
                break
            # SIGSYS is how a refused call is reported: the process handles it, and goes on behind the call.
            deliver = stop
        ptrace(GETREGS, self.pid, 0, ctypes.addressof(registers))
        if registers.rip != self.entry + len(CODE):
            raise AssertionError(f"stopped at {registers.rip:#x} and not behind the call")
        return ctypes.c_longlong(registers.rax).value
