/* SPDX-License-Identifier: MIT */
/* test_engine.c - what strangers draw (nothing, or a NUDGE within limits), where a member is, how
 * it ends, probes and settings, and random operations under router_check() (H1..H8, H12, H14..H20,
 * H29) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

static struct rig rig;
static struct guest a, b, c;

static int set_up(void **state)
{
    (void)state;
    rig_defaults(&rig);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_free(&rig);
    return 0;
}

static void two_members(void)
{
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_init(&b, &rig, 1, "198.51.100.8", 4000);
    guest_join(&a, &rig);
    guest_join(&b, &rig);
    rig_notices(&rig, NOTICE_LOGIN, NULL);
}

static uint32_t rnd(void)
{
    return entropy_u32(&rig.e);
}

/* ---- strangers ---- */

static void junk_draws_nothing(void **state) /* H1, H2, H3, H7 */
{
    uint8_t p[1501];

    (void)state;
    two_members();
    for (unsigned type = 0; type < 256; type++) {
        for (size_t len = 0; len <= 1500; len += len < 70 ? 1 : 53) {
            entropy_draw(&rig.e, p, sizeof(p));
            p[0] = (uint8_t)type;
            p[1] = (uint8_t)(len % 3 ? WIRE_VERSION : len);
            p[2] = (uint8_t)(len % 5);
            p[3] = (uint8_t)(len % 7 ? 0 : 1);
            bool data = wire_peek(p, len) == WIRE_DATA;
            rig_queue(&rig, ep_of("203.0.113.9", 9), p, len);
            rig_run(&rig);
            if (!data)
                assert_int_equal(rig.out.n_dg, 0);
            assert_int_equal(rig.out.n_pk, 0);
        }
    }
    assert_int_equal(rig.re->admit.opened, 2); /* no handshake was computed for it */
}

static void nudge_rows(void **state)
{
    static const struct {
        const char *name;
        unsigned senders, ports, each; /* addresses, ports of each, datagrams of each port */
        unsigned nudges;
    } rows[] = {
        { "one", 1, 1, 1, 1 },
        { "one address", 1, 1, 50, NUDGE_PER_ADDRESS },
        { "one address, many ports", 1, 50, 1, NUDGE_PER_ADDRESS }, /* H19 */
        { "three addresses", 3, 1, 50, 3 * NUDGE_PER_ADDRESS },
        { "many addresses", 1500, 1, 1, NUDGE_PER_S },
    };
    (void)state;
    rig_start(&rig);
    for (unsigned i = 0; i < N(rows); i++) {
        rig.now += 2 * NS_PER_S;
        uint64_t nudges = 0;
        for (unsigned s = 0; s < rows[i].senders; s++) {
            for (unsigned k = 0; k < rows[i].ports * rows[i].each; k++) {
                uint8_t p[60] = { 0 };
                char ip[20];
                snprintf(ip, sizeof(ip), "10.%u.%u.%u", i, s / 250, 1 + s % 250);
                wire_put_data(p, KIND_HOST, rnd() | 1, rnd());
                rig_udp(&rig, ep_of(ip, (uint16_t)(1000 + k % rows[i].ports)), p, sizeof(p));
                assert_int_equal(rig_drops(&rig, DROP_INDEX), 1);
                if (rig.out.n_dg == 0)
                    continue;
                nudges++;
                const struct dgram *d = &rig.out.dg[0];
                assert_int_equal(rig.out.n_dg, 1);
                assert_int_equal(wire_peek(d->p, d->len), WIRE_NUDGE);
                assert_true(d->len <= 32);
                assert_memory_equal(d->p + 4, p + 4, 12); /* index and counter */
                assert_true(endpoint_eq(d->peer, ep_of(ip, (uint16_t)(1000 + k % rows[i].ports))));
            }
        }
        if (nudges > rows[i].nudges || nudges + rows[i].nudges / 50 < rows[i].nudges)
            fail_msg("%s: %u", rows[i].name, (unsigned)nudges);
    }
}

/* DATA for a live index that does not open: silence to the member's own endpoint (or a forger could
 * end sessions by making noise), a NUDGE elsewhere. */
