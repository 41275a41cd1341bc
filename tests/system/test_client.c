// SPDX-License-Identifier: Apache-2.0
/* The library with the real daemon. */
#include "test_client.h"

#include "client_fixture.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- one process ----------------------------------------------------------------------------- */

START_TEST(memory_is_zero_is_kept_and_is_accounted)
{
        struct filemem_range range = client_allocate(64 * PAGE, FILEMEM_TMPFS);
        unsigned char *bytes = client_map(the_session, range);
        struct filemem_usage now;
        uint64_t total;

        ck_assert(client_is_filled(bytes, 64 * PAGE, 0));
        memset(bytes, 0x5a, 64 * PAGE);
        now = client_usage();
        ck_assert_uint_eq(now.allocated[FILEMEM_TMPFS], 64 * PAGE);
        ck_assert_uint_eq(now.committed[FILEMEM_TMPFS], 64 * PAGE);
        ck_assert_uint_eq(now.total, 64 * PAGE);
        ck_assert_uint_eq(now.stray, 0);
        ck_assert_int_eq(filemem_total_usage(the_session, &total), 0);
        ck_assert_uint_eq(total, 64 * PAGE);
        ck_assert_int_eq(filemem_decref(the_session, range), 0);
        client_await_empty();
}
END_TEST

START_TEST(large_ranges_are_huge_page_aligned_in_file_and_process)
{
        struct filemem_range small = client_allocate(PAGE, FILEMEM_ANONYMOUS);
        struct filemem_range large = client_allocate(20 * MIB, FILEMEM_ANONYMOUS);
        unsigned char *bytes = client_map(the_session, large);

        ck_assert_uint_eq(large.start % (2 * MIB), 0);
        ck_assert_uint_eq((uintptr_t)bytes % (2 * MIB), 0);
        ck_assert_ptr_eq(client_map(the_session, small) + (large.start - small.start), bytes);
        bytes[20 * MIB - 1] = 1;
}
END_TEST

START_TEST(decommit_gives_back_and_keeps_the_range)
{
        struct filemem_range range = client_allocate(4 * MIB, FILEMEM_ANONYMOUS);
        unsigned char *bytes = client_map(the_session, range);
        uint64_t total;

        memset(bytes, 1, 4 * MIB);
        ck_assert_int_eq(filemem_decommit(the_session, range, 0), 0);
        ck_assert_int_eq(filemem_total_usage(the_session, &total), 0);
        ck_assert_uint_eq(total, 0);
        ck_assert(client_is_filled(bytes, PAGE, 0));
        bytes[0] = 2;
        /* Reading commits too where the memory is a file's. */
        ck_assert(client_is_filled(bytes + 4 * MIB - PAGE, PAGE, 0));
        ck_assert_uint_eq(client_usage().committed[FILEMEM_ANONYMOUS], 2 * PAGE);
}
END_TEST

START_TEST(refusals_have_the_daemons_errno_and_sentence)
{
        struct filemem_range range = client_allocate(2 * PAGE, FILEMEM_ANONYMOUS), none;
        struct filemem_range beyond = {range.start, range.end + PAGE};
        filemem_session *other = client_open("other");

        ck_assert_int_eq(filemem_incref(the_session, beyond), -ENOENT);
        ck_assert_ptr_nonnull(strstr(filemem_last_error(the_session), "not allocated"));
        ck_assert_int_eq(filemem_decref(other, range), -EACCES);
        ck_assert_ptr_nonnull(strstr(filemem_last_error(other), "not held"));
        ck_assert_int_eq(filemem_incref(other, range), 0);
        ck_assert_int_eq(filemem_decommit(the_session, range, 0), -EBUSY);
        ck_assert_int_eq(filemem_decommit(the_session, range, FILEMEM_DECOMMIT_SHARED), 0);
        ck_assert_int_eq(filemem_allocate(the_session, filemem_capacity(the_session) + PAGE,
                                 FILEMEM_ANONYMOUS, &none),
                -ENOMEM);
        ck_assert_str_ne(filemem_last_error(the_session), "");
        filemem_close(other);
}
END_TEST

