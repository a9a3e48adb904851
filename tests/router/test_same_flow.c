/* SPDX-License-Identifier: MIT */
/* test_same_flow.c - bursts in one call come out as the same packets each in a call of its own,
 * where nothing is remembered from one to the next */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "rig.h"

#define GUESTS 3u
#define LIVES  4u /* keypairs end after some minutes */
#define ROUNDS 100u
#define BURST  40u

struct world {
    struct rig r;
    struct guest g[GUESTS];
    struct got got[GUESTS][BURST + 8];
    unsigned n_got[GUESTS];
    struct got up[BURST];
    unsigned n_up;
};

static struct world one, many; /* a call for each, a call for all */

struct item {
    enum wire_kind kind;
    uint8_t p[MAC_LEN + 1500]; /* plaintext */
    size_t len;
    bool goodbye;
};

static void world_open(struct world *w)
{
    memset(w, 0, sizeof(*w));
    rig_defaults(&w->r);
    rig_start(&w->r);
    for (unsigned i = 0; i < GUESTS; i++) {
        char ip[16];
        snprintf(ip, sizeof(ip), "198.51.100.%u", 10 + i);
        guest_init(&w->g[i], &w->r, i, ip, 5000);
        guest_join(&w->g[i], &w->r);
        rig_member(&w->r, &w->g[i])->mtu = i == 2 ? 1280 : 1400;
    }
}

static void collect(struct world *w)
{
    for (unsigned i = 0; i < GUESTS; i++) {
        guest_take(&w->g[i], &w->r);
        for (unsigned k = 0; k < w->g[i].n_got; k++) {
            assert_true(w->n_got[i] < BURST + 8);
            w->got[i][w->n_got[i]++] = w->g[i].got[k];
        }
    }
    for (unsigned i = 0; i < w->r.out.n_pk; i++) {
        struct got *to = &w->up[w->n_up++];
        to->len = w->r.out.pk[i].len;
        memcpy(to->p, w->r.out.pk[i].p, to->len);
    }
}

/* A packet of guest 0: mostly a plain one, sometimes one about which something must be said. */
static void make(struct item *it)
{
    struct guest *g = one.g;
    struct ip6 src = guest_addr(&g[0]), to = guest_addr(&g[1 + rand() % 2]);
    struct mac mac = g[1 + rand() % 2].s.mac; /* perhaps the other's: stale */
    uint8_t *ip = it->p + MAC_LEN;
    size_t n;

    it->kind = KIND_PEER;
    if (rand() % 3) {
        to = guest_addr(&g[1]);
        mac = g[1].s.mac;
    }
    switch (rand() % 12) {
    case 0:
        to = ip6_of("2001:db8:ffff::1"); /* the uplink */
        it->kind = KIND_HOST;
        break;
    case 1:
        src = guest_addr(&g[2]); /* somebody else's */
        break;
    case 2:
        to = guest_addr(&g[0]);
        break;
    case 3:
        it->kind = KIND_HOST;
        break;
    default:
        break;
    }
    n = put_udp6(ip, src, to, 100 + (size_t)(rand() % 4) * 400);
    switch (rand() % 16) {
    case 0:
        be16_store(ip + 4, (uint16_t)(rand() % 1500)); /* too long, or padded */
        break;
    case 1:
        ip[7] = 1;
        break;
    case 2:
        ip[6] = (uint8_t)(rand() % 2 ? NH_TCP : NH_DSTOPTS);
        break;
    case 3:
        be16_store(ip + 40, (uint16_t)rand());
        break;
    case 4:
        n = put_echo6(ip, src, ip6_of("2001:db8:1::1"), 100);
        it->kind = KIND_HOST;
        break;
    default:
        break;
    }
    it->len = n + (it->kind == KIND_HOST ? 0 : MAC_LEN);
    if (it->kind == KIND_HOST)
        memmove(it->p, ip, n);
    else
        memcpy(it->p, mac.b, MAC_LEN);
}

static void same_got(const struct got *a, const struct got *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->p, b->p, a->len);
}

