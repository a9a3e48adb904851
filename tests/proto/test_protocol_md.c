/* SPDX-License-Identifier: MIT */
/* test_protocol_md.c - PROTOCOL.md says what the code does: tables and numbers
 *
 * DOC: the document is read as it is. Tables of fields are compared with offsetof(), rows that name
 * an enumerator with the headers' text (both ways: nothing missing, nothing extra), numbers with
 * limits.h and wire.h, also where prose names them as `NAME` (VALUE). Golden packets:
 * test_protocol_golden.c.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/mac.h"
#include "proto/seal.h"
#include "proto/wire.h"
#include "protocol_doc.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *doc;
static char *wire_h, *limits_h, *aead_h;

static int setup(void **state)
{
    (void)state;
    doc = protocol_doc();
    wire_h = slurp(SOURCE_DIR "/proto/wire.h");
    limits_h = slurp(SOURCE_DIR "/proto/limits.h");
    aead_h = slurp(SOURCE_DIR "/proto/aead.h");
    return 0;
}

static int teardown(void **state)
{
    free(wire_h);
    free(limits_h);
    free(aead_h);
    return protocol_doc_free(state);
}

/* ---- tables of fields ---- */

struct field {
    const char *of, *name;
    size_t offset, size; /* size 0: to the end */
};

#define F(s, f)                                                                                    \
    {                                                                                              \
#s, #f, offsetof(struct s, f), sizeof(((struct s *)NULL)->f)                               \
    }

static const struct field fields[] = {
    F(wire_head, type),
    F(wire_head, version),
    F(wire_head, kind),
    F(wire_head, flags),
    F(wire_login, head),
    F(wire_login, sender),
    F(wire_login, ephemeral),
    F(wire_login, static_sealed),
    F(wire_login, payload_sealed),
    F(wire_login, mac1),
    F(wire_login, mac2),
    F(wire_login_reply, head),
    F(wire_login_reply, sender),
    F(wire_login_reply, receiver),
    F(wire_login_reply, ephemeral),
    { "wire_login_reply", "payload_sealed", offsetof(struct wire_login_reply, payload_sealed), 0 },
    F(wire_cookie, head),
    F(wire_cookie, receiver),
    F(wire_cookie, nonce),
    F(wire_cookie, cookie_sealed),
    F(wire_data, head),
    F(wire_data, receiver),
    F(wire_data, counter),
    F(wire_nudge, head),
    F(wire_nudge, index),
    F(wire_nudge, counter),
};

static void fields_have_their_offsets(void **state)
{
    (void)state;
    char line[512], of[64] = "", name[64];
    const char *p = doc;
    size_t i = 0;

    while (next_line(&p, line, sizeof(line))) {
        unsigned offset, size;
        char octets[16];
        if (strncmp(line, "`struct ", 8) == 0)
            ident(line + 8, of);
        // NOLINTNEXTLINE(cert-err34-c): numbers of our own document
        if (sscanf(line, "| %u | %15s | %63s |", &offset, octets, name) != 3 || !*of)
            continue;
        if (octets[0] == '`') /* a table of enumerators */
            continue;
        assert_true(i < COUNT(fields));
        size = strcmp(octets, "rest") == 0 ? 0 : (unsigned)strtoul(octets, NULL, 10);
        assert_string_equal(of, fields[i].of);
        assert_string_equal(name, fields[i].name);
        assert_int_equal(offset, fields[i].offset);
        assert_int_equal(size, fields[i].size);
        i++;
    }
    assert_int_equal(i, COUNT(fields));
}

/* ---- enumerators ---- */

/* header_value() - the number a header gives to @name, "NAME = N," or "#define NAME 0xN"; -1
 * without */
