/* SPDX-License-Identifier: MIT */
/* test_tap_super.c - superframes and the real kernel: its segmentation against ours, its TCP and
 * UDP through both
 *
 *     a kernel socket -- t0 [cut] frames [join] t1 -- a kernel socket      (two namespaces)
 *     packet socket (superframe) -- t0 without offload: the kernel cuts    (the twin)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/if_addr.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include "flow.h"
#include "netns.h"
#include "proto/host/netlink.h"
#include "proto/host/sysctl.h"
#include "proto/host/tap.h"
#include "proto/segment.h"

#define WAIT      (20 * NS_PER_S)
#define MTU       1400u
#define STREAM    (6u << 20) /* octets */
#define SLICE_MAX 512u
#define ACK       0x10

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static bool have_netns;
static uint8_t payload[70000];
static uint8_t arena_mem[1 << 20];
static uint64_t drops[DROP_COUNT];
static struct segment_joined joined;

static int need_netns(void **state)
{
    (void)state;
    if (!have_netns)
        skip();
    memset(drops, 0, sizeof(drops));
    return 0;
}

/* A byte of the streams: a wrong, lost or moved one does not go unseen. */
static uint8_t byte_at(uint32_t i)
{
    return (uint8_t)((i * 2654435761u) >> 23 ^ i);
}

/* ---- devices ---- */

static struct tap *open_tap(enum tap_mode mode, const char *wish, const char *addr, uint8_t mac_end)
{
    const struct mac mac = { { 2, 0, 0, 0, 0, mac_end } };
    struct nl_addr a = {
        .plen = 64, .flags = IFA_F_NODAD, .valid_s = NL_FOREVER, .preferred_s = NL_FOREVER
    };
    struct tap *t = NULL;
    struct nl *nl = NULL;

    if (wish)
        setenv("SIXTAP_TAP_OFFLOAD", wish, 1);
    int err = tap_open("t0", mode, &mac, &t);
    unsetenv("SIXTAP_TAP_OFFLOAD");
    assert_int_equal(err, 0);
    assert_int_equal(nl_open(&nl), 0);
    assert_int_equal(nl_link_no_addresses(nl, tap_ifindex(t)), 0);
    assert_int_equal(nl_link_up(nl, tap_ifindex(t), MTU), 0);
    if (addr) {
        a.addr = pkt_ip6(addr);
        assert_int_equal(nl_addr_add(nl, tap_ifindex(t), &a), 0);
    }
    assert_int_equal(tap_set_carrier(t, true), 0);
    nl_close(nl);
    return t;
}

static void new_namespace(void)
{
    assert_int_equal(unshare(CLONE_NEWNET), 0);
}

/* move() - everything that waits at @from: cut to frames, joined again, written to @to
 * @joins: SUPER_* to join
 * Return: superframes among what was read */
static unsigned move(struct tap *from, struct tap *to, unsigned l2_len, unsigned joins)
{
    struct super in[TAP_BURST];
    struct segment_arena a = { arena_mem, sizeof(arena_mem), 0 };
    struct pkt pk[SLICE_MAX];
    unsigned supers = 0;
    bool more;
    int n = tap_read(from, in, TAP_BURST, &more);

    assert_true(n >= 0);
    for (int i = 0; i < n; i++)
        supers += in[i].vnet[1] != 0;
    struct segment_feed f = segment_feed_of(in, (unsigned)n, l2_len, drops);
    while (!segment_feed_done(&f)) {
        a.used = 0;
        unsigned k = segment_feed_next(&f, &a, pk, SLICE_MAX);
        for (unsigned i = 0; i < k; i++)
            assert_true(pk[i].len <= MTU + l2_len); /* fit for the wire */
        segment_join(&joined, l2_len, joins & tap_takes(to), pk, k);
        assert_int_equal(tap_write(to, joined.group, joined.n, joined.piece), joined.n);
    }
    return supers;
}

/* ---- the kernel's segmentation is the twin ---- */

static int packet_socket_vnet(unsigned ifindex)
{
    int fd = netns_packet_socket(ifindex), one = 1;

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
    return fd;
}

/* 0 and all ones are the same sum (RFC 1624 3); the kernel's TCP and ours may choose differently */
static void one_zero(uint8_t *field)
{
    if (be16_load(field) == 0xFFFF)
        be16_store(field, 0);
}

static void compare(const char *name, const struct flow *f, uint8_t flags, uint16_t gso, size_t len,
                    struct tap *t, int fd)
{
    static uint8_t frame[VNET_LEN + FLOW_FRAME_MAX];
    struct super s = flow_super(f, frame + VNET_LEN, flags, gso, payload, len), in[TAP_BURST];
    struct segment_arena a = { arena_mem, sizeof(arena_mem), 0 };
    struct segment_cut c;
    struct pkt ours[TAP_BURST];
    unsigned seen = 0;
    bool more;

