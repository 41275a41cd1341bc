// SPDX-License-Identifier: Apache-2.0
#pragma once

struct server;

/*
 * What a daemon before this one left: pools with what is held in them, then their sessions. What
 * of it belongs to nothing is dropped. Both return 0 or a negative errno as survival_init().
 */
int adopt_all(struct server *server);

/* The same where there is no journal: then all of it belongs to nothing. */
int adopt_nothing(struct server *server);
