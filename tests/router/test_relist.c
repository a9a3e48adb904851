/* SPDX-License-Identifier: MIT */
/* test_relist.c - clients added, removed and changed while others go on (H29); router_check() looks
 * at every table after every call */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

static struct guest a, b, c;

/* The list a reload brings: any of the RIG_LISTED clients, and more. */
#define MANY 10000u
static struct router_client list[MANY];
static uint32_t order[MANY];
static uint32_t n_list;

static int set_up(void **state)
{
    (void)state;
    rig_defaults(&rig);
    for (unsigned i = 0; i < RIG_LISTED; i++)
        snprintf(rig.clients[i].name, sizeof(rig.clients[i].name), "client%u", i);
    memcpy(list, rig.clients, sizeof(rig.clients));
    n_list = RIG_LISTED;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_free(&rig);
    return 0;
}

static int by_key(const void *x, const void *y)
{
    return memcmp(list[*(const uint32_t *)x].public_key, list[*(const uint32_t *)y].public_key,
                  KEY_LEN);
}

static void begin_relist(void)
{
    struct client_list l = { .client = list, .n = n_list, .by_key = order };

    for (uint32_t i = 0; i < n_list; i++)
        order[i] = i;
    qsort(order, n_list, sizeof(*order), by_key);
    router_engine_relist(rig.re, &l);
}

/* Returns the number of ticks it took. */
static unsigned relist(struct relist *done)
{
    unsigned ticks = 0;

    begin_relist();
    while (router_engine_relisting(rig.re, done)) {
        assert_true(router_engine_deadline(rig.re) <= rig.now);
        rig_tick(&rig);
        assert_true(++ticks < 2000);
    }
    return ticks;
}

/* What a member is told while a list is taken over. */
struct heard {
    unsigned n_bye, n_settings;
    enum goodbye bye;
    struct settings s;
};

static void hear(struct guest *g, struct heard *h)
{
    struct control ctl;

    guest_take(g, &rig);
    if (guest_has_control(g, TLV_GOODBYE, &ctl)) {
        h->n_bye++;
        h->bye = ctl.goodbye;
    }
    if (guest_has_control(g, TLV_SETTINGS, &ctl)) {
        h->n_settings++;
        assert_true(wire_get_settings(ctl.body, ctl.body_len, &h->s));
    }
}

/* As relist(), with what follows it at once. */
static void relist_heard(struct relist *done, struct heard *by_a, struct heard *by_b)
{
    begin_relist();
    *by_a = *by_b = (struct heard){ .n_bye = 0 };
    while (router_engine_relisting(rig.re, done) || router_engine_deadline(rig.re) <= rig.now) {
        rig_tick(&rig);
        hear(&a, by_a);
        hear(&b, by_b);
    }
}

static void forget(unsigned i)
{
    list[i] = list[--n_list];
}

/* Does what @g sends reach @to? */
static bool reaches(struct guest *g, struct guest *to)
{
    uint8_t p[100];
    size_t len, n = put_udp6(p, guest_addr(g), guest_addr(to), sizeof(p));

    guest_ip(g, &rig, KIND_PEER, to->s.mac, p, n);
    guest_take(to, &rig);
    return guest_packet(to, -1, &len) != NULL;
}

static void three(void)
{
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_init(&b, &rig, 1, "198.51.100.8", 4000);
    guest_init(&c, &rig, 2, "198.51.100.9", 4000);
    guest_join(&a, &rig);
    guest_join(&b, &rig);
    guest_join(&c, &rig);
    rig_notices(&rig, NOTICE_LOGIN, NULL);
    assert_true(reaches(&a, &b) && reaches(&b, &c));
}

static void nothing_new(void **state)
{
    struct relist done;

    (void)state;
    three();
    relist(&done);
    assert_int_equal(done.added + done.removed + done.changed + done.renamed + done.no_room, 0);
    assert_true(reaches(&a, &b) && reaches(&b, &c));
    assert_int_equal(rig_notices(&rig, NOTICE_LOGOUT, NULL), 0);
}

