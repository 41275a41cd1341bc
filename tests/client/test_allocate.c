// SPDX-License-Identifier: Apache-2.0
/* Allocations with a mode: what is asked of the daemon, and what is undone when it does not work.
 */
#include "fault_map.h"
#include "peer.h"
#include "support/harness.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START (2 * PEER_CHUNK - 4 * PEER_PAGE) /* where the peer allocates: across two chunks */

static struct peer peer;
static filemem_session *session;

/* What the peer was told, read when it is gone. */
static unsigned allocations, commits, decrefs;
static uint64_t decref_start, decref_end;

/* argument: not NULL means a daemon that knows of modes. */
static void serve(struct peer *where)
{
        Filemem__Allocated allocated = FILEMEM__ALLOCATED__INIT;
        const Filemem__ToDaemon *message;

        peer_greet(where);
        while ((message = peer_receive(where))) {
                const Filemem__Operation *operation = message->request->operations[0];
                Filemem__Result result = FILEMEM__RESULT__INIT;

                if (operation->body_case == FILEMEM__OPERATION__BODY_ALLOCATE) {
                        bool commit = operation->allocate->mode == FILEMEM__MODE__MODE_COMMIT;

                        allocations++;
                        commits += commit;
                        allocated.start = START;
                        allocated.end = START + operation->allocate->length;
                        allocated.committed = commit && where->argument;
                        result.body_case = FILEMEM__RESULT__BODY_ALLOCATED;
                        result.allocated = &allocated;
                } else if (operation->body_case == FILEMEM__OPERATION__BODY_DECREF) {
                        decrefs++;
                        decref_start = operation->decref->start;
                        decref_end = operation->decref->end;
                }
                peer_reply(where, message->request->id, &result);
        }
}

static void begin(bool modern)
{
        allocations = commits = decrefs = 0;
        peer_start(&peer, serve, modern ? "modern" : NULL);
}

static void open_session(void)
{
        session = peer_open(&peer);
}

static void end(void)
{
        session = filemem_close(session);
        peer_stop(&peer);
}

static int allocate(enum filemem_mode mode, struct filemem_range *ret)
{
        return filemem_allocate_mode(session, 8 * PEER_PAGE, FILEMEM_TMPFS, mode, ret);
}

static void expect_undone(void)
{
        ck_assert_uint_eq(allocations, 1);
        ck_assert_uint_eq(decrefs, 1);
        ck_assert_uint_eq(decref_start, START);
        ck_assert_uint_eq(decref_end, START + 8 * PEER_PAGE);
}

static uint64_t stored(void)
{
        struct stat info;

        ck_assert_int_eq(fstat(filemem_fd(session), &info), 0);
        return (uint64_t)info.st_blocks * 512;
}

START_TEST(only_commit_is_asked_of_the_daemon)
{
        struct filemem_range range;

        begin(true);
        open_session();
        ck_assert_int_eq(filemem_allocate(session, PEER_PAGE, FILEMEM_TMPFS, &range), 0);
        ck_assert_int_eq(allocate(FILEMEM_LAZY, &range), 0);
        ck_assert_uint_eq(stored(), 0);
        ck_assert_int_eq(allocate(FILEMEM_POPULATE, &range), 0);
        ck_assert_uint_eq(stored(), 8 * PEER_PAGE);
        ck_assert_int_eq(allocate(FILEMEM_COMMIT, &range), 0);
        ck_assert_uint_eq(range.start, START);
        end();
        ck_assert_uint_eq(allocations, 4);
        ck_assert_uint_eq(commits, 1);
        ck_assert_uint_eq(decrefs, 0);
}
END_TEST

START_TEST(a_daemon_that_does_not_commit_is_found_out)
{
        struct filemem_range range = {1, 2};

        begin(false);
        open_session();
        ck_assert_int_eq(allocate(FILEMEM_COMMIT, &range), -ENOSYS);
        ck_assert_str_eq(filemem_last_error(session), "the daemon is older than committing");
        ck_assert_uint_eq(range.start, 1);
        end();
        expect_undone();
}
END_TEST