static long header_value(const char *header, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = header; (p = strstr(p, name)); p += n) {
        bool whole = !isalnum((unsigned char)p[-1]) && p[-1] != '_';
        if (whole && strncmp(p + n, " = ", 3) == 0)
            return strtol(p + n + 3, NULL, 0);
        const char *v = p + n + strspn(p + n, " ");
        if (whole && v > p + n && strncmp(v, "0x", 2) == 0)
            return strtol(v, NULL, 0);
    }
    return -1;
}

static bool doc_has_row(const char *number, const char *name)
{
    char row[256];
    snprintf(row, sizeof(row), "\n| %s | `%s` |", number, name);
    const char *at = strstr(doc, row);
    return at && !strstr(at + 1, row);
}

/* every enumerator of @header has its row in the document; returns how many */
static size_t header_to_doc(const char *header)
{
    char line[512], name[64], number[64];
    const char *p = header;
    size_t found = 0;

    while (next_line(&p, line, sizeof(line))) {
        const char *at = line + strspn(line, " ");
        size_t n = ident(at, name);
        if (n < 3 || at == line || !isupper((unsigned char)*at) || strncmp(at + n, " = ", 3) != 0)
            continue;
        ident(at + n + 3, number);
        if (!doc_has_row(number, name))
            fail_msg("PROTOCOL.md has no row | %s | `%s` |", number, name);
        found++;
    }
    return found;
}

static void enumerators_have_rows(void **state)
{
    (void)state;
    assert_int_equal(header_to_doc(wire_h), 7 + 4 + 35 + 4 + 5 + 4);
    assert_int_equal(header_to_doc(aead_h) >= 3, 1);
}

static void rows_have_enumerators(void **state)
{
    (void)state;
    char line[512], number[16], name[64];
    const char *p = doc;
    size_t rows = 0;

    while (next_line(&p, line, sizeof(line))) {
        if (sscanf(line, "| %15[0-9xa-f] | `%63[A-Z0-9_a-z]` |", number, name) != 2)
            continue;
        long v = header_value(wire_h, name);
        if (v < 0 && strncmp(name, "CIPHER_", 7) == 0)
            v = header_value(aead_h, name);
        if (v != strtol(number, NULL, 0))
            fail_msg("%s is %s in PROTOCOL.md, %ld in the code", name, number, v);
        rows++;
    }
    assert_int_equal(rows, 7 + 4 + 35 + 4 + 5 + 4 + 3 /* flags */ + 3 /* ciphers */);
    assert_int_equal(TLV_FRAG_PROBE_ACK, 78); /* the headers' text is what the compiler saw */
    assert_int_equal(SEGMENT_FLAGS, SEGMENT_DEFAULT_ROUTE | SEGMENT_ON_LINK | SEGMENT_AUTONOMOUS);
}

/* ---- numbers ---- */

#define N(x)                                                                                       \
    {                                                                                              \
#x, x                                                                                      \
    }

