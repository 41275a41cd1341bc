// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/server.h"

#include <stdbool.h>

/* What systemd keeps while the daemon is started again, as the store that the server puts it in. */
struct keeper {
        struct server_store store; /* maximum 0: there is none */
};

/*
 * Takes over what systemd hands us: the listening socket (-1: none), and what was kept. Returns 0
 * or a negative errno as service_take_all().
 */
int keeper_begin(struct keeper *keeper, int *ret_listen_fd);

/* What to do with what comes, when it does not fit any more. */
void keeper_set_refuse(struct keeper *keeper, bool refuse);

/* The store, or NULL. */
const struct server_store *keeper_store(const struct keeper *keeper);

void keeper_end(struct keeper *keeper);
