// SPDX-License-Identifier: Apache-2.0
#include "service/service.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "service/notify.h"

#include <stdio.h>
#include <systemd/sd-daemon.h>

bool service_is_used(void)
{
        return getenv("NOTIFY_SOCKET") || sd_listen_fds(0) > 0;
}

uint64_t service_watchdog(void)
{
        uint64_t usec = 0;

        return sd_watchdog_enabled(0, &usec) > 0 ? usec * NSEC_PER_USEC : 0;
}

/* A manager that cannot be told will find out by itself; there is nothing to do about it here. */
void service_notify_ready(const char *status)
{
        (void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

bool service_notify_watchdog(void)
{
        return notify_send("WATCHDOG=1", -1) != -EAGAIN;
}

void service_notify_status(const char *status)
{
        char text[512];

        snprintf(text, sizeof(text), "STATUS=%s", status);
        (void)notify_send(text, -1);
}

/* The time is for Type=notify-reload, from systemd 253 on, which needs it to tell an old answer
 * from a new one. */
void service_notify_reloading(void)
{
        (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
                (unsigned long long)(clock_now() / NSEC_PER_USEC));
}

void service_notify_reloaded(void)
{
        (void)sd_notify(0, "READY=1");
}

void service_notify_stopping(void)
{
        (void)sd_notify(0, "STOPPING=1\nSTATUS=Answering what is under way");
}
