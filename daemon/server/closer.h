// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>

/*
 * A thread that closes file descriptors. Closing can take as long as a client likes: it may have
 * sent a TCP socket that lingers or a file of a file system of its own, and whoever drops the last
 * reference to it waits, be it with a close() or by throwing away the message that carries it. So
 * the loop lets go of nothing that a client has had a hand in: it leaves that to this thread.
 */
struct closer;

/* Returns 0 or a negative errno. */
int closer_new(struct closer **ret);

/*
 * Ends the thread when it is through, and frees. A thread that one descriptor holds up for a second
 * is left behind: it does the rest and frees, unless the process ends before. NULL is fine; returns
 * NULL.
 */
struct closer *closer_free(struct closer *closer);

/*
 * Closes a descriptor, which is gone for the caller. discard: it is a connection of ours; what it
 * was sent is thrown away first, since the other side could not read our last words otherwise: a
 * socket that is closed with packets unread makes its next recv() fail with ECONNRESET.
 */
void closer_close(struct closer *closer, int fd, bool discard);

/*
 * Closes a connection of ours that nothing is left in, which is gone for the caller: here and now,
 * where that cannot take long. Before Linux 6.9 who closed any socket also had to collect those
 * that had been lost in each other, with all that was in them.
 */
void closer_close_empty(struct closer *closer, int fd);

/* Whether something is not closed yet. */
bool closer_is_busy(const struct closer *closer);
