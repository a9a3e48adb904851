/* SPDX-License-Identifier: MIT */
/* test_admit_forged.c - more LOGINs than can be looked at, from forged sources that are new each
 * time or come again: what they cost, and that a client among them is served (H23) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

/* ---- new each time ---- */

/* A copy of @g's LOGIN from as many new addresses as it takes, a moment apart, until none is looked
 * at. Return: how many were */
static unsigned crowd(const struct guest *g, uint32_t *at)
{
    unsigned looked = 0;

    for (;;) {
        uint64_t before = rig.re->drop[DROP_LOGIN_RATE];
        for (unsigned i = 0; i < BURST_MAX; i++, ++*at)
            rig_queue(
                &rig,
                (struct endpoint){ .ip = be32_of(0x64400000 + *at * 257), .port = be16_of(9) },
                g->login, LOGIN_LEN);
        rig_run(&rig);
        uint64_t dropped = rig.re->drop[DROP_LOGIN_RATE] - before;
        looked += BURST_MAX - (unsigned)dropped;
        if (dropped == BURST_MAX)
            return looked;
        rig.now += 1000; /* the next wake-up has handshakes again */
        assert_true(looked < 10000);
    }
}

/* More LOGINs than can be looked at, each from another address: they cost no MAC1, no COOKIE and no
 * handshake; a client that asks again is heard, and served when it has its cookie (H23). */
static void forged_sources(void **state)
{
    struct guest a, b;
    uint32_t at = 0;

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "203.0.113.5", 4000);
    guest_init(&b, &rig, 99, "203.0.113.6", 4000); /* nobody knows its key */
    guest_login(&b, &rig);
    unsigned looked = crowd(&b, &at);
    assert_in_range(looked, rig.conf.logins_per_s + LOOKS_PER_S,
                    rig.conf.logins_per_s + LOOKS_PER_S + 60);
    uint64_t opened = rig.re->admit.opened;
    assert_true(opened <= rig.conf.logins_per_s + 10);

    guest_ask(&a, &rig);
    assert_int_equal(a.n_cookie + a.n_reply, 0); /* it is as new as the others */
    assert_int_equal(rig_drops(&rig, DROP_LOGIN_RATE), 1);
    for (unsigned ms = 0; ms < LOGIN_TIMEOUT / NS_PER_MS; ms += 100) {
        rig.now += 100 * NS_PER_MS;
        looked += crowd(&b, &at);
    }
    assert_true(looked < 2 * (rig.conf.logins_per_s + LOOKS_PER_S) + 200);
    assert_true(rig.re->admit.opened - opened <= 16); /* in a crowd none without MAC2 is */
    guest_ask(&a, &rig);
    assert_int_equal(a.n_cookie, 1);
    guest_ask(&a, &rig);
    assert_int_equal(a.n_reply, 1);
    guest_confirm(&a, &rig);
    assert_non_null(rig_member(&rig, &a));
}

/* ---- the same ones again ---- */

#define AGAIN 2000u

static struct endpoint again_ep(unsigned i)
{
    return (struct endpoint){ .ip = be32_of(0x64400000 + i * 257), .port = be16_of(9) };
}

/* @login from each of AGAIN addresses, the same ones each time. Return: how many were looked at */
static unsigned again(const uint8_t *login)
{
    uint64_t before = rig.re->drop[DROP_LOGIN_RATE];

    for (unsigned i = 0; i < AGAIN; i++) {
        rig_queue(&rig, again_ep(i), login, LOGIN_LEN);
        if (i % BURST_MAX == BURST_MAX - 1 || i == AGAIN - 1)
            rig_run(&rig);
    }
    return AGAIN - (unsigned)(rig.re->drop[DROP_LOGIN_RATE] - before);
}

/* Forged addresses that come again are looked at while a client might be there that has lost a
 * COOKIE, and then no more; a client that asks meanwhile is served (H23). */
static void forged_sources_again(void **state)
{
    static const struct {
        const char *name;
        unsigned from, to; /* that were looked at */
    } row[] = {
        { "new: what the bucket has", 1010, 1011 },
        { "all asked before: a COOKIE to each", AGAIN, AGAIN },
        { "a second one to those that had one, again to none that had two", 900, 1100 },
        { "all had two", 0, 100 },
        { "and they stay where they are", 0, 100 },
    };
    struct guest a, b;

    (void)state;
    rig.conf.logins_per_s = 10;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "203.0.113.5", 4000);
    guest_init(&b, &rig, 99, "203.0.113.6", 4000); /* nobody knows its key */
    guest_login(&b, &rig);
    for (unsigned i = 0; i < N(row); i++) {
        unsigned looked = again(b.login);
        if (looked < row[i].from || looked > row[i].to)
            fail_msg("%s: %u", row[i].name, looked);
        rig.now += 20 * NS_PER_MS; /* the bucket gets 20 */
    }
    again(b.login);
    guest_ask(&a, &rig);
    assert_int_equal(a.n_cookie + a.n_reply, 0);
    rig.now += 20 * NS_PER_MS;
    again(b.login);
    guest_ask(&a, &rig);
    assert_int_equal(a.n_cookie, 1);
    rig.now += 20 * NS_PER_MS;
    again(b.login);
    guest_ask(&a, &rig);
    assert_int_equal(a.n_reply, 1);
    rig_wait(&rig, 2 * VAIN_MEMORY + NS_PER_S); /* and it ends */
    again(b.login);
    again(b.login);
    rig.now += NS_PER_MS;
    assert_in_range(again(b.login), 900, AGAIN);
}