static void wrong_keys(void **state) /* H14, H15 */
{
    uint8_t p[64] = { 0 };

    (void)state;
    two_members();
    struct member *m = rig_member(&rig, &a);
    wire_put_data(p, KIND_HOST, m->keys.current.local_index, 999);
    rig_udp(&rig, a.ep, p, sizeof(p));
    assert_int_equal(rig_drops(&rig, DROP_OPEN), 1);
    assert_int_equal(rig.out.n_dg, 0);
    rig_udp(&rig, ep_of("203.0.113.9", 9), p, sizeof(p));
    assert_int_equal(rig.out.n_dg, 1);
    assert_int_equal(wire_peek(rig.out.dg[0].p, rig.out.dg[0].len), WIRE_NUDGE);
    assert_true(endpoint_eq(m->ep, a.ep));
    /* The window has not moved (H12). */
    guest_confirm(&a, &rig);
    assert_int_equal(guest_has_control(&a, TLV_CONFIRM_ACK, NULL), 1);
}

static void impossible_sources(void **state) /* H20, H21 */
{
    static const struct {
        const char *ip;
        uint16_t port;
    } rows[] = {
        { "0.0.0.0", 4000 },   { "127.0.0.1", 4000 },       { "224.0.0.1", 4000 },
        { "240.0.0.1", 4000 }, { "255.255.255.255", 4000 }, { "198.51.100.7", 0 },
        { "192.0.2.1", 6464 }, /* itself */
    };
    (void)state;
    two_members();
    guest_init(&c, &rig, 2, "198.51.100.9", 4000);
    guest_ask(&c, &rig);
    for (unsigned i = 0; i < N(rows); i++) {
        struct endpoint from = ep_of(rows[i].ip, rows[i].port);
        uint8_t p[64] = { 0 };
        struct control confirm = { .type = TLV_CONFIRM, .size = PROBE_MIN_LEN };

        wire_put_data(p, KIND_HOST, rnd() | 1, 1); /* no NUDGE */
        rig_udp(&rig, from, p, sizeof(p));
        assert_int_equal(rig.out.n_dg, 0);
        assert_int_equal(rig_drops(&rig, DROP_SOURCE_EP), 1);
        guest_login(&b, &rig); /* no reply */
        rig_udp(&rig, from, b.login, LOGIN_LEN);
        assert_int_equal(rig.out.n_dg, 0);
        assert_int_equal(rig_drops(&rig, DROP_SOURCE_EP), 1);
        size_t len = guest_seal_control(&a, &rig, &confirm, PROBE_MIN_LEN, p); /* no move */
        rig_udp(&rig, from, p, len);
        assert_int_equal(rig.out.n_dg, 0);
        assert_true(endpoint_eq(rig_member(&rig, &a)->ep, a.ep));
        len = guest_seal_control(&c, &rig, &confirm, PROBE_MIN_LEN, p); /* no confirmation */
        rig_udp(&rig, from, p, len);
        assert_int_equal(rig.out.n_dg, 0);
        assert_null(rig_member(&rig, &c));
    }
}

static void loopback_tests_itself(void **state) /* H20: unless the router itself listens there */
{
    (void)state;
    rig.conf.listen = ep_of("127.0.0.1", 6464);
    rig_start(&rig);
    guest_init(&a, &rig, 0, "127.0.0.2", 4000);
    guest_join(&a, &rig);
}

/* ---- where a member is ---- */

/* Keys a second time, over the first pair, so that there is a previous. */
static void rekey(struct guest *g)
{
    guest_ask(g, &rig);
    assert_int_equal(g->n_reply, 1);
    guest_confirm(g, &rig);
    rig_notices(&rig, NOTICE_LOGIN, NULL);
}

/* The same through the live keypair, as a client does in peace. */
static void rekey_inside(struct guest *g)
{
    struct control reply;

    guest_login(g, &rig);
    guest_control(g, &rig,
                  &(struct control){ .type = TLV_LOGIN, .body = g->login, .body_len = LOGIN_LEN },
                  0);
    assert_int_equal(guest_has_control(g, TLV_LOGIN_REPLY, &reply), 1);
    guest_take_inside(g, &rig, &reply);
    guest_confirm(g, &rig);
    assert_int_equal(guest_has_control(g, TLV_CONFIRM_ACK, NULL), 1);
}

enum how { FRESH, OLDER, REPLAYED, FLIPPED, PREVIOUS };

