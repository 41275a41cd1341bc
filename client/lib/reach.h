// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "session.h"

/*
 * Connects session->socket, unless it is connected, and says Hello. A daemon that dies just then is
 * waited for, some seconds, as where systemd listens for it and starts it again: nothing was done
 * yet that could be done twice. What is an answer is one: a Goodbye, and nobody who listens at
 * first. Returns 0 or a negative errno with the sentence for filemem_open_error() set.
 */
int reach(filemem_session *session, const char *path, const struct filemem_options *options);
