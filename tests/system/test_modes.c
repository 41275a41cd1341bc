// SPDX-License-Identifier: Apache-2.0
/* Modes of allocation and verified zeros, with the real daemon. */
#include "base/clock.h"
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"
#include "support/raw.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)
#define MIB  (UINT64_C(1) << 20)
#define GIB  (UINT64_C(1) << 30)

static struct daemon the_daemon;
static struct raw raw;
static filemem_session *session;

static void start_with(const char *config)
{
        daemon_start(&the_daemon, config);
        raw_open(&raw, the_daemon.socket, "raw");
        ck_assert_int_eq(filemem_open(the_daemon.socket, NULL, &session), 0);
}

static void start(void)
{
        start_with("[pool default]\ncapacity = 256G\n");
}

static void start_verify(void)
{
        start_with("[pool default]\ncapacity = 256G\nzero = verify\n");
}

static void stop(void)
{
        filemem_close(session);
        raw_close(&raw);
        daemon_stop(&the_daemon);
}

static uint64_t stored(void)
{
        struct stat info;

        ck_assert_int_eq(fstat(raw.memfd, &info), 0);
        return (uint64_t)info.st_blocks * 512;
}

static void await_stored(uint64_t bytes)
{
        uint64_t deadline = clock_now() + 30 * NSEC_PER_SEC;

        while (stored() != bytes) {
                ck_assert_uint_lt(clock_now(), deadline);
                usleep(1000);
        }
}

/* Nothing is allocated any more, and all is given back. */
static void await_no_entry(void)
{
        uint64_t deadline = clock_now() + 30 * NSEC_PER_SEC;
        Filemem__DumpEntry *entries;

        while (raw_dump_all(&raw, &entries)) {
                ck_assert_uint_lt(clock_now(), deadline);
                free(entries);
                usleep(1000);
        }
        free(entries);
        ck_assert_uint_eq(stored(), 0);
}

static void fill(struct raw_operation *operation, uint64_t length, int mode)
{
        raw_allocate(operation, length, FILEMEM__KIND__KIND_TMPFS);
        operation->body.allocate.mode = (Filemem__Mode)mode;
}

static const Filemem__Result *allocate(uint64_t length, int mode)
{
        struct raw_operation operation;

        fill(&operation, length, mode);
        return raw_call(&raw, &operation);
}

static void decref(uint64_t start_, uint64_t end)
{
        struct raw_operation operation;

        raw_decref(&operation, start_, end);
        raw_do(&raw, &operation);
}

/* ---- the protocol ------------------------------------------------------------------------------
 */

START_TEST(committed_memory_is_stored_and_counted)
{
        const Filemem__Result *result = allocate(100 * MIB, FILEMEM__MODE__MODE_COMMIT);
        struct raw_operation operation;

        ck_assert_msg(result->status == FILEMEM__STATUS__STATUS_OK, "%s", result->text);
        ck_assert(result->allocated->committed);
        ck_assert_uint_eq(result->allocated->start, 0);
        ck_assert_uint_eq(result->allocated->end, 100 * MIB);
        ck_assert_uint_eq(result->allocated->size, 128 * MIB);
        ck_assert_uint_eq(stored(), 100 * MIB);
        raw_usage(&operation);
        result = raw_do(&raw, &operation);
        ck_assert_uint_eq(result->usage->kinds[FILEMEM__KIND__KIND_TMPFS]->committed, 100 * MIB);
        ck_assert(result->usage->exact);
        decref(0, 100 * MIB);
        await_stored(0);
}
END_TEST

