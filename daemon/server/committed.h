// SPDX-License-Identifier: Apache-2.0
#pragma once

struct served;
struct server;
struct session;

/*
 * What the kernel stores is not the daemon's to refuse: clients write without asking. But where a
 * pool, or all together, have as much as they may, nobody there is given more to write to. Nothing
 * is charged to a session, because nobody can tell who wrote a page.
 */

/* Before an allocation. Returns 0 or OUTCOME_LIMIT_COMMITTED. Asks the kernel of the session's pool
 * each time, and of the other pools every tenth of a second, and only where there is such a limit.
 */
int committed_check(const struct session *session);

/* Asks the kernel what it stores for the pool, and notes it. */
void committed_note(struct served *served);

/* The same for all pools, at most every tenth of a second. */
void committed_note_all(struct server *server);
