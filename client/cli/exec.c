// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As env(1) and shells say it. */
enum { EXIT_NOT_RUN = 126, EXIT_NOT_FOUND = 127 };

/* What operators see until the program gives a label of its own: its name. */
static void make_label(const char *program, char *label, size_t size)
{
        const char *slash = strrchr(program, '/');

        snprintf(label, size, "%s", slash ? slash + 1 : program);
        for (char *at = label; *at; at++)
                if (*at < ' ' || *at > '~')
                        *at = '?';
}

static int leave(int fd)
{
        char number[16];

        snprintf(number, sizeof(number), "%d", fd);
        return fcntl(fd, F_SETFD, 0) < 0 || setenv("FILEMEM_FD", number, 1) < 0 ? -errno : 0;
}

/*
 * The session that we have ends with us, when the program takes our place: what it inherits is a
 * peer, which keeps the pool.
 */
int exec_run(filemem_session *session, const struct options *options)
{
        char *const *program = options->program;
        char label[65];
        const struct filemem_peer_options how = {.size = sizeof(how),
                .label = label,
                .read_only = option_is_given(options, OPTION_READ_ONLY)};
        int fd, error, r;

        make_label(program[0], label, sizeof(label));
        r = filemem_open_peer(session, &how, &fd);
        if (r == 0)
                r = leave(fd);
        if (r < 0)
                return r;
        execvp(program[0], program);
        error = errno;
        fprintf(stderr, "filememctl: exec: cannot start %s: %s: %s\n", program[0], strerror(error),
                error == ENOENT ? "say its path, or a name that $PATH has"
                                : "it has to be a program that you may run");
        close(fd);
        return error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN;
}
