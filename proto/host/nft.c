/* SPDX-License-Identifier: MIT */
/* nft.c - one table of our own in the kernel's packet filter, through libnftables */
#include "proto/host/nft.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RULESET_MAX ((size_t)1 << 20)

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

/* libnftables ends the process when it gets no socket. */
static bool can_talk(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

    if (fd < 0)
        return false;
    close(fd);
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
    if (!can_talk())
        return -errno;
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

/* In the child: list, and say by the exit code whether that went well. */
_Noreturn static void list_into(int fd)
{
    struct nft_ctx *ctx;

    dup2(fd, STDERR_FILENO); /* what the library says before it ends us is nobody's to read */
    if (!can_talk() || !(ctx = context()) || nft_run_cmd_from_buffer(ctx, "list ruleset\n"))
        _exit(1);
    const char *text = nft_ctx_get_output_buffer(ctx);
    for (size_t left = strlen(text); left > 0;) {
        ssize_t n = write(fd, text, left);
        if (n < 0)
            _exit(1);
        text += n;
        left -= (size_t)n;
    }
    _exit(0);
}

/* Up to RULESET_MAX octets, more are read and left out: whoever has so many rules knows them. */
static char *read_all(int fd)
{
    char *text = calloc(1, RULESET_MAX + 1), more[4096];
    size_t len = 0;
    ssize_t n = 1;

    while (text && n > 0) {
        bool room = len < RULESET_MAX;
        n = room ? read(fd, text + len, RULESET_MAX - len) : read(fd, more, sizeof(more));
        if (n > 0 && room)
            len += (size_t)n;
    }
    return text;
}

int nft_ruleset(char **ret)
{
    int fd[2], status = 1;

    if (pipe2(fd, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        list_into(fd[1]);
    int err = pid < 0 ? -errno : 0;
    close(fd[1]);
    char *text = err ? NULL : read_all(fd[0]);
    close(fd[0]);
    while (!err && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!err && !text)
        err = -ENOMEM;
    if (!err && status != 0)
        err = geteuid() ? -EPERM : -EIO;
    if (err)
        free(text);
    else
        *ret = text;
    return err;
}
