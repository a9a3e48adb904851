/* SPDX-License-Identifier: MIT */
/* test_cast.c - multicast packets on their way to many: who gets a copy, slices and their price,
 * full places, members and groups that change meanwhile (R37, H58) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

#define FROM   3u
#define PACKET 60u

static const struct mac src = { { 2, 0, 0, 0, 0, FROM } };

static struct router_config conf;
static struct members ms;
static struct groups gs;
static struct cast *cast;
static struct txq q;
static struct out out;
static void *mem[2];
static mono_ns now;
static unsigned *got; /* copies by slot since start() */

static void start(unsigned members)
{
    static const uint8_t hash_key[16] = "some hash key";

    router_config_defaults(&conf);
    conf.max_members = members;
    conf.multicast = true;
    mem[0] = calloc(1, members_bytes(&conf));
    mem[1] = calloc(1, groups_bytes(&conf));
    cast = calloc(1, sizeof(*cast));
    got = calloc(members, sizeof(*got));
    out = (struct out){ .arena = malloc(ROUTER_ARENA), .arena_len = ROUTER_ARENA };
    assert_true(mem[0] && mem[1] && cast && got && out.arena);
    members_init(&ms, mem[0], &conf, hash_key);
    groups_init(&gs, mem[1], &conf, hash_key);
    for (unsigned i = 0; i < members; i++) {
        uint8_t key[KEY_LEN] = { 0 };
        struct mac mac = { { 2, 7, 7 } };
        be32_store(key, i);
        mac.b[4] = (uint8_t)(i >> 8);
        mac.b[5] = (uint8_t)i;
        struct member *m =
            member_new(&ms, key, mac, (struct prefix){ .addr = ip6_of("fd00::"), .len = 64 }, T0);
        assert_int_equal(member_slot(&ms, m), i);
    }
    q.n = 0;
    now = T0;
}

static int tear_down(void **state)
{
    (void)state;
    free(mem[0]);
    free(mem[1]);
    free(cast);
    free(got);
    free(out.arena);
    return 0;
}

static void join(uint32_t slot, const char *group)
{
    uint8_t v1[IP6_LEN];
    struct ip6 a = ip6_of(group);
    struct mld m = { .type = ICMP6_MLD_REPORT, .n_left = 1, .next = v1 };
    memcpy(v1, a.b, sizeof(v1));
    assert_int_equal(groups_report(&gs, slot, &m, now), DROP_NONE);
}

static enum drop send(uint32_t from, const char *group, uint8_t number, size_t len)
{
    uint8_t p[CAST_PACKET + 1];
    struct frame f = { .p = p, .len = (uint16_t)len, .dst = ip6_of(group) };
    memset(p, number, sizeof(p));
    memcpy(p + 24, f.dst.b, IP6_LEN);
    return cast_add(cast, &f, from, src);
}

/* One slice; what it queued is counted in got[] and thrown away. Returns how much that was. */
static unsigned slice(void)
{
    unsigned before = q.n;

    while (cast_run(cast, &ms, &gs, &q, &out, now))
        ;
    unsigned n = q.n - before;
    for (unsigned i = before; i < q.n; i++)
        got[member_slot(&ms, q.to[i])]++;
    q.n = 0;
    out_reset(&out);
    return n;
}

/* Until nothing is under way, in as little time as that takes. */
static unsigned all_slices(void)
{
    unsigned n = 0;

    while (cast_deadline(cast) != NEVER) {
        now = now > cast_deadline(cast) ? now : cast_deadline(cast);
        n += slice();
    }
    return n;
}

static void R37_listeners_only(void **state) /* R37 */
{
    (void)state;
    start(8);
    join(0, "ff02::fb");
    join(FROM, "ff02::fb"); /* the sender does not hear itself */
    join(5, "ff02::fb");
    join(6, "ff05::7");
    join(7, "ff02::fb"); /* the last slot */
    ms.m[7].mtu = PACKET;
    ms.m[5].mtu = PACKET - 1; /* not cut, not sent */
    assert_int_equal(cast_deadline(cast), NEVER);
    assert_int_equal(send(FROM, "ff02::fb", 9, PACKET), DROP_NONE);
    assert_true(cast_deadline(cast) <= now);
    struct cast_job *j = cast_run(cast, &ms, &gs, &q, &out, now);
    assert_non_null(j); /* for the caller to tell its sender, R40 */
    assert_int_equal(j->from, FROM);
    assert_int_equal(j->n_small, 1);
    assert_int_equal(j->least_mtu, PACKET - 1);
    assert_null(cast_run(cast, &ms, &gs, &q, &out, now));
    assert_int_equal(q.n, 2);
    assert_ptr_equal(q.to[0], &ms.m[0]);
    assert_ptr_equal(q.to[1], &ms.m[7]);
    for (unsigned i = 0; i < q.n; i++) {
        const uint8_t *p = q.pt[i].p + DATA_HDR_LEN;
        assert_int_equal(q.kind[i], KIND_MULTICAST);
        assert_int_equal(q.pt[i].len, MAC_LEN + PACKET);
        assert_memory_equal(p, src.b, MAC_LEN);
        assert_int_equal(p[MAC_LEN], 9);
        assert_int_equal(p[MAC_LEN + PACKET - 1], 9);
        assert_true(p - DATA_HDR_LEN >= out.arena && /* room behind for the tag, too */
                    p + MAC_LEN + PACKET + TAG_LEN <= out.arena + out.arena_used);
    }
    assert_true(q.pt[0].p != q.pt[1].p);
    assert_int_equal(cast_deadline(cast), NEVER);
}