static void moves(void **state) /* H8, H12, H15, H16 */
{
    static const struct {
        const char *name;
        enum how how;
        bool moved;
    } rows[] = {
        { "newest of current", FRESH, true },
        { "older than the newest", OLDER, false },
        { "replay", REPLAYED, false },
        { "does not open", FLIPPED, false },
        { "newest of previous", PREVIOUS, false },
    };
    struct control req = { .type = TLV_KEEPALIVE_REQ, .number = 5 };
    (void)state;
    two_members();
    for (unsigned i = 0; i < N(rows); i++) {
        uint8_t p[64], q[64];
        struct endpoint elsewhere = ep_of("203.0.113.9", (uint16_t)(100 + i));
        struct keyset old = a.keys;

        rig.now += 3 * NS_PER_S;
        if (rows[i].how == PREVIOUS) {
            rekey(&a);
            struct keyset new = a.keys;
            a.keys = old;
            a.keys.current.tx_counter += 50;
            (void)guest_seal_control(&a, &rig, &req, 0, p);
            a.keys = new;
        } else {
            (void)guest_seal_control(&a, &rig, &req, 0, p);
        }
        size_t len = DATA_MIN_LEN + 12;
        if (rows[i].how == OLDER || rows[i].how == REPLAYED) {
            memcpy(q, p, len);
            if (rows[i].how == OLDER)
                (void)guest_seal_control(&a, &rig, &req, 0, q);
            rig_udp(&rig, a.ep, q, len);
        }
        if (rows[i].how == FLIPPED)
            p[len - 1] ^= 1;
        rig_udp(&rig, elsewhere, p, len);
        struct member *m = rig_member(&rig, &a);
        if (endpoint_eq(m->ep, elsewhere) != rows[i].moved)
            fail_msg("%s: moved %d", rows[i].name, !rows[i].moved);
        assert_int_equal(rig_notices(&rig, NOTICE_MOVED, NULL), rows[i].moved);
        if (rows[i].moved) {
            assert_false(m->proven);
            assert_true(mac_eq(m->mac, a.s.mac)); /* H40: the name stays */
            rekey(&a);                            /* and back */
        }
        assert_true(endpoint_eq(m->ep, a.ep));
        assert_true(m->proven);
    }
}

static size_t octets_to(struct endpoint ep)
{
    size_t n = 0;
    for (unsigned i = 0; i < rig.out.n_dg; i++)
        n += endpoint_eq(rig.out.dg[i].peer, ep) ? rig.out.dg[i].len : 0;
    return n;
}

static void unproven_gets_thrice(void **state) /* H16 */
{
    uint8_t p[RIG_BUF], ip[1200];
    struct control req;
    size_t from = 0, to = 0;

    (void)state;
    two_members();
    a.ep = ep_of("203.0.113.9", 99);
    size_t len = put_udp6(ip, guest_addr(&b), guest_addr(&a), sizeof(ip));
    for (unsigned round = 0; round < 20; round++) {
        rig.now += 100 * NS_PER_MS;
        size_t n = guest_seal_control(
            &a, &rig,
            &(struct control){ .type = TLV_CONFIRM, .size = (uint16_t)(PROBE_MIN_LEN + round) },
            PROBE_MIN_LEN + round, p);
        rig_udp(&rig, a.ep, p, n);
        from += n;
        to += octets_to(a.ep);
        assert_true(to <= AMPLIFY_FACTOR * from);
        for (unsigned k = 0; k < 3; k++) {
            guest_ip(&b, &rig, KIND_PEER, a.s.mac, ip, len);
            to += octets_to(a.ep);
            assert_true(to <= AMPLIFY_FACTOR * from);
        }
        rig_tick(&rig);
        to += octets_to(a.ep);
        assert_true(to <= AMPLIFY_FACTOR * from);
    }
    assert_true(to > 0);
    struct member *m = rig_member(&rig, &a);
    assert_false(m->proven);
    /* A wrong answer proves nothing, the right one does; what it is says the challenge, sent again
     * each second. */
    guest_control(&a, &rig,
                  &(struct control){ .type = TLV_KEEPALIVE_ACK, .number = m->challenge + 1 }, 0);
    assert_false(m->proven);
    guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_ACK, .number = 0 }, 0);
    assert_false(m->proven);
    rig.now = router_engine_deadline(rig.re);
    rig_tick(&rig);
    guest_take(&a, &rig);
    assert_int_equal(guest_has_control(&a, TLV_KEEPALIVE_REQ, &req), 1);
    uint64_t number = req.number;
    guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_ACK, .number = number }, 0);
    assert_true(m->proven);
    guest_ip(&b, &rig, KIND_PEER, a.s.mac, ip, len);
    assert_true(octets_to(a.ep) > len);
    /* The number is good for one endpoint only: from another one it moves the member and proves
     * nothing. */
    a.ep = ep_of("203.0.113.9", 100);
    guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_ACK, .number = number }, 0);
    assert_true(endpoint_eq(m->ep, a.ep));
    assert_false(m->proven);
}

