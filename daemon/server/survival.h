// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/journal.h"
#include "server/server.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct served;
struct session;

/*
 * What of the server outlives it: which sessions and pools there are, in a journal, and their
 * descriptors, in a store that somebody else keeps. Without a store all of this does nothing.
 *
 *      name in the store    is
 *      j                    the journal of sessions and pools
 *      pN, jN               memory and journal of pool N
 *      sN                   the daemon's end of session N
 *
 * A session or a pool is kept from the moment at which its record is there, and before anybody is
 * told. A descriptor that is stored without a record, or the other way round, is what a crash in
 * between leaves: it is dropped.
 */

/* In place of one that systemd names: a letter, and a number to the base of 36. */
#define SURVIVAL_NAME_MAX SERVER_NAME_MAX

struct survival_removal;

struct survival {
        const struct server_store *store; /* NULL: nothing survives */
        struct journal journal;
        bool failed;    /* somebody was told */
        uint64_t limit; /* records, from which on it is written anew */
        bool copying;   /* it is being written anew: all up to these places is */
        size_t copied_pools;
        size_t copied_sessions;
        uint64_t next_session; /* identities below are spoken for */
        uint64_t next_pool;
        uint32_t restarts;                        /* that were survived */
        uint64_t stored;                          /* descriptors in the store */
        uint64_t name_bytes;                      /* of their names */
        STAILQ_HEAD(, survival_removal) removals; /* to be told to the store */
        TAILQ_HEAD(, session) waiting;            /* for the store to take more */
        struct event retry;
        /* The operation that ends what is written down as gone next. */
        struct {
                uint64_t session; /* 0: none */
                uint64_t request;
                uint32_t operation;
        } cause;
        bool adopting; /* nothing is written yet */
        bool patient;  /* it may wait for the store: nobody is served meanwhile */
};

/*
 * Takes over what was kept, if anything: pools and sessions are there again, and their clients
 * told. The pools come before the configuration, which then says what becomes of them. Returns 0;
 * -EPROTONOSUPPORT if a newer daemon left it, and then all stays as it is; or another negative
 * errno.
 */
int survival_init(struct server *server, const struct server_store *store);

/* Behind the configuration: forgets the pools that nobody uses, and what nobody claimed. */
void survival_settle(struct server *server);

void survival_deinit(struct server *server);

/* ---- pools ----------------------------------------------------------------------------------- */

/*
 * A new pool is to be kept. Returns 0 if it is, or never will be (where the store is full and that
 * is no error); -EAGAIN, OUTCOME_STORE_FULL or -ENOMEM, and then it must not be used.
 */
int survival_keep_pool(struct server *server, struct served *served);
void survival_forget_pool(struct server *server, struct served *served);

/* ---- sessions -------------------------------------------------------------------------------- */

/*
 * Two steps, so that what may fail or has to be tried again comes before anything else is done: the
 * descriptor is stored under the identity of a session; the session is kept. The first returns 0,
 * -EAGAIN, or OUTCOME_STORE_FULL. The second writes down how the session is now; it may be called
 * again. It returns whether the session is kept.
 */
int survival_store_session(struct server *server, uint64_t id, int fd);
bool survival_keep_session(struct session *session);

/* Undoes both. */
void survival_drop_session(struct server *server, uint64_t id);

/*
 * An operation of a session that is kept came to that: written down. Or it is about to end a
 * session or a pool that is kept: this and that are one record, the next that says that something
 * is gone.
 */
void survival_note_applied(
        const struct session *session, uint64_t request, uint32_t operation, int result);
void survival_note_cause(const struct session *session, uint64_t request, uint32_t operation);

/* A descriptor that was kept is of no more use. */
void survival_drop_name(struct server *server, const char *name);

/* Whether a session in that pool may be kept at all. */
bool survival_is_possible(const struct server *server, const struct served *served);

/* The session waits until the store takes more. */
void survival_wait(struct session *session);
void survival_stop_waiting(struct session *session);

/* An identity for a session or a pool was taken: those to come will not be used again. */
void survival_note_identities(struct server *server);
