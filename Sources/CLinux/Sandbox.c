// See CLinux.h, "sandbox". Landlock has no wrapper in glibc; SIGSYS needs the machine context of the interrupted call.
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

int ccr_forbid_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

bool ccr_has_seccomp(void) { return prctl(PR_GET_SECCOMP) >= 0; }

// -- Landlock: numbers and layouts of linux/landlock.h, which older headers have only in part --

enum { LANDLOCK_CREATE = 444, LANDLOCK_ADD_RULE = 445, LANDLOCK_RESTRICT_SELF = 446, RULE_PATH_BENEATH = 1 };

struct ruleset_attributes {
    uint64_t handled_access_fs, handled_access_net, scoped;
};

struct path_beneath_attributes {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));

int ccr_landlock_abi(void) { return (int)syscall(LANDLOCK_CREATE, NULL, 0, 1u); }

int ccr_landlock_create(uint64_t files, uint64_t network, uint64_t scopes) {
    struct ruleset_attributes attributes = {files, network, scopes};
    // An older kernel takes a longer structure as long as what it does not know is zero.
    return (int)syscall(LANDLOCK_CREATE, &attributes, sizeof attributes, 0u);
}

int ccr_landlock_allow(int ruleset, const char *path, uint64_t access) {
    struct path_beneath_attributes rule = {.parent_fd = open(path, O_PATH | O_CLOEXEC)};
    if (rule.parent_fd < 0) return -1;
    struct stat status;
    int result = fstat(rule.parent_fd, &status);
    if (result == 0) {
        rule.allowed_access = S_ISDIR(status.st_mode) ? access : access & CCR_LANDLOCK_FILE_ACCESS;
        result = (int)syscall(LANDLOCK_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0u);
    }
    int error = errno;
    close(rule.parent_fd);
    errno = error;
    return result;
}

int ccr_landlock_restrict(int ruleset) { return (int)syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0u); }

// -- refused system calls --

// SYS_SECCOMP of asm-generic/siginfo.h, which glibc does not define.
enum { CALLS = 1024, REFUSED_BY_FILTER = 1 };
static int refusal_event = -1;
static uint64_t refused[CALLS / 64];

static void on_refusal(int signal_number, siginfo_t *info, void *context) {
    (void)signal_number;
    // Another process may send the signal too.
    if (info->si_code != REFUSED_BY_FILTER) return;
    int saved = errno;
    unsigned number = (unsigned)info->si_syscall;
    uint64_t bit = 1ull << (number % 64), one = 1;
    if (number < CALLS && !(__atomic_fetch_or(&refused[number / 64], bit, __ATOMIC_RELAXED) & bit)) {
        ssize_t ignored = write(refusal_event, &one, sizeof one);
        (void)ignored;
    }
    ucontext_t *machine = context;
#if defined(__x86_64__)
    machine->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
    machine->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#else
#error "which register holds the result of a system call?"
#endif
    errno = saved;
}

int ccr_watch_refusals(void) {
    refusal_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (refusal_event < 0) return -1;
    struct sigaction action = {.sa_sigaction = on_refusal, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
    if (sigaction(SIGSYS, &action, NULL) < 0) return -1;
    return refusal_event;
}

void ccr_acknowledge_refusals(void) {
    uint64_t count;
    ssize_t ignored = read(refusal_event, &count, sizeof count);
    (void)ignored;
}

int ccr_next_refusal(int after) {
    for (int number = after + 1; number < CALLS; number++)
        if (__atomic_load_n(&refused[number / 64], __ATOMIC_RELAXED) >> (number % 64) & 1) return number;
    return -1;
}
