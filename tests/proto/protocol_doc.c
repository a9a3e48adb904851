/* SPDX-License-Identifier: MIT */
/* protocol_doc.c - read PROTOCOL.md: lines, identifiers, golden blocks */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocol_doc.h"

static char *doc;

char *slurp(const char *path)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *s = calloc(1, 1 << 18);
    size_t n = fread(s, 1, (1 << 18) - 1, f);
    assert_true(n > 0 && feof(f));
    fclose(f);
    return s;
}

const char *protocol_doc(void)
{
    if (!doc)
        doc = slurp(SOURCE_DIR "/proto/PROTOCOL.md");
    return doc;
}

int protocol_doc_free(void **state)
{
    (void)state;
    free(doc);
    doc = NULL;
    return 0;
}

bool next_line(const char **p, char *ret, size_t cap)
{
    if (!**p)
        return false;
    size_t n = strcspn(*p, "\n");
    assert_true(n < cap);
    memcpy(ret, *p, n);
    ret[n] = '\0';
    *p += n + ((*p)[n] == '\n');
    return true;
}

size_t ident(const char *p, char ret[64])
{
    size_t n = 0;
    while (n < 63 && (isalnum((unsigned char)p[n]) || p[n] == '_')) {
        ret[n] = p[n];
        n++;
    }
    ret[n] = '\0';
    return n;
}

static void block_octet(struct block *b, const char **s)
{
    char hex[3] = { (*s)[0], (*s)[1], 0 };
    assert_true(isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1]));
    unsigned long n = 1;
    *s += 2;
    if (**s == '*') {
        char *end;
        n = strtoul(*s + 1, &end, 10);
        *s = end;
    }
    assert_true(n <= sizeof(b->p) - b->len);
    memset(b->p + b->len, (int)strtoul(hex, NULL, 16), n);
    b->len += n;
}

bool next_block(const char **p, struct block *b)
{
    char line[512];
    const char *at = strstr(*p, "\n```hex ");
    if (!at)
        return false;
    *p = at + 8;
    b->len = 0;
    ident(*p, b->name);
    next_line(p, line, sizeof(line));
    while (next_line(p, line, sizeof(line)) && strncmp(line, "```", 3) != 0) {
        const char *s = line;
        for (;;) {
            s += strspn(s, " ");
            if (!*s || *s == ';')
                break;
            block_octet(b, &s);
        }
    }
    /* leave the closing line's newline: a block may follow at once */
    (*p)--;
    return true;
}

struct block block_named(const char *name)
{
    struct block b;
    const char *p = protocol_doc();

    while (next_block(&p, &b))
        if (strcmp(b.name, name) == 0)
            return b;
    fail_msg("PROTOCOL.md has no block %s", name);
    return b;
}
