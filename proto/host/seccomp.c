/* SPDX-License-Identifier: MIT */
/* seccomp.c - the system calls that a daemon may make once it has started */
#include "proto/host/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/host/log.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

#define GROUP_SANITIZER 0x100u /* of this file alone */

#define OPEN_TO_READ (O_ACCMODE | O_CREAT | O_TRUNC)

#define FIRST_UNIFIED 424 /* system call numbers are one list for all machines from here on */
#define LAST_UNIFIED  639

/* Any argument. */
static const struct {
    unsigned groups; /* one of them is enough; 0: always */
    int nr;
} calls[] = {
    /* the packet path, the loop, its deadline and its signals */
    { 0, SCMP_SYS(recvmsg) },
    { 0, SCMP_SYS(recvmmsg) },
    { 0, SCMP_SYS(sendmsg) },
    { 0, SCMP_SYS(sendmmsg) },
    { 0, SCMP_SYS(read) },
    { 0, SCMP_SYS(readv) },
    { 0, SCMP_SYS(write) },
    { 0, SCMP_SYS(writev) },
    { 0, SCMP_SYS(epoll_wait) },
    { 0, SCMP_SYS(epoll_pwait) },
    { 0, SCMP_SYS(epoll_pwait2) },
    { 0, SCMP_SYS(epoll_ctl) },
    { 0, SCMP_SYS(epoll_create) },
    { 0, SCMP_SYS(epoll_create1) },
    { 0, SCMP_SYS(poll) },
    { 0, SCMP_SYS(ppoll) },
    { 0, SCMP_SYS(select) },
    { 0, SCMP_SYS(pselect6) },
    { 0, SCMP_SYS(timerfd_create) },
    { 0, SCMP_SYS(timerfd_settime) },
    { 0, SCMP_SYS(timerfd_settime64) },
    { 0, SCMP_SYS(eventfd2) },
    { 0, SCMP_SYS(pipe2) },
    { 0, SCMP_SYS(clock_gettime) },
    { 0, SCMP_SYS(clock_gettime64) },
    { 0, SCMP_SYS(clock_getres) },
    { 0, SCMP_SYS(clock_nanosleep) },
    { 0, SCMP_SYS(clock_nanosleep_time64) },
    { 0, SCMP_SYS(nanosleep) },
    { 0, SCMP_SYS(gettimeofday) },
    { 0, SCMP_SYS(time) },
    { 0, SCMP_SYS(getrandom) },
    { 0, SCMP_SYS(rt_sigprocmask) },
    { 0, SCMP_SYS(rt_sigreturn) },
    { 0, SCMP_SYS(sigaltstack) },
    { 0, SCMP_SYS(restart_syscall) },
    /* sockets: UDP, netlink, the control socket, systemd's */
    { 0, SCMP_SYS(bind) },
    { 0, SCMP_SYS(connect) },
    { 0, SCMP_SYS(accept4) },
    { 0, SCMP_SYS(getsockname) },
    { 0, SCMP_SYS(getpeername) },
    { 0, SCMP_SYS(getsockopt) },
    { 0, SCMP_SYS(setsockopt) },
    { 0, SCMP_SYS(sendto) },
    { 0, SCMP_SYS(recvfrom) },
    { 0, SCMP_SYS(shutdown) },
    { 0, SCMP_SYS(listen) },
    /* files: what is read, and the control socket's path, which is removed at the end */
    { 0, SCMP_SYS(close) },
    { 0, SCMP_SYS(fcntl) },
    { 0, SCMP_SYS(fcntl64) },
    { 0, SCMP_SYS(fstat) },
    { 0, SCMP_SYS(fstat64) },
    { 0, SCMP_SYS(stat) },
    { 0, SCMP_SYS(stat64) },
    { 0, SCMP_SYS(lstat) },
    { 0, SCMP_SYS(lstat64) },
    { 0, SCMP_SYS(newfstatat) },
    { 0, SCMP_SYS(fstatat64) },
    { 0, SCMP_SYS(statx) },
    { 0, SCMP_SYS(access) },
    { 0, SCMP_SYS(faccessat) },
    { 0, SCMP_SYS(faccessat2) },
    { 0, SCMP_SYS(readlink) },
    { 0, SCMP_SYS(readlinkat) },
    { 0, SCMP_SYS(getdents64) },
    { 0, SCMP_SYS(lseek) },
    { 0, SCMP_SYS(_llseek) },
    { 0, SCMP_SYS(pread64) },
    { 0, SCMP_SYS(unlink) },
    { 0, SCMP_SYS(unlinkat) },
    /* memory */
    { 0, SCMP_SYS(brk) },
    { 0, SCMP_SYS(munmap) },
    { 0, SCMP_SYS(mremap) },
    { 0, SCMP_SYS(madvise) },
    { 0, SCMP_SYS(mlock) },
    { 0, SCMP_SYS(mlock2) },
    { 0, SCMP_SYS(munlock) },
    /* the process and its end; a signal to oneself is how abort() ends */
    { 0, SCMP_SYS(futex) },
    { 0, SCMP_SYS(futex_time64) },
    { 0, SCMP_SYS(sched_yield) },
    { 0, SCMP_SYS(getpid) },
    { 0, SCMP_SYS(gettid) },
    { 0, SCMP_SYS(getuid) },
    { 0, SCMP_SYS(geteuid) },
    { 0, SCMP_SYS(getgid) },
    { 0, SCMP_SYS(getegid) },
    { 0, SCMP_SYS(getrlimit) },
    { 0, SCMP_SYS(ugetrlimit) },
    { 0, SCMP_SYS(getrusage) },
    { 0, SCMP_SYS(uname) },
    { 0, SCMP_SYS(sysinfo) },
    { 0, SCMP_SYS(tgkill) },
    { 0, SCMP_SYS(exit) },
    { 0, SCMP_SYS(exit_group) },
    /* threads, and the modules that /etc/nsswitch.conf may name */
    { SECCOMP_NAMES | SECCOMP_THREADS, SCMP_SYS(set_robust_list) },
    { SECCOMP_NAMES | SECCOMP_THREADS, SCMP_SYS(rseq) },
    { SECCOMP_NAMES | SECCOMP_THREADS, SCMP_SYS(sched_getaffinity) },
    { SECCOMP_NAMES, SCMP_SYS(sched_setaffinity) },
    { SECCOMP_NAMES, SCMP_SYS(sched_getparam) },
    { SECCOMP_NAMES, SCMP_SYS(sched_getscheduler) },
    { SECCOMP_NAMES, SCMP_SYS(getresuid) },
    { SECCOMP_NAMES, SCMP_SYS(getresgid) },
    { SECCOMP_NAMES, SCMP_SYS(getppid) },
    { SECCOMP_NAMES, SCMP_SYS(getcwd) },
    { SECCOMP_NAMES, SCMP_SYS(socketpair) },
    { SECCOMP_NAMES, SCMP_SYS(pipe) },
    { SECCOMP_NAMES, SCMP_SYS(dup) },
    { SECCOMP_NAMES, SCMP_SYS(fstatfs) },
    { SECCOMP_NAMES, SCMP_SYS(statfs) },
    { SECCOMP_NAMES, SCMP_SYS(capget) },
    { SECCOMP_NAMES, SCMP_SYS(inotify_init1) },
    { SECCOMP_NAMES, SCMP_SYS(inotify_add_watch) },
    { SECCOMP_NAMES, SCMP_SYS(inotify_rm_watch) },
    /* reports and the leak check at exit */
    { GROUP_SANITIZER, SCMP_SYS(clone) },
    { GROUP_SANITIZER, SCMP_SYS(ptrace) },
    { GROUP_SANITIZER, SCMP_SYS(wait4) },
    { GROUP_SANITIZER, SCMP_SYS(getdents) },
    { GROUP_SANITIZER, SCMP_SYS(getppid) },
    { GROUP_SANITIZER, SCMP_SYS(kill) },
    { GROUP_SANITIZER, SCMP_SYS(prctl) },
    { GROUP_SANITIZER, SCMP_SYS(rt_sigaction) },
    { GROUP_SANITIZER, SCMP_SYS(open) },
    { GROUP_SANITIZER, SCMP_SYS(openat) },
    { GROUP_SANITIZER, SCMP_SYS(sched_getaffinity) },
    { GROUP_SANITIZER, SCMP_SYS(process_vm_readv) },
    { GROUP_SANITIZER, SCMP_SYS(prlimit64) },
    { GROUP_SANITIZER, SCMP_SYS(setrlimit) },
};

