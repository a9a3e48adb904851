/* SPDX-License-Identifier: MIT */
/* test_tap.c - TAP and TUN on the real kernel, in a namespace of its own */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "netns.h"
#include "proto/host/netlink.h"
#include "proto/host/tap.h"

#define WAIT (2 * NS_PER_S)
#define N(a) (sizeof(a) / sizeof((a)[0]))

static bool have_netns;
static struct nl *nl;
static const struct mac mac_a = { { 0x02, 1, 2, 3, 4, 5 } };
static const struct mac mac_b = { { 0x06, 9, 8, 7, 6, 5 } };

static int need_netns(void **state)
{
    (void)state;
    if (!have_netns)
        skip();
    return 0;
}

static void names(void **state)
{
    static const struct {
        const char *name;
        bool ok;
    } row[] = {
        { "tap6", true },
        { "a", true },
        { "fifteen-octets-", true },
        { "sixteen-octets--", false },
        { "", false },
        { ".", false },
        { "..", false },
        { "...", true },
        { "a/b", false },
        { "a:b", false },
        { "tap%d", false },
        { "a b", false },
        { "a\tb", false },
        { "a\n", false },
        { "a\x7f", false },
        { "a\xa0", false },
        { "t\xc3\xa4p", true },
        { "eth0.100", true },
    };

    (void)state;
    for (size_t i = 0; i < N(row); i++)
        if (tap_name_ok(row[i].name) != row[i].ok)
            fail_msg("name \"%s\": expected %d", row[i].name, row[i].ok);
}

static struct tap *open_up(enum tap_mode mode, uint32_t mtu)
{
    struct tap *t = NULL;

    assert_int_equal(tap_open("t0", mode, &mac_a, &t), 0);
    assert_int_equal(nl_link_no_addresses(nl, tap_ifindex(t)), 0);
    assert_int_equal(nl_link_up(nl, tap_ifindex(t), mtu), 0);
    assert_int_equal(tap_set_carrier(t, true), 0);
    return t;
}

static void open_is_bare_and_close_removes(void **state)
{
    struct tap *t = NULL, *second = NULL;
    struct nl_link link;
    struct mac mac;

    (void)state;
    assert_int_equal(tap_open("bad name", TAP_ETHERNET, NULL, &t), -EINVAL);
    assert_null(t);
    assert_int_equal(tap_open("t0", TAP_ETHERNET, &mac_a, &t), 0);
    assert_string_equal(tap_name(t), "t0");
    assert_int_equal(tap_open("t0", TAP_ETHERNET, &mac_a, &second), -EEXIST);
    assert_int_equal(tap_open("t0", TAP_IP, NULL, &second), -EEXIST);
    assert_int_equal(tap_open("lo", TAP_ETHERNET, &mac_a, &second), -EEXIST);
    assert_null(second);

    assert_int_equal(nl_link_up(nl, tap_ifindex(t), 1280), 0);
    assert_int_equal(nl_link_get_name(nl, "t0", &link), 0);
    assert_int_equal(link.ifindex, tap_ifindex(t));
    assert_true(link.up);
    assert_false(link.carrier);
    assert_int_equal(link.mtu, 1280);
    assert_memory_equal(link.mac.b, mac_a.b, MAC_LEN);

    assert_int_equal(tap_set_carrier(t, true), 0);
    assert_int_equal(nl_link_get(nl, tap_ifindex(t), &link), 0);
    assert_true(link.carrier);
    assert_int_equal(tap_set_mac(t, mac_b), 0);
    assert_int_equal(tap_get_mac(t, &mac), 0);
    assert_memory_equal(mac.b, mac_b.b, MAC_LEN);
    assert_int_equal(tap_set_carrier(t, false), 0);
    assert_int_equal(nl_link_get(nl, tap_ifindex(t), &link), 0);
    assert_false(link.carrier);
    assert_memory_equal(link.mac.b, mac_b.b, MAC_LEN);

    tap_close(t);
    tap_close(NULL);
    assert_int_equal(nl_link_get_name(nl, "t0", &link), -ENODEV);
}

