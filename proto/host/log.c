/* SPDX-License-Identifier: MIT */
/* log.c - one line of text to stderr, never blocking, never failing */
#include "proto/host/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX 940u /* of a message */
#define TAIL_MAX 60u  /* of what is said about lines left out */
/* each octet may become four; a whole line fits PIPE_BUF (4 096), so it is written whole or not at
 * all */
#define LINE_MAX_LEN (4 * (TEXT_MAX + TAIL_MAX) + 80)
_Static_assert(LINE_MAX_LEN <= 4096, "PIPE_BUF");

/* There is one stderr, so there is one of these. */
static struct {
    enum log_level level;
    bool journal;
    uint64_t lost;
} state = { .level = LOG_LEVEL_INFO };

static const char syslog_level[] = { '3', '4', '6', '7' };

/* Is stderr the stream that systemd opened for us? Its variable is inherited by children whose
 * stderr goes elsewhere, hence the comparison. Source: systemd.exec(5), $JOURNAL_STREAM */
static bool stderr_is_journal(void)
{
    const char *s = getenv("JOURNAL_STREAM");
    struct stat st;
    char *end;

    if (!s || fstat(STDERR_FILENO, &st) < 0)
        return false;
    errno = 0;
    unsigned long long dev = strtoull(s, &end, 10);
    if (errno || end == s || *end != ':')
        return false;
    const char *second = end + 1;
    unsigned long long ino = strtoull(second, &end, 10);
    return !errno && end != second && *end == '\0' && dev == st.st_dev && ino == st.st_ino;
}

void log_setup(unsigned verbose)
{
    signal(SIGPIPE, SIG_IGN);
    state.level = verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    state.journal = stderr_is_journal();
}

bool log_shows(enum log_level level)
{
    return level <= state.level;
}

/* Length of the well-formed, printable UTF-8 sequence at @p (2..4 octets); 0: none. Source: RFC
 * 3629 4 */
static size_t utf8_len(const uint8_t *p, size_t left)
{
    uint32_t cp;
    size_t n;

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
        cp = p[0] & 0x1fu;
    } else if ((p[0] & 0xf0) == 0xe0) {
        n = 3;
        cp = p[0] & 0x0fu;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        cp = p[0] & 0x07u;
    } else {
        return 0;
    }
    if (left < n)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        cp = (cp << 6) | (p[i] & 0x3fu);
    }
    static const uint32_t least[] = { 0, 0, 0xa0 /* C1 controls lie below */, 0x800, 0x10000 };
    bool surrogate = cp >= 0xd800 && cp <= 0xdfff;
    /* line and paragraph separators, and what turns the direction of writing */
    bool layout = (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069);
    return cp < least[n] || cp > 0x10ffff || surrogate || layout ? 0 : n;
}

/* Copy @text to @out (room for 4 times its length), harmless. Return: octets written */
static size_t escape(char *out, const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *p = (const uint8_t *)text;
    size_t o = 0;

    for (size_t i = 0; i < len;) {
        size_t n = p[i] >= 0x20 && p[i] < 0x7f ? 1 : utf8_len(p + i, len - i);
        if (n) {
            memcpy(out + o, p + i, n);
            o += n;
            i += n;
            continue;
        }
        out[o++] = '\\';
        out[o++] = 'x';
        out[o++] = hex[p[i] >> 4];
        out[o++] = hex[p[i] & 15];
        i++;
    }
    return o;
}

/* Written at once and whole, or not. O_NONBLOCK is no way: it belongs to the open file, which
 * stderr shares with whoever started us. A pipe that polls writable takes PIPE_BUF octets. */
static bool write_now(const char *line, size_t len)
{
    ssize_t done = send(STDERR_FILENO, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (done < 0 && errno == ENOTSOCK) {
        struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };
        if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT))
            return false;
        done = write(STDERR_FILENO, line, len);
    }
    return done == (ssize_t)len;
}

static void write_line(enum log_level level, const char *text, size_t len)
{
    char line[LINE_MAX_LEN];
    size_t n = 0;

    if (state.journal) {
        line[n++] = '<';
        line[n++] = syslog_level[level];
        line[n++] = '>';
    }
    if (state.lost)
        n += (size_t)snprintf(line + n, 64, "(%llu lines lost) ", (unsigned long long)state.lost);
    n += escape(line + n, text, len);
    line[n++] = '\n';
    if (write_now(line, n))
        state.lost = 0;
    else
        state.lost++;
}

static void log_va(enum log_level level, uint64_t left_out, const char *fmt, va_list ap)
{
    char text[TEXT_MAX + TAIL_MAX];
    int saved = errno;
    int len = vsnprintf(text, TEXT_MAX, fmt, ap);

    if (len >= 0) {
        size_t n = (size_t)len;
        if (n >= TEXT_MAX) {
            n = TEXT_MAX;
            memset(text + n - 3, '.', 3);
        }
        if (left_out)
            n += (size_t)snprintf(text + n, TAIL_MAX, " (%llu similar lines left out)",
                                  (unsigned long long)left_out);
        write_line(level, text, n);
    }
    errno = saved;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    if (!log_shows(level))
        return;
    va_start(ap, fmt);
    log_va(level, 0, fmt, ap);
    va_end(ap);
}

/* Take a token of @l. */
static bool take_token(struct log_limit *l, mono_ns now)
{
    mono_ns passed = time_since(now, l->since);

    if (l->used == 0) {
        l->since = now;
    } else if (l->per_line && passed >= l->per_line) {
        uint64_t back = passed / l->per_line;
        l->used = back >= l->used ? 0 : l->used - (unsigned)back;
        l->since = l->used ? l->since + back * l->per_line : now;
    }
    if (l->used >= l->burst)
        return false;
    l->used++;
    return true;
}

void log_limited(struct log_limit *l, mono_ns now, enum log_level level, const char *fmt, ...)
{
    va_list ap;

    if (!log_shows(level))
        return;
    if (!take_token(l, now)) {
        l->left_out++;
        return;
    }
    va_start(ap, fmt);
    log_va(level, l->left_out, fmt, ap);
    va_end(ap);
    l->left_out = 0;
}
