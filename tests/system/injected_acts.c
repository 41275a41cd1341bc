// SPDX-License-Identifier: Apache-2.0
#include "injected_acts.h"

#include <errno.h>
#include <sys/mman.h>

#define PAGE UINT64_C(4096)
#define MIB  (UINT64_C(1) << 20)
#define BOTH (PROT_READ | PROT_WRITE)

static int act_open(struct scene *scene)
{
        return filemem_open(scene->socket, NULL, &scene->made);
}

static int act_open_private(struct scene *scene)
{
        const struct filemem_options options = {.size = sizeof(options), .private_pool = true};

        return filemem_open(scene->socket, &options, &scene->made);
}

static int act_open_fd(struct scene *scene)
{
        int fd = scene->peer;

        scene->peer = -1;
        return filemem_open_fd(fd, NULL, &scene->made);
}

static int act_open_peer(struct scene *scene)
{
        return filemem_open_peer(scene->session, NULL, &scene->fd);
}

static int act_ping(struct scene *scene)
{
        return filemem_ping(scene->session);
}

static int act_allocate(struct scene *scene)
{
        return filemem_allocate(scene->session, 2 * MIB, FILEMEM_TMPFS, &scene->allocated);
}

static int act_commit(struct scene *scene)
{
        return filemem_allocate_mode(
                scene->session, 16 * PAGE, FILEMEM_TMPFS, FILEMEM_COMMIT, &scene->allocated);
}

static int act_populate(struct scene *scene)
{
        return filemem_allocate_mode(
                scene->session, 16 * PAGE, FILEMEM_TMPFS, FILEMEM_POPULATE, &scene->allocated);
}

static int act_incref(struct scene *scene)
{
        return filemem_incref(scene->session, scene->range);
}

static int act_decref(struct scene *scene)
{
        return filemem_decref(scene->session, scene->range);
}

static int act_release(struct scene *scene)
{
        return filemem_release(scene->session, scene->range);
}

static int act_lost_errors(struct scene *scene)
{
        return (int)filemem_lost_errors(scene->session, NULL, NULL, 0);
}

static int act_decommit(struct scene *scene)
{
        return filemem_decommit(scene->session, scene->range, 0);
}

static int act_map(struct scene *scene)
{
        struct filemem_range far = {64 * MIB, 96 * MIB};
        void *address;

        return filemem_map(scene->session, far, BOTH, &address);
}

static int act_map_blocks(struct scene *scene)
{
        struct filemem_range far = {64 * MIB, 96 * MIB};
        struct filemem_block blocks[4];

        return filemem_map_blocks(scene->session, far, BOTH, blocks, 4);
}

static int map_into(struct scene *scene, int protection, unsigned flags)
{
        int r = filemem_map_into(
                scene->session, scene->range, NULL, protection, flags, &scene->mapped);

        scene->mapped_size = 16 * PAGE;
        return r;
}

static int act_map_into(struct scene *scene)
{
        return map_into(scene, PROT_READ, 0);
}

static int act_precommit(struct scene *scene)
{
        return map_into(scene, BOTH, FILEMEM_MAP_PRECOMMIT);
}

/* The pool does not allow it, which the daemon is asked for. */
static int act_map_exec(struct scene *scene)
{
        int r = map_into(scene, PROT_READ | PROT_EXEC, 0);

        return r == -EACCES ? 0 : r < 0 ? r : -EBADMSG;
}

static int act_usage(struct scene *scene)
{
        struct filemem_usage usage;

        return filemem_usage(scene->session, &usage);
}

static int act_update_usage(struct scene *scene)
{
        struct filemem_usage usage;

        return filemem_update_usage(scene->session, &usage);
}

static int act_usage_of(struct scene *scene)
{
        struct filemem_usage usage;
        int r = filemem_usage_of(scene->session, "default", &usage);

        return r < 0 ? r : filemem_update_usage_of(scene->session, "default", &usage);
}

static int act_totals(struct scene *scene)
{
        uint64_t total;
        int r = filemem_total_usage(scene->session, &total);

        return r < 0 ? r : filemem_total_size(scene->session, &total);
}

static int act_pool_info(struct scene *scene)
{
        struct filemem_pool pool;
        int r = filemem_pool_info(scene->session, &pool);

        return r < 0 ? r : filemem_pool_info_of(scene->session, "default", &pool);
}

static int act_pools(struct scene *scene)
{
        struct filemem_pool pools[4];

        return filemem_pools(scene->session, 0, pools, 4);
}

static int act_status(struct scene *scene)
{
        struct filemem_status status;

        return filemem_status(scene->session, &status);
}

static int act_limits(struct scene *scene)
{
        struct filemem_limit limits[8];
        int r = filemem_limits(scene->session, limits, 8);

        return r < 0 ? r : filemem_limits_of(scene->session, "default", limits, 8);
}

static int act_sessions(struct scene *scene)
{
        struct filemem_session_info infos[4];

        return filemem_sessions(scene->session, 0, infos, 4);
}

static int act_dump(struct scene *scene)
{
        struct filemem_entry entries[4];
        int r = filemem_dump(scene->session, 0, entries, 4);

        return r < 0 ? r : filemem_dump_of(scene->session, "default", 0, entries, 4);
}

/* There is none: a refusal is the right answer. */
static int act_kick(struct scene *scene)
{
        int r = filemem_kick_session(scene->session, UINT64_MAX);

        return r == -ENOENT ? 0 : r;
}

static int act_destroy(struct scene *scene)
{
        int r = filemem_destroy_pool(scene->session, "none-of-that-name");

        return r == -ENOENT || r == -EPERM ? 0 : r;
}

static int act_reload(struct scene *scene)
{
        int r = filemem_reload(scene->session);

        return r == -EPERM ? 0 : r;
}

static int act_statistics(struct scene *scene)
{
        return filemem_statistics_open(scene->session, &scene->statistics);
}

static int act_close(struct scene *scene)
{
        scene->session = filemem_close(scene->session);
        return 0;
}

const struct act injected_acts[] = {
        {"open", act_open},
        {"open, private", act_open_private},
        {"open_fd", act_open_fd},
        {"open_peer", act_open_peer},
        {"ping", act_ping},
        {"allocate", act_allocate},
        {"allocate_mode, commit", act_commit},
        {"allocate_mode, populate", act_populate},
        {"incref", act_incref},
        {"decref", act_decref},
        {"release", act_release},
        {"lost_errors", act_lost_errors},
        {"decommit", act_decommit},
        {"map", act_map},
        {"map_blocks", act_map_blocks},
        {"map_into", act_map_into},
        {"map_into, precommit", act_precommit},
        {"map_into, exec", act_map_exec},
        {"usage", act_usage},
        {"update_usage", act_update_usage},
        {"usage_of", act_usage_of},
        {"total_usage", act_totals},
        {"pool_info", act_pool_info},
        {"pools", act_pools},
        {"status", act_status},
        {"limits", act_limits},
        {"sessions", act_sessions},
        {"dump", act_dump},
        {"kick_session", act_kick},
        {"destroy_pool", act_destroy},
        {"reload", act_reload},
        {"statistics_open", act_statistics},
        {"close", act_close},
        {NULL, NULL},
};