/* send_frames() - @n frames through the link, told apart by octets 14 and 15 */
static void send_frames(int fd, unsigned first, unsigned n, size_t len)
{
    uint8_t frame[16384] = { 0x33, 0x33, 0, 0, 0, 1, 2, 1, 2, 3, 4, 5, 0x86, 0xdd };

    for (unsigned i = first; i < first + n; i++) {
        be16_store(frame + 14, (uint16_t)i);
        assert_int_equal(send(fd, frame, len, 0), (ssize_t)len);
    }
}

static bool is_ours(const struct super *p, unsigned number, size_t len)
{
    return p->len == len && be16_load(p->p + 12) == 0x86dd && be16_load(p->p + 14) == number;
}

static void bursts_with_room_around(void **state)
{
    struct tap *t = open_up(TAP_ETHERNET, 1500);
    int fd = netns_packet_socket(tap_ifindex(t));
    struct super p[TAP_BURST + 1];
    bool more;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(tap_read(t, p, TAP_BURST, &more), 0);
    send_frames(fd, 0, TAP_BURST + 6, 1514);
    int n = tap_read(t, p, TAP_BURST + 1, &more);
    assert_int_equal(n, TAP_BURST);
    /* what an engine writes around one frame must not reach another */
    for (unsigned i = 0; i < TAP_BURST; i++) {
        memset(p[i].p - PKT_ROOM_TAP, 0xee, PKT_ROOM_TAP);
        memset(p[i].p + p[i].len, 0xee, PKT_ROOM_BEHIND);
    }
    for (unsigned i = 0; i < TAP_BURST; i++)
        assert_true(is_ours(&p[i], i, 1514));
    assert_int_equal(tap_read(t, p, 4, &more), 4);
    assert_true(is_ours(&p[0], TAP_BURST, 1514));
    assert_int_equal(tap_read(t, p, 4, &more), 2);
    assert_int_equal(tap_read(t, p, 4, &more), 0);
    assert_int_equal(tap_stats(t)->rx, TAP_BURST + 6);
    close(fd);
    tap_close(t);
}

static void longest_and_too_long(void **state)
{
    setenv("SIXTAP_TAP_OFFLOAD", "off", 1);
    struct tap *t = open_up(TAP_ETHERNET, 12000);
    unsetenv("SIXTAP_TAP_OFFLOAD");
    int fd = netns_packet_socket(tap_ifindex(t));
    struct super p[8];
    bool more;

    (void)state;
    assert_int_equal(tap_takes(t) | tap_gives(t), 0);
    send_frames(fd, 1, 1, TAP_FRAME_MAX);
    send_frames(fd, 2, 1, TAP_FRAME_MAX + 1);
    send_frames(fd, 3, 1, 12000);
    send_frames(fd, 4, 1, 60);
    assert_int_equal(tap_read(t, p, 8, &more), 2);
    assert_true(is_ours(&p[0], 1, TAP_FRAME_MAX));
    assert_true(is_ours(&p[1], 4, 60));
    assert_int_equal(tap_stats(t)->rx_oversize, 2);
    close(fd);
    tap_close(t);
}

