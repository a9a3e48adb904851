/* SPDX-License-Identifier: MIT */
/* test_config.c - client.yaml: the minimal form, the shipped file, every refusal with its exact
 * line */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sodium.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/config.h"
#include "proto/host/secret.h"
#include "proto/host/yaml.h"

/* Public keys of the private keys 7, 7, ... (client.key) and 8, 8, ...; and 32 octets of 7 as a
 * secret. */
#define OWN    "E75P6uryBMf9M1j8nAByGIHRdCeBKCJ+xnTzf3/pe20="
#define ROUTER "MdSras7slhE3kXA3k25gcW+sVzr+lNnahKgCBEjfwRI="
#define SECRET "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="

static char dir[] = "/tmp/sixtap-client-XXXXXX";

static void write_key(const char *name, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(SECRET "\n", f);
    assert_int_equal(fchmod(fileno(f), mode), 0);
    fclose(f);
}

static int set_up(void **state)
{
    (void)state;
    assert_true(sodium_init() >= 0);
    assert_non_null(mkdtemp(dir));
    write_key("client.key", 0600);
    write_key("loose.key", 0640);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = { "client.key", "loose.key" };
    char path[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

/* What reading @text prints, file names without the directory; the caller frees. */
static char *read_text(const char *text, struct client_config *c, int *ret)
{
    char path[128], *out = NULL;
    size_t len, n = strlen(dir) + 1;
    FILE *err = open_memstream(&out, &len);
    snprintf(path, sizeof(path), "%s/client.yaml", dir);
    *ret = client_config_parse(c, path, (const uint8_t *)text, strlen(text), err);
    fclose(err);
    for (char *p = out; (p = strstr(p, path)) != NULL; p++)
        memmove(p, p + n, strlen(p + n) + 1);
    return out;
}

#define LIST                                                                                       \
    "private_key_file: client.key\nrouters:\n- { address: a.example, key: " ROUTER                 \
    " }\n- { address: 'b.example:7000', key: " ROUTER ", psk: " SECRET " }\n"
#define BASE "router: 198.18.0.1:6464\nrouter_key: " ROUTER "\nprivate_key_file: client.key\n"

struct refusal {
    const char *text, *lines;
};

static const struct refusal refusals[] = {
    { "device: tap6\n",
      "client.yaml:1:1: private_key_file is missing: the file that `sixtap-client keygen` made\n"
      "client.yaml:1:1: router is missing: name or IPv4 address of the router, and its UDP port "
      "(6464 if left out)\n"
      "client.yaml:1:1: router_key is missing: the router's public key\n" },
    { LIST "router: 198.18.0.1\nrouter_key: " ROUTER "\n",
      "client.yaml:5:9: router: routers is given too; only one of them may be\n"
      "client.yaml:6:13: router_key: routers is given too; only one of them may be\n" },
    { "private_key_file: client.key\nrouters: []\n",
      "client.yaml:2:10: routers: the list is empty; allowed: 1..8 of { address: HOST:PORT, key: "
      "KEY "
      "}\n" },
    { "private_key_file: client.key\nrouters: 198.18.0.1\n",
      "client.yaml:2:10: routers: a single value is given; allowed: a list of maps with "
      "address, key, psk, psk_file\n" },
    { "private_key_file: client.key\nrouters:\n- { address: a, key: " ROUTER " }\n- { adress: b }\n"
      "- { address: 'a:6465', key: " OWN " }\n- { address: 'a', key: " ROUTER " }\n",
      "client.yaml:4:5: unknown key \"adress\" here; did you mean address?\n"
      "client.yaml:4:3: routers.address is missing: name or IPv4 address of the router, and its "
      "UDP "
      "port (6464 if left out)\n"
      "client.yaml:4:3: routers.key is missing: the router's public key\n"
      "client.yaml:5:29: key: this is the client's own key; allowed: what `sixtap-router pubkey` "
      "prints for the router's private key\n"
      "client.yaml:6:14: routers.address: the same as on line 3\n" },
    { LIST "fail_back: 3601\n",
      "client.yaml:5:12: fail_back: \"3601\" is out of range; allowed: 0..3600 s\n" },
    { "router: 198.18.0.1:6464\nrouter_key: " OWN "\nprivate_key_file: client.key\n",
      "client.yaml:2:13: router_key: this is the client's own key; allowed: what `sixtap-router "
      "pubkey` prints for "
      "the router's private key\n" },
    { "router: 198.18.0.1:6464\nrouter_key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
      "private_key_file: client.key\n",
      "client.yaml:2:13: router_key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= is no public key "
      "of anybody (a "
      "point of low order)\n" },
    { BASE "port: 80x\n", "client.yaml:4:7: port: \"80x\" is not a number; allowed: 1..65535\n" },
    { BASE "port: 0\n", "client.yaml:4:7: port: \"0\" is out of range; allowed: 1..65535\n" },
    { BASE "port: 65536\n",
      "client.yaml:4:7: port: \"65536\" is out of range; allowed: 1..65535\n" },
    { BASE "mtu: 9001\n",
      "client.yaml:4:6: mtu: \"9001\" is out of range; allowed: 1280..9000 octets\n" },
    { BASE "configure: slaac\n",
      "client.yaml:4:12: configure: \"slaac\" is not known; allowed: netlink, ra, none\n" },
    { BASE "default_route: no\n",
      "client.yaml:4:16: default_route: \"no\" is not a truth value; allowed: true or false\n" },
    { BASE "metric: 0\n",
      "client.yaml:4:9: metric: \"0\" is out of range; allowed: 1..4294967295\n" },
    { BASE "keepalive: 121s\n",
      "client.yaml:4:12: keepalive: \"121s\" is out of range; allowed: 5..120 s\n" },
    { BASE "hold: 1 h\n", "client.yaml:4:7: hold: \"1 h\" is not a number; allowed: 0..3600 s\n" },
    { BASE "device: a-name-of-16-char\n", "client.yaml:4:9: device: \"a-name-of-16-char\" is too "
                                          "long; allowed: 1..15 letters, digits, . _ -\n" },
    { BASE "table: 0\n",
      "client.yaml:4:8: table: \"0\" is out of range; allowed: 1..4294967295\n" },
    { BASE "table: 255\n", "client.yaml:4:8: table: 255 is the kernel's table local\n" },
    { BASE "configure: ra\ntable: 100\nroutes: [ '2001:db8:7::/48' ]\n",
      "client.yaml:5:8: table: only with configure: netlink\n"
      "client.yaml:6:9: routes: only with configure: netlink\n" },
    { BASE "routes: [ 'fd00::/8', 'ff02::/16', '::1/128' ]\n",
      "client.yaml:4:9: routes: ff02::/16 cannot be routed; allowed: global or unique local "
      "prefixes\n"
      "client.yaml:4:9: routes: ::1/128 cannot be routed; allowed: global or unique local "
      "prefixes\n" },
    { BASE "routes: [ '2001:db8:7::1/48' ]\n",
      "client.yaml:4:11: routes: host bits set in 2001:db8:7::1/48; did you mean "
      "2001:db8:7::/48?\n" },
    { BASE "lan: {}\n", "client.yaml:4:6: lan.device is missing: the link to the LAN\n" },
    { BASE "lan: { device: tap6 }\n",
      "client.yaml:4:16: lan.device: this is the tunnel's own device\n" },
    { BASE "configure: none\nlan: { device: eth1 }\n",
      "client.yaml:5:16: lan: not with configure: none; allowed: netlink, ra\n" },
    { BASE "firewall: maybe\n",
      "client.yaml:4:11: firewall: \"maybe\" is not known; allowed: on, off\n" },
    { BASE "allow: [ tcp/22, 22 ]\n",
      "client.yaml:4:18: allow: \"22\" does not start with tcp/ or udp/; allowed: a list of at "
      "most 32 tcp/PORT, udp/PORT\n" },
    { BASE "allow: [ udp/0 ]\n", "client.yaml:4:10: allow: \"0\" is not a port number 1..65535; "
                                 "allowed: a list of at most 32 tcp/PORT, udp/PORT\n" },
    { BASE "netns: ../x\n", "client.yaml:4:8: netns: \"../x\" has a character that is not "
                            "allowed; allowed: 1..63 letters, digits, . _ -\n" },
    { BASE "on_up: no-such-program\n", NULL },
    { BASE "hook_timeout: 301\n",
      "client.yaml:4:15: hook_timeout: \"301\" is out of range; allowed: 1..300 s\n" },
    { BASE "psk: hunter2\n",
      "client.yaml:4:6: psk: a text of 7 characters that is not a secret; allowed: 32 octets in "
      "base64 (44 "
      "characters, the last one =), made by `keygen --psk` (a passphrase could be guessed)\n" },
    { BASE "psk: " SECRET "\njoin_secret: " SECRET "\n",
      "client.yaml:5:14: join_secret: psk is given too; only one of them may be\n" },
    { BASE "psk_file: client.key\njoin_secret_file: client.key\npsk: " SECRET "\n",
      "client.yaml:4:11: psk_file: psk is given too; only one of them may be\n"
      "client.yaml:5:19: join_secret_file: psk is given too; only one of them may be\n" },
    { BASE "routr_key: x\n",
      "client.yaml:4:1: unknown key \"routr_key\"; did you mean router_key?\n" },
    { BASE "device: all\n",
      "client.yaml:4:9: device: \"all\" is not a name the kernel gives a device; "
      "allowed: 1..15 letters, digits, . _ -\n" },
    { BASE "router: other\n", "client.yaml:4:1: router: given twice; first on line 1\n" },
    { BASE "device: *x\n", "client.yaml:4:9: alias (*); anchors and aliases are not taken\n" },
    { "router: 198.18.0.1:64x\nrouter_key: abc\nprivate_key_file: [a]\n",
      "client.yaml:1:9: router: \"64x\" is not a port number 1..65535; allowed: HOST or HOST:PORT, "
      "HOST being a name "
      "or an IPv4 address\n"
      "client.yaml:2:13: router_key: \"abc\" is not a key; allowed: 32 octets in base64 (44 "
      "characters, the last one "
      "=)\n"
      "client.yaml:3:19: private_key_file: a list is given; allowed: the path of a file that only "
      "its owner can "
      "read\n" },
};

static void every_refusal_has_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct client_config c = { 0 };
        int problems, want = 0;
        char *out = read_text(refusals[i].text, &c, &problems);
        if (refusals[i].lines)
            assert_string_equal(out, refusals[i].lines);
        else /* with the path of this run in it */
            assert_non_null(strstr(out, "client.yaml:4:8: on_up: cannot run /tmp/sixtap-client-"));
        for (const char *p = out; *p; p++)
            want += *p == '\n';
        assert_int_equal(problems, want);
        assert_true(sodium_is_zero((const unsigned char *)&c, sizeof(c)));
        free(out);
    }
}