static void removed(void **state) /* H29 */
{
    struct relist done;
    struct notice ev;
    struct control bye;

    (void)state;
    three();
    forget(0);
    begin_relist();
    rig_tick(&rig);
    guest_take(&a, &rig);
    assert_int_equal(guest_has_control(&a, TLV_GOODBYE, &bye), 1);
    assert_int_equal(bye.goodbye, GOODBYE_REMOVED);
    while (router_engine_relisting(rig.re, &done))
        rig_tick(&rig);
    assert_int_equal(done.removed, 1);
    assert_int_equal(rig_notices(&rig, NOTICE_LOGOUT, &ev), 1);
    assert_int_equal(ev.reason, LOGOUT_REMOVED);
    assert_string_equal(router_engine_client(rig.re, ev.client), "client0");
    assert_null(rig_member(&rig, &a));
    /* what it sends reaches nobody, what is for it goes nowhere, and it does not get in again */
    assert_false(reaches(&a, &b));
    assert_int_equal(rig_drops(&rig, DROP_INDEX), 1);
    assert_false(reaches(&b, &a));
    guest_ask(&a, &rig);
    assert_int_equal(a.n_reply + a.n_cookie, 0);
    assert_int_equal(rig_drops(&rig, DROP_UNKNOWN_KEY), 1);
    /* nobody else noticed */
    assert_true(reaches(&b, &c) && reaches(&c, &b));
    assert_int_equal(rig_notices(&rig, NOTICE_LOGIN, NULL), 0);
    /* and back: the same address as before */
    struct ip6 before = guest_addr(&a);
    list[n_list++] = rig.clients[0];
    relist(&done);
    assert_int_equal(done.added, 1);
    guest_join(&a, &rig);
    assert_true(ip6_eq(guest_addr(&a), before));
    assert_true(reaches(&a, &b) && reaches(&b, &a));
}

static void removed_before_its_confirm(void **state)
{
    (void)state;
    three();
    guest_init(&a, &rig, 3, "198.51.100.10", 4000);
    guest_ask(&a, &rig);
    assert_int_equal(a.n_reply, 1);
    forget(3);
    relist(NULL);
    guest_confirm(&a, &rig);
    assert_null(rig_member(&rig, &a));
    assert_int_equal(rig.re->admit.n_used, 0);
}

static void renamed(void **state)
{
    struct relist done;

    (void)state;
    three();
    snprintf(list[0].name, sizeof(list[0].name), "anna");
    relist(&done);
    assert_int_equal(done.renamed, 1);
    assert_int_equal(done.changed + done.added + done.removed, 0);
    assert_string_equal(router_engine_client(rig.re, rig_member(&rig, &a)->client), "anna");
    assert_true(reaches(&a, &b) && reaches(&b, &a));
}

static void names_swapped(void **state) /* a name is no identity, a key is */
{
    struct relist done;

    (void)state;
    three();
    snprintf(list[0].name, sizeof(list[0].name), "client1");
    snprintf(list[1].name, sizeof(list[1].name), "client0");
    relist(&done);
    assert_int_equal(done.renamed, 2);
    assert_true(reaches(&a, &b) && reaches(&b, &a));
}

static void psk_changed(void **state)
{
    struct relist done;
    struct notice ev;
    struct heard by_a, by_b;

    (void)state;
    three();
    list[0].has_psk = true;
    memset(list[0].psk, 0x33, KEY_LEN);
    list[0].has_address = true; /* at the same time */
    list[0].address = ip6_of("2001:db8:1::beef");
    relist_heard(&done, &by_a, &by_b);
    assert_int_equal(done.changed, 1);
    assert_int_equal(rig_notices(&rig, NOTICE_LOGOUT, &ev), 1);
    assert_int_equal(ev.reason, LOGOUT_PSK);
    assert_null(rig_member(&rig, &a));
    /* it has to come with the new one, and is told at once */
    assert_int_equal(by_a.n_bye, 1);
    assert_int_equal(by_a.bye, GOODBYE_PSK);
    assert_int_equal(by_b.n_bye + by_b.n_settings, 0);
    memset(a.psk, 0x33, KEY_LEN);
    guest_join(&a, &rig);
    assert_true(ip6_eq(guest_addr(&a), list[0].address));
    assert_true(reaches(&a, &b) && reaches(&b, &c));
    assert_int_equal(rig_member(&rig, &a)->client, 0);
}

