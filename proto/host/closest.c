/* SPDX-License-Identifier: MIT */
/* closest.c - did-you-mean: the nearest of some words */
#include <string.h>

#include "proto/host/yaml.h"

#define WORD_MAX 40 /* longer words get no suggestion: nobody mistypes that much */

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Optimal string alignment distance, three rows of the table at a time. */
static size_t distance(const char *a, size_t la, const char *b, size_t lb)
{
    size_t row[3][WORD_MAX + 1];
    for (size_t j = 0; j <= lb; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t *cur = row[i % 3], *prev = row[(i + 2) % 3], *prev2 = row[(i + 1) % 3];
        cur[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t change = prev[j - 1] + (a[i - 1] != b[j - 1]);
            cur[j] = min3(prev[j] + 1, cur[j - 1] + 1, change);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && prev2[j - 2] + 1 < cur[j])
                cur[j] = prev2[j - 2] + 1;
        }
    }
    return row[la % 3][lb];
}

const char *conf_closest(const char *word, const char *const *words)
{
    size_t len = strnlen(word, WORD_MAX + 1), best = SIZE_MAX;
    const char *found = NULL;
    if (len > WORD_MAX)
        return NULL;
    for (; *words; words++) {
        size_t n = strnlen(*words, WORD_MAX + 1);
        if (n > WORD_MAX)
            continue;
        size_t d = distance(word, len, *words, n);
        /* a third of the longer word may be wrong; of a short word one character */
        size_t longer = n > len ? n : len;
        if (d < best && d < longer && d <= (longer < 3 ? 1 : longer / 3)) {
            best = d;
            found = *words;
        }
    }
    return found;
}
