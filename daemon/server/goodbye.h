// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/channel.h"

/*
 * Tells a client why the daemon ends its session: `result` is an outcome or a negative errno. Best
 * effort: where it cannot be sent at once, or packets wait before it, the client finds out by
 * itself.
 */
void goodbye_send(struct channel *channel, int result);