START_TEST(a_wrong_release_is_counted_and_nothing_else)
{
        struct filemem_range range = client_allocate(PAGE, FILEMEM_ANONYMOUS);
        char text[100];
        int error;

        ck_assert_int_eq(filemem_release(the_session, range), 0);
        ck_assert_int_eq(filemem_release(the_session, range), 0);
        ck_assert_int_eq(filemem_ping(the_session), 0);
        ck_assert_uint_eq(filemem_lost_errors(the_session, &error, text, sizeof(text)), 1);
        ck_assert(error == -ENOENT || error == -EACCES);
        ck_assert_str_ne(text, "");
}
END_TEST

START_TEST(the_memory_cannot_be_resized_or_unsealed)
{
        int fd = filemem_fd(the_session);
        struct stat info;

        ck_assert_int_eq(fstat(fd, &info), 0);
        ck_assert_uint_eq((uint64_t)info.st_size, filemem_capacity(the_session));
        ck_assert_int_eq(ftruncate(fd, PAGE), -1);
        ck_assert_int_eq(errno, EPERM);
        ck_assert_int_eq(ftruncate(fd, info.st_size + (off_t)PAGE), -1);
        ck_assert_int_eq(errno, EPERM);
        ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
        ck_assert_int_eq(errno, EPERM);
        ck_assert_int_eq(fallocate(fd, 0, info.st_size, PAGE), -1);
        ck_assert_int_eq(filemem_ping(the_session), 0);
}
END_TEST

START_TEST(precommitted_memory_is_committed)
{
        struct filemem_range range = client_allocate(8 * MIB, FILEMEM_MAPPED);
        void *own;

        ck_assert_int_eq(
                filemem_map_into(the_session, range, NULL, READ_WRITE, FILEMEM_MAP_PRECOMMIT, &own),
                0);
        ck_assert_uint_eq(client_usage().committed[FILEMEM_MAPPED], 8 * MIB);
        ck_assert_int_eq(munmap(own, 8 * MIB), 0);
        ck_assert_int_eq(filemem_map_into(the_session, range, NULL, PROT_READ | PROT_EXEC, 0, &own),
                -EACCES);
}
END_TEST

START_TEST(the_questions_have_answers)
{
        struct filemem_range range = client_allocate(3 * PAGE, FILEMEM_RAMDISKFS);
        struct filemem_session_info infos[4];
        struct filemem_entry entries[4];
        struct filemem_status status;
        struct filemem_pool pool;
        uint64_t size;

        ck_assert_int_eq(filemem_status(the_session, &status), 0);
        ck_assert_uint_eq(status.pid, (uint32_t)the_daemon.pid);
        ck_assert_str_ne(status.version, "");
        ck_assert_int_eq(filemem_pool_info(the_session, &pool), 0);
        ck_assert_uint_eq(pool.capacity, 8192 * MIB);
        ck_assert_uint_eq(pool.capacity, filemem_capacity(the_session));
        ck_assert_uint_eq(pool.sessions, 1);
        ck_assert_int_eq(filemem_total_size(the_session, &size), 0);
        ck_assert_uint_eq(size, pool.size);

        ck_assert_int_eq(filemem_sessions(the_session, 0, infos, 4), 1);
        ck_assert_uint_eq(infos[0].session, filemem_session_id(the_session));
        ck_assert_str_eq(infos[0].label, "test");
        ck_assert_int_eq(infos[0].pid, getpid());
        ck_assert_uint_eq(infos[0].held, 3 * PAGE);
        ck_assert_int_eq(filemem_sessions(the_session, infos[0].session, infos, 4), 0);

        ck_assert_int_eq(filemem_dump(the_session, 0, entries, 4), 1);
        ck_assert_uint_eq(entries[0].range.start, range.start);
        ck_assert_uint_eq(entries[0].range.end, range.end);
        ck_assert_int_eq(entries[0].kind, FILEMEM_RAMDISKFS);
        ck_assert_uint_eq(entries[0].refs, 1);
        ck_assert_int_eq(filemem_dump(the_session, range.end, entries, 4), 0);
}
END_TEST

