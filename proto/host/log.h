/* SPDX-License-Identifier: MIT */
/* log.h - one line of text to stderr, never blocking, never failing
 *
 * DOC: when stderr is the journal ($JOURNAL_STREAM names it) each line starts with `<N>`, else it
 * is plain text. No time (journald and terminals have their own), no colour. Octets that could
 * drive a terminal or forge a line (control characters, broken UTF-8) are written as \xNN. A line
 * that cannot be written at once is lost; the next one that can says how many. Messages a peer can
 * trigger go through log_limited().
 *
 * Standards: sd-daemon(3) for the prefix.
 */
#ifndef SIXTAP_HOST_LOG_H
#define SIXTAP_HOST_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/timers.h"

enum log_level {
    LOG_LEVEL_ERROR, /* the daemon cannot do what it was told */
    LOG_LEVEL_WARN,  /* something is not as it should be; goes on */
    LOG_LEVEL_INFO,  /* what an operator wants to read the next day; default */
    LOG_LEVEL_DEBUG, /* -v */
};

/* log_setup() - choose what is shown: info and above, with @verbose >= 1 debug too; looks at
 * $JOURNAL_STREAM and ignores SIGPIPE (stderr may be a pipe whose reader has gone). Without it:
 * info, plain text. */
void log_setup(unsigned verbose);

/* log_shows() - is a level written? To skip costly arguments */
bool log_shows(enum log_level level);

/* log_line() - write one line; no newline at the end of @fmt. Longer than 940 octets: cut, with
 * "..." */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* A token bucket for one kind of line. static struct log_limit l = LOG_LIMIT(5, 10 * NS_PER_S): 5
 * at once, then one per 10 s. */
struct log_limit {
    unsigned burst;
    mono_ns per_line;
    unsigned used;     /* tokens taken and not given back yet */
    mono_ns since;     /* when the last token was given back */
    uint64_t left_out; /* lines since the last one written */
};

#define LOG_LIMIT(n_burst, ns_per_line)                                                            \
    {                                                                                              \
        .burst = (n_burst), .per_line = (ns_per_line)                                              \
    }

/* log_limited() - log_line() while @l has a token; a line after some were left out ends with
 * " (N similar lines left out)". Levels that are not shown take no token. */
void log_limited(struct log_limit *l, mono_ns now, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
