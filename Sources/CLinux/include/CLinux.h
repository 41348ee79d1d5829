// Linux calls that the Glibc module cannot import: GNU-only functions, variadic ones and macro families.
// No policy lives here; every function is one system call or one macro.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

// -- descriptors over Unix sockets (cmsg(3)) --

/// Sends one message with `fd_count` descriptors (0...8); returns the bytes sent or -1 with errno.
ssize_t ccr_send_message(int socket, const struct iovec *parts, int part_count, const int *fds, int fd_count);

/// Receives one message; descriptors are close-on-exec. `*fd_count` holds the room in `fds` on entry (at most 8)
/// and the number received on return; `*truncated` is set when data or descriptors were cut.
/// Returns the bytes received, 0 at end of stream, or -1 with errno.
ssize_t ccr_recv_message(int socket, void *buffer, size_t size, int *fds, int *fd_count, bool *truncated);

/// Receives one datagram with its sender's kernel-attested process id; closes descriptors that come along.
ssize_t ccr_recv_credentials(int socket, void *buffer, size_t size, pid_t *pid);

// -- sockets and files --

/// Accepts a non-blocking, close-on-exec connection; `*peer_is_loopback` tells where it comes from.
int ccr_accept4(int socket, bool *peer_is_loopback);
int ccr_memfd_create(const char *name);
/// Forbids a memfd to become shorter (F_SEAL_SHRINK), so that a reader's mapping cannot lose its ground.
int ccr_memfd_forbid_shrinking(int fd);
bool ccr_memfd_cannot_shrink(int fd);

/// Leaves what is mapped already the only way to change a memfd (F_SEAL_FUTURE_WRITE), and its seals as they are.
int ccr_memfd_forbid_writing(int fd);
int ccr_set_nodelay(int socket);
/// A close-on-exec, non-blocking counter that begins with 1 (eventfd(2)), or -1 with errno.
int ccr_eventfd(void);

// -- processes --

/// Forbids core dumps and ptrace of the calling process (PR_SET_DUMPABLE 0), and that a crash prints what memory holds.
int ccr_forbid_dumps(void);
/// Names the calling thread as shown by ps and top (at most 15 bytes).
int ccr_set_process_name(const char *name);
/// Starts the file that is open as `executable`; `fds[i]` becomes descriptor 3+i and every other one is closed.
/// The child gets default signal dispositions, an empty signal mask and dies with its parent.
/// Returns the pid or -1 with errno; `*pidfd` is a close-on-exec process descriptor.
pid_t ccr_spawn(int executable, char *const argv[], char *const envp[], const int *fds, int fd_count, int *pidfd);
/// Starts a foreign program: standard input from /dev/null, the two others as given, no further descriptor, working
/// directory "/", a process group of its own, umask 077, no core file, 256 descriptors, 120 s of processor time.
/// It dies with its parent. `rules` are Landlock's that it is put under, or -1. Returns the pid or -1 with errno; `*pidfd` is
/// a close-on-exec process descriptor.
pid_t ccr_spawn_program(const char *path, char *const argv[], char *const envp[], int output, int errors, int rules,
                        int *pidfd);
/// Sends a signal to every process of the group that `pid` leads.
int ccr_kill_group(pid_t pid, int signal_number);
/// Whether a descriptor stays open in a program that this process becomes by execve(2).
int ccr_set_inheritable(int fd, bool on);
/// Reaps the process of `pidfd` without blocking: 1 reaped, 0 still running, -1 error.
/// `*code` is the exit status, or minus the signal number.
int ccr_reap(int pidfd, int *code);
/// A close-on-exec process descriptor of any process, or -1 with errno (pidfd_open(2)).
int ccr_pidfd_open(pid_t pid);
int ccr_pidfd_send_signal(int pidfd, int signal_number);
/// Raises the soft limit of open files to the hard limit and returns it.
uint64_t ccr_raise_file_limit(void);

// -- sandbox (Sandbox.c) --

/// No program that this process or its children start can gain rights (PR_SET_NO_NEW_PRIVS).
int ccr_forbid_new_privileges(void);
/// Whether the kernel filters system calls.
bool ccr_has_seccomp(void);

/// The rights of Landlock that apply to a single file: execute, write, read, truncate, ioctl.
#define CCR_LANDLOCK_FILE_ACCESS 0xC007ull
/// Landlock's version in this kernel, 0 or less without it (landlock(7), "Landlock ABI").
int ccr_landlock_abi(void);
/// A close-on-exec ruleset that takes these rights away, or -1 with errno.
int ccr_landlock_create(uint64_t files, uint64_t network, uint64_t scopes);
/// Gives rights back for a file, or for a directory and all below it; -1 with errno.
int ccr_landlock_allow(int ruleset, const char *path, uint64_t access);
/// Enforces the ruleset on the calling thread and all that it starts.
int ccr_landlock_restrict(int ruleset);

/// From now on a system call that a filter traps (SIGSYS) fails with EPERM. Returns an event descriptor, owned by the
/// process for good, that is readable after the first refusal of each call, or -1 with errno.
int ccr_watch_refusals(void);
/// Makes that descriptor unreadable until the next first refusal.
void ccr_acknowledge_refusals(void);
/// The lowest system call number above `after` that was refused so far, or -1.
int ccr_next_refusal(int after);

// -- memory --

/// Bytes between the returned address and `size` are readable and, if asked for, writable; or NULL with errno.
/// `at_once`: all pages now, in place of each one when it is touched.
void *ccr_map_shared(int fd, size_t size, bool writable, bool at_once);

/// Makes a mapping of a file that has grown larger, perhaps in another place; NULL with errno when it stays as it is.
void *ccr_grow_mapping(void *old, size_t old_size, size_t size, bool at_once);

/// Gives free pages of the heap back to the kernel (malloc_trim(3)).
void ccr_trim_heap(void);
/// Unmaps the pages of the program and its libraries that no process can change; those that are needed come back from the
/// page cache (madvise(2), MADV_DONTNEED).
void ccr_unmap_clean_pages(void);
/// From now on blocks below `bytes` come from the heap, and up to as many free ones stay at its end (mallopt(3)).
void ccr_keep_heap(size_t bytes);

/// memmem(3).
const void *ccr_memmem(const void *haystack, size_t size, const void *needle, size_t needle_size);

/// Current monotonic time in microseconds.
uint64_t ccr_monotonic_usec(void);
uint64_t ccr_realtime_usec(void);
