// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * How many lines clients may cause. Each kind of line has a window for each user that causes it; of
 * windows there are few, and who finds none that is free shares the one that the kind has for all
 * others. So the lines are bounded, whoever comes. No lock, no clock, no allocation.
 */
#define LOG_LIMIT_LINES   10u
#define LOG_LIMIT_TIME    UINT64_C(10000000000) /* ns */
#define LOG_LIMIT_WINDOWS 32
#define LOG_LIMIT_KINDS   64

struct log_window {
        unsigned kind;
        uid_t uid;
        bool used;
        bool shared; /* by all users that have none of their own */
        uint64_t since;
        unsigned lines;
        unsigned left_out;
};

struct log_limit {
        struct log_window windows[LOG_LIMIT_WINDOWS];
        struct log_window others[LOG_LIMIT_KINDS];
};

/*
 * Whether a line of this kind, below LOG_LIMIT_KINDS, may be written at `now`. *ret_ended is a
 * window that has ended with that and in which lines were left out; or one that was not used.
 */
bool log_limit_admit(struct log_limit *limit, unsigned kind, uid_t uid, uint64_t now,
        struct log_window *ret_ended);

/* Ends a window whose time is over and in which lines were left out. Returns false if there is
 * none. */
bool log_limit_end(struct log_limit *limit, uint64_t now, struct log_window *ret_ended);
