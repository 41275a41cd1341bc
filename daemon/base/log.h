// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>

/*
 * Lines for the operator, on stderr, one for each event that is listed in filememd(8). Under
 * systemd (stderr is the journal) a line starts with its level as "<3>", as sd-daemon(3) has it. A
 * client can make the daemon log only through log_client(), which is rate limited.
 */
enum log_level {
        LOG_LEVEL_ERROR = 3, /* the values of syslog(3) */
        LOG_LEVEL_WARNING = 4,
        LOG_LEVEL_INFO = 6,
        LOG_LEVEL_DEBUG = 7,
};

/* Call before there is a second thread. journal: prefix lines with their level. */
void log_setup(enum log_level maximum, bool journal);

/* Writes one line with one system call. Thread safe; errno survives. format has no newline. */
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

/* The same for what a client causes: at most 10 lines in 10 s; then how many were left out. */
__attribute__((format(printf, 2, 3))) void log_client(
        enum log_level level, const char *format, ...);

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
