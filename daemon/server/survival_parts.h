// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/survival.h"

/*
 * What the files of survival share:
 *
 *      survival.c            what is kept, and what becomes of it
 *      survival_journal.c    how it is written down
 *      survival_store.c      how the store is told
 */

struct state_record;

/* ---- survival_journal.c ---------------------------------------------------------------------- */

/* Records beyond twice what there is, before the journal is written anew. */
#define SURVIVAL_SPARE 4096u

void survival_describe_pool(const struct served *served, struct state_record *ret);
void survival_describe_session(const struct session *session, struct state_record *ret);

/* Writes down how something is now. Where that fails all is written anew. */
void survival_write_state(struct server *server, const struct state_record *record);

/*
 * Writes down all there is at once, and that record (NULL: none) behind it, in place of what was
 * written. Where that fails it is tried again.
 */
void survival_write_anew(struct server *server, const struct state_record *record);

/* ---- survival_store.c ------------------------------------------------------------------------ */

/* store: may be NULL. Where it holds next to nothing there is none. */
void survival_open_store(struct server *server, const struct server_store *store);
void survival_close_store(struct survival *survival);

/* Whether so many descriptors more fit in. */
bool survival_has_room(const struct survival *survival, unsigned count);

/* Has a descriptor kept under that name. Returns 0, -EAGAIN, or OUTCOME_STORE_FULL. */
int survival_put(struct server *server, const char *name, int fd);

/* Something could not be done now: in a moment it is tried again. */
void survival_try_again(struct survival *survival);
