// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/log.h"
#include "memory/pool.h"
#include "server/access.h"
#include "server/limits.h"

#include <sys/queue.h>
#include <sys/types.h>

#define CONFIG_DEFAULT_PATH "/etc/filemem/filememd.conf"

/* Room for a sentence with the name of a file and the number of a line. */
#define CONFIG_ERROR_MAX 512

/* A section [pool NAME], or [private] with the name "". */
struct config_pool {
        STAILQ_ENTRY(config_pool) link;
        char name[POOL_NAME_MAX + 1];
        struct pool_options options; /* its name is the one above */
        struct limits_set limits;
        struct access access; /* of [private]: `join` is who may make one */
        uint64_t seen;        /* a bit for each key that the file which is being read has said */
};

STAILQ_HEAD(config_pool_list, config_pool);

/* No group at all. */
#define CONFIG_NO_GROUP ((gid_t)-1)

enum config_when_full { CONFIG_CONTINUE, CONFIG_REFUSE };

/* What the configuration says, or the defaults. filememd.conf(5) has all keys. */
struct config {
        char *socket; /* NULL: not said */
        mode_t socket_mode;
        enum log_level log_level;
        enum accounting accounting;
        int when_store_is_full; /* enum config_when_full */
        gid_t admin_group;
        uint64_t busy_poll;            /* ns */
        struct config_pool_list pools; /* the one named "default" is always there, and first */
        struct config_pool private_pools;
        struct limits_options limits;
};

/*
 * Reads the configuration: the file, if `path` is NULL CONFIG_DEFAULT_PATH if that exists, and then
 * in the order of their names the files PATH.d/?*.conf, each of which may add to and replace what
 * was said before. Everything that is not understood is an error. Asks for the numbers of users and
 * groups, which may take as long as the host's directory service likes: not on the event loop, and
 * by one thread at a time.
 *
 * Returns 0, or a negative errno (-EINVAL for what the files say) and in `error` one line such as
 * "FILE:LINE: unknown key 'x' in [daemon]".
 */
int config_load(const char *path, struct config *ret, char error[CONFIG_ERROR_MAX]);

/* NULL if there is none of that name. */
struct config_pool *config_find_pool(const struct config *config, const char *name);

/* Frees all that it has. What is all zeros is fine. */
void config_deinit(struct config *config);