/* ---- how it ends ---- */

static void goodbye(void **state)
{
    uint8_t p[64];
    struct notice ev;

    (void)state;
    two_members();
    struct keyset old = a.keys;
    rekey(&a);
    struct keyset new = a.keys;
    a.keys = old;
    size_t len = guest_seal_control(&a, &rig, &(struct control){ .type = TLV_GOODBYE }, 0, p);
    a.keys = new;
    rig_udp(&rig, a.ep, p, len); /* of previous: ignored */
    assert_non_null(rig_member(&rig, &a));
    guest_control(&a, &rig, &(struct control){ .type = TLV_GOODBYE }, 0);
    assert_null(rig_member(&rig, &a));
    assert_int_equal(rig_notices(&rig, NOTICE_LOGOUT, &ev), 1);
    assert_int_equal(ev.reason, LOGOUT_GOODBYE);
    /* What it still sends finds nobody, and draws a NUDGE (H29). */
    guest_confirm(&a, &rig);
    assert_int_equal(a.n_nudge, 1);
}

/* In one burst a member says goodbye, others speak to it, and somebody new comes: nothing meant for
 * the old reaches the new one, who gets the slot no sooner than the next call. */
static void slot_reuse(void **state)
{
    uint8_t p[256], ip[60], plain[80];

    (void)state;
    rig.conf.max_members = 2;
    two_members();
    guest_init(&c, &rig, 2, "198.51.100.9", 4000);
    size_t ip_len = put_udp6(ip, guest_addr(&b), guest_addr(&a), sizeof(ip));
    memcpy(plain, a.s.mac.b, 6);
    memcpy(plain + 6, ip, ip_len);
    size_t len = guest_seal(&b, &rig, KIND_PEER, plain, 6 + ip_len, p);
    rig_queue(&rig, b.ep, p, len);
    len = guest_seal_control(&a, &rig, &(struct control){ .type = TLV_GOODBYE }, 0, p);
    rig_queue(&rig, a.ep, p, len);
    len = guest_seal(&b, &rig, KIND_PEER, plain, 6 + ip_len, p);
    rig_queue(&rig, b.ep, p, len);
    len = guest_seal_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 1 },
                             0, p);
    rig_queue(&rig, a.ep, p, len);
    len = guest_seal_control(&a, &rig, &(struct control){ .type = TLV_GOODBYE }, 0, p);
    rig_queue(&rig, a.ep, p, len);
    guest_login(&c, &rig);
    rig_queue(&rig, c.ep, c.login, LOGIN_LEN);
    rig_run(&rig);
    assert_null(rig_member(&rig, &a));
    guest_take(&c, &rig);
    assert_int_equal(c.s.verdict, VERDICT_BUSY); /* the slot is free after the call */
    assert_int_equal(rig_notices(&rig, NOTICE_LOGOUT, NULL), 1);
    guest_join(&c, &rig);
    assert_int_equal(octets_to(a.ep), 0);
}

static void silence(void **state)
{
    struct notice ev;

    (void)state;
    rig.conf.keepalive_s = 20;
    two_members();
    rig_wait(&rig, 59 * NS_PER_S);
    guest_control(&b, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 7 }, 0);
    struct control ack;
    assert_int_equal(guest_has_control(&b, TLV_KEEPALIVE_ACK, &ack), 1);
    assert_int_equal(ack.number, 7);
    assert_non_null(rig_member(&rig, &a));
    rig_wait(&rig, 3 * NS_PER_S);
    assert_null(rig_member(&rig, &a));
    assert_non_null(rig_member(&rig, &b));
    assert_int_equal(rig_notices(&rig, NOTICE_LOGOUT, &ev), 1);
    assert_int_equal(ev.reason, LOGOUT_SILENT);
    rig_wait(&rig, 60 * NS_PER_S);
    assert_null(rig_member(&rig, &b));
    assert_int_equal(router_engine_deadline(rig.re), NEVER); /* nothing left to do */
}

