// SPDX-License-Identifier: Apache-2.0
#include "support/manager_store.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void manager_drop(struct manager *manager, size_t at)
{
        close(manager->store[at].fd);
        memmove(&manager->store[at], &manager->store[at + 1],
                (manager->count - at - 1) * sizeof(manager->store[0]));
        manager->count--;
}

static void keep(struct manager *manager, const char *name, int fd)
{
        if (manager->count >= manager->maximum) {
                manager->dropped++;
                close(fd);
                return;
        }
        snprintf(manager->store[manager->count].name, sizeof(manager->store[0].name), "%s", name);
        manager->store[manager->count++].fd = fd;
}

static void forget(struct manager *manager, const char *name)
{
        for (size_t i = manager->count; i-- > 0;)
                if (strcmp(manager->store[i].name, name) == 0)
                        manager_drop(manager, i);
}

/* The value of a line KEY=VALUE, in `text`; "" if there is none. */
static void get_value(const char *text, const char *key, char *ret, size_t size)
{
        size_t length = strlen(key);

        ret[0] = 0;
        for (; text && *text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL)
                if (strncmp(text, key, length) == 0 && text[length] == '=')
                        snprintf(ret, size, "%.*s", (int)strcspn(text + length + 1, "\n"),
                                text + length + 1);
}

static void handle(struct manager *manager, const char *text, int fd)
{
        char name[64], value[64];

        get_value(text, "FDNAME", name, sizeof(name));
        get_value(text, "FDSTORE", value, sizeof(value));
        if (value[0] == '1' && fd >= 0)
                keep(manager, name, fd);
        else if (fd >= 0)
                close(fd);
        get_value(text, "FDSTOREREMOVE", value, sizeof(value));
        if (value[0] == '1')
                forget(manager, name);
        get_value(text, "READY", value, sizeof(value));
        if (value[0] == '1')
                manager->ready = true;
}

bool manager_hear(struct manager *manager)
{
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        char text[2048];
        struct iovec part = {.iov_base = text, .iov_len = sizeof(text) - 1};
        struct msghdr message = {.msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = control,
                .msg_controllen = sizeof(control)};
        ssize_t size = recvmsg(manager->notify_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        int fd = -1;

        if (size < 0)
                return false;
        text[size] = 0;
        if (header && header->cmsg_type == SCM_RIGHTS)
                memcpy(&fd, CMSG_DATA(header), sizeof(fd));
        handle(manager, text, fd);
        return true;
}

void manager_drop_hung_up(struct manager *manager)
{
        for (size_t i = manager->count; i-- > 0;) {
                struct pollfd end = {.fd = manager->store[i].fd};

                if (manager->store[i].name[0] == 's' && poll(&end, 1, 0) == 1 &&
                        end.revents & (POLLHUP | POLLERR))
                        manager_drop(manager, i);
        }
}
