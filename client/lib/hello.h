// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "session.h"

/*
 * Says Hello on session->socket and waits for Welcome, at most until the deadline: checks all that
 * it says and the descriptor that it brings, and fills the constants of the session. Returns 0;
 * HELLO_CUT_OFF if the connection ended without an answer; or a negative errno with the sentence
 * for filemem_open_error() set.
 */
#define HELLO_CUT_OFF 1
int hello(filemem_session *session, const struct filemem_options *options, uint64_t deadline);
