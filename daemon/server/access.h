// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Who may do something: users and groups by number, or everybody. It knows neither names nor
 * sockets. Not thread safe.
 */
struct principal {
        bool is_group;
        uint32_t id;
};

struct principals {
        bool everybody;
        size_t count;
        struct principal *list;
};

/* Nobody. */
#define PRINCIPALS_NONE ((struct principals){0})

/* Who somebody is, as the kernel says. */
struct identity {
        uid_t uid;
        gid_t gid;
        const gid_t *groups; /* supplementary ones, borrowed */
        size_t group_count;
};

/*
 * Whom the kernel calls all users that the daemon's user namespace does not know (its overflowuid).
 * They are many: nobody is another one's equal, or the daemon's, because both are called that.
 */
#define IDENTITY_UNKNOWN ((uid_t)65534)

static inline bool identity_is_same(uid_t one, uid_t other)
{
        return one == other && one != IDENTITY_UNKNOWN;
}

/* Adds one; once more is fine. Returns 0 or -ENOMEM, with nothing changed. */
int principals_add(struct principals *principals, struct principal principal);

/* *ret is over-written, not freed. Returns 0 or -ENOMEM. */
int principals_copy(const struct principals *principals, struct principals *ret);

/* Frees the list: nobody is in it then. */
void principals_deinit(struct principals *principals);

/* Whether a user, or one of its groups, is among them. */
bool principals_have(const struct principals *principals, const struct identity *identity);

/* Who may do what with a pool. */
struct access {
        struct principals join; /* read-write, and so read-only too */
        struct principals join_read_only;
        struct principals admin;
};

/* As principals_copy(), of all of them. */
int access_copy(const struct access *access, struct access *ret);
void access_deinit(struct access *access);

bool access_may_join(const struct access *access, const struct identity *identity, bool read_only);

/* Whether it is in the group, as its own or a supplementary one. */
bool identity_is_in_group(const struct identity *identity, gid_t group);
