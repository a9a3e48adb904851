/* SPDX-License-Identifier: MIT */
/* fuzz_yaml.c - the reader of configuration files, by a table with a key of every type
 *
 * Input: the text of a file.
 */
#include <stdlib.h>

#include "conf.h"
#include "proto/host/scalar.h"
#include "tests/host/yaml_sample.h"

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
    struct conf_run run;

    conf_begin(&run, data, len);
    struct conf *c = conf_read_text("t.yaml", run.exact, len, keys, &s, run.err);
    FUZZ_CHECK(c);
    check_values(c, &s);
    unsigned problems = conf_problems(c);
    FUZZ_CHECK(conf_usable(c) || problems > 0);
    conf_free(c);
    conf_said(&run, problems > 0);
    check_lines(run.printed, run.n_printed, problems);
    if (len < 200)
        check_words(data, len);
    conf_end(&run);
    free(s.items);
    return 0;
}
