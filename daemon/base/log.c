// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/log_limit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

enum cause { CAUSE_DAEMON, CAUSE_CLIENT };

static const struct kind {
        const char *name;
        const char *id;
        enum log_level level;
        enum cause cause;
} kinds[LOG_EVENT_COUNT] = {
#define X(name, level, cause, id) {#name, id, LOG_LEVEL_##level, CAUSE_##cause},
        LOG_EVENTS(X)
#undef X
};

_Static_assert(LOG_EVENT_COUNT <= LOG_LIMIT_KINDS, "each has a window");

static enum log_level log_maximum = LOG_LEVEL_INFO;
static bool log_levels;
static log_sink *log_elsewhere;

static struct lock limit_lock = {.mutex = PTHREAD_MUTEX_INITIALIZER, .rank = LOCK_LOG};
static struct log_limit limit;

void log_setup(enum log_level maximum, bool levels)
{
        log_maximum = maximum;
        log_levels = levels;
}

void log_set_sink(log_sink *sink)
{
        log_elsewhere = sink;
}

static void write_stderr(const struct log_record *record)
{
        char line[LINE_MAX_BYTES];
        int used;

        if (log_levels)
                used = snprintf(line, sizeof(line), "<%d>%s", (int)record->level, record->message);
        else
                used = snprintf(line, sizeof(line), "filememd: %s", record->message);
        if (used > (int)sizeof(line) - 1)
                used = (int)sizeof(line) - 1;
        line[used++] = '\n'; /* over the terminating zero: the line is written by length */
        if (write(STDERR_FILENO, line, (size_t)used) < 0) {
                /* There is nobody left to tell. */
        }
}

__attribute__((format(printf, 2, 0))) static void emit(
        struct log_record *record, const char *format, va_list arguments)
{
        char message[LINE_MAX_BYTES];
        int saved = errno;

        vsnprintf(message, sizeof(message), format, arguments);
        record->message = message;
        if (!log_elsewhere || !log_elsewhere(record))
                write_stderr(record);
        record->message = NULL;
        errno = saved;
}

static struct log_record record_of(enum log_event event, struct log_about about)
{
        const struct kind *kind = &kinds[event];

        return (struct log_record){kind->name, kind->id, NULL, kind->level, about};
}

static void say_left_out(const struct log_window *window)
{
        const char *name = kinds[window->kind].name;

        if (window->shared || window->uid == LOG_NO_UID)
                log_event(LOG_LINES_LEFT_OUT, log_nobody(),
                        "left out %u more lines of the kind %s, of several users", window->left_out,
                        name);
        else
                log_event(LOG_LINES_LEFT_OUT, (struct log_about){.uid = window->uid},
                        "left out %u more lines of the kind %s, which user %u caused",
                        window->left_out, name, window->uid);
}

static bool admit(enum log_event event, uid_t uid)
{
        struct log_window ended;
        bool admitted;

        if (kinds[event].cause == CAUSE_DAEMON)
                return true;
        lock_take(&limit_lock);
        admitted = log_limit_admit(&limit, event, uid, clock_now(), &ended);
        lock_drop(&limit_lock);
        if (ended.left_out)
                say_left_out(&ended);
        return admitted;
}

void log_event(enum log_event event, struct log_about about, const char *format, ...)
{
        struct log_record record = record_of(event, about);
        va_list arguments;

        if (record.level > log_maximum || !admit(event, about.uid))
                return;
        va_start(arguments, format);
        emit(&record, format, arguments);
        va_end(arguments);
}

void log_flush(uint64_t now)
{
        struct log_window ended;
        bool found;

        do {
                lock_take(&limit_lock);
                found = log_limit_end(&limit, now, &ended);
                lock_drop(&limit_lock);
                if (found)
                        say_left_out(&ended);
        } while (found);
}