static void keys_end(void **state) /* H13 */
{
    struct notice ev;

    (void)state;
    two_members();
    for (unsigned i = 0; i < 30; i++) { /* it lives, but never logs in anew */
        if (rig_member(&rig, &a))
            guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 7 }, 0);
        rig_wait(&rig, 9900 * NS_PER_MS);
    }
    assert_non_null(rig_member(&rig, &a));
    rig_wait(&rig, 5 * NS_PER_S);
    assert_null(rig_member(&rig, &a));
    assert_int_equal(rig_notices(&rig, NOTICE_LOGOUT, &ev), 2); /* b of silence */
    assert_int_equal(ev.reason, LOGOUT_KEYS);
}

static void stop(void **state)
{
    struct guest g;
    unsigned byes = 0, calls = 0;
    bool more = true;

    (void)state;
    rig.conf.max_members = 200;
    rig.conf.access = ACCESS_OPEN;
    rig.conf.everyone = true;
    rig_start(&rig);
    for (unsigned i = 0; i < 150; i++) {
        rig.now += 10 * NS_PER_MS;
        guest_init(&g, &rig, 100 + i, "198.51.100.7", (uint16_t)(1000 + i));
        guest_join(&g, &rig);
    }
    while (more) {
        out_reset(&rig.out);
        more = router_engine_stop(rig.re, rig.now, &rig.out);
        byes += rig.out.n_dg;
        assert_true(++calls < 10);
    }
    guest_take(&g, &rig);
    struct control bye;
    assert_int_equal(guest_has_control(&g, TLV_GOODBYE, &bye), 1);
    assert_int_equal(bye.goodbye, GOODBYE_SHUTDOWN);
    assert_int_equal(byes, 150);
    assert_int_equal(rig.re->ms.n_free, rig.re->ms.n_max);
}

/* ---- control messages ---- */

static void probes(void **state)
{
    static const struct {
        const char *name;
        enum tlv_type type, ack;
        uint16_t size, total;
        bool answered;
    } rows[] = {
        { "small CONFIRM", TLV_CONFIRM, TLV_CONFIRM_ACK, PROBE_MIN_LEN, PROBE_MIN_LEN, true },
        { "big CONFIRM", TLV_CONFIRM, TLV_CONFIRM_ACK, 1472, 1472, true },
        { "odd CONFIRM", TLV_CONFIRM, TLV_CONFIRM_ACK, 1001, 1001, true },
        { "CONFIRM claims more", TLV_CONFIRM, TLV_CONFIRM_ACK, 1473, 1472, false },
        { "CONFIRM claims less", TLV_CONFIRM, TLV_CONFIRM_ACK, 1471, 1472, false },
        { "probe", TLV_MTU_PROBE, TLV_MTU_PROBE_ACK, 1400, 1400, true },
        { "probe claims more", TLV_MTU_PROBE, TLV_MTU_PROBE_ACK, 9000, 100, false },
        { "probe claims less", TLV_MTU_PROBE, TLV_MTU_PROBE_ACK, PROBE_MIN_LEN, 1400, false },
    };
    (void)state;
    two_members();
    for (unsigned i = 0; i < N(rows); i++) {
        struct control ack;
        guest_control(&a, &rig, &(struct control){ .type = rows[i].type, .size = rows[i].size },
                      rows[i].total);
        unsigned n = guest_has_control(&a, rows[i].ack, &ack);
        if (n != (rows[i].answered ? 1u : 0u))
            fail_msg("%s: %u answers", rows[i].name, n);
        assert_int_equal(rig.out.n_dg, n);
        if (n) {
            assert_int_equal(ack.size, rows[i].size);
            assert_int_equal(rig.out.dg[0].len, rows[i].total);
        } else {
            assert_int_equal(rig_drops(&rig, DROP_CONTROL), 1);
        }
    }
}

