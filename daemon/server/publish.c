// SPDX-License-Identifier: Apache-2.0
#include "server/publish_parts.h"

#include "server/session.h"
#include "server/state.h"

#include <string.h>

/* What one turn writes at the most, of all views together. */
#define TURN_SESSIONS 512

/* Users are gone through as a whole, which may be many: not in every turn. */
#define USERS_INTERVAL NSEC_PER_SEC

void publish_plan(bool all, struct page_plan plan[PAGE_SECTION_COUNT])
{
        plan[PAGE_TOTALS] = (struct page_plan){sizeof(struct filemem_statistics_totals), 1};
        plan[PAGE_POOLS] = (struct page_plan){sizeof(struct filemem_statistics_pool), VIEW_POOLS};
        plan[PAGE_SESSIONS] = (struct page_plan){sizeof(struct filemem_statistics_session),
                all ? VIEW_SESSIONS_ALL : VIEW_SESSIONS_USER};
        plan[PAGE_USERS] =
                (struct page_plan){sizeof(struct filemem_statistics_user), all ? VIEW_USERS : 0};
        plan[PAGE_DURATIONS] =
                (struct page_plan){sizeof(struct filemem_statistics_durations), VIEW_DURATIONS};
        plan[PAGE_REFUSALS] =
                (struct page_plan){sizeof(struct filemem_statistics_refusal), OUTCOME_COUNT};
}

void publish_record(
        struct view *view, enum page_section_id section, size_t place, const void *record)
{
        if (place < view->page->sections[section].capacity)
                page_write(view->page, section, place, record);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static bool sees_session(const struct view *view, const struct session *session)
{
        return view->all || identity_is_same(view->identity.uid, session->uid) ||
               (session->served && served_is_admin(session->served, &view->identity));
}

static void describe_session(const struct session *session, struct filemem_statistics_session *ret)
{
        const struct session_statistics *statistics = &session->statistics;

        *ret = (struct filemem_statistics_session){
                .id = session->id,
                .pid = (uint64_t)session->pid,
                .uid = session->uid,
                .gid = session->gid,
                .parent = session->parent,
                .pool = session->served ? session->served->id : 0,
                .read_only = session->read_only,
                .opened_at = session->opened_at,
                .active_at = statistics->active_at,
                .held = session->charge.amounts[LIMIT_BYTES],
                .ranges = session->charge.amounts[LIMIT_RANGES],
                .requests = session->requests,
                .operations = statistics->operations,
                .refusals = statistics->refusals,
                .allocations = statistics->allocations,
                .allocated_bytes = statistics->allocated_bytes,
                .releases = statistics->releases,
                .released_bytes = statistics->released_bytes,
                .unread = session->charge.amounts[LIMIT_REPLIES],
                .waits = session->parked || session->waiter.account,
        };
        strcpy(ret->label, session->label);
        if (session->served)
                strcpy(ret->pool_name, served_name(session->served));
}

/* `only`: for this view alone; NULL: for all. */
static void publish_session(struct server *server, struct view *only, size_t place)
{
        const struct session *session = server->views.sessions.items[place];
        struct filemem_statistics_session record;
        struct view *view;
        bool listed;

        listed = session && (session->greeted || session->holder) && !session->ended;
        if (listed)
                describe_session(session, &record);
        LIST_FOREACH (view, &server->views.list, link)
                if (!only || view == only)
                        publish_record(view, PAGE_SESSIONS, place,
                                listed && sees_session(view, session) ? &record : NULL);
}

/* ---- users ----------------------------------------------------------------------------------- */

static void add_user(const struct limits_account *account, struct filemem_statistics_user *record)
{
        record->sessions += account->used[LIMIT_SESSIONS];
        record->held += account->used[LIMIT_BYTES];
        record->ranges += account->used[LIMIT_RANGES];
        record->peers += account->used[LIMIT_PEERS];
        record->unread += account->used[LIMIT_REPLIES];
}

/* The place of a user, or a free one that is its own now, or that of all others. */
static size_t find_user(struct views *views, uid_t uid)
{
        size_t free = VIEW_USERS - 1;

        for (size_t i = VIEW_USERS - 1; i-- > 0;) {
                if (views->users[i] == (uint64_t)uid + 1)
                        return i;
                if (!views->users[i])
                        free = i;
        }
        if (free < VIEW_USERS - 1)
                views->users[free] = (uint64_t)uid + 1;
        return free;
}

static void gather_users(struct server *server, struct filemem_statistics_user records[VIEW_USERS])
{
        const struct limits_account *account;

        memset(records, 0, VIEW_USERS * sizeof(*records));
        for (size_t i = 0; i < LIMITS_BUCKETS; i++)
                LIST_FOREACH (account, &server->limits.users[i], link) {
                        size_t place = find_user(&server->views, account->uid);

                        add_user(account, &records[place]);
                        if (place == VIEW_USERS - 1)
                                records[place].others++;
                        else
                                records[place].uid = account->uid;
                }
        for (size_t i = 0; i < VIEW_USERS - 1; i++)
                if (!records[i].sessions)
                        server->views.users[i] = 0;
}

static void publish_users(struct server *server, struct view *only)
{
        struct filemem_statistics_user records[VIEW_USERS];
        struct view *view;

        gather_users(server, records);
        LIST_FOREACH (view, &server->views.list, link)
                for (size_t i = 0; view->all && (!only || view == only) && i < VIEW_USERS; i++)
                        publish_record(
                                view, PAGE_USERS, i, records[i].sessions ? &records[i] : NULL);
}

/* ---- turns ----------------------------------------------------------------------------------- */

void publish_first(struct server *server, struct view *view, uint64_t now)
{
        publish_all_pools(server, view);
        for (size_t i = 0; i < server->views.sessions.allocated; i++)
                publish_session(server, view, i);
        publish_users(server, view);
        publish_small(server, view, now);
}

static void publish_some_sessions(struct server *server)
{
        struct views *views = &server->views;
        size_t most = TURN_SESSIONS / views->count;

        for (size_t i = 0; i < most && i < views->sessions.allocated; i++) {
                if (views->next_session >= views->sessions.allocated)
                        views->next_session = 0;
                publish_session(server, NULL, views->next_session++);
        }
}

void publish_turn(struct server *server, uint64_t now)
{
        publish_some_pools(server);
        publish_some_sessions(server);
        if (now - server->views.users_at >= USERS_INTERVAL) {
                server->views.users_at = now;
                publish_users(server, NULL);
        }
        publish_small(server, NULL, now);
}
