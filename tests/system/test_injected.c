// SPDX-License-Identifier: Apache-2.0
/*
 * The library with the real daemon, where system calls and allocations fail: for each public
 * function the first one, the second one, and so on to the last. No crash, no leak, no descriptor
 * lost, a result that is right or says why, and a session that is afterwards as usable as before,
 * or dead.
 */
#include "injected_acts.h"
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
#define BOTH     (PROT_READ | PROT_WRITE)
#define CALLS    200  /* more than any function makes */
#define PATIENCE 2000 /* naps of 5 ms */

static struct daemon the_daemon;
static filemem_session *watcher; /* nothing of it ever fails */

/* ---- the scene ------------------------------------------------------------------------------- */

static void set_up(struct scene *scene)
{
        void *address;

        *scene = (struct scene){.socket = the_daemon.socket, .peer = -1, .fd = -1};
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
        for (const struct act *act = injected_acts; act->name; act++) {
                long n = 0;

                while (play(act, failure, n))
                        ck_assert_int_lt(++n, CALLS);
                /* The first act has made what stays: memory of libc's and the thread's. */
                if (act == injected_acts)
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
