// SPDX-License-Identifier: Apache-2.0
#include "exchange.h"

#include "arguments.h"
#include "proto/status.h"
#include "queue.h"
#include "text.h"
#include "wait.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* With the message that it has at first. */
struct exchange_memory {
        struct exchange exchange;
        struct message message;
};

void *exchange_map(size_t size)
{
        void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        return memory == MAP_FAILED ? NULL : memory;
}

void exchange_init_message(struct message *message)
{
        arena_init_in(&message->arena, message->block, sizeof(message->block));
        message->fd = -1;
}

/* Deadlines are times of that clock. */
static void init_wake(pthread_cond_t *wake)
{
        pthread_condattr_t attributes;

        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(wake, &attributes);
        pthread_condattr_destroy(&attributes);
}

static struct exchange *exchange_init(
        filemem_session *session, struct exchange_memory *memory, bool is_mapping)
{
        struct exchange *exchange = &memory->exchange;

        init_wake(&exchange->wake);
        exchange_init_message(&memory->message);
        exchange->is_mapping = is_mapping;
        exchange->message = &memory->message;
        exchange->request.exchange = exchange;
        exchange->request.buffer = exchange->buffer;
        exchange->older = atomic_load(&session->exchanges);
        while (!atomic_compare_exchange_weak(&session->exchanges, &exchange->older, exchange))
                ;
        return exchange;
}

static struct exchange *exchange_new(filemem_session *session)
{
        struct exchange_memory *memory = exchange_map(sizeof(*memory));

        return memory ? exchange_init(session, memory, true) : NULL;
}

struct exchange *exchange_enter(filemem_session *session)
{
        struct exchange *exchange;

        pthread_mutex_lock(&session->lock);
        exchange = TAILQ_FIRST(&session->idle);
        if (exchange) {
                TAILQ_REMOVE(&session->idle, exchange, link);
        } else {
                pthread_mutex_unlock(&session->lock);
                exchange = exchange_new(session);
                if (!exchange)
                        return NULL;
                pthread_mutex_lock(&session->lock);
        }
        exchange->done = false;
        exchange->abandoned = false;
        exchange->error = 0;
        exchange->text[0] = '\0';
        return exchange;
}

static int steal_fd(struct message *message)
{
        int fd = message->fd;

        message->fd = -1;
        return fd;
}

static void drop_fd(struct message *message)
{
        int fd = steal_fd(message);

        if (fd >= 0)
                close(fd);
}

void exchange_drop_fd(struct exchange *exchange)
{
        drop_fd(exchange->message);
}

void exchange_put(filemem_session *session, struct exchange *exchange)
{
        TAILQ_INSERT_HEAD(&session->idle, exchange, link);
}

void exchange_leave(filemem_session *session, struct exchange *exchange)
{
        int fd = steal_fd(exchange->message);

        exchange_put(session, exchange);
        pthread_mutex_unlock(&session->lock);
        if (fd >= 0)
                close(fd);
}

void exchange_retire(filemem_session *session, struct exchange *exchange)
{
        if (!exchange->batch) {
                if (exchange->abandoned)
                        exchange_put(session, exchange);
        } else if (exchange->abandoned || !exchange->batch->results) {
                batch_put(session, exchange->batch);
        }
}

void exchange_abandon(filemem_session *session, struct exchange *exchange)
{
        exchange->abandoned = true;
        if (exchange->done)
                exchange_put(session, exchange);
        else if (!exchange->request.sent)
                request_remove(session, &exchange->request);
}

/*
 * What every session has, in one mapping: a page for the guard, an exchange, so that a single
 * thread needs no memory after open, and the spare requests.
 */
struct session_memory {
        struct exchange_memory first;
        struct request_spare spares[REQUESTS_SPARE];
};

int call_init(filemem_session *session)
{
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        struct session_memory *memory;
        int r;

        session->memory_size = page + sizeof(*memory);
        session->memory = exchange_map(session->memory_size);
        if (!session->memory)
                return -ENOMEM;
        r = fork_guard_init(&session->guard, session->memory, page);
        if (r < 0)
                return r;
        memory = (void *)((unsigned char *)session->memory + page);
        pthread_mutex_init(&session->lock, NULL);
        TAILQ_INIT(&session->idle);
        TAILQ_INIT(&session->waiters);
        TAILQ_INIT(&session->queues);
        TAILQ_INIT(&session->spare_batches);
        request_init(session, memory->spares);
        exchange_put(session, exchange_init(session, &memory->first, false));
        return 0;
}