static const struct number {
    const char *name;
    uint64_t value;
} numbers[] = {
    N(REKEY_AFTER),
    N(REKEY_JITTER_PCT),
    N(REKEY_AFTER_PACKETS),
    N(KEYPAIR_LIFE),
    N(KEYPAIR_LIFE_PACKETS),
    N(PREVIOUS_LIFE),
    N(TENTATIVE_LIFE),
    N(CONFIRM_TRIES),
    N(TENTATIVES_PER_KEY),
    N(COOKIE_SECRET_LIFE),
    N(MAC_TAKEN_TRIES),
    N(MAC_TAKEN_PAUSE),
    N(LOGIN_TIMEOUT),
    N(LOGIN_BACKOFF_MAX),
    N(LOGIN_WANTED_MAX),
    N(NUDGE_PAUSE),
    N(NUDGE_MEMORY),
    N(NUDGE_PER_ADDRESS),
    N(NUDGE_PER_S),
    N(LEASE_LIFE),
    N(LOOKS_PER_S),
    N(ASKED_MEMORY),
    N(LOOKS_IN_VAIN),
    N(VAIN_MEMORY),
    N(CROWD_LIFE),
    N(KEEPALIVE_DEFAULT_S),
    N(KEEPALIVE_MIN_S),
    N(KEEPALIVE_ADVISED_S),
    N(KEEPALIVE_MAX_S),
    N(KEEPALIVE_SUSPECT),
    N(KEEPALIVE_REPEAT),
    N(KEEPALIVE_LOST),
    N(SILENCE_FACTOR),
    N(HOLD_DEFAULT_S),
    N(OUTER_IP_UDP),
    N(PEER_OVERHEAD),
    N(INNER_MTU_MIN),
    N(INNER_MTU_MAX),
    N(INNER_MTU_DEFAULT),
    N(CARRIER_WAIT),
    N(OUTER_MTU_SAFE),
    N(PMTU_TRIES),
    N(PMTU_WAIT_MIN),
    N(PMTU_WAIT_MAX),
    N(PMTU_CONFIRM),
    N(PMTU_CONFIRM_SMALL),
    N(PMTU_RAISE),
    N(PMTU_RAISE_LATE),
    N(PMTU_RAISES),
    N(AMPLIFY_FACTOR),
    N(LEARNED_PER_MEMBER),
    N(ASSIGNED_PER_MEMBER),
    N(DELEGATED_PER_MEMBER),
    N(BURST_MAX),
    N(WIRE_VERSION),
    N(TAG_LEN),
    N(DATA_HDR_LEN),
    N(DATA_MIN_LEN),
    N(DATA_MAC_LEN),
    N(LOGIN_LEN),
    N(LOGIN_REPLY_MIN),
    N(LOGIN_REPLY_MAX),
    N(COOKIE_MSG_LEN),
    N(NUDGE_LEN),
    N(COOKIE_LEN),
    N(COOKIE_NONCE),
    N(MAC12_LEN),
    N(LOGIN_PAYLOAD_LEN),
    N(REPLY_PAYLOAD_MAX),
    N(SOFTWARE_MAX),
    N(CIPHERS_MAX),
    N(ADDRESSES_MAX),
    N(OLD_PREFIXES),
    N(ROUTES_MAX),
    N(DNS_MAX),
    N(SEARCH_MAX),
    N(SEARCH_LEN),
    N(SETTINGS_MAX),
    N(PROBE_MIN_LEN),
    N(PROBE_MAX_LEN),
};

static const struct number *number_of(const char *name)
{
    for (size_t i = 0; i < COUNT(numbers); i++)
        if (strcmp(numbers[i].name, name) == 0)
            return &numbers[i];
    return NULL;
}

/* value_of() - "120 s", "200 ms", "2^24", "10 %", "16": durations in ns unless the name ends with
 * _S */
static uint64_t value_of(const char *text, const char *name)
{
    char *end;
    size_t n = strlen(name);
    bool plain = n > 2 && strcmp(name + n - 2, "_S") == 0;
    uint64_t v = strtoull(text, &end, 10);

    assert_true(end > text);
    if (*end == '^')
        return UINT64_C(1) << strtoul(end + 1, NULL, 10);
    if (strncmp(end, " ms", 3) == 0)
        return v * NS_PER_MS;
    if (!plain && strncmp(end, " s", 2) == 0)
        return v * NS_PER_S;
    return v;
}

static void check_number(const char *name, const char *text)
{
    const struct number *n = number_of(name);
    if (!n)
        fail_msg("PROTOCOL.md names %s, which this test does not know", name);
    else if (value_of(text, name) != n->value)
        fail_msg("%s is %s in PROTOCOL.md, %llu in the code", name, text,
                 (unsigned long long)n->value);
}

