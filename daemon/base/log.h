// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/log_events.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Lines for the operator, one for each event that is listed in filememd(8), on stderr or in the
 * journal with fields of their own. Where stderr is a pipe to the journal a line starts with its
 * level as "<3>", as sd-daemon(3) has it.
 *
 * What a client can cause is limited for each kind and user, to 10 lines in 10 s, and then one says
 * how many were left out: nobody floods the log, nor hides by that what others do.
 */
enum log_level {
        LOG_LEVEL_ERROR = 3, /* the values of syslog(3) */
        LOG_LEVEL_WARNING = 4,
        LOG_LEVEL_INFO = 6,
        LOG_LEVEL_DEBUG = 7,
};

enum log_event {
#define X(name, level, cause, id) LOG_##name,
        LOG_EVENTS(X)
#undef X
                LOG_EVENT_COUNT
};

/* What a line is about. */
struct log_about {
        uint64_t session; /* 0: none */
        const char *pool; /* its name; NULL: none */
        uid_t uid;        /* who causes it; LOG_NO_UID: no client, or nobody knows */
        pid_t pid;        /* the client's; 0: none */
};

#define LOG_NO_UID ((uid_t)-1)

static inline struct log_about log_nobody(void)
{
        return (struct log_about){.uid = LOG_NO_UID};
}

static inline struct log_about log_of_pool(const char *name)
{
        return (struct log_about){.uid = LOG_NO_UID, .pool = name};
}

/* Call before there is a second thread. levels: prefix lines on stderr with their level. */
void log_setup(enum log_level maximum, bool levels);

struct log_record {
        const char *event;   /* its name, such as "SERVING" */
        const char *id;      /* 32 hexadecimal digits */
        const char *message; /* one line, without its end */
        enum log_level level;
        struct log_about about;
};

/* Where lines go instead of stderr. Returns false if it could not take one, which stderr gets then.
 */
typedef bool log_sink(const struct log_record *record);

/* Call before there is a second thread. */
void log_set_sink(log_sink *sink);

/* Writes one line with one system call. Thread safe; errno survives. format has no newline. */
__attribute__((format(printf, 3, 4))) void log_event(
        enum log_event event, struct log_about about, const char *format, ...);

/* Says how many lines were left out, of what was limited until now. Call it now and then. */
void log_flush(uint64_t now);