/* Another fixed address: the member stays, and is told. */
static void R23_address_changed(void **state)
{
    struct relist done;
    struct heard by_a, by_b;
    const struct ip6 fixed = ip6_of("2001:db8:1::beef");

    (void)state;
    three();
    struct ip6 before = guest_addr(&a);
    list[0].has_address = true;
    list[0].address = fixed;
    relist_heard(&done, &by_a, &by_b);
    assert_int_equal(done.changed, 1);
    assert_int_equal(rig_notices(&rig, NOTICE_LOGOUT, NULL), 0);
    assert_int_equal(by_a.n_settings, 1);
    assert_true(by_a.s.n_address == 1 && ip6_eq(by_a.s.address[0].addr, fixed));
    assert_int_equal(by_b.n_settings, 0);
    assert_true(bindings_owns(&rig.re->b, rig_member(&rig, &a), fixed));
    assert_false(bindings_owns(&rig.re->b, rig_member(&rig, &a), before));
    list[0].has_address = false;
    list[0].address = ip6_unspecified;
    relist(&done);
    assert_int_equal(done.changed, 1);
    assert_true(bindings_owns(&rig.re->b, rig_member(&rig, &a), before));
}

/* Two clients exchange their fixed addresses, whichever of them is looked at first. */
static void addresses_swapped(void **state)
{
    const struct ip6 x = ip6_of("2001:db8:1::a"), y = ip6_of("2001:db8:1::b");
    struct relist done;
    struct heard by_a, by_b;

    (void)state;
    rig.clients[0].has_address = rig.clients[1].has_address = true;
    rig.clients[0].address = x;
    rig.clients[1].address = y;
    three();
    memcpy(list, rig.clients, sizeof(rig.clients));
    for (unsigned round = 0; round < 2; round++) {
        list[0].address = round ? x : y;
        list[1].address = round ? y : x;
        relist_heard(&done, &by_a, &by_b);
        assert_int_equal(done.changed, 2);
        assert_true(by_a.n_settings == 1 && ip6_eq(by_a.s.address[0].addr, list[0].address));
        assert_true(by_b.n_settings == 1 && ip6_eq(by_b.s.address[0].addr, list[1].address));
        assert_true(bindings_owns(&rig.re->b, rig_member(&rig, &a), list[0].address));
        assert_true(bindings_owns(&rig.re->b, rig_member(&rig, &b), list[1].address));
    }
    assert_int_equal(rig_notices(&rig, NOTICE_LOGOUT, NULL), 0);
}

/* Is exactly this what the kernel is told of @g? */
static bool kernel_has(struct guest *g, const struct prefix *want, unsigned n)
{
    uint32_t slot = member_slot(&rig.re->ms, rig_member(&rig, g));
    struct reachable to, last = { .n = 99 };

    member_changed(&rig.re->ms, slot);
    while (router_engine_reach(rig.re, &to)) {
        if (to.slot == slot)
            last = to;
    }
    bool same = last.n == n;
    for (unsigned i = 0; same && i < n; i++)
        same = prefix_eq(last.prefix[i], want[i]);
    return same;
}

static bool told(const struct heard *h, const struct prefix *want, unsigned n)
{
    bool same = h->n_settings == 1 && h->s.n_delegated == n;

    for (unsigned i = 0; same && i < n; i++)
        same = prefix_eq(h->s.delegated[i], want[i]);
    return same;
}

/* Other delegated prefixes: the member stays, keeps what stays, and is told. One that passes from
 * one client to another passes, whichever of them is looked at first. */
