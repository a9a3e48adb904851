/* SPDX-License-Identifier: MIT */
/* wildclock.c - to be preloaded: a wall clock that jumps each time it is read (H80)
 *
 * CLOCK_REALTIME, its coarse and TAI variants, gettimeofday() and time() say 1970, yesterday,
 * tomorrow, the day before 32 bits run out, or the year 2106, in turns. Other clocks are as they
 * are. The real one is asked of the kernel, so a sanitizer's own functions are not in the way.
 */
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static atomic_uint asked;

static time_t wild(void)
{
    static const time_t at[] = { 0, -86400, 86400, 2147483647L - 1, 4294967295L };
    struct timespec ts = { 0 };
    unsigned n = atomic_fetch_add(&asked, 1) % 5;

    syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts);
    return n == 1 || n == 2 ? ts.tv_sec + at[n] : at[n];
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ts);

    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_TAI))
        ts->tv_sec = wild();
    return rc;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    (void)tz;
    tv->tv_sec = wild();
    tv->tv_usec = 0;
    return 0;
}

time_t time(time_t *ret)
{
    time_t t = wild();

    if (ret)
        *ret = t;
    return t;
}
