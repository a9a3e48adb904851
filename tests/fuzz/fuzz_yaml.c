/* SPDX-License-Identifier: MIT */
/* fuzz_yaml.c - the reader of configuration files, by a table with a key of every type
 *
 * Input: the text of a file.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "proto/addr.h"
#include "proto/host/scalar.h"
#include "proto/host/yaml.h"

struct item {
    char name[8];
    uint8_t key[KEY_LEN];
    bool has_key;
};

struct sample {
    bool flag;
    uint16_t number;
    uint32_t big;
    uint16_t wait_s;
    int colour;
    char device[16];
    char control[108];
    struct endpoint listen, public_ep;
    char host[254];
    uint16_t port;
    struct ip6 address, dns[2];
    unsigned n_dns;
    struct prefix prefix, routes[3];
    unsigned n_routes;
    char search[2][127];
    unsigned n_search;
    uint8_t secret[KEY_LEN];
    bool has_secret;
    struct item *items;
    unsigned n_items;
};

#define AT(field)  CONF_AT(struct sample, field)
#define AUX(field) .aux = offsetof(struct sample, field)

static const char *const colours[] = { "red", "green", "blue", NULL };

static const struct conf_key map_keys[] = {
    { "colour", CONF_ENUM, AT(colour), .words = colours },
    { "big", CONF_UINT, AT(big), .max = 0 },
    { 0 },
};

static const struct conf_key item_keys[] = {
    { "name", CONF_NAME, CONF_AT(struct item, name), .required = true },
    { "key", CONF_KEY, CONF_AT(struct item, key), .aux = offsetof(struct item, has_key) },
    { 0 },
};

static const struct conf_key keys[] = {
    { "flag", CONF_BOOL, AT(flag) },
    { "number", CONF_UINT, AT(number), .min = 10, .max = 100, .unit = "octets" },
    { "wait", CONF_SECONDS, AT(wait_s), .min = 15, .max = 120, .unit = "s" },
    { "device", CONF_IFNAME, AT(device) },
    { "control", CONF_CONTROL, AT(control) },
    { "listen", CONF_ENDPOINT, AT(listen) },
    { "public", CONF_ADDRESS4, AT(public_ep) },
    { "router", CONF_HOSTPORT, AT(host), AUX(port) },
    { "address", CONF_IP6, AT(address) },
    { "dns", CONF_IP6_LIST, AT(dns), AUX(n_dns), .max = 2 },
    { "prefix", CONF_PREFIX, AT(prefix), .min = 48, .max = 126 },
    { "routes", CONF_PREFIX_LIST, AT(routes), AUX(n_routes), .max = 3 },
    { "search", CONF_DOMAIN_LIST, AT(search), AUX(n_search), .max = 2, .item_size = 127 },
    { "secret", CONF_SECRET, AT(secret), AUX(has_secret) },
    { "map", CONF_MAP, .keys = map_keys },
    { "items", CONF_LIST, .off = offsetof(struct sample, items), AUX(n_items), .max = 3,
      .keys = item_keys, .item_size = sizeof(struct item) },
    { 0 },
};

/* One line a problem, each "t.yaml:...", at most as many as are printed, nothing a terminal minds.
 */
static void check_lines(const char *text, size_t len, unsigned problems)
{
    unsigned lines = 0;

    for (size_t i = 0; i < len; i++) {
        FUZZ_CHECK(text[i] == '\n' || (text[i] >= 0x20 && text[i] < 0x7f));
        if (i == 0 || text[i - 1] == '\n')
            FUZZ_CHECK(len - i > 6 && memcmp(text + i, "t.yaml", 6) == 0);
        lines += text[i] == '\n';
    }
    FUZZ_CHECK(len == 0 || text[len - 1] == '\n');
    FUZZ_CHECK(problems == 0 ? lines == 0 : lines > 0);
    FUZZ_CHECK(lines <= CONF_PROBLEMS_MAX + 1);
}

/* Every value that was taken is one its row allows. */
static void check_values(struct conf *c, const struct sample *s)
{
    FUZZ_CHECK(!conf_ok(c, s, "number") || (s->number >= 10 && s->number <= 100));
    FUZZ_CHECK(!conf_ok(c, s, "wait") || (s->wait_s >= 15 && s->wait_s <= 120));
    FUZZ_CHECK(s->colour >= 0 && s->colour < 3 && s->n_dns <= 2 && s->n_routes <= 3);
    FUZZ_CHECK(s->n_items <= 3 && s->n_search <= 2 && strlen(s->device) < 16);
    FUZZ_CHECK(!conf_ok(c, s, "prefix") || (s->prefix.len >= 48 && s->prefix.len <= 126));
    FUZZ_CHECK(memchr(s->control, 0, sizeof(s->control)) && memchr(s->host, 0, sizeof(s->host)));
    for (unsigned i = 0; i < s->n_items; i++) {
        FUZZ_CHECK(memchr(s->items[i].name, 0, sizeof(s->items[i].name)));
        (void)conf_mark_of(c, &s->items[i], "key");
    }
    for (unsigned i = 0; i < s->n_search; i++)
        FUZZ_CHECK(memchr(s->search[i], 0, sizeof(s->search[i])));
    for (const struct conf_key *k = keys; k->name; k++)
        FUZZ_CHECK(!conf_ok(c, s, k->name) ||
                   (conf_given(c, s, k->name) && conf_mark_of(c, s, k->name).line > 0));
}

static void check_words(const uint8_t *data, size_t len)
{
    char out[80];
    char *text = malloc(len + 1);
    uint64_t n;

    FUZZ_CHECK(text);
    memcpy(text, data, len);
    text[len] = 0;
    FUZZ_CHECK(scalar_quote(text, out) == out && strlen(out) < sizeof(out));
    if (scalar_number(text, &n)) {
        FUZZ_CHECK(snprintf(out, sizeof(out), "%llu", (unsigned long long)n) > 0);
        FUZZ_CHECK(strcmp(out, text) == 0); /* one number, one text */
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct sample s = { .colour = 0 };
    char *printed = NULL;
    size_t n_printed = 0;

    fuzz_setup();
    FILE *err = open_memstream(&printed, &n_printed);
    FUZZ_CHECK(err);
    uint8_t *exact = fuzz_exact(data, len);
    struct conf *c = conf_read_text("t.yaml", exact, len, keys, &s, err);
    FUZZ_CHECK(c);
    check_values(c, &s);
    unsigned problems = conf_problems(c);
    FUZZ_CHECK(conf_usable(c) || problems > 0);
    conf_free(c);
    FUZZ_CHECK(fclose(err) == 0);
    check_lines(printed, n_printed, problems);
    if (len < 200)
        check_words(data, len);
    free(exact);
    free(printed);
    free(s.items);
    return 0;
}
