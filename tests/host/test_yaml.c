/* SPDX-License-Identifier: MIT */
/* test_yaml.c - the reader of configuration files: every refusal with its exact line, bounds,
 * scalars */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/host/scalar.h"
#include "tests/host/yaml_sample.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define GOOD_KEY "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="

/* Read @text; what was printed is returned and freed by the caller. */
static char *read_it(const char *text, size_t len, struct sample *s, unsigned *ret_problems)
{
    char *out = NULL;
    size_t out_len = 0;
    FILE *err = open_memstream(&out, &out_len);
    assert_non_null(err);
    memset(s, 0, sizeof(*s));
    struct conf *c = conf_read_text("t.yaml", (const uint8_t *)text, len, keys, s, err);
    assert_non_null(c);
    *ret_problems = conf_problems(c);
    conf_free(c);
    assert_int_equal(fclose(err), 0);
    return out;
}

struct refusal {
    const char *text;
    size_t len; /* 0: strlen */
    const char *lines;
};

#define NUL_ROW(t, l)                                                                              \
    {                                                                                              \
        t, sizeof(t) - 1, l                                                                        \
    }

static const struct refusal refusals[] = {
    /* the file as a whole */
    { "", 0, "t.yaml:1:1: empty; at least one key: value is needed\n" },
    { "# only a comment\n", 0, "t.yaml:1:1: empty; at least one key: value is needed\n" },
    { "--- ~\n", 0, "t.yaml:1:1: empty; at least one key: value is needed\n" },
    { "- a\n", 0, "t.yaml:1:1: a list is given; allowed: lines of key: value\n" },
    { "flag\n", 0, "t.yaml:1:1: a single value is given; allowed: lines of key: value\n" },
    { "\xef\xbb\xbf"
      "flag: true\n",
      0, "t.yaml:1:1: byte order mark; save the file as UTF-8 without one\n" },
    { "flag: true\n# \xef\xbb\xbf\n", 0,
      "t.yaml:2:3: byte order mark; save the file as UTF-8 without one\n" },
    NUL_ROW("\xff\xfe"
            "f\0l\0",
            "t.yaml:1:1: UTF-16 text; save the file as UTF-8\n"),
    NUL_ROW("flag: true\nnum\0ber: 20\n", "t.yaml:2:4: NUL octet; this is not a text file\n"),
    { "map:\n\tcolour: red\n", 0, "t.yaml:2:1: tab used to indent; use spaces\n" },
    { "map:\n  \tcolour: red\n", 0, "t.yaml:2:3: tab used to indent; use spaces\n" },
    { "flag: tr\x01ue\n", 0, "t.yaml:1:9: control character\n" },
    { "flag: tr\x7fue\n", 0, "t.yaml:1:9: control character\n" },
    { "flag: \xc2\x85true\n", 0, "t.yaml:1:7: control character\n" },
    { "flag: true\rnumber: 20\n", 0, "t.yaml:1:11: carriage return without a line feed\n" },
    { "# \xe2\x80\xa8\n", 0, "t.yaml:1:3: Unicode line separator; end lines with a line feed\n" },
    { "# \xef\xbf\xbf\n", 0, "t.yaml:1:3: character that is none\n" },
    { "flag: true\n# caf\xe9\n", 0, "t.yaml:2:6: octets that are not UTF-8\n" },
    { "# \xc0\xaf\n", 0, "t.yaml:1:3: octets that are not UTF-8\n" },
    { "# \xed\xa0\x80\n", 0, "t.yaml:1:3: octets that are not UTF-8\n" },
    { "# \xf4\x90\x80\x80\n", 0, "t.yaml:1:3: octets that are not UTF-8\n" },
    { "# \xc3\xa9\xe2\x82", 0, "t.yaml:1:4: octets that are not UTF-8\n" },
    /* YAML that is none, and YAML that is not taken */
    { "flag: [true\n", 0,
      "t.yaml:2:1: not YAML: did not find expected ',' or ']' (while parsing a flow sequence that "
      "starts on "
      "line 1)\n" },
    { "flag: @x\n", 0,
      "t.yaml:1:7: not YAML: found character that cannot start any token, while scanning for the "
      "next token\n" },
    { "flag: &a true\n", 0, "t.yaml:1:7: anchor (&); anchors and aliases are not taken\n" },
    { "map: &a {}\nitems: *a\n", 0,
      "t.yaml:1:6: anchor (&); anchors and aliases are not taken\n"
      "t.yaml:2:8: alias (*); anchors and aliases are not taken\n" },
    { "items: &a [ *a ]\n", 0,
      "t.yaml:1:8: anchor (&); anchors and aliases are not taken\n"
      "t.yaml:1:13: alias (*); anchors and aliases are not taken\n" },
    { "flag: !!bool true\n", 0, "t.yaml:1:7: tag (!); tags are not taken\n" },
    { "map: !!python/object {}\n", 0, "t.yaml:1:6: tag (!); tags are not taken\n" },
    { "map:\n  <<: {}\n", 0, "t.yaml:2:3: merge key (<<); merge keys are not taken\n" },
    { "flag: true\n---\nflag: true\n", 0, "t.yaml:2:1: second document (---); one per file\n" },
    { "%YAML 1.1\n---\nflag: true\n", 0, "t.yaml:1:1: directive (%); directives are not taken\n" },
    { "map: [[[[[[[[1]]]]]]]]\n", 0, "t.yaml:1:13: maps and lists nested too deeply; at most 8\n" },
    { "? [a]\n: b\n", 0, "t.yaml:1:3: a key must be a word\n" },
    { "\"flag\\0x\": true\n", 0, "t.yaml:1:1: a key must be a word\n" },
    /* keys */
    { "flagg: true\n", 0, "t.yaml:1:1: unknown key \"flagg\"; did you mean flag?\n" },
    { "lisetn: x\n", 0, "t.yaml:1:1: unknown key \"lisetn\"; did you mean listen?\n" },
    { "xyzzy: x\n", 0,
      "t.yaml:1:1: unknown key \"xyzzy\"; allowed: flag, number, wait, device, control, listen, "
      "public, router, "
      "address, dns, prefix, routes, search, secret, map, items\n" },
    { "map: { color: red }\n", 0,
      "t.yaml:1:8: unknown key \"color\" here; did you mean colour?\n" },
    { "flag: true\nnumber: 20\nflag: false\n", 0,
      "t.yaml:3:1: flag: given twice; first on line 1\n" },
    { "items:\n  - key: " GOOD_KEY "\n", 0,
      "t.yaml:2:5: items.name is missing: what it is called\n" },
    { "\"\\e[31m\": 1\n", 0,
      "t.yaml:1:1: unknown key \"?[31m\"; allowed: flag, number, wait, device, control, listen, "
      "public, router, "
      "address, dns, prefix, routes, search, secret, map, items\n" },
    /* kinds */
    { "flag: {}\n", 0, "t.yaml:1:7: flag: a map is given; allowed: true or false\n" },
    { "flag:\n", 0, "t.yaml:1:6: flag: nothing is given; allowed: true or false\n" },
    { "number: [20]\n", 0, "t.yaml:1:9: number: a list is given; allowed: 10..100 octets\n" },
    { "map: red\n", 0, "t.yaml:1:6: map: a single value is given; allowed: colour, big\n" },
    { "items: {}\n", 0,
      "t.yaml:1:8: items: a map is given; allowed: a list of maps with name, key\n" },
    { "items: [bob]\n", 0,
      "t.yaml:1:9: items: a single value is given; allowed: a list of maps with name, key\n" },
    { "items: [{name: a}, {name: b}, {name: c}, {name: d}]\n", 0,
      "t.yaml:1:8: items: 4 items; at most 3\n" },
    { "dns: 2001:db8::1\n", 0,
      "t.yaml:1:6: dns: a single value is given; allowed: a list of at most 2 IPv6 addresses\n" },
    { "device: ''\n", 0, "t.yaml:1:9: device: an empty text\n" },
    { "device: \"a\\0b\"\n", 0, "t.yaml:1:9: device: a NUL inside the text\n" },
    /* truth values */
    { "flag: yes\n", 0,
      "t.yaml:1:7: flag: \"yes\" is not a truth value; allowed: true or false\n" },
    { "flag: True\n", 0,
      "t.yaml:1:7: flag: \"True\" is not a truth value; allowed: true or false\n" },
    { "flag: 'true'\n", 0,
      "t.yaml:1:7: flag: \"true\" is not a truth value; allowed: true or false\n" },
    { "flag: 1\n", 0, "t.yaml:1:7: flag: \"1\" is not a truth value; allowed: true or false\n" },
    /* numbers */
    { "number: 80x\n", 0,
      "t.yaml:1:9: number: \"80x\" is not a number; allowed: 10..100 octets\n" },
    { "number: 0x50\n", 0,
      "t.yaml:1:9: number: \"0x50\" is not a number; allowed: 10..100 octets\n" },
    { "number: 020\n", 0,
      "t.yaml:1:9: number: \"020\" is not a number; allowed: 10..100 octets\n" },
    { "number: +20\n", 0,
      "t.yaml:1:9: number: \"+20\" is not a number; allowed: 10..100 octets\n" },
    { "number: -20\n", 0,
      "t.yaml:1:9: number: \"-20\" is not a number; allowed: 10..100 octets\n" },
    { "number: 20.0\n", 0,
      "t.yaml:1:9: number: \"20.0\" is not a number; allowed: 10..100 octets\n" },
    { "number: 1_0\n", 0,
      "t.yaml:1:9: number: \"1_0\" is not a number; allowed: 10..100 octets\n" },
    { "number: '20'\n", 0,
      "t.yaml:1:9: number: \"20\" is a quoted text, not a number; allowed: 10..100 octets\n" },
    { "number: 9\n", 0, "t.yaml:1:9: number: \"9\" is out of range; allowed: 10..100 octets\n" },
    { "number: 101\n", 0,
      "t.yaml:1:9: number: \"101\" is out of range; allowed: 10..100 octets\n" },
    { "number: 18446744073709551616\n", 0,
      "t.yaml:1:9: number: \"18446744073709551616\" is not a number; allowed: 10..100 octets\n" },
    { "map: {big: 4294967296}\n", 0,
      "t.yaml:1:12: map.big: \"4294967296\" is out of range; allowed: 0..4294967295\n" },
    { "wait: 20 m\n", 0, "t.yaml:1:7: wait: \"20 m\" is not a number; allowed: 15..120 s\n" },
    { "wait: s\n", 0, "t.yaml:1:7: wait: \"s\" is not a number; allowed: 15..120 s\n" },
    { "wait: 20  s\n", 0, "t.yaml:1:7: wait: \"20  s\" is not a number; allowed: 15..120 s\n" },
    { "wait: 14s\n", 0, "t.yaml:1:7: wait: \"14s\" is out of range; allowed: 15..120 s\n" },
    /* words and names */
    { "map: { colour: gren }\n", 0,
      "t.yaml:1:16: map.colour: \"gren\" is not known; allowed: red, green, blue; did you mean "
      "green?\n" },
    { "map: { colour: RED }\n", 0,
      "t.yaml:1:16: map.colour: \"RED\" is not known; allowed: red, green, blue\n" },
    { "device: sixteen-letters-\n", 0,
      "t.yaml:1:9: device: \"sixteen-letters-\" is too long; allowed: 1..15 letters, digits, . _ "
      "-\n" },
    { "device: a/b\n", 0,
      "t.yaml:1:9: device: \"a/b\" has a character that is not allowed; allowed: 1..15 letters, "
      "digits, . _ -\n" },
    { "device: ..\n", 0,
      "t.yaml:1:9: device: \"..\" starts with a character that is not allowed there; allowed: "
      "1..15 letters, "
      "digits, . _ -\n" },
    { "control: '@'\n", 0,
      "t.yaml:1:10: control: \"@\" names nothing; allowed: a path of at most 107 octets, or "
      "@NAME\n" },
    /* addresses */
    { "listen: 198.18.0.1\n", 0,
      "t.yaml:1:9: listen: \"198.18.0.1\" has no port; allowed: IPv4:PORT, port 1..65535\n" },
    { "listen: 198.18.0.1:80x\n", 0,
      "t.yaml:1:9: listen: \"80x\" is not a port number 1..65535; allowed: IPv4:PORT, port "
      "1..65535\n" },
    { "listen: 198.18.0.1:0\n", 0,
      "t.yaml:1:9: listen: \"0\" is not a port number 1..65535; allowed: IPv4:PORT, port "
      "1..65535\n" },
    { "listen: 198.18.0.1:65536\n", 0,
      "t.yaml:1:9: listen: \"65536\" is not a port number 1..65535; allowed: IPv4:PORT, port "
      "1..65535\n" },
    { "listen: 198.18.0:64\n", 0,
      "t.yaml:1:9: listen: \"198.18.0:64\" does not start with an IPv4 address; allowed: "
      "IPv4:PORT, port "
      "1..65535\n" },
    { "listen: 198.18.0.256:64\n", 0,
      "t.yaml:1:9: listen: \"198.18.0.256:64\" does not start with an IPv4 address; allowed: "
      "IPv4:PORT, port "
      "1..65535\n" },
    { "listen: '[::1]:64'\n", 0,
      "t.yaml:1:9: listen: \"[::1]:64\" does not start with an IPv4 address; allowed: IPv4:PORT, "
      "port "
      "1..65535\n" },
    { "listen: 224.0.0.1:64\n", 0,
      "t.yaml:1:9: listen: \"224.0.0.1:64\" is not the address of a host; allowed: IPv4:PORT, port "
      "1..65535\n" },
    { "public: 0.0.0.1\n", 0,
      "t.yaml:1:9: public: \"0.0.0.1\" is not the address of a host; allowed: IPv4 or IPv4:PORT, "
      "port "
      "1..65535\n" },
    { "router: 2001:db8::1\n", 0,
      "t.yaml:1:9: router: \"2001:db8::1\" has more than one colon (the outer protocol is IPv4 "
      "only); allowed: "
      "HOST or HOST:PORT, HOST being a name or an IPv4 address\n" },
    { "router: 198.18.0\n", 0,
      "t.yaml:1:9: router: \"198.18.0\" is neither a host name nor an IPv4 address; allowed: HOST "
      "or HOST:PORT, "
      "HOST being a name or an IPv4 address\n" },
    { "router: a..b\n", 0,
      "t.yaml:1:9: router: \"a..b\" is neither a host name nor an IPv4 address; allowed: HOST or "
      "HOST:PORT, HOST "
      "being a name or an IPv4 address\n" },
    { "router: a b\n", 0,
      "t.yaml:1:9: router: \"a b\" is neither a host name nor an IPv4 address; allowed: HOST or "
      "HOST:PORT, HOST "
      "being a name or an IPv4 address\n" },
    { "router: r:80x\n", 0,
      "t.yaml:1:9: router: \"80x\" is not a port number 1..65535; allowed: HOST or HOST:PORT, HOST "
      "being a name "
      "or an IPv4 address\n" },
    { "address: 2001:db8::g\n", 0,
      "t.yaml:1:10: address: \"2001:db8::g\" is not an IPv6 address; allowed: an IPv6 address\n" },
    { "address: ff02::1\n", 0,
      "t.yaml:1:10: address: \"ff02::1\" is not the address of a host; allowed: an IPv6 "
      "address\n" },
    { "address: ::1\n", 0,
      "t.yaml:1:10: address: \"::1\" is not the address of a host; allowed: an IPv6 address\n" },
    { "address: ::ffff:192.0.2.1\n", 0,
      "t.yaml:1:10: address: \"::ffff:192.0.2.1\" is not the address of a host; allowed: an IPv6 "
      "address\n" },
    { "dns: ['2001:db8::1', 8.8.8.8]\n", 0,
      "t.yaml:1:22: dns: \"8.8.8.8\" is not an IPv6 address; allowed: a list of at most 2 IPv6 "
      "addresses\n" },
    { "prefix: 2001:db8:1::1/64\n", 0,
      "t.yaml:1:9: prefix: host bits set in 2001:db8:1::1/64; did you mean 2001:db8:1::/64?\n" },
    { "prefix: 2001:db8:1:1::/63\n", 0,
      "t.yaml:1:9: prefix: host bits set in 2001:db8:1:1::/63; did you mean 2001:db8:1::/63?\n" },
    { "prefix: '2001:db8:1::'\n", 0,
      "t.yaml:1:9: prefix: \"2001:db8:1::\" has no length; allowed: ADDRESS/LENGTH, length "
      "48..126\n" },
    { "prefix: 2001:db8::/129\n", 0,
      "t.yaml:1:9: prefix: \"129\" is not a prefix length; allowed: ADDRESS/LENGTH, length "
      "48..126\n" },
    { "prefix: 2001:db8::/064\n", 0,
      "t.yaml:1:9: prefix: \"064\" is not a prefix length; allowed: ADDRESS/LENGTH, length "
      "48..126\n" },
    { "prefix: 2001:db8::/32\n", 0,
      "t.yaml:1:9: prefix: \"2001:db8::/32\" is too short a prefix; allowed: ADDRESS/LENGTH, "
      "length "
      "48..126\n" },
    { "prefix: 2001:db8::/47\n", 0,
      "t.yaml:1:9: prefix: \"2001:db8::/47\" is too short a prefix; allowed: ADDRESS/LENGTH, "
      "length "
      "48..126\n" },
    { "prefix: 2001:db8::/127\n", 0,
      "t.yaml:1:9: prefix: \"2001:db8::/127\" is too long a prefix; allowed: ADDRESS/LENGTH, "
      "length "
      "48..126\n" },
    { "prefix: 2001:db8::/128\n", 0,
      "t.yaml:1:9: prefix: \"2001:db8::/128\" is too long a prefix; allowed: ADDRESS/LENGTH, "
      "length "
      "48..126\n" },
    { "prefix: 10.0.0.0/64\n", 0,
      "t.yaml:1:9: prefix: \"10.0.0.0/64\" does not start with an IPv6 address; allowed: "
      "ADDRESS/LENGTH, length "
      "48..126\n" },
    /* keys and secrets; a secret is not repeated */
    { "items: [{name: a, key: abc}]\n", 0,
      "t.yaml:1:24: items.key: \"abc\" is not a key; allowed: 32 octets in base64 (44 characters, "
      "the last one "
      "=)\n" },
    { "items: [{name: a, key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}]\n", 0,
      "t.yaml:1:24: items.key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= is no public key of "
      "anybody (a point "
      "of low order)\n" },
    { "secret: correct horse battery staple\n", 0,
      "t.yaml:1:9: secret: a text of 28 characters that is not a secret; allowed: 32 octets in "
      "base64 (44 "
      "characters, the last one =), made by `keygen --psk` (a passphrase could be guessed)\n" },
    { "secret: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", 0,
      "t.yaml:1:9: secret: all zero, which means none\n" },
    /* all problems of a file in one run */
    { "flag: yes\nnumber: 80x\nitem: []\nprefix: 2001:db8::1/64\n", 0,
      "t.yaml:1:7: flag: \"yes\" is not a truth value; allowed: true or false\n"
      "t.yaml:2:9: number: \"80x\" is not a number; allowed: 10..100 octets\n"
      "t.yaml:3:1: unknown key \"item\"; did you mean items?\n"
      "t.yaml:4:9: prefix: host bits set in 2001:db8::1/64; did you mean 2001:db8::/64?\n" },
};