START_TEST(a_dump_of_many_pages_is_complete)
{
        struct filemem_entry entries[300];
        uint64_t from = 0;
        unsigned total = 0;
        int count;

        /* Two kinds in turn, so that no two entries can be merged. */
        for (unsigned i = 0; i < 2000; i++)
                client_allocate(PAGE, i % 2 ? FILEMEM_TMPFS : FILEMEM_ANONYMOUS);
        while ((count = filemem_dump(the_session, from, entries, 300)) > 0) {
                ck_assert_uint_ge(entries[0].range.start, from);
                from = entries[count - 1].range.end;
                total += (unsigned)count;
        }
        ck_assert_int_eq(count, 0);
        ck_assert_uint_eq(total, 2000);
}
END_TEST

/* ---- without the daemon ---------------------------------------------------------------------- */

static void start_only(void)
{
        daemon_start(&the_daemon, NULL);
}

static void *ask_until_it_fails(void *argument)
{
        struct filemem_usage now;
        int r;

        (void)argument;
        while ((r = filemem_update_usage(the_session, &now)) == 0)
                ;
        return (void *)(intptr_t)r;
}

START_TEST(when_the_daemon_is_killed_the_memory_is_still_there)
{
        struct filemem_range range;
        unsigned char *bytes;
        pthread_t thread;
        void *result;

        the_session = client_open("survivor");
        range = client_allocate(MIB, FILEMEM_ANONYMOUS);
        bytes = client_map(the_session, range);
        memset(bytes, 9, MIB);
        ck_assert_int_eq(pthread_create(&thread, NULL, ask_until_it_fails, NULL), 0);
        ck_assert(WIFSIGNALED(daemon_end(&the_daemon, SIGKILL)));
        pthread_join(thread, &result);
        ck_assert_int_eq((intptr_t)result, -ECONNRESET);
        ck_assert_int_eq(filemem_ping(the_session), -ECONNRESET);
        ck_assert_str_ne(filemem_last_error(the_session), "");
        ck_assert_int_eq(filemem_decref(the_session, range), -ECONNRESET);
        ck_assert(client_is_filled(bytes, MIB, 9));
        bytes[0] = 10;
        /* Also what was not mapped before. */
        bytes = client_map(the_session, (struct filemem_range){512 * MIB, 513 * MIB});
        bytes[0] = 11;
        filemem_close(the_session);
        daemon_remove(&the_daemon);
}
END_TEST

START_TEST(a_stopped_daemon_says_goodbye)
{
        the_session = client_open("guest");
        ck_assert_int_eq(filemem_ping(the_session), 0);
        ck_assert_int_eq(daemon_end(&the_daemon, SIGTERM), 0);
        ck_assert_int_eq(filemem_ping(the_session), -ECONNRESET);
        ck_assert_str_ne(filemem_last_error(the_session), "");
        filemem_close(the_session);
        daemon_remove(&the_daemon);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("client");
        TCase *tests = harness_case(suite, "with", 60);
        TCase *ends = harness_case(suite, "without", 60);

        tcase_add_checked_fixture(tests, client_start, client_stop);
        tcase_add_test(tests, memory_is_zero_is_kept_and_is_accounted);
        tcase_add_test(tests, large_ranges_are_huge_page_aligned_in_file_and_process);
        tcase_add_test(tests, decommit_gives_back_and_keeps_the_range);
        tcase_add_test(tests, refusals_have_the_daemons_errno_and_sentence);
        tcase_add_test(tests, a_wrong_release_is_counted_and_nothing_else);
        tcase_add_test(tests, the_memory_cannot_be_resized_or_unsealed);
        tcase_add_test(tests, precommitted_memory_is_committed);
        tcase_add_test(tests, the_questions_have_answers);
        tcase_add_test(tests, a_dump_of_many_pages_is_complete);
        test_client_processes(tests);
        test_client_filter(tests);
        tcase_add_checked_fixture(ends, start_only, NULL);
        tcase_add_test(ends, when_the_daemon_is_killed_the_memory_is_still_there);
        tcase_add_test(ends, a_stopped_daemon_says_goodbye);
        return harness_run(suite);
}
