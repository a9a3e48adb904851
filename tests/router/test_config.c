/* SPDX-License-Identifier: MIT */
/* test_config.c - router.yaml: the minimal form, the shipped file, every refusal with its exact
 * line */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/host/secret.h"
#include "proto/host/yaml.h"
#include "proto/mac.h"
#include "proto/wire.h"
#include "router/config.h"

/* A directory with router.key (private key: 7, 7, ...), loose.key (the same, readable by others).
 */
static char dir[] = "/tmp/sixtap-router-XXXXXX";
static char own[KEY_TEXT_LEN];                      /* public key of router.key */
static char alice[KEY_TEXT_LEN], bob[KEY_TEXT_LEN]; /* two clients' public keys */
static char secret[KEY_TEXT_LEN];

static void write_file(const char *name, const char *text, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void public_text(char out[KEY_TEXT_LEN], uint8_t fill)
{
    uint8_t key[KEY_LEN], public_key[KEY_LEN];
    memset(key, fill, sizeof(key));
    crypto_scalarmult_base(public_key, key);
    key_to_text(out, public_key);
}

static int set_up(void **state)
{
    (void)state;
    uint8_t key[KEY_LEN];
    assert_true(sodium_init() >= 0);
    assert_non_null(mkdtemp(dir));
    memset(key, 7, sizeof(key));
    key_to_text(secret, key);
    write_file("router.key", secret, 0600);
    write_file("loose.key", secret, 0644);
    public_text(own, 7);
    public_text(alice, 8);
    public_text(bob, 9);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = { "router.key", "loose.key", "router.yaml" };
    char path[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

/* @text with $OWN, $ALICE, $BOB, $SECRET, $DIR and $LOW (a key of low order) replaced; the caller
 * frees */
static char *expand(const char *text)
{
    const struct {
        const char *name, *value;
    } words[] = {
        { "$OWN", own }, { "$ALICE", alice },
        { "$BOB", bob }, { "$SECRET", secret },
        { "$DIR", dir }, { "$LOW", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" },
    };
    char *out = NULL;
    size_t len;
    FILE *f = open_memstream(&out, &len);
    while (*text) {
        size_t i = 0, n = sizeof(words) / sizeof(words[0]);
        while (i < n && strncmp(text, words[i].name, strlen(words[i].name)) != 0)
            i++;
        if (i < n)
            fputs(words[i].value, f);
        else
            fputc(*text, f);
        text += i < n ? strlen(words[i].name) : 1;
    }
    fclose(f);
    return out;
}

/* What reading @text prints, file names without the directory; the caller frees. */
static char *read_text(const char *text, struct router_config *c, int *ret)
{
    char path[128], *out = NULL;
    size_t len;
    FILE *err = open_memstream(&out, &len);
    snprintf(path, sizeof(path), "%s/router.yaml", dir);
    *ret = router_config_parse(c, path, (const uint8_t *)text, strlen(text), err);
    fclose(err);
    /* lines start with DIR/router.yaml: */
    size_t n = strlen(dir) + 1;
    for (char *p = out; (p = strstr(p, path)) != NULL; p++)
        memmove(p, p + n, strlen(p + n) + 1);
    return out;
}

#define BASE  "listen: 198.18.0.1:6464\nprivate_key_file: router.key\n"
#define ALICE "clients:\n  - { name: alice, public_key: $ALICE }\n"

struct refused {
    const char *text, *lines;
};

static const struct refused refusals[] = {
    { "listen: 198.18.0.1:6464\n" ALICE,
      "router.yaml:1:1: private_key_file is missing: the file that `sixtap-router keygen` made\n" },
    { "listen: 0.0.0.0:6464\nprivate_key_file: router.key\n" ALICE,
      "router.yaml:1:9: listen: 0.0.0.0 is every address of this host; add public_address: the "
      "IPv4 address that "
      "clients see\n" },
    { "private_key_file: router.key\n" ALICE,
      "router.yaml:1:1: listen: 0.0.0.0 is every address of this host; add public_address: the "
      "IPv4 address that "
      "clients see\n" },
    { "public_address: 0.0.0.0\n" BASE ALICE,
      "router.yaml:1:17: public_address: 0.0.0.0 is not the address of a host\n" },
    { "listen: 198.18.0.1:80x\nprivate_key_file: router.key\n" ALICE,
      "router.yaml:1:9: listen: \"80x\" is not a port number 1..65535; allowed: IPv4:PORT, port "
      "1..65535\n" },
    { BASE "prefix: 2001:db8:1::1/64\n" ALICE,
      "router.yaml:3:9: prefix: host bits set in 2001:db8:1::1/64; did you mean "
      "2001:db8:1::/64?\n" },
    { BASE "prefix: 2001:db8::/47\n" ALICE,
      "router.yaml:3:9: prefix: \"2001:db8::/47\" is too short a prefix; allowed: "
      "ADDRESS/LENGTH, length 48..126\n" },
    { BASE "prefix: 2001:db8::/127\n" ALICE,
      "router.yaml:3:9: prefix: \"2001:db8::/127\" is too long a prefix; allowed: "
      "ADDRESS/LENGTH, length 48..126\n" },
    { BASE "prefix: 2001:db8::/128\n" ALICE,
      "router.yaml:3:9: prefix: \"2001:db8::/128\" is too long a prefix; allowed: "
      "ADDRESS/LENGTH, length 48..126\n" },
    { BASE "prefix: fe80::/64\n" ALICE, "router.yaml:3:9: prefix: fe80::/64 holds link-local "
                                        "addresses; allowed: global or unique local ones\n" },
    { BASE "prefix: ff05::/64\n" ALICE, "router.yaml:3:9: prefix: ff05::/64 holds multicast "
                                        "addresses; allowed: global or unique local ones\n" },
    { BASE "prefix: ::/64\n" ALICE, "router.yaml:3:9: prefix: ::/64 holds reserved addresses "
                                    "(0000::/8); allowed: global or unique local ones\n" },
    { BASE "prefix: 2001:db8:1::/56\naddressing: eui64\n" ALICE,
      "router.yaml:4:13: addressing: eui64 needs a /64, but prefix on line 3 is 2001:db8:1::/56; "
      "allowed: a /64, "
      "or stable\n" },
    { BASE "addressing: eui-64\n" ALICE, "router.yaml:3:13: addressing: \"eui-64\" is not known; "
                                         "allowed: stable, eui64; did you mean eui64?\n" },
    { BASE "prefix: 2001:db8:1::/64\naddress: 2001:db8:2::1\n" ALICE,
      "router.yaml:4:10: address: 2001:db8:2::1 is not inside prefix 2001:db8:1::/64\n" },
    { BASE "prefix: 2001:db8:1::/64\naddress: '2001:db8:1::'\n" ALICE,
      "router.yaml:4:10: address: 2001:db8:1:: is the anycast address of all routers of "
      "2001:db8:1::/64; allowed: "
      "another one of it\n" },
    { BASE "address: 2001:db8:2::1\n" ALICE,
      "router.yaml:3:10: address: 2001:db8:2::1 without prefix; give the prefix it belongs to\n" },
    { BASE "uplink: { mode: nat6 }\n" ALICE, "router.yaml:3:17: uplink.mode: \"nat6\" is not "
                                             "known; allowed: none, routed, ndproxy, nat66; "
                                             "did you mean nat66?\n" },
    { BASE "prefix: 2001:db8:1::/64\nclients:\n- { name: a, public_key: $ALICE, address: "
           "'2001:db8:2::5' }\n",
      "router.yaml:5:81: clients.address: 2001:db8:2::5 is not inside prefix 2001:db8:1::/64\n" },
    { BASE "prefix: 2001:db8:1::/64\nclients:\n- { name: a, public_key: $ALICE, address: "
           "'2001:db8:1::1' }\n",
      "router.yaml:5:81: clients.address: 2001:db8:1::1 is the router's own\n" },
    { BASE "prefix: 2001:db8:1::/64\nclients:\n- { name: a, public_key: $ALICE, address: "
           "'2001:db8:1::' }\n",
      "router.yaml:5:81: clients.address: 2001:db8:1:: is the anycast address of all routers of "
      "the "
      "prefix\n" },
    { BASE "prefix: 2001:db8:1::/64\nclients:\n- { name: a, public_key: $ALICE, address: "
           "'2001:db8:1::2:ff:fe01:1' }\n",
      "router.yaml:5:81: clients.address: 2001:db8:1:0:2:ff:fe01:1 has the shape of an EUI-64 "
      "address (..ff:fe..), which belongs to a MAC\n" },
    { BASE "prefix: 2001:db8:1::/64\naddressing: eui64\nclients:\n- { name: a, public_key: $ALICE, "
           "address: '2001:db8:1::5' }\n",
      "router.yaml:6:81: clients.address: 2001:db8:1::5 needs addressing: stable; with eui64 "
      "clients "
      "make their addresses themselves\n" },
    { BASE "clients:\n- { name: a, public_key: $ALICE, address: '2001:db8:1::5' }\n",
      "router.yaml:4:81: clients.address: needs prefix: the one it belongs to\n" },
    { BASE "prefix: 2001:db8:1::/64\nclients:\n- { name: a, public_key: $ALICE, delegate: "
           "[ '2001:db8:1::/80' ] }\n",
      "router.yaml:5:82: clients.delegate: 2001:db8:1::/80 overlaps prefix 2001:db8:1::/64, which "
      "is "
      "the link of all clients; allowed: prefixes outside it\n" },
    { BASE "prefix: 2001:db8:1::/64\nclients:\n- { name: a, public_key: $ALICE, delegate: "
           "[ '2001:db8::/32' ] }\n",
      "router.yaml:5:82: clients.delegate: 2001:db8::/32 overlaps prefix 2001:db8:1::/64, which is "
      "the link of all clients; allowed: prefixes outside it\n" },
    { BASE "clients:\n- { name: a, public_key: $ALICE, delegate: [ 'fe80:1::/64' ] }\n",
      "router.yaml:4:82: clients.delegate: fe80:1::/64 cannot be routed; allowed: global or unique "
      "local prefixes\n" },
    { BASE "clients:\n- { name: a, public_key: $ALICE, delegate: [ '2001:db8:b::1/56' ] }\n"
           "- { name: b, public_key: $BOB, delegate: [ '2001:db8:5::/48' ] }\n",
      "router.yaml:4:84: clients.delegate: host bits set in 2001:db8:b::1/56; did you mean "
      "2001:db8:b::/56?\n" },
    { BASE "clients:\n- { name: a, public_key: $ALICE, delegate: [ '2001:db8::1/128' ] }\n",
      "router.yaml:4:82: clients.delegate: 2001:db8::1/128; allowed: lengths of 16 to 126\n" },
    { BASE
      "clients:\n- { name: a, public_key: $ALICE, delegate: [ '2001:db8:5::/48' ] }\n"
      "- { name: b, public_key: $BOB, delegate: [ '2001:db8:6::/48', '2001:db8:5:1::/64' ] }\n",
      "router.yaml:5:82: clients.delegate: 2001:db8:5:1::/64 lies inside 2001:db8:5::/48 of client "
      "a\n" },
    { BASE "prefix: 2001:db8:1::/64\nclients:\n- { name: a, public_key: $ALICE, address: "
           "'2001:db8:1::5' }\n- { name: b, public_key: $BOB, address: '2001:db8:1::5' }\n",
      "router.yaml:6:81: clients.address: 2001:db8:1::5/128 is the same as 2001:db8:1::5/128 of "
      "client a\n" },
    { BASE "uplink: { mode: routed, device: a/b }\n" ALICE,
      "router.yaml:3:33: uplink.device: \"a/b\" has a character that is not allowed; allowed: "
      "1..15 letters, "
      "digits, . _ -\n" },
    { BASE "access: open\n", "router.yaml:3:9: access: open lets any key in; add join_secret, or "
                             "everyone: true if that is what you "
                             "want\n" },
    { BASE "access: open\neveryone: false\n",
      "router.yaml:4:11: everyone: false, with access: open and no join_secret; allowed: true, or "
      "a join_secret\n" },
    { BASE "everyone: true\n" ALICE, "router.yaml:3:11: everyone: true needs access: open\n" },
    { BASE "access: open\neveryone: true\njoin_secret: $SECRET\n",
      "router.yaml:4:11: everyone: true and join_secret exclude one another\n" },
    { BASE "join_secret: $SECRET\njoin_secret_file: router.key\n" ALICE,
      "router.yaml:4:19: join_secret_file: join_secret is given too; only one of them may be\n" },
    { BASE "join_secret: open sesame\n" ALICE,
      "router.yaml:3:14: join_secret: a text of 11 characters that is not a secret; allowed: 32 "
      "octets in base64 "
      "(44 characters, the last one =), made by `keygen --psk` (a passphrase could be guessed)\n" },
    { BASE "multicast: maybe\n" ALICE,
      "router.yaml:3:12: multicast: \"maybe\" is not a truth value; allowed: true or false\n" },
    { BASE "routes: [ 'ff00::/8', '::/1', 'fe80::/64' ]\n" ALICE,
      "router.yaml:3:9: routes: ff00::/8 cannot be routed; allowed: global or unique local "
      "prefixes\n"
      "router.yaml:3:9: routes: fe80::/64 cannot be routed; allowed: global or unique local "
      "prefixes\n" },
    { BASE "prefix: 2001:db8:1::/64\nroutes: [ '2001:db8::/32', '2001:db8:1::/72', "
           "'2001:db8:1::/64' ]\n" ALICE,
      "router.yaml:4:9: routes: 2001:db8:1::/72 lies in prefix 2001:db8:1::/64, which is the link "
      "of all clients; allowed: prefixes outside it\n"
      "router.yaml:4:9: routes: 2001:db8:1::/64 lies in prefix 2001:db8:1::/64, which is the link "
      "of all clients; allowed: prefixes outside it\n" },
    { BASE "dns: [ '2001:db8::53', '::1' ]\n" ALICE,
      "router.yaml:3:24: dns: \"::1\" is not the address of a host; allowed: a list of at most 4 "
      "IPv6 addresses\n" },
    { BASE "routes: [2001:db8:5::1/48]\n" ALICE,
      "router.yaml:3:10: routes: host bits set in 2001:db8:5::1/48; did you mean "
      "2001:db8:5::/48?\n" },
    { BASE "search: [1.2.3.4]\n" ALICE,
      "router.yaml:3:10: search: \"1.2.3.4\" is not a domain name; allowed: a list of at most 4 "
      "domain names\n" },
    { BASE "mtu: 1279\n" ALICE,
      "router.yaml:3:6: mtu: \"1279\" is out of range; allowed: 1280..9000 octets\n" },
    { BASE "keepalive: 4\n" ALICE,
      "router.yaml:3:12: keepalive: \"4\" is out of range; allowed: 5..120 s\n" },
    { BASE "limits: { members: 0 }\n" ALICE,
      "router.yaml:3:20: limits.members: \"0\" is out of range; allowed: 1..1000000\n" },
    { BASE "dns: ['fe80::1', ff02::1]\n" ALICE,
      "router.yaml:3:18: dns: \"ff02::1\" is not the address "
      "of a host; allowed: a list of at most 4 IPv6 "
      "addresses\n" },
    { BASE "clients: &a\n  - { name: alice, public_key: $ALICE }\n",
      "router.yaml:3:10: anchor (&); anchors and aliases are not taken\n" },
    { BASE "prefx: 2001:db8::/64\n" ALICE,
      "router.yaml:3:1: unknown key \"prefx\"; did you mean prefix?\n" },
    { BASE "listen: 198.18.0.1:6464\n" ALICE,
      "router.yaml:3:1: listen: given twice; first on line 1\n" },
    /* clients */
    { BASE "clients:\n  - { name: alice }\n",
      "router.yaml:4:5: clients.public_key is missing: what `sixtap-client pubkey` prints\n" },
    { BASE "clients:\n  - { public_key: $ALICE }\n",
      "router.yaml:4:5: clients.name is missing: how logs and status call the client\n" },
    { BASE "clients:\n  - { name: alice, key: $ALICE }\n",
      "router.yaml:4:20: unknown key \"key\" here; allowed: name, public_key, address, delegate, "
      "psk, psk_file\n"
      "router.yaml:4:5: clients.public_key is missing: what `sixtap-client pubkey` prints\n" },
    { BASE "clients:\n  - { name: router, public_key: $OWN }\n",
      "router.yaml:4:33: clients.public_key: this is the router's own key; allowed: what "
      "`sixtap-client pubkey` "
      "prints for the client's private key\n" },
    { BASE "clients:\n  - { name: a, public_key: $LOW }\n",
      "router.yaml:4:28: clients.public_key: $LOW is no public key of anybody (a point of low "
      "order)\n" },
    { BASE ALICE "  - { name: alice, public_key: $BOB }\n",
      "router.yaml:5:13: clients.name: the same as on line 4; every client needs its own\n" },
    { BASE ALICE "  - { name: bob, public_key: $ALICE }\n",
      "router.yaml:5:30: clients.public_key: the same as on line 4; every client needs its own\n" },
    { BASE "clients:\n  - { name: a, public_key: $ALICE, psk: $SECRET, psk_file: router.key }\n",
      "router.yaml:4:135: psk_file: psk is given too; only one of them may be\n" },
    { BASE "clients:\n  - { name: a b, public_key: $ALICE }\n",
      "router.yaml:4:13: clients.name: \"a b\" has a character that is not allowed; allowed: 1..63 "
      "letters, digits, "
      ". _ -\n" },
    /* several at once, the later ones too */
    { "listen: 0.0.0.0:80x\nprivate_key_file: router.key\nmtu: big\nmulticast: true\n" ALICE
      "  - { name: alice, public_key: $OWN }\n",
      "router.yaml:1:9: listen: \"80x\" is not a port number 1..65535; allowed: IPv4:PORT, port "
      "1..65535\n"
      "router.yaml:3:6: mtu: \"big\" is not a number; allowed: 1280..9000 octets\n"
      "router.yaml:7:32: clients.public_key: this is the router's own key; allowed: what "
      "`sixtap-client pubkey` "
      "prints for the client's private key\n"
      "router.yaml:7:13: clients.name: the same as on line 6; every client needs its own\n" },
};

static void every_refusal_has_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct router_config c = { 0 };
        int problems, want = 0;
        char *text = expand(refusals[i].text), *lines = expand(refusals[i].lines);
        char *out = read_text(text, &c, &problems);
        assert_string_equal(out, lines);
        for (const char *p = lines; *p; p++)
            want += *p == '\n';
        assert_int_equal(problems, want);
        assert_null(c.clients);
        free(out);
        free(lines);
        free(text);
    }
}

/* The reason is secret.c's; here: where it stood, and that nothing is taken. */
static void key_files_are_looked_at(void **state)
{
    (void)state;
    static const struct {
        const char *file, *reason;
    } rows[] = { { "loose.key", "chmod 600" }, { "absent.key", "No such file" }, { ".", "" } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct router_config c = { 0 };
        char text[200], start[] = "router.yaml:1:19: private_key_file: ";
        int problems;
        snprintf(text, sizeof(text), "private_key_file: %s\nlisten: 198.18.0.1:1\n", rows[i].file);
        char *out = read_text(text, &c, &problems);
        assert_int_equal(problems, 1);
        print_message("%s", out);
        assert_int_equal(strncmp(out, start, strlen(start)), 0);
        assert_non_null(strstr(out, rows[i].reason));
        assert_null(strstr(out, secret));
        free(out);
    }
}

static const char minimal[] = BASE "prefix: 2001:db8:1::/64\naddressing: stable        # or eui64\n"
                                   "uplink: { mode: routed, device: sixtap0 }\n" ALICE;

static void minimal_form(void **state)
{
    (void)state;
    struct router_config c;
    int problems;
    char *text = expand(minimal), *out = read_text(text, &c, &problems);
    uint8_t want[KEY_LEN];
    assert_string_equal(out, "");
    assert_int_equal(problems, 0);
    assert_memory_equal(&c.listen, "\xc6\x12\x00\x01\x19\x40", 6);
    assert_memory_equal(&c.public_ep, &c.listen, 6);
    assert_int_equal(c.private_key[0], 7);
    key_from_text(want, own, strlen(own));
    assert_memory_equal(c.public_key, want, KEY_LEN);
    assert_memory_equal(c.address.b, "\x20\x01\x0d\xb8\x00\x01\0\0\0\0\0\0\0\0\0\x01", 16);
    assert_int_equal(c.uplink, UPLINK_ROUTED);
    assert_string_equal(c.uplink_device, "sixtap0");
    assert_string_equal(c.control, "@sixtap-router-sixtap0");
    assert_int_equal(c.n_clients, 1);
    assert_string_equal(c.clients[0].name, "alice");
    assert_false(c.clients[0].has_psk);
    assert_int_equal(c.keepalive_s, 20);
    assert_int_equal(c.lease_s, 3600);
    router_config_free(&c);
    assert_null(c.clients);
    assert_true(sodium_is_zero((const unsigned char *)&c, sizeof(c)));
    free(out);
    free(text);
}

static void every_key_arrives(void **state)
{
    (void)state;
    struct router_config c;
    int problems;
    char *text = expand(
        "listen: 0.0.0.0:7000\npublic_address: 198.18.0.9\nprivate_key_file: $DIR/router.key\n"
        "prefix: 2001:db8::/64\naddress: 2001:db8::99\naddressing: eui64\nuplink: { device: t }\n"
        "access: open\njoin_secret: $SECRET\nmtu: 1400\nkeepalive: 30 s\nmulticast: false\n"
        "lease: 60\ndns: [ 2001:db8::53 ]\nlimits: { members: 5, logins_per_s: 6,\n"
        "  logins_per_address: 7, logins_per_24: 8 }\n"
        "control: run/c\nclients:\n  - name: bob\n    public_key: $BOB\n    psk: $SECRET\n");
    char *out = read_text(text, &c, &problems), path[128];
    assert_string_equal(out, "");
    assert_memory_equal(&c.public_ep, "\xc6\x12\x00\x09\x1b\x58", 6);
    assert_int_equal(be32_get(c.listen.ip), 0);
    assert_int_equal(c.address.b[15], 0x99);
    assert_int_equal(c.addressing, ADDRESSING_EUI64);
    assert_int_equal(c.uplink, UPLINK_NONE);
    assert_string_equal(c.uplink_device, "t");
    assert_int_equal(c.access, ACCESS_OPEN);
    assert_true(c.has_join_secret);
    assert_int_equal(c.join_secret[5], 7);
    assert_int_equal(c.mtu, 1400);
    assert_int_equal(c.keepalive_s, 30);
    assert_int_equal(c.lease_s, 60);
    assert_int_equal(c.n_dns, 1);
    assert_int_equal(c.max_members, 5);
    assert_int_equal(c.logins_per_s, 6);
    assert_int_equal(c.logins_per_address, 7);
    assert_int_equal(c.logins_per_24, 8);
    snprintf(path, sizeof(path), "%s/run/c", dir);
    assert_string_equal(c.control, path);
    assert_true(c.clients[0].has_psk);
    assert_int_equal(c.clients[0].psk[9], 7);
    router_config_free(&c);
    free(out);
    free(text);
}

/* Return: is a file with @line accepted? Clients must be able to take what it makes them be told.
 */
static bool accepted(const char *line)
{
    struct router_config c = { 0 };
    char text[300];
    int problems;

    snprintf(text, sizeof(text), BASE "access: open\neveryone: true\n%s\n", line);
    free(read_text(text, &c, &problems));
    if (problems == 0) {
        struct settings s = { .verdict = VERDICT_BUSY,
                              .n_dns = (uint8_t)c.n_dns,
                              .n_route = (uint8_t)c.n_routes };
        struct settings got;
        uint8_t out[SETTINGS_MAX];
        bool partial;
        memcpy(s.dns, c.dns, sizeof(s.dns[0]) * c.n_dns);
        memcpy(s.route, c.routes, sizeof(s.route[0]) * c.n_routes);
        size_t n = wire_put_settings(out, sizeof(out), &s, &partial);
        if (partial || !wire_get_settings(out, n, &got))
            fail_msg("%s", line);
    }
    router_config_free(&c);
    return problems == 0;
}

/* Settings that clients refuse would keep all of them out. */
static void clients_take_what_is_accepted(void **state)
{
    static const char *const address[] = {
        "::",      "::1",     "::2",           "::ffff:192.0.2.1", "64:ff9b::1", "100::1",
        "fe80::1", "fec0::1", "fd00::1",       "ff02::1",          "ff0e::1",    "2001:db8::53",
        "1::1",    "fe00::1", "2001:db8:1::5", "ffff::1",          "feff::1",    "8000::1",
    };
    static const char *const prefix[] = {
        "::/1",      "8000::/1",      "fe00::/7",     "ff00::/8", "ff02::/16", "fe80::/10",
        "fe80::/64", "::1/128",       "::/128",       "::/96",    "fc00::/7",  "2000::/3",
        "f000::/4",  "::ffff:0:0/96", "64:ff9b::/96", "1::/16",   "ff80::/9",  "2001:db8::/128",
    };
    unsigned dns = 0, routes = 0;
    char line[100];
    (void)state;

    for (size_t i = 0; i < sizeof(address) / sizeof(address[0]); i++) {
        snprintf(line, sizeof(line), "dns: [ '%s' ]", address[i]);
        dns += accepted(line);
    }
    for (size_t i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++) {
        snprintf(line, sizeof(line), "routes: [ '%s' ]", prefix[i]);
        routes += accepted(line);
    }
    assert_int_equal(dns, 12);    /* not ::, ::1, the mapped one and three of multicast */
    assert_int_equal(routes, 10); /* not three of multicast, two of fe80::/10, :: and ::1, mapped */
}

/* R16, R19: RFC 4861 6.2.1 with the bounds of RFC 8319 */
static void R16_R19_advertise(void **state)
{
    static const struct {
        const char *text, *problem; /* part of the one line; NULL: fine */
        uint32_t max_s, min_s, lifetime_s;
    } rows[] = {
        { "max_interval: 600 s", NULL, 600, 450, 1800 },
        { "max_interval: 4", NULL, 4, 3, 12 },
        { "max_interval: 65535", NULL, 65535, 49151, 65535 },
        { "max_interval: 3", "max_interval", 0, 0, 0 },
        { "max_interval: 65536", "max_interval", 0, 0, 0 },
        { "max_interval: 100, min_interval: 75", NULL, 100, 75, 300 },
        { "max_interval: 100, min_interval: 76", "more than three quarters", 0, 0, 0 },
        { "min_interval: 2", "min_interval", 0, 0, 0 },
        { "lifetime: 600", NULL, 600, 450, 600 },
        { "lifetime: 599", "would end before the next", 0, 0, 0 },
        { "lifetime: 0", NULL, 600, 450, 0 },
        { "lifetime: 65536", "lifetime", 0, 0, 0 },
        { "hop_limit: 256", "hop_limit", 0, 0, 0 },
        { "valid: 100, preferred: 101", "more than valid", 0, 0, 0 },
        { "valid: 100, preferred: 100", NULL, 600, 450, 1800 },
        { "valid: 4294967295, preferred: 4294967295", NULL, 600, 450, 1800 },
        { "valid: 100", "more than valid", 0, 0, 0 }, /* than the default of preferred */
        { "reachable: 3600001", "reachable", 0, 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct router_config c;
        char whole[400];
        int problems;
        snprintf(whole, sizeof(whole), BASE "advertise: { %s }\n" ALICE, rows[i].text);
        char *text = expand(whole), *out = read_text(text, &c, &problems);
        if (problems != (rows[i].problem != NULL) ||
            (rows[i].problem && !strstr(out, rows[i].problem)))
            fail_msg("%s: %d problems, %s", rows[i].text, problems, out);
        if (problems == 0) {
            assert_int_equal(c.advertise.max_interval_s, rows[i].max_s);
            assert_int_equal(c.advertise.min_interval_s, rows[i].min_s);
            assert_int_equal(c.advertise.lifetime_s, rows[i].lifetime_s);
            router_config_free(&c);
        }
        free(out);
        free(text);
    }
}

/* Without prefix: a ULA /64, the same each time, another for another key. */
static void prefix_is_derived(void **state)
{
    (void)state;
    struct router_config a, b;
    router_config_defaults(&a);
    memset(a.private_key, 7, KEY_LEN);
    b = a;
    router_config_finish(&a);
    router_config_finish(&b);
    assert_int_equal(a.prefix.len, 64);
    assert_int_equal(a.prefix.addr.b[0], 0xfd);
    assert_memory_equal(a.prefix.addr.b + 8, "\0\0\0\0\0\0\0\0", 8);
    assert_memory_equal(&a.prefix, &b.prefix, sizeof(a.prefix));
    assert_int_equal(a.address.b[15], 1);
    /* a fixed value: the prefix must not change with a new version */
    char text[IP6_TEXT_LEN];
    inet_ntop(AF_INET6, a.prefix.addr.b, text, sizeof(text));
    assert_string_equal(text, "fdb9:7863:fbbb:b594::");
    router_config_defaults(&b);
    memset(b.private_key, 8, KEY_LEN);
    router_config_finish(&b);
    assert_memory_not_equal(&a.prefix, &b.prefix, sizeof(a.prefix));
}

static void warnings_do_not_count(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        { BASE, "router.yaml:1:1: warning: clients: none, so nobody can log in\n" },
        { BASE "clients:\n", "router.yaml:3:9: warning: clients: none, so nobody can log in\n" },
        { BASE "join_secret: $SECRET\n" ALICE,
          "router.yaml:3:14: warning: join_secret: others can read this file; chmod 600, or use "
          "join_secret_file\n" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct router_config c;
        char *text = expand(rows[i].text), path[128], *out = NULL;
        size_t len;
        FILE *err = open_memstream(&out, &len);
        write_file("router.yaml", text, 0644);
        snprintf(path, sizeof(path), "%s/router.yaml", dir);
        assert_int_equal(router_config_load(&c, path, err), 0);
        fclose(err);
        assert_string_equal(out + strlen(dir) + 1, rows[i].lines);
        router_config_free(&c);
        free(out);
        free(text);
        /* who is about to invite need not hear that nobody is there, but all the rest */
        err = open_memstream(&out, &len);
        assert_int_equal(router_config_load_to_invite(&c, path, err), 0);
        fclose(err);
        assert_string_equal(strstr(rows[i].lines, "clients: none") ? "" : rows[i].lines,
                            *out ? out + strlen(dir) + 1 : out);
        router_config_free(&c);
        free(out);
    }
}

static void truncated_texts_do_no_harm(void **state)
{
    (void)state;
    char *text = expand(minimal);
    size_t full = strlen(text);
    for (size_t n = 0; n <= full; n++) {
        struct router_config c;
        int problems;
        char *part = strndup(text, n), *out = read_text(part, &c, &problems);
        assert_true(problems == 0 || out[0]);
        if (problems == 0)
            router_config_free(&c);
        free(out);
        free(part);
    }
    free(text);
}

static void many_clients_are_quick(void **state)
{
    (void)state;
    char *text = NULL, name[16], key[KEY_TEXT_LEN];
    size_t len;
    FILE *f = open_memstream(&text, &len);
    fputs(BASE "clients:\n", f);
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t k[KEY_LEN] = { 9, (uint8_t)i, (uint8_t)(i >> 8) };
        key_to_text(key, k);
        snprintf(name, sizeof(name), "c%u", i);
        fprintf(f, "  - { name: %s, public_key: %s }\n", name, key);
    }
    fclose(f);
    struct router_config c;
    int problems;
    char *out = read_text(text, &c, &problems);
    assert_string_equal(out, "");
    assert_int_equal(c.n_clients, 2000);
    router_config_free(&c);
    free(out);
    free(text);
}

/* ---- clients.d ---- */

static void in_dir(const char *name, const char *text)
{
    char path[128], *full = expand(text);
    snprintf(path, sizeof(path), "clients.d/%s", name);
    write_file(path, full, 0600);
    free(full);
}

static const char *const dir_files[] = { "a.yaml", "b.yaml", "c.yaml", ".d.yaml", "e.yml", NULL };

static void dir_begin(void)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/clients.d", dir);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void dir_end(void)
{
    char path[160];
    for (size_t i = 0; dir_files[i]; i++) {
        snprintf(path, sizeof(path), "%s/clients.d/%s", dir, dir_files[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/clients.d", dir);
    assert_int_equal(rmdir(path), 0);
}

/* File names without the directory they are all in. */
static void strip_dir(char *out)
{
    size_t n = strlen(dir);
    for (char *p = out; (p = strstr(p, dir)) != NULL;)
        memmove(p, p + n + 1, strlen(p + n + 1) + 1);
}

struct dir_row {
    const char *main, *a, *b; /* router.yaml behind BASE, clients.d/a.yaml and b.yaml */
    const char *lines;
};

static const struct dir_row dir_rows[] = {
    { ALICE, "name: bob\npublic_key: $BOB\n", NULL, "" },
    { "", "name: bob\npublic_key: $BOB\n", "name: alice\npublic_key: $ALICE\n", "" },
    { ALICE, "name: alice\npublic_key: $BOB\n", NULL,
      "clients.d/a.yaml:1:7: clients.name: the same as at router.yaml:4:13; every client needs its "
      "own\n" },
    { "", "name: x\npublic_key: $BOB\n", "name: y\npublic_key: $BOB\n",
      "clients.d/b.yaml:2:13: clients.public_key: the same as at clients.d/a.yaml:2:13; every "
      "client needs its own\n" },
    { "", "nmae: x\npublic_key: $BOB\n", NULL,
      "clients.d/a.yaml:1:1: unknown key \"nmae\"; did you mean name?\n"
      "clients.d/a.yaml:1:1: name is missing: how logs and status call the client\n" },
    { "", "- x\n", "name: y\npublic_key: $OWN\n",
      "clients.d/a.yaml:1:1: a list is given; allowed: lines of key: value\n"
      "clients.d/b.yaml:2:13: clients.public_key: this is the router's own key; allowed: what "
      "`sixtap-client pubkey` prints for the client's private key\n" },
    { "", "", NULL, "clients.d/a.yaml:1:1: empty; at least one key: value is needed\n" },
    { "clients_dir: nowhere\n", NULL, NULL,
      "router.yaml:3:14: clients_dir: nowhere: No such file or directory\n" },
    { "clients_dir: router.key\n", NULL, NULL,
      "router.yaml:3:14: clients_dir: router.key: Not a directory\n" },
    { "limits: { clients: 1 }\n", "name: x\npublic_key: $BOB\n", "name: y\npublic_key: $ALICE\n",
      "router.yaml:3:20: limits.clients: 1, but 2 are listed; allowed: 2 and more\n" },
};

static void clients_in_files_of_their_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(dir_rows) / sizeof(dir_rows[0]); i++) {
        const struct dir_row *r = &dir_rows[i];
        char both[1024];
        struct router_config c;
        int problems;
        dir_begin();
        if (r->a)
            in_dir("a.yaml", r->a);
        if (r->b)
            in_dir("b.yaml", r->b);
        in_dir(".d.yaml", "rubbish");
        in_dir("e.yml", "rubbish");
        snprintf(both, sizeof(both), BASE "%s", r->main);
        char *text = expand(both), *out = read_text(text, &c, &problems);
        dir_end();
        strip_dir(out);
        if (strcmp(out, r->lines) != 0)
            fail_msg("row %zu: %s\nnot: %s", i, out, r->lines);
        if (!problems) {
            assert_int_equal(c.n_clients, 2);
            router_config_free(&c);
        }
        free(text);
        free(out);
    }
}

static void client_files_are_sorted(void **state)
{
    (void)state;
    struct router_config c;
    int problems;
    dir_begin();
    in_dir("c.yaml", "name: first\npublic_key: $ALICE\n");
    in_dir("b.yaml", "name: second\npublic_key: $BOB\n");
    free(read_text(BASE, &c, &problems));
    dir_end();
    assert_int_equal(problems, 0);
    assert_int_equal(c.n_clients, 2);
    assert_string_equal(c.clients[0].name, "second");
    assert_string_equal(c.clients[1].name, "first");
    router_config_free(&c);
}

/* ---- what may change while the router runs ---- */

/* ---- fixed addresses that are others' stable ones ---- */

/* The stable address of bob, computed by hand. */
static struct ip6 stable_of_bob(unsigned try)
{
    static const uint8_t label[] = "sixtap stable address";
    uint8_t private_key[KEY_LEN], hash[KEY_LEN], key[KEY_LEN];
    struct prefix p = { .len = 64 };
    struct ip6 a;

    memset(private_key, 7, sizeof(private_key));
    crypto_generichash(hash, sizeof(hash), label, sizeof(label) - 1, private_key, KEY_LEN);
    assert_true(key_from_text(key, bob, strlen(bob)));
    inet_pton(AF_INET6, "2001:db8:1::", p.addr.b);
    assert_true(iid_stable(hash, key, p, try, &a));
    return a;
}

static void displaced_clients_are_named(void **state)
{
    (void)state;
    static const struct {
        unsigned try;
        const char *of_bob; /* more of his entry */
        bool warned;
    } rows[] = {
        { 0, "", true },
        { 1, "", false },
        { 0, ", address: '2001:db8:1::b0'", false }, /* he does not need it */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[600], want[300] = "", a[IP6_TEXT_LEN];
        struct router_config c;
        int problems;
        ip6_text(a, stable_of_bob(rows[i].try));
        snprintf(text, sizeof(text),
                 BASE "prefix: 2001:db8:1::/64\nclients:\n"
                      "  - { name: alice, address: '%s', public_key: %s }\n"
                      "  - { name: bob, public_key: %s%s }\n",
                 a, alice, bob, rows[i].of_bob);
        if (rows[i].warned)
            snprintf(want, sizeof(want),
                     "router.yaml:5:29: warning: clients.address: %s of client alice is the "
                     "stable address of client bob, too; at its next start the router gives it to "
                     "alice, and bob another one\n",
                     a);
        char *out = read_text(text, &c, &problems);
        assert_int_equal(problems, 0);
        assert_string_equal(out, want);
        free(out);
        router_config_free(&c);
    }
}

/* ---- what commands read of a file with problems ---- */

static void control_name_of_a_broken_file(void **state)
{
    (void)state;
    static const struct {
        const char *text, *control; /* NULL: it cannot be told */
    } rows[] = {
        { BASE ALICE, "@sixtap-router-sixtap0" },
        { "nonsense: 1\nuplink: { device: six7, mode: x }\n", "@sixtap-router-six7" },
        { "listen: x\ncontrol: '@here'\nuplink: { device: a/b }\n", "@here" },
        { "clients:\n  - { name: '/', public_key: x }\n", "@sixtap-router-sixtap0" },
        { "control: []\n", NULL },
        { "uplink: { device: a/b }\n", NULL },
        { "{{{\n", NULL },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[128], name[108] = "", *out = NULL;
        size_t len;
        FILE *err = open_memstream(&out, &len);
        write_file("router.yaml", rows[i].text, 0600);
        snprintf(path, sizeof(path), "%s/router.yaml", dir);
        int problems = router_config_control(path, name, err);
        fclose(err);
        assert_int_equal(problems > 0, rows[i].control == NULL);
        assert_int_equal(len > 0, rows[i].control == NULL);
        assert_string_equal(name, rows[i].control ? rows[i].control : "");
        free(out);
    }
}

static void public_key_of_a_command(void **state)
{
    (void)state;
    uint8_t key[KEY_LEN] = { 0 }, want[KEY_LEN];
    char *low = expand("$LOW"), *out = NULL;
    size_t len;
    FILE *err = open_memstream(&out, &len);

    assert_true(router_config_public_key(key, alice, "key", err));
    assert_true(key_from_text(want, alice, strlen(alice)));
    assert_memory_equal(key, want, KEY_LEN);
    assert_false(router_config_public_key(key, low, "key", err));
    assert_false(
        router_config_public_key(key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "key", err));
    assert_false(router_config_public_key(key, "x", "key", err));
    assert_memory_equal(key, want, KEY_LEN);
    fclose(err);
    assert_non_null(
        strstr(out, "key: AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= is no public key"));
    assert_non_null(strstr(out, "key: \"x\" is not a key; allowed: 32 octets in base64"));
    free(out);
    free(low);
}

static void note_key(void *ctx, const char *name, const struct conf_key *key)
{
    char *seen = ctx;
    snprintf(seen + strlen(seen), 200 - strlen(seen), "%s%s ", name, key->live ? "+" : "");
}

static void live_keys_are_taken(void **state)
{
    (void)state;
    struct router_config a, b;
    int problems;
    char seen[200] = "";
    free(read_text(BASE "prefix: 2001:db8:1::/64\n", &a, &problems));
    free(read_text(BASE "prefix: 2001:db8:2::/64\nlease: 5 s\ndns: [ 2001:db8::53 ]\n"
                        "limits: { members: 7, logins_per_s: 9 }\npreference: high\n"
                        "join_secret_file: router.key\n",
                   &b, &problems));
    assert_int_equal(problems, 0);
    assert_int_equal(conf_compare(router_config_table(), &a, &a, note_key, seen), 0);
    assert_int_equal(conf_compare(router_config_table(), &a, &b, note_key, seen), 8);
    assert_string_equal(seen, "prefix+ address+ join_secret lease+ dns+ preference+ "
                              "limits.members limits.logins_per_s+ ");
    conf_take_live(router_config_table(), &a, &b);
    seen[0] = 0;
    conf_compare(router_config_table(), &a, &b, note_key, seen);
    assert_string_equal(seen, "join_secret limits.members ");
    assert_int_equal(a.n_dns, 1);
    assert_int_equal(a.lease_s, 5);
    router_config_free(&a);
    router_config_free(&b);
}

/* ---- conf/router.yaml ---- */

static char *shipped(void)
{
    FILE *f = fopen(SOURCE_DIR "/conf/router.yaml", "r");
    assert_non_null(f);
    char *text = calloc(1, 65536);
    assert_true(fread(text, 1, 65535, f) > 0);
    fclose(f);
    return text;
}

/* Every key of the table stands in the shipped file with its default, unit and range. */
static void documented(const char *text, const struct conf_key *keys)
{
    char want[400], range[200];
    for (; keys->name; keys++) {
        snprintf(want, sizeof(want), "%s:", keys->name);
        if (!strstr(text, want))
            fail_msg("%s does not stand in it", want);
        bool nested = keys->type == CONF_MAP || keys->type == CONF_LIST;
        if (nested)
            documented(text, keys->keys);
        else
            assert_non_null(strstr(text, conf_range_text(keys, range, sizeof(range))));
        if (keys->def && !nested) {
            snprintf(want, sizeof(want), "default: %s", keys->def);
            assert_non_null(strstr(text, want));
        }
    }
}

static void shipped_file_names_every_key(void **state)
{
    (void)state;
    char *text = shipped();
    documented(text, router_config_table());
    free(text);
}

/* Taking the one '#' away from each line that holds a default gives what the program does without
 * them. */
static void shipped_defaults_are_the_defaults(void **state)
{
    (void)state;
    char *text = shipped(),
         *bare = expand("listen: 198.18.0.1:6464\nprivate_key_file: router.key\n"
                        "prefix: 2001:db8:1::/64\nuplink: { mode: routed }\n" ALICE);
    for (char *p = text; *p; p++) {
        bool start = p == text || p[-1] == '\n';
        if (start && p[0] == '#' && p[1] >= 'a' && p[1] <= 'z')
            memmove(p, p + 1, strlen(p));
    }
    char *key = strstr(text, "BASE64=");
    assert_non_null(key);
    char *whole = NULL;
    size_t len;
    FILE *f = open_memstream(&whole, &len);
    fprintf(f, "%.*s%s%s", (int)(key - text), text, alice, key + strlen("BASE64="));
    fclose(f);
    struct router_config a, b;
    int problems;
    char *out = read_text(whole, &a, &problems);
    assert_string_equal(out, "");
    free(out);
    free(read_text(bare, &b, &problems));
    assert_int_equal(problems, 0);
    free(a.clients);
    free(b.clients);
    a.clients = b.clients = NULL;
    assert_memory_equal(&a, &b, sizeof(a));
    free(whole);
    free(bare);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refusal_has_its_line),
        cmocka_unit_test(key_files_are_looked_at),
        cmocka_unit_test(minimal_form),
        cmocka_unit_test(every_key_arrives),
        cmocka_unit_test(clients_take_what_is_accepted),
        cmocka_unit_test(R16_R19_advertise),
        cmocka_unit_test(prefix_is_derived),
        cmocka_unit_test(warnings_do_not_count),
        cmocka_unit_test(truncated_texts_do_no_harm),
        cmocka_unit_test(many_clients_are_quick),
        cmocka_unit_test(clients_in_files_of_their_own),
        cmocka_unit_test(client_files_are_sorted),
        cmocka_unit_test(displaced_clients_are_named),
        cmocka_unit_test(control_name_of_a_broken_file),
        cmocka_unit_test(public_key_of_a_command),
        cmocka_unit_test(live_keys_are_taken),
        cmocka_unit_test(shipped_file_names_every_key),
        cmocka_unit_test(shipped_defaults_are_the_defaults),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
