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

/* A packet of guest @from: mostly a plain one, sometimes one about which something must be said. */
static void make(struct item *it, unsigned from)
{
    const struct guest *self = &one.g[from], *first = &one.g[(from + 1) % GUESTS],
                       *second = &one.g[(from + 2) % GUESTS];
    struct ip6 src = guest_addr(self), to = guest_addr(rand() % 2 ? first : second);
    struct mac mac = rand() % 2 ? first->s.mac : second->s.mac; /* perhaps the other's: stale */
    uint8_t *ip = it->p + MAC_LEN;
    size_t n;

    it->kind = KIND_PEER;
    if (rand() % 3) {
        to = guest_addr(first);
        mac = first->s.mac;
    }
    switch (rand() % 12) {
    case 0:
        to = ip6_of("2001:db8:ffff::1"); /* the uplink */
        it->kind = KIND_HOST;
        break;
    case 1:
        src = guest_addr(second); /* somebody else's */
        break;
    case 2:
        to = guest_addr(self);
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
    uint64_t drops[2][DROP_COUNT];
    memcpy(drops[0], router_engine_drops(one.r.re), sizeof(drops[0]));
    memcpy(drops[1], router_engine_drops(many.r.re), sizeof(drops[1]));
    for (unsigned i = 0; i < 2;
         i++) { /* a run is opened before it is known what came twice in it */
        drops[i][DROP_REPLAY] += drops[i][DROP_OPEN];
        drops[i][DROP_OPEN] = 0;
    }
    assert_memory_equal(drops[0], drops[1], sizeof(drops[0]));
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
                make(&it, 0);
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

struct sealed { /* a datagram, under the keys of either world */
    uint8_t b[2][RIG_BUF];
    size_t len;
};

static void seal(struct sealed *s, unsigned from, const struct item *it)
{
    s->len = guest_seal(&one.g[from], &one.r, it->kind, it->p, it->len, s->b[0]);
    guest_seal(&many.g[from], &many.r, it->kind, it->p, it->len, s->b[1]);
}

static void deliver(const struct sealed *s, unsigned from)
{
    one.r.now = many.r.now;
    rig_udp(&one.r, one.g[from].ep, s->b[0], s->len);
    collect(&one);
    rig_queue(&many.r, many.g[from].ep, s->b[1], s->len);
}

/* All speak in turns: datagrams that do not open, that come twice, that come late under the keys
 * before, and the first under new keys, which confirms a login. */
static void from_all(void)
{
    static struct sealed late[GUESTS], s;
    unsigned delivered = 0;

    world_open(&one);
    world_open(&many);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned n = 1 + (unsigned)rand() % (BURST - 4), from = (unsigned)rand() % GUESTS;
        bool is_late = false;
        unsigned anew = (unsigned)rand() % (2 * GUESTS); /* who has logged in again, if anybody */
        struct item it;

        one.r.now = many.r.now += 2 * NS_PER_S;
        if (anew < GUESTS) {
            make(&it, anew);
            seal(&late[anew], anew, &it);
            is_late = true;
            guest_ask(&one.g[anew], &one.r);
            guest_ask(&many.g[anew], &many.r);
            assert_true(one.g[anew].n_reply == 1 && many.g[anew].n_reply == 1);
        }
        make(&it, from);
        seal(&s, from, &it);
        deliver(&s, from);
        for (unsigned i = 0; i < n; i++) {
            if (rand() % 3) {
                from = (unsigned)rand() % GUESTS;
                make(&it, from);
            }
            if (rand() % 8) /* else: what was sent last, again */
                seal(&s, from, &it);
            else if (rand() % 2)
                s.b[0][s.len - 1] ^= 1, s.b[1][s.len - 1] ^= 1;
            deliver(&s, from);
            if (is_late && rand() % 8 == 0) {
                deliver(&late[anew], anew);
                is_late = false;
            }
        }
        rig_run(&many.r);
        collect(&many);
        one.r.now = many.r.now;
        for (unsigned i = 0; i < GUESTS; i++)
            delivered += many.n_got[i];
        same();
        if (anew < GUESTS) { /* it has not spoken yet, perhaps */
            guest_confirm(&one.g[anew], &one.r);
            guest_confirm(&many.g[anew], &many.r);
        }
    }
    assert_true(delivered > ROUNDS * 5);
    assert_true(router_engine_drops(many.r.re)[DROP_OPEN] > ROUNDS / 4);
    assert_true(router_engine_drops(many.r.re)[DROP_REPLAY] > ROUNDS / 4);
    rig_free(&one.r);
    rig_free(&many.r);
}

static void test_from_all(void **state)
{
    (void)state;
    srand(5);
    for (unsigned i = 0; i < LIVES; i++)
        from_all();
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
        cmocka_unit_test(test_from_all),
        cmocka_unit_test(test_from_uplink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
