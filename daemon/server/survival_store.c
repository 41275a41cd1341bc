// SPDX-License-Identifier: Apache-2.0
#include "server/survival_parts.h"

#include "base/crash.h"
#include "base/error.h"
#include "base/log.h"
#include "server/state.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

/* One variable of the environment has 128 KiB; the rest is for the listening socket's. */
#define SURVIVAL_NAMES_MAX (126u << 10)

/* At the start, and when pools are configured, the store is waited for. */
#define SURVIVAL_ATTEMPTS   50
#define SURVIVAL_ATTEMPT_MS 100

/* When it could not be told. */
static const struct timeval retry_after = {.tv_usec = 5000};

struct survival_removal {
        STAILQ_ENTRY(survival_removal) link;
        char name[SURVIVAL_NAME_MAX];
};

void survival_try_again(struct survival *survival)
{
        (void)event_add(&survival->retry, &retry_after);
}

bool survival_has_room(const struct survival *survival, unsigned count)
{
        return survival->stored + count <= survival->store->maximum &&
               survival->name_bytes + (uint64_t)count * SURVIVAL_NAME_MAX <= SURVIVAL_NAMES_MAX;
}

static void note_removed(struct survival *survival, const char *name)
{
        survival->stored--;
        survival->name_bytes -= strlen(name) + 1;
}

/* What waits to be removed. Returns 0 or -EAGAIN. */
static int send_removals(struct survival *survival)
{
        struct survival_removal *removal;

        while ((removal = STAILQ_FIRST(&survival->removals))) {
                if (survival->store->remove(removal->name) == -EAGAIN)
                        return -EAGAIN;
                note_removed(survival, removal->name);
                STAILQ_REMOVE_HEAD(&survival->removals, link);
                free(removal);
        }
        return 0;
}

static int try_put(struct survival *survival, const char *name, int fd)
{
        /* What is to go goes first, or the store may have no room. */
        int r = send_removals(survival);

        return r < 0 ? r : survival->store->put(name, fd);
}

int survival_put(struct server *server, const char *name, int fd)
{
        struct survival *survival = &server->survival;
        int r;

        if (!survival_has_room(survival, 1))
                return OUTCOME_STORE_FULL;
        crash_point();
        r = try_put(survival, name, fd);
        for (int i = 0; i < SURVIVAL_ATTEMPTS && r == -EAGAIN && survival->patient; i++) {
                survival->store->wait(SURVIVAL_ATTEMPT_MS);
                r = try_put(survival, name, fd);
        }
        crash_point();
        if (r < 0 && r != -EAGAIN) {
                log_event(LOG_STORE_FAILED, log_nobody(), "systemd takes no descriptors: %s",
                        strerror(-r));
                return OUTCOME_STORE_FULL;
        }
        if (r == 0) {
                survival->stored++;
                survival->name_bytes += strlen(name) + 1;
        }
        return r;
}

void survival_drop_name(struct server *server, const char *name)
{
        struct survival *survival = &server->survival;
        struct survival_removal *removal;
        int r = STAILQ_EMPTY(&survival->removals) ? survival->store->remove(name) : -EAGAIN;

        crash_point();
        if (r != -EAGAIN) {
                note_removed(survival, name);
                return;
        }
        removal = malloc(sizeof(*removal));
        if (!removal)
                return; /* it stays counted: that there is less room is the worst of it */
        strcpy(removal->name, name);
        STAILQ_INSERT_TAIL(&survival->removals, removal, link);
        survival_try_again(survival);
}

static void wake_waiting(struct survival *survival)
{
        struct session *session;

        while ((session = TAILQ_FIRST(&survival->waiting))) {
                survival_stop_waiting(session);
                session_resume_reading(session);
        }
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
        struct server *server = context;
        struct survival *survival = &server->survival;

        (void)fd;
        (void)what;
        if (send_removals(survival) < 0) {
                survival_try_again(survival);
                return;
        }
        if (survival->failed)
                survival_write_anew(server, NULL);
        wake_waiting(survival);
}

void survival_wait(struct session *session)
{
        struct survival *survival = &session->server->survival;

        TAILQ_INSERT_TAIL(&survival->waiting, session, store_link);
        session->waits_for_store = true;
        if (!event_pending(&survival->retry, EV_TIMEOUT, NULL))
                survival_try_again(survival);
}

void survival_stop_waiting(struct session *session)
{
        if (session->waits_for_store)
                TAILQ_REMOVE(&session->server->survival.waiting, session, store_link);
        session->waits_for_store = false;
}

void survival_open_store(struct server *server, const struct server_store *store)
{
        struct survival *survival = &server->survival;

        STAILQ_INIT(&survival->removals);
        TAILQ_INIT(&survival->waiting);
        evtimer_assign(&survival->retry, server->base, on_retry, server);
        if (!store || store->maximum < 2)
                return;
        survival->store = store;
        for (size_t i = 0; i < store->count; i++) {
                survival->stored++;
                survival->name_bytes += strlen(store->kept[i].name) + 1;
        }
}

void survival_close_store(struct survival *survival)
{
        struct survival_removal *removal;

        if (!survival->removals.stqh_last)
                return; /* it was never opened */
        event_del(&survival->retry);
        while ((removal = STAILQ_FIRST(&survival->removals))) {
                STAILQ_REMOVE_HEAD(&survival->removals, link);
                free(removal);
        }
}
