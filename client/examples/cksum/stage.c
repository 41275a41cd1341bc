// SPDX-License-Identifier: Apache-2.0
#include "cksum/stage.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int stage_run(const char *command, const char *name)
{
        char *arguments[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
        int status = 0;
        pid_t pid;
        int r;

        if (!command)
                return 0;
        fflush(stdout);
        setenv("FILEMEM_STAGE", name, 1);
        r = posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ);
        if (r) {
                fprintf(stderr, "filemem-cksum: cannot run /bin/sh: %s\n", strerror(r));
                return -1;
        }
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        fprintf(stderr, "filemem-cksum: the command of stage \"%s\" failed\n", name);
        return -1;
}
