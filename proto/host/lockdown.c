/* SPDX-License-Identifier: MIT */
/* lockdown.c - what a daemon gives up: core dumps, memory in swap, capabilities, system calls */
#include "proto/host/lockdown.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "proto/host/log.h"
#include "proto/host/priv.h"
#include "proto/host/seccomp.h"
#include "proto/host/secret.h"

/* There is one process, so there is one of these. */
static struct {
    bool debug;
    bool told; /* that memory cannot be locked */
} state;

void lockdown_begin(bool debug)
{
    const struct rlimit none = { 0, 0 };

    state.debug = debug;
    if (debug)
        return;
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void lockdown_memory(void *p, size_t len)
{
    int err = secret_lock(p, len);

    if (err == 0 || state.told)
        return;
    state.told = true;
    log_warn("keys may be written to swap: %zu KiB of memory cannot be locked (%s); raise the "
             "limit (ulimit -l, LimitMEMLOCK=)",
             (len + 1023) / 1024, strerror(-err));
}

static int filter(unsigned groups)
{
    if (state.debug) {
        log_warn("--no-seccomp: system calls are not filtered, core dumps are possible");
        return 0;
    }
    int n = seccomp_enter(groups);
    if (n == -ENOSYS) {
        log_warn("this kernel cannot filter system calls; going on without");
        return 0;
    }
    if (n < 0) {
        log_error("cannot filter system calls: %s", strerror(-n));
        return n;
    }
    log_debug("system calls are filtered: %d instructions", n);
    return 0;
}

int lockdown(const int *caps, unsigned n, unsigned groups)
{
    int err = priv_keep(caps, n);

    if (err) {
        log_error("cannot drop privileges: %s", strerror(-err));
        return err;
    }
    return filter(groups);
}
