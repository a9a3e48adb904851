/* SPDX-License-Identifier: MIT */
/* drop.c - names of the drop reasons */
#include "proto/drop.h"

static const char *const names[] = {
#define X(sym, name, help) name,
    DROP_LIST(X)
#undef X
};

static const char *const helps[] = {
#define X(sym, name, help) help,
    DROP_LIST(X)
#undef X
};

const char *drop_name(enum drop d)
{
    return (unsigned)d < DROP_COUNT ? names[d] : "unknown";
}

const char *drop_help(enum drop d)
{
    return (unsigned)d < DROP_COUNT ? helps[d] : "unknown";
}