static void prefixes_changed(void **state)
{
    const struct prefix p[] = { { ip6_of("2001:db8:a::"), 48 },
                                { ip6_of("2001:db8:b::"), 48 },
                                { ip6_of("2001:db8:c::"), 48 } };
    struct relist done;
    struct heard by_a, by_b;

    (void)state;
    three();
    struct router_client *of_a = &list[0], *of_b = &list[1];
    of_a->delegate[0] = p[0];
    of_a->delegate[1] = p[1];
    of_a->n_delegate = 2;
    relist_heard(&done, &by_a, &by_b);
    assert_int_equal(done.changed, 1);
    assert_true(told(&by_a, p, 2) && by_b.n_settings == 0);
    assert_true(kernel_has(&a, p, 2));
    /* the first goes, the second is the first now: it was a's all the time */
    of_a->delegate[0] = p[1];
    of_a->n_delegate = 1;
    begin_relist();
    rig_tick(&rig);
    assert_ptr_equal(bindings_delegated(&rig.re->b, p[1].addr), rig_member(&rig, &a));
    relist_heard(&done, &by_a, &by_b);
    assert_true(told(&by_a, p + 1, 1));
    assert_true(kernel_has(&a, p + 1, 1));
    assert_null(bindings_delegated(&rig.re->b, p[0].addr));
    for (unsigned round = 0; round < 2; round++) { /* from a to b, and back */
        struct router_client *to = round ? of_a : of_b, *from = round ? of_b : of_a;
        to->delegate[0] = p[1];
        to->n_delegate = 1;
        from->delegate[0] = p[2];
        relist_heard(&done, &by_a, &by_b);
        assert_int_equal(done.changed, 2);
        assert_true(told(&by_a, p + (round ? 1 : 2), 1) && told(&by_b, p + (round ? 2 : 1), 1));
        assert_true(kernel_has(&a, p + (round ? 1 : 2), 1));
        assert_true(kernel_has(&b, p + (round ? 2 : 1), 1));
    }
    of_a->n_delegate = of_b->n_delegate = 0;
    relist_heard(&done, &by_a, &by_b);
    assert_true(told(&by_a, NULL, 0) && told(&by_b, NULL, 0));
    assert_true(kernel_has(&a, NULL, 0) && kernel_has(&b, NULL, 0));
    assert_int_equal(rig_notices(&rig, NOTICE_LOGOUT, NULL), 0);
    assert_int_equal(by_a.n_bye + by_b.n_bye, 0);
    assert_true(reaches(&a, &b) && reaches(&b, &a));
}

/* ---- what the kernel is told of listed clients, on line or not ---- */

#define PLACES 8u
static struct reachable kernel[PLACES]; /* by place, as told last */

static unsigned hear_listed(void)
{
    struct reachable to;
    unsigned n = 0;

    while (router_engine_listed_prefixes(rig.re, &to)) {
        assert_true(to.slot < PLACES);
        kernel[to.slot] = to;
        n++;
    }
    return n;
}

static bool listed_with(uint32_t place, const struct prefix *want, unsigned n)
{
    bool same = kernel[place].n == n;

    for (unsigned i = 0; same && i < n; i++)
        same = prefix_eq(kernel[place].prefix[i], want[i]);
    return same;
}

static void listed_prefixes(void **state)
{
    const struct prefix p[] = { { ip6_of("2001:db8:a::"), 48 }, { ip6_of("2001:db8:b::"), 48 } };
    struct relist done;

    (void)state;
    memset(kernel, 0, sizeof(kernel));
    memcpy(rig.clients[1].delegate, p, sizeof(p));
    rig.clients[1].n_delegate = 2;
    memcpy(list, rig.clients, sizeof(rig.clients));
    rig_start(&rig);
    assert_int_equal(hear_listed(), 1); /* nobody has ever logged in */
    assert_true(listed_with(1, p, 2));
    relist(&done);
    assert_int_equal(hear_listed(), 0); /* the same once more */
    list[1].n_delegate = 1;
    list[0].n_delegate = 1;
    list[0].delegate[0] = p[1];
    relist(&done);
    assert_int_equal(hear_listed(), 2);
    assert_true(listed_with(0, p + 1, 1) && listed_with(1, p, 1));
    snprintf(list[0].name, sizeof(list[0].name), "another");
    relist(&done);
    assert_int_equal(done.renamed, 1);
    assert_int_equal(hear_listed(), 0);
    assert_true(router_engine_revoke(rig.re, "another", NULL, rig.now, &rig.out) == 1);
    assert_int_equal(hear_listed(), 1);
    assert_true(listed_with(0, NULL, 0));
    relist(&done); /* it is in the file still: added anew */
    assert_int_equal(hear_listed(), 1);
    assert_true(listed_with(0, p + 1, 1));
    forget(1);
    forget(0);
    relist(&done);
    assert_int_equal(hear_listed(), 2);
    assert_true(listed_with(0, NULL, 0) && listed_with(1, NULL, 0));
}