static void loose_key_files_are_refused(void **state)
{
    (void)state;
    static const char *const keys[] = { "private_key_file", "psk_file", "join_secret_file" };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct client_config c;
        char text[400], start[80];
        int problems;
        snprintf(text, sizeof(text), "%s: loose.key\nrouter: r\nrouter_key: " ROUTER "\n%s",
                 keys[i], i ? "private_key_file: client.key\n" : "");
        snprintf(start, sizeof(start), "client.yaml:1:%zu: %s: ", strlen(keys[i]) + 3, keys[i]);
        char *out = read_text(text, &c, &problems);
        assert_int_equal(problems, 1);
        assert_int_equal(strncmp(out, start, strlen(start)), 0);
        assert_non_null(strstr(out, "chmod 600"));
        free(out);
    }
}

static void minimal_form(void **state)
{
    (void)state;
    struct client_config c;
    int problems;
    char *out = read_text(BASE "device: tap6\n", &c, &problems), text[KEY_TEXT_LEN];
    assert_string_equal(out, "");
    assert_string_equal(c.router[0].host, "198.18.0.1");
    assert_int_equal(c.router[0].port, 6464);
    key_to_text(text, c.public_key);
    assert_string_equal(text, OWN);
    key_to_text(text, c.router[0].key);
    assert_string_equal(text, ROUTER);
    assert_false(c.has_psk);
    assert_string_equal(c.device, "tap6");
    assert_string_equal(c.control, "@sixtap-client-tap6");
    assert_int_equal(c.port, 0);
    assert_int_equal(c.mtu, 0);
    assert_int_equal(c.configure, CONFIGURE_NETLINK);
    assert_true(c.default_route);
    assert_int_equal(c.metric, 2048);
    assert_int_equal(c.keepalive_s, 0);
    assert_int_equal(c.hold_s, 30);
    assert_int_equal(c.n_routers, 1);
    assert_int_equal(c.fail_back_s, 60);
    assert_int_equal(c.table, 254);
    assert_int_equal(c.firewall, FIREWALL_ON);
    assert_int_equal(c.dns, DNS_AUTO);
    assert_int_equal(c.hook_timeout_s, 10);
    assert_int_equal(c.hook_privileges, HOOK_NONE);
    assert_string_equal(c.lan, "");
    assert_string_equal(c.netns, "");
    client_config_free(&c);
    free(out);
}

