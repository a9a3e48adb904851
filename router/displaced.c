/* SPDX-License-Identifier: MIT */
/* displaced.c - fixed addresses that are the stable ones of other listed clients
 *
 * DOC: a stable address is to stay, but a fixed one comes first when the router starts, and whoever
 * had it gets the next of its tries. That is allowed, since nobody can choose what the hash of a
 * new client's key gives, and so is said and not refused. Which addresses clients get without the
 * fixed ones is not computed anew here: an engine is started with the list and asked, as room.c
 * does.
 */
#include "router/displaced.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "router/engine.h"

static int by_address(const void *a, const void *b)
{
    const struct router_client *x = *(const struct router_client *const *)a;
    const struct router_client *y = *(const struct router_client *const *)b;

    return memcmp(x->address.b, y->address.b, IP6_LEN);
}

/* Those with a fixed address, sorted by it. Return: NULL: none, or no memory; the caller frees */
static const struct router_client **list_fixed(const struct router_config *c, unsigned *ret_n)
{
    const struct router_client **fixed = calloc(c->n_clients + 1u, sizeof(const void *));
    unsigned n = 0;

    for (unsigned i = 0; fixed && i < c->n_clients; i++) {
        if (!ip6_is_unspecified(c->clients[i].address))
            fixed[n++] = &c->clients[i];
    }
    if (n == 0) {
        free(fixed);
        return NULL;
    }
    qsort(fixed, n, sizeof(const void *), by_address);
    *ret_n = n;
    return fixed;
}

/* A copy of @c with the other clients alone. Return: false: no memory */
static bool without_fixed(struct router_config *ret, const struct router_config *c)
{
    struct router_client *list = calloc(c->n_clients, sizeof(*list));

    if (!list)
        return false;
    *ret = *c;
    ret->clients = list;
    ret->n_clients = 0;
    for (unsigned i = 0; i < c->n_clients; i++) {
        if (ip6_is_unspecified(c->clients[i].address))
            list[ret->n_clients++] = c->clients[i];
    }
    ret->max_members = 1; /* nobody logs in */
    router_config_finish(ret);
    return true;
}

/* Which of the @n of @fixed is the stable address of one of @c? */
static void compare(struct conf *f, const struct router_config *c, const struct bindings *b,
                    const struct router_client **fixed, unsigned n)
{
    char text[IP6_TEXT_LEN];

    for (unsigned i = 0; i < c->n_clients; i++) {
        const struct router_client *had = &c->clients[i], *const * has;
        struct router_client key = { .has_address = true };
        const struct router_client *wanted = &key;
        if (!bindings_stable(b, i, had->public_key, &key.address) ||
            !(has = bsearch(&wanted, fixed, n, sizeof(const void *), by_address)))
            continue;
        conf_warn(
            f, conf_mark_of(f, *has, "address"),
            "clients.address: %s of client %s is the stable address of client %s, too; at its "
            "next start the router gives it to %s, and %s another one",
            ip6_text(text, key.address), (*has)->name, had->name, (*has)->name, had->name);
    }
}

void displaced_warn(struct conf *f, const struct router_config *c)
{
    const struct router_client **fixed;
    struct router_config with;
    struct entropy e;
    unsigned n = 0;

    if (c->addressing != ADDRESSING_STABLE || !(fixed = list_fixed(c, &n)))
        return;
    if (n < c->n_clients && without_fixed(&with, c)) {
        size_t len = router_engine_bytes(&with);
        void *mem = calloc(1, len);
        if (mem) {
            randombytes_buf(&e, sizeof(e));
            struct router_engine *re = router_engine_init(mem, &with, 0, &e);
            compare(f, &with, router_engine_bindings(re), fixed, n);
            router_engine_wipe(re);
            sodium_memzero(mem, len);
            free(mem);
        }
        router_config_free_clients(&with);
        sodium_memzero(&with, sizeof(with));
    }
    free(fixed);
}