    memcpy(frame, s.vnet, VNET_LEN);
    if (send(fd, frame, VNET_LEN + s.len, 0) != (ssize_t)(VNET_LEN + s.len))
        fail_msg("%s: not sent: %s", name, strerror(errno));
    assert_int_equal(segment_cut_open(&c, &s, 14), DROP_NONE);
    unsigned n = segment_cut_next(&c, &a, ours, TAP_BURST);
    assert_true(segment_cut_done(&c));
    mono_ns deadline = netns_now() + WAIT;
    while (seen < n && netns_wait(tap_fd(t), deadline)) {
        int k = tap_read(t, in, TAP_BURST, &more);
        for (int i = 0; i < k; i++) {
            if (in[i].len < 54 || memcmp(in[i].p, frame + VNET_LEN, 14) != 0)
                continue; /* the kernel's own */
            size_t field = flow_upper(f) + (f->proto == 6 ? 16 : 6);
            one_zero(in[i].p + field);
            one_zero(ours[seen].p + field);
            if (in[i].len != ours[seen].len || memcmp(in[i].p, ours[seen].p, in[i].len) != 0)
                fail_msg("%s: frame %u differs from the kernel's", name, seen);
            seen++;
        }
    }
    if (seen != n)
        fail_msg("%s: the kernel made %u frames, we %u", name, seen, n);
}

static void same_as_the_kernels(void **state)
{
    static const uint8_t stamps[12] = { 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 };
    static const uint8_t destopts[16] = { 6, 1, 1, 12 };
    static const uint8_t hop_dest[16] = { 60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4 };
    static const uint8_t flags[] = {
        ACK, ACK | 0x08, ACK | 0x01, ACK | 0x80, ACK | 0xc9, ACK | 0x40
    };
    (void)state;
    new_namespace();
    struct tap *t = open_tap(TAP_ETHERNET, "off", NULL, 1);
    int fd = packet_socket_vnet(tap_ifindex(t));
    struct flow f = { .l2_len = 14,
                      .src = "2001:db8::1",
                      .dst = "2001:db8::2",
                      .sport = 1000,
                      .dport = 2000,
                      .seq = UINT32_MAX - 3000,
                      .ack = 99,
                      .window = 512,
                      .hop_limit = 64,
                      .tos = 0x2e,
                      .label = 0x12345 };
    uint32_t seed = 11;
    for (unsigned i = 0; i < 200; i++) {
        const char *name = "TCP";
        f.proto = i % 4 == 3 && tap_gives(t) == 0 ? 17 : 6;
        f.opt_len = f.ext_len = 0;
        if (f.proto == 6 && i % 3)
            f.opts = stamps, f.opt_len = sizeof(stamps);
        if (f.proto == 6 && i % 5 == 0)
            name = "destination options", f.ext = destopts, f.ext_len = 16, f.ext_nh = 60;
        if (f.proto == 6 && i % 5 == 1)
            name = "hop-by-hop", f.ext = hop_dest, f.ext_len = 16, f.ext_nh = 0;
        if (f.proto == 17)
            name = "UDP";
        uint16_t gso = (uint16_t)(100 + pkt_rnd(&seed) % 1200);
        size_t len = gso + 1 + pkt_rnd(&seed) % (gso * 30u);
        compare(name, &f, f.proto == 6 ? flags[i % sizeof(flags)] : 0, gso, len, t, fd);
    }
    close(fd);
    tap_close(t);
}

/* ---- streams ---- */

static struct sockaddr_in6 address(const char *text)
{
    struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(7000) };

    inet_pton(AF_INET6, text, &sa.sin6_addr);
    return sa;
}

