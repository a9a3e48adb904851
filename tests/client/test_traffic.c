/* SPDX-License-Identifier: MIT */
/* test_traffic.c - frames of the TAP to DATA and back */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "client/traffic.h"
#include "fake_router.h"
#include "proto/mac.h"

#define OWN    "\x02\x01\x02\x03\x04\x05"
#define ROUTER "\xc6\x12\x00\x01\x19\x40"
#define PEER   "\x0a\x01\x02\x03\x04\x05"
#define GROUP  "\x33\x33\x00\x00\x00\x01"
#define IP6    "\x86\xdd"

static const struct ip6 addr_a = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };
static const struct ip6 addr_b = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 2 } };

static const uint8_t peer_mac[6] = { 0x0a, 1, 2, 3, 4, 5 };

static struct device_want want(void)
{
    struct device_want d = { .mtu = 1300 };

    memcpy(d.mac.b, OWN, 6);
    memcpy(d.router_mac.b, ROUTER, 6);
    return d;
}

static void test_up(void **state)
{
    static const struct {
        const char *what, *dst, *src, *type;
        unsigned ip_len, pad; /* octets of IPv6, of padding behind */
        enum drop why;
        enum wire_kind kind;
        const char *mac; /* the six octets, NULL none */
    } rows[] = {
        { "to the router", ROUTER, OWN, IP6, 100, 0, DROP_NONE, KIND_HOST, NULL },
        { "to a peer", PEER, OWN, IP6, 100, 0, DROP_NONE, KIND_PEER, PEER },
        { "to a group", GROUP, OWN, IP6, 100, 0, DROP_NONE, KIND_MULTICAST, "\0\0\0\0\0\0" },
        { "padded (H62)", PEER, OWN, IP6, 40, 6, DROP_NONE, KIND_PEER, PEER },
        { "largest", PEER, OWN, IP6, 1300, 0, DROP_NONE, KIND_PEER, PEER },
        { "largest, padded", PEER, OWN, IP6, 1300, 9, DROP_NONE, KIND_PEER, PEER },
        { "too large (H47)", PEER, OWN, IP6, 1301, 0, DROP_TOO_BIG, 0, NULL },
        { "of somebody else (H48)", PEER, "\x02\x01\x02\x03\x04\x06", IP6, 100, 0, DROP_FRAME_MAC,
          0, NULL },
        { "of the router (H48)", PEER, ROUTER, IP6, 100, 0, DROP_FRAME_MAC, 0, NULL },
        { "of a group (H48)", PEER, GROUP, IP6, 100, 0, DROP_FRAME_MAC, 0, NULL },
        { "of nobody (H48)", PEER, "\0\0\0\0\0\0", IP6, 100, 0, DROP_FRAME_MAC, 0, NULL },
        { "to ourselves (H73)", OWN, OWN, IP6, 100, 0, DROP_FRAME_MAC, 0, NULL },
        { "IPv4 (H67)", PEER, OWN, "\x08\x00", 100, 0, DROP_ETHERTYPE, 0, NULL },
        { "ARP (H67)", "\xff\xff\xff\xff\xff\xff", OWN, "\x08\x06", 100, 0, DROP_ETHERTYPE, 0,
          NULL },
        { "802.1Q (H68)", PEER, OWN, "\x81\x00", 100, 0, DROP_ETHERTYPE, 0, NULL },
        { "LLC (H67)", PEER, OWN, "\x00\x26", 100, 0, DROP_ETHERTYPE, 0, NULL },
        { "no IPv6 header (H46)", PEER, OWN, IP6, 39, 0, DROP_FRAME_SHORT, 0, NULL },
        { "14 octets only (H46)", PEER, OWN, IP6, 0, 0, DROP_FRAME_SHORT, 0, NULL },
    };
    (void)state;
    struct device_want d = want();

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t buf[PKT_HEADROOM + 2000], ip[2000] = { 0 };
        struct pkt f = { .p = buf + PKT_HEADROOM, .len = 14 + rows[i].ip_len + rows[i].pad };
        struct pkt out;
        uint8_t kind;

        memset(buf, 0xee, sizeof(buf));
        if (rows[i].ip_len >= 40)
            ip6_packet(ip, rows[i].ip_len, addr_a, addr_b);
        else
            ip[0] = 0x60;
        memcpy(f.p, rows[i].dst, 6);
        memcpy(f.p + 6, rows[i].src, 6);
        memcpy(f.p + 12, rows[i].type, 2);
        memcpy(f.p + 14, ip, rows[i].ip_len);
        enum drop why = traffic_up(&d, &f, &(struct traffic_flow){ .kind = 0 }, &out, &kind);
        if (why != rows[i].why)
            fail_msg("%s: %s", rows[i].what, drop_name(why));
        if (why != DROP_NONE)
            continue;
        assert_int_equal(kind, rows[i].kind);
        uint8_t *p = out.p + DATA_HDR_LEN;
        assert_true(out.p >= buf);
        if (rows[i].mac) {
            assert_memory_equal(p, rows[i].mac, 6);
            p += 6;
        }
        assert_ptr_equal(p, buf + PKT_HEADROOM + 14); /* in place */
        assert_memory_equal(p, ip, rows[i].ip_len);
        assert_int_equal(out.len, rows[i].ip_len + (rows[i].mac ? 6 : 0));
    }
    /* every length below a whole Ethernet header */
    for (uint32_t len = 0; len < 14; len++) {
        uint8_t buf[PKT_HEADROOM + 14] = { 0 };
        struct pkt f = { .p = buf + PKT_HEADROOM, .len = len }, out;
        uint8_t kind;
        assert_int_equal(traffic_up(&d, &f, &(struct traffic_flow){ .kind = 0 }, &out, &kind),
                         DROP_FRAME_SHORT);
    }
}

