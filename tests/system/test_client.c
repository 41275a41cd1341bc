// SPDX-License-Identifier: Apache-2.0
/* The library with the real daemon. */
#include "test_client.h"

#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define MIB        (UINT64_C(1) << 20)
#define PAGE       UINT64_C(4096)
#define PATIENCE   20000 /* ms */

static struct daemon the_daemon;
static filemem_session *session;

const char *test_client_socket(void)
{
        return the_daemon.socket;
}

static filemem_session *open_session(const char *label)
{
        const struct filemem_options options = {.size = sizeof(options), .label = label};
        filemem_session *opened;

        ck_assert_msg(filemem_open(the_daemon.socket, &options, &opened) == 0, "%s",
                filemem_open_error());
        return opened;
}

static void start(void)
{
        daemon_start(&the_daemon, "[pool default]\ncapacity = 8G\n");
        session = open_session("test");
}

static void stop(void)
{
        filemem_close(session);
        daemon_stop(&the_daemon);
}

static struct filemem_range allocate(uint64_t length, enum filemem_kind kind)
{
        struct filemem_range range;

        ck_assert_msg(filemem_allocate(session, length, kind, &range) == 0, "%s",
                filemem_last_error(session));
        return range;
}

static unsigned char *map(filemem_session *from, struct filemem_range range)
{
        void *address;

        ck_assert_int_eq(filemem_map(from, range, READ_WRITE, &address), 0);
        return address;
}

static struct filemem_usage usage(void)
{
        struct filemem_usage now;

        ck_assert_int_eq(filemem_update_usage(session, &now), 0);
        return now;
}