/* Only when argument @arg, of which the bits of @mask count, is @value. Upper halves of int
 * arguments are not looked at by the kernel, so the masks leave them out as well. */
static const struct {
    unsigned groups;
    int nr;
    unsigned arg;
    uint64_t mask, value;
} narrow[] = {
    { 0, SCMP_SYS(socket), 0, UINT32_MAX, AF_UNIX },
    { 0, SCMP_SYS(socket), 0, UINT32_MAX, AF_INET },
    { 0, SCMP_SYS(socket), 0, UINT32_MAX, AF_NETLINK },
    { SECCOMP_NAMES, SCMP_SYS(socket), 0, UINT32_MAX, AF_INET6 },
    { 0, SCMP_SYS(open), 1, OPEN_TO_READ, O_RDONLY },
    { 0, SCMP_SYS(openat), 2, OPEN_TO_READ, O_RDONLY },
    { SECCOMP_WRITE_FILES, SCMP_SYS(open), 1, O_CREAT, 0 },
    { SECCOMP_WRITE_FILES, SCMP_SYS(openat), 2, O_CREAT, 0 },
    /* never writable and executable at a time; the resolver's modules are mapped to be executed */
    { 0, SCMP_SYS(mmap), 2, PROT_EXEC, 0 },
    { 0, SCMP_SYS(mmap2), 2, PROT_EXEC, 0 },
    { 0, SCMP_SYS(mprotect), 2, PROT_EXEC, 0 },
    { SECCOMP_NAMES, SCMP_SYS(mmap), 2, PROT_WRITE, 0 },
    { SECCOMP_NAMES, SCMP_SYS(mmap2), 2, PROT_WRITE, 0 },
    { SECCOMP_NAMES, SCMP_SYS(mprotect), 2, PROT_WRITE, 0 },
    { GROUP_SANITIZER, SCMP_SYS(mmap), 2, PROT_WRITE, 0 },
    { 0, SCMP_SYS(prlimit64), 2, UINT64_MAX, 0 }, /* to ask, not to set */
    { SECCOMP_NAMES | SECCOMP_THREADS, SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD },
    { SECCOMP_NAMES, SCMP_SYS(prctl), 0, UINT32_MAX, PR_SET_NAME },
    { SECCOMP_NAMES, SCMP_SYS(prctl), 0, UINT32_MAX, PR_GET_NAME },
    { 0, SCMP_SYS(prctl), 0, UINT32_MAX, PR_SET_VMA }, /* names of heaps, glibc 2.39 */
    { 0, SCMP_SYS(ioctl), 1, UINT32_MAX, TUNSETCARRIER },
    { 0, SCMP_SYS(ioctl), 1, UINT32_MAX, TUNSETOFFLOAD },
    { 0, SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCSIFHWADDR },
    { 0, SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCGIFHWADDR },
    { 0, SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCETHTOOL },
    { 0, SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCGIFINDEX },
    { 0, SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCGIFNAME },
    { 0, SCMP_SYS(ioctl), 1, UINT32_MAX, FIONREAD },
    { 0, SCMP_SYS(ioctl), 1, UINT32_MAX, FIONBIO },
    { 0, SCMP_SYS(ioctl), 1, UINT32_MAX, TCGETS }, /* isatty() of stdio */
};

