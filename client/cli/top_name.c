// SPDX-License-Identifier: Apache-2.0
#include "top_view.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KNOWN_USERS 64

/* Users are asked for once: where they are in a directory of the network that takes its time. */
const char *top_user_name(uint64_t uid)
{
        static struct {
                uint64_t uid;
                char name[33];
        } known[KNOWN_USERS];
        size_t place = uid % KNOWN_USERS;
        const struct passwd *user;

        if (known[place].name[0] && known[place].uid == uid)
                return known[place].name;
        user = getpwuid((uid_t)uid);
        known[place].uid = uid;
        if (user)
                snprintf(known[place].name, sizeof(known[place].name), "%s", user->pw_name);
        else
                snprintf(known[place].name, sizeof(known[place].name), "%llu",
                        (unsigned long long)uid);
        return known[place].name;
}

/* What a process calls itself may be anything. */
static void make_printable(char *text)
{
        for (; *text; text++)
                if (*text < ' ' || *text > '~')
                        *text = '?';
}

const char *top_session_name(const struct filemem_statistics_session *session)
{
        static char name[32];
        char path[64];
        ssize_t size;
        int fd;

        if (session->label[0] || !session->pid)
                return session->label;
        snprintf(path, sizeof(path), "/proc/%llu/comm", (unsigned long long)session->pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        size = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);
        if (fd >= 0)
                close(fd);
        name[size > 0 ? (size_t)size : 0] = 0;
        name[strcspn(name, "\n")] = 0;
        make_printable(name);
        return name;
}
