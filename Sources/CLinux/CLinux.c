// See CLinux.h. Each function wraps one call that Swift cannot reach itself.
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FDS = 8, MAX_INHERITED = 512 };

ssize_t ccr_send_message(int socket, const struct iovec *parts, int part_count, const int *fds, int fd_count) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * MAX_FDS)];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)part_count};
    if (fd_count > 0) {
        if (fd_count > MAX_FDS) {
            errno = EINVAL;
            return -1;
        }
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)fd_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)fd_count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * (size_t)fd_count);
    }
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent;
}

ssize_t ccr_recv_message(int socket, void *buffer, size_t size, int *fds, int *fd_count, bool *truncated) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * MAX_FDS)];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = buffer, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    int room = *fd_count;
    *fd_count = 0;
    *truncated = false;
    ssize_t received;
    do received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (received < 0 && errno == EINTR);
    if (received < 0) return received;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        int count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + sizeof(int) * (size_t)i, sizeof fd);
            if (*fd_count < room) {
                fds[(*fd_count)++] = fd;
            } else {
                close(fd);
                *truncated = true;
            }
        }
    }
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) *truncated = true;
    return received;
}

ssize_t ccr_recv_credentials(int socket, void *buffer, size_t size, pid_t *pid) {
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 253)];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = buffer, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    *pid = 0;
    ssize_t received;
    do received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (received < 0 && errno == EINTR);
    if (received < 0) return received;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET) continue;
        if (header->cmsg_type == SCM_CREDENTIALS) {
            struct ucred sender;
            memcpy(&sender, CMSG_DATA(header), sizeof sender);
            *pid = sender.pid;
        } else if (header->cmsg_type == SCM_RIGHTS) {
            // sd_notify_barrier sends a descriptor and waits until it is closed.
            size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < count; i++) {
                int fd;
                memcpy(&fd, CMSG_DATA(header) + sizeof(int) * i, sizeof fd);
                close(fd);
            }
        }
    }
    return received;
}

static bool is_loopback(const struct sockaddr_storage *address) {
    if (address->ss_family == AF_UNIX) return true;
    if (address->ss_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24) == 127;
    if (address->ss_family == AF_INET6) {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)address)->sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
    }
    return false;
}

int ccr_accept4(int socket, bool *peer_is_loopback) {
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    int fd;
    do fd = accept4(socket, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    // An unnamed Unix peer leaves the family empty or AF_UNIX.
    if (fd >= 0) *peer_is_loopback = length <= sizeof(sa_family_t) || is_loopback(&address);
    return fd;
}

int ccr_memfd_create(const char *name) { return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING); }

int ccr_memfd_forbid_shrinking(int fd) { return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK); }

int ccr_memfd_forbid_writing(int fd) { return fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL); }

bool ccr_memfd_cannot_shrink(int fd) {
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK);
}

int ccr_eventfd(void) { return eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK); }