static void control_flood(void **state)
{
    uint8_t tlv[1400];
    struct wr w = wr_of(tlv, sizeof(tlv));

    (void)state;
    two_members();
    for (unsigned i = 0; i < 100; i++)
        wire_ctl_put(&w, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = i });
    assert_false(w.bad);
    guest_send(&a, &rig, KIND_CONTROL, tlv, w.off);
    assert_true(rig.out.n_dg <= 4);
    /* Malformed, and what only a router says. */
    uint8_t bad[] = { 0, TLV_KEEPALIVE_REQ, 0, 9, 1, 2, 3 };
    guest_send(&a, &rig, KIND_CONTROL, bad, sizeof(bad));
    assert_int_equal(rig_drops(&rig, DROP_CONTROL), 1);
    assert_int_equal(rig.out.n_dg, 0);
    guest_control(&a, &rig, &(struct control){ .type = TLV_LOGIN_AGAIN }, 0);
    assert_int_equal(rig_drops(&rig, DROP_CONTROL), 1);
    guest_send(&a, &rig, KIND_CONTROL, tlv, 0); /* an empty one */
    assert_int_equal(rig.out.n_dg, 0);
}

static uint32_t ra_mtu(const uint8_t *ra, size_t len)
{
    for (size_t at = 40 + 16; at + 8 <= len && ra[at + 1]; at += 8u * ra[at + 1]) {
        if (ra[at] == 5)
            return be32_load(ra + at + 4);
    }
    return 0;
}

static void mtu_set(void **state) /* R17 */
{
    static const struct {
        uint16_t cap, set, got; /* mtu: of the configuration, said, in force */
        bool ra;
    } rows[] = {
        { 0, 1400, 1400, true },    { 0, 1280, 1280, false },   { 0, 9000, 9000, true },
        { 1400, 1380, 1380, true }, { 1400, 1434, 1400, true },
    };
    (void)state;
    rig_start(&rig);
    for (unsigned i = 0; i < N(rows); i++) {
        size_t len;
        rig_free(&rig);
        rig_defaults(&rig);
        rig.conf.mtu = rows[i].cap;
        two_members();
        guest_control(&a, &rig, &(struct control){ .type = TLV_MTU_SET, .size = rows[i].set }, 0);
        assert_int_equal(rig_member(&rig, &a)->mtu, rows[i].got);
        const uint8_t *ra = guest_packet(&a, ND_RA, &len);
        assert_int_equal(ra != NULL, rows[i].ra);
        if (ra) {
            assert_int_equal(ra_mtu(ra, len), rows[i].got);
            struct ip6 to = guest_ll(&a);
            assert_memory_equal(ra + 24, to.b, IP6_LEN); /* unicast (R22) */
            assert_int_equal(ra[7], 255);
        }
        /* Said again: nothing new. */
        guest_control(&a, &rig, &(struct control){ .type = TLV_MTU_SET, .size = rows[i].set }, 0);
        assert_int_equal(rig.out.n_dg, 0);
    }
}

static void unasked_adverts(void **state) /* R19, R22 */
{
    unsigned n = 0;
    mono_ns due, last = rig.now;

    (void)state;
    two_members();
    for (unsigned s = 0; s < 1800; s++) {
        due = rig.now + NS_PER_S;
        while (router_engine_deadline(rig.re) <= due) {
            rig.now = router_engine_deadline(rig.re);
            rig_tick(&rig);
            guest_take(&a, &rig);
            if (!guest_packet(&a, ND_RA, NULL))
                continue;
            assert_in_range(rig.now - last, 199 * NS_PER_S, 602 * NS_PER_S);
            last = rig.now;
            n++;
        }
        rig.now = due;
        if (s % 20 == 0)
            guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 7 }, 0);
        if (s % 250 == 249)
            rekey_inside(&a);
    }
    assert_in_range(n, 3, 9);
}

/* ---- everything at once ---- */

