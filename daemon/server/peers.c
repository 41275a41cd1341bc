// SPDX-License-Identifier: Apache-2.0
#include "server/peers.h"

#include "base/error.h"
#include "server/label.h"
#include "server/request.h"
#include "server/session.h"
#include "server/state.h"

#include <errno.h>

static int check_peer(const struct request *request, const Filemem__OpenPeer *query)
{
        const struct session *session = request->session;

        if (!session->served)
                return OUTCOME_POOL_NONE;
        if (session->read_only && !query->read_only)
                return OUTCOME_READ_ONLY;
        if (!label_is_valid(query->label))
                return OUTCOME_LABEL_BAD;
        if (request->message->operations[request->index]->no_reply)
                return OUTCOME_PEER_UNHEARD;
        if (request->fd >= 0)
                return OUTCOME_PEER_SECOND;
        if (session->served->state == SERVED_DESTROYED || session->server->stopping)
                return OUTCOME_POOL_CLOSED;
        return 0;
}

static void lower(uint64_t *maximum, uint64_t asked)
{
        if (asked && asked < *maximum)
                *maximum = asked;
}

/* Limits of its own, if that is asked for. Peers of it would be a way around them. */
static const struct limits_set *choose_limits(
        const struct request *request, const Filemem__OpenPeer *query, struct limits_set *limits)
{
        if (!query->max_bytes && !query->max_ranges)
                return NULL;
        *limits = request->session->server->limits.options.sets[LIMITS_SESSION];
        lower(&limits->maximum[LIMIT_BYTES], query->max_bytes);
        lower(&limits->maximum[LIMIT_RANGES], query->max_ranges);
        limits->maximum[LIMIT_PEERS] = 0;
        return limits;
}

int handle_open_peer(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        const Filemem__OpenPeer *query = operation->open_peer;
        Filemem__PeerOpened *opened = arena_alloc(request->arena, sizeof(*opened));
        struct limits_set limits;
        int r = check_peer(request, query);

        if (r)
                return r;
        if (!opened)
                return -ENOMEM;
        filemem__peer_opened__init(opened);
        r = session_open_peer(request->session, query->read_only, query->label,
                choose_limits(request, query, &limits), &opened->session, &request->fd);
        if (r)
                return r == -EAGAIN ? REQUEST_AGAIN : r;
        result->body_case = FILEMEM__RESULT__BODY_PEER_OPENED;
        result->peer_opened = opened;
        return 0;
}