static unsigned lines_of(const char *text)
{
    unsigned n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void every_refusal_has_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *r = &refusals[i];
        struct sample s;
        unsigned problems;
        char *out = read_it(r->text, r->len ? r->len : strlen(r->text), &s, &problems);
        assert_string_equal(out, r->lines);
        assert_int_equal(problems, lines_of(r->lines));
        free(out);
        free(s.items);
    }
}

static const char full[] =
    "flag: true\nnumber: 100\nwait: 20 s\ndevice: tap6\ncontrol: '@here'\n"
    "listen: 198.18.0.1:6464\npublic: 198.18.0.2\nrouter: r.example.:1\n"
    "address: 2001:db8::5\ndns: [ '2001:db8::53', 2001:db8::54 ]\n"
    "prefix: 2001:db8:1::/64\r\n"
    "secret: " GOOD_KEY "\nmap:\n  colour: blue # a caf\xc3\xa9\n  big: 4294967295\n"
    "items:\n  - { name: bob, key: " GOOD_KEY " }\n  - name: eve\n";

static void values_arrive(void **state)
{
    (void)state;
    struct sample s;
    unsigned problems;
    char *out = read_it(full, strlen(full), &s, &problems);
    assert_string_equal(out, "");
    free(out);
    assert_int_equal(problems, 0);
    assert_true(s.flag);
    assert_int_equal(s.number, 100);
    assert_int_equal(s.wait_s, 20);
    assert_string_equal(s.device, "tap6");
    assert_string_equal(s.control, "@here");
    assert_memory_equal(&s.listen, "\xc6\x12\x00\x01\x19\x40", 6);
    assert_memory_equal(&s.public_ep, "\xc6\x12\x00\x02\x00\x00", 6);
    assert_string_equal(s.host, "r.example.");
    assert_int_equal(s.port, 1);
    assert_int_equal(s.address.b[15], 5);
    assert_int_equal(s.n_dns, 2);
    assert_int_equal(s.dns[1].b[15], 0x54);
    assert_int_equal(s.prefix.len, 64);
    assert_memory_equal(s.prefix.addr.b, "\x20\x01\x0d\xb8\x00\x01\0\0\0\0\0\0\0\0\0\0", 16);
    assert_true(s.has_secret);
    assert_int_equal(s.secret[31], 7);
    assert_int_equal(s.colour, 2);
    assert_int_equal(s.big, UINT32_MAX);
    assert_int_equal(s.n_items, 2);
    assert_string_equal(s.items[0].name, "bob");
    assert_true(s.items[0].has_key);
    assert_int_equal(s.items[0].key[0], 7);
    assert_string_equal(s.items[1].name, "eve");
    assert_false(s.items[1].has_key);
    free(s.items);
}

