// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/access.h"

struct session;

/*
 * Who is at the other end, as the kernel knows since it connected: uid, gid, and its supplementary
 * groups, which are asked for each time, so that no session has to keep them. Valid until the next
 * call. At the other end of a peer's socket may be anybody: it has the identity of nobody, which is
 * in no list but "everybody".
 */
void identity_ask(const struct session *session, struct identity *ret);
