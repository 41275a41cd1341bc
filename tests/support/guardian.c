// SPDX-License-Identifier: Apache-2.0
#include "support/guardian.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct guardian {
        pid_t pid;
        int fd;
};

/* Until it is told to, or the test program is gone. Its forks have `fd` too, so that says little.
 */
static void wait_for_the_end(int fd, int program)
{
        struct pollfd files[] = {{.fd = fd, .events = POLLIN}, {.fd = program, .events = POLLIN}};

        while (poll(files, 2, -1) < 0 && errno == EINTR) {
        }
}

static _Noreturn void guard(int fd, int program, enum change (*set_up)(void), bool (*undo)(void))
{
        enum change change;
        bool undone;

        setsid(); /* what is typed at a terminal is not for this process */
        signal(SIGINT, SIG_IGN);
        signal(SIGTERM, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        signal(SIGPIPE, SIG_IGN);
        change = set_up();
        fflush(NULL);
        if (change != CHANGE_MADE)
                undo();
        if (write(fd, &change, sizeof(change)) == sizeof(change) && change == CHANGE_MADE)
                wait_for_the_end(fd, program);
        undone = change != CHANGE_MADE || undo();
        fflush(NULL);
        _exit(undone ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Has the change undone. Returns whether that worked. */
static bool stop(struct guardian *guardian)
{
        int status = 0;

        shutdown(guardian->fd, SHUT_WR);
        while (waitpid(guardian->pid, &status, 0) < 0 && errno == EINTR) {
        }
        close(guardian->fd);
        return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

static enum change start(struct guardian *guardian, enum change (*set_up)(void), bool (*undo)(void))
{
        int program = (int)syscall(SYS_pidfd_open, getpid(), 0), pair[2];
        enum change change;

        if (program < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                err(EXIT_FAILURE, "guardian");
        fflush(NULL);
        guardian->pid = fork();
        if (guardian->pid < 0)
                err(EXIT_FAILURE, "fork");
        if (guardian->pid == 0) {
                close(pair[0]);
                guard(pair[1], program, set_up, undo);
        }
        close(pair[1]);
        close(program);
        guardian->fd = pair[0];
        if (read(guardian->fd, &change, sizeof(change)) != sizeof(change))
                change = CHANGE_FAILED;
        if (change != CHANGE_MADE)
                stop(guardian);
        return change;
}

int guardian_run(enum change (*set_up)(void), bool (*undo)(void), int (*tests)(void))
{
        struct guardian guardian;
        enum change change = start(&guardian, set_up, undo);
        int code;

        if (change != CHANGE_MADE)
                return change == CHANGE_IMPOSSIBLE ? GUARDIAN_SKIPPED : EXIT_FAILURE;
        code = tests();
        return stop(&guardian) ? code : EXIT_FAILURE;
}

int guardian_read(const char *path, char *text, size_t size)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length;

        if (fd < 0)
                return -errno;
        length = read(fd, text, size - 1);
        if (length < 0)
                length = -errno;
        close(fd);
        if (length < 0)
                return (int)length;
        text[length] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return 0;
}

int guardian_write(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

        if (fd < 0)
                return -errno;
        if (write(fd, text, strlen(text)) < 0)
                r = -errno;
        close(fd);
        return r;
}