static void everybody_but_the_sender(void **state)
{
    (void)state;
    start(8);
    member_gone(&ms, &ms.m[2], now);
    assert_int_equal(send(FROM, "ff02::1", 1, PACKET), DROP_NONE);
    assert_int_equal(all_slices(), 6);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(got[i], i != FROM && i != 2);
}

static void length(void **state)
{
    (void)state;
    start(2);
    ms.m[0].mtu = ms.m[1].mtu = CAST_PACKET;
    assert_int_equal(send(1, "ff02::1", 1, CAST_PACKET + 1), DROP_TOO_BIG);
    assert_int_equal(cast_deadline(cast), NEVER);
    assert_int_equal(send(1, "ff02::1", 1, CAST_PACKET), DROP_NONE);
    assert_int_equal(all_slices(), 1);
}

static void slices(void **state) /* H58 */
{
    const unsigned n = 3 * CAST_COPIES + 2; /* and the sender */

    (void)state;
    start(n);
    assert_int_equal(send(FROM, "ff02::1", 1, PACKET), DROP_NONE);
    assert_int_equal(slice(), CAST_COPIES);
    assert_true(cast_deadline(cast) >= now + CAST_COPIES * CAST_COPY_TIME);
    now = cast_deadline(cast) - 1;
    assert_int_equal(slice(), 0); /* not before its time */
    now++;
    assert_int_equal(slice(), CAST_COPIES);
    assert_int_equal(all_slices(), CAST_COPIES + 1);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(got[i], i != FROM); /* each once, the last slot too */
}

static void a_short_job_costs_little(void **state)
{
    (void)state;
    start(3);
    send(0, "ff02::1", 1, PACKET);
    assert_int_equal(slice(), 2);
    send(0, "ff02::1", 1, PACKET);
    assert_true(cast_deadline(cast) <= now + 2 * CAST_COPY_TIME);
    assert_int_equal(all_slices(), 2);
}

/* However much is asked for, copies stay below a rate. */
static void copies_are_limited(void **state) /* H58 */
{
    unsigned n = 0;

    (void)state;
    start(200);
    while (now < T0 + NS_PER_S) {
        for (uint32_t from = 0; from < 4; from++) {
            while (send(from, from % 2 ? "ff02::1" : "ff02::fb", 1, PACKET) == DROP_NONE)
                ;
        }
        join(7, "ff02::fb");
        n += slice();
        now += NS_PER_MS / 10;
    }
    assert_true(n <= NS_PER_S / CAST_COPY_TIME + CAST_COPIES);
    assert_true(n >= NS_PER_S / CAST_COPY_TIME / 2);
}

static void places(void **state)
{
    unsigned n = 0;

    (void)state;
    start(4);
    while (send(0, "ff02::1", 1, PACKET) == DROP_NONE)
        n++;
    assert_int_equal(n, CAST_JOBS_EACH); /* one sender does not take all */
    assert_int_equal(send(0, "ff02::1", 1, PACKET), DROP_MULTICAST_RATE);
    while (send(1, "ff02::1", 2, PACKET) == DROP_NONE)
        n++;
    assert_int_equal(n, CAST_JOBS);
    assert_int_equal(send(2, "ff02::1", 3, PACKET), DROP_MULTICAST_RATE);
    assert_int_equal(slice(), CAST_COPIES);
    unsigned freed = CAST_COPIES / 3;
    for (unsigned i = 0; i < freed; i++) /* the ring goes round */
        assert_int_equal(send(i % 2 ? 2 : 3, "ff02::1", 4, PACKET), DROP_NONE);
    unsigned left = CAST_JOBS - freed;
    assert_int_equal(all_slices(), 3 * (left + freed) - 1); /* one of a job was in the slice */
    assert_int_equal(got[2] + got[3] + got[0] + got[1], 3 * (CAST_JOBS + freed));
    assert_int_equal(send(0, "ff02::1", 1, PACKET), DROP_NONE);
}

