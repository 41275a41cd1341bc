// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * How each end of a connection waits for the other: before it sleeps it asks again and again for a
 * moment, as long as that pays. To wake a thread on a core that sleeps takes more than all else
 * that a call does, tens of microseconds in a virtual machine; a moment in which nothing comes is
 * time taken from others.
 *
 * What was found is credit for more moments, and what was not halves it. Without credit only both
 * ends together can find out that it would pay again, for each is slow while the other sleeps: they
 * try it with the same requests, a few of every BUSY_POLL_TRIAL_EVERY.
 */
#define BUSY_POLL_TRIAL_EVERY 512
#define BUSY_POLL_TRIALS      4
#define BUSY_POLL_CREDIT_MAX  8

struct busy_poll {
        unsigned credit;
        bool is_late; /* the last moment was too short, or there was none */
};

/* Whether that request is one to try it with. */
static inline bool busy_poll_is_trial(uint64_t request_id)
{
        return request_id % BUSY_POLL_TRIAL_EVERY < BUSY_POLL_TRIALS;
}

static inline bool busy_poll_is_worth_it(const struct busy_poll *poll, bool trial)
{
        return trial || poll->credit > 0;
}

/* After a moment in which something was found, or not. */
static inline void busy_poll_learn(struct busy_poll *poll, bool found)
{
        if (!found)
                poll->credit /= 2;
        else if (poll->credit == 0 || (!poll->is_late && poll->credit < BUSY_POLL_CREDIT_MAX))
                poll->credit++;
        poll->is_late = !found;
}
