/* SPDX-License-Identifier: MIT */
/* udp_shun.c - datagrams that the kernel drops unread: a classic BPF program on the socket */
#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>

#include "proto/host/udp_internal.h"

#define UDP_HDR     8u /* a socket's filter sees the UDP header first */
#define PER_START   5u
#define PROGRAM_MAX (3 + PER_START * UDP_SHUN_MAX)

_Static_assert(UDP_START_LEN == 8, "two words are compared");
_Static_assert(PROGRAM_MAX <= 255, "the first jump passes all of it");

/* Takes all but what begins with one of @start; what is too short to compare is taken, too (a load
 * beyond the end would drop it). Return: instructions written */
static unsigned write_program(struct sock_filter *f, const struct udp_start *start, unsigned n)
{
    unsigned k = 0;

    f[k++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0);
    f[k++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, UDP_HDR + UDP_START_LEN, 0,
                                          (uint8_t)(PER_START * n));
    for (unsigned i = 0; i < n; i++) {
        f[k++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, UDP_HDR);
        f[k++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, be32_load(start[i].octet),
                                              0, 3);
        f[k++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, UDP_HDR + 4);
        f[k++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                              be32_load(start[i].octet + 4), 0, 1);
        f[k++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    }
    f[k++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
    return k;
}

/* What the socket has dropped so far, counted as SO_RXQ_OVFL does. */
static uint32_t drops_now(const struct udp *u)
{
    uint32_t info[SK_MEMINFO_VARS] = { 0 };
    socklen_t len = sizeof(info);

    if (getsockopt(u->fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0)
        return u->kernel_drops;
    return info[SK_MEMINFO_DROPS];
}

int udp_shun(struct udp *u, const struct udp_start *start, unsigned n)
{
    struct sock_filter f[PROGRAM_MAX];
    struct sock_fprog prog = { .filter = f };
    int rc = 0;

    if (n) {
        prog.len = (unsigned short)write_program(f, start, n);
        rc = setsockopt(u->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
        u->shuns = u->shuns || rc == 0;
    }
    if (u->shuns && (n == 0 || rc < 0)) {
        int unused = 0; /* no option is shorter */
        if (setsockopt(u->fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)) < 0)
            return -errno;
        u->shunned_until = drops_now(u);
        u->shuns = false;
    }
    return rc;
}