static void nothing_given_is_nothing_changed(void **state)
{
    (void)state;
    static const char *const texts[] = { "items:\n", "map:\n", "dns: ~\n", "items: []\n" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct sample s;
        unsigned problems;
        char *out = read_it(texts[i], strlen(texts[i]), &s, &problems);
        assert_string_equal(out, "");
        assert_int_equal(s.n_items + s.n_dns + s.big, 0);
        free(out);
        free(s.items);
    }
}

static void durations_have_three_spellings(void **state)
{
    (void)state;
    static const char *const texts[] = { "wait: 20\n", "wait: 20s\n", "wait: 20 s\n",
                                         "wait: '20 s'\n" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct sample s;
        unsigned problems;
        char *out = read_it(texts[i], strlen(texts[i]), &s, &problems);
        /* a number in quotes is a text in all its spellings */
        assert_int_equal(problems, i == 3);
        assert_int_equal(s.wait_s, i == 3 ? 0 : 20);
        free(out);
    }
}

static void marks_can_be_asked_for(void **state)
{
    (void)state;
    struct sample s = { 0 };
    char *out = NULL;
    size_t out_len;
    FILE *err = open_memstream(&out, &out_len);
    static const char text[] =
        "map: { colour: pink }\nitems:\n  - name: a\n  - name: b\nflag: true\n";
    struct conf *c = conf_read_text("t.yaml", (const uint8_t *)text, strlen(text), keys, &s, err);
    assert_int_equal(conf_mark_of(c, &s, "map.colour").column, 16);
    assert_true(conf_given(c, &s, "map.colour"));
    assert_false(conf_ok(c, &s, "map.colour"));
    assert_false(conf_ok(c, &s, "map"));
    assert_false(conf_given(c, &s, "colour"));
    assert_false(conf_given(c, &s, "map.big"));
    assert_false(conf_given(c, &s, "number"));
    assert_true(conf_ok(c, &s, "flag"));
    assert_int_equal(conf_mark_of(c, &s, "flag").line, 5);
    assert_int_equal(conf_mark_of(c, &s.items[1], "name").line, 4);
    assert_int_equal(conf_mark_of(c, &s.items[1], "name").column, 11);
    assert_int_equal(conf_mark_of(c, &s.items[1], NULL).column, 5);
    conf_free(c);
    fclose(err);
    free(out);
    free(s.items);
}