static void test_down(void **state)
{
    static const struct {
        const char *what;
        enum wire_kind kind;
        const char *mac;
        bool group; /* IPv6 destination ff02::1 */
        unsigned cut;
        enum drop why;
        const char *dst, *src;
    } rows[] = {
        { "from the router", KIND_HOST, "", false, 0, DROP_NONE, OWN, ROUTER },
        { "from the router to a group", KIND_HOST, "", true, 0, DROP_NONE, GROUP, ROUTER },
        { "from a peer", KIND_PEER, PEER, false, 0, DROP_NONE, OWN, PEER },
        { "from a peer to a group", KIND_MULTICAST, PEER, true, 0, DROP_NONE, GROUP, PEER },
        { "peer, but to a group", KIND_PEER, PEER, true, 0, DROP_DST_INVALID, NULL, NULL },
        { "group, but to a host", KIND_MULTICAST, PEER, false, 0, DROP_DST_INVALID, NULL, NULL },
        { "from a group MAC", KIND_PEER, GROUP, false, 0, DROP_FRAME_MAC, NULL, NULL },
        { "from no MAC", KIND_PEER, "\0\0\0\0\0\0", false, 0, DROP_FRAME_MAC, NULL, NULL },
        { "from ourselves", KIND_PEER, OWN, false, 0, DROP_FRAME_MAC, NULL, NULL },
        { "cut", KIND_PEER, PEER, false, 1, DROP_IP_LENGTH, NULL, NULL },
        { "cut in the header", KIND_HOST, "", false, 61, DROP_FRAME_SHORT, NULL, NULL },
        { "nothing", KIND_HOST, "", false, 100, DROP_FRAME_SHORT, NULL, NULL },
        { "a MAC alone", KIND_PEER, PEER, false, 100, DROP_FRAME_SHORT, NULL, NULL },
    };
    (void)state;
    struct device_want d = want();

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t buf[PKT_HEADROOM + 300], ip[100];
        unsigned mac_len = rows[i].kind == KIND_HOST ? 0 : 6;
        struct dgram in = { .p = buf + PKT_HEADROOM,
                            .len = (uint16_t)(32 + mac_len + 100 - rows[i].cut) };
        struct pkt f;

        ip6_packet(ip, sizeof(ip), addr_a, rows[i].group ? ip6_all_nodes : addr_b);
        wire_put_data(in.p, rows[i].kind, 1, 2);
        memcpy(in.p + 16, rows[i].mac, mac_len);
        memcpy(in.p + 16 + mac_len, ip, 100);
        enum drop why = traffic_down(&d, &in, &(struct traffic_flow){ .kind = 0 }, &f);
        if (why != rows[i].why)
            fail_msg("%s: %s", rows[i].what, drop_name(why));
        if (why != DROP_NONE)
            continue;
        assert_int_equal(f.len, 114);
        assert_memory_equal(f.p, rows[i].dst, 6);
        assert_memory_equal(f.p + 6, rows[i].src, 6);
        assert_memory_equal(f.p + 12, IP6, 2);
        assert_memory_equal(f.p + 14, ip, 100);
        assert_true(f.p >= buf);
    }
}

