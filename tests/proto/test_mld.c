/* SPDX-License-Identifier: MIT */
/* test_mld.c - every check of an MLD report as a row that fails alone (R38, H59), what each record
 * type says, cuts at every octet and random mutations beside a naive twin, golden octets of the
 * query */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pkt.h"
#include "proto/mld.h"

#define UPPER 48u /* where the ICMPv6 message starts behind 8 octets of hop-by-hop options */
#define ROOM  4096u

#define MDNS                                                                                       \
    "\xff\2\0\0\0\0\0\0"                                                                           \
    "\0\0\0\0\0\0\0\xfb"
#define SITE                                                                                       \
    "\xff\5\0\0\0\0\0\0"                                                                           \
    "\0\0\0\0\0\1\0\3"
#define HOST                                                                                       \
    "\x20\1\x0d\xb8\0\0\0\0"                                                                       \
    "\0\0\0\0\0\0\0\7"
#define V2(n)                    "\x8f\0\0\0\0\0" n
#define REC(type, aux, n, group) type aux n group
#define REPORT1(group)                                                                             \
    "\x83\0\0\0"                                                                                   \
    "\0\0\0\0" group
#define DONE1(group)                                                                               \
    "\x84\0\0\0"                                                                                   \
    "\0\0\0\0" group
#define EX_MDNS REC("\4", "\0", "\0\0", MDNS)

enum options { ALERT, NO_ALERT, LONG_ALERT, NO_HOPOPTS, FRAGMENT };