START_TEST(lazy_memory_is_not)
{
        const Filemem__Result *result = allocate(MIB, FILEMEM__MODE__MODE_LAZY);

        ck_assert(!result->allocated->committed);
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

static const struct refusal {
        uint64_t length;
        int mode;
        int kind;
        Filemem__Status status;
} refusals[] = {
        {PAGE, 2, 1, FILEMEM__STATUS__STATUS_EINVAL}, {PAGE, -1, 1, FILEMEM__STATUS__STATUS_EINVAL},
        {PAGE, INT32_MAX, 1, FILEMEM__STATUS__STATUS_EINVAL},
        {PAGE, 1, 6, FILEMEM__STATUS__STATUS_EINVAL}, {PAGE, 1, -1, FILEMEM__STATUS__STATUS_EINVAL},
        {0, 1, 1, FILEMEM__STATUS__STATUS_EINVAL}, {1, 1, 1, FILEMEM__STATUS__STATUS_EINVAL},
        {UINT64_MAX, 1, 1, FILEMEM__STATUS__STATUS_EINVAL},
        {UINT64_MAX & ~(PAGE - 1), 1, 1, FILEMEM__STATUS__STATUS_ENOMEM},
        {UINT64_C(1) << 63, 1, 1, FILEMEM__STATUS__STATUS_ENOMEM},
        {257 * GIB, 1, 1, FILEMEM__STATUS__STATUS_ENOMEM},
        {200 * GIB, 1, 1, FILEMEM__STATUS__STATUS_ENOMEM}, /* more than the machine has */
};

#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

START_TEST(what_cannot_be_is_refused_and_leaves_nothing)
{
        Filemem__DumpEntry *entries;

        for (size_t i = 0; i < REFUSALS; i++) {
                const struct refusal *row = &refusals[i];
                struct raw_operation operation;
                const Filemem__Result *result;

                fill(&operation, row->length, row->mode);
                operation.body.allocate.kind = (Filemem__Kind)row->kind;
                result = raw_call(&raw, &operation);
                ck_assert_msg(result->status == row->status, "row %zu: %d %s", i,
                        (int)result->status, result->text);
                ck_assert_str_ne(result->text, "");
        }
        raw_settle(&raw);
        ck_assert_uint_eq(raw_dump_all(&raw, &entries), 0);
        ck_assert_uint_eq(stored(), 0);
        free(entries);
}
END_TEST

START_TEST(a_batch_keeps_its_order)
{
        struct raw_operation operations[4];
        const Filemem__Reply *reply;

        fill(&operations[0], MIB, FILEMEM__MODE__MODE_COMMIT);
        fill(&operations[1], MIB, FILEMEM__MODE__MODE_LAZY);
        fill(&operations[2], MIB, 7);
        fill(&operations[3], PAGE, FILEMEM__MODE__MODE_COMMIT);
        reply = raw_receive_reply(&raw, raw_request(&raw, operations, 4));
        ck_assert_uint_eq(reply->n_results, 4);
        ck_assert_uint_eq(reply->results[0]->allocated->start, 0);
        ck_assert_uint_eq(reply->results[1]->allocated->start, MIB);
        ck_assert_int_eq(reply->results[2]->status, FILEMEM__STATUS__STATUS_EINVAL);
        ck_assert_uint_eq(reply->results[3]->allocated->start, 2 * MIB);
        ck_assert_uint_eq(stored(), MIB + PAGE);
}
END_TEST

START_TEST(without_a_reply_a_refusal_is_an_event)
{
        struct raw_operation operation;
        const Filemem__ToClient *message;

        fill(&operation, 200 * GIB, FILEMEM__MODE__MODE_COMMIT);
        operation.operation.no_reply = true;
        raw_request(&raw, &operation, 1);
        message = raw_receive(&raw);
        ck_assert_int_eq(message->body_case, FILEMEM__TO_CLIENT__BODY_EVENT);
        ck_assert_int_eq(message->event->status, FILEMEM__STATUS__STATUS_ENOMEM);
}
END_TEST

START_TEST(a_large_commit_does_not_hold_up_the_others)
{
        unsigned count = 0, slow = 0;
        struct raw_operation operation;
        struct filemem_range range;

        fill(&operation, GIB, FILEMEM__MODE__MODE_COMMIT);
        raw_request(&raw, &operation, 1);
        while (!raw_is_readable(&raw)) {
                uint64_t before = clock_now();

                ck_assert_int_eq(filemem_allocate(session, PAGE, FILEMEM_ANONYMOUS, &range), 0);
                slow += clock_now() - before > 5 * NSEC_PER_MSEC;
                count++;
        }
        /* The machine may have others to serve: that makes a few of them slow. */
        ck_assert_uint_gt(count, 100);
        ck_assert_uint_lt(slow, count / 10);
        ck_assert_int_eq(raw_receive(&raw)->reply->results[0]->status, 0);
}
END_TEST

START_TEST(commits_of_a_session_that_hangs_up_are_left_and_undone)
{
        struct raw_operation operations[3];
        struct raw guest;
        uint64_t total;

        raw_open(&guest, the_daemon.socket, "guest");
        for (int i = 0; i < 3; i++)
                fill(&operations[i], GIB, FILEMEM__MODE__MODE_COMMIT);
        raw_request(&guest, operations, 3);
        raw_request(&guest, operations, 3);
        while (stored() < 64 * MIB)
                usleep(100);
        raw_close(&guest);
        for (total = 0; stored(); usleep(100))
                if (stored() > total)
                        total = stored();
        ck_assert_uint_lt(total, GIB);
        await_no_entry();
}
END_TEST

START_TEST(a_commit_of_a_process_that_is_killed_is_left_and_undone)
{
        pid_t child = fork();
        uint64_t total;

        ck_assert_int_ge(child, 0);
        if (child == 0) {
                struct filemem_range range;
                filemem_session *mine;

                if (filemem_open(the_daemon.socket, NULL, &mine) == 0)
                        filemem_allocate_mode(
                                mine, 4 * GIB, FILEMEM_ANONYMOUS, FILEMEM_COMMIT, &range);
                _exit(1);
        }
        while (stored() < 64 * MIB)
                usleep(100);
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        for (total = 0; stored(); usleep(100))
                if (stored() > total)
                        total = stored();
        ck_assert_uint_lt(total, 4 * GIB);
        await_no_entry();
}
END_TEST

/* The answers to what was sent before are still wanted. */
START_TEST(who_closes_only_its_end_for_sending_gets_its_memory)
{
        struct raw_operation operation;
        uint64_t id;

        fill(&operation, 256 * MIB, FILEMEM__MODE__MODE_COMMIT);
        id = raw_request(&raw, &operation, 1);
        ck_assert_int_eq(shutdown(raw.fd, SHUT_WR), 0);
        ck_assert_int_eq(raw_receive_reply(&raw, id)->results[0]->status, 0);
        raw_receive_end(&raw);
}
END_TEST

START_TEST(a_daemon_that_is_stopped_meanwhile_ends_well)
{
        struct raw_operation operation;

        fill(&operation, 4 * GIB, FILEMEM__MODE__MODE_COMMIT);
        raw_request(&raw, &operation, 1);
        while (stored() < 64 * MIB)
                usleep(100);
        ck_assert_int_eq(daemon_end(&the_daemon, SIGTERM), 0);
        filemem_close(session);
        raw_close(&raw);
        daemon_remove(&the_daemon);
}
END_TEST

/* ---- the library -------------------------------------------------------------------------------
 */

static struct filemem_range get(uint64_t length, enum filemem_mode mode)
{
        struct filemem_range range;

        ck_assert_msg(filemem_allocate_mode(session, length, FILEMEM_MAPPED, mode, &range) == 0,
                "%s", filemem_last_error(session));
        ck_assert_uint_eq(range.end - range.start, length);
        return range;
}

START_TEST(each_mode_of_the_library_commits_what_it_says)
{
        struct filemem_range range;
        unsigned char *bytes;
        void *address;

        get(5 * MIB, FILEMEM_LAZY);
        ck_assert_uint_eq(stored(), 0);
        get(5 * MIB, FILEMEM_COMMIT);
        ck_assert_uint_eq(stored(), 5 * MIB);
        range = get(40 * MIB, FILEMEM_POPULATE);
        ck_assert_uint_eq(stored(), 45 * MIB);
        ck_assert_int_eq(filemem_map(session, range, PROT_READ | PROT_WRITE, &address), 0);
        bytes = address;
        for (uint64_t i = 0; i < 40 * MIB; i += PAGE)
                ck_assert_uint_eq(bytes[i], 0);
}
END_TEST

START_TEST(the_library_refuses_what_is_no_mode)
{
        struct filemem_range range = {1, 2};

        ck_assert_int_eq(
                filemem_allocate_mode(session, PAGE, FILEMEM_MAPPED, (enum filemem_mode)3, &range),
                -EINVAL);
        ck_assert_int_eq(
                filemem_allocate_mode(NULL, PAGE, FILEMEM_MAPPED, FILEMEM_LAZY, &range), -EINVAL);
        ck_assert_int_eq(
                filemem_allocate_mode(session, PAGE, FILEMEM_MAPPED, FILEMEM_LAZY, NULL), -EINVAL);
        ck_assert_int_eq(
                filemem_allocate_mode(session, 200 * GIB, FILEMEM_MAPPED, FILEMEM_COMMIT, &range),
                -ENOMEM);
        ck_assert_str_ne(filemem_last_error(session), "");
        ck_assert_uint_eq(range.start, 1);
        ck_assert_uint_eq(range.end, 2);
}
END_TEST

/* ---- zero = verify -----------------------------------------------------------------------------
 */

/* Writes where nobody has anything. */
static void write_stale(uint64_t start_, uint64_t end)
{
        unsigned char *bytes = mmap(
                NULL, end - start_, PROT_READ | PROT_WRITE, MAP_SHARED, raw.memfd, (off_t)start_);

        ck_assert_ptr_ne(bytes, MAP_FAILED);
        for (uint64_t i = 0; i < end - start_; i += PAGE)
                bytes[i] = 7;
        munmap(bytes, end - start_);
}

static unsigned char first_byte(uint64_t offset)
{
        unsigned char byte;

        ck_assert_int_eq(pread(raw.memfd, &byte, 1, (off_t)offset), 1);
        return byte;
}

START_TEST(without_verify_a_stale_byte_is_seen)
{
        write_stale(0, MIB);
        ck_assert_uint_eq(raw_get(&raw, MIB, 1), 0);
        ck_assert_uint_eq(first_byte(0), 7);
}
END_TEST

START_TEST(with_verify_it_is_not)
{
        for (int i = 0; i < 20; i++) {
                write_stale(0, MIB);
                ck_assert_uint_eq(raw_get(&raw, MIB, 1), 0);
                ck_assert_uint_eq(first_byte(0), 0);
                ck_assert_uint_eq(stored(), 0);
                decref(0, MIB);
                raw_settle(&raw);
        }
        write_stale(0, MIB);
        ck_assert_int_eq(allocate(MIB, FILEMEM__MODE__MODE_COMMIT)->status, 0);
        ck_assert_uint_eq(first_byte(0), 0);
        ck_assert_uint_eq(stored(), MIB);
}
END_TEST

START_TEST(with_verify_refusals_and_large_ranges_are_the_same)
{
        ck_assert_int_eq(allocate(0, 0)->status, FILEMEM__STATUS__STATUS_EINVAL);
        ck_assert_int_eq(allocate(PAGE, 9)->status, FILEMEM__STATUS__STATUS_EINVAL);
        ck_assert_int_eq(allocate(300 * GIB, 0)->status, FILEMEM__STATUS__STATUS_ENOMEM);
        ck_assert_uint_eq(raw_get(&raw, 200 * GIB, 1), 0);
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

START_TEST(a_pool_says_what_it_is_set_to)
{
        struct filemem_pool pool;

        ck_assert_int_eq(filemem_pool_info(session, &pool), 0);
        ck_assert(pool.zero_verify);
        ck_assert(!pool.huge_advise);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("modes");
        TCase *tests = harness_case(suite, "off", 60);
        TCase *ends = harness_case(suite, "ends", 60);
        TCase *verify = harness_case(suite, "verify", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, committed_memory_is_stored_and_counted);
        tcase_add_test(tests, lazy_memory_is_not);
        tcase_add_test(tests, what_cannot_be_is_refused_and_leaves_nothing);
        tcase_add_test(tests, a_batch_keeps_its_order);
        tcase_add_test(tests, without_a_reply_a_refusal_is_an_event);
        tcase_add_test(tests, a_large_commit_does_not_hold_up_the_others);
        tcase_add_test(tests, commits_of_a_session_that_hangs_up_are_left_and_undone);
        tcase_add_test(tests, each_mode_of_the_library_commits_what_it_says);
        tcase_add_test(tests, the_library_refuses_what_is_no_mode);
        tcase_add_test(tests, without_verify_a_stale_byte_is_seen);
        tcase_add_test(tests, a_commit_of_a_process_that_is_killed_is_left_and_undone);
        tcase_add_test(tests, who_closes_only_its_end_for_sending_gets_its_memory);
        tcase_add_checked_fixture(ends, start, NULL);
        tcase_add_test(ends, a_daemon_that_is_stopped_meanwhile_ends_well);
        tcase_add_checked_fixture(verify, start_verify, stop);
        tcase_add_test(verify, with_verify_it_is_not);
        tcase_add_test(verify, with_verify_refusals_and_large_ranges_are_the_same);
        tcase_add_test(verify, a_pool_says_what_it_is_set_to);
        return harness_run(suite);
}
