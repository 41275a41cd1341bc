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
 * ends together can find out that it would pay again, for each is slow while the other sleeps. So
 * they try it with the same requests, by their ids: the first few of every 64, and whoever finds
 * nothing half as often from then on, up to the first few of every 2,048. What one tries the other
 * one tries too, or more.
 */
#define BUSY_POLL_TRIALS     4
#define BUSY_POLL_RANKS      6
#define BUSY_POLL_MOST_OFTEN 64
#define BUSY_POLL_CREDIT_MAX 8

struct busy_poll {
        unsigned credit;
        unsigned failures; /* trials in vain, up to BUSY_POLL_RANKS - 1 */
        bool is_late;      /* the last moment was too short, or there was none */
};

/* How much of a trial that request is: 0, none, to BUSY_POLL_RANKS, one for everybody. */
static inline unsigned busy_poll_rank(uint64_t request_id)
{
        uint64_t every = BUSY_POLL_MOST_OFTEN;
        unsigned rank = 0;

        while (rank < BUSY_POLL_RANKS && request_id % every < BUSY_POLL_TRIALS) {
                every *= 2;
                rank++;
        }
        return rank;
}

static inline bool busy_poll_is_trial(const struct busy_poll *poll, unsigned rank)
{
        return rank > poll->failures;
}

/* rank: of the request that was sent or came last. */
static inline bool busy_poll_is_worth_it(const struct busy_poll *poll, unsigned rank)
{
        return poll->credit > 0 || busy_poll_is_trial(poll, rank);
}

/* After a moment in which something was found, or not. */
static inline void busy_poll_learn(struct busy_poll *poll, bool found)
{
        if (!found) {
                if (poll->credit == 0 && poll->failures < BUSY_POLL_RANKS - 1)
                        poll->failures++;
                poll->credit /= 2;
        } else if (poll->credit == 0 || (!poll->is_late && poll->credit < BUSY_POLL_CREDIT_MAX)) {
                poll->credit++;
        }
        if (poll->credit == BUSY_POLL_CREDIT_MAX)
                poll->failures = 0;
        poll->is_late = !found;
}
