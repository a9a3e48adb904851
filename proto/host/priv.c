/* SPDX-License-Identifier: MIT */
/* priv.c - keep only the capabilities that are needed */
#include "proto/host/priv.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>

bool priv_have(int cap)
{
    return capng_get_caps_process() == 0 &&
           capng_have_capability(CAPNG_EFFECTIVE, (unsigned)cap) == 1;
}

bool priv_have_net_admin(void)
{
    return priv_have(CAP_NET_ADMIN);
}

/* Is nothing left but @kept (one bit per capability)? The bounding set only counts where it could
 * be emptied. */
static bool nothing_else(uint64_t kept, bool bounded)
{
    if (capng_get_caps_process() != 0)
        return false;
    for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++) {
        if (kept & (UINT64_C(1) << cap))
            continue;
        if (capng_have_capability(CAPNG_EFFECTIVE, cap) ||
            capng_have_capability(CAPNG_PERMITTED, cap) ||
            capng_have_capability(CAPNG_INHERITABLE, cap) ||
            capng_have_capability(CAPNG_AMBIENT, cap))
            return false;
        if (bounded && capng_have_capability(CAPNG_BOUNDING_SET, cap))
            return false;
    }
    return true;
}

int priv_keep(const int *caps, unsigned n)
{
    uint64_t kept = 0;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    if (capng_get_caps_process() != 0)
        return -EPERM;
    bool bounded = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
    for (unsigned i = 0; i < n; i++)
        if (capng_have_capability(CAPNG_PERMITTED, (unsigned)caps[i]))
            kept |= UINT64_C(1) << caps[i];

    capng_clear(CAPNG_SELECT_ALL);
    for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
        if ((kept & (UINT64_C(1) << cap)) &&
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, cap))
            return -EINVAL;
    if (bounded && capng_apply(CAPNG_SELECT_BOUNDS) != 0)
        return -EPERM;
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return -EPERM;
    /* the ambient set empties itself with the inheritable one; the reading back below holds it to
     * that */
    return nothing_else(kept, bounded) ? 0 : -EPERM;
}