static int listen_tcp(void)
{
    struct sockaddr_in6 sa = address("::");
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

/* send_some() - of the pattern from @at on; returns how much */
static uint32_t send_some(int fd, uint32_t at)
{
    uint8_t buf[65536];
    uint32_t len = STREAM - at < sizeof(buf) ? STREAM - at : (uint32_t)sizeof(buf);

    for (uint32_t i = 0; i < len; i++)
        buf[i] = byte_at(at + i);
    ssize_t n = len ? send(fd, buf, len, MSG_NOSIGNAL) : 0;
    return n > 0 ? (uint32_t)n : 0;
}

static uint32_t take_some(int fd, uint32_t at)
{
    uint8_t buf[65536];
    ssize_t n = recv(fd, buf, sizeof(buf), 0);

    for (ssize_t i = 0; i < n; i++)
        if (buf[i] != byte_at(at + (uint32_t)i))
            fail_msg("octet %u of the stream is wrong", at + (unsigned)i);
    return n > 0 ? (uint32_t)n : 0;
}

static void stream(enum tap_mode mode, const char *wish_from, const char *wish_to, unsigned joins)
{
    struct sockaddr_in6 to = address("fd00::2");
    unsigned l2_len = mode == TAP_ETHERNET ? 14 : 0, supers = 0;

    new_namespace();
    struct tap *t1 = open_tap(mode, wish_to, "fd00::2", 2);
    int listener = listen_tcp(), in = -1;
    new_namespace();
    struct tap *t0 = open_tap(mode, wish_from, "fd00::1", 1);
    int out = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(connect(out, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS);
    uint32_t sent = 0, got = 0;
    mono_ns deadline = netns_now() + WAIT;
    while (got < STREAM && netns_now() < deadline) {
        if (in < 0)
            in = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        sent += send_some(out, sent);
        supers += move(t0, t1, l2_len, joins);
        move(t1, t0, l2_len, joins);
        if (in >= 0)
            got += take_some(in, got);
    }
    assert_int_equal(got, STREAM);
    for (unsigned i = 1; i < DROP_COUNT; i++)
        if (drops[i])
            fail_msg("%s: %llu", drop_name((enum drop)i), (unsigned long long)drops[i]);
    if (tap_gives(t0) & SUPER_TCP)
        assert_true(supers > 20);
    else
        assert_int_equal(supers, 0);
    if (tap_takes(t1) & joins & SUPER_TCP)
        assert_true(tap_stats(t1)->tx_super > 20);
    else
        assert_int_equal(tap_stats(t1)->tx_super, 0);
    assert_int_equal(tap_stats(t1)->tx_errors, 0);
    close(in);
    close(out);
    close(listener);
    tap_close(t0);
    tap_close(t1);
}

static void tcp_through_taps(void **state)
{
    (void)state;
    stream(TAP_ETHERNET, NULL, NULL, SUPER_TCP | SUPER_UDP);
    stream(TAP_ETHERNET, NULL, NULL, 0);
    stream(TAP_ETHERNET, NULL, "off", SUPER_TCP);
    stream(TAP_ETHERNET, "off", NULL, SUPER_TCP);
    stream(TAP_ETHERNET, "none", "tcp", SUPER_TCP);
    stream(TAP_ETHERNET, "off", "off", SUPER_TCP);
}

static void tcp_through_tuns(void **state)
{
    (void)state;
    stream(TAP_IP, NULL, NULL, SUPER_TCP | SUPER_UDP);
    stream(TAP_IP, "off", "off", SUPER_TCP);
}

/* Datagrams of a UDP_SEGMENT send come out one by one, each with its own length. */
static void udp_through_taps(void **state)
{
    struct sockaddr_in6 to = address("fd00::2"), any = address("::");
    int gso = 1000;

    (void)state;
    new_namespace();
    struct tap *t1 = open_tap(TAP_ETHERNET, NULL, "fd00::2", 2);
    int in = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(in, (struct sockaddr *)&any, sizeof(any)), 0);
    new_namespace();
    struct tap *t0 = open_tap(TAP_ETHERNET, NULL, "fd00::1", 1);
    int out = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (setsockopt(out, IPPROTO_UDP, UDP_SEGMENT, &gso, sizeof(gso)) < 0)
        skip();
    unsigned supers = 0, n = 0;
    for (unsigned turn = 0; turn < 20; turn++) {
        size_t len = 30000 + turn * 7;
        assert_int_equal(sendto(out, payload, len, 0, (struct sockaddr *)&to, sizeof(to)), len);
        size_t got = 0;
        mono_ns deadline = netns_now() + WAIT;
        while (got < len && netns_now() < deadline) {
            uint8_t buf[2000];
            ssize_t k;
            supers += move(t0, t1, 14, SUPER_TCP | SUPER_UDP);
            move(t1, t0, 14, SUPER_TCP | SUPER_UDP);
            while ((k = recv(in, buf, sizeof(buf), 0)) > 0) {
                assert_int_equal(k, len - got < 1000 ? len - got : 1000);
                assert_memory_equal(buf, payload + got, (size_t)k);
                got += (size_t)k;
                n++;
            }
        }
        assert_int_equal(got, len);
    }
    assert_int_equal(n, 20 * 31 - 1);
    if (tap_gives(t0) & SUPER_UDP) {
        assert_true(supers >= 20);
        assert_true(tap_stats(t1)->tx_super >= 20);
    }
    close(in);
    close(out);
    tap_close(t0);
    tap_close(t1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(same_as_the_kernels, need_netns),
        cmocka_unit_test_setup(tcp_through_taps, need_netns),
        cmocka_unit_test_setup(tcp_through_tuns, need_netns),
        cmocka_unit_test_setup(udp_through_taps, need_netns),
    };
    uint32_t seed = 3;

    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)pkt_rnd(&seed);
    have_netns = netns_enter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
