/* SPDX-License-Identifier: MIT */
/* nft.c - one table of our own in the kernel's packet filter, through libnftables */
#include "proto/host/nft.h"

#include <ctype.h>
#include <errno.h>
#include <nftables/libnftables.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct nft {
    struct nft_ctx *ctx;
    bool made; /* the table is in the kernel */
    char name[NFT_NAME_MAX + 1];
    char error[256];
};

static bool name_ok(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > NFT_NAME_MAX || !isalpha((unsigned char)name[0]))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
            return false;
    }
    return true;
}

/* Errors and output into memory: libnftables writes to stdout and stderr otherwise. */
static struct nft_ctx *context(void)
{
    struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);

    if (ctx && (nft_ctx_buffer_error(ctx) || nft_ctx_buffer_output(ctx))) {
        nft_ctx_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

int nft_open(const char *name, struct nft **ret)
{
    if (!name_ok(name))
        return -EINVAL;
    struct nft *nft = calloc(1, sizeof(*nft));
    if (!nft)
        return -ENOMEM;
    nft->ctx = context();
    if (!nft->ctx) {
        free(nft);
        return -ENOMEM;
    }
    snprintf(nft->name, sizeof(nft->name), "%s", name);
    *ret = nft;
    return 0;
}

/* The words after the last "Error: " of the first line; the rest quotes our own rules. */
static int fail(struct nft *nft)
{
    static const struct {
        const char *words;
        int err;
    } known[] = {
        { "Operation not permitted", -EPERM },
        { "cache initialization failed", -EPERM },
        { "File exists", -EEXIST },
        { "Operation not supported", -ENOTSUP },
        { "No such file or directory", -ENOTSUP }, /* an expression or chain type without module */
        { "Protocol not supported", -ENOTSUP },
    };
    const char *text = nft_ctx_get_error_buffer(nft->ctx);
    const char *at = strstr(text, "Error: ");
    int err = -EIO;

    at = at ? at + strlen("Error: ") : text;
    snprintf(nft->error, sizeof(nft->error), "%.*s", (int)strcspn(at, "\n"), at);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && err == -EIO; i++) {
        if (strstr(nft->error, known[i].words))
            err = known[i].err;
    }
    return err;
}

int nft_replace(struct nft *nft, const char *chains)
{
    char *text = NULL;

    nft->error[0] = '\0';
    if (asprintf(&text, "%s%s%stable ip6 %s {\nflags owner\n%s\n}\n",
                 nft->made ? "delete table ip6 " : "", nft->made ? nft->name : "",
                 nft->made ? "\n" : "", nft->name, chains) < 0)
        return -ENOMEM;
    int err = nft_run_cmd_from_buffer(nft->ctx, text) ? fail(nft) : 0;
    free(text);
    if (!err)
        nft->made = true;
    return err;
}

const char *nft_error(const struct nft *nft)
{
    return nft->error;
}

void nft_close(struct nft *nft)
{
    if (!nft)
        return;
    nft_ctx_free(nft->ctx); /* closes the socket, and with it goes the table */
    free(nft);
}

int nft_ruleset(char **ret)
{
    struct nft_ctx *ctx = context();
    int err = 0;

    if (!ctx)
        return -ENOMEM;
    if (nft_run_cmd_from_buffer(ctx, "list ruleset\n"))
        err = geteuid() ? -EPERM : -EIO;
    char *copy = err ? NULL : strdup(nft_ctx_get_output_buffer(ctx));
    nft_ctx_free(ctx);
    if (!err && !copy)
        err = -ENOMEM;
    if (!err)
        *ret = copy;
    return err;
}
