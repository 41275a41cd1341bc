// SPDX-License-Identifier: Apache-2.0
#include "server/views.h"

#include "base/check.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "server/identity.h"
#include "server/request.h"
#include "server/session.h"
#include "server/state.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Not in the headers of Debian 12. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* ---- the page -------------------------------------------------------------------------------- */

static int make_file(size_t size)
{
        unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
        int fd = memfd_create("filemem-statistics", flags | MFD_NOEXEC_SEAL);

        if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
                fd = memfd_create("filemem-statistics", flags);
        if (fd < 0)
                return -errno;
        if (fchmod(fd, 0400) < 0 || ftruncate(fd, (off_t)size) < 0) {
                int r = -errno;

                fd_close(fd);
                return r;
        }
        return fd;
}

static int reopen_for_reading(int fd)
{
        char path[32];
        int again;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        again = open(path, O_RDONLY | O_CLOEXEC);
        return again < 0 ? -errno : again;
}

/* Maps the file, and from then on nobody else can write to it. Before Linux 5.1 there is no such
 * seal: there it is the mode and how it was opened that keep others off. */
static int map_and_seal(int fd, size_t size, void **ret)
{
        const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
        void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (memory == MAP_FAILED)
                return -errno;
        if (fcntl(fd, F_ADD_SEALS, seals | F_SEAL_FUTURE_WRITE) < 0 &&
                (errno != EINVAL || fcntl(fd, F_ADD_SEALS, seals) < 0)) {
                int r = -errno;

                munmap(memory, size);
                return r;
        }
        *ret = memory;
        return 0;
}

static int make_page(struct view *view)
{
        cleanup_(fd_closep) int fd = -1;
        struct page_plan plan[PAGE_SECTION_COUNT];
        void *memory = NULL;
        int r;

        publish_plan(view->all, plan);
        view->size = page_size(plan, PAGE_SECTION_COUNT);
        fd = make_file(view->size);
        if (fd < 0)
                return fd;
        view->fd = reopen_for_reading(fd);
        if (view->fd < 0)
                return view->fd;
        r = map_and_seal(fd, view->size, &memory);
        if (r < 0)
                return r;
        page_init(memory, plan, PAGE_SECTION_COUNT);
        view->page = memory;
        return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static struct view *view_free(struct view *view)
{
        if (!view)
                return NULL;
        if (view->page) {
                atomic_store_explicit(&view->page->ended, 1, memory_order_release);
                munmap(view->page, view->size);
        }
        fd_close(view->fd);
        free((void *)(uintptr_t)view->identity.groups);
        free(view);
        return NULL;
}

static int copy_identity(const struct identity *identity, struct identity *ret)
{
        size_t size = identity->group_count * sizeof(gid_t);
        gid_t *groups = NULL;

        if (size) {
                groups = malloc(size);
                if (!groups)
                        return -ENOMEM;
                memcpy(groups, identity->groups, size);
        }
        *ret = *identity;
        ret->groups = groups;
        return 0;
}

static int view_new(const struct identity *identity, bool all, struct view **ret)
{
        struct view *view = calloc(1, sizeof(*view));
        int r;

        if (!view)
                return -ENOMEM;
        view->all = all;
        view->fd = -1;
        r = copy_identity(identity, &view->identity);
        if (r == 0)
                r = make_page(view);
        if (r < 0) {
                view_free(view);
                return r;
        }
        *ret = view;
        return 0;
}

static bool is_same(const struct identity *a, const struct identity *b)
{
        return identity_is_same(a->uid, b->uid) && a->gid == b->gid &&
               a->group_count == b->group_count &&
               (!a->group_count ||
                       memcmp(a->groups, b->groups, a->group_count * sizeof(gid_t)) == 0);
}

/* The view that somebody may share; NULL: there is none. *ret_own: how many the user has. */
static struct view *find_view(
        struct views *views, const struct identity *identity, bool all, size_t *ret_own)
{
        struct view *view;

        *ret_own = 0;
        LIST_FOREACH (view, &views->list, link) {
                if (all ? view->all : !view->all && is_same(&view->identity, identity))
                        return view;
                *ret_own += !view->all && view->identity.uid == identity->uid;
        }
        return NULL;
}

static int add_view(
        struct server *server, const struct identity *identity, bool all, struct view **ret)
{
        static const struct timeval interval = {.tv_usec = VIEWS_INTERVAL / NSEC_PER_USEC};
        struct views *views = &server->views;
        struct view *view;
        int r = view_new(identity, all, &view);

        if (r < 0)
                return r;
        if (!server_has_descriptor(server, view->fd) ||
                (!views->count && event_add(&views->timer, &interval) < 0)) {
                view_free(view);
                return -ENOMEM;
        }
        LIST_INSERT_HEAD(&views->list, view, link);
        views->count++;
        publish_first(server, view, clock_now());
        *ret = view;
        return 0;
}

int views_open(struct session *session)
{
        struct server *server = session->server;
        struct identity identity;
        struct view *view;
        size_t own;
        bool all;
        int r;

        if (session->view)
                return 0;
        identity_ask(session, &identity);
        all = pools_is_admin(&server->pools, &identity);
        view = find_view(&server->views, &identity, all, &own);
        if (!view) {
                /* One place is kept for the administrators. */
                if (!all && (own >= VIEWS_USER_MAX || server->views.count >= VIEWS_MAX - 1))
                        return OUTCOME_STATISTICS_FULL;
                r = add_view(server, &identity, all, &view);
                if (r < 0)
                        return r;
        }
        view->sessions++;
        session->view = view;
        return 0;
}

static void remove_view(struct views *views, struct view *view)
{
        LIST_REMOVE(view, link);
        if (!--views->count)
                event_del(&views->timer);
        view_free(view);
}

void views_close(struct session *session)
{
        struct view *view = session->view;

        session->view = NULL;
        if (view && !--view->sessions)
                remove_view(&session->server->views, view);
}

void views_end(struct server *server)
{
        struct session *session;

        TAILQ_FOREACH (session, &server->sessions, link)
                views_close(session);
}

static void on_interval(evutil_socket_t fd, short what, void *context)
{
        (void)fd;
        (void)what;
        publish_turn(context, clock_now());
}

void views_init(struct server *server)
{
        LIST_INIT(&server->views.list);
        check(event_assign(&server->views.timer, server->base, -1, EV_PERSIST, on_interval,
                      server) == 0);
}

void views_deinit(struct server *server)
{
        check(LIST_EMPTY(&server->views.list));
        event_del(&server->views.timer);
        slots_deinit(&server->views.sessions);
}

/* ---- the operation --------------------------------------------------------------------------- */

static int check_asker(const struct request *request)
{
        if (request->session->parent)
                return OUTCOME_STATISTICS_PEER;
        if (request->message->operations[request->index]->no_reply)
                return OUTCOME_STATISTICS_UNHEARD;
        return request->fd >= 0 ? OUTCOME_PEER_SECOND : 0;
}

int handle_statistics(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result)
{
        Filemem__StatisticsPage *page = arena_alloc(request->arena, sizeof(*page));
        struct session *session = request->session;
        int r = check_asker(request);

        (void)operation;
        if (r)
                return r;
        if (!page)
                return -ENOMEM;
        r = views_open(session);
        if (r)
                return r;
        request->fd = fcntl(session->view->fd, F_DUPFD_CLOEXEC, 0);
        if (request->fd < 0)
                return OUTCOME_DAEMON_FULL;
        filemem__statistics_page__init(page);
        page->size = session->view->size;
        result->body_case = FILEMEM__RESULT__BODY_STATISTICS;
        result->statistics = page;
        return 0;
}
