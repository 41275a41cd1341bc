// SPDX-License-Identifier: Apache-2.0
/* Use after release, with the real daemon: caught where that was asked for. */
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)
#define BOTH (PROT_READ | PROT_WRITE)

static struct daemon the_daemon;
static filemem_session *session;
static bool unsupported;

/* A kernel without it says so: that is what is tested there. */
static void start(void)
{
        const struct filemem_options options = {.size = sizeof(options), .fence_released = true};
        int r;

        daemon_start(&the_daemon, "[pool default]\ncapacity = 1G\n");
        r = filemem_open(the_daemon.socket, &options, &session);
        unsupported = r == -ENOSYS;
        ck_assert_msg(r == 0 || unsupported, "%d: %s", r, filemem_open_error());
}

static void stop(void)
{
        session = filemem_close(session);
        daemon_stop(&the_daemon);
}

static struct filemem_range get(uint64_t length)
{
        struct filemem_range range;

        ck_assert_int_eq(filemem_allocate(session, length, FILEMEM_ANONYMOUS, &range), 0);
        return range;
}

static volatile unsigned char *map(struct filemem_range range)
{
        void *address;

        ck_assert_int_eq(filemem_map(session, range, BOTH, &address), 0);
        return address;
}

/* Whether a touch kills. A thread that shares the memory would take the test with it: a child does
 * not, and has the same mappings. */
static bool is_fenced(const volatile unsigned char *byte)
{
        const struct rlimit none = {0, 0};
        pid_t child = fork();
        int status;

        if (child == 0) {
                setrlimit(RLIMIT_CORE, &none);
                signal(SIGSEGV, SIG_DFL);
                (void)*byte;
                _exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGSEGV : WEXITSTATUS(status) == 0);
        return WIFSIGNALED(status);
}

START_TEST(use_after_release_is_a_fault_at_the_culprit)
{
        struct filemem_range first, second;
        volatile unsigned char *bytes;

        if (unsupported)
                return;
        first = get(4 * PAGE);
        second = get(4 * PAGE);
        bytes = map(first);
        map(second);
        bytes[0] = 1;
        ck_assert(!is_fenced(bytes));
        ck_assert_int_eq(filemem_decref(session, first), 0);
        ck_assert(is_fenced(bytes) && is_fenced(bytes + 4 * PAGE - 1));
        ck_assert(!is_fenced(bytes + 4 * PAGE)); /* the second one follows */
        ck_assert_int_eq(filemem_release(session, second), 0);
        ck_assert(is_fenced(bytes + 4 * PAGE));
}
END_TEST

START_TEST(what_is_given_again_can_be_used)
{
        struct filemem_range range, again = {0};
        volatile unsigned char *bytes;

        if (unsupported)
                return;
        get(PAGE); /* so that it is not the first place */
        range = get(4 * PAGE);
        bytes = map(range);
        bytes[0] = 1;
        ck_assert_int_eq(filemem_decref(session, range), 0);
        for (int i = 0; i < 1000 && again.start != range.start; i++)
                again = get(4 * PAGE);
        /* The same place or another one: where it is, is no fence. */
        ck_assert(!is_fenced(map(again)));
        map(again)[0] = 2;
}
END_TEST

START_TEST(the_last_reference_counts)
{
        struct filemem_range range, middle;
        volatile unsigned char *bytes;

        if (unsupported)
                return;
        range = get(4 * PAGE);
        middle = (struct filemem_range){range.start + PAGE, range.start + 2 * PAGE};
        bytes = map(range);
        ck_assert_int_eq(filemem_incref(session, middle), 0);
        ck_assert_int_eq(filemem_decref(session, range), 0);
        ck_assert(is_fenced(bytes) && !is_fenced(bytes + PAGE) && is_fenced(bytes + 2 * PAGE));
        ck_assert_int_eq(filemem_decref(session, middle), 0);
        ck_assert(is_fenced(bytes + PAGE));
}
END_TEST

START_TEST(a_refused_release_fences_nothing)
{
        struct filemem_range range, beyond;
        volatile unsigned char *bytes;

        if (unsupported)
                return;
        range = get(4 * PAGE);
        beyond = (struct filemem_range){range.start, range.end + PAGE};
        bytes = map(range);
        ck_assert_int_eq(filemem_decref(session, beyond), -ENOENT);
        ck_assert(!is_fenced(bytes));
        ck_assert_int_eq(filemem_decref(session, range), 0);
        ck_assert(is_fenced(bytes));
        map(range); /* of somebody else, for all that the library knows */
        ck_assert(!is_fenced(bytes));
}
END_TEST

START_TEST(sessions_that_did_not_ask_are_not_fenced)
{
        struct filemem_range range;
        volatile unsigned char *bytes;

        filemem_close(session);
        ck_assert_int_eq(filemem_open(the_daemon.socket, NULL, &session), 0);
        range = get(4 * PAGE);
        bytes = map(range);
        ck_assert_int_eq(filemem_decref(session, range), 0);
        ck_assert(!is_fenced(bytes));
        filemem_close(session);

        ck_assert_int_eq(setenv("FILEMEM_FENCE", "1", 1), 0);
        ck_assert_int_eq(filemem_open(the_daemon.socket, NULL, &session), 0);
        range = get(4 * PAGE);
        bytes = map(range);
        ck_assert_int_eq(filemem_decref(session, range), 0);
        ck_assert(is_fenced(bytes) || unsupported);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("fence");
        TCase *tests = harness_case(suite, "Use after release", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, use_after_release_is_a_fault_at_the_culprit);
        tcase_add_test(tests, what_is_given_again_can_be_used);
        tcase_add_test(tests, the_last_reference_counts);
        tcase_add_test(tests, a_refused_release_fences_nothing);
        tcase_add_test(tests, sessions_that_did_not_ask_are_not_fenced);
        return harness_run(suite);
}
