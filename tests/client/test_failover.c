/* SPDX-License-Identifier: MIT */
/* test_failover.c - several routers: on to the next, and back to the first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake_router.h"
#include "proto/mac.h"

static struct world w;
static struct endpoint first, second;

/* Two routers in the configuration; the fake one is at either address, which is w.live. */
static int setup(void **state)
{
    (void)state;
    world_init(&w);
    first = w.live;
    second = (struct endpoint){ be32_of(0xc6130001), be16_of(7000) };
    w.second = second;
    w.cfg.n_routers = 2;
    w.cfg.router[1] = w.cfg.router[0];
    w.cfg.fail_back_s = 60;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_free(&w);
    return 0;
}

static void up_at(struct endpoint ep)
{
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_true(endpoint_eq(w.e.tunnel.router, ep));
    assert_int_equal(w.e.tunnel.which, endpoint_eq(ep, second));
}

/* alone() - the router at the other address is gone, and one without memory is at @ep */
static void alone(struct endpoint ep)
{
    w.live = ep;
    router_restart(&w);
}

/* sent_to() - LOGINs outside to @ep since @since */
static unsigned sent_to(struct endpoint ep, mono_ns since)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w.n_sent; i++)
        n += w.sent[i].type == WIRE_LOGIN && w.sent[i].at >= since && endpoint_eq(w.sent[i].to, ep);
    return n;
}

/* The first one is away from the start: two copies of one LOGIN, then the second's turn. */
static void first_is_silent(void **state)
{
    (void)state;
    w.live = second;
    world_start(&w);
    world_run(&w, time_s(4));
    up_at(second);
    assert_int_equal(sent_to(first, 0), 2);
    assert_in_range(world_last(&w, EVENT_LOGGED_IN)->time, time_ms(1001600), time_ms(1002600));
}

/* Both are away: each has its turn, and the pauses grow by the round. */
static void both_are_silent(void **state)
{
    (void)state;
    w.r.mute = true;
    world_start(&w);
    world_run(&w, time_s(200));
    unsigned a = sent_to(first, 0), b = sent_to(second, 0);
    assert_in_range(a, 8, 20);
    assert_in_range(b, a - 2, a + 2);
    for (unsigned i = 1; i < w.n_sent; i++) {
        bool even = i / 2 % 2 == 0;
        assert_true(endpoint_eq(w.sent[i].to, even ? first : second));
        assert_true(w.sent[i].at - w.sent[i - 1].at <= LOGIN_BACKOFF_MAX);
    }
    w.r.mute = false;
    world_run(&w, time_s(40));
    assert_int_equal(w.e.state, CLIENT_UP);
}

/* The one in use dies: silence is found, it has its turn once more, then the other takes over while
 * the device is held. */
static void failover(void **state)
{
    (void)state;
    world_login(&w);
    up_at(first);
    alone(second);
    mono_ns from = w.now;
    world_tap(&w, w.r.settings.router_mac, 100);
    world_run(&w, time_s(14));
    up_at(second);
    assert_in_range(world_last(&w, EVENT_LOGGED_IN)->time - from, time_s(6), time_s(9));
    assert_int_equal(world_count(&w, EVENT_CARRIER), 1);
}

/* It has only restarted: no other is asked. */
static void restarted(void **state)
{
    (void)state;
    world_login(&w);
    router_restart(&w);
    mono_ns from = w.now;
    world_run(&w, time_s(30));
    up_at(first);
    assert_int_equal(sent_to(second, from), 0);
    assert_int_equal(w.e.logins, 2);
}

/* On the second: the first is asked now and then, quietly, and the live keypair goes on meanwhile;
 * when it answers, the client goes back to it. */
static void fail_back(void **state)
{
    (void)state;
    w.live = second;
    world_start(&w);
    world_run(&w, time_s(4));
    up_at(second);
    mono_ns from = w.now;
    unsigned told = world_count(&w, EVENT_SILENCE) + world_count(&w, EVENT_ROUTER_CHANGED);
    for (unsigned s = 0; s < 300; s++) {
        world_tap(&w, w.r.settings.router_mac, 100);
        world_run(&w, time_s(1));
        up_at(second);
    }
    unsigned asked = sent_to(first, from);
    assert_in_range(asked, 2 * 4, 2 * 6); /* every 60 s +-20 %, each LOGIN twice */
    assert_int_equal(w.r.data, 300);      /* nothing was lost meanwhile */
    assert_int_equal(w.e.logins, 1);
    assert_true(w.e.rekeys >= 2);
    assert_int_equal(world_count(&w, EVENT_SILENCE) + world_count(&w, EVENT_ROUTER_CHANGED), told);

    world_run(&w, w.e.login.fail_back_at - 1 - w.now);
    up_at(second);
    alone(first);
    world_run(&w, time_ms(200));
    up_at(first);
    assert_int_equal(world_count(&w, EVENT_ROUTER_LOST), 0); /* before the other was missed */
    assert_int_equal(world_count(&w, EVENT_CARRIER), 1);
    from = w.now;
    world_run(&w, time_s(200));
    up_at(first);
    assert_int_equal(sent_to(second, from), 0);
    assert_int_equal(w.e.login.fail_back_at, NEVER);
}

