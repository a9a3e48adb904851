/* SPDX-License-Identifier: MIT */
/* test_engine.c - what strangers draw (nothing, or a NUDGE within limits), how a member ends, and
 * random operations under router_check() (H1..H3, H7, H12..H15, H19..H21, H29) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scene.h"

static uint32_t rnd(void)
{
    return entropy_u32(&rig.e);
}

/* ---- strangers ---- */

static void junk_draws_nothing(void **state) /* H1, H2, H3, H7 */
{
    uint8_t p[1501];

    (void)state;
    scene_start(2);
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
    scene_start(2);
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
    scene_start(2);
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

/* ---- how it ends ---- */

static void goodbye(void **state)
{
    uint8_t p[64];
    struct notice ev;

    (void)state;
    scene_start(2);
    struct keyset old = a.keys;
    guest_rejoin(&a, &rig);
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

/* Nothing is done for a member after its goodbye, and a login it confirms in that very burst is not
 * lost with it: the CONFIRM it sends again finds the tentative keypair. */
static void goodbye_in_a_burst(void **state)
{
    uint8_t p[64];
    struct control bye = { .type = TLV_GOODBYE };
    struct control confirm = { .type = TLV_CONFIRM, .size = PROBE_MIN_LEN };

    (void)state;
    scene_start(2);
    struct keyset old = b.keys;
    guest_ask(&b, &rig); /* b sends with its new keys from here on */
    size_t len = guest_seal_control(&a, &rig, &bye, 0, p);
    rig_queue(&rig, a.ep, p, len);
    len = guest_seal_control(&a, &rig, &confirm, PROBE_MIN_LEN, p);
    rig_queue(&rig, a.ep, p, len);
    struct keyset new = b.keys;
    b.keys = old;
    len = guest_seal_control(&b, &rig, &bye, 0, p);
    rig_queue(&rig, b.ep, p, len);
    b.keys = new;
    len = guest_seal_control(&b, &rig, &confirm, PROBE_MIN_LEN, p);
    rig_queue(&rig, b.ep, p, len);
    rig_run(&rig);
    assert_int_equal(rig.out.n_dg, 0);
    assert_null(rig_member(&rig, &a));
    assert_null(rig_member(&rig, &b));
    assert_int_equal(rig.re->admit.n_used, 1);
    guest_confirm(&b, &rig);
    assert_int_equal(guest_has_control(&b, TLV_CONFIRM_ACK, NULL), 1);
    assert_true(mac_eq(rig_member(&rig, &b)->mac, b.s.mac)); /* by its lease */
}

/* In one burst a member says goodbye, others speak to it, and somebody new comes: nothing meant for
 * the old reaches the new one, who gets the slot no sooner than the next call. */
static void slot_reuse(void **state)
{
    uint8_t p[256], ip[60], plain[80];

    (void)state;
    rig.conf.max_members = 2;
    scene_start(2);
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
    assert_int_equal(rig_octets_to(&rig, a.ep), 0);
}

static void silence(void **state)
{
    struct notice ev;

    (void)state;
    rig.conf.keepalive_s = 20;
    scene_start(2);
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
    scene_start(2);
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
    for (unsigned round = 0; round < rig_rounds(4000); round++) {
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
    assert_true(t.handshakes > rig_rounds(500));
    rig_wait(&rig, 400 * NS_PER_S);
    assert_int_equal(rig.re->ms.n_free, rig.re->ms.n_max);
    assert_int_equal(rig.re->admit.n_used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(junk_draws_nothing),
        RIG_ROW(nudge_rows),
        RIG_ROW(wrong_keys),
        RIG_ROW(impossible_sources),
        RIG_ROW(loopback_tests_itself),
        RIG_ROW(goodbye),
        RIG_ROW(goodbye_in_a_burst),
        RIG_ROW(slot_reuse),
        RIG_ROW(silence),
        RIG_ROW(keys_end),
        RIG_ROW(stop),
        RIG_ROW(random_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
