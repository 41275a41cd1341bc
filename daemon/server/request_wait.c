// SPDX-License-Identifier: Apache-2.0
#include "server/request_parts.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "server/state.h"

#include <errno.h>
#include <stdlib.h>

/*
 * A range of n pages has at most n entries, and each costs some ten nanoseconds. After this many
 * pages the clock is looked at, and after this long the other sessions have a turn.
 */
#define REQUEST_PAGES    4096
#define REQUEST_PATIENCE NSEC_PER_MSEC

/* A request that has to wait, with the memory that it was begun in: the server has got new. */
struct parked {
        struct request request;
        struct arena decode;
        struct arena results;
};

void request_free(struct request *request)
{
        struct parked *parked = (void *)((char *)request - offsetof(struct parked, request));

        served_release(request->asked);
        fd_close(request->fd);
        arena_deinit(&parked->results);
        arena_deinit(&parked->decode);
        free(parked);
}

/* The server gets new arenas in place of those that the request is in. Returns 0 or -ENOMEM. */
static int take_arenas(struct server *server, struct parked *parked)
{
        struct arena decode = server->decode, results = server->results;

        if (arena_init(&server->decode, WIRE_ARENA_SIZE) < 0)
                return -ENOMEM;
        if (arena_init(&server->results, SERVER_RESULTS_SIZE) < 0) {
                arena_deinit(&server->decode);
                server->decode = decode;
                return -ENOMEM;
        }
        parked->decode = decode;
        parked->results = results;
        return 0;
}

struct request *request_park(struct request *request)
{
        struct session *session = request->session;
        struct parked *parked;

        if (session->parked)
                return session->parked;
        parked = calloc(1, sizeof(*parked));
        if (!parked || take_arenas(session->server, parked) < 0) {
                free(parked);
                return NULL;
        }
        parked->request = *request;
        parked->request.arena = &parked->results;
        session->parked = &parked->request;
        charge_set(&session->charge, LIMIT_REQUESTS, 1); /* there was room when it was read */
        return session->parked;
}

bool request_is_due(struct request *request, const Filemem__Operation *operation)
{
        uint64_t now;

        if (operation->body_case == FILEMEM__OPERATION__BODY_INCREF)
                request->pages += (operation->incref->end - operation->incref->start) >> 12;
        else if (operation->body_case == FILEMEM__OPERATION__BODY_DECREF)
                request->pages += (operation->decref->end - operation->decref->start) >> 12;
        if (request->pages < REQUEST_PAGES || request->index == request->message->n_operations)
                return false;
        request->pages = 0;
        now = clock_now();
        if (!request->began_at)
                request->began_at = now;
        return now - request->began_at > REQUEST_PATIENCE;
}

bool request_yield(struct request **request)
{
        struct request *parked = request_park(*request);

        if (!parked)
                return false;
        *request = parked;
        parked->began_at = 0;
        parked->yielded = true;
        inbox_post(&parked->session->server->inbox, &parked->item);
        return true;
}
