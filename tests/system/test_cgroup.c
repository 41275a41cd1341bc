// SPDX-License-Identifier: Apache-2.0
/* The budget of the daemon in a real cgroup with a limit, where the kernel kills who goes beyond.
 */
#include "base/clock.h"
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/guardian.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB   (UINT64_C(1) << 20)
#define LIMIT (128 * MIB)

/* ---- the cgroup, of whichever version has the memory controller --------------------------------
 */

static const struct place {
        const char *folder;
        const char *limit;
} places[] = {
        {"/sys/fs/cgroup/memory/filemem-test-budget", "memory.limit_in_bytes"},
        {"/sys/fs/cgroup/filemem-test-budget", "memory.max"},
};

static enum change set_up(void)
{
        char path[128], text[32];

        snprintf(text, sizeof(text), "%llu", (unsigned long long)LIMIT);
        for (unsigned i = 0; i < 2; i++) {
                if (mkdir(places[i].folder, 0755) < 0 && errno != EEXIST)
                        continue;
                snprintf(path, sizeof(path), "%s/%s", places[i].folder, places[i].limit);
                if (guardian_write(path, text) == 0)
                        return CHANGE_MADE;
        }
        printf("no cgroup with a limit of memory can be made here\n");
        return CHANGE_IMPOSSIBLE;
}

static bool undo(void)
{
        bool undone = true;

        for (unsigned i = 0; i < 2; i++) {
                int r = -1;

                /* Who was in it may take a moment to be gone. */
                for (int tries = 0; tries < 500 && r < 0; tries++) {
                        r = rmdir(places[i].folder);
                        if (r < 0 && errno != EBUSY)
                                break;
                        if (r < 0)
                                usleep(10000);
                }
                undone = undone && access(places[i].folder, F_OK) < 0;
        }
        return undone;
}

/* This process, and what it starts. */
static void enter(void)
{
        char path[128];

        for (unsigned i = 0; i < 2; i++) {
                snprintf(path, sizeof(path), "%s/%s", places[i].folder, places[i].limit);
                if (access(path, F_OK) < 0)
                        continue;
                snprintf(path, sizeof(path), "%s/cgroup.procs", places[i].folder);
                ck_assert_int_eq(guardian_write(path, "0"), 0);
                return;
        }
        ck_abort_msg("the cgroup is gone");
}

/* ---- scenarios ---------------------------------------------------------------------------------
 */

static struct daemon the_daemon;
static filemem_session *session;

static void start(void)
{
        enter();
        daemon_start(&the_daemon, "[pool default]\ncapacity = 1G\n");
        ck_assert_int_eq(filemem_open(the_daemon.socket, NULL, &session), 0);
}

static void stop(void)
{
        filemem_close(session);
        daemon_stop(&the_daemon);
}

static int commit(uint64_t length, struct filemem_range *ret)
{
        return filemem_allocate_mode(session, length, FILEMEM_ANONYMOUS, FILEMEM_COMMIT, ret);
}

START_TEST(who_commits_beyond_the_limit_unasked_is_killed)
{
        pid_t child;
        int status;

        child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) { /* alone in there, so that it is the one */
                int fd = memfd_create("test", MFD_CLOEXEC);

                enter();
                _exit(fallocate(fd, 0, 0, (off_t)(2 * LIMIT)) < 0 ? 1 : 0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), SIGKILL);
}
END_TEST

START_TEST(the_daemon_refuses_before)
{
        struct filemem_range range;
        uint64_t total;

        ck_assert_int_eq(commit(LIMIT, &range), -ENOMEM);
        ck_assert_int_eq(commit(512 * MIB, &range), -ENOMEM);
        ck_assert_int_eq(filemem_total_usage(session, &total), 0);
        ck_assert_uint_eq(total, 0);
}
END_TEST

START_TEST(it_commits_what_there_is_and_no_more)
{
        struct filemem_range ranges[LIMIT / MIB];
        struct filemem_usage usage;
        size_t count = 0;

        while (count < LIMIT / MIB && commit(MIB, &ranges[count]) == 0)
                count++;
        ck_assert_uint_gt(count, 64);
        ck_assert_uint_lt(count, 112); /* 16 MiB are kept */
        ck_assert_int_eq(filemem_update_usage(session, &usage), 0);
        ck_assert_uint_eq(usage.committed[FILEMEM_ANONYMOUS], count * MIB);
        /* What is given back can be had again, when it is. */
        for (size_t i = 0; i < count; i++)
                ck_assert_int_eq(filemem_decref(session, ranges[i]), 0);
        for (uint64_t until = clock_now() + 20 * NSEC_PER_SEC; commit(64 * MIB, &ranges[0]) < 0;) {
                ck_assert_uint_lt(clock_now(), until);
                usleep(10000);
        }
}
END_TEST

static int run_tests(void)
{
        Suite *suite = suite_create("cgroup");
        TCase *alone = harness_case(suite, "kernel", 30);
        TCase *tests = harness_case(suite, "daemon", 60);

        tcase_add_test(alone, who_commits_beyond_the_limit_unasked_is_killed);
        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, the_daemon_refuses_before);
        tcase_add_test(tests, it_commits_what_there_is_and_no_more);
        return harness_run(suite);
}

int main(void)
{
        return guardian_run(set_up, undo, run_tests);
}