static void every_key_arrives(void **state)
{
    (void)state;
    struct client_config c;
    int problems;
    char path[128];
    char *out =
        read_text("router: r.example\nrouter_key: " ROUTER "\nprivate_key_file: client.key\n"
                  "join_secret_file: client.key\ndevice: t0\nport: 7000\nmtu: 1300\nconfigure: ra\n"
                  "default_route: false\nmetric: 9\nkeepalive: 15\nhold: 0s\ncontrol: c.sock\n",
                  &c, &problems);
    assert_string_equal(out, "");
    assert_string_equal(c.router[0].host, "r.example");
    assert_int_equal(c.router[0].port, 6464);
    assert_true(c.has_psk);
    assert_int_equal(c.psk[31], 7);
    assert_string_equal(c.device, "t0");
    assert_int_equal(c.port, 7000);
    assert_int_equal(c.mtu, 1300);
    assert_int_equal(c.configure, CONFIGURE_RA);
    assert_false(c.default_route);
    assert_int_equal(c.metric, 9);
    assert_int_equal(c.keepalive_s, 15);
    assert_int_equal(c.hold_s, 0);
    snprintf(path, sizeof(path), "%s/c.sock", dir);
    assert_string_equal(c.control, path);
    client_config_free(&c);
    free(out);
}

