/* SPDX-License-Identifier: MIT */
/* priv.h - keep only the capabilities that are needed
 *
 * DOC: called once, after everything that needs more has been opened and before the first thread:
 * capabilities belong to threads. no_new_privs comes first, so nothing executed later can gain what
 * was dropped, even where the bounding set cannot be emptied (that needs CAP_SETPCAP).
 *
 * Standards: capabilities(7), prctl(2) PR_SET_NO_NEW_PRIVS.
 */
#ifndef SIXTAP_HOST_PRIV_H
#define SIXTAP_HOST_PRIV_H

#include <stdbool.h>

/* priv_have() - is capability @cap (CAP_*, <linux/capability.h>) effective? */
bool priv_have(int cap);

/* priv_have_net_admin() - TAP, TUN, addresses and routes need it */
bool priv_have_net_admin(void);

/* priv_keep() - set no_new_privs and drop every capability that is not among the @n of @caps, from
 * the effective, permitted, inheritable, ambient and bounding sets. Listed ones the process does
 * not have are no error. The result is read back. Return: 0; -errno: the process holds more than it
 * should, the caller must not go on */
int priv_keep(const int *caps, unsigned n);

#endif
