// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Turns of the loop, shared out among users: whoever has a thousand sessions that all have
 * something to do gets no more of a turn of the loop than one who has one.
 *
 * In each turn the sessions of a user have TURNS_SHARE together. Those that it was not enough for
 * are first in the next one: a session has its second go only when all others of its user that
 * wanted one have had their first. Nobody waits where there is nobody to wait for.
 *
 * libevent does not say when a turn begins. But it calls each session at most once in one: a
 * session that is called again tells that there is a new turn.
 */
#define TURNS_SHARE UINT64_C(1000000) /* ns */

struct turns {
        uint64_t number; /* of the turn; from 1 */
};

/* Of a user. All zeros is fine. */
struct turns_share {
        uint64_t turn;  /* that `spent` and `left_out` are of */
        uint64_t spent; /* ns */
        uint64_t round; /* in which each session has one go */
        bool left_out;  /* it was not enough for a session */
};

/* Of a session. All zeros is fine. */
struct turns_mark {
        uint64_t turn;  /* that it was called in last */
        uint64_t round; /* that it had its go in */
};

/* A session is called: whether it may have a go. Else it has to be called again. */
bool turns_take(struct turns *turns, struct turns_share *share, struct turns_mark *mark);

/* The go is over, after so many ns. */
void turns_spend(struct turns_share *share, uint64_t spent);
