// SPDX-License-Identifier: Apache-2.0
#include "server/statistics.h"

#include "base/clock.h"
#include "base/probe.h"
#include "server/request.h"
#include "server/session.h"
#include "server/state.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The place of requests of several operations, and of one that nobody knows. */
#define PLACE_BATCH   0
#define PLACE_UNKNOWN 1

int statistics_init(struct server_statistics *statistics)
{
        struct request_times *times = calloc(1, sizeof(*times));

        if (!times)
                return -ENOMEM;
        times->list[PLACE_BATCH].name = "batch";
        times->list[PLACE_UNKNOWN].name = "unknown";
        times->count = 2;
        times->places[FILEMEM__OPERATION__BODY__NOT_SET] = PLACE_UNKNOWN + 1;
        statistics->times = times;
        return 0;
}

void statistics_deinit(struct server_statistics *statistics)
{
        free(statistics->times);
        statistics->times = NULL;
}

void statistics_note_refusal(struct server_statistics *statistics, int result)
{
        statistics->refused[result > 0 ? result : 0]++;
}

/* ---- operations ------------------------------------------------------------------------------ */

static void note_allocation(
        struct server_statistics *all, struct session_statistics *own, uint64_t bytes)
{
        all->allocations++;
        all->allocated_bytes += bytes;
        own->allocations++;
        own->allocated_bytes += bytes;
}

static void note_release(
        struct server_statistics *all, struct session_statistics *own, uint64_t bytes)
{
        all->releases++;
        all->released_bytes += bytes;
        own->releases++;
        own->released_bytes += bytes;
}

void statistics_note_operation(const struct request *request, int result)
{
        const Filemem__Operation *operation = request->message->operations[request->index];
        struct server_statistics *all = &request->session->server->statistics;
        struct session_statistics *own = &request->session->statistics;

        own->operations++;
        if (result) {
                own->refusals++;
                all->refusals++;
                statistics_note_refusal(all, result);
        } else if (operation->body_case == FILEMEM__OPERATION__BODY_ALLOCATE) {
                note_allocation(all, own, operation->allocate->length);
        } else if (operation->body_case == FILEMEM__OPERATION__BODY_DECREF) {
                note_release(all, own, operation->decref->end - operation->decref->start);
        }
}

/* ---- durations ------------------------------------------------------------------------------- */

/* An operation is called what its field in the contract is called. */
static size_t make_place(struct request_times *times, unsigned body)
{
        const ProtobufCFieldDescriptor *field =
                protobuf_c_message_descriptor_get_field(&filemem__operation__descriptor, body);

        if (!field || times->count == REQUEST_TIMES_MAX)
                return PLACE_UNKNOWN;
        times->list[times->count].name = field->name;
        times->places[body] = (uint8_t)++times->count;
        return times->count - 1;
}

static size_t find_place(struct request_times *times, const Filemem__Request *message)
{
        unsigned body;

        if (message->n_operations > 1)
                return PLACE_BATCH;
        body = (unsigned)message->operations[0]->body_case;
        if (body >= sizeof(times->places))
                return PLACE_UNKNOWN;
        return times->places[body] ? times->places[body] - 1u : make_place(times, body);
}

void statistics_note_request(const struct request *request)
{
        struct server *server = request->session->server;
        struct request_times *times = server->statistics.times;
        uint64_t now = clock_now();

        histogram_add(&times->list[find_place(times, request->message)].histogram,
                now - request->arrived_at);
        PROBE4(request, request->session->id, request->message->id, request->message->n_operations,
                now - request->arrived_at);
        request->session->statistics.active_at = now;
        server->clock = now;
}

/* ---- names ----------------------------------------------------------------------------------- */

static const char *const names[OUTCOME_COUNT] = {
#define X(name, number, text) [name] = #name,
        OUTCOME_TABLE(X)
#undef X
};

void statistics_name_outcome(int outcome, char *ret, size_t size)
{
        const char *from = "error";
        size_t i;

        if (outcome > 0 && outcome < OUTCOME_COUNT)
                from = names[outcome] + strlen("OUTCOME_");
        for (i = 0; from[i] && i + 1 < size; i++)
                ret[i] = (char)tolower((unsigned char)from[i]);
        ret[i] = 0;
}