/* ---- with the frame before remembered ---- */

/* A UDP packet of @len octets with one thing in @what changed. */
static void udp_variant(uint8_t *ip, unsigned len, unsigned what)
{
    ip6_packet(ip, len, addr_a, addr_b);
    ip[6] = NH_UDP;
    memset(ip + 40, 0x11, 4);
    if (what == 1)
        ip[43] ^= 1;
    if (what == 2)
        ip[39] ^= 1;
    if (what == 3)
        be16_store(ip + 4, (uint16_t)len); /* longer than it is */
    if (what == 4)
        be16_store(ip + 4, 20); /* padded */
    if (what == 5)
        ip[6] = NH_DSTOPTS;
    if (what == 6)
        ip[24] = 0xff;
}

/* same_came() - of @one, with what was remembered of those before it, and of its copy @two, alone:
 * verdicts, buffers of @size octets and frames are equal. Returns whether it was taken. */
static bool same_came(enum drop w1, enum drop w2, const uint8_t *one, const uint8_t *two,
                      size_t size, const struct pkt *o1, const struct pkt *o2)
{
    assert_int_equal(w1, w2);
    assert_memory_equal(one, two, size);
    if (w1 != DROP_NONE)
        return false;
    assert_int_equal(o1->len, o2->len);
    assert_int_equal(o1->p - one, o2->p - two);
    return true;
}

/* Each frame with what was remembered of those before, and alone: the same answer. */
static void test_up_next(void **state)
{
    static const char *const dsts[] = { PEER, PEER, PEER, ROUTER, GROUP, OWN };
    struct traffic_flow fl = { .kind = 0 };
    struct device_want d = want();
    unsigned taken = 0;

    (void)state;
    srand(5);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t one[PKT_HEADROOM + 2000] = { 0 }, two[PKT_HEADROOM + 2000], k1 = 9, k2 = 9;
        unsigned len = (unsigned)rand() % 6 ? 500 : 1280 + (unsigned)rand() % 40;
        struct pkt f = { .p = one + PKT_HEADROOM, .len = 14 + len }, g = f, o1, o2;

        memcpy(f.p, dsts[(unsigned)rand() % 6], 6);
        memcpy(f.p + 6, rand() % 8 ? OWN : PEER, 6);
        memcpy(f.p + 12, rand() % 8 ? IP6 : "\x08\x00", 2);
        udp_variant(f.p + 14, len, rand() % 3 ? 0 : (unsigned)rand() % 7);
        memcpy(two, one, sizeof(two));
        g.p = two + PKT_HEADROOM;
        enum drop w1 = traffic_up(&d, &f, &fl, &o1, &k1);
        enum drop w2 = traffic_up(&d, &g, &(struct traffic_flow){ .kind = 0 }, &o2, &k2);
        assert_int_equal(k1, k2);
        taken += same_came(w1, w2, one, two, sizeof(one), &o1, &o2);
    }
    assert_true(taken > 5000);
}