/* Hooks run in /; a name that counts from where the program was started must lead there too. */
static void a_hook_is_found_from_anywhere(void **state)
{
    static const char text[] = BASE "on_up: ../../bin/true\n";
    struct client_config c;
    char *out = NULL, want[sizeof(dir) + 32];
    size_t len;

    (void)state;
    int here = open(".", O_RDONLY | O_DIRECTORY);
    FILE *err = open_memstream(&out, &len);
    assert_true(here >= 0 && chdir(dir) == 0);
    int problems =
        client_config_parse(&c, "client.yaml", (const uint8_t *)text, sizeof(text) - 1, err);
    assert_int_equal(fchdir(here), 0);
    close(here);
    fclose(err);
    assert_string_equal(out, "");
    assert_int_equal(problems, 0);
    snprintf(want, sizeof(want), "%s/../../bin/true", dir);
    assert_string_equal(c.on_up, want);
    client_config_free(&c);
    free(out);
}

static void every_key_of_the_host_arrives(void **state)
{
    (void)state;
    struct client_config c;
    int problems;
    char *out = read_text(
        BASE "table: 100\nroutes: [ '2001:db8:7::/48', 'fd00::/8' ]\nlan: { device: eth1 }\n"
             "firewall: on\nallow: [ tcp/22, udp/51820 ]\nnetns: blue\nbind_device: eth0\n"
             "fwmark: 42\ndns: off\non_up: /bin/true\non_down: /bin/false\non_change: /bin/sh\n"
             "hook_timeout: 3 s\nhook_privileges: all\n",
        &c, &problems);
    assert_string_equal(out, "");
    assert_int_equal(c.table, 100);
    assert_int_equal(c.n_route, 2);
    assert_int_equal(c.route[0].len, 48);
    assert_int_equal(c.route[1].addr.b[0], 0xfd);
    assert_string_equal(c.lan, "eth1");
    assert_int_equal(c.n_allow, 2);
    assert_int_equal(c.allow[0].protocol, 6);
    assert_int_equal(c.allow[0].port, 22);
    assert_int_equal(c.allow[1].protocol, 17);
    assert_int_equal(c.allow[1].port, 51820);
    assert_string_equal(c.netns, "blue");
    assert_string_equal(c.bind_device, "eth0");
    assert_int_equal(c.fwmark, 42);
    assert_int_equal(c.dns, DNS_OFF);
    assert_string_equal(c.on_up, "/bin/true");
    assert_string_equal(c.on_down, "/bin/false");
    assert_string_equal(c.on_change, "/bin/sh");
    assert_int_equal(c.hook_timeout_s, 3);
    assert_int_equal(c.hook_privileges, HOOK_ALL);
    client_config_free(&c);
    free(out);
    out = read_text(BASE "firewall: off\nallow: [ tcp/22 ]\n", &c, &problems);
    assert_int_equal(problems, 0);
    assert_non_null(strstr(out, "warning: allow: without effect with firewall: off"));
    client_config_free(&c);
    free(out);
}

/* Several routers: in the order of the file, each with its key; a psk of its own comes before the
 * one for all. */