static void listed_while_in(void **state) /* access: open; a member becomes a listed client */
{
    struct relist done;
    struct heard by_a, by_b;

    (void)state;
    rig.conf.access = ACCESS_OPEN;
    rig.conf.n_clients = n_list = 1;
    rig_start(&rig);
    guest_init(&a, &rig, 5, "198.51.100.7", 4000);
    guest_init(&b, &rig, 0, "198.51.100.8", 4000);
    guest_join(&a, &rig);
    guest_join(&b, &rig);
    assert_int_equal(rig_member(&rig, &a)->client, SLOT_ABSENT);
    list[n_list] = rig.clients[5];
    list[n_list].n_delegate = 1;
    list[n_list++].delegate[0] = (struct prefix){ ip6_of("2001:db8:a::"), 48 };
    relist_heard(&done, &by_a, &by_b);
    assert_int_equal(done.added, 1);
    assert_true(told(&by_a, list[n_list - 1].delegate, 1));
    assert_true(kernel_has(&a, list[n_list - 1].delegate, 1));
    assert_int_equal(rig_notices(&rig, NOTICE_LOGOUT, NULL), 0);
    assert_string_equal(router_engine_client(rig.re, rig_member(&rig, &a)->client), "client5");
    assert_true(reaches(&a, &b) && reaches(&b, &a));
    struct ip6 x;
    assert_true(bindings_stable(&rig.re->b, rig_member(&rig, &a)->client, a.id.public_key, &x));
    assert_true(ip6_eq(x, guest_addr(&a))); /* the one it has had all the time */
}

static void no_room(void **state)
{
    struct relist done;

    (void)state;
    rig.conf.max_clients = RIG_LISTED;
    three();
    memset(&list[n_list], 0, sizeof(list[0]));
    memset(list[n_list++].public_key, 0x77, KEY_LEN);
    relist(&done);
    assert_int_equal(done.no_room, 1);
    assert_int_equal(router_engine_listed(rig.re), RIG_LISTED);
    forget(7); /* one goes, one comes: that fits */
    relist(&done);
    assert_int_equal(done.no_room, 0);
    assert_int_equal(done.removed, 1);
    assert_int_equal(done.added, 1);
    assert_true(reaches(&a, &b));
}

static void many_members_leave(void **state) /* more than one call can say goodbye to */
{
    static struct guest g[RIG_LISTED];
    struct relist done;

    (void)state;
    rig_start(&rig);
    for (unsigned i = 0; i < RIG_LISTED; i++) {
        char ip[20];
        snprintf(ip, sizeof(ip), "203.0.113.%u", i + 1);
        guest_init(&g[i], &rig, i, ip, 4000);
        guest_join(&g[i], &rig);
    }
    n_list = 2;
    relist(&done);
    assert_int_equal(done.removed, RIG_LISTED - 2);
    assert_true(reaches(&g[0], &g[1]));
    for (unsigned i = 2; i < RIG_LISTED; i++)
        assert_null(rig_member(&rig, &g[i]));
    assert_int_equal(rig.re->ms.n_max - rig.re->ms.n_free, 2);
}

/* Ten thousand clients come, all but the three who are there change, all go: those three do not
 * notice, and no tick looks at more than a slice. */
static void ten_thousand(void **state)
{
    struct relist done;

    (void)state;
    rig.conf.max_clients = MANY;
    three();
    for (n_list = 3; n_list < MANY; n_list++) {
        memset(&list[n_list], 0, sizeof(list[0]));
        be32_store(list[n_list].public_key, n_list);
        snprintf(list[n_list].name, sizeof(list[0].name), "c%u", n_list);
    }
    unsigned ticks = relist(&done);
    assert_int_equal(done.added, MANY - 3);
    assert_true(ticks >= MANY / RELIST_SLICE);
    assert_int_equal(router_engine_listed(rig.re), MANY);
    assert_true(reaches(&a, &b) && reaches(&b, &c) && reaches(&c, &a));
    for (unsigned i = 3; i < MANY; i++)
        memset(list[i].public_key + 8, 0x11, 8); /* other keys: all go, all come */
    relist(&done);
    assert_int_equal(done.removed, MANY - 3);
    assert_int_equal(done.added, MANY - 3);
    assert_true(reaches(&a, &b) && reaches(&b, &c) && reaches(&c, &a));
    n_list = 3;
    relist(&done);
    assert_int_equal(done.removed, MANY - 3);
    assert_int_equal(router_engine_listed(rig.re), 3);
    assert_true(reaches(&a, &b) && reaches(&b, &c) && reaches(&c, &a));
    assert_int_equal(rig_notices(&rig, NOTICE_LOGOUT, NULL), 0);
}

