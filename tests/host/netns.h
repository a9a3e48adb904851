/* SPDX-License-Identifier: MIT */
/* netns.h - a network namespace for one test program; it ends with the process, so nothing leaks */
#ifndef SIXTAP_TESTS_NETNS_H
#define SIXTAP_TESTS_NETNS_H

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/addr.h"
#include "proto/timers.h"

/* netns_ip6(), netns_prefix() - of text, which is right */
static inline struct ip6 netns_ip6(const char *text)
{
    struct ip6 a = { { 0 } };

    (void)inet_pton(AF_INET6, text, a.b);
    return a;
}

static inline struct prefix netns_prefix(const char *text, uint8_t len)
{
    return (struct prefix){ netns_ip6(text), len };
}

/* netns_enter() - this process into a namespace of its own; false, with the reason printed, when
 * that or /dev/net/tun is not allowed here */
static inline bool netns_enter(void)
{
    if (access("/dev/net/tun", R_OK | W_OK) < 0) {
        printf("skipped: /dev/net/tun: %s\n", strerror(errno));
        return false;
    }
    if (unshare(CLONE_NEWNET) < 0) {
        printf("skipped: no network namespaces: %s\n", strerror(errno));
        return false;
    }
    return true;
}

static inline mono_ns netns_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (mono_ns)ts.tv_sec * NS_PER_S + (mono_ns)ts.tv_nsec;
}

/* netns_wait() - until @fd is readable; false at @deadline */
static inline bool netns_wait(int fd, mono_ns deadline)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    mono_ns now = netns_now();

    return now < deadline && poll(&p, 1, (int)((deadline - now) / NS_PER_MS) + 1) > 0;
}

/* netns_delete_link() - as `ip link delete`; 0 or -errno */
static inline int netns_delete_link(unsigned ifindex)
{
    uint8_t buf[1024] __attribute__((aligned(8)));
    struct mnl_socket *s = mnl_socket_open(NETLINK_ROUTE);
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
    int err = -EIO;

    nlh->nlmsg_type = RTM_DELLINK;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    ifi->ifi_index = (int)ifindex;
    if (s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0 &&
        mnl_socket_sendto(s, nlh, nlh->nlmsg_len) > 0 &&
        mnl_socket_recvfrom(s, buf, sizeof(buf)) > 0)
        err = ((struct nlmsgerr *)mnl_nlmsg_get_payload(nlh))->error;
    if (s)
        mnl_socket_close(s);
    return err;
}

/* netns_packet_socket() - raw frames in and out of a link, as its user sees them; -1 on failure */
static inline int netns_packet_socket(unsigned ifindex)
{
    struct sockaddr_ll sa = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = (int)ifindex,
    };
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* netns_ipv4() - give a link an IPv4 address of a /24; 0 or -errno */
static inline int netns_ipv4(const char *name, const char *addr)
{
    struct ifreq ifr = { 0 };
    struct sockaddr_in *sin = (struct sockaddr_in *)&ifr.ifr_addr;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int err = 0;

    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    sin->sin_family = AF_INET;
    inet_pton(AF_INET, addr, &sin->sin_addr);
    if (ioctl(fd, SIOCSIFADDR, &ifr) < 0)
        err = -errno;
    inet_pton(AF_INET, "255.255.255.0", &sin->sin_addr);
    if (err == 0 && ioctl(fd, SIOCSIFNETMASK, &ifr) < 0)
        err = -errno;
    close(fd);
    return err;
}

#endif
