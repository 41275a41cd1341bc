// SPDX-License-Identifier: Apache-2.0
#include "proto/fdset.h"

#include <string.h>
#include <unistd.h>

static void consume_one(struct fdset *set, int fd)
{
        if (set->count < FDSET_MAX)
                set->fds[set->count++] = fd;
        else
                close(fd);
}

void fdset_consume(struct fdset *set, const struct msghdr *message)
{
        /* CMSG_NXTHDR() wants it writable and does not write. */
        struct msghdr *reader = (struct msghdr *)message;
        struct cmsghdr *header;

        set->count = 0;
        set->truncated = message->msg_flags & MSG_CTRUNC;
        for (header = CMSG_FIRSTHDR(reader); header; header = CMSG_NXTHDR(reader, header)) {
                const unsigned char *data = CMSG_DATA(header);
                size_t length = header->cmsg_len - CMSG_LEN(0);

                if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
                        continue;
                for (; length >= sizeof(int); length -= sizeof(int), data += sizeof(int)) {
                        int fd;

                        memcpy(&fd, data, sizeof(fd));
                        consume_one(set, fd);
                }
        }
}

void fdset_attach(struct msghdr *message, const int *fds, size_t count)
{
        struct cmsghdr *header;

        message->msg_controllen = 0;
        if (!count)
                return;
        /* The padding travels nowhere, but the kernel reads it: leave nothing undefined. */
        memset(message->msg_control, 0, CMSG_SPACE(sizeof(int) * count));
        message->msg_controllen = CMSG_SPACE(sizeof(int) * count);
        header = CMSG_FIRSTHDR(message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
}

int fdset_steal(struct fdset *set, size_t index)
{
        int fd;

        if (index >= set->count)
                return -1;
        fd = set->fds[index];
        set->fds[index] = -1;
        return fd;
}

void fdset_close(struct fdset *set)
{
        for (size_t i = 0; i < set->count; i++)
                if (set->fds[i] >= 0)
                        close(set->fds[i]);
        set->count = 0;
}