/* Every text cut short, and with every octet changed, is read or refused, never more. */
static void broken_texts_do_no_harm(void **state)
{
    (void)state;
    char text[sizeof(full)];
    struct sample s;
    unsigned problems;
    for (size_t len = 0; len < strlen(full); len++) {
        char *exact = malloc(len ? len : 1); /* so that a read beyond the end is seen */
        memcpy(exact, full, len);
        free(read_it(exact, len, &s, &problems));
        free(s.items);
        free(exact);
    }
    static const char changes[] = "\0\t\n:-[{\"'#&*!|>%@`\x80\xff";
    for (size_t i = 0; i < strlen(full); i++) {
        for (size_t k = 0; k < sizeof(changes) - 1; k++) {
            memcpy(text, full, sizeof(full));
            text[i] = changes[k];
            free(read_it(text, strlen(full), &s, &problems));
            free(s.items);
        }
    }
}

/* ---- bounds ---- */

/* @unit over and over, @len octets */
static char *repeated(const char *unit, size_t len)
{
    char *t = malloc(len + 1);
    size_t n = strlen(unit);
    assert_non_null(t);
    for (size_t i = 0; i < len; i++)
        t[i] = unit[i % n];
    t[len] = 0;
    return t;
}

struct bound {
    const char *unit;
    size_t len;
    const char *first; /* line of what is printed */
};

