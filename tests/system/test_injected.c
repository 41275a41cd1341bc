// SPDX-License-Identifier: Apache-2.0
/*
 * The library with the real daemon, where system calls and allocations fail: for each public
 * function the first one, the second one, and so on to the last. No crash, no leak, no descriptor
 * lost, a result that is right or says why, and a session that is afterwards as usable as before,
 * or dead.
 */
#include "filemem/filemem.h"
#include "filemem/statistics.h"
#include "support/daemon.h"
#include "support/fault.h"
#include "support/fault_call.h"
#include "support/harness.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE     UINT64_C(4096)
#define MIB      (UINT64_C(1) << 20)
#define BOTH     (PROT_READ | PROT_WRITE)
#define CALLS    200  /* more than any function makes */
#define PATIENCE 2000 /* naps of 5 ms */

static struct daemon the_daemon;
static filemem_session *watcher; /* nothing of it ever fails */

/* What an act has to play with. */
struct scene {
        filemem_session *session;
        struct filemem_range range; /* 16 pages, held and mapped */
        int peer;                   /* a socket to be opened, or -1 */
        /* What the act got, and what is to be done away with. */
        filemem_session *made;
        filemem_statistics *statistics;
        struct filemem_range allocated;
        void *mapped;
        size_t mapped_size;
        int fd;
};

struct act {
        const char *name;
        int (*run)(struct scene *scene);
};

/* ---- acts ------------------------------------------------------------------------------------ */

static int act_open(struct scene *scene)
{
        return filemem_open(the_daemon.socket, NULL, &scene->made);
}