static void written_frames_arrive(void **state)
{
    struct tap *t = open_up(TAP_ETHERNET, 1500);
    int fd = netns_packet_socket(tap_ifindex(t));
    uint8_t frame[2][64] = { { 0x33, 0x33, 0, 0, 0, 1, 6, 1, 1, 1, 1, 1, 0x86, 0xdd, 0, 1 },
                             { 0x33, 0x33, 0, 0, 0, 1, 6, 1, 1, 1, 1, 1, 0x86, 0xdd, 0, 2 } };
    /* the middle one is shorter than an Ethernet header: refused, and the rest still goes */
    const struct pkt p[] = { { frame[0], 64 }, { frame[0], 7 }, { frame[1], 64 } };
    const struct gather g[] = { { .first = 0, .n = 1 },
                                { .first = 1, .n = 1 },
                                { .first = 2, .n = 1 } };
    uint8_t got[128];
    unsigned seen = 0;

    (void)state;
    assert_int_equal(tap_write(t, g, 3, p), 2);
    assert_int_equal(tap_stats(t)->tx, 2);
    assert_int_equal(tap_stats(t)->tx_errors, 1);
    mono_ns deadline = netns_now() + WAIT;
    while (seen < 2 && netns_wait(fd, deadline)) {
        ssize_t n = recv(fd, got, sizeof(got), 0);
        if (n == 64 && got[6] == 6) {
            assert_memory_equal(got, frame[seen], 64);
            seen++;
        }
    }
    assert_int_equal(seen, 2);

    assert_int_equal(nl_link_down(nl, tap_ifindex(t)), 0);
    assert_int_equal(tap_write(t, g, 1, p), 0);
    assert_int_equal(tap_stats(t)->tx_down, 1);
    struct super in;
    bool more;
    assert_int_equal(tap_read(t, &in, 1, &more), 0);
    close(fd);
    tap_close(t);
}

static void tun_has_no_ethernet(void **state)
{
    struct tap *t = open_up(TAP_IP, 1400);
    uint8_t udp[48] = { 0x60, [5] = 8, [6] = 17, [7] = 64 };
    int fd = netns_packet_socket(tap_ifindex(t));
    struct super p[8];
    bool more;
    struct mac mac;

    (void)state;
    assert_int_equal(tap_set_mac(t, mac_b), -EOPNOTSUPP);
    assert_int_equal(tap_get_mac(t, &mac), -EOPNOTSUPP);
    struct sockaddr_ll to = { .sll_family = AF_PACKET,
                              .sll_protocol = htons(ETH_P_IPV6),
                              .sll_ifindex = (int)tap_ifindex(t) };
    assert_int_equal(sendto(fd, udp, sizeof(udp), 0, (struct sockaddr *)&to, sizeof(to)), 48);
    int n = tap_read(t, p, 8, &more);
    bool seen = false;
    for (int i = 0; i < n; i++)
        seen |= p[i].len == 48 && memcmp(p[i].p, udp, 48) == 0;
    assert_true(seen);
    close(fd);
    tap_close(t);
}

static void deleted_under_us(void **state)
{
    struct tap *t = open_up(TAP_ETHERNET, 1500);
    uint8_t frame[64] = { 0x33, 0x33, [12] = 0x86, 0xdd };
    const struct pkt out = { frame, sizeof(frame) };
    const struct gather one = { .n = 1 };
    struct super in;
    struct mac mac;
    bool more;

    (void)state;
    assert_int_equal(netns_delete_link(tap_ifindex(t)), 0);
    assert_true(netns_wait(tap_fd(t), netns_now() + WAIT)); /* a poller wakes up */
    assert_int_equal(tap_read(t, &in, 1, &more), -ENODEV);
    assert_int_equal(tap_read(t, &in, 1, &more), -ENODEV);
    assert_int_equal(tap_write(t, &one, 1, &out), -ENODEV);
    assert_int_equal(tap_set_mac(t, mac_b), -ENODEV);
    assert_int_equal(tap_get_mac(t, &mac), -ENODEV);
    assert_int_equal(tap_set_carrier(t, true), -ENODEV);
    tap_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test_setup(open_is_bare_and_close_removes, need_netns),
        cmocka_unit_test_setup(bursts_with_room_around, need_netns),
        cmocka_unit_test_setup(longest_and_too_long, need_netns),
        cmocka_unit_test_setup(written_frames_arrive, need_netns),
        cmocka_unit_test_setup(tun_has_no_ethernet, need_netns),
        cmocka_unit_test_setup(deleted_under_us, need_netns),
    };

    have_netns = netns_enter() && nl_open(&nl) == 0;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nl_close(nl);
    return failed;
}
