// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define CLIENT_LINES   10u
#define CLIENT_WINDOW  (10 * NSEC_PER_SEC)

static enum log_level log_maximum = LOG_LEVEL_INFO;
static bool log_journal;

/* Relaxed is enough: a line more or less at the edge of a window harms nobody. */
static _Atomic uint64_t window_start;
static atomic_uint window_lines;

void log_setup(enum log_level maximum, bool journal)
{
        log_maximum = maximum;
        log_journal = journal;
}

__attribute__((format(printf, 2, 0))) static void write_line(
        enum log_level level, const char *format, va_list arguments)
{
        char line[LINE_MAX_BYTES];
        int saved = errno, used = 0, n;

        if (level > log_maximum)
                return;
        if (log_journal)
                used = snprintf(line, sizeof(line), "<%d>", (int)level);
        else
                used = snprintf(line, sizeof(line), "filememd: ");
        n = vsnprintf(line + used, sizeof(line) - (size_t)used, format, arguments);
        if (n > 0)
                used += n;
        if (used > (int)sizeof(line) - 1)
                used = (int)sizeof(line) - 1;
        line[used++] = '\n'; /* over the terminating zero: the line is written by length */
        if (write(STDERR_FILENO, line, (size_t)used) < 0) {
                /* There is nobody left to tell. */
        }
        errno = saved;
}

void log_line(enum log_level level, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        write_line(level, format, arguments);
        va_end(arguments);
}

void log_client(enum log_level level, const char *format, ...)
{
        uint64_t now = clock_now();
        va_list arguments;

        if (level > log_maximum)
                return;
        if (now - atomic_load_explicit(&window_start, memory_order_relaxed) > CLIENT_WINDOW) {
                unsigned lines = atomic_exchange_explicit(&window_lines, 0, memory_order_relaxed);

                atomic_store_explicit(&window_start, now, memory_order_relaxed);
                if (lines > CLIENT_LINES)
                        log_line(level, "%u more lines about clients were left out",
                                lines - CLIENT_LINES);
        }
        if (atomic_fetch_add_explicit(&window_lines, 1, memory_order_relaxed) >= CLIENT_LINES)
                return;
        va_start(arguments, format);
        write_line(level, format, arguments);
        va_end(arguments);
}
