// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/journal.h"
#include "memory/survive.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What a pool writes down. The caller of all of this holds the pool's lock, which makes the order
 * of the records that of the changes.
 *
 * Two things are rebuilt from them: what each holder holds, and which pages are taken at all: in
 * the pool's tree, held or freed. The pool's tree follows from both.
 */
enum record_type {
        RECORD_KEEP = 1, /* [start, end) is taken, of that kind, and nobody has it by this */
        RECORD_GIVE,     /* it is a gap again */
        RECORD_JOIN,     /* a holder, of session `request` */
        RECORD_LEAVE,
        RECORD_HOLD,     /* value: references */
        RECORD_ALLOCATE, /* RECORD_KEEP and RECORD_HOLD of one reference */
        RECORD_INCREF,
        RECORD_DECREF, /* value: references */
        RECORD_RESULT, /* value: of an operation that is in no other record */
        RECORD_SIZE,   /* value: of the pool, in pages, at least */
        RECORD_DAMAGE, /* what was before it is not all */
};

#define RECORD_PART   1u /* the operation is not through */
#define RECORD_RANGED 2u /* the result of an allocation */

/* Pages, in the byte order of the machine: it never leaves it. */
struct record {
        struct journal_mark mark;
        uint8_t type;
        uint8_t operation; /* of the request */
        uint8_t kind;
        uint8_t flags;
        uint32_t slot; /* of the holder */
        uint32_t start;
        uint32_t end;
        uint32_t value;
        uint64_t request; /* 0: none that is sent again */
};

_Static_assert(sizeof(struct record) == 32, "two to a cache line");

#define RECORD_VERSION 1u

struct pool;
struct holder;

/* Which operation a holder is at, and what came of those of its last request. */
struct holder_results {
        uint64_t session;
        uint32_t slot;
        uint32_t operation;
        uint64_t request; /* 0: none that is sent again */
        bool part;        /* what is done next is only a part of the operation */
        bool claimed;

        uint64_t last; /* the request that `list` is of */
        struct pool_result *list;
        uint32_t count;
        uint32_t room;
};

/* Where a copy of the journal has got to: see copy.c. */
struct record_copy {
        _Atomic bool wanted;
        bool dirty; /* the area that is not active has to be cleared */
        enum { COPY_IDLE, COPY_KEPT, COPY_HELD } phase;
        uint32_t slot; /* the holders below are copied */
        bool entered;  /* this one is, what it holds as far as */
        uint32_t page;
        uint64_t retry_at; /* clock_now(): not before, if it failed */
};

/* Of a pool with a journal. */
struct recorder {
        struct journal journal;
        struct holder **slots; /* of holders, NULL: free */
        uint32_t slot_room;
        uint32_t slot_low;     /* all below are in use */
        struct holder **index; /* those that wait to be claimed, by session */
        uint32_t index_count;
        _Atomic bool failed; /* its journal had no memory: what it says is not all, */
        bool told;           /* and that was said, by the reclaim thread */
        _Atomic bool low;    /* the reclaim thread knows that memory is needed soon, */
        bool short_of;       /* and could not get it: no more of that before the next copy */
        bool stopped;        /* nothing is written any more */
        uint64_t limit;      /* records, from which on a copy is wanted */
        unsigned piece;      /* entries that are copied under one hold of the lock */
        struct record_copy copy;
};

/* These are called where pool->recorder is set. Pages. */
void record_allocate(struct holder *holder, uint32_t start, uint32_t end, uint8_t kind);
void record_incref(struct holder *holder, uint32_t start, uint32_t end);
void record_decref(struct holder *holder, uint32_t start, uint32_t end, uint32_t refs);
void record_keep(struct pool *pool, uint32_t start, uint32_t end, uint8_t kind);
void record_give(struct pool *pool, uint32_t start, uint32_t end);

/* A slot for a new holder, and its end. Join returns 0 or -ENOMEM. */
int record_join(struct holder *holder);
void record_leave(struct holder *holder);

struct recorder *recorder_free(struct recorder *recorder);

/* Adds what came of an operation to the results of the holder; there is room for it. */
void results_add(struct holder_results *results, uint64_t request, const struct pool_result *add);
int results_reserve(struct holder_results *results, uint32_t count);
void results_free(struct holder_results *results);

/* ---- copy.c ------------------------------------------------------------------------------------
 */

/* So many records are appended to what a copy had, and to so many more, before the next one. */
#define RECORD_COPY_EVERY 65536u

/* Entries that are copied under one hold of the lock. */
#define RECORD_COPY_PIECE 256u

/* Of what has just been written to the journal, writes to the copy what concerns it. */
void copy_follow(struct pool *pool, const struct record *record);

/* All at once, before anybody else knows the pool. Returns 0 or a negative errno. */
int copy_all(struct pool *pool);