int ccr_set_nodelay(int socket) {
    int on = 1;
    return setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int ccr_forbid_dumps(void) {
    // The Swift runtime's handlers print registers and what they point to.
    static const int crashes[] = {SIGQUIT, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) (void)signal(crashes[i], SIG_DFL);
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    return prctl(PR_SET_DUMPABLE, 0);
}
int ccr_set_process_name(const char *name) { return prctl(PR_SET_NAME, name); }

// Forks with a pipe by which the child reports why it cannot become its program. Not posix_spawn: the parent-death
// signal must be set between fork and exec, in the child itself.
static pid_t fork_reporting(int report[2]) {
    if (pipe2(report, O_CLOEXEC) < 0) return -1;
    pid_t pid = fork();
    if (pid < 0) {
        int error = errno;
        close(report[0]);
        close(report[1]);
        errno = error;
    }
    return pid;
}

// In the child: default signals, and an end with the parent. Only async-signal-safe calls.
static void become_child(pid_t parent) {
    for (int s = 1; s < NSIG; s++) signal(s, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
}

// Waits until the child has become its program, or says why not.
static pid_t await_exec(pid_t pid, const int report[2], int *pidfd) {
    close(report[1]);
    int error = 0;
    ssize_t got;
    do got = read(report[0], &error, sizeof error);
    while (got < 0 && errno == EINTR);
    close(report[0]);
    if (got == sizeof error) {
        waitpid(pid, NULL, 0);
        errno = error;
        return -1;
    }
    *pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (*pidfd < 0) {
        error = errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        errno = error;
        return -1;
    }
    return pid;
}

pid_t ccr_spawn(int executable, char *const argv[], char *const envp[], const int *fds, int fd_count, int *pidfd) {
    if (fd_count > MAX_INHERITED) {
        errno = EINVAL;
        return -1;
    }
    pid_t parent = getpid();
    int report[2];
    pid_t pid = fork_reporting(report);
    if (pid < 0) return -1;
    if (pid == 0) {
        // Only async-signal-safe calls from here to execve.
        int error = 0;
        int base = 3 + fd_count + 1;
        int moved[MAX_INHERITED];
        int out = fcntl(report[1], F_DUPFD_CLOEXEC, base);
        if (out < 0) _exit(127);
        executable = fcntl(executable, F_DUPFD_CLOEXEC, base);
        if (executable < 0) error = errno;
        for (int i = 0; i < fd_count && !error; i++) {
            moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, base);
            if (moved[i] < 0) error = errno;
        }
        for (int i = 0; i < fd_count && !error; i++)
            if (dup2(moved[i], 3 + i) < 0) error = errno;
        // Not every descriptor of the parent is close-on-exec: it may have inherited some itself.
        if (!error && close_range((unsigned)(3 + fd_count), ~0u, CLOSE_RANGE_CLOEXEC) < 0) error = errno;
        if (!error) {
            // From the first moment, in which it is dumpable again: its environment may hold secrets.
            const struct rlimit none = {0, 0};
            setrlimit(RLIMIT_CORE, &none);
            become_child(parent);
            // LISTEN_PID must name this very process; the caller left room for it.
            for (char *const *e = envp; *e; e++) {
                if (strncmp(*e, "LISTEN_PID=", 11) != 0) continue;
                char digits[20];
                int n = 0;
                for (pid_t v = getpid(); v > 0; v /= 10) digits[n++] = (char)('0' + v % 10);
                char *at = *e + 11;
                while (n > 0) *at++ = digits[--n];
                *at = 0;
            }
            execveat(executable, "", argv, envp, AT_EMPTY_PATH);
            error = errno;
        }
        ssize_t ignored = write(out, &error, sizeof error);
        (void)ignored;
        _exit(127);
    }
    return await_exec(pid, report, pidfd);
}

pid_t ccr_spawn_program(const char *path, char *const argv[], char *const envp[], int output, int errors, int rules,
                        int *pidfd) {
    pid_t parent = getpid();
    int report[2];
    pid_t pid = fork_reporting(report);
    if (pid < 0) return -1;
    if (pid == 0) {
        // Only async-signal-safe calls from here to execve.
        int error = 0;
        int out = fcntl(report[1], F_DUPFD_CLOEXEC, 16);
        if (out < 0) _exit(127);
        int null = open("/dev/null", O_RDONLY);
        if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(errors, 2) < 0) error = errno;
        if (!error && close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0) error = errno;
        if (!error && chdir("/") < 0) error = errno;
        if (!error) {
            // A group of its own, so that what it starts can be ended with it.
            setpgid(0, 0);
            umask(077);
            struct rlimit files = {256, 256}, core = {0, 0}, seconds = {120, 120};
            setrlimit(RLIMIT_NOFILE, &files);
            setrlimit(RLIMIT_CORE, &core);
            setrlimit(RLIMIT_CPU, &seconds);
            become_child(parent);
            if (rules >= 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ccr_landlock_restrict(rules) != 0)) error = errno;
            if (!error) {
                execve(path, argv, envp);
                error = errno;
            }
        }
        ssize_t ignored = write(out, &error, sizeof error);
        (void)ignored;
        _exit(127);
    }
    // Also here: whoever of the two comes first, the group is there before a signal is sent to it.
    setpgid(pid, pid);
    return await_exec(pid, report, pidfd);
}

int ccr_kill_group(pid_t pid, int signal_number) { return kill(-pid, signal_number); }

int ccr_set_inheritable(int fd, bool on) { return fcntl(fd, F_SETFD, on ? 0 : FD_CLOEXEC); }

int ccr_reap(int pidfd, int *code) {
    siginfo_t info = {0};
    int result;
    do result = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG);
    while (result < 0 && errno == EINTR);
    if (result < 0) return -1;
    if (info.si_pid == 0) return 0;
    *code = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    return 1;
}

int ccr_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int ccr_pidfd_send_signal(int pidfd, int signal_number) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
}

uint64_t ccr_raise_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return 0;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

void *ccr_map_shared(int fd, size_t size, bool writable, bool at_once) {
    int protection = PROT_READ | (writable ? PROT_WRITE : 0);
    void *address = mmap(NULL, size, protection, MAP_SHARED | (at_once ? MAP_POPULATE : 0), fd, 0);
    return address == MAP_FAILED ? NULL : address;
}

void *ccr_grow_mapping(void *old, size_t old_size, size_t size, bool at_once) {
    void *address = mremap(old, old_size, size, MREMAP_MAYMOVE);
    if (address == MAP_FAILED) {
        return NULL;
    }
    if (at_once) {
        // Where it fails the pages come one by one, or the kernel says then that there are none.
        (void)madvise((char *)address + old_size, size - old_size, MADV_POPULATE_WRITE);
    }
    return address;
}

void ccr_trim_heap(void) { (void)malloc_trim(0); }

static int unmap_clean_segments(struct dl_phdr_info *object, size_t size, void *unused) {
    (void)size;
    (void)unused;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        // What the linker may have written, relocations above all, is in segments that can be written.
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) {
            continue;
        }
        uintptr_t start = object->dlpi_addr + segment->p_vaddr;
        uintptr_t end = (start + segment->p_memsz) & ~(page - 1);
        start = (start + page - 1) & ~(page - 1);
        if (start < end) {
            // A wish: without it nothing is lost but memory.
            (void)madvise((void *)start, end - start, MADV_DONTNEED);
        }
    }
    return 0;
}

void ccr_unmap_clean_pages(void) { (void)dl_iterate_phdr(unmap_clean_segments, NULL); }

void ccr_keep_heap(size_t bytes) {
    (void)mallopt(M_MMAP_THRESHOLD, (int)bytes);
    (void)mallopt(M_TRIM_THRESHOLD, (int)bytes);
}

const void *ccr_memmem(const void *haystack, size_t size, const void *needle, size_t needle_size) {
    return memmem(haystack, size, needle, needle_size);
}

static uint64_t clock_usec(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

uint64_t ccr_monotonic_usec(void) { return clock_usec(CLOCK_MONOTONIC); }
uint64_t ccr_realtime_usec(void) { return clock_usec(CLOCK_REALTIME); }
