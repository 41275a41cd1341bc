// SPDX-License-Identifier: Apache-2.0
#include "scripted.h"

struct peer peer;
filemem_session *session;

void scripted_begin(void (*script)(struct peer *peer), const void *argument)
{
        peer_start(&peer, script, argument);
        session = peer_open(&peer);
}

void scripted_end(void)
{
        filemem_close(session);
        peer_stop(&peer);
}
