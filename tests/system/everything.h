// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "filemem/filemem.h"

/*
 * What a process does with a session, all of it, for processes that may do little else: nothing but
 * the library is called. Returns how much of it was wrong. The session is closed at the end.
 */
int everything_with(filemem_session *mine);

/* The same with a queue and its descriptor, by a program that has an event loop. */
int everything_in_a_loop(filemem_session *mine);

/* The part that two threads do at the same time, so that they wait for each other. */
int everything_at_once(filemem_session *mine);