static void test_down_next(void **state)
{
    static const char *const srcs[] = { PEER, PEER, PEER, "\x0a\x01\x02\x03\x04\x06", GROUP };
    static const enum wire_kind kinds[] = { KIND_PEER, KIND_PEER, KIND_HOST, KIND_MULTICAST };
    struct traffic_flow fl = { .kind = 0 };
    struct device_want d = want();
    unsigned taken = 0;

    (void)state;
    srand(6);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t one[PKT_HEADROOM + 400] = { 0 }, two[PKT_HEADROOM + 400];
        enum wire_kind kind = kinds[(unsigned)rand() % 4];
        unsigned mac_len = kind == KIND_HOST ? 0 : 6;
        struct dgram a = { .p = one + PKT_HEADROOM, .len = (uint16_t)(32 + mac_len + 200) }, b = a;
        struct pkt o1, o2;

        wire_put_data(a.p, kind, 1, 2);
        memcpy(a.p + 16, srcs[(unsigned)rand() % 5], mac_len);
        udp_variant(a.p + 16 + mac_len, 200, rand() % 3 ? 0 : (unsigned)rand() % 7);
        memcpy(two, one, sizeof(two));
        b.p = two + PKT_HEADROOM;
        enum drop w1 = traffic_down(&d, &a, &fl, &o1);
        enum drop w2 = traffic_down(&d, &b, &(struct traffic_flow){ .kind = 0 }, &o2);
        taken += same_came(w1, w2, one, two, sizeof(one), &o1, &o2);
    }
    assert_true(taken > 5000);
}

/* Through the engine: sealed, opened by the router, and back; counted. */
static void test_through(void **state)
{
    static struct world w;
    struct mac peer;
    uint8_t plain[106];
    (void)state;

    world_init(&w);
    world_start(&w);
    world_tap(&w, w.r.settings.router_mac, 100); /* no carrier yet */
    assert_int_equal(w.e.drop[DROP_NOT_UP], 1);
    world_run(&w, time_s(1));
    memcpy(peer.b, PEER, 6);
    world_tap(&w, w.r.settings.router_mac, 100);
    assert_int_equal(w.r.last_kind, KIND_HOST);
    assert_int_equal(w.r.last_len, 100);
    world_tap(&w, peer, 100);
    assert_int_equal(w.r.last_kind, KIND_PEER);
    assert_int_equal(w.r.last_len, 106);
    assert_memory_equal(w.r.last_plain, PEER, 6);
    assert_int_equal(w.e.tap_tx_packets, 2);
    assert_int_equal(w.e.tap_tx_octets, 100 + 106);

    memcpy(plain, peer_mac, 6);
    ip6_packet(plain + 6, 100, addr_b, addr_a);
    router_data(&w, KIND_PEER, plain, sizeof(plain));
    world_run(&w, w.rtt);
    assert_int_equal(w.frames, 1);
    assert_int_equal(w.frame_len, 114);
    assert_memory_equal(w.frame, w.r.settings.mac.b, 6);
    assert_memory_equal(w.frame + 6, PEER, 6);
    assert_memory_equal(w.frame + 14, plain + 6, 100);
    assert_int_equal(w.e.tap_rx_packets, 1);
    world_free(&w);
}

/* A burst of 64 goes through as one; more than there is room for is counted. */
static void test_burst(void **state)
{
    static struct world w;
    static uint8_t buf[BURST_MAX][PKT_HEADROOM + 200 + PKT_TAILROOM];
    struct pkt f[BURST_MAX];
    (void)state;

    world_init(&w);
    world_login(&w);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < BURST_MAX; i++) {
            f[i] = (struct pkt){ .p = buf[i] + PKT_HEADROOM, .len = 114 };
            memcpy(f[i].p, w.r.settings.router_mac.b, 6);
            memcpy(f[i].p + 6, w.r.settings.mac.b, 6);
            memcpy(f[i].p + 12, IP6, 2);
            ip6_packet(f[i].p + 14, 100, addr_a, addr_b);
            f[i].p[14 + 99] = (uint8_t)i;
        }
        w.out.cap_dg = round ? 40 : 256;
        uint64_t before = w.e.tap_tx_packets;
        client_engine_tap(&w.e, w.now, &w.rnd, f, BURST_MAX, &w.out);
        assert_int_equal(w.out.n_dg, round ? 40 : 64);
        assert_int_equal(w.e.tap_tx_packets - before, w.out.n_dg);
        assert_int_equal(w.e.drop[DROP_NO_ROOM], round ? 24 : 0);
        for (unsigned i = 1; i < w.out.n_dg; i++)
            assert_int_equal(wire_data_counter(w.out.dg[i].p),
                             wire_data_counter(w.out.dg[i - 1].p) + 1);
        world_tick(&w);
        assert_int_equal(w.r.last_plain[99], round ? 39 : 63);
    }
    world_free(&w);
}