static void a_member_leaves_meanwhile(void **state)
{
    const unsigned n = 2 * CAST_COPIES;

    (void)state;
    start(n);
    send(FROM, "ff02::1", 1, PACKET);
    assert_int_equal(slice(), CAST_COPIES);
    member_gone(&ms, &ms.m[1], now);     /* has it already */
    member_gone(&ms, &ms.m[100], now);   /* does not get it */
    member_gone(&ms, &ms.m[n - 1], now); /* nor the last, with which the table ends sooner */
    assert_int_equal(ms.high, n - 1);
    assert_int_equal(all_slices(), CAST_COPIES - 3);
    assert_int_equal(got[1], 1);
    assert_int_equal(got[100], 0);
    assert_int_equal(got[n - 1], 0);
    assert_int_equal(got[n - 2], 1);
}

static void everybody_leaves_meanwhile(void **state)
{
    (void)state;
    start(2 * CAST_COPIES);
    send(FROM, "ff02::1", 1, PACKET);
    slice();
    for (unsigned i = 0; i < 2 * CAST_COPIES; i++)
        member_gone(&ms, &ms.m[i], now);
    assert_int_equal(all_slices(), 0);
    assert_int_equal(cast->n, 0);
}

/* A group ends and its number becomes another's while a packet for it is under way. */
static void a_number_changes_hands(void **state)
{
    const unsigned n = 3 * CAST_COPIES;

    (void)state;
    start(n);
    for (unsigned i = 0; i < n; i++)
        join(i, "ff02::fb");
    uint32_t id = groups_find(&gs, ip6_of("ff02::fb"));
    send(FROM, "ff02::fb", 1, PACKET);
    assert_int_equal(slice(), CAST_COPIES);
    for (unsigned i = 0; i < n; i++)
        groups_leave(&gs, i);
    for (unsigned i = 0; i < n; i++)
        join(i, "ff05::7");
    assert_int_equal(groups_find(&gs, ip6_of("ff05::7")), id); /* or this shows nothing */
    assert_int_equal(all_slices(), 0);
}

static void no_room(void **state)
{
    (void)state;
    start(8);
    send(FROM, "ff02::1", 1, PACKET);
    q.n = TXQ_MAX - 2; /* others have filled it */
    cast_run(cast, &ms, &gs, &q, &out, now);
    assert_int_equal(q.n, TXQ_MAX);
    q.n = 0;
    out.arena_used = out.arena_len - PACKET; /* likewise the arena */
    now = cast_deadline(cast);
    assert_int_equal(slice(), 0);
    assert_int_equal(all_slices(), 5); /* goes on where it was */
    for (unsigned i = 2; i < 8; i++)
        assert_int_equal(got[i], i != FROM);
}

/* Few listeners among many members: looking is limited and has a price, too. */
static void looking_is_limited(void **state)
{
    const unsigned n = CAST_SCAN + 10;

    (void)state;
    start(n);
    join(n - 1, "ff02::fb"); /* the tail */
    join(5, "ff02::fb");
    send(FROM, "ff02::fb", 1, PACKET);
    assert_int_equal(slice(), 1);
    assert_true(cast_deadline(cast) >= now + CAST_SCAN / CAST_SCAN_PRICE * CAST_COPY_TIME);
    now = cast_deadline(cast);
    assert_int_equal(slice(), 1);
    assert_int_equal(got[n - 1], 1);
    assert_int_equal(cast->n, 0);
}

/* Naive twin: every packet goes to every member of its group but the sender, whatever the slices.
 */
static void random_jobs(void **state)
{
    static const char *const group[] = { "ff02::1", "ff02::fb", "ff05::7", "ff0e::8", "ff02::9" };
    struct entropy e = { .seed = { 58 } };
    const unsigned n = 100;
    bool in[100][N(group)] = { { false } };
    unsigned want[100] = { 0 };

    (void)state;
    start(n);
    for (unsigned i = 0; i < n; i++) {
        in[i][0] = true;
        for (unsigned g = 1; g + 1 < N(group); g++) { /* to the last nobody listens */
            if ((in[i][g] = entropy_u32(&e) % (2 * g) == 0))
                join(i, group[g]);
        }
    }
    for (unsigned round = 0; round < rig_rounds(3000); round++) {
        unsigned from = entropy_u32(&e) % n, g = entropy_u32(&e) % N(group);
        if (send(from, group[g], (uint8_t)round, PACKET) == DROP_NONE) {
            for (unsigned i = 0; i < n; i++)
                want[i] += in[i][g] && i != from;
        }
        now += (mono_ns)(entropy_u32(&e) % 4) * NS_PER_MS;
        slice();
    }
    all_slices();
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(got[i], want[i]);
}

#define ROW(f) cmocka_unit_test_teardown(f, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(R37_listeners_only),
        ROW(everybody_but_the_sender),
        ROW(length),
        ROW(slices),
        ROW(a_short_job_costs_little),
        ROW(copies_are_limited),
        ROW(places),
        ROW(a_member_leaves_meanwhile),
        ROW(everybody_leaves_meanwhile),
        ROW(a_number_changes_hands),
        ROW(no_room),
        ROW(looking_is_limited),
        ROW(random_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
