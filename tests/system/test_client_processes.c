// SPDX-License-Identifier: Apache-2.0
/* Several processes and threads with one memory, by the library and the real daemon. */
#include "client_fixture.h"
#include "support/harness.h"
#include "test_client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* ---- several processes ----------------------------------------------------------------------- */

/* Opens a session of its own, takes a reference on what it is told of, and writes an answer
 * into it. */
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
        struct filemem_range range = client_allocate(2 * PAGE, FILEMEM_ANONYMOUS);
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
        bytes = (char *)client_map(the_session, range);
        strcpy(bytes, "question");
        write_message(down[1], &range, sizeof(range));
        ck_assert(read_message(up[0], &done, 1));
        ck_assert_str_eq(bytes + PAGE, "answer");
        ck_assert_int_eq(filemem_dump(the_session, range.start, &entry, 1), 1);
        ck_assert_uint_eq(entry.refs, 2);

        /* We let go; it still holds; it ends, and everything goes. */
        ck_assert_int_eq(filemem_decref(the_session, range), 0);
        ck_assert_int_eq(filemem_dump(the_session, range.start, &entry, 1), 1);
        ck_assert_uint_eq(entry.refs, 1);
        ck_assert_str_eq(bytes + PAGE, "answer");
        close(down[1]);
        ck_assert_int_eq(wait_for(child), 0);
        close(up[0]);
        close(up[1]);
        client_await_empty();
}
END_TEST

START_TEST(a_killed_process_leaves_nothing_and_takes_nothing)
{
        struct filemem_range range = client_allocate(MIB, FILEMEM_ANONYMOUS), other = {0, 0};
        struct filemem_entry entry;
        unsigned char *bytes = client_map(the_session, range);
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
        ck_assert_int_eq(filemem_dump(the_session, range.start, &entry, 1), 1);
        ck_assert_uint_eq(entry.refs, 2);
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        ck_assert(WIFSIGNALED(wait_for(child)));
        close(up[0]);
        close(up[1]);

        for (int i = 0; i < CLIENT_PATIENCE / 10; i++) {
                struct filemem_usage now = client_usage();

                if (!now.allocated[FILEMEM_TMPFS] && !now.reclaimable)
                        break;
                poll(NULL, 0, 10);
        }
        ck_assert_uint_eq(client_usage().allocated[FILEMEM_TMPFS], 0);
        ck_assert_uint_eq(client_usage().total, MIB);
        ck_assert_int_eq(filemem_dump(the_session, range.start, &entry, 1), 1);
        ck_assert_uint_eq(entry.refs, 1);
        ck_assert_uint_eq(bytes[MIB - 1], 3);
        ck_assert_int_eq(filemem_incref(the_session, other), -ENOENT);
}
END_TEST

START_TEST(a_forked_childs_end_does_not_end_the_session)
{
        struct filemem_range range = client_allocate(PAGE, FILEMEM_ANONYMOUS);
        pid_t child = fork();

        if (child == 0) {
                int r = filemem_ping(the_session);

                filemem_close(the_session);
                _exit(r == -ECHILD ? 0 : 1);
        }
        ck_assert_int_eq(wait_for(child), 0);
        ck_assert_int_eq(filemem_ping(the_session), 0);
        ck_assert_int_eq(filemem_decref(the_session, range), 0);
}
END_TEST

/* A child of a child opens one, too: each has its own, and nobody that of an ancestor. */
static int descend(filemem_session *inherited, int generations)
{
        pid_t child = fork();
        int status;

        if (child == 0) {
                filemem_session *mine;
                int wrong = filemem_ping(inherited) != -ECHILD;

                wrong += filemem_open(the_daemon.socket, NULL, &mine) != 0;
                wrong += filemem_ping(mine) != 0;
                wrong += filemem_ping(inherited) != -ECHILD;
                wrong += filemem_fd(inherited) != -ECHILD;
                if (generations > 1)
                        wrong += descend(mine, generations - 1);
                wrong += filemem_ping(mine) != 0;
                filemem_close(mine);
                filemem_close(inherited);
                _exit(wrong);
        }
        return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(each_generation_has_sessions_of_its_own)
{
        ck_assert_int_eq(descend(the_session, 3), 0);
        ck_assert_int_eq(filemem_ping(the_session), 0);
        ck_assert_int_eq(descend(the_session, 1), 0);
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
                if (filemem_allocate(the_session, length, FILEMEM_ANONYMOUS, &range) < 0 ||
                        filemem_map(the_session, range, READ_WRITE, &address) < 0) {
                        atomic_fetch_add(&wrong, 1);
                        continue;
                }
                bytes = address;
                for (uint64_t at = 0; at < length; at += PAGE) {
                        if (bytes[at])
                                atomic_fetch_add(&wrong, 1);
                        bytes[at] = mine;
                }
                if (i % 3 == 0 && (filemem_incref(the_session, range) < 0 ||
                                          filemem_decref(the_session, range) < 0))
                        atomic_fetch_add(&wrong, 1);
                for (uint64_t at = 0; at < length; at += PAGE)
                        if (bytes[at] != mine)
                                atomic_fetch_add(&wrong, 1);
                if ((i % 2 ? filemem_decref(the_session, range)
                           : filemem_release(the_session, range)) < 0)
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
        ck_assert_uint_eq(filemem_lost_errors(the_session, NULL, NULL, 0), 0);
        client_await_empty();
}
END_TEST

void test_client_processes(TCase *tests)
{
        tcase_add_test(tests, two_processes_see_one_memory);
        tcase_add_test(tests, a_killed_process_leaves_nothing_and_takes_nothing);
        tcase_add_test(tests, a_forked_childs_end_does_not_end_the_session);
        tcase_add_test(tests, each_generation_has_sessions_of_its_own);
        tcase_add_test(tests, eight_threads_share_one_session);
}
