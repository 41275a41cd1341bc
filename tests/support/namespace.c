// SPDX-License-Identifier: Apache-2.0
#include "support/namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool write_text(const char *path, const char *format, unsigned number)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        bool done = fd >= 0 && dprintf(fd, format, number) > 0;

        if (fd >= 0)
                close(fd);
        return done;
}

pid_t namespace_fork(int namespaces)
{
        unsigned uid = geteuid(), gid = getegid();
        pid_t pid;

        /* After a change of user its files in /proc are not its own else. */
        prctl(PR_SET_DUMPABLE, 1);
        pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | namespaces | SIGCHLD, NULL, NULL, NULL, 0);
        if (pid)
                return pid;
        if (!write_text("/proc/self/setgroups", "deny", 0) ||
                !write_text("/proc/self/uid_map", "0 %u 1", uid) ||
                !write_text("/proc/self/gid_map", "0 %u 1", gid) || geteuid() != 0)
                _exit(NAMESPACE_FAILED);
        return 0;
}