/* Messages are traded: all are looked at before any memory goes. */
void call_deinit(filemem_session *session)
{
        struct exchange *exchange = atomic_load(&session->exchanges), *older;

        for (older = exchange; older; older = older->older)
                drop_fd(older->message);
        batch_deinit_all(session);
        for (; exchange; exchange = older) {
                older = exchange->older;
                if (exchange->is_mapping)
                        munmap(exchange, sizeof(struct exchange_memory));
        }
        atomic_store(&session->exchanges, NULL);
        if (session->memory)
                munmap(session->memory, session->memory_size);
        session->memory = NULL;
}

/* What brings a descriptor after Welcome: a peer's socket, or the page of statistics. */
static bool brings_fd(const Filemem__ToClient *decoded)
{
        Filemem__Result__BodyCase body;

        if (decoded->body_case != FILEMEM__TO_CLIENT__BODY_REPLY || decoded->reply->n_results != 1)
                return false;
        body = decoded->reply->results[0]->body_case;
        return body == FILEMEM__RESULT__BODY_PEER_OPENED ||
               body == FILEMEM__RESULT__BODY_STATISTICS;
}

int exchange_decode(struct message *message, struct fdset *fds)
{
        bool come = fds->count > 0 || fds->truncated;
        int r;

        drop_fd(message);
        arena_reset(&message->arena);
        r = wire_decode_to_client(
                &message->arena, message->packet, message->size, &message->decoded);
        if (r < 0 || fds->count > 1 || (come && !brings_fd(message->decoded)))
                return -EPROTO;
        message->fd = fdset_steal(fds, 0);
        return 0;
}

/* Its request is out of the log, and its thread is told. */
static void finish(filemem_session *session, struct exchange *exchange)
{
        request_remove(session, &exchange->request);
        exchange->done = true;
        if (exchange->batch)
                queue_complete(session, exchange->batch);
        else
                pthread_cond_signal(&exchange->wake);
}

/* A batch of releases: nobody waits for what becomes of it. */
static bool is_silent(const struct exchange *exchange)
{
        return exchange->batch && !exchange->batch->results;
}

static void fail(filemem_session *session, struct request *request, int error, const char *text)
{
        struct exchange *exchange = request->exchange;

        if (!exchange || exchange->abandoned || is_silent(exchange)) {
                request_remove(session, request);
                return;
        }
        exchange->error = error;
        text_copy(exchange->text, sizeof(exchange->text), text);
        finish(session, exchange);
}

void exchange_fail_all(filemem_session *session, int error, int later, const char *text)
{
        struct request *request;

        if (!session->failure) {
                session->failure = later;
                text_copy(session->failure_text, sizeof(session->failure_text), text);
        }
        while ((request = TAILQ_FIRST(&session->log)))
                fail(session, request, error, text);
        session->resume = false;
        wait_wake(session);
        queue_watch(session);
}

static void count_lost(filemem_session *session, int error, const char *text)
{
        session->lost_errors++;
        session->lost_error = error;
        text_copy(session->lost_text, sizeof(session->lost_text), text);
        queue_notify_lost(session);
}

void exchange_fail_unsent(filemem_session *session, int error)
{
        struct request *request = session->unsent;

        /* What the daemon may know already cannot be left out. */
        if (!request || request->sent) {
                exchange_fail_all(session, error, error, "sending failed");
                return;
        }
        if (!request->exchange || is_silent(request->exchange))
                count_lost(session, error, "sending failed");
        /* Whoever waits until it is sent has waited long enough. */
        if (request->id > session->last_sent)
                session->last_sent = request->id;
        fail(session, request, error, "sending failed");
}

/* A reply that nobody waits for: to a request that has no result, or to none at all. */
static void dispatch_receipt(filemem_session *session, const Filemem__Reply *reply)
{
        if (reply->id == 0 || reply->id > session->last_id || reply->n_results > 0)
                exchange_fail_all(session, -EPROTO, -EPROTO,
                        "the daemon answered a request that was not made");
        else if (reply->status != FILEMEM__STATUS__STATUS_OK)
                count_lost(session, -status_to_errno(reply->status), reply->text);
}