static const struct row {
    const char *name, *src;
    const uint8_t *icmp;
    size_t len;
    enum drop want;
    const char *says;  /* what mld_next() gives, each with a blank behind */
    uint8_t hop_limit; /* 0: 1 */
    enum options options;
    bool keep_cksum;
} rows[] = {
    { "v2", "fe80::1", OCTETS(V2("\0\1") EX_MDNS), DROP_NONE, "+ff02::fb ", 0, 0, 0 },
    { "v2 from ::", "::", OCTETS(V2("\0\1") EX_MDNS), DROP_NONE, "+ff02::fb ", 0, 0, 0 },
    { "v2 without records", "fe80::1", OCTETS(V2("\0\0")), DROP_NONE, "", 0, 0, 0 },
    { "v2: octets behind the last", "fe80::1", OCTETS(V2("\0\1") EX_MDNS "junk!"), DROP_NONE,
      "+ff02::fb ", 0, 0, 0 },
    { "R38 v2: hop limit 2", "fe80::1", OCTETS(V2("\0\1") EX_MDNS), DROP_MLD_INVALID, "", 2, 0, 0 },
    { "H59 v2: hop limit 64", "fe80::1", OCTETS(V2("\0\1") EX_MDNS), DROP_MLD_INVALID, "", 64, 0,
      0 },
    { "R38 v2: hop limit 255", "fe80::1", OCTETS(V2("\0\1") EX_MDNS), DROP_MLD_INVALID, "", 255, 0,
      0 },
    { "H59 v2: options without Router Alert", "fe80::1", OCTETS(V2("\0\1") EX_MDNS),
      DROP_MLD_INVALID, "", 0, NO_ALERT, 0 },
    { "R38 v2: Router Alert of another length", "fe80::1", OCTETS(V2("\0\1") EX_MDNS),
      DROP_MLD_INVALID, "", 0, LONG_ALERT, 0 },
    { "H59 v2: no options at all", "fe80::1", OCTETS(V2("\0\1") EX_MDNS), DROP_MLD_INVALID, "", 0,
      NO_HOPOPTS, 0 },
    { "R38 v2: atomic fragment", "fe80::1", OCTETS(V2("\0\1") EX_MDNS), DROP_MLD_INVALID, "", 0,
      FRAGMENT, 0 },
    { "R38 v2: global source", "2001:db8::1", OCTETS(V2("\0\1") EX_MDNS), DROP_MLD_INVALID, "", 0,
      0, 0 },
    { "R38 v2: source next to link-local", "fec0::1", OCTETS(V2("\0\1") EX_MDNS), DROP_MLD_INVALID,
      "", 0, 0, 0 },
    { "R38 v2: checksum", "fe80::1",
      OCTETS("\x8f\0\x12\x34"
             "\0\0\0\1" EX_MDNS),
      DROP_MLD_INVALID, "", 0, 0, true },
    { "v2: 7 octets", "fe80::1",
      OCTETS("\x8f\0\0\0"
             "\0\0\0"),
      DROP_MLD_INVALID, "", 0, 0, 0 },
    { "H59 v2: one record claimed, none there", "fe80::1", OCTETS(V2("\0\1")), DROP_MLD_INVALID, "",
      0, 0, 0 },
    { "H59 v2: two claimed, one there", "fe80::1", OCTETS(V2("\0\2") EX_MDNS), DROP_MLD_INVALID, "",
      0, 0, 0 },
    { "H59 v2: 65 535 claimed", "fe80::1", OCTETS(V2("\xff\xff") EX_MDNS), DROP_MLD_INVALID, "", 0,
      0, 0 },
    { "H59 v2: source past the end", "fe80::1", OCTETS(V2("\0\1") REC("\3", "\0", "\0\1", MDNS)),
      DROP_MLD_INVALID, "", 0, 0, 0 },
    { "H59 v2: 65 535 sources", "fe80::1", OCTETS(V2("\0\1") REC("\3", "\0", "\xff\xff", MDNS)),
      DROP_MLD_INVALID, "", 0, 0, 0 },
    { "H59 v2: auxiliary data past the end", "fe80::1",
      OCTETS(V2("\0\1") REC("\4", "\1", "\0\0", MDNS)), DROP_MLD_INVALID, "", 0, 0, 0 },
    { "H59 v2: the second record is an octet short", "fe80::1",
      OCTETS(V2("\0\2") EX_MDNS "\4\0\0\0\xff\5\0\0\0\0\0\0\0\0\0\0\0\0\0"), DROP_MLD_INVALID, "",
      0, 0, 0 },
    { "v2: auxiliary data is skipped", "fe80::1",
      OCTETS(V2("\0\2") REC("\4", "\2", "\0\0", MDNS) "aux data" REC("\4", "\0", "\0\0", SITE)),
      DROP_NONE, "+ff02::fb +ff05::1:3 ", 0, 0, 0 },
    { "v2: sources are skipped", "fe80::1",
      OCTETS(V2("\0\2") REC("\4", "\0", "\0\2", MDNS) HOST MDNS REC("\3", "\0", "\0\0", SITE)),
      DROP_NONE, "+ff02::fb -ff05::1:3 ", 0, 0, 0 },
    { "v2: sources and auxiliary data are skipped", "fe80::1",
      OCTETS(V2("\0\2") REC("\4", "\1", "\0\1", MDNS) HOST "aux!" REC("\4", "\0", "\0\0", SITE)),
      DROP_NONE, "+ff02::fb +ff05::1:3 ", 0, 0, 0 },

    { "MODE_IS_INCLUDE nobody", "fe80::1", OCTETS(V2("\0\1") REC("\1", "\0", "\0\0", MDNS)),
      DROP_NONE, "-ff02::fb ", 0, 0, 0 },
    { "MODE_IS_INCLUDE one", "fe80::1", OCTETS(V2("\0\1") REC("\1", "\0", "\0\1", MDNS) HOST),
      DROP_NONE, "+ff02::fb ", 0, 0, 0 },
    { "MODE_IS_EXCLUDE nobody", "fe80::1", OCTETS(V2("\0\1") REC("\2", "\0", "\0\0", MDNS)),
      DROP_NONE, "+ff02::fb ", 0, 0, 0 },
    { "MODE_IS_EXCLUDE one", "fe80::1", OCTETS(V2("\0\1") REC("\2", "\0", "\0\1", MDNS) HOST),
      DROP_NONE, "+ff02::fb ", 0, 0, 0 },
    { "CHANGE_TO_INCLUDE nobody", "fe80::1", OCTETS(V2("\0\1") REC("\3", "\0", "\0\0", MDNS)),
      DROP_NONE, "-ff02::fb ", 0, 0, 0 },
    { "CHANGE_TO_INCLUDE one", "fe80::1", OCTETS(V2("\0\1") REC("\3", "\0", "\0\1", MDNS) HOST),
      DROP_NONE, "+ff02::fb ", 0, 0, 0 },
    { "CHANGE_TO_EXCLUDE one", "fe80::1", OCTETS(V2("\0\1") REC("\4", "\0", "\0\1", MDNS) HOST),
      DROP_NONE, "+ff02::fb ", 0, 0, 0 },
    { "ALLOW_NEW_SOURCES one", "fe80::1", OCTETS(V2("\0\1") REC("\5", "\0", "\0\1", MDNS) HOST),
      DROP_NONE, "+ff02::fb ", 0, 0, 0 },
    { "ALLOW_NEW_SOURCES none", "fe80::1", OCTETS(V2("\0\1") REC("\5", "\0", "\0\0", MDNS)),
      DROP_NONE, "", 0, 0, 0 },
    { "BLOCK_OLD_SOURCES one", "fe80::1", OCTETS(V2("\0\1") REC("\6", "\0", "\0\1", MDNS) HOST),
      DROP_NONE, "", 0, 0, 0 },
    { "RFC 3810 5.2.12: unknown types are ignored", "fe80::1",
      OCTETS(V2("\0\3") REC("\0", "\0", "\0\0", MDNS) REC("\7", "\0", "\0\0", MDNS) EX_MDNS),
      DROP_NONE, "+ff02::fb ", 0, 0, 0 },
    { "a unicast address is no group", "fe80::1",
      OCTETS(V2("\0\2") REC("\4", "\0", "\0\0", HOST) EX_MDNS), DROP_NONE, "+ff02::fb ", 0, 0, 0 },

    { "v1 report", "fe80::1", OCTETS(REPORT1(MDNS)), DROP_NONE, "+ff02::fb ", 0, 0, 0 },
    { "v1 report from ::", "::", OCTETS(REPORT1(MDNS)), DROP_NONE, "+ff02::fb ", 0, 0, 0 },
    { "v1 done", "fe80::1", OCTETS(DONE1(MDNS)), DROP_NONE, "-ff02::fb ", 0, 0, 0 },
    { "v1 with octets behind", "fe80::1", OCTETS(REPORT1(MDNS) MDNS), DROP_NONE, "+ff02::fb ", 0, 0,
      0 },
    { "v1: a unicast address is no group", "fe80::1", OCTETS(REPORT1(HOST)), DROP_NONE, "", 0, 0,
      0 },
    { "R38 v1: hop limit 255", "fe80::1", OCTETS(REPORT1(MDNS)), DROP_MLD_INVALID, "", 255, 0, 0 },
    { "R38 v1: options without Router Alert", "fe80::1", OCTETS(REPORT1(MDNS)), DROP_MLD_INVALID,
      "", 0, NO_ALERT, 0 },
    { "R38 v1: global source", "2001:db8::1", OCTETS(DONE1(MDNS)), DROP_MLD_INVALID, "", 0, 0, 0 },
    { "R38 v1: checksum", "fe80::1",
      OCTETS("\x83\0\x12\x34"
             "\0\0\0\0" MDNS),
      DROP_MLD_INVALID, "", 0, 0, true },
    { "v1: 23 octets", "fe80::1",
      OCTETS("\x83\0\0\0"
             "\0\0\0\0"
             "\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0"),
      DROP_MLD_INVALID, "", 0, 0, 0 },

    { "H59 query v1", "fe80::1",
      OCTETS("\x82\0\0\0"
             "\0\0\0\0" MDNS),
      DROP_ND_ROLE, "", 0, 0, 0 },
    { "H59 query that is invalid too", "2001:db8::1",
      OCTETS("\x82\0\0\0"
             "\0\0\0\0" MDNS),
      DROP_ND_ROLE, "", 64, NO_ALERT, 0 },
};

