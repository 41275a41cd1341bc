// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/pool.h"
#include "server/access.h"
#include "server/limits.h"
#include "server/slots.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 * The pools that this daemon serves, and who may be in them. A pool is there as long as the
 * configuration names it or somebody uses it: a session that is in it, or a request about it. Then
 * its memory is given back, and it is gone. All of it belongs to the event loop.
 */
enum served_state {
        SERVED_OPEN,
        SERVED_DRAINING, /* not in the configuration any more: nobody joins, who is in it goes on */
        SERVED_DESTROYED, /* its sessions are being ended */
};

struct served {
        TAILQ_ENTRY(served) link;
        struct pools *pools;
        struct pool *pool;
        struct pool_options options; /* that it was made with; the name is the pool's own */
        struct access access;        /* of a private one: nobody */
        struct limits_account *account;
        enum served_state state;
        bool is_private;
        bool kept; /* outlives the daemon */
        uid_t uid; /* of a private one: who made it */
        uint64_t id;
        uint64_t users;    /* what keeps it: sessions, and requests about it */
        uint64_t sessions; /* in it */
        size_t place;      /* in the list of places */
        struct event deadline;
};

TAILQ_HEAD(served_list, served);

struct pools {
        struct memory *memory;   /* borrowed */
        struct limits *limits;   /* borrowed */
        struct event_base *base; /* borrowed */
        struct served_list list; /* by ascending identity */
        uint64_t count;          /* of the list; each takes three descriptors */
        struct slots places;     /* of those in the list: where statistics have them */
        uint64_t next_id;
        struct pool_options private_options;
        struct limits_set private_limits; /* of each */
        struct principals private_makers;
        gid_t admin_group; /* POOLS_NO_GROUP: none */
        uid_t uid;         /* of the daemon */

        /* A pool that was destroyed has had time enough: ends the sessions that are left. */
        void (*expire)(struct served *served);

        /* A pool that is new is to be kept when the daemon ends; returns 0, or why it must not be
         * there. And one that was kept is not needed any more. NULL: none is kept. */
        int (*keep)(struct served *served);
        void (*forget)(struct served *served);
};

#define POOLS_NO_GROUP ((gid_t)-1)

/* What the configuration says of a pool. All is borrowed. */
struct pools_rule {
        const struct pool_options *options;
        const struct access *access;
        const struct limits_set *limits; /* NULL: none */
};

struct pools_config {
        gid_t admin_group;
        struct pools_rule private_pools; /* `join` is who may make one */
        const struct pools_rule *pools;
        size_t count;
        const struct limits_options *limits; /* of sessions, users and all; NULL: the defaults */
};

void pools_init(struct pools *pools, struct event_base *base, struct memory *memory,
        struct limits *limits, uid_t uid, void (*expire)(struct served *served));

/* No session may be left, and the threads of the memory have to be stopped. */
void pools_deinit(struct pools *pools);

/*
 * Takes over what the configuration says: makes new pools, changes the rules of those that there
 * are, drains those that it does not name any more, and revives those that it names again. What a
 * pool was made with stays. Returns 0, or a negative errno with nothing changed.
 */
int pools_configure(struct pools *pools, const struct pools_config *config);

/*
 * A pool that was kept: the next configuration says what becomes of it, then pools_settle() forgets
 * it if nobody uses it. The pool is taken over on 0. Returns 0 or -ENOMEM.
 */
int pools_adopt(struct pools *pools, struct pool *pool, const struct pool_options *options,
        uint64_t id, bool is_private, uid_t uid);
void pools_settle(struct pools *pools, struct served *served);

/*
 * Makes a pool that has no name to join it by ("private:7") and no rules. It has one user, the
 * caller. Returns 0, OUTCOME_POOL_DENIED, OUTCOME_STORE_FULL or a negative errno; -EAGAIN: not now.
 */
int pools_make_private(struct pools *pools, const struct identity *identity, struct served **ret);

/* Of that name, the newest one; NULL if there is none. */
struct served *pools_find(struct pools *pools, const char *name);

/*
 * The pool of that name for somebody who wants to join it, with one user more. Returns 0,
 * OUTCOME_POOL_UNKNOWN, OUTCOME_POOL_CLOSED or OUTCOME_POOL_DENIED.
 */
int pools_join(struct pools *pools, const char *name, const struct identity *identity,
        bool read_only, struct served **ret);

/* One user more, and one less: with the last one a pool may be gone. NULL is fine; returns NULL. */
struct served *served_use(struct served *served);
struct served *served_release(struct served *served);

/* Nobody joins any more; expire() is called when the sessions that are in it had time enough. */
void served_destroy(struct served *served);

const char *served_name(const struct served *served);

/* Whether somebody administers the daemon, and with it every pool; or this pool. */
bool pools_is_admin(const struct pools *pools, const struct identity *identity);
bool served_is_admin(const struct served *served, const struct identity *identity);

/* Whether somebody may know how the pool fares: who may join it in any way, or administers it. */
bool served_may_ask(const struct served *served, const struct identity *identity);