static bool is_filled(const unsigned char *bytes, size_t size, unsigned char value)
{
        return bytes[0] == value && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* Waits until nothing is reclaimable and nothing committed. */
static void await_empty(void)
{
        struct filemem_usage now;

        for (int i = 0; i < PATIENCE / 10; i++) {
                now = usage();
                if (!now.reclaimable && !now.total)
                        return;
                poll(NULL, 0, 10);
        }
        ck_abort_msg("%llu bytes are still committed", (unsigned long long)now.total);
}

static int wait_for(pid_t child)
{
        int status;

        ck_assert_int_eq(waitpid(child, &status, 0), child);
        return status;
}

static void write_message(int fd, const void *message, size_t size)
{
        if (write(fd, message, size) != (ssize_t)size)
                _exit(99);
}

static bool read_message(int fd, void *message, size_t size)
{
        ssize_t n;

        while ((n = read(fd, message, size)) < 0 && errno == EINTR)
                ;
        return n == (ssize_t)size;
}

/* ---- one process ----------------------------------------------------------------------------- */

START_TEST(memory_is_zero_is_kept_and_is_accounted)
{
        struct filemem_range range = allocate(64 * PAGE, FILEMEM_TMPFS);
        unsigned char *bytes = map(session, range);
        struct filemem_usage now;
        uint64_t total;

        ck_assert(is_filled(bytes, 64 * PAGE, 0));
        memset(bytes, 0x5a, 64 * PAGE);
        now = usage();
        ck_assert_uint_eq(now.allocated[FILEMEM_TMPFS], 64 * PAGE);
        ck_assert_uint_eq(now.committed[FILEMEM_TMPFS], 64 * PAGE);
        ck_assert_uint_eq(now.total, 64 * PAGE);
        ck_assert_uint_eq(now.stray, 0);
        ck_assert_int_eq(filemem_total_usage(session, &total), 0);
        ck_assert_uint_eq(total, 64 * PAGE);
        ck_assert_int_eq(filemem_decref(session, range), 0);
        await_empty();
}
END_TEST

START_TEST(large_ranges_are_huge_page_aligned_in_file_and_process)
{
        struct filemem_range small = allocate(PAGE, FILEMEM_ANONYMOUS);
        struct filemem_range large = allocate(20 * MIB, FILEMEM_ANONYMOUS);
        unsigned char *bytes = map(session, large);

        ck_assert_uint_eq(large.start % (2 * MIB), 0);
        ck_assert_uint_eq((uintptr_t)bytes % (2 * MIB), 0);
        ck_assert_ptr_eq(map(session, small) + (large.start - small.start), bytes);
        bytes[20 * MIB - 1] = 1;
}
END_TEST

START_TEST(decommit_gives_back_and_keeps_the_range)
{
        struct filemem_range range = allocate(4 * MIB, FILEMEM_ANONYMOUS);
        unsigned char *bytes = map(session, range);
        uint64_t total;

        memset(bytes, 1, 4 * MIB);
        ck_assert_int_eq(filemem_decommit(session, range, 0), 0);
        ck_assert_int_eq(filemem_total_usage(session, &total), 0);
        ck_assert_uint_eq(total, 0);
        ck_assert(is_filled(bytes, PAGE, 0));
        bytes[0] = 2;
        /* Reading commits too where the memory is a file's. */
        ck_assert(is_filled(bytes + 4 * MIB - PAGE, PAGE, 0));
        ck_assert_uint_eq(usage().committed[FILEMEM_ANONYMOUS], 2 * PAGE);
}
END_TEST

START_TEST(refusals_have_the_daemons_errno_and_sentence)
{
        struct filemem_range range = allocate(2 * PAGE, FILEMEM_ANONYMOUS), none;
        struct filemem_range beyond = {range.start, range.end + PAGE};
        filemem_session *other = open_session("other");

        ck_assert_int_eq(filemem_incref(session, beyond), -ENOENT);
        ck_assert_ptr_nonnull(strstr(filemem_last_error(session), "not allocated"));
        ck_assert_int_eq(filemem_decref(other, range), -EACCES);
        ck_assert_ptr_nonnull(strstr(filemem_last_error(other), "not held"));
        ck_assert_int_eq(filemem_incref(other, range), 0);
        ck_assert_int_eq(filemem_decommit(session, range, 0), -EBUSY);
        ck_assert_int_eq(filemem_decommit(session, range, FILEMEM_DECOMMIT_SHARED), 0);
        ck_assert_int_eq(filemem_allocate(session, filemem_capacity(session) + PAGE,
                                 FILEMEM_ANONYMOUS, &none),
                -ENOMEM);
        ck_assert_str_ne(filemem_last_error(session), "");
        filemem_close(other);
}
END_TEST

START_TEST(a_wrong_release_is_counted_and_nothing_else)
{
        struct filemem_range range = allocate(PAGE, FILEMEM_ANONYMOUS);
        char text[100];
        int error;

        ck_assert_int_eq(filemem_release(session, range), 0);
        ck_assert_int_eq(filemem_release(session, range), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(filemem_lost_errors(session, &error, text, sizeof(text)), 1);
        ck_assert(error == -ENOENT || error == -EACCES);
        ck_assert_str_ne(text, "");
}
END_TEST

START_TEST(the_memory_cannot_be_resized_or_unsealed)
{
        int fd = filemem_fd(session);
        struct stat info;

        ck_assert_int_eq(fstat(fd, &info), 0);
        ck_assert_uint_eq((uint64_t)info.st_size, filemem_capacity(session));
        ck_assert_int_eq(ftruncate(fd, PAGE), -1);
        ck_assert_int_eq(errno, EPERM);
        ck_assert_int_eq(ftruncate(fd, info.st_size + (off_t)PAGE), -1);
        ck_assert_int_eq(errno, EPERM);
        ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
        ck_assert_int_eq(errno, EPERM);
        ck_assert_int_eq(fallocate(fd, 0, info.st_size, PAGE), -1);
        ck_assert_int_eq(filemem_ping(session), 0);
}
END_TEST

START_TEST(precommitted_memory_is_committed)
{
        struct filemem_range range = allocate(8 * MIB, FILEMEM_MAPPED);
        void *own;

        ck_assert_int_eq(
                filemem_map_into(session, range, NULL, READ_WRITE, FILEMEM_MAP_PRECOMMIT, &own), 0);
        ck_assert_uint_eq(usage().committed[FILEMEM_MAPPED], 8 * MIB);
        ck_assert_int_eq(munmap(own, 8 * MIB), 0);
        ck_assert_int_eq(
                filemem_map_into(session, range, NULL, PROT_READ | PROT_EXEC, 0, &own), -EACCES);
}
END_TEST

START_TEST(the_questions_have_answers)
{
        struct filemem_range range = allocate(3 * PAGE, FILEMEM_RAMDISKFS);
        struct filemem_session_info infos[4];
        struct filemem_entry entries[4];
        struct filemem_status status;
        struct filemem_pool pool;
        uint64_t size;

        ck_assert_int_eq(filemem_status(session, &status), 0);
        ck_assert_uint_eq(status.pid, (uint32_t)the_daemon.pid);
        ck_assert_str_ne(status.version, "");
        ck_assert_int_eq(filemem_pool_info(session, &pool), 0);
        ck_assert_uint_eq(pool.capacity, 8192 * MIB);
        ck_assert_uint_eq(pool.capacity, filemem_capacity(session));
        ck_assert_uint_eq(pool.sessions, 1);
        ck_assert_int_eq(filemem_total_size(session, &size), 0);
        ck_assert_uint_eq(size, pool.size);

        ck_assert_int_eq(filemem_sessions(session, 0, infos, 4), 1);
        ck_assert_uint_eq(infos[0].session, filemem_session_id(session));
        ck_assert_str_eq(infos[0].label, "test");
        ck_assert_int_eq(infos[0].pid, getpid());
        ck_assert_uint_eq(infos[0].held, 3 * PAGE);
        ck_assert_int_eq(filemem_sessions(session, infos[0].session, infos, 4), 0);

        ck_assert_int_eq(filemem_dump(session, 0, entries, 4), 1);
        ck_assert_uint_eq(entries[0].range.start, range.start);
        ck_assert_uint_eq(entries[0].range.end, range.end);
        ck_assert_int_eq(entries[0].kind, FILEMEM_RAMDISKFS);
        ck_assert_uint_eq(entries[0].refs, 1);
        ck_assert_int_eq(filemem_dump(session, range.end, entries, 4), 0);
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
                allocate(PAGE, i % 2 ? FILEMEM_TMPFS : FILEMEM_ANONYMOUS);
        while ((count = filemem_dump(session, from, entries, 300)) > 0) {
                ck_assert_uint_ge(entries[0].range.start, from);
                from = entries[count - 1].range.end;
                total += (unsigned)count;
        }
        ck_assert_int_eq(count, 0);
        ck_assert_uint_eq(total, 2000);
}
END_TEST

/* ---- several processes ----------------------------------------------------------------------- */

/* Opens a session of its own, takes a reference on what it is told of, and writes an answer into
 * it. */
static void answer_in_memory(int from_parent, int to_parent)
{
        struct filemem_range range;
        filemem_session *mine;
        void *address;
        char done = 0;

        if (filemem_open(the_daemon.socket, NULL, &mine) < 0 ||
                !read_message(from_parent, &range, sizeof(range)) ||
                filemem_incref(mine, range) < 0 ||
                filemem_map(mine, range, READ_WRITE, &address) < 0)
                _exit(1);
        if (strcmp(address, "question") != 0)
                _exit(2);
        strcpy((char *)address + PAGE, "answer");
        write_message(to_parent, &done, 1);
        read_message(from_parent, &done, 1); /* until the parent hangs up */
        _exit(0);
}

START_TEST(two_processes_see_one_memory)
{
        struct filemem_range range = allocate(2 * PAGE, FILEMEM_ANONYMOUS);
        struct filemem_entry entry;
        int down[2], up[2];
        char *bytes;
        pid_t child;
        char done;

        ck_assert_int_eq(pipe(down), 0);
        ck_assert_int_eq(pipe(up), 0);
        child = fork();
        if (child == 0) {
                close(down[1]);
                answer_in_memory(down[0], up[1]);
        }
        close(down[0]);
        bytes = (char *)map(session, range);
        strcpy(bytes, "question");
        write_message(down[1], &range, sizeof(range));
        ck_assert(read_message(up[0], &done, 1));
        ck_assert_str_eq(bytes + PAGE, "answer");
        ck_assert_int_eq(filemem_dump(session, range.start, &entry, 1), 1);
        ck_assert_uint_eq(entry.refs, 2);

        /* We let go; it still holds; it ends, and everything goes. */
        ck_assert_int_eq(filemem_decref(session, range), 0);
        ck_assert_int_eq(filemem_dump(session, range.start, &entry, 1), 1);
        ck_assert_uint_eq(entry.refs, 1);
        ck_assert_str_eq(bytes + PAGE, "answer");
        close(down[1]);
        ck_assert_int_eq(wait_for(child), 0);
        close(up[0]);
        close(up[1]);
        await_empty();
}
END_TEST

START_TEST(a_killed_process_leaves_nothing_and_takes_nothing)
{
        struct filemem_range range = allocate(MIB, FILEMEM_ANONYMOUS), other = {0, 0};
        struct filemem_entry entry;
        unsigned char *bytes = map(session, range);
        int up[2];
        pid_t child;

        memset(bytes, 3, MIB);
        ck_assert_int_eq(pipe(up), 0);
        child = fork();
        if (child == 0) {
                filemem_session *mine;
                void *address;

                if (filemem_open(the_daemon.socket, NULL, &mine) < 0 ||
                        filemem_incref(mine, range) < 0 ||
                        filemem_allocate(mine, 4 * MIB, FILEMEM_TMPFS, &other) < 0 ||
                        filemem_map(mine, other, READ_WRITE, &address) < 0)
                        _exit(1);
                memset(address, 4, 4 * MIB);
                write_message(up[1], &other, sizeof(other));
                pause();
        }
        ck_assert(read_message(up[0], &other, sizeof(other)));
        ck_assert_int_eq(filemem_dump(session, range.start, &entry, 1), 1);
        ck_assert_uint_eq(entry.refs, 2);
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        ck_assert(WIFSIGNALED(wait_for(child)));
        close(up[0]);
        close(up[1]);

        for (int i = 0; i < PATIENCE / 10; i++) {
                struct filemem_usage now = usage();

                if (!now.allocated[FILEMEM_TMPFS] && !now.reclaimable)
                        break;
                poll(NULL, 0, 10);
        }
        ck_assert_uint_eq(usage().allocated[FILEMEM_TMPFS], 0);
        ck_assert_uint_eq(usage().total, MIB);
        ck_assert_int_eq(filemem_dump(session, range.start, &entry, 1), 1);
        ck_assert_uint_eq(entry.refs, 1);
        ck_assert_uint_eq(bytes[MIB - 1], 3);
        ck_assert_int_eq(filemem_incref(session, other), -ENOENT);
}
END_TEST

START_TEST(a_forked_childs_end_does_not_end_the_session)
{
        struct filemem_range range = allocate(PAGE, FILEMEM_ANONYMOUS);
        pid_t child = fork();

        if (child == 0) {
                int r = filemem_ping(session);

                filemem_close(session);
                _exit(r == -ECHILD ? 0 : 1);
        }
        ck_assert_int_eq(wait_for(child), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(filemem_decref(session, range), 0);
}
END_TEST

/* ---- threads --------------------------------------------------------------------------------- */

#define THREADS 8

static atomic_uint wrong;

/* Allocates, fills, checks, lets go, in a random order; nobody else may write to what is ours. */
static void *use_memory(void *argument)
{
        unsigned char mine = (unsigned char)(uintptr_t)argument;
        unsigned random = mine, rounds = 150 / harness_slowness();

        for (unsigned i = 0; i < rounds; i++) {
                struct filemem_range range;
                uint64_t length;
                void *address;
                unsigned char *bytes;

                random = random * 1664525 + 1013904223;
                length = PAGE * (1 + random / 65536 % 600);
                if (filemem_allocate(session, length, FILEMEM_ANONYMOUS, &range) < 0 ||
                        filemem_map(session, range, READ_WRITE, &address) < 0) {
                        atomic_fetch_add(&wrong, 1);
                        continue;
                }
                bytes = address;
                for (uint64_t at = 0; at < length; at += PAGE) {
                        if (bytes[at])
                                atomic_fetch_add(&wrong, 1);
                        bytes[at] = mine;
                }
                if (i % 3 == 0 &&
                        (filemem_incref(session, range) < 0 || filemem_decref(session, range) < 0))
                        atomic_fetch_add(&wrong, 1);
                for (uint64_t at = 0; at < length; at += PAGE)
                        if (bytes[at] != mine)
                                atomic_fetch_add(&wrong, 1);
                if ((i % 2 ? filemem_decref(session, range) : filemem_release(session, range)) < 0)
                        atomic_fetch_add(&wrong, 1);
        }
        return NULL;
}

START_TEST(eight_threads_share_one_session)
{
        pthread_t threads[THREADS];

        for (uintptr_t i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, use_memory, (void *)(i + 1)), 0);
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        ck_assert_uint_eq(atomic_load(&wrong), 0);
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), 0);
        await_empty();
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
        while ((r = filemem_update_usage(session, &now)) == 0)
                ;
        return (void *)(intptr_t)r;
}