static size_t put_options(uint8_t *out, enum options o)
{
    static const uint8_t with[5][8] = {
        [ALERT] = { 58, 0, 5, 2, 0, 0, 1 },
        [NO_ALERT] = { 58, 0, 1, 4 },
        [LONG_ALERT] = { 58, 0, 5, 4 },
        [FRAGMENT] = { 44, 0, 5, 2, 0, 0, 1 },
    };
    static const uint8_t fragment[8] = { 58, 0, 0, 0, 0, 0, 0, 1 }; /* atomic */

    if (o == NO_HOPOPTS)
        return 0;
    memcpy(out, with[o], 8);
    if (o != FRAGMENT)
        return 8;
    memcpy(out + 8, fragment, 8);
    return 16;
}

static size_t put(uint8_t *out, const struct row *r)
{
    uint8_t pay[ROOM];
    size_t head = put_options(pay, r->options);
    memcpy(pay + head, r->icmp, r->len);
    size_t len = pkt_put(out, r->src, "ff02::16", r->options == NO_HOPOPTS ? 58 : 0,
                         r->hop_limit ? r->hop_limit : 1, pay, head + r->len);
    if (!r->keep_cksum)
        pkt_fix(out, 40 + head, len);
    return len;
}

static void say(char *out, bool listens, const uint8_t *group)
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, group, text, sizeof(text));
    sprintf(out + strlen(out), "%c%s ", listens ? '+' : '-', text);
}

