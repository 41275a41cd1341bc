// SPDX-License-Identifier: Apache-2.0
#include "server/identity.h"

#include "server/session.h"
#include "server/state.h"

#include <sys/socket.h>

/* Linux 4.13; the headers of some libcs do not have it. */
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

void identity_ask(const struct session *session, struct identity *ret)
{
        gid_t *groups = session->server->groups;
        socklen_t size = sizeof(session->server->groups);

        *ret = (struct identity){.uid = (uid_t)-1, .gid = (gid_t)-1};
        if (session->parent)
                return;
        ret->uid = session->uid;
        ret->gid = session->gid;
        /* Where the kernel does not say, there are none: then rules open less, never more. */
        if (getsockopt(session->channel.fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
                return;
        ret->groups = groups;
        ret->group_count = size / sizeof(*groups);
}
