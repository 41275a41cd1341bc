// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/filemem.pb-c.h"

struct request;

/*
 * What administrators do, as in rpc.h. The daemon's are root, its own user and one group; a pool
 * has some of its own. No peer is one, whoever opened it.
 */
int handle_destroy_pool(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);

/* Also a session of the same user. */
int handle_kick_session(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);

/* Gives back what can be, see pool_trim(). Also in a private pool of the same user. */
void begin_trim(struct request *request, const Filemem__Operation *operation);
int finish_trim(struct request *request, int job_result, Filemem__Result *result);

void begin_reload(struct request *request, const Filemem__Operation *operation);
int finish_reload(struct request *request, int job_result, Filemem__Result *result);
