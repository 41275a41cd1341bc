// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/journal.h"
#include "memory/pool.h"
#include "proto/wire.h"

#include <stdint.h>

/* What is written down of the server: each record says how something is now, or that it is gone. */
enum state_record_type {
        STATE_IDENTITIES = 1, /* id: of the next session; pool: of the next pool; flags: how often
                                 the sessions went on with another daemon */
        STATE_POOL,
        STATE_POOL_GONE,
        STATE_SESSION,
        STATE_SESSION_GONE,
        STATE_APPLIED, /* what an operation of session `id` came to: since version 2 */
};

#define STATE_POOL_EXEC    1u
#define STATE_POOL_VERIFY  2u
#define STATE_POOL_HUGE    4u
#define STATE_POOL_PRIVATE 8u
#define STATE_POOL_UNSIZED 16u /* the configuration said nothing of its capacity */

#define STATE_SESSION_GREETED   1u
#define STATE_SESSION_READ_ONLY 2u
#define STATE_SESSION_LIMITED   4u /* it has limits of its own */

struct state_record {
        struct journal_mark mark;
        uint32_t type;
        uint64_t id;
        uint64_t pool; /* of a session, 0: none */
        uint32_t flags;
        uint32_t uid;
        union {
                struct {
                        uint64_t capacity;
                        char name[POOL_NAME_MAX + 1];
                } pool_state;
                struct {
                        uint64_t parent;
                        uint64_t opened_at;
                        uint64_t max_bytes;
                        uint64_t max_ranges;
                        uint64_t max_peers;
                        int32_t pid;
                        uint32_t gid;
                        char label[WIRE_LABEL_MAX + 1];
                } session;
                /* Of one that is gone too: whose operation it was that ended it, if any. */
                struct {
                        uint64_t session; /* 0: none */
                        uint64_t request;
                        uint32_t operation;
                        int32_t result;
                } applied;
                uint8_t room[224];
        };
};

_Static_assert(sizeof(struct state_record) == 256, "one size for all");

#define STATE_VERSION 2u