static const struct bound bounds[] = {
    { "[", CONF_FILE_MAX, "t.yaml:1:9: maps and lists nested too deeply; at most 8\n" },
    { "{a: ", 400000, "t.yaml:1:33: maps and lists nested too deeply; at most 8\n" },
    { "- ", CONF_FILE_MAX, "t.yaml:1:17: maps and lists nested too deeply; at most 8\n" },
    { "? ", CONF_FILE_MAX, "t.yaml:1:17: maps and lists nested too deeply; at most 8\n" },
    { "a:\n", CONF_FILE_MAX, "t.yaml:65536:3: too many values; at most 131072 in a file\n" },
    { "a:\n", 189999, "t.yaml:1:1: unknown key \"a\"; allowed: " },
    { "flag: true\n", 715000, "t.yaml:2:1: flag: given twice; first on line 1\n" },
    { "a:\n", 3 * CONF_FILE_MAX, "t.yaml: larger than 1048576 octets\n" },
    { "#", CONF_FILE_MAX, "t.yaml:1:1: empty; at least one key: value is needed\n" },
    { "\n", CONF_FILE_MAX, "t.yaml:1:1: empty; at least one key: value is needed\n" },
    { "*a ", CONF_FILE_MAX, "t.yaml:1:1: alias (*); anchors and aliases are not taken\n" },
    { "- *a\n", CONF_FILE_MAX, "t.yaml:1:3: alias (*); anchors and aliases are not taken\n" },
    { "x", CONF_FILE_MAX, "t.yaml:1:1: a single value is given; allowed: lines of key: value\n" },
};

