// SPDX-License-Identifier: Apache-2.0
#include "exchange.h"

#include "queue.h"

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

/*
 * What every session has that is used, in one mapping, made by its first call: an exchange, so that
 * a single thread needs no memory from then on, and the spare requests.
 */
struct session_memory {
        struct exchange_memory first;
        struct request_spare spares[REQUESTS_SPARE];
};

/* Under the lock: one that two threads make is one too many. */
static struct exchange *exchange_first(filemem_session *session)
{
        struct session_memory *memory = exchange_map(sizeof(*memory));

        if (!memory)
                return NULL;
        session->memory = memory;
        session->spares = memory->spares;
        return exchange_init(session, &memory->first, false);
}

/* The caller holds the lock, which is let go meanwhile, and stays so where there is no memory. */
static struct exchange *exchange_make(filemem_session *session)
{
        bool is_first = !session->memory;
        struct exchange *exchange = is_first ? exchange_first(session) : NULL;

        if (exchange)
                return exchange;
        pthread_mutex_unlock(&session->lock);
        if (!is_first)
                exchange = exchange_new(session);
        if (exchange)
                pthread_mutex_lock(&session->lock);
        return exchange;
}

struct exchange *exchange_enter(filemem_session *session)
{
        struct exchange *exchange;

        pthread_mutex_lock(&session->lock);
        exchange = TAILQ_FIRST(&session->idle);
        if (exchange)
                TAILQ_REMOVE(&session->idle, exchange, link);
        else
                exchange = exchange_make(session);
        if (!exchange)
                return NULL;
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

int call_init(filemem_session *session)
{
        pthread_mutex_init(&session->lock, NULL);
        TAILQ_INIT(&session->idle);
        TAILQ_INIT(&session->waiters);
        TAILQ_INIT(&session->queues);
        TAILQ_INIT(&session->spare_batches);
        request_init(session);
        return fork_guard_init(&session->guard);
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
                munmap(session->memory, sizeof(*session->memory));
        session->memory = NULL;
}
