// libseccomp: filters of system calls.
#include <seccomp.h>
