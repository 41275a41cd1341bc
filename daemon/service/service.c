// SPDX-License-Identifier: Apache-2.0
#include "service/service.h"

#include "base/cleanup.h"

#include <sys/socket.h>
#include <systemd/sd-daemon.h>

bool service_is_used(void)
{
        return getenv("NOTIFY_SOCKET") || sd_listen_fds(0) > 0;
}

int service_take_socket(int *ret_fd)
{
        int count = sd_listen_fds(1), r;

        if (count < 0)
                return count;
        if (count > 1)
                return -E2BIG;
        if (count == 0) {
                *ret_fd = -1;
                return 0;
        }
        r = sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_SEQPACKET, 1, NULL, 0);
        if (r < 0)
                return r;
        if (r == 0)
                return -EPROTOTYPE;
        *ret_fd = SD_LISTEN_FDS_START;
        return 0;
}

/* A manager that cannot be told will find out by itself; there is nothing to do about it here. */
void service_notify_ready(const char *status)
{
        (void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void service_notify_stopping(void)
{
        (void)sd_notify(0, "STOPPING=1\nSTATUS=Answering what is under way");
}
