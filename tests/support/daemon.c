// SPDX-License-Identifier: Apache-2.0
#include "support/daemon.h"

#include "support/harness.h"
#include "support/raw.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 16

/* Seconds; for machines that are busy with other tests and sanitizers. */
#define PATIENCE 30

static void nap(void)
{
        usleep(5000);
}

void daemon_prepare(struct daemon *daemon)
{
        *daemon = (struct daemon){.pid = -1};
        strcpy(daemon->folder, harness_make_folder());
        snprintf(daemon->socket, sizeof(daemon->socket), "%s/filemem.sock", daemon->folder);
        snprintf(daemon->log, sizeof(daemon->log), "%s/log", daemon->folder);
}

static void write_file(const char *path, const char *text)
{
        FILE *file = fopen(path, "w");

        ck_assert_ptr_nonnull(file);
        fputs(text, file);
        ck_assert_int_eq(fclose(file), 0);
}

/* In the child: nothing of the test but stdin goes along. */
static void run_child(const char *log, const char *const *arguments)
{
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

        if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
                _exit(126);
        for (fd = 3; fd < 256; fd++)
                close(fd);
        unsetenv("NOTIFY_SOCKET");
        unsetenv("LISTEN_FDS");
        unsetenv("LISTEN_PID");
        execv(FILEMEM_DAEMON, (char *const *)(uintptr_t)arguments);
        _exit(127);
}

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* Says Hello, hangs up, and waits until the daemon has forgotten it. */
static void greet(const struct daemon *daemon, struct raw *raw)
{
        int pidfd = -1;
        size_t with;

        raw_hello(raw, "");
        with = daemon_count_fds(daemon);
        /* A session takes two descriptors of the daemon, one on a kernel without this. */
        if (getsockopt(raw->fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &(socklen_t){sizeof(pidfd)}) == 0)
                close(pidfd);
        raw_close(raw);
        daemon_await_fds(daemon, with - (pidfd >= 0 ? 2 : 1));
}

void daemon_await_answer(const struct daemon *daemon)
{
        struct raw raw;

        for (int i = 0; i < PATIENCE * 200; i++) {
                int status;

                if (raw_try_connect(&raw, daemon->socket) == 0) {
                        greet(daemon, &raw);
                        return;
                }
                ck_assert_msg(waitpid(daemon->pid, &status, WNOHANG) == 0,
                        "the daemon ended with %d: %s", status, daemon->log);
                nap();
        }
        ck_abort_msg("the daemon does not answer");
}

void daemon_write_config(const struct daemon *daemon, const char *config)
{
        char path[96];

        snprintf(path, sizeof(path), "%s/filememd.conf", daemon->folder);
        write_file(path, config);
}

void daemon_launch(struct daemon *daemon, const char *config)
{
        char path[96];
        const char *arguments[] = {
                FILEMEM_DAEMON, "--foreground", "--socket", daemon->socket, NULL, NULL, NULL};

        if (config) {
                snprintf(path, sizeof(path), "%s/filememd.conf", daemon->folder);
                daemon_write_config(daemon, config);
                arguments[4] = "--config";
                arguments[5] = path;
        }
        daemon->pid = fork();
        ck_assert_int_ge(daemon->pid, 0);
        if (daemon->pid == 0)
                run_child(daemon->log, arguments);
        daemon_await_answer(daemon);
}

void daemon_start(struct daemon *daemon, const char *config)
{
        daemon_prepare(daemon);
        daemon_launch(daemon, config);
}

int daemon_wait(struct daemon *daemon)
{
        for (int i = 0; i < PATIENCE * 200; i++) {
                int status;
                pid_t pid = waitpid(daemon->pid, &status, WNOHANG);

                if (pid == daemon->pid) {
                        daemon->pid = -1;
                        return status;
                }
                ck_assert_int_eq(pid, 0);
                nap();
        }
        ck_abort_msg("the daemon does not end");
}

int daemon_end(struct daemon *daemon, int signal)
{
        ck_assert_int_eq(kill(daemon->pid, signal), 0);
        return daemon_wait(daemon);
}

void daemon_remove(struct daemon *daemon)
{
        harness_remove_folder(daemon->folder);
}

static void print_log(const struct daemon *daemon)
{
        FILE *file = fopen(daemon->log, "r");
        char line[1024];

        while (file && fgets(line, sizeof(line), file))
                fputs(line, stderr);
        if (file)
                fclose(file);
}

void daemon_stop(struct daemon *daemon)
{
        int status = daemon_end(daemon, SIGTERM);

        if (status)
                print_log(daemon);
        ck_assert_int_eq(status, 0);
        ck_assert_int_ne(access(daemon->socket, F_OK), 0);
        daemon_remove(daemon);
}

size_t daemon_count_fds(const struct daemon *daemon)
{
        char path[64];
        size_t count = 0;
        DIR *folder;

        snprintf(path, sizeof(path), "/proc/%d/fd", (int)daemon->pid);
        folder = opendir(path);
        ck_assert_ptr_nonnull(folder);
        while (readdir(folder))
                count++;
        closedir(folder);
        return count;
}

void daemon_await_fds(const struct daemon *daemon, size_t count)
{
        size_t now = 0;

        for (int i = 0; i < PATIENCE * 200; i++) {
                now = daemon_count_fds(daemon);
                if (now == count)
                        return;
                nap();
        }
        ck_abort_msg("the daemon has %zu descriptors, not %zu", now, count);
}

/* ---- to the end ------------------------------------------------------------------------------ */

static void read_all(int fd, char *buffer, size_t size)
{
        size_t used = 0;
        ssize_t n;

        while (used < size - 1 && (n = read(fd, buffer + used, size - 1 - used)) > 0)
                used += (size_t)n;
        buffer[used] = 0;
        close(fd);
}

int daemon_run(const char *const *arguments, char *output, char *errors, size_t size)
{
        const char *argv[ARGUMENTS_MAX + 2] = {FILEMEM_DAEMON};
        int out[2], err[2], status;
        pid_t pid;

        for (size_t i = 0; arguments[i]; i++) {
                ck_assert_uint_lt(i, ARGUMENTS_MAX);
                argv[i + 1] = arguments[i];
        }
        ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
        ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                alarm(PATIENCE); /* a daemon that started well is a failure too */
                dup2(out[1], STDOUT_FILENO);
                dup2(err[1], STDERR_FILENO);
                execv(FILEMEM_DAEMON, (char *const *)(uintptr_t)argv);
                _exit(127);
        }
        close(out[1]);
        close(err[1]);
        read_all(out[0], output, size);
        read_all(err[0], errors, size);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(WIFEXITED(status), "ended with status %d", status);
        return WEXITSTATUS(status);
}
