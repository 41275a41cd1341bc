// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "session.h"

/*
 * Says Hello on session->socket and waits for Welcome: checks all that it says and the descriptor
 * that it brings, and fills the constants of the session. Returns 0 or a negative errno with the
 * sentence for filemem_open_error() set.
 */
int hello(filemem_session *session, const struct filemem_options *options);
