// libsystemd: event loop, readiness notification and socket activation, journal.
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <systemd/sd-journal.h>