/* Random lists against a naive twin: who is listed is who was on the last list. */
static void random_lists(void **state)
{
    (void)state;
    three();
    for (unsigned round = 0; round < 300; round++) {
        bool on[RIG_LISTED];
        n_list = 0;
        for (unsigned i = 0; i < RIG_LISTED; i++) {
            on[i] = i < 3 || entropy_u32(&rig.e) % 2;
            if (on[i])
                list[n_list++] = rig.clients[i];
        }
        for (unsigned i = n_list; i > 1; i--) { /* in any order */
            unsigned k = entropy_u32(&rig.e) % i;
            struct router_client x = list[k];
            list[k] = list[i - 1];
            list[i - 1] = x;
        }
        if (entropy_u32(&rig.e) % 4 == 0) { /* given up half way */
            begin_relist();
            rig_tick(&rig);
        }
        relist(NULL);
        assert_int_equal(router_engine_listed(rig.re), n_list);
        for (unsigned i = 0; i < RIG_LISTED; i++)
            assert_int_equal(roster_find(&rig.re->roster, rig.clients[i].public_key) != TABLE_NONE,
                             on[i]);
        if (round % 16 == 0)
            assert_true(reaches(&a, &b) && reaches(&b, &c));
        rig_notices(&rig, NOTICE_LOGOUT, NULL);
    }
}

/* One goes without a list: by its name, by its key, by both, each once; nobody else notices. */
static void revoked_alone(void **state)
{
    struct relist done;
    struct notice ev;
    struct control bye;

    (void)state;
    three();
    assert_int_equal(rig_revoke(&rig, "client9999", NULL), 0);
    assert_int_equal(rig_revoke(&rig, "client0", NULL), 1);
    guest_take(&a, &rig);
    assert_int_equal(guest_has_control(&a, TLV_GOODBYE, &bye), 1);
    assert_int_equal(bye.goodbye, GOODBYE_REMOVED);
    assert_int_equal(rig_notices(&rig, NOTICE_LOGOUT, &ev), 1);
    assert_int_equal(ev.reason, LOGOUT_REMOVED);
    assert_null(rig_member(&rig, &a));
    guest_ask(&a, &rig);
    assert_int_equal(a.n_reply + a.n_cookie, 0);
    assert_int_equal(rig_drops(&rig, DROP_UNKNOWN_KEY), 1);
    assert_true(reaches(&b, &c) && reaches(&c, &b));
    assert_int_equal(rig_revoke(&rig, "client0", list[0].public_key), 0);
    /* the name of one, the key of another */
    assert_int_equal(rig_revoke(&rig, "client1", list[2].public_key), 2);
    assert_null(rig_member(&rig, &b));
    assert_null(rig_member(&rig, &c));
    assert_int_equal(router_engine_listed(rig.re), RIG_LISTED - 3);
    /* a list that has them brings them back */
    relist(&done);
    assert_int_equal(done.added, 3);
    guest_join(&a, &rig);
    assert_non_null(rig_member(&rig, &a));
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(nothing_new),
        ROW(removed),
        ROW(removed_before_its_confirm),
        ROW(renamed),
        ROW(names_swapped),
        ROW(psk_changed),
        ROW(R23_address_changed),
        ROW(addresses_swapped),
        ROW(prefixes_changed),
        ROW(listed_prefixes),
        ROW(listed_while_in),
        ROW(no_room),
        ROW(many_members_leave),
        ROW(ten_thousand),
        ROW(random_lists),
        ROW(revoked_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
