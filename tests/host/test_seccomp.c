/* SPDX-License-Identifier: MIT */
/* test_seccomp.c - which system calls get through the filter, and how a process ends that makes
 * another one; each row in a child of its own */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/host/priv.h"
#include "proto/host/seccomp.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

#define FINE   0
#define KILLED (-SIGSYS)

/* ---- calls; each returns 0, or the errno it got ---- */

static int told(long rc)
{
    return rc < 0 ? errno : 0;
}

static int do_read_file(void)
{
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    int rc = told(fd);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int do_write_file(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int rc = told(fd);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int do_make_file(void)
{
    return told(open("/proc/none", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int do_truncate(void)
{
    return told(open("/dev/null", O_RDONLY | O_TRUNC | O_CLOEXEC));
}

static int do_exec(void)
{
    char *argv[] = { "true", NULL }, *envp[] = { NULL };
    return told(execve("/bin/true", argv, envp));
}

static int do_fork(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return told(pid);
}

static int do_clone3(void)
{
    return told(syscall(435, NULL, 0));
}

static int do_io_uring(void)
{
    return told(syscall(425, 1, NULL));
}

static int do_far_future(void)
{
    return told(syscall(639, 0));
}

static int do_setns(void)
{
    return told(syscall(SYS_setns, -1, 0));
}

static int do_unshare(void)
{
    return told(syscall(SYS_unshare, 0));
}

static int do_mount(void)
{
    return told(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL));
}

static int do_module(void)
{
    return told(syscall(SYS_finit_module, -1, "", 0));
}

static int do_bpf(void)
{
    return told(syscall(SYS_bpf, 0, NULL, 0));
}

static int do_chmod(void)
{
    return told(fchmodat(AT_FDCWD, "/proc/none", 0644, 0));
}

static int do_socket(int family)
{
    int fd = socket(family, SOCK_DGRAM, 0);
    int rc = told(fd);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int do_inet(void)
{
    return do_socket(AF_INET);
}

static int do_inet6(void)
{
    int rc = do_socket(AF_INET6);
    return rc == EAFNOSUPPORT ? 0 : rc; /* a kernel without IPv6 */
}

static int do_packet(void)
{
    return do_socket(AF_PACKET);
}

static int do_tiocsti(void)
{
    return told(ioctl(0, TIOCSTI, "x"));
}

static int do_writable_code(void)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? errno : 0;
}

static int do_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? errno : 0;
}

static int do_new_handler(void)
{
    struct sigaction sa = { .sa_handler = SIG_IGN };
    return told(sigaction(SIGSYS, &sa, NULL));
}

static int do_other_handler(void)
{
    struct sigaction sa = { .sa_handler = SIG_IGN };
    return told(sigaction(SIGUSR1, &sa, NULL));
}

/* what must not be dodged by upper bits, which the kernel does not look at */
static int do_tiocsti_high(void)
{
    return told(syscall(SYS_ioctl, 0, (UINT64_C(1) << 32) | TIOCSTI, "x"));
}

static void *thread(void *arg)
{
    return arg;
}

static int do_thread(void)
{
    pthread_t t;
    int rc = pthread_create(&t, NULL, thread, NULL);
    return rc ? rc : pthread_join(t, NULL);
}

/* ---- rows ---- */

#define WRITE SECCOMP_WRITE_FILES
#define NAMES SECCOMP_NAMES

static const struct row {
    const char *name;
    unsigned groups;
    int (*call)(void);
    int want; /* FINE, KILLED, or an errno */
    bool not_sanitized;
} rows[] = {
    { "a file to read", 0, do_read_file, FINE, false },
    { "a file to write", 0, do_write_file, KILLED, true },
    { "a file to write, client", WRITE, do_write_file, FINE, false },
    { "a new file", WRITE, do_make_file, KILLED, true },
    { "a file made empty", 0, do_truncate, KILLED, true },
    { "another program", WRITE | NAMES, do_exec, KILLED, false },
    { "another process", WRITE | NAMES, do_fork, KILLED, true },
    { "clone3", NAMES, do_clone3, ENOSYS, false },
    { "io_uring", NAMES, do_io_uring, ENOSYS, false },
    { "a call of tomorrow", 0, do_far_future, ENOSYS, false },
    { "setns", WRITE | NAMES, do_setns, KILLED, false },
    { "unshare", WRITE | NAMES, do_unshare, KILLED, false },
    { "mount", WRITE | NAMES, do_mount, KILLED, false },
    { "a kernel module", WRITE | NAMES, do_module, KILLED, false },
    { "bpf", WRITE | NAMES, do_bpf, KILLED, false },
    { "chmod", WRITE | NAMES, do_chmod, KILLED, false },
    { "an IPv4 socket", 0, do_inet, FINE, false },
    { "an IPv6 socket", 0, do_inet6, KILLED, false },
    { "an IPv6 socket, resolver", NAMES, do_inet6, FINE, false },
    { "a packet socket", WRITE | NAMES, do_packet, KILLED, false },
    { "input for the terminal", WRITE | NAMES, do_tiocsti, KILLED, false },
    { "the same with upper bits", WRITE | NAMES, do_tiocsti_high, KILLED, false },
    { "writable code", WRITE | NAMES, do_writable_code, KILLED, false },
    { "code", 0, do_code, KILLED, true },
    { "code, resolver", NAMES, do_code, FINE, false },
    { "a handler for SIGSYS", WRITE | NAMES, do_new_handler, KILLED, true },
    { "a handler for another", 0, do_other_handler, FINE, false },
    { "a thread", NAMES, do_thread, FINE, false },
};

static int enter(unsigned groups)
{
    return priv_keep(NULL, 0) != 0 ? -1 : seccomp_enter(groups);
}

/* Run @call filtered; stderr goes to @said. Return: exit status as waitpid() has it */
static int run(unsigned groups, int (*call)(void), char *said, size_t len)
{
    int status = -1, out[2];

    assert_int_equal(pipe(out), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDERR_FILENO);
        _exit(enter(groups) <= 0 ? 255 : call());
    }
    close(out[1]);
    size_t n = 0;
    for (ssize_t got; n < len - 1 && (got = read(out[0], said + n, len - 1 - n)) > 0;)
        n += (size_t)got;
    said[n] = '\0';
    close(out[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_rows(void **state)
{
    char said[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        if (SANITIZED && r->not_sanitized)
            continue;
        print_message("row: %s\n", r->name);
        int status = run(r->groups, r->call, said, sizeof(said));
        if (r->want == KILLED) {
            assert_true(WIFSIGNALED(status));
            assert_int_equal(WTERMSIG(status), SIGSYS);
            assert_non_null(strstr(said, "system call"));
        } else {
            assert_true(WIFEXITED(status));
            assert_int_equal(WEXITSTATUS(status), r->want);
            assert_string_equal(said, "");
        }
    }
}

static void *thread_exec(void *arg)
{
    (void)do_exec();
    return arg;
}

static int do_exec_in_thread(void)
{
    pthread_t t;
    int rc = pthread_create(&t, NULL, thread_exec, NULL);
    return rc ? rc : pthread_join(t, NULL);
}

/* one thread's forbidden call ends them all; the line says which it was */
static void test_thread_and_name(void **state)
{
    char said[4096];

    (void)state;
    int status = run(NAMES, do_exec_in_thread, said, sizeof(said));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
    char number[16];
    (void)snprintf(number, sizeof(number), "(%d)", SYS_execve);
    assert_non_null(strstr(said, number));
    assert_true(SANITIZED || strstr(said, "execve"));
    assert_non_null(strstr(said, "--no-seccomp"));
}

static int do_nothing(void)
{
    return 0;
}

int main(void)
{
    char said[256];
    int status = run(0, do_nothing, said, sizeof(said));

    if (WIFEXITED(status) && WEXITSTATUS(status) == 255) {
        print_message("this kernel has no filters: %s\n", said);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_thread_and_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