static const struct failure {
        int error;
        int expected;
} failures[] = {{ENOMEM, -ENOMEM}, {EFAULT, -ENOMEM}, {EINVAL, -ENOSYS}, {EHWPOISON, -EHWPOISON}};

START_TEST(a_populate_that_fails_is_undone)
{
        struct filemem_range range = {START, START + 8 * PEER_PAGE};
        void *address;

        begin(true);
        open_session();
        /* The chunks are mapped, so that the next advice is that of populating. */
        ck_assert_int_eq(filemem_map(session, range, PROT_READ, &address), 0);
        range = (struct filemem_range){1, 2};
        fault_advise(failures[_i].error);
        ck_assert_int_eq(allocate(FILEMEM_POPULATE, &range), failures[_i].expected);
        ck_assert_str_ne(filemem_last_error(session), "");
        ck_assert_uint_eq(range.end, 2);
        end();
        expect_undone();
}
END_TEST

START_TEST(one_that_is_interrupted_goes_on)
{
        struct filemem_range range = {START, START + 8 * PEER_PAGE};
        void *address;

        begin(true);
        open_session();
        ck_assert_int_eq(filemem_map(session, range, PROT_READ, &address), 0);
        fault_advise(EINTR);
        ck_assert_int_eq(allocate(FILEMEM_POPULATE, &range), 0);
        ck_assert_uint_eq(stored(), 8 * PEER_PAGE);
        end();
}
END_TEST

/* The table of the window, and the two chunks. Before them there is the memory of the request, and
 * between them the window, which can be done without. */
static const long mappings[] = {1, 3, 4};

START_TEST(what_cannot_be_mapped_is_undone)
{
        struct filemem_range range;

        begin(true);
        open_session();
        fault_map_at(mappings[_i]);
        ck_assert_int_eq(allocate(FILEMEM_POPULATE, &range), -ENOMEM);
        ck_assert(fault_map_happened());
        ck_assert_str_eq(
                filemem_last_error(session), "the range could not be mapped in this process");
        end();
        expect_undone();
}
END_TEST

START_TEST(without_a_window_each_piece_is_populated)
{
        struct filemem_range range;

        begin(true);
        open_session();
        fault_map_at(2); /* after the memory of the request, and the array of chunks */
        ck_assert_int_eq(allocate(FILEMEM_POPULATE, &range), 0);
        ck_assert(fault_map_happened());
        ck_assert_uint_eq(stored(), 8 * PEER_PAGE);
        ck_assert_int_eq(filemem_map_blocks(session, range, PROT_READ, NULL, 0), 2);
        end();
}
END_TEST

START_TEST(a_forked_child_gets_nothing)
{
        struct filemem_range range;
        pid_t child;
        int status;

        begin(true);
        open_session();
        child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0)
                _exit(allocate(FILEMEM_POPULATE, &range) == -ECHILD &&
                                        allocate(FILEMEM_COMMIT, &range) == -ECHILD
                                ? 0
                                : 1);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        end();
        ck_assert_uint_eq(allocations, 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("allocate");
        TCase *tests = harness_case(suite, "modes", 20);

        tcase_add_test(tests, only_commit_is_asked_of_the_daemon);
        tcase_add_test(tests, a_daemon_that_does_not_commit_is_found_out);
        tcase_add_loop_test(tests, a_populate_that_fails_is_undone, 0, 4);
        tcase_add_test(tests, one_that_is_interrupted_goes_on);
        tcase_add_loop_test(tests, what_cannot_be_mapped_is_undone, 0, 3);
        tcase_add_test(tests, without_a_window_each_piece_is_populated);
        tcase_add_test(tests, a_forked_child_gets_nothing);
        return harness_run(suite);
}