static void same(void)
{
    for (unsigned i = 0; i < GUESTS; i++) {
        assert_int_equal(one.n_got[i], many.n_got[i]);
        for (unsigned k = 0; k < one.n_got[i]; k++)
            same_got(&one.got[i][k], &many.got[i][k]);
        one.n_got[i] = many.n_got[i] = 0;
    }
    assert_int_equal(one.n_up, many.n_up);
    for (unsigned k = 0; k < one.n_up; k++)
        same_got(&one.up[k], &many.up[k]);
    one.n_up = many.n_up = 0;
    assert_memory_equal(router_engine_drops(one.r.re), router_engine_drops(many.r.re),
                        DROP_COUNT * sizeof(uint64_t));
    assert_int_equal(one.r.re->uplink_tx, many.r.re->uplink_tx);
}

static void from_member(void)
{
    unsigned delivered = 0;

    world_open(&one);
    world_open(&many);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct item it = { .len = 0 };
        unsigned n = 1 + (unsigned)rand() % BURST;
        uint8_t b[RIG_BUF];

        one.r.now = many.r.now += NS_PER_S; /* the limits on errors are full again */
        for (unsigned i = 0; i < n; i++) {
            if (it.len == 0 || rand() % 3 == 0)
                make(&it);
            /* all at the same time, as in one call */
            size_t len = guest_seal(&one.g[0], &one.r, it.kind, it.p, it.len, b);
            one.r.now = many.r.now;
            rig_udp(&one.r, one.g[0].ep, b, len);
            collect(&one);
            len = guest_seal(&many.g[0], &many.r, it.kind, it.p, it.len, b);
            rig_queue(&many.r, many.g[0].ep, b, len);
        }
        rig_run(&many.r);
        collect(&many);
        one.r.now = many.r.now;
        delivered += many.n_got[1] + many.n_got[2] + many.n_up;
        same();
    }
    assert_true(delivered > ROUNDS * 5);
    rig_free(&one.r);
    rig_free(&many.r);
}

static void test_from_member(void **state)
{
    (void)state;
    srand(3);
    for (unsigned i = 0; i < LIVES; i++)
        from_member();
}

static void test_from_uplink(void **state)
{
    static uint8_t b[BURST][PKT_HEADROOM + 1500 + PKT_TAILROOM];
    unsigned delivered = 0;

    (void)state;
    srand(4);
    world_open(&one);
    world_open(&many);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct pkt in[BURST];
        uint8_t ip[1500];
        unsigned n = 1 + (unsigned)rand() % BURST;
        size_t len = 0;

        one.r.now = many.r.now += NS_PER_S;
        for (unsigned i = 0; i < n; i++) {
            if (len == 0 || rand() % 3 == 0) {
                struct ip6 to = guest_addr(&one.g[(unsigned)rand() % GUESTS]);
                if (rand() % 8 == 0)
                    to.b[15] ^= 0x40; /* nobody's */
                struct ip6 src = rand() % 8 ? ip6_of("2001:db8:ffff::1") : guest_addr(&one.g[1]);
                len = put_udp6(ip, src, to, 100 + (size_t)(rand() % 4) * 400);
                if (rand() % 8 == 0)
                    be16_store(ip + 4, (uint16_t)(rand() % 1500));
                if (rand() % 8 == 0)
                    ip[6] = NH_DSTOPTS;
            }
            rig_tun(&one.r, ip, len);
            collect(&one);
            in[i] = (struct pkt){ .p = b[i] + PKT_HEADROOM, .len = (uint32_t)len };
            memcpy(in[i].p, ip, len);
        }
        out_reset(&many.r.out);
        router_engine_tun(many.r.re, many.r.now, in, n, &many.r.out);
        router_check(many.r.re);
        collect(&many);
        for (unsigned i = 0; i < GUESTS; i++)
            delivered += many.n_got[i];
        same();
    }
    assert_true(delivered > ROUNDS * 5);
    rig_free(&one.r);
    rig_free(&many.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_member),
        cmocka_unit_test(test_from_uplink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
