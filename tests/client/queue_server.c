// SPDX-License-Identifier: Apache-2.0
#include "queue_server.h"

#include "support/harness.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct peer peer;
filemem_session *session;
filemem_queue *queue;

#define require(condition)                                                                         \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        abort();                                                                   \
        } while (0)

atomic_uint requests, operations, given_back;
uint64_t next_page;

const struct filemem_range unlucky = {UNLUCKY * PEER_PAGE, (UNLUCKY + 1) * PEER_PAGE};

struct answer {
        Filemem__Result results[WIRE_OPERATIONS_MAX];
        Filemem__Result *pointers[WIRE_OPERATIONS_MAX];
        Filemem__Allocated allocated[WIRE_OPERATIONS_MAX];
        Filemem__UsageReport usage;
        size_t count;
};

static bool is_unlucky(const Filemem__Operation *operation)
{
        return operation->body_case == FILEMEM__OPERATION__BODY_DECREF &&
               operation->decref->start == UNLUCKY * PEER_PAGE;
}

static void fill_result(struct answer *answer, const Filemem__Operation *operation)
{
        Filemem__Result *result = &answer->results[answer->count];
        Filemem__Allocated *allocated = &answer->allocated[answer->count];

        filemem__result__init(result);
        answer->pointers[answer->count++] = result;
        if (is_unlucky(operation)) {
                result->status = FILEMEM__STATUS__STATUS_EACCES;
                result->text = (char *)(uintptr_t) "unlucky";
        } else if (operation->body_case == FILEMEM__OPERATION__BODY_ALLOCATE) {
                filemem__allocated__init(allocated);
                allocated->start = next_page++ * PEER_PAGE;
                allocated->end = allocated->start + operation->allocate->length;
                result->body_case = FILEMEM__RESULT__BODY_ALLOCATED;
                result->allocated = allocated;
        } else if (operation->body_case == FILEMEM__OPERATION__BODY_USAGE) {
                filemem__usage_report__init(&answer->usage);
                answer->usage.total = 4711;
                result->body_case = FILEMEM__RESULT__BODY_USAGE;
                result->usage = &answer->usage;
        }
}

void answer(struct peer *where, const Filemem__Request *request)
{
        static struct answer answer;
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__Reply reply = FILEMEM__REPLY__INIT;
        unsigned lost = 0;

        answer.count = 0;
        for (size_t i = 0; i < request->n_operations; i++) {
                const Filemem__Operation *operation = request->operations[i];

                atomic_fetch_add(&operations, 1);
                if (!operation->no_reply)
                        fill_result(&answer, operation);
                else if (is_unlucky(operation))
                        lost++;
                else
                        atomic_fetch_add(&given_back, 1);
        }
        atomic_fetch_add(&requests, 1);
        reply.id = request->id;
        reply.results = answer.pointers;
        reply.n_results = answer.count;
        message.body_case = FILEMEM__TO_CLIENT__BODY_REPLY;
        message.reply = &reply;
        if (answer.count || request->acknowledge)
                peer_send(where, &message, NULL, 0);
        for (unsigned i = 0; i < lost; i++)
                peer_send_event(where, request->id, FILEMEM__STATUS__STATUS_EACCES, "unlucky");
}

void answer_all(struct peer *where)
{
        const Filemem__ToDaemon *message;

        while ((message = peer_receive(where))) {
                require(message->body_case == FILEMEM__TO_DAEMON__BODY_REQUEST);
                answer(where, message->request);
        }
}

void serve(struct peer *where)
{
        peer_greet(where);
        answer_all(where);
}

void begin(void (*script)(struct peer *peer))
{
        peer_start(&peer, script, NULL);
        session = peer_open(&peer);
        ck_assert_int_eq(filemem_queue_open(session, NULL, &queue), 0);
}

void end(void)
{
        filemem_set_timeout(FILEMEM_NO_TIMEOUT);
        ck_assert_ptr_null(filemem_queue_close(queue));
        filemem_close(session);
        peer_stop(&peer);
}

struct seen seen;

void see(const struct filemem_completion *completion)
{
        uint64_t number = (uint64_t)(uintptr_t)completion->data;

        seen.count++;
        seen.wrong += number && number != ++seen.last;
        seen.result = completion->result;
        seen.range = completion->range;
        strncpy(seen.text, completion->text, sizeof(seen.text) - 1);
}

struct filemem_operation operation(enum filemem_code code, uintptr_t data)
{
        return (struct filemem_operation){
                .code = code,
                .range = {PEER_PAGE, 2 * PEER_PAGE},
                .length = PEER_PAGE,
                .kind = FILEMEM_TMPFS,
                .done = see,
                .data = (void *)data,
        };
}

int submit(enum filemem_code code, uintptr_t data)
{
        struct filemem_operation one = operation(code, data);

        return filemem_submit(queue, &one, 1);
}

void answer_when_told(struct peer *where)
{
        peer_greet(where);
        peer_await(where, 1);
        answer_all(where);
}

void hang_up_when_told(struct peer *where)
{
        peer_greet(where);
        peer_await(where, 1);
}