/* What a request gave us that nobody waits for any more. Returns whether there is something. */
static bool is_given(const filemem_session *session, const struct exchange *exchange,
        const Filemem__Reply *reply, struct filemem_range *ret)
{
        const Filemem__Result *result;

        if (reply->status != FILEMEM__STATUS__STATUS_OK || reply->n_results != 1)
                return false;
        result = reply->results[0];
        if (result->status != FILEMEM__STATUS__STATUS_OK)
                return false;
        if (exchange->operation == FILEMEM__OPERATION__BODY_INCREF) {
                *ret = exchange->range;
                return true;
        }
        if (exchange->operation != FILEMEM__OPERATION__BODY_ALLOCATE ||
                result->body_case != FILEMEM__RESULT__BODY_ALLOCATED)
                return false;
        *ret = (struct filemem_range){result->allocated->start, result->allocated->end};
        return arguments_is_range(session, ret->start, ret->end);
}

size_t exchange_encode_release(uint8_t *buffer, size_t size, size_t end, struct filemem_range range)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Range body = FILEMEM__RANGE__INIT;

        body.start = range.start;
        body.end = range.end;
        operation.no_reply = true;
        operation.body_case = FILEMEM__OPERATION__BODY_DECREF;
        operation.decref = &body;
        return (size_t)frame_add(buffer, size, end, &operation);
}

/* The exchange that nobody waits for carries what undoes it: that needs no memory. */
static void give_back(
        filemem_session *session, struct exchange *exchange, struct filemem_range range)
{
        struct request *request = &exchange->request;

        exchange->operation = FILEMEM__OPERATION__BODY__NOT_SET;
        exchange->abandoned = false;
        request_remove(session, request);
        exchange->abandoned = true;
        request->end = exchange_encode_release(request->buffer, REQUEST_SIZE, FRAME_HEAD, range);
        request_append(session, request, false);
        wait_send(session);
}

static void dispatch_reply(filemem_session *session, struct exchange *mine)
{
        struct message *message = mine->message;
        const Filemem__Reply *reply = message->decoded->reply;
        struct request *request = request_find(session, reply->id);
        struct exchange *owner = request ? request->exchange : NULL;
        struct filemem_range range;

        request_answered(session, reply->id);
        if (!owner || is_silent(owner)) {
                dispatch_receipt(session, reply);
                if (request && !session->failure)
                        request_remove(session, request);
        } else if (!owner->abandoned) {
                mine->message = owner->message;
                owner->message = message;
                finish(session, owner);
        } else if (owner->batch) {
                batch_give_back_late(session, owner->batch, reply);
        } else if (is_given(session, owner, reply, &range)) {
                give_back(session, owner, range);
        } else {
                request_remove(session, request);
        }
}

static void dispatch_event(filemem_session *session, const Filemem__Event *event)
{
        struct request *request = request_find(session, event->request);

        /* A daemon that was started again tells again what it had told. */
        if (request && event->operation < request->refused)
                return;
        if (request)
                request->refused = event->operation + 1;
        count_lost(session, -status_to_errno(event->status), event->text);
}

static void dispatch_goodbye(filemem_session *session, const Filemem__Goodbye *goodbye)
{
        int error = -status_to_errno(goodbye->status);
        const char *text = goodbye->text[0] ? goodbye->text : "the daemon ended the session";

        exchange_fail_all(session, error ? error : -ECONNRESET, -ECONNRESET, text);
}

static void dispatch_resumed(filemem_session *session)
{
        if (session->survives)
                request_resume(session);
        else
                exchange_fail_all(session, -EPROTO, -EPROTO,
                        "the daemon resumed a session that does not survive it");
}

void exchange_dispatch(filemem_session *session, struct exchange *mine)
{
        const Filemem__ToClient *decoded = mine->message->decoded;

        switch (decoded->body_case) {
        case FILEMEM__TO_CLIENT__BODY_REPLY:
                dispatch_reply(session, mine);
                break;
        case FILEMEM__TO_CLIENT__BODY_EVENT:
                dispatch_event(session, decoded->event);
                break;
        case FILEMEM__TO_CLIENT__BODY_GOODBYE:
                dispatch_goodbye(session, decoded->goodbye);
                break;
        case FILEMEM__TO_CLIENT__BODY_RESUMED:
                dispatch_resumed(session);
                break;
        case FILEMEM__TO_CLIENT__BODY_WELCOME:
                exchange_fail_all(session, -EPROTO, -EPROTO, "the daemon said Welcome twice");
                break;
        default:
                /* What a later daemon says unasked. */
                break;
        }
}
