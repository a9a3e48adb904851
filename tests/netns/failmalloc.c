/* SPDX-License-Identifier: MIT */
/* failmalloc.c - to be preloaded: the n-th allocation of the process fails (H93)
 *
 * FAILMALLOC_AT=n, counted from 1, of malloc, calloc, realloc, aligned_alloc and posix_memalign;
 * FAILMALLOC_ALL=1: every one from the n-th on. FAILMALLOC_SITES names a file that gets a line for
 * each allocation, in order: a hash of the calls that led to it. Wraps a sanitizer's allocator too.
 * Allocations of libnftables never fail: without memory it calls exit(), or writes through NULL.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void *(*real_aligned)(size_t, size_t);
static int (*real_memalign)(void **, size_t, size_t);
static void (*real_free)(void *);

static atomic_long count;
static long fail_at;
static bool fail_all, ready;
static int sites = -1; /* descriptor */
static _Thread_local bool tracing;

/* what dlsym() itself allocates before it has found the others */
static _Alignas(16) char early[16384];
static size_t early_used;

static void *early_alloc(size_t len)
{
    len = (len + 15) & ~(size_t)15;
    if (len > sizeof(early) - early_used)
        return NULL;
    void *p = early + early_used;
    early_used += len;
    return p;
}

static bool is_early(const void *p)
{
    return (const char *)p >= early && (const char *)p < early + sizeof(early);
}

static long number(const char *name)
{
    const char *v = getenv(name);
    return v ? strtol(v, NULL, 10) : 0;
}

__attribute__((constructor)) static void set_up(void)
{
    static bool begun;

    if (begun)
        return;
    begun = true;
    *(void **)&real_malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&real_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&real_realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&real_aligned = dlsym(RTLD_NEXT, "aligned_alloc");
    *(void **)&real_memalign = dlsym(RTLD_NEXT, "posix_memalign");
    *(void **)&real_free = dlsym(RTLD_NEXT, "free");
    fail_at = number("FAILMALLOC_AT");
    fail_all = number("FAILMALLOC_ALL");
    const char *path = getenv("FAILMALLOC_SITES");
    if (path)
        sites = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ready = true;
}

static void note_site(void)
{
    void *frame[24];
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    char line[20];

    tracing = true;
    int n = backtrace(frame, 24);
    tracing = false;
    for (int i = 0; i < n; i++)
        h = (h ^ (uintptr_t)frame[i]) * 1099511628211u;
    for (unsigned i = 0; i < 16; i++)
        line[i] = "0123456789abcdef"[h >> (60 - 4 * i) & 15];
    line[16] = '\n';
    (void)!write(sites, line, 17);
}

/* Is this call from libnftables, or from what that calls? */
static bool is_of_nftables(void)
{
    void *frame[64];
    Dl_info of;
    bool found = false;

    tracing = true;
    int n = backtrace(frame, 64);
    for (int i = 0; i < n; i++)
        found |= dladdr(frame[i], &of) && of.dli_fname && strstr(of.dli_fname, "libnftables");
    tracing = false;
    return found;
}

static bool fails(void)
{
    if (tracing) /* backtrace() loads a library when it is first called */
        return false;
    long n = atomic_fetch_add(&count, 1) + 1;
    if (sites >= 0)
        note_site();
    if (fail_at == 0 || (fail_all ? n < fail_at : n != fail_at) || is_of_nftables())
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t len)
{
    if (!ready)
        return early_alloc(len);
    return fails() ? NULL : real_malloc(len);
}

void *calloc(size_t n, size_t len)
{
    if (!ready)
        return early_alloc(n * len); /* static memory is zero */
    return fails() ? NULL : real_calloc(n, len);
}

void *realloc(void *p, size_t len)
{
    if (!ready || is_early(p)) {
        void *to = ready ? real_malloc(len) : early_alloc(len);
        size_t left = p ? (size_t)(early + sizeof(early) - (char *)p) : 0;
        if (to && p)
            memcpy(to, p, len < left ? len : left);
        return to;
    }
    return fails() ? NULL : real_realloc(p, len);
}

void *aligned_alloc(size_t align, size_t len)
{
    set_up();
    return fails() ? NULL : real_aligned(align, len);
}

int posix_memalign(void **ret, size_t align, size_t len)
{
    set_up();
    return fails() ? ENOMEM : real_memalign(ret, align, len);
}

void free(void *p)
{
    if (ready && p && !is_early(p))
        real_free(p);
}
