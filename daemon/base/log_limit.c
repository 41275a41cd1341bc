// SPDX-License-Identifier: Apache-2.0
#include "base/log_limit.h"

#include <stddef.h>

static bool is_over(const struct log_window *window, uint64_t now)
{
        return !window->used || now - window->since >= LOG_LIMIT_TIME;
}

/* The window of this user; or one that is free; or that of all others. */
static struct log_window *find(struct log_limit *limit, unsigned kind, uid_t uid, uint64_t now)
{
        struct log_window *free = NULL;

        for (int i = 0; i < LOG_LIMIT_WINDOWS; i++) {
                struct log_window *window = &limit->windows[i];

                if (window->used && window->kind == kind && window->uid == uid)
                        return window;
                if (!free && is_over(window, now))
                        free = window;
        }
        return free ? free : &limit->others[kind];
}

static void begin(
        struct log_limit *limit, struct log_window *window, unsigned kind, uid_t uid, uint64_t now)
{
        *window = (struct log_window){
                .kind = kind,
                .uid = uid,
                .used = true,
                .shared = window == &limit->others[kind],
                .since = now,
        };
}

bool log_limit_admit(struct log_limit *limit, unsigned kind, uid_t uid, uint64_t now,
        struct log_window *ret_ended)
{
        struct log_window *window = find(limit, kind, uid, now);

        *ret_ended = (struct log_window){.used = false};
        if (is_over(window, now)) {
                if (window->left_out)
                        *ret_ended = *window;
                begin(limit, window, kind, uid, now);
        }
        if (window->lines < LOG_LIMIT_LINES) {
                window->lines++;
                return true;
        }
        window->left_out++;
        return false;
}

static bool end(struct log_window *window, uint64_t now, struct log_window *ret_ended)
{
        if (!window->left_out || !is_over(window, now))
                return false;
        *ret_ended = *window;
        window->used = false;
        window->left_out = 0;
        return true;
}

bool log_limit_end(struct log_limit *limit, uint64_t now, struct log_window *ret_ended)
{
        for (int i = 0; i < LOG_LIMIT_WINDOWS; i++)
                if (end(&limit->windows[i], now, ret_ended))
                        return true;
        for (int i = 0; i < LOG_LIMIT_KINDS; i++)
                if (end(&limit->others[i], now, ret_ended))
                        return true;
        return false;
}