START_TEST(when_the_daemon_is_killed_the_memory_is_still_there)
{
        struct filemem_range range;
        unsigned char *bytes;
        pthread_t thread;
        void *result;

        session = open_session("survivor");
        range = allocate(MIB, FILEMEM_ANONYMOUS);
        bytes = map(session, range);
        memset(bytes, 9, MIB);
        ck_assert_int_eq(pthread_create(&thread, NULL, ask_until_it_fails, NULL), 0);
        ck_assert(WIFSIGNALED(daemon_end(&the_daemon, SIGKILL)));
        pthread_join(thread, &result);
        ck_assert_int_eq((intptr_t)result, -ECONNRESET);
        ck_assert_int_eq(filemem_ping(session), -ECONNRESET);
        ck_assert_str_ne(filemem_last_error(session), "");
        ck_assert_int_eq(filemem_decref(session, range), -ECONNRESET);
        ck_assert(is_filled(bytes, MIB, 9));
        bytes[0] = 10;
        /* Also what was not mapped before. */
        bytes = map(session, (struct filemem_range){512 * MIB, 513 * MIB});
        bytes[0] = 11;
        filemem_close(session);
        daemon_remove(&the_daemon);
}
END_TEST

START_TEST(a_stopped_daemon_says_goodbye)
{
        session = open_session("guest");
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(daemon_end(&the_daemon, SIGTERM), 0);
        ck_assert_int_eq(filemem_ping(session), -ECONNRESET);
        ck_assert_str_ne(filemem_last_error(session), "");
        filemem_close(session);
        daemon_remove(&the_daemon);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("client");
        TCase *tests = harness_case(suite, "with", 60);
        TCase *ends = harness_case(suite, "without", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, memory_is_zero_is_kept_and_is_accounted);
        tcase_add_test(tests, large_ranges_are_huge_page_aligned_in_file_and_process);
        tcase_add_test(tests, decommit_gives_back_and_keeps_the_range);
        tcase_add_test(tests, refusals_have_the_daemons_errno_and_sentence);
        tcase_add_test(tests, a_wrong_release_is_counted_and_nothing_else);
        tcase_add_test(tests, the_memory_cannot_be_resized_or_unsealed);
        tcase_add_test(tests, precommitted_memory_is_committed);
        tcase_add_test(tests, the_questions_have_answers);
        tcase_add_test(tests, a_dump_of_many_pages_is_complete);
        tcase_add_test(tests, two_processes_see_one_memory);
        tcase_add_test(tests, a_killed_process_leaves_nothing_and_takes_nothing);
        tcase_add_test(tests, a_forked_childs_end_does_not_end_the_session);
        tcase_add_test(tests, eight_threads_share_one_session);
        test_client_filter(tests);
        tcase_add_checked_fixture(ends, start_only, NULL);
        tcase_add_test(ends, when_the_daemon_is_killed_the_memory_is_still_there);
        tcase_add_test(ends, a_stopped_daemon_says_goodbye);
        return harness_run(suite);
}