static int act_open_private(struct scene *scene)
{
        const struct filemem_options options = {.size = sizeof(options), .private_pool = true};

        return filemem_open(the_daemon.socket, &options, &scene->made);
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

static const struct act acts[] = {
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
};

/* ---- the scene ------------------------------------------------------------------------------- */

static void set_up(struct scene *scene)
{
        void *address;

        *scene = (struct scene){.peer = -1, .fd = -1};
        ck_assert_msg(filemem_open(the_daemon.socket, NULL, &scene->session) == 0, "%s",
                filemem_open_error());
        ck_assert_int_eq(
                filemem_allocate(scene->session, 16 * PAGE, FILEMEM_ANONYMOUS, &scene->range), 0);
        ck_assert_int_eq(filemem_map(scene->session, scene->range, BOTH, &address), 0);
        memset(address, 1, 16 * PAGE);
        ck_assert_int_eq(filemem_open_peer(scene->session, NULL, &scene->peer), 0);
}

static void clear_up(struct scene *scene)
{
        if (scene->mapped)
                munmap(scene->mapped, scene->mapped_size);
        if (scene->fd >= 0)
                close(scene->fd);
        if (scene->peer >= 0)
                close(scene->peer);
        filemem_statistics_close(scene->statistics);
        filemem_close(scene->made);
        filemem_close(scene->session);
}

/* All that a client wants of a session. */
static int use(filemem_session *session)
{
        struct filemem_range range;
        void *address;
        int r = filemem_allocate(session, 8 * PAGE, FILEMEM_MAPPED, &range);

        if (r == 0)
                r = filemem_map(session, range, BOTH, &address);
        if (r == 0)
                memset(address, 2, 8 * PAGE);
        return r == 0 ? filemem_decref(session, range) : r;
}

/* It is usable, or it says always the same. */
static void check_session(filemem_session *session, const char *what)
{
        int r = session ? use(session) : 0;

        if (r == 0)
                return;
        ck_assert_msg(filemem_ping(session) == r, "%s: it is neither usable nor dead: %d, then %d",
                what, r, filemem_ping(session));
        ck_assert_msg(use(session) == r, "%s: a dead session changes its mind", what);
}

/* What nobody holds is gone. */
static void await_nothing(const char *what)
{
        struct filemem_session_info infos[2];
        struct filemem_usage usage;

        for (int i = 0; i < PATIENCE; i++) {
                uint64_t sum = 0;

                ck_assert_int_eq(filemem_usage(watcher, &usage), 0);
                for (int kind = 0; kind < FILEMEM_KINDS; kind++)
                        sum += usage.allocated[kind];
                if (!sum && filemem_sessions(watcher, 0, infos, 2) == 1)
                        return;
                poll(NULL, 0, 5);
        }
        ck_abort_msg("%s: something is left with the daemon", what);
}

/* Pages of address space. */
static long count_pages(void)
{
        FILE *file = fopen("/proc/self/statm", "re");
        char line[128];

        ck_assert_ptr_nonnull(file);
        ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
        fclose(file);
        return strtol(line, NULL, 10);
}

/* ---- failures -------------------------------------------------------------------------------- */

struct failure {
        const char *name;
        enum fault_call_kind kind;
        int error; /* 0: allocations fail, not calls */
        bool surfaces;
};

static void arm(const struct failure *failure, long n)
{
        if (failure->error)
                fault_call_at(failure->kind, n, failure->error);
        else
                fault_alloc_at(n);
}

static bool disarm(const struct failure *failure)
{
        bool happened = failure->error ? fault_call_end() : fault_alloc_happened();

        fault_alloc_at(-1);
        return happened;
}

/*
 * Calls that fail for reasons of their own have their own words: that a descriptor is none, that
 * the answer makes no sense, that the session has ended.
 */
static bool is_right(const struct failure *failure, int r)
{
        int error = failure->error ? failure->error : ENOMEM;

        if (r >= 0)
                return true;
        if (!failure->surfaces)
                return false;
        return r == -error || r == -ENOMEM || r == -ECONNRESET || r == -EBADF || r == -ENOTSOCK ||
               r == -EPROTO;
}

/* Returns whether it happened: else there is no n-th. */
static bool play(const struct act *act, const struct failure *failure, long n)
{
        struct scene scene;
        size_t fds = harness_count_fds();
        char what[96];
        bool happened;
        int r;

        snprintf(what, sizeof(what), "%s, %s %ld", act->name, failure->name, n);
        set_up(&scene);
        arm(failure, n);
        r = act->run(&scene);
        happened = disarm(failure);
        ck_assert_msg(is_right(failure, r), "%s: %d: %s", what, r,
                scene.session ? filemem_last_error(scene.session) : filemem_open_error());
        ck_assert_msg(happened || r >= 0, "%s: it fails where nothing does: %d", what, r);
        check_session(scene.session, what);
        check_session(scene.made, what);
        clear_up(&scene);
        ck_assert_msg(harness_count_fds() == fds, "%s: a descriptor is lost", what);
        await_nothing(what);
        return happened;
}

static void *play_all(void *argument)
{
        const struct failure *failure = argument;
        long pages = 0;

        fault_call_watch();
        for (size_t i = 0; i < sizeof(acts) / sizeof(*acts); i++) {
                long n = 0;

                while (play(&acts[i], failure, n))
                        ck_assert_int_lt(++n, CALLS);
                /* The first act has made what stays: memory of libc's and the thread's. */
                if (i == 0)
                        pages = count_pages();
        }
        /* A mapping of a pool would be 1 GiB, and all others together some pages each. */
        ck_assert_int_lt(count_pages(), pages + 4096L * harness_slowness());
        return NULL;
}

/* In a thread of its own: at the end of the process there are calls that nobody answers. */
static void play_apart(struct failure failure)
{
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, play_all, &failure), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

START_TEST(interrupted_calls_never_surface)
{
        play_apart((struct failure){"interrupted at", FAULT_CALL_WAITING, EINTR, false});
}
END_TEST

START_TEST(calls_without_memory_are_refusals)
{
        play_apart((struct failure){"no memory at", FAULT_CALL_ANY, ENOMEM, true});
}
END_TEST

START_TEST(calls_that_a_sandbox_forbids_are_refusals)
{
        play_apart((struct failure){"forbidden at", FAULT_CALL_ANY, EPERM, true});
}
END_TEST

START_TEST(connections_that_break_are_dead)
{
        play_apart((struct failure){"broken at", FAULT_CALL_MESSAGE, ECONNRESET, true});
}
END_TEST

START_TEST(allocations_that_fail_are_refusals)
{
        play_apart((struct failure){"allocation", FAULT_CALL_ANY, 0, true});
}
END_TEST

static void start(void)
{
        const struct filemem_options options = {.size = sizeof(options), .label = "watcher"};

        daemon_start(&the_daemon, "[pool default]\ncapacity = 1G\n");
        ck_assert_int_eq(filemem_open(the_daemon.socket, &options, &watcher), 0);
}

static void stop(void)
{
        filemem_close(watcher);
        daemon_stop(&the_daemon);
}

int main(void)
{
        Suite *suite = suite_create("injected");
        /* Not harness_case(): what asks before each call is a descriptor, and stays. */
        TCase *tests = tcase_create("Injected failures");

        suite_add_tcase(suite, tests);
        tcase_set_timeout(tests, 120);
        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, interrupted_calls_never_surface);
        tcase_add_test(tests, calls_without_memory_are_refusals);
        tcase_add_test(tests, calls_that_a_sandbox_forbids_are_refusals);
        tcase_add_test(tests, connections_that_break_are_dead);
        tcase_add_test(tests, allocations_that_fail_are_refusals);
        return harness_run(suite);
}
