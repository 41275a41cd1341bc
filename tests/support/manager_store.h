// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/manager.h"

/* What the manager keeps for its service, and what that says about it. All under its mutex. */

/* Reads one notification and does what it says. Returns false if there is none. */
bool manager_hear(struct manager *manager);

/* Closes and forgets one descriptor. */
void manager_drop(struct manager *manager, size_t at);

/* The same with the connections whose other end has hung up. */
void manager_drop_hung_up(struct manager *manager);