#define N_CALLS  (sizeof(calls) / sizeof(calls[0]))
#define N_NARROW (sizeof(narrow) / sizeof(narrow[0]))

/* Runs in place of the forbidden call, in its thread. It may allocate: the call came from no
 * allocator, whose own calls are all allowed (but a sanitizer's leak check holds its allocator).
 * Another forbidden call ends the process: the signal is blocked in its handler, which the kernel
 * does not put up with. */
static void on_forbidden(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    char *name = SANITIZED
                     ? NULL
                     : seccomp_syscall_resolve_num_arch(seccomp_arch_native(), info->si_syscall);
    log_error("the system call %s (%d) is not one this program makes; ending. If it should be "
              "allowed, please report this; --no-seccomp does without the filter",
              name ? name : "?", info->si_syscall);
    free(name);
    (void)syscall(SYS_swapoff, NULL);
    _exit(128 + SIGSYS);
}

static bool in(unsigned groups, unsigned wanted)
{
    return groups == 0 || groups & wanted;
}

/* The handler stays: whoever takes this process over cannot exchange it. */
static int allow_handlers(scmp_filter_ctx ctx)
{
    return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(rt_sigaction), 1,
                            SCMP_A0(SCMP_CMP_NE, SIGSYS, 0)); /* NE takes one datum */
}

/* Return: how many rules; -errno. A call that this machine does not have is no error. */
static int add_rules(scmp_filter_ctx ctx, unsigned groups, bool known[LAST_UNIFIED + 1])
{
    int n = 0, rc;

    for (size_t i = 0; i < N_CALLS; i++) {
        if (!in(calls[i].groups, groups))
            continue;
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i].nr, 0);
        if (rc < 0)
            return rc;
        if (calls[i].nr >= 0 && calls[i].nr <= LAST_UNIFIED)
            known[calls[i].nr] = true;
        n += calls[i].nr >= 0;
    }
    for (size_t i = 0; i < N_NARROW; i++) {
        int nr = narrow[i].nr;
        if (!in(narrow[i].groups, groups) || (nr >= 0 && known[nr]))
            continue;
        rc = seccomp_rule_add(
            ctx, SCMP_ACT_ALLOW, nr, 1,
            SCMP_CMP(narrow[i].arg, SCMP_CMP_MASKED_EQ, narrow[i].mask, narrow[i].value));
        if (rc < 0 && rc != -EEXIST)
            return rc;
        n += nr >= 0;
    }
    return n;
}