static long peak_kib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void large_files_cost_little(void **state)
{
    (void)state;
    /* sanitizers and valgrind (tests/valgrind.sh) cost a factor; the bound proper holds for the
     * plain build */
    const double limit_s = getenv("SIXTAP_ROUNDS") ? 200 : SANITIZED ? 5 : 1;
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        struct sample s;
        unsigned problems;
        char *text = repeated(bounds[i].unit, bounds[i].len);
        double start = cpu_s();
        char *out = read_it(text, bounds[i].len, &s, &problems);
        double took = cpu_s() - start;
        print_message("%zu: %.3f s, peak %ld KiB\n", i, took, peak_kib());
        assert_true(problems >= 1);
        assert_true(lines_of(out) <= CONF_PROBLEMS_MAX + 1);
        assert_true(took < limit_s);
        size_t n = strlen(bounds[i].first);
        if (strlen(out) > n)
            out[n] = 0;
        assert_string_equal(out, bounds[i].first);
        free(out);
        free(text);
        free(s.items);
    }
    assert_true(SANITIZED || peak_kib() < 64 * 1024);
}

/* ---- files ---- */

struct file_row {
    const char *name, *line; /* line: after "PATH: " */
};

static void files_that_are_none(void **state)
{
    (void)state;
    char dir[] = "/tmp/sixtap-yaml-XXXXXX", path[64], want[200];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/fifo", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    const struct file_row rows[] = {
        { path, "not a regular file" },
        { dir, "Is a directory" },
        { "/dev/zero", "not a regular file" },
        { "/nowhere/at.yaml", "No such file or directory" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sample s = { 0 };
        char *out = NULL;
        size_t n;
        FILE *err = open_memstream(&out, &n);
        struct conf *c = conf_read_file(rows[i].name, keys, &s, err);
        assert_non_null(c);
        assert_int_equal(conf_problems(c), 1);
        assert_false(conf_usable(c));
        conf_free(c);
        fclose(err);
        snprintf(want, sizeof(want), "%s: %s\n", rows[i].name, rows[i].line);
        assert_string_equal(out, want);
        free(out);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

/* ---- small parts ---- */

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t v;
    } rows[] = {
        { "0", true, 0 },
        { "1", true, 1 },
        { "18446744073709551615", true, UINT64_MAX },
        { "18446744073709551616", false, 0 },
        { "99999999999999999999", false, 0 },
        { "00", false, 0 },
        { "", false, 0 },
        { " 1", false, 0 },
        { "1 ", false, 0 },
        { "\xd9\xa1", false, 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t v = 0;
        assert_int_equal(scalar_number(rows[i].text, &v), rows[i].ok);
        assert_int_equal(v, rows[i].v);
    }
}

static void paths(void **state)
{
    (void)state;
    char out[32];
    assert_true(scalar_path("/etc/sixtap/router.yaml", "router.key", out, sizeof(out)));
    assert_string_equal(out, "/etc/sixtap/router.key");
    assert_true(scalar_path("router.yaml", "router.key", out, sizeof(out)));
    assert_string_equal(out, "router.key");
    assert_true(scalar_path("conf/router.yaml", "/a/b", out, sizeof(out)));
    assert_string_equal(out, "/a/b");
    assert_false(
        scalar_path("/etc/sixtap/router.yaml", "a-rather-long-name-of-a-file", out, sizeof(out)));
}

static void suggestions(void **state)
{
    (void)state;
    static const char *const words[] = { "listen", "lease", "mtu", "dns", NULL };
    static const struct {
        const char *word, *near;
    } rows[] = {
        { "listne", "listen" },
        { "lisn", "listen" },
        { "listening", "listen" },
        { "leaze", "lease" },
        { "mut", "mtu" },
        { "mt", "mtu" },
        { "x", NULL },
        { "", NULL },
        { "abcdef", NULL },
        { "dn", "dns" },
        { "listenlistenlistenlistenlistenlistenlistenlistenlistenlisten", NULL },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *near = conf_closest(rows[i].word, words);
        if (rows[i].near)
            assert_string_equal(near, rows[i].near);
        else
            assert_null(near);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_files_cost_little), /* first: it looks at the peak of memory */
        cmocka_unit_test(every_refusal_has_its_line),
        cmocka_unit_test(values_arrive),
        cmocka_unit_test(nothing_given_is_nothing_changed),
        cmocka_unit_test(durations_have_three_spellings),
        cmocka_unit_test(marks_can_be_asked_for),
        cmocka_unit_test(broken_texts_do_no_harm),
        cmocka_unit_test(files_that_are_none),
        cmocka_unit_test(numbers),
        cmocka_unit_test(paths),
        cmocka_unit_test(suggestions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