/* Down: bit flips, replays, runts, foreign indices: counted, no frame, nothing sent. */
static void test_hostile(void **state) /* R65 */
{
    static struct world w;
    uint8_t plain[106], copy[200];
    (void)state;

    world_init(&w);
    world_login(&w);
    memcpy(plain, peer_mac, 6);
    ip6_packet(plain + 6, 100, addr_b, addr_a);
    router_data(&w, KIND_PEER, plain, sizeof(plain));
    size_t len = w.flight[0].len;
    memcpy(copy, w.flight[0].buf + PKT_HEADROOM, len);
    w.n_flight = 0;
    unsigned sent = w.n_sent;
    for (unsigned bit = 0; bit < 8 * len; bit++) {
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        world_give(&w, copy, len, w.live, 0);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < len; cut++)
        world_give(&w, copy, cut, w.live, 0);
    for (unsigned b = 0; b < 256; b++) {
        uint8_t one = (uint8_t)b;
        world_give(&w, &one, 1, w.live, 0);
    }
    assert_int_equal(w.frames, 0);
    assert_int_equal(w.n_sent, sent);
    assert_true(w.e.drop[DROP_OPEN] > 500 && w.e.drop[DROP_INDEX] >= 32);
    assert_true(w.e.drop[DROP_RUNT] >= 256 && w.e.drop[DROP_TYPE] > 32);
    world_give(&w, copy, len, w.live, 0);
    assert_int_equal(w.frames, 1);
    uint64_t replays = w.e.drop[DROP_REPLAY]; /* a flipped counter may be one seen before */
    world_give(&w, copy, len, w.live, 0);
    assert_int_equal(w.frames, 1);
    assert_int_equal(w.e.drop[DROP_REPLAY], replays + 1);
    assert_int_equal(w.e.state, CLIENT_UP);
    world_free(&w);
}

/* Control messages: malformed ones and what only a router is told change nothing. */
static void test_control(void **state)
{
    static struct world w;
    static const struct {
        const char *octets;
        size_t len;
        unsigned drops;
    } rows[] = {
        { "\x00\x47\x00\x08\0\x10\0\x04\0\0\0\0", 12, 1 }, /* settings without a MAC */
        { "\x00\x47\x00\x40", 4, 1 },                      /* longer than there is */
        { "\x00\x40\x00\x02\x00\x10", 6, 1 },              /* CONFIRM below the least size */
        { "\x00\x46\x00\x02\x05\x14", 6, 1 },              /* MTU_SET, to a client */
        { "\x01\x00\x00\x03xyz", 7, 0 },                   /* unknown: skipped */
        { "\x00\x49\x00\x3c"
          "012345678901234567890123456789012345678901234567890123456789",
          64, 1 },
    };
    (void)state;

    world_init(&w);
    world_login(&w);
    uint32_t serial = client_engine_want(&w.e)->serial;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t before = 0, after = 0;
        for (unsigned k = 1; k < DROP_COUNT; k++)
            before += w.e.drop[k];
        router_data(&w, KIND_CONTROL, (const uint8_t *)rows[i].octets, rows[i].len);
        world_run(&w, w.rtt);
        for (unsigned k = 1; k < DROP_COUNT; k++)
            after += w.e.drop[k];
        assert_int_equal(after - before, rows[i].drops);
    }
    assert_int_equal(client_engine_want(&w.e)->serial, serial);
    assert_int_equal(w.e.drop[DROP_NONE], 0);
    world_free(&w);
}