/* fail_back: 0: the client stays where it is */
static void no_fail_back(void **state)
{
    (void)state;
    w.cfg.fail_back_s = 0;
    w.live = second;
    world_start(&w);
    world_run(&w, time_s(4));
    mono_ns from = w.now;
    world_run(&w, time_s(600));
    up_at(second);
    assert_int_equal(sent_to(first, from), 0);
}

/* A router that answers no or is full sends the client on at once; when all do, it waits as told.
 */
static void refused(void **state)
{
    static const enum verdict verdict[] = { VERDICT_BUSY, VERDICT_REFUSED };

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        world_init(&w);
        setup(NULL);
        w.r.verdict = verdict[i];
        w.r.backoff_s = 100;
        world_start(&w);
        world_run(&w, time_ms(500));
        assert_int_equal(sent_to(first, 0), 1);
        assert_int_equal(sent_to(second, 0), 1);
        w.r.verdict = VERDICT_OK;
        w.live = second;
        world_run(&w, time_s(150)); /* the first is silent then, so that is the second's turn */
        up_at(second);
        world_free(&w);
    }
    world_init(&w);
}

/* A preferred one that is full must not cost the one that works. */
static void probe_is_refused(void **state)
{
    (void)state;
    w.live = second;
    world_start(&w);
    world_run(&w, time_s(4));
    up_at(second);
    struct login *l = &w.e.login;
    world_run(&w, l->fail_back_at - w.now);
    assert_true(l->probing && l->state == LOGIN_SENT);
    w.r.verdict = VERDICT_BUSY;
    w.live = first; /* answers this LOGIN with busy */
    w.r.backoff_s = 300;
    world_run(&w, time_s(1) + time_ms(300));
    w.live = second;
    w.r.verdict = VERDICT_OK;
    world_run(&w, time_s(3));
    assert_int_equal(l->state, LOGIN_IDLE);
    up_at(second);
    world_run(&w, time_s(140)); /* a rekey goes inside as ever */
    up_at(second);
    assert_int_equal(w.e.logins, 1);
    assert_true(w.e.rekeys >= 1);
}

/* Each router has its own key: the wrong one draws nothing. */
static void own_keys(void **state)
{
    (void)state;
    w.cfg.router[0].key[5] ^= 1;
    world_start(&w);
    world_run(&w, time_s(4));
    assert_int_equal(w.e.tunnel.which, 0); /* the fake router is at first, with the second's key */
    assert_int_equal(w.e.state, CLIENT_START);
    w.live = second;
    world_run(&w, time_s(8));
    up_at(second);
}

/* The name of the first has no address: the second is asked at once. */
static void no_address(void **state)
{
    (void)state;
    w.n_eps = 0;
    w.live = second;
    world_start(&w);
    world_run(&w, time_ms(200));
    up_at(second);
    assert_int_equal(world_count(&w, EVENT_NO_ROUTER), 1);
}

/* The name of the first is looked up for ever: the second's turn comes after LOGIN_RESOLVE_MAX, in
 * each round. */
static void slow_name(void **state) /* H99 */
{
    (void)state;
    w.slow_names = true;
    w.live = second;
    mono_ns start = w.now;
    world_start(&w);
    world_run(&w, LOGIN_RESOLVE_MAX - time_ms(100));
    assert_int_equal(w.e.state, CLIENT_START);
    world_run(&w, time_ms(300));
    up_at(second);
    assert_in_range(world_last(&w, EVENT_LOGGED_IN)->time, start + LOGIN_RESOLVE_MAX,
                    start + LOGIN_RESOLVE_MAX + time_ms(200));
    world_run(&w, 2 * w.cfg.fail_back_s * NS_PER_S); /* looking for the first costs nothing */
    up_at(second);
    assert_int_equal(w.e.logins, 1);
    w.slow_names = false;
    w.live = first;
    router_restart(&w);
    world_run(&w, 2 * w.cfg.fail_back_s * NS_PER_S);
    up_at(first);
}

/* With one router there is nothing else to do than to wait for its name; and when it comes, at
 * last, it is used at once. */
static void slow_only_name(void **state) /* H99 */
{
    (void)state;
    w.cfg.n_routers = 1;
    w.slow_names = true;
    world_start(&w);
    world_run(&w, time_s(100));
    assert_int_equal(w.e.state, CLIENT_START);
    assert_int_equal(sent_to(first, 0), 0);
    assert_int_equal(world_count(&w, EVENT_NO_ROUTER), 0);
    w.slow_names = false;
    client_engine_router(&w.e, 0, w.eps, w.n_eps, w.now);
    world_run(&w, time_ms(100));
    up_at(first);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(first_is_silent), T(both_are_silent), T(failover),  T(restarted),
        T(fail_back),       T(no_fail_back),    T(refused),   T(probe_is_refused),
        T(own_keys),        T(no_address),      T(slow_name), T(slow_only_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
