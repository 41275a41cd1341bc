// SPDX-License-Identifier: Apache-2.0
#include "service/store.h"

#include "base/cleanup.h"
#include "service/notify.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

uint64_t service_store_maximum(void)
{
        const char *text = getenv("FDSTORE");
        char *end;
        unsigned long long count;

        if (!text || !getenv("NOTIFY_SOCKET") || text[0] < '0' || text[0] > '9')
                return 0;
        errno = 0;
        count = strtoull(text, &end, 10);
        return errno || *end ? 0 : count;
}

int service_store_put(const char *name, int fd)
{
        char text[64];

        snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
        return notify_send(text, fd);
}

int service_store_remove(const char *name)
{
        char text[64];

        snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
        return notify_send(text, -1);
}

void service_store_wait(int milliseconds)
{
        notify_wait(milliseconds);
}

/* ---- at the start ---------------------------------------------------------------------------- */

/* Ours are a letter and lower-case digits; that of a socket unit has a dot, or is no such thing. */
static bool is_kept(const char *name, int fd)
{
        size_t length = strlen(name);

        if (!strchr("spj", name[0]) || length >= SERVICE_NAME_MAX ||
                strspn(name + 1, "0123456789abcdefghijklmnopqrstuvwxyz") != length - 1)
                return false;
        return sd_is_socket(fd, AF_UNSPEC, 0, 1) <= 0;
}

static int take_listening(int fd, int *ret)
{
        int r = sd_is_socket_unix(fd, SOCK_SEQPACKET, 1, NULL, 0);

        if (r < 0)
                return r;
        if (r == 0)
                return -EPROTOTYPE;
        if (*ret >= 0)
                return -E2BIG;
        *ret = fd;
        return 0;
}

static void free_names(char **names, int count)
{
        for (int i = 0; i < count; i++)
                free(names[i]);
        free(names);
}

int service_take_all(int *ret_listen_fd, struct service_kept **ret, size_t *ret_count)
{
        char **names = NULL;
        struct service_kept *kept;
        int count = sd_listen_fds_with_names(1, &names), listen_fd = -1, r = 0;
        size_t n = 0;

        if (count < 0)
                return count;
        kept = calloc((size_t)count + 1, sizeof(*kept));
        if (!kept)
                r = -ENOMEM;
        for (int i = 0; r == 0 && i < count; i++) {
                int fd = SD_LISTEN_FDS_START + i;

                if (!is_kept(names[i], fd)) {
                        r = take_listening(fd, &listen_fd);
                        continue;
                }
                strcpy(kept[n].name, names[i]);
                kept[n++].fd = fd;
        }
        free_names(names, count);
        if (r < 0) {
                free(kept);
                return r;
        }
        *ret_listen_fd = listen_fd;
        *ret = kept;
        *ret_count = n;
        return 0;
}