/* A wrong MAC2 is checked no more often than COOKIEs are given, and once. */
static void forged_cookies_again(void **state)
{
    struct guest b;
    unsigned looked[8];

    (void)state;
    rig.conf.logins_per_s = 10;
    rig_start(&rig);
    guest_init(&b, &rig, 99, "203.0.113.6", 4000);
    guest_login(&b, &rig);
    memset(b.login + LOGIN_LEN - MAC12_LEN, 7, MAC12_LEN);
    for (unsigned i = 0; i < N(looked); i++) {
        looked[i] = again(b.login);
        rig.now += 20 * NS_PER_MS;
    }
    assert_int_equal(looked[1], AGAIN);
    assert_int_equal(looked[2], AGAIN);
    assert_in_range(looked[3], 900, 1100); /* the others had a look in the first round */
    for (unsigned i = 4; i < N(looked); i++)
        assert_in_range(looked[i], 0, 100);
}

/* What comes from one address in a crowd, while the bucket is empty: row by row, what is done with
 * it. L: LOGIN without MAC2; W: with a wrong one; R: with the right one, if a COOKIE came */
static void looks_at_one_address(void **state)
{
    static const struct {
        const char *name, *asks, *want; /* -: dropped, c: COOKIE, r: LOGIN_REPLY */
    } row[] = {
        { "a client", "LLR", "-cr" },
        { "its first COOKIE is lost", "LLLR", "-ccr" },
        { "both are lost", "LLLLLL", "-cc---" },
        { "the second is not, later", "LLLLR", "-cc-r" },
        { "a stale cookie", "WWR", "-cr" },
        { "stale, and the COOKIE is lost", "WWWR", "-ccr" },
        { "no cookie known there is right", "WWWWWW", "-ccc--" },
        { "another is at that address", "LLRLLLLLL", "-crcccccc" },
        { "others with stale cookies are", "LLRWWWWWW", "-crcccccc" },
        { "another is, after COOKIEs were lost", "LLLRLLLLL", "-ccrccccc" },
    };
    struct guest b;

    (void)state;
    rig.conf.logins_per_s = 10;
    rig_start(&rig);
    guest_init(&b, &rig, 99, "203.0.113.6", 4000);
    guest_login(&b, &rig);
    for (unsigned i = 0; i < N(row); i++) {
        char ip[20], got[16] = "";
        struct guest a, seen;

        snprintf(ip, sizeof(ip), "203.0.%u.7", i);
        guest_init(&a, &rig, i, ip, 4000);
        seen = a; /* has the last COOKIE */
        rig.now += 2 * NS_PER_S;
        for (unsigned k = 0; row[i].asks[k]; k++) {
            uint32_t at = i * 100000 + k * 10000;
            crowd(&b, &at);
            struct guest g = row[i].asks[k] == 'R' ? seen : a;
            guest_login(&g, &rig);
            if (row[i].asks[k] == 'W')
                memset(g.login + LOGIN_LEN - MAC12_LEN, 7, MAC12_LEN);
            rig_udp(&rig, g.ep, g.login, LOGIN_LEN);
            guest_take(&g, &rig);
            got[k] = g.n_reply ? 'r' : g.n_cookie ? 'c' : '-';
            seen.purse = g.n_cookie ? g.purse : seen.purse;
        }
        if (strcmp(got, row[i].want) != 0)
            fail_msg("%s: %s", row[i].name, got);
    }
}

/* Whoever is let in proves its address for the others behind it. */
static void members_prove_their_address(void **state)
{
    struct guest a, b, x;
    uint32_t at = 0;

    (void)state;
    rig.conf.logins_per_s = 10;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "203.0.113.5", 4000);
    guest_init(&b, &rig, 1, "203.0.113.5", 4001);
    guest_init(&x, &rig, 99, "203.0.113.6", 4000);
    guest_login(&x, &rig);
    guest_join(&a, &rig); /* without a cookie: there is no crowd yet */
    rig_notices(&rig, NOTICE_LOGIN, NULL);
    crowd(&x, &at);
    for (unsigned i = 0; i < 6; i++) {
        guest_login(&b, &rig);
        rig_udp(&rig, b.ep, b.login, LOGIN_LEN);
        struct guest lost = b;
        guest_take(&lost, &rig);
        assert_int_equal(lost.n_cookie, 1);
        crowd(&x, &at);
    }
    guest_ask(&b, &rig);
    guest_ask(&b, &rig);
    assert_int_equal(b.n_reply, 1);
}

/* Who does not know the router's key wastes looks, no more: a client asks twice. */
static void forged_garbage(void **state)
{
    struct guest a, b;
    uint32_t at = 0;

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "203.0.113.5", 4000);
    guest_init(&b, &rig, 1, "203.0.113.6", 4000);
    guest_login(&b, &rig);
    b.login[100] ^= 1;
    crowd(&b, &at);
    assert_int_equal(rig.re->admit.opened, 0);
    guest_ask(&a, &rig);
    assert_int_equal(a.n_cookie + a.n_reply, 0);
    guest_ask(&a, &rig);
    assert_int_equal(a.n_reply, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(forged_sources),
        RIG_ROW(forged_sources_again),
        RIG_ROW(forged_cookies_again),
        RIG_ROW(looks_at_one_address),
        RIG_ROW(members_prove_their_address),
        RIG_ROW(forged_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