/* The module itself, on a copy that ends where the packet does, so that a step over it is seen. */
static enum drop parse(const uint8_t *p, size_t len, char *says)
{
    uint8_t *copy = malloc(len);
    struct frame f;
    struct mld m;
    struct mld_record r;

    assert_non_null(copy);
    memcpy(copy, p, len);
    says[0] = '\0';
    assert_int_equal(frame_parse(&f, copy, len), DROP_NONE);
    assert_true(frame_is_mld(&f));
    memset(&m, 0x5A, sizeof(m));
    enum drop d = mld_parse(&m, &f);
    while (d == DROP_NONE && mld_next(&m, &r))
        say(says, r.listens, r.group.b);
    if (d == DROP_NONE)
        assert_false(mld_next(&m, &r)); /* the end stays the end */
    free(copy);
    return d;
}

static void each_check_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < PKT_N(rows); i++) {
        uint8_t p[ROOM];
        char says[ROOM];
        size_t len = put(p, &rows[i]);
        enum drop d = parse(p, len, says);
        if (d != rows[i].want || strcmp(says, rows[i].says) != 0)
            fail_msg("%s: %s, \"%s\"", rows[i].name, drop_name(d), says);
    }
}

/* ---- naive twin: the message as RFC 3810 5.2 and RFC 2710 3 draw it, octet by octet ---- */

static bool twin(const uint8_t *icmp, size_t len, char *says)
{
    says[0] = '\0';
    if (icmp[0] != 143) {
        if (len < 24)
            return false;
        if (icmp[8] == 0xff)
            say(says, icmp[0] == 131, icmp + 8);
        return true;
    }
    if (len < 8)
        return false;
    unsigned n = icmp[6] * 256u + icmp[7];
    size_t at = 8;
    for (unsigned i = 0; i < n; i++) {
        if (at + 20 > len)
            return false;
        unsigned type = icmp[at], sources = icmp[at + 2] * 256u + icmp[at + 3];
        size_t next = at + 20 + 16u * sources + 4u * icmp[at + 1];
        if (next > len)
            return false;
        bool in = type == 2 || type == 4 || (sources > 0 && (type == 1 || type == 3 || type == 5));
        bool out = sources == 0 && (type == 1 || type == 3);
        if (icmp[at + 4] == 0xff && (in || out) && i < MLD_RECORDS_MAX)
            say(says, in, icmp + at + 4);
        at = next;
    }
    return true;
}

static void compare(const uint8_t *p, size_t len, const char *name)
{
    static char says[ROOM * 2], want[ROOM * 2];

    enum drop d = parse(p, len, says);
    bool good = twin(p + UPPER, len - UPPER, want);
    if (d != (good ? DROP_NONE : DROP_MLD_INVALID) || (good && strcmp(says, want) != 0))
        fail_msg("%s, %zu octets: %s, \"%s\" instead of \"%s\"", name, len, drop_name(d), says,
                 want);
}

static void cut_to(uint8_t *p, size_t len)
{
    p[4] = (uint8_t)((len - 40) >> 8);
    p[5] = (uint8_t)(len - 40);
    if (len >= UPPER + 4)
        pkt_fix(p, UPPER, len);
}

static void cut_at_every_octet(void **state)
{
    (void)state;
    for (size_t i = 0; i < PKT_N(rows); i++) {
        if (rows[i].want != DROP_NONE)
            continue;
        uint8_t p[ROOM];
        for (size_t len = put(p, &rows[i]); len > UPPER; len--) {
            cut_to(p, len);
            compare(p, len, rows[i].name);
        }
    }
}