static void list_of_routers(void **state)
{
    (void)state;
    struct client_config c;
    int problems;
    char *out = read_text(LIST "psk_file: client.key\nfail_back: 0\n", &c, &problems);
    char text[KEY_TEXT_LEN];
    assert_null(strstr(out, "problem"));
    assert_int_equal(problems, 0);
    assert_int_equal(c.n_routers, 2);
    assert_null(c.list);
    assert_string_equal(c.router[0].host, "a.example");
    assert_int_equal(c.router[0].port, 6464);
    assert_string_equal(c.router[1].host, "b.example");
    assert_int_equal(c.router[1].port, 7000);
    key_to_text(text, c.router[1].key);
    assert_string_equal(text, ROUTER);
    assert_ptr_equal(client_config_psk(&c, 0), c.psk);
    assert_ptr_equal(client_config_psk(&c, 1), c.router[1].psk);
    key_to_text(text, c.router[1].psk);
    assert_string_equal(text, SECRET);
    assert_int_equal(c.fail_back_s, 0);
    client_config_free(&c);
    free(out);
}

/* Below what RFC 8085 advises: allowed, with a warning that counts as no problem. */
static void short_keepalive_warns(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool warns;
    } row[] = { { BASE "keepalive: 5\n", true },
                { BASE "keepalive: 14\n", true },
                { BASE "keepalive: 15\n", false },
                { BASE, false } };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct client_config c;
        int problems;
        char *out = read_text(row[i].text, &c, &problems);
        assert_int_equal(problems, 0);
        assert_int_equal(strstr(out, "client.yaml:4:12: warning: keepalive: RFC 8085") != NULL,
                         row[i].warns);
        client_config_free(&c);
        free(out);
    }
}

static void truncated_texts_do_no_harm(void **state)
{
    (void)state;
    static const char full[] =
        BASE "join_secret: " SECRET "\nhold: 20 s\nconfigure: ra\ncontrol: '@x'\n";
    for (size_t n = 0; n < sizeof(full); n++) {
        struct client_config c;
        int problems;
        char *part = strndup(full, n), *out = read_text(part, &c, &problems);
        assert_true(problems == 0 || out[0]);
        free(out);
        free(part);
    }
}

/* ---- conf/client.yaml ---- */

static char *shipped(void)
{
    FILE *f = fopen(SOURCE_DIR "/conf/client.yaml", "r");
    assert_non_null(f);
    char *text = calloc(1, 65536);
    assert_true(fread(text, 1, 65535, f) > 0);
    fclose(f);
    return text;
}

static void shipped_file_names_every_key(void **state)
{
    (void)state;
    char *text = shipped(), want[400], range[200];
    for (const struct conf_key *key = client_config_table(); key->name; key++) {
        snprintf(want, sizeof(want), "%s:", key->name);
        assert_non_null(strstr(text, want));
        assert_non_null(strstr(text, conf_range_text(key, range, sizeof(range))));
        snprintf(want, sizeof(want), "default: %s", key->def ? key->def : "");
        assert_non_null(strstr(text, want));
    }
    free(text);
}

/* Taking the one '#' away from each line that holds a default gives what the program does without
 * them. */
static void shipped_defaults_are_the_defaults(void **state)
{
    (void)state;
    char *text = shipped(), *whole = NULL;
    for (char *p = text; *p; p++) {
        bool start = p == text || p[-1] == '\n';
        if (start && p[0] == '#' && p[1] >= 'a' && p[1] <= 'z')
            memmove(p, p + 1, strlen(p));
    }
    char *key = strstr(text, "BASE64=");
    assert_non_null(key);
    size_t len;
    FILE *f = open_memstream(&whole, &len);
    fprintf(f, "%.*s%s%s", (int)(key - text), text, ROUTER, key + strlen("BASE64="));
    fclose(f);
    struct client_config a, b;
    int problems;
    char *out = read_text(whole, &a, &problems);
    assert_string_equal(out, "");
    free(out);
    free(read_text(BASE, &b, &problems));
    assert_int_equal(problems, 0);
    assert_memory_equal(&a, &b, sizeof(a));
    free(whole);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refusal_has_its_line),
        cmocka_unit_test(loose_key_files_are_refused),
        cmocka_unit_test(minimal_form),
        cmocka_unit_test(every_key_arrives),
        cmocka_unit_test(a_hook_is_found_from_anywhere),
        cmocka_unit_test(every_key_of_the_host_arrives),
        cmocka_unit_test(list_of_routers),
        cmocka_unit_test(short_keepalive_warns),
        cmocka_unit_test(truncated_texts_do_no_harm),
        cmocka_unit_test(shipped_file_names_every_key),
        cmocka_unit_test(shipped_defaults_are_the_defaults),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