/* every #define of @header with a value has a row; @skip: a prefix that has its rows elsewhere */
static size_t defines_to_doc(const char *header, const char *skip)
{
    char line[512], name[64], row[80];
    const char *p = header;
    size_t found = 0;

    while (next_line(&p, line, sizeof(line))) {
        if (strncmp(line, "#define ", 8) != 0)
            continue;
        size_t n = ident(line + 8, name);
        if (!line[8 + n] || strncmp(name, skip, strlen(skip)) == 0)
            continue;
        snprintf(row, sizeof(row), "\n| `%s` | ", name);
        if (!strstr(doc, row))
            fail_msg("PROTOCOL.md 11 has no row for %s", name);
        found++;
    }
    return found;
}

static void numbers_have_rows(void **state)
{
    (void)state;
    size_t n = defines_to_doc(limits_h, "SIXTAP_") + defines_to_doc(wire_h, "SEGMENT_");
    assert_int_equal(n, COUNT(numbers));
}

static void rows_have_numbers(void **state)
{
    (void)state;
    char line[512], name[64], value[64];
    const char *p = doc;
    size_t rows = 0;

    while (next_line(&p, line, sizeof(line)))
        if (sscanf(line, "| `%63[A-Z0-9_]` | %63[^|]|", name, value) == 2) {
            check_number(name, value);
            rows++;
        }
    assert_int_equal(rows, COUNT(numbers));
}

/* prose: `NAME` (VALUE) */
static void prose_has_the_same_numbers(void **state)
{
    (void)state;
    char name[64];
    size_t found = 0;

    for (const char *p = doc; (p = strstr(p, "` (")); p++) {
        const char *start = p;
        while (isalnum((unsigned char)start[-1]) || start[-1] == '_')
            start--;
        if (start[-1] != '`' || !isdigit((unsigned char)p[3]))
            continue;
        ident(start, name);
        check_number(name, p + 3);
        found++;
    }
    assert_true(found >= 30);
}

/* ---- address examples ---- */

/* By the code, and by the arithmetic of section 5 once more, in its plainest form. */
static void address_examples(void **state)
{
    (void)state;
    char line[512];
    const char *p = doc;
    size_t rows = 0;

    while (next_line(&p, line, sizeof(line))) {
        unsigned a[4], port, m[6], g[4];
        char ll[64];
        // NOLINTNEXTLINE(cert-err34-c): numbers of our own document
        if (sscanf(line, "| %u.%u.%u.%u:%u | %x:%x:%x:%x:%x:%x | %63s |", &a[0], &a[1], &a[2],
                   &a[3], &port, &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], ll) != 12)
            continue;
        struct endpoint ep = { { { (uint8_t)a[0], (uint8_t)a[1], (uint8_t)a[2], (uint8_t)a[3] } },
                               be16_of((uint16_t)port) };
        struct mac mac = mac_of_endpoint(ep);
        char text[IP6_TEXT_LEN];
        for (int i = 0; i < 6; i++)
            assert_int_equal(m[i], mac.b[i]);
        assert_string_equal(ll, ip6_text(text, mac_link_local(mac)));
        assert_int_equal(m[0], (a[0] & ~3u) + 2);
        for (int i = 1; i < 4; i++)
            assert_int_equal(m[i], a[i]);
        assert_int_equal(m[4] * 256 + m[5], port);
        // NOLINTNEXTLINE(cert-err34-c): numbers of our own document
        assert_int_equal(sscanf(ll, "fe80::%x:%x:%x:%x", &g[0], &g[1], &g[2], &g[3]), 4);
        assert_int_equal(g[0], (m[0] ^ 2) * 256 + m[1]);
        assert_int_equal(g[1], m[2] * 256 + 0xff);
        assert_int_equal(g[2], 0xfe00 + m[3]);
        assert_int_equal(g[3], m[4] * 256 + m[5]);
        rows++;
    }
    assert_int_equal(rows, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_have_their_offsets), cmocka_unit_test(enumerators_have_rows),
        cmocka_unit_test(rows_have_enumerators),     cmocka_unit_test(numbers_have_rows),
        cmocka_unit_test(rows_have_numbers),         cmocka_unit_test(prose_has_the_same_numbers),
        cmocka_unit_test(address_examples),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
