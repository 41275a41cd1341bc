// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "filemem/filemem.h"

/*
 * Sentences for people: one per thread for calls and one for filemem_open(), in fixed thread-local
 * buffers, so that saying what went wrong cannot fail itself.
 */

/* Copies a text of the daemon's, cut to size, with control characters replaced. NULL is "". */
void text_copy(char *target, size_t size, const char *source);

/* Starts a call of this thread: it has no sentence yet. */
void text_clear(void);

/* The sentence of the call that this thread is in. Returns error, so that it can be returned. */
int text_set(const filemem_session *session, int error, const char *sentence);

/* The same for filemem_open(). */
void text_open_clear(void);
__attribute__((format(printf, 2, 3))) int text_open_set(int error, const char *format, ...);