/* 435, clone3, is among them: what it may do lies in memory that a filter cannot read, and without
 * it the C library takes clone. */
static int add_unknown(scmp_filter_ctx ctx, const bool known[LAST_UNIFIED + 1])
{
    for (int nr = FIRST_UNIFIED; nr <= LAST_UNIFIED; nr++) {
        int rc = known[nr] ? 0 : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), nr, 0);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What the program answers to a call, for the instructions that libseccomp makes; SECCOMP_RET_KILL
 * for any other. */
static uint32_t answer(const struct sock_filter *code, size_t n, const struct seccomp_data *call)
{
    uint32_t acc = 0;

    for (size_t i = 0; i < n; i++) {
        const struct sock_filter *c = &code[i];
        switch (c->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (c->k > sizeof(*call) - sizeof(acc))
                return SECCOMP_RET_KILL;
            memcpy(&acc, (const uint8_t *)call + c->k, sizeof(acc));
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            acc &= c->k;
            break;
        case BPF_JMP | BPF_JA:
            i += c->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            i += acc == c->k ? c->jt : c->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            i += acc > c->k ? c->jt : c->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            i += acc >= c->k ? c->jt : c->jf;
            break;
        case BPF_RET | BPF_K:
            return c->k;
        default:
            return SECCOMP_RET_KILL;
        }
    }
    return SECCOMP_RET_KILL;
}

/* Does the program allow all that the tables allow? */
static bool whole(const struct sock_filter *code, size_t n, unsigned groups)
{
    for (size_t i = 0; i < N_CALLS; i++) {
        struct seccomp_data call = { .nr = calls[i].nr, .arch = seccomp_arch_native() };
        if (call.nr >= 0 && in(calls[i].groups, groups) &&
            answer(code, n, &call) != SECCOMP_RET_ALLOW)
            return false;
    }
    for (size_t i = 0; i < N_NARROW; i++) {
        struct seccomp_data call = { .nr = narrow[i].nr, .arch = seccomp_arch_native() };
        call.args[narrow[i].arg] = narrow[i].value;
        if (call.nr >= 0 && in(narrow[i].groups, groups) &&
            answer(code, n, &call) != SECCOMP_RET_ALLOW)
            return false;
    }
    return true;
}

/* Write the filter for the kernel to @fd. Return: 0; -errno */
static int make_program(unsigned groups, int fd)
{
    bool known[LAST_UNIFIED + 1] = { false };
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);

    if (!ctx)
        return -ENOMEM;
    /* a tree instead of a list */
    (void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    (void)seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    int n = add_rules(ctx, groups, known);
    int rc = n < 0 ? n : add_unknown(ctx, known);
    if (rc == 0 && !SANITIZED)
        rc = allow_handlers(ctx);
    if (rc == 0)
        rc = seccomp_export_bpf(ctx, fd);
    seccomp_release(ctx);
    return rc;
}

/* When memory runs out libseccomp 2.5.4 crashes, or leaves out calls without a word. In a child the
 * crash harms nobody, and what came out is looked at before it is used. Return: 0; -errno */
static int make_program_apart(unsigned groups, int fd)
{
    int status;
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        close(STDERR_FILENO);
        _exit(-make_program(groups, fd));
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -ENOMEM;
}

/* Load the program in @fd. Return: its instructions; -errno */
static int load_program(int fd, unsigned groups)
{
    size_t len = (size_t)lseek(fd, 0, SEEK_END);
    struct sock_filter *code = malloc(len ? len : 1);
    int rc = -ENOMEM;

    if (code && pread(fd, code, len, 0) == (ssize_t)len &&
        whole(code, len / sizeof(*code), groups)) {
        struct sock_fprog prog = { .len = (unsigned short)(len / sizeof(*code)), .filter = code };
        rc = prog.len;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
            rc = -errno;
    }
    free(code);
    return rc;
}

static int catch_forbidden(void)
{
    struct sigaction sa = { .sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO };

    sigfillset(&sa.sa_mask);
    return sigaction(SIGSYS, &sa, NULL) < 0 ? -errno : 0;
}

int seccomp_enter(unsigned groups)
{
    int fd = memfd_create("seccomp", MFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (SANITIZED)
        groups |= GROUP_SANITIZER;
    int rc = make_program_apart(groups, fd);
    if (rc == 0)
        rc = catch_forbidden();
    if (rc == 0)
        rc = load_program(fd, groups);
    close(fd);
    return rc == -EINVAL ? -ENOSYS : rc;
}
