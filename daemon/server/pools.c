// SPDX-License-Identifier: Apache-2.0
#include "server/pools_parts.h"

#include "base/check.h"
#include "base/error.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long the sessions of a destroyed pool may take to read their answers. */
static const struct timeval destroy_patience = {.tv_sec = 2};

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
        struct served *served = context;

        (void)fd;
        (void)what;
        served->pools->expire(served);
}

const char *served_name(const struct served *served)
{
        return served->options.name;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Without a pool and in no list. NULL when out of memory. */
static struct served *make_served(struct pools *pools, const struct limits_set *limits)
{
        struct served *served = calloc(1, sizeof(*served));

        if (!served)
                return NULL;
        served->pools = pools;
        served->account =
                limits_account_new(pools->limits, LIMITS_POOL, limits ? limits : &limits_none);
        served->place = slots_take(&pools->places, served);
        check(evtimer_assign(&served->deadline, pools->base, on_deadline, served) == 0);
        if (served->account && served->place != SLOTS_NONE)
                return served;
        slots_drop(&pools->places, served->place);
        limits_account_drop(served->account);
        free(served);
        return NULL;
}

static void set_pool(struct served *served, struct pool *pool, const struct pool_options *options)
{
        struct pool_information information;

        pool_information(pool, &information);
        served->pool = pool;
        served->options = *options;
        served->options.name = information.name;
}

void served_free(struct served *served)
{
        if (served->pools->forget && served->pool)
                served->pools->forget(served);
        event_del(&served->deadline);
        access_deinit(&served->access);
        limits_account_drop(served->account);
        slots_drop(&served->pools->places, served->place);
        if (served->pool)
                pool_retire(served->pool);
        free(served);
}

int served_new(struct pools *pools, const struct pool_options *options,
        const struct limits_set *limits, uid_t maker, struct served **ret)
{
        struct served *served = make_served(pools, limits);
        struct pool *pool;
        int r;

        if (!served)
                return -ENOMEM;
        served->id = pools->next_id++;
        served->is_private = maker != SERVED_NO_MAKER;
        served->uid = served->is_private ? maker : 0;
        r = pool_new(pools->memory, options, &pool);
        if (r == 0) {
                set_pool(served, pool, options);
                r = pools->keep ? pools->keep(served) : 0;
        }
        if (r) {
                served_free(served);
                return r;
        }
        *ret = served;
        return 0;
}

void served_enlist(struct pools *pools, struct served *served)
{
        TAILQ_INSERT_TAIL(&pools->list, served, link);
        pools->count++;
}

int pools_adopt(struct pools *pools, struct pool *pool, const struct pool_options *options,
        uint64_t id, bool is_private, uid_t uid)
{
        struct served *served = make_served(pools, NULL);

        if (!served)
                return -ENOMEM;
        set_pool(served, pool, options);
        served->id = id;
        served->is_private = is_private;
        served->uid = uid;
        served->kept = true;
        served->state = is_private ? SERVED_OPEN : SERVED_DRAINING;
        served_enlist(pools, served);
        return 0;
}

static void forget_served(struct served *served)
{
        TAILQ_REMOVE(&served->pools->list, served, link);
        served->pools->count--;
        served_free(served);
}

void served_forget_unused(struct served *served)
{
        if (!served->users && (served->is_private || served->state != SERVED_OPEN))
                forget_served(served);
}

struct served *served_use(struct served *served)
{
        served->users++;
        return served;
}

struct served *served_release(struct served *served)
{
        if (!served)
                return NULL;
        check(served->users > 0);
        served->users--;
        served_forget_unused(served);
        return NULL;
}

void pools_settle(struct pools *pools, struct served *served)
{
        if (served->is_private)
                limits_account_set(served->account, &pools->private_limits);
        served_forget_unused(served);
}

void served_destroy(struct served *served)
{
        /* It is not to come again. */
        if (served->pools->forget)
                served->pools->forget(served);
        served->state = SERVED_DESTROYED;
        if (event_add(&served->deadline, &destroy_patience) < 0)
                event_active(&served->deadline, EV_TIMEOUT, 0);
        served_forget_unused(served);
}

void pools_init(struct pools *pools, struct event_base *base, struct memory *memory,
        struct limits *limits, uid_t uid, void (*expire)(struct served *served))
{
        *pools = (struct pools){
                .memory = memory,
                .limits = limits,
                .private_limits = limits_none,
                .base = base,
                .next_id = 1,
                .admin_group = POOLS_NO_GROUP,
                .uid = uid,
                .expire = expire,
        };
        TAILQ_INIT(&pools->list);
}

void pools_deinit(struct pools *pools)
{
        struct served *served, *next;

        for (served = TAILQ_FIRST(&pools->list); served; served = next) {
                next = TAILQ_NEXT(served, link);
                check(!served->users);
                forget_served(served);
        }
        slots_deinit(&pools->places);
        principals_deinit(&pools->private_makers);
}

/* ---- who may --------------------------------------------------------------------------------- */

/* Who could do it anyway. */
static bool is_owner(const struct pools *pools, const struct identity *identity)
{
        return identity->uid == 0 || identity_is_same(identity->uid, pools->uid);
}

bool pools_is_admin(const struct pools *pools, const struct identity *identity)
{
        return is_owner(pools, identity) ||
               (pools->admin_group != POOLS_NO_GROUP &&
                       identity_is_in_group(identity, pools->admin_group));
}

bool served_is_admin(const struct served *served, const struct identity *identity)
{
        return pools_is_admin(served->pools, identity) ||
               principals_have(&served->access.admin, identity);
}

bool served_may_ask(const struct served *served, const struct identity *identity)
{
        return served_is_admin(served, identity) ||
               access_may_join(&served->access, identity, true);
}

/* ---- finding and joining --------------------------------------------------------------------- */

struct served *pools_find(struct pools *pools, const char *name)
{
        struct served *served;

        TAILQ_FOREACH_REVERSE(served, &pools->list, served_list, link)
        if (strcmp(served_name(served), name) == 0)
                return served;
        return NULL;
}

int pools_join(struct pools *pools, const char *name, const struct identity *identity,
        bool read_only, struct served **ret)
{
        struct served *served = pools_find(pools, name);

        /* A private pool has a name for people, and nobody can use it. */
        if (!served || served->is_private)
                return OUTCOME_POOL_UNKNOWN;
        if (!is_owner(pools, identity) && !access_may_join(&served->access, identity, read_only))
                return OUTCOME_POOL_DENIED;
        if (served->state != SERVED_OPEN)
                return OUTCOME_POOL_CLOSED;
        *ret = served_use(served);
        return 0;
}

int pools_make_private(struct pools *pools, const struct identity *identity, struct served **ret)
{
        struct pool_options options = pools->private_options;
        struct served *served;
        char name[32];
        int r;

        if (!is_owner(pools, identity) && !principals_have(&pools->private_makers, identity))
                return OUTCOME_POOL_DENIED;
        snprintf(name, sizeof(name), "private:%llu", (unsigned long long)pools->next_id);
        options.name = name;
        r = served_new(pools, &options, &pools->private_limits, identity->uid, &served);
        if (r)
                return r;
        served_enlist(pools, served);
        *ret = served_use(served);
        return 0;
}