/* As many records as a report may hold, and more: the rest is checked but left unread. */
static void records_are_bounded(void **state) /* H59 */
{
    static const struct {
        unsigned n;
        bool whole;
    } row[] = { { MLD_RECORDS_MAX, true },
                { MLD_RECORDS_MAX + 1, true },
                { 150, true },
                { MLD_RECORDS_MAX + 1, false },
                { 150, false } };
    static const uint8_t record[20] = { 4, 0, 0, 0, 0xff, 2 };

    (void)state;
    for (size_t i = 0; i < PKT_N(row); i++) {
        uint8_t pay[ROOM] = "\x3a\0\5\2\0\0\1\0\x8f\0\0\0\0\0", p[ROOM];
        pay[15] = (uint8_t)row[i].n;
        for (unsigned k = 0; k < row[i].n; k++) {
            memcpy(pay + 16 + 20 * k, record, sizeof(record));
            pay[16 + 20 * k + 19] = (uint8_t)k;
        }
        size_t len = pkt_put(p, "fe80::1", "ff02::16", 0, 1, pay, 16 + 20u * row[i].n);
        if (!row[i].whole)
            cut_to(p, --len); /* the last record is short, though it would not be read */
        pkt_fix(p, UPPER, len);
        compare(p, len, "many records");
        static char says[ROOM * 2];
        enum drop d = parse(p, len, says);
        assert_int_equal(d, row[i].whole ? DROP_NONE : DROP_MLD_INVALID);
        unsigned n = 0;
        for (const char *s = says; *s; s++)
            n += *s == '+';
        assert_int_equal(n, row[i].whole ? MLD_RECORDS_MAX : 0);
    }
}

static void mutations(void **state)
{
    uint32_t seed = 38;
    unsigned good = 0, bad = 0;

    (void)state;
    for (unsigned round = 0; round < 60000; round++) {
        uint8_t p[ROOM];
        static char want[ROOM * 2];
        const struct row *r = &rows[pkt_rnd(&seed) % PKT_N(rows)];
        if (r->want != DROP_NONE)
            continue;
        size_t len = put(p, r);
        for (unsigned n = 1 + pkt_rnd(&seed) % 3; n > 0; n--) {
            size_t at = UPPER + pkt_rnd(&seed) % (len - UPPER);
            if (at == UPPER) /* the type stays one of MLD, but may be another */
                p[at] = (const uint8_t[]){ 131, 132, 143 }[pkt_rnd(&seed) % 3];
            else
                p[at] = (uint8_t)(pkt_rnd(&seed) % 2 ? pkt_rnd(&seed) : pkt_rnd(&seed) % 8);
        }
        if (pkt_rnd(&seed) % 4 == 0)
            len -= pkt_rnd(&seed) % (len - UPPER - 4);
        cut_to(p, len);
        compare(p, len, r->name);
        if (twin(p + UPPER, len - UPPER, want))
            good++;
        else
            bad++;
    }
    assert_true(good > 1000 && bad > 1000); /* or the loop would show little */
}

static void golden_query(void **state)
{
    static const uint8_t want[MLD_QUERY_LEN] = {
        0x60, 0,    0,    0,    0,    36,   0, 1, /* hop-by-hop, limit 1 */
        0xfe, 0x80, 0,    0,    0,    0,    0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1, /* source */
        0xff, 2,    0,    0,    0,    0,    0, 0, 0, 0, 0, 0,    0,    0, 0, 1, /* all-nodes */
        58,   0,    5,    2,    0,    0,    1, 0, /* Router Alert: MLD */
        130,  0,    0x57, 0x96, 0x27, 0x10, 0, 0, /* 10 000 ms */
        0,    0,    0,    0,    0,    0,    0, 0, 0, 0, 0, 0,    0,    0, 0, 0, /* general */
        2,    125,  0,    0, /* QRV, QQIC, sources */
    };
    uint8_t out[MLD_QUERY_LEN + 1];
    struct frame f;
    struct mld m;

    (void)state;
    memset(out, 0x5A, sizeof(out));
    assert_int_equal(mld_build_query(out, pkt_ip6("fe80::ff:fe00:1")), MLD_QUERY_LEN);
    assert_int_equal(pkt_cksum(out, UPPER, MLD_QUERY_LEN, 58), 0);
    assert_memory_equal(out, want, MLD_QUERY_LEN);
    assert_int_equal(out[MLD_QUERY_LEN], 0x5A);
    assert_int_equal(frame_parse(&f, out, MLD_QUERY_LEN), DROP_NONE);
    assert_true(frame_is_mld(&f) && f.router_alert && f.hop_limit == 1);
    assert_int_equal(mld_parse(&m, &f), DROP_ND_ROLE);
    assert_true(MLD_LISTENER_LIFE == 2 * MLD_QUERY_INTERVAL + 10 * NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_check_alone),    cmocka_unit_test(cut_at_every_octet),
        cmocka_unit_test(records_are_bounded), cmocka_unit_test(mutations),
        cmocka_unit_test(golden_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
