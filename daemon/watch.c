// SPDX-License-Identifier: Apache-2.0
#include "watch.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "service/service.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>

/* A line that people read needs to be no newer. */
#define STATUS_INTERVAL (5 * NSEC_PER_SEC)

/* Of the watchdog's time, so that a few late ones do no harm. */
#define WATCHDOG_PART 4

bool watch_thread_look(struct watch_thread *thread, const struct memory_progress *progress,
        uint64_t now, uint64_t limit)
{
        bool stuck = false;

        if (!progress->has_work || progress->steps != thread->steps || !thread->since) {
                thread->steps = progress->steps;
                thread->since = now;
        } else {
                stuck = now - thread->since >= limit;
        }
        if (stuck == thread->stuck)
                return false;
        thread->stuck = stuck;
        return true;
}

static void say_stuck(const struct watch_thread *thread, const char *name, uint64_t now)
{
        if (thread->stuck)
                log_event(LOG_THREAD_STUCK, log_nobody(),
                        "the %s thread has been stuck for %llu s: no word to the watchdog", name,
                        (unsigned long long)((now - thread->since) / NSEC_PER_SEC));
        else
                log_event(LOG_THREAD_GOES_ON, log_nobody(), "the %s thread goes on", name);
}

static bool threads_are_well(struct watch *watch, uint64_t now)
{
        struct memory_progress progress[MEMORY_THREADS];
        bool well = true;

        memory_progress(watch->memory, now, progress);
        for (int i = 0; i < MEMORY_THREADS; i++) {
                struct watch_thread *thread = &watch->threads[i];

                if (watch_thread_look(thread, &progress[i], now, watch->watchdog))
                        say_stuck(thread, progress[i].thread, now);
                well = well && !thread->stuck;
        }
        return well;
}

static void describe(struct watch *watch, uint64_t now, char text[WATCH_STATUS_MAX])
{
        struct server_summary summary;

        server_summary(watch->server, &summary);
        watch_format_status(&summary, text);
        watch->status_at = now;
}

/* While systemd reads nothing, its watchdog does not hear us either: soon again. */
static void ping(struct watch *watch)
{
        static const struct timeval soon = {.tv_usec = 100000};

        if (!service_notify_watchdog())
                (void)event_add(&watch->again, &soon);
}

static void on_again(evutil_socket_t fd, short what, void *context)
{
        (void)fd;
        (void)what;
        ping(context);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
        struct watch *watch = context;
        uint64_t now = clock_now();

        (void)fd;
        (void)what;
        log_flush(now);
        if (!watch->service)
                return;
        if (watch->watchdog && threads_are_well(watch, now))
                ping(watch);
        /* libevent's clock is a coarse one: a timer may be some milliseconds early. */
        if (now - watch->status_at >= STATUS_INTERVAL - watch->interval / 2) {
                char text[WATCH_STATUS_MAX];

                describe(watch, now, text);
                service_notify_status(text);
        }
}

int watch_start(struct watch *watch, struct event_base *base, struct memory *memory,
        struct server *server, bool service)
{
        uint64_t watchdog = service ? service_watchdog() : 0;
        char text[WATCH_STATUS_MAX];
        struct timeval period;

        *watch = (struct watch){.memory = memory,
                .server = server,
                .service = service,
                .watchdog = watchdog,
                .interval = STATUS_INTERVAL};
        if (watchdog && watchdog / WATCHDOG_PART < watch->interval)
                watch->interval = watchdog / WATCHDOG_PART;
        period.tv_sec = (time_t)(watch->interval / NSEC_PER_SEC);
        period.tv_usec = (suseconds_t)(watch->interval % NSEC_PER_SEC / NSEC_PER_USEC);
        check(event_assign(&watch->timer, base, -1, EV_PERSIST, on_timer, watch) == 0);
        check(evtimer_assign(&watch->again, base, on_again, watch) == 0);
        if (event_add(&watch->timer, &period) < 0)
                return -ENOMEM;
        watch->running = true;
        if (!service)
                return 0;
        describe(watch, clock_now(), text);
        service_notify_ready(text);
        return 0;
}

void watch_stop(struct watch *watch)
{
        if (watch->running) {
                event_del(&watch->timer);
                event_del(&watch->again);
        }
        watch->running = false;
}

/* Whole numbers: two of them that are one line apart can be compared. */
static unsigned long long mebibytes(uint64_t bytes)
{
        return bytes >> 20;
}

void watch_format_status(const struct server_summary *summary, char text[WATCH_STATUS_MAX])
{
        snprintf(text, WATCH_STATUS_MAX,
                "%llu session%s in %llu pool%s; %llu MiB held, %llu MiB stored; %llu operations",
                (unsigned long long)summary->sessions, summary->sessions == 1 ? "" : "s",
                (unsigned long long)summary->pools, summary->pools == 1 ? "" : "s",
                mebibytes(summary->held), mebibytes(summary->stored),
                (unsigned long long)summary->operations);
}
