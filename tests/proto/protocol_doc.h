/* SPDX-License-Identifier: MIT */
/* protocol_doc.h - read PROTOCOL.md: lines, identifiers, golden blocks */
#ifndef SIXTAP_TESTS_PROTOCOL_DOC_H
#define SIXTAP_TESTS_PROTOCOL_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block { /* a golden packet: ```hex NAME */
    char name[64];
    uint8_t p[1400];
    size_t len;
};

/* slurp() - a whole file as text, the caller frees; fails the test when it cannot be read */
char *slurp(const char *path);

/* protocol_doc() - the text of PROTOCOL.md, read once; protocol_doc_free() is a group teardown */
const char *protocol_doc(void);
int protocol_doc_free(void **state);

/* next_line() - copy the line at *@p without its newline and move on; false at the end */
bool next_line(const char **p, char *ret, size_t cap);

/* ident() - copy the identifier at @p; its length */
size_t ident(const char *p, char ret[64]);

/* next_block() - the next golden block from *@p on; false when there is none */
bool next_block(const char **p, struct block *b);

/* block_named() - the golden block @name; fails the test without */
struct block block_named(const char *name);

#endif
