// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "peer.h"

#include <stdatomic.h>

/* A peer that does what it is asked, a session and a queue with it, and operations for it. */
extern struct peer peer;
extern filemem_session *session;
extern filemem_queue *queue;

void begin(void (*script)(struct peer *peer));
void end(void);

/* ---- the peer ---------------------------------------------------------------------------------
 */

#define UNLUCKY 13 /* page that nobody gets */

extern const struct filemem_range unlucky; /* to give it up is refused */
extern atomic_uint requests, operations, given_back;
extern uint64_t next_page; /* that it allocates */

/* Scripts: answer all; only when the test has reached step 1; hang up then. */
void serve(struct peer *where);
void answer_when_told(struct peer *where);
void hang_up_when_told(struct peer *where);

/* For other scripts. */
void answer(struct peer *where, const Filemem__Request *request);
void answer_all(struct peer *where);

/* ---- operations -------------------------------------------------------------------------------
 */

/* What see() was called with last, and how often. */
struct seen {
        unsigned count;
        unsigned wrong; /* not in the order of data, where that is not 0 */
        uint64_t last;  /* data of the one before */
        int result;
        struct filemem_range range;
        char text[32];
};
extern struct seen seen;

void see(const struct filemem_completion *completion);

/* On a page, with see() as its callback. */
struct filemem_operation operation(enum filemem_code code, uintptr_t data);
int submit(enum filemem_code code, uintptr_t data);