static void random_op(struct guest *g, unsigned n)
{
    uint8_t p[256];
    bool member = rig_member(&rig, g) && keyset_can_send(&g->keys, rig.now);
    struct guest other = *g;

    switch (rnd() % 12) {
    case 0:
        g->tries = (uint8_t)(rnd() % 4);
        guest_login(g, &rig);
        rig_queue(&rig, g->ep, g->login, LOGIN_LEN);
        break;
    case 1: /* the LOGIN again, from anywhere */
        rig_queue(&rig, ep_of("203.0.113.9", (uint16_t)(1 + rnd() % 4)), g->login, LOGIN_LEN);
        break;
    case 2:
        if (member && rnd() % 2)
            rig_queue(&rig, g->ep, p,
                      guest_seal_control(g, &rig, &(struct control){ .type = TLV_GOODBYE }, 0, p));
        break;
    case 3:
        g->ep = ep_of("100.64.1.1", (uint16_t)(4000 + rnd() % 8)); /* collides often */
        g->ep.ip.b[0] = (uint8_t)(100 + rnd() % 4);
        break;
    case 4:
        if (member) {
            guest_login(g, &rig);
            uint8_t in[LOGIN_LEN + 64];
            struct control login = { .type = TLV_LOGIN, .body = g->login, .body_len = LOGIN_LEN };
            rig_queue(&rig, g->ep, in, guest_seal_control(g, &rig, &login, 0, in));
        }
        break;
    case 5:
        entropy_draw(&rig.e, p, sizeof(p));
        wire_put_data(p, KIND_PEER, rig.re->ms.index[rnd() % rig.re->ms.n_index].index, rnd());
        rig_queue(&rig, other.ep, p, 60);
        break;
    case 6:
    case 7:
        if (keyset_can_send(&g->keys, rig.now))
            rig_queue(&rig, g->ep, p,
                      guest_seal_control(
                          g, &rig, &(struct control){ .type = TLV_CONFIRM, .size = PROBE_MIN_LEN },
                          PROBE_MIN_LEN, p));
        break;
    default:
        if (keyset_can_send(&g->keys, rig.now) && g->s.n_address) {
            uint8_t plain[6 + 60];
            struct ip6 src = guest_addr(g), dst = rig.conf.prefix.addr;
            if (rnd() % 3 == 0)
                src.b[15] = (uint8_t)rnd(); /* learned, or refused */
            dst.b[15] = (uint8_t)(rnd() % 8);
            if (rnd() % 2 && rig.re->ms.m[n % rig.re->ms.n_max].live)
                dst = rig.re->ms.m[n % rig.re->ms.n_max].link_local;
            memset(plain, 2, 6);
            (void)put_udp6(plain + 6, src, dst, 60);
            rig_queue(&rig, g->ep, p, guest_seal(g, &rig, KIND_PEER, plain, sizeof(plain), p));
        }
        break;
    }
}

static void take_all(struct guest *g, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct control c_in;
        guest_take(&g[i], &rig);
        if (guest_has_control(&g[i], TLV_LOGIN_REPLY, &c_in) && g[i].waiting && rnd() % 4) {
            struct guest before = g[i];
            struct settings s;
            uint32_t index;
            struct session_keys keys;
            if (handshake_reply_open(&before.hs, &before.id, before.psk, c_in.body, c_in.body_len,
                                     &s, &index, &keys) == DROP_NONE &&
                s.verdict == VERDICT_OK)
                guest_take_inside(&g[i], &rig, &c_in);
        }
        if (guest_has_control(&g[i], TLV_LOGIN_AGAIN, NULL))
            keyset_wipe(&g[i].keys);
    }
}

static void random_operations(void **state)
{
    static struct guest g[12];

    (void)state;
    rig.conf.max_members = 8;
    rig.conf.logins_per_s = 50;
    rig_start(&rig);
    for (unsigned i = 0; i < N(g); i++) {
        guest_init(&g[i], &rig, i, "198.51.100.7", (uint16_t)(4000 + i));
        guest_login(&g[i], &rig);
    }
    for (unsigned round = 0; round < 4000; round++) {
        for (unsigned k = rnd() % 8; k > 0; k--)
            random_op(&g[rnd() % N(g)], rnd());
        rig_run(&rig); /* router_check() */
        take_all(g, N(g));
        if (rnd() % 3 == 0)
            rig_wait(&rig, rnd() % 16 ? rnd() % (2 * NS_PER_S) : 30 * NS_PER_S);
        rig_notices(&rig, NOTICE_LOGIN, NULL);
    }
    struct router_totals t;
    router_engine_totals(rig.re, &t);
    assert_true(t.handshakes > 500);
    rig_wait(&rig, 400 * NS_PER_S);
    assert_int_equal(rig.re->ms.n_free, rig.re->ms.n_max);
    assert_int_equal(rig.re->admit.n_used, 0);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(junk_draws_nothing),
        ROW(nudge_rows),
        ROW(wrong_keys),
        ROW(impossible_sources),
        ROW(loopback_tests_itself),
        ROW(moves),
        ROW(unproven_gets_thrice),
        ROW(goodbye),
        ROW(slot_reuse),
        ROW(silence),
        ROW(keys_end),
        ROW(stop),
        ROW(probes),
        ROW(control_flood),
        ROW(mtu_set),
        ROW(unasked_adverts),
        ROW(random_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
