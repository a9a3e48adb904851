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

/* Returns the number of ticks it took. */
static unsigned relist(struct relist *done)
{
    struct client_list l = { .client = list, .n = n_list, .by_key = order };
    unsigned ticks = 0;

    for (uint32_t i = 0; i < n_list; i++)
        order[i] = i;
    qsort(order, n_list, sizeof(*order), by_key);
    router_engine_relist(rig.re, &l);
    while (router_engine_relisting(rig.re, done)) {
        assert_true(router_engine_deadline(rig.re) <= rig.now);
        rig_tick(&rig);
        assert_true(++ticks < 2000);
    }
    return ticks;
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
    struct client_list l = { .client = list, .n = n_list, .by_key = order };
    for (uint32_t i = 0; i < n_list; i++)
        order[i] = i;
    qsort(order, n_list, sizeof(*order), by_key);
    router_engine_relist(rig.re, &l);
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

    (void)state;
    three();
    list[0].has_psk = true;
    memset(list[0].psk, 0x33, KEY_LEN);
    relist(&done);
    assert_int_equal(done.changed, 1);
    assert_int_equal(rig_notices(&rig, NOTICE_LOGOUT, &ev), 1);
    assert_int_equal(ev.reason, LOGOUT_PSK);
    assert_null(rig_member(&rig, &a));
    memset(a.psk, 0x33, KEY_LEN);
    guest_join(&a, &rig);
    assert_true(reaches(&a, &b) && reaches(&b, &c));
    assert_int_equal(rig_member(&rig, &a)->client, 0);
}

/* Another fixed address: the member stays, and is told. */
static void R23_address_changed(void **state)
{
    struct relist done;
    struct control ctl;
    struct settings s;
    const struct ip6 fixed = ip6_of("2001:db8:1::beef");

    (void)state;
    three();
    struct ip6 before = guest_addr(&a);
    list[0].has_address = true;
    list[0].address = fixed;
    relist(&done);
    assert_int_equal(done.changed, 1);
    assert_int_equal(rig_notices(&rig, NOTICE_LOGOUT, NULL), 0);
    guest_take(&a, &rig); /* with the last slice */
    assert_int_equal(guest_has_control(&a, TLV_SETTINGS, &ctl), 1);
    assert_true(wire_get_settings(ctl.body, ctl.body_len, &s));
    assert_true(s.n_address == 1 && ip6_eq(s.address[0].addr, fixed));
    assert_true(bindings_owns(&rig.re->b, rig_member(&rig, &a), fixed));
    assert_false(bindings_owns(&rig.re->b, rig_member(&rig, &a), before));
    list[0].has_address = false;
    list[0].address = ip6_unspecified;
    relist(&done);
    assert_int_equal(done.changed, 1);
    assert_true(bindings_owns(&rig.re->b, rig_member(&rig, &a), before));
}

static void listed_while_in(void **state) /* access: open; a member becomes a listed client */
{
    struct relist done;

    (void)state;
    rig.conf.access = ACCESS_OPEN;
    rig.conf.n_clients = n_list = 1;
    rig_start(&rig);
    guest_init(&a, &rig, 5, "198.51.100.7", 4000);
    guest_init(&b, &rig, 0, "198.51.100.8", 4000);
    guest_join(&a, &rig);
    guest_join(&b, &rig);
    assert_int_equal(rig_member(&rig, &a)->client, SLOT_ABSENT);
    list[n_list++] = rig.clients[5];
    relist(&done);
    assert_int_equal(done.added, 1);
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
            struct client_list l = { .client = list, .n = 0, .by_key = order };
            l.n = n_list;
            for (uint32_t i = 0; i < n_list; i++)
                order[i] = i;
            qsort(order, n_list, sizeof(*order), by_key);
            router_engine_relist(rig.re, &l);
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
        ROW(listed_while_in),
        ROW(no_room),
        ROW(many_members_leave),
        ROW(ten_thousand),
        ROW(random_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