/* The router sends @s, @times times. */
static void send_settings(struct world *w, const struct settings *s, unsigned times)
{
    uint8_t body[SETTINGS_MAX];
    bool partial;
    struct control c = { .type = TLV_SETTINGS, .body = body };

    c.body_len = (uint16_t)wire_put_settings(body, sizeof(body), s, &partial);
    assert_false(partial);
    for (unsigned i = 0; i < times; i++)
        router_control(w, &c, 0);
    world_run(w, time_ms(100));
}

/* A settings message changes addresses, routes and the MTU in place. */
static void test_settings(void **state)
{
    static struct world w;
    (void)state;

    world_init(&w);
    world_login(&w);
    struct settings s = w.r.settings;
    s.seen = w.e.settings.seen;
    s.address[1] = (struct seg_addr){ .addr = addr_a, .plen = 64 };
    s.n_address = 2;
    s.route[0] = (struct prefix){ .addr = { { 0x20, 0x01, 0x0d, 0xb9 } }, .len = 32 };
    s.n_route = 1;
    s.mtu_max = 1300;
    s.segment_flags = SEGMENT_ON_LINK; /* the uplink is gone */
    send_settings(&w, &s, 1);
    const struct device_want *d = client_engine_want(&w.e);
    assert_int_equal(d->n_address, 2);
    assert_int_equal(d->n_route, 1);
    assert_int_equal(d->mtu, 1300);
    assert_int_equal(w.r.mtu_set, 1300);
    assert_true(d->carrier && !d->default_route);
    assert_int_equal(world_count(&w, EVENT_CARRIER), 1);
    uint32_t serial = d->serial;
    send_settings(&w, &s, 1); /* the same again changes nothing */
    assert_int_equal(d->serial, serial);
    assert_int_equal(world_count(&w, EVENT_SETTINGS_CHANGED), 1);
    world_free(&w);
}

/* Settings that make no sense change nothing, and are complained of once. */
static void test_settings_refused(void **state)
{
    static struct world w;
    (void)state;

    world_init(&w);
    world_login(&w);
    uint32_t serial = client_engine_want(&w.e)->serial;
    for (unsigned round = 1; round <= 2; round++) {
        struct settings s = w.r.settings;
        s.seen = w.e.settings.seen;
        s.dns[0] = (struct ip6){ { [15] = 1 } };
        s.n_dns = 1;
        send_settings(&w, &s, 3);
        assert_int_equal(world_count(&w, EVENT_SETTINGS_REFUSED), round);
        assert_int_equal(client_engine_want(&w.e)->serial, serial);
        assert_int_equal(w.e.settings.n_dns, w.r.settings.n_dns);
        s.n_dns = 0; /* good ones: a complaint may come again */
        send_settings(&w, &s, 1);
    }
    world_free(&w);
}

static void test_events(void **state)
{
    struct events es = { 0 };
    struct client_event ev;
    (void)state;

    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < EVENTS_MAX + 5; i++)
            event_add(&es, (struct client_event){ .kind = EVENT_MTU, .a = i });
        assert_int_equal(es.lost, 5 * (round + 1));
        for (uint32_t i = 0; i < EVENTS_MAX; i++) {
            assert_true(event_take(&es, &ev));
            assert_int_equal(ev.a, i); /* the oldest stay */
        }
        assert_false(event_take(&es, &ev));
        event_add(&es, ev); /* start the next round elsewhere in the ring */
        assert_true(event_take(&es, &ev));
    }
    assert_string_equal(event_name(EVENT_HOLD_OVER), "hold_over");
    assert_string_equal(event_name(EVENT_KINDS), "unknown");
    assert_int_equal(event_level(EVENT_SILENCE), EVENT_WARN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up),       cmocka_unit_test(test_down),
        cmocka_unit_test(test_up_next),  cmocka_unit_test(test_down_next),
        cmocka_unit_test(test_through),  cmocka_unit_test(test_burst),
        cmocka_unit_test(test_hostile),  cmocka_unit_test(test_control),
        cmocka_unit_test(test_settings), cmocka_unit_test(test_settings_refused),
        cmocka_unit_test(test_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
