// SPDX-License-Identifier: Apache-2.0
#include "exchange.h"

#include "proto/status.h"
#include "text.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static void *map_memory(size_t size)
{
        void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        return memory == MAP_FAILED ? NULL : memory;
}

static struct exchange *exchange_new(filemem_session *session)
{
        struct exchange *exchange = map_memory(sizeof(*exchange));
        struct message *message = exchange ? map_memory(sizeof(*message)) : NULL;

        if (!message) {
                if (exchange)
                        munmap(exchange, sizeof(*exchange));
                return NULL;
        }
        arena_init_in(&message->arena, message->block, sizeof(message->block));
        message->fd = -1;
        pthread_cond_init(&exchange->wake, NULL);
        exchange->message = message;
        exchange->older = atomic_load(&session->exchanges);
        while (!atomic_compare_exchange_weak(&session->exchanges, &exchange->older, exchange))
                ;
        return exchange;
}

struct exchange *exchange_get(filemem_session *session)
{
        struct exchange *exchange;

        uint64_t id;

        pthread_mutex_lock(&session->lock);
        id = ++session->last_id;
        exchange = TAILQ_FIRST(&session->idle);
        if (exchange)
                TAILQ_REMOVE(&session->idle, exchange, link);
        pthread_mutex_unlock(&session->lock);
        if (!exchange)
                exchange = exchange_new(session);
        if (!exchange)
                return NULL;
        exchange->id = id;
        exchange->waiting = false;
        exchange->done = false;
        exchange->error = 0;
        exchange->text[0] = '\0';
        return exchange;
}

static void drop_fd(struct message *message)
{
        if (message->fd >= 0)
                close(message->fd);
        message->fd = -1;
}

void exchange_put(filemem_session *session, struct exchange *exchange)
{
        drop_fd(exchange->message);
        pthread_mutex_lock(&session->lock);
        TAILQ_INSERT_HEAD(&session->idle, exchange, link);
        pthread_mutex_unlock(&session->lock);
}

int call_init(filemem_session *session)
{
        struct exchange *exchange;

        pthread_mutex_init(&session->lock, NULL);
        TAILQ_INIT(&session->pending);
        TAILQ_INIT(&session->idle);
        /* One at least, so that a single thread needs no memory after open. */
        exchange = exchange_get(session);
        if (!exchange)
                return -ENOMEM;
        exchange_put(session, exchange);
        return 0;
}

void call_deinit(filemem_session *session)
{
        struct exchange *exchange = atomic_load(&session->exchanges);

        while (exchange) {
                struct exchange *older = exchange->older;

                drop_fd(exchange->message);
                munmap(exchange->message, sizeof(*exchange->message));
                munmap(exchange, sizeof(*exchange));
                exchange = older;
        }
        atomic_store(&session->exchanges, NULL);
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

static void finish(filemem_session *session, struct exchange *exchange)
{
        TAILQ_REMOVE(&session->pending, exchange, link);
        exchange->done = true;
        pthread_cond_signal(&exchange->wake);
}

void exchange_fail_all(filemem_session *session, int error, int later, const char *text)
{
        struct exchange *exchange;

        if (!session->failure) {
                session->failure = later;
                text_copy(session->failure_text, sizeof(session->failure_text), text);
        }
        while ((exchange = TAILQ_FIRST(&session->pending))) {
                exchange->error = error;
                text_copy(exchange->text, sizeof(exchange->text), text);
                finish(session, exchange);
        }
}

static void count_lost(filemem_session *session, Filemem__Status status, const char *text)
{
        session->lost_errors++;
        session->lost_error = -status_to_errno(status);
        text_copy(session->lost_text, sizeof(session->lost_text), text);
}

/* A reply that nobody waits for: to a request that has no result, or to none at all. */
static void dispatch_receipt(filemem_session *session, const Filemem__Reply *reply)
{
        if (reply->id == 0 || reply->id > session->last_id || reply->n_results > 0)
                exchange_fail_all(session, -EPROTO, -EPROTO,
                        "the daemon answered a request that was not made");
        else if (reply->status != FILEMEM__STATUS__STATUS_OK)
                count_lost(session, reply->status, reply->text);
}

static void dispatch_reply(filemem_session *session, struct exchange *mine)
{
        struct message *message = mine->message;
        uint64_t id = message->decoded->reply->id;
        struct exchange *owner;

        TAILQ_FOREACH (owner, &session->pending, link)
                if (owner->id == id)
                        break;
        if (!owner) {
                dispatch_receipt(session, message->decoded->reply);
                return;
        }
        mine->message = owner->message;
        owner->message = message;
        finish(session, owner);
}

static void dispatch_goodbye(filemem_session *session, const Filemem__Goodbye *goodbye)
{
        int error = -status_to_errno(goodbye->status);
        const char *text = goodbye->text[0] ? goodbye->text : "the daemon ended the session";

        exchange_fail_all(session, error ? error : -ECONNRESET, -ECONNRESET, text);
}

void exchange_dispatch(filemem_session *session, struct exchange *mine)
{
        const Filemem__ToClient *decoded = mine->message->decoded;

        switch (decoded->body_case) {
        case FILEMEM__TO_CLIENT__BODY_REPLY:
                dispatch_reply(session, mine);
                break;
        case FILEMEM__TO_CLIENT__BODY_EVENT:
                count_lost(session, decoded->event->status, decoded->event->text);
                break;
        case FILEMEM__TO_CLIENT__BODY_GOODBYE:
                dispatch_goodbye(session, decoded->goodbye);
                break;
        case FILEMEM__TO_CLIENT__BODY_WELCOME:
                exchange_fail_all(session, -EPROTO, -EPROTO, "the daemon said Welcome twice");
                break;
        default:
                /* What a later daemon says unasked. */
                break;
        }
}
