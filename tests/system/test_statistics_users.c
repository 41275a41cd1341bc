// SPDX-License-Identifier: Apache-2.0
/* The statistics page in the hands of others: nobody writes to it, and each sees his part. */
#include "test_statistics.h"

#include "support/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Users and groups that nobody has. */
#define ALICE  60001
#define BOB    60002
#define ADMINS 60102

/* The descriptor, as the daemon sends it. */
static int take_page(struct raw *raw)
{
        struct raw_operation operation;
        int fd;

        raw_statistics(&operation);
        ck_assert_int_eq(raw_call(raw, &operation)->status, FILEMEM__STATUS__STATUS_OK);
        fd = raw->peer;
        raw->peer = -1;
        ck_assert_int_ge(fd, 0);
        return fd;
}

START_TEST(nobody_can_write_to_the_page)
{
        char path[64];
        struct stat info;
        struct raw raw;
        void *memory;
        int fd, again;

        raw_open(&raw, the_daemon.socket, "hostile");
        fd = take_page(&raw);
        ck_assert_int_eq(fstat(fd, &info), 0);
        ck_assert_int_eq(info.st_mode & 0777, 0400);
        ck_assert_int_lt(pwrite(fd, "x", 1, 0), 0);
        ck_assert_int_lt(ftruncate(fd, 0), 0);
        ck_assert_ptr_eq(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
        memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
        ck_assert_ptr_ne(memory, MAP_FAILED);
        ck_assert_int_lt(mprotect(memory, PAGE, PROT_READ | PROT_WRITE), 0);
        ck_assert_int_eq(munmap(memory, PAGE), 0);

        /* Root may open it again for writing, and finds it sealed. */
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        again = open(path, O_RDWR | O_CLOEXEC);
        if (again >= 0) {
                ck_assert_int_lt(pwrite(again, "x", 1, 0), 0);
                ck_assert_int_lt(ftruncate(again, 0), 0);
                ck_assert_int_lt(
                        fallocate(again, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
                ck_assert_ptr_eq(
                        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0), MAP_FAILED);
                close(again);
        }
        close(fd);
        raw_close(&raw);
}
END_TEST

START_TEST(a_peer_sees_nothing_of_it)
{
        filemem_session *session = open_session("opener", false), *peer;
        filemem_statistics *statistics;
        int fd;

        ck_assert_int_eq(filemem_open_peer(session, NULL, &fd), 0);
        ck_assert_int_eq(filemem_open_fd(fd, NULL, &peer), 0);
        ck_assert_int_eq(filemem_statistics_open(peer, &statistics), -EPERM);
        filemem_close(peer);
        filemem_close(session);
}
END_TEST

START_TEST(a_page_that_nobody_would_get_is_refused)
{
        struct raw_operation operations[2];
        const Filemem__Reply *reply;
        const Filemem__ToClient *message;
        struct raw raw;

        raw_open(&raw, the_daemon.socket, "raw");
        raw_statistics(&operations[0]);
        operations[0].operation.no_reply = true;
        raw_request(&raw, operations, 1);
        message = raw_receive(&raw);
        ck_assert_int_eq(message->body_case, FILEMEM__TO_CLIENT__BODY_EVENT);
        ck_assert_int_eq(message->event->status, FILEMEM__STATUS__STATUS_EINVAL);
        raw_statistics(&operations[0]);
        raw_statistics(&operations[1]);
        reply = raw_receive_reply(&raw, raw_request(&raw, operations, 2));
        ck_assert_int_eq(reply->results[0]->status, FILEMEM__STATUS__STATUS_OK);
        ck_assert_int_eq(reply->results[1]->status, FILEMEM__STATUS__STATUS_EMSGSIZE);
        close(raw.peer);
        raw.peer = -1;
        raw_close(&raw);
}
END_TEST

/* Runs an errand as somebody, in a child. */
static void run_as(uid_t uid, gid_t group, void (*errand)(void))
{
        pid_t child = fork();
        int status;

        ck_assert_int_ge(child, 0);
        if (!child) {
                if (setgroups(1, &group) < 0 || setgid(uid) < 0 || setuid(uid) < 0)
                        _exit(100);
                errand();
                _exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
}

static uint64_t roots_session;

/* A failed assertion ends a forked child with a code that is not 0. */
static void look_as_bob(void)
{
        filemem_session *own = open_session("his", false);
        filemem_statistics *statistics = open_statistics(own);
        struct filemem_statistics_session found;
        struct filemem_statistics_user user;
        struct filemem_statistics_pool pool;
        size_t place = 0;

        ck_assert_uint_eq(settle(statistics).all, 0);
        ck_assert(find_session(statistics, filemem_session_id(own), &found));
        ck_assert(!find_session(statistics, roots_session, &found));
        ck_assert(find_pool(statistics, "default", &pool));
        ck_assert(!find_pool(statistics, "hers", &pool));
        ck_assert_int_eq(filemem_statistics_next_user(statistics, &place, &user), 0);
        filemem_statistics_close(statistics);
        filemem_close(own);
}

static void look_as_alice(void)
{
        filemem_session *own = open_session("hers", false);
        filemem_statistics *statistics = open_statistics(own);
        struct filemem_statistics_session found;
        struct filemem_statistics_pool pool;

        ck_assert_uint_eq(settle(statistics).all, 0);
        ck_assert(!find_session(statistics, roots_session, &found));
        ck_assert(find_pool(statistics, "hers", &pool));
        filemem_statistics_close(statistics);
        filemem_close(own);
}

static void look_as_admin(void)
{
        filemem_session *own = open_session("an administrator's", true);
        filemem_statistics *statistics = open_statistics(own);
        struct filemem_statistics_session found;
        struct filemem_statistics_pool pool;

        ck_assert_uint_eq(settle(statistics).all, 1);
        ck_assert(find_session(statistics, roots_session, &found));
        ck_assert(find_pool(statistics, "hers", &pool));
        filemem_statistics_close(statistics);
        filemem_close(own);
}

START_TEST(a_user_sees_its_own_sessions_and_the_pools_that_it_may_ask_about)
{
        filemem_session *session = open_session("root's", false);
        filemem_statistics *statistics = open_statistics(session);

        roots_session = filemem_session_id(session);
        run_as(BOB, 60999, look_as_bob);
        run_as(ALICE, 60999, look_as_alice);
        run_as(BOB, ADMINS, look_as_admin);
        filemem_statistics_close(statistics);
        filemem_close(session);
}
END_TEST

/* Each set of groups is somebody else. */
static void watch_as_many(void)
{
        filemem_session *session = open_session("too many", true);
        filemem_statistics *statistics;

        ck_assert_int_eq(filemem_statistics_open(session, &statistics), -EDQUOT);
        filemem_close(session);
}

START_TEST(a_user_of_many_identities_has_a_few_pages)
{
        int pipes[2];
        pid_t children[4];
        char byte;

        ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
        for (gid_t i = 0; i < 4; i++) {
                children[i] = fork();
                ck_assert_int_ge(children[i], 0);
                if (!children[i]) {
                        gid_t group = 61000 + i;

                        if (setgroups(1, &group) < 0 || setgid(BOB) < 0 || setuid(BOB) < 0)
                                _exit(100);
                        open_statistics(open_session("one of four", true));
                        if (write(pipes[1], "x", 1) != 1)
                                _exit(101);
                        pause();
                }
        }
        for (int i = 0; i < 4; i++)
                ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
        run_as(BOB, 61999, watch_as_many);
        for (int i = 0; i < 4; i++) {
                kill(children[i], SIGKILL);
                waitpid(children[i], NULL, 0);
        }
        close(pipes[0]);
        close(pipes[1]);
}
END_TEST

void add_user_tests(Suite *suite)
{
        TCase *page = harness_case(suite, "Page", 60);
        TCase *users = harness_case(suite, "Users", 60);

        tcase_add_checked_fixture(page, statistics_start, statistics_stop);
        tcase_add_test(page, nobody_can_write_to_the_page);
        tcase_add_test(page, a_peer_sees_nothing_of_it);
        tcase_add_test(page, a_page_that_nobody_would_get_is_refused);
        if (getuid() != 0) {
                puts("not root: what other users see is not tested");
                return;
        }
        tcase_add_checked_fixture(users, statistics_start, statistics_stop);
        tcase_add_test(users, a_user_sees_its_own_sessions_and_the_pools_that_it_may_ask_about);
        tcase_add_test(users, a_user_of_many_identities_has_a_few_pages);
}
