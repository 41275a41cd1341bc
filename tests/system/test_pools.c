// SPDX-License-Identifier: Apache-2.0
/* Pools, and who is in them, with the real daemon. */
#include "test_pools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct daemon the_daemon;

static void start(void)
{
        daemon_start(&the_daemon, "[pool default]\ncapacity = 64M\n"
                                  "[private]\ncapacity = 128M\n"
                                  "[pool second]\ncapacity = 32M\njoin = *\n");
}

static void stop(void)
{
        daemon_stop(&the_daemon);
}

/* ---- for all of them ------------------------------------------------------------------------- */

Filemem__Hello hello_for(const char *pool)
{
        Filemem__Hello hello = FILEMEM__HELLO__INIT;

        hello.major = WIRE_MAJOR;
        hello.minor = WIRE_MINOR;
        hello.pool = (char *)(uintptr_t)pool;
        return hello;
}

void join(struct raw *raw, const Filemem__Hello *hello)
{
        const Filemem__ToClient *answer;

        raw_connect(raw, the_daemon.socket);
        answer = raw_greet(raw, hello);
        ck_assert_int_eq(answer->body_case, FILEMEM__TO_CLIENT__BODY_WELCOME);
        ck_assert_int_eq(answer->welcome->read_only, hello->read_only);
        ck_assert_int_eq(answer->welcome->private_pool, hello->private_pool);
}

void check_not_welcome(const Filemem__Hello *hello, Filemem__Status status)
{
        const Filemem__ToClient *answer;
        struct raw raw;

        raw_connect(&raw, the_daemon.socket);
        answer = raw_greet(&raw, hello);
        ck_assert_int_eq(answer->body_case, FILEMEM__TO_CLIENT__BODY_GOODBYE);
        ck_assert_msg(answer->goodbye->status == status, "%s", answer->goodbye->text);
        raw_receive_end(&raw);
        raw_close(&raw);
}

void check_status(struct raw *raw, struct raw_operation *operation, Filemem__Status status)
{
        const Filemem__Result *result = raw_call(raw, operation);

        ck_assert_msg(result->status == status, "%d: %s", result->status, result->text);
        ck_assert_int_eq(result->text[0] != 0, status != FILEMEM__STATUS__STATUS_OK);
}

void open_peer(struct raw *raw, bool read_only, const char *label, struct raw *ret)
{
        struct raw_operation operation;
        uint64_t id;

        raw_open_peer(&operation, read_only, label);
        id = raw_do(raw, &operation)->peer_opened->session;
        ck_assert_int_ge(raw->peer, 0);
        raw_adopt(ret, raw->peer);
        raw->peer = -1;
        raw_hello(ret, "");
        ck_assert_uint_eq(ret->session, id);
}

uint64_t fill(struct raw *raw, uint64_t size)
{
        uint64_t start = raw_get(raw, size, 1);

        for (uint64_t at = start; at < start + size; at += PAGE)
                ck_assert_int_eq(pwrite(raw->memfd, "x", 1, (off_t)at), 1);
        return start;
}

int keep_memfd(const struct raw *raw)
{
        int fd = fcntl(raw->memfd, F_DUPFD_CLOEXEC, 0);

        ck_assert_int_ge(fd, 0);
        return fd;
}

static blkcnt_t stored(int memfd)
{
        struct stat info;

        ck_assert_int_eq(fstat(memfd, &info), 0);
        return info.st_blocks;
}

void await_empty(int memfd)
{
        for (int i = 0; i < 6000 && stored(memfd); i++)
                usleep(5000);
        ck_assert_int_eq(stored(memfd), 0);
        close(memfd);
}

void await_pools(struct raw *observer, size_t count)
{
        struct raw_operation operation;
        size_t now = 0;

        for (int i = 0; i < 6000; i++) {
                raw_pools(&operation, 0, 0);
                now = raw_do(observer, &operation)->pools->n_pools;
                if (now == count)
                        return;
                usleep(5000);
        }
        ck_abort_msg("there are %zu pools, not %zu", now, count);
}

static ino_t inode(const struct raw *raw)
{
        struct stat info;

        ck_assert_int_eq(fstat(raw->memfd, &info), 0);
        return info.st_ino;
}

/* ---- pools ----------------------------------------------------------------------------------- */

START_TEST(pools_are_apart)
{
        Filemem__Hello hellos[] = {hello_for("default"), hello_for("second")};
        struct raw first, second;

        join(&first, &hellos[0]);
        join(&second, &hellos[1]);
        ck_assert_uint_eq(first.capacity, 64 * MIB);
        ck_assert_uint_eq(second.capacity, 32 * MIB);
        ck_assert_uint_ne(inode(&first), inode(&second));
        ck_assert_uint_eq(fill(&first, PAGE), 0);
        ck_assert_uint_eq(fill(&second, PAGE), 0);
        ck_assert_int_eq(stored(second.memfd), 8);
        raw_close(&first);
        raw_close(&second);
}
END_TEST

START_TEST(pools_are_listed_and_asked_about)
{
        struct raw_operation operation;
        const Filemem__PoolsPage *page;
        const Filemem__PoolReport *report;
        struct raw raw;

        raw_open(&raw, the_daemon.socket, "");
        fill(&raw, 2 * PAGE);
        raw_pools(&operation, 0, 0);
        page = raw_do(&raw, &operation)->pools;
        ck_assert_uint_eq(page->n_pools, 2);
        ck_assert_uint_eq(page->next, 0);
        ck_assert_str_eq(page->pools[0]->name, "default");
        ck_assert_uint_eq(page->pools[0]->sessions, 1);
        ck_assert_uint_eq(page->pools[0]->allocated, 2 * PAGE);
        ck_assert_str_eq(page->pools[1]->name, "second");
        ck_assert_uint_eq(page->pools[1]->sessions, 0);
        raw_pools(&operation, 0, 1);
        page = raw_do(&raw, &operation)->pools;
        ck_assert_uint_eq(page->n_pools, 1);
        raw_pools(&operation, page->next, 1);
        page = raw_do(&raw, &operation)->pools;
        ck_assert_str_eq(page->pools[0]->name, "second");
        ck_assert_uint_eq(page->next, 0);
        raw_pool_info(&operation);
        operation.body.pool_info.pool = (char *)"second";
        report = raw_do(&raw, &operation)->pool_info;
        ck_assert_str_eq(report->name, "second");
        ck_assert_uint_eq(report->capacity, 32 * MIB);
        operation.body.pool_info.pool = (char *)"third";
        check_status(&raw, &operation, FILEMEM__STATUS__STATUS_ENOENT);
        raw_close(&raw);
}
END_TEST

START_TEST(usage_and_dump_of_another_pool_are_told)
{
        Filemem__Hello hello = hello_for("second");
        struct raw_operation operations[3];
        const Filemem__Reply *reply;
        struct raw second, raw;
        uint64_t id;

        join(&second, &hello);
        fill(&second, 3 * PAGE);
        raw_open(&raw, the_daemon.socket, "");
        raw_update_usage(&operations[0]);
        operations[0].body.update_usage.pool = (char *)"second";
        raw_usage(&operations[1]);
        operations[1].body.usage.pool = (char *)"second";
        raw_dump(&operations[2], 0, 0);
        operations[2].body.dump.pool = (char *)"second";
        id = raw_request(&raw, operations, 3);
        reply = raw_receive_reply(&raw, id);
        ck_assert_uint_eq(reply->n_results, 3);
        ck_assert_uint_eq(reply->results[0]->usage->total, 3 * PAGE);
        ck_assert_uint_eq(reply->results[1]->usage->total, 3 * PAGE);
        ck_assert_uint_eq(reply->results[2]->dump->n_entries, 1);
        raw_update_usage(&operations[0]);
        operations[0].body.update_usage.pool = (char *)"third";
        check_status(&raw, &operations[0], FILEMEM__STATUS__STATUS_ENOENT);
        raw_close(&raw);
        raw_close(&second);
}
END_TEST

START_TEST(hello_that_contradicts_itself_is_refused)
{
        Filemem__Hello hello = hello_for("second");

        hello.private_pool = true;
        check_not_welcome(&hello, FILEMEM__STATUS__STATUS_EINVAL);
        hello.private_pool = false;
        hello.no_pool = true;
        check_not_welcome(&hello, FILEMEM__STATUS__STATUS_EINVAL);
        hello.pool = (char *)"";
        hello.private_pool = true;
        check_not_welcome(&hello, FILEMEM__STATUS__STATUS_EINVAL);
        hello.no_pool = false;
        hello.read_only = true;
        check_not_welcome(&hello, FILEMEM__STATUS__STATUS_EINVAL);
}
END_TEST

/* ---- sessions that only read ----------------------------------------------------------------- */

static void check_read_only_file(int fd)
{
        void *memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

        ck_assert_ptr_ne(memory, MAP_FAILED);
        ck_assert_int_eq(mprotect(memory, PAGE, PROT_READ | PROT_WRITE), -1);
        ck_assert_int_eq(errno, EACCES);
        munmap(memory, PAGE);
        ck_assert_ptr_eq(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
        ck_assert_int_eq(errno, EACCES);
        ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
        ck_assert_int_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
        ck_assert_int_eq(ftruncate(fd, 0), -1);
}

START_TEST(read_only_session_reads_and_changes_nothing)
{
        Filemem__Hello hello = hello_for("");
        struct raw_operation operation;
        struct raw writer, reader;
        uint64_t start;
        char byte = 0;

        raw_open(&writer, the_daemon.socket, "");
        start = fill(&writer, PAGE);
        hello.read_only = true;
        join(&reader, &hello);
        ck_assert_uint_eq(inode(&reader), inode(&writer));
        ck_assert_int_eq(pread(reader.memfd, &byte, 1, (off_t)start), 1);
        ck_assert_int_eq(byte, 'x');
        check_read_only_file(reader.memfd);
        raw_allocate(&operation, PAGE, 1);
        check_status(&reader, &operation, FILEMEM__STATUS__STATUS_EACCES);
        raw_incref(&operation, start, start + PAGE);
        check_status(&reader, &operation, FILEMEM__STATUS__STATUS_EACCES);
        raw_decref(&operation, start, start + PAGE);
        check_status(&reader, &operation, FILEMEM__STATUS__STATUS_EACCES);
        raw_decommit(&operation, start, start + PAGE, true);
        check_status(&reader, &operation, FILEMEM__STATUS__STATUS_EACCES);
        raw_update_usage(&operation);
        check_status(&reader, &operation, FILEMEM__STATUS__STATUS_OK);
        raw_dump(&operation, 0, 0);
        ck_assert_uint_eq(raw_do(&reader, &operation)->dump->n_entries, 1);
        raw_close(&reader);
        raw_close(&writer);
}
END_TEST

START_TEST(session_without_a_pool_asks_and_holds_nothing)
{
        Filemem__Hello hello = hello_for("");
        struct raw_operation operation;
        struct raw raw;

        hello.no_pool = true;
        join(&raw, &hello);
        ck_assert_int_lt(raw.memfd, 0);
        ck_assert_uint_eq(raw.capacity, 0);
        raw_allocate(&operation, PAGE, 1);
        check_status(&raw, &operation, FILEMEM__STATUS__STATUS_EACCES);
        raw_decommit(&operation, 0, PAGE, false);
        check_status(&raw, &operation, FILEMEM__STATUS__STATUS_EACCES);
        raw_open_peer(&operation, true, "");
        check_status(&raw, &operation, FILEMEM__STATUS__STATUS_EACCES);
        raw_usage(&operation);
        check_status(&raw, &operation, FILEMEM__STATUS__STATUS_EACCES);
        operation.body.usage.pool = (char *)"default";
        check_status(&raw, &operation, FILEMEM__STATUS__STATUS_OK);
        raw_update_usage(&operation);
        check_status(&raw, &operation, FILEMEM__STATUS__STATUS_EACCES);
        raw_sessions(&operation, 0, 0);
        ck_assert_uint_eq(raw_do(&raw, &operation)->sessions->n_sessions, 1);
        raw_close(&raw);
}
END_TEST

/* ---- private pools --------------------------------------------------------------------------- */

START_TEST(private_pool_is_nobody_elses)
{
        Filemem__Hello private = hello_for(""), other;
        struct raw_operation operation;
        const Filemem__PoolReport *report;
        struct raw first, second;
        char name[65];

        private.private_pool = true;
        join(&first, &private);
        join(&second, &private);
        ck_assert_uint_ne(inode(&first), inode(&second));
        ck_assert_uint_eq(first.capacity, 128 * MIB);
        raw_pool_info(&operation);
        report = raw_do(&first, &operation)->pool_info;
        ck_assert(report->private_pool);
        ck_assert_uint_eq(report->uid, getuid());
        ck_assert_uint_eq(report->sessions, 1);
        strcpy(name, report->name);
        ck_assert_int_eq(strncmp(name, "private:", 8), 0);
        other = hello_for(name);
        check_not_welcome(&other, FILEMEM__STATUS__STATUS_ENOENT);
        raw_close(&first);
        raw_close(&second);
}
END_TEST

START_TEST(private_pool_ends_with_its_last_session)
{
        Filemem__Hello hello = hello_for("");
        struct raw observer, raw, peer;
        uint64_t start;
        char byte = 0;
        size_t fds;
        int memfd;

        raw_open(&observer, the_daemon.socket, "");
        fds = daemon_count_fds(&the_daemon);
        hello.private_pool = true;
        join(&raw, &hello);
        await_pools(&observer, 3);
        start = fill(&raw, 16 * MIB);
        memfd = keep_memfd(&raw);
        open_peer(&raw, false, "", &peer);
        ck_assert_uint_eq(fill(&peer, PAGE), start + 16 * MIB);
        raw_close(&raw);
        /* The peer keeps the pool, and what it holds. */
        await_pools(&observer, 3);
        for (int i = 0; i < 6000 && stored(memfd) > 8; i++)
                usleep(5000);
        ck_assert_int_eq(stored(memfd), 8);
        ck_assert_int_eq(pread(peer.memfd, &byte, 1, (off_t)(start + 16 * MIB)), 1);
        ck_assert_int_eq(byte, 'x');
        fill(&peer, PAGE);
        raw_close(&peer);
        await_pools(&observer, 2);
        await_empty(memfd);
        daemon_await_fds(&the_daemon, fds);
        raw_close(&observer);
}
END_TEST

/* A socket that waits to be used is somebody who is in it. */
START_TEST(private_pool_lives_as_long_as_an_unused_peer)
{
        Filemem__Hello hello = hello_for("");
        struct raw_operation operation;
        struct raw observer, raw, peer;
        int socket;

        raw_open(&observer, the_daemon.socket, "");
        hello.private_pool = true;
        join(&raw, &hello);
        raw_open_peer(&operation, false, "waits");
        raw_do(&raw, &operation);
        socket = raw.peer;
        raw.peer = -1;
        raw_close(&raw);
        usleep(50000);
        await_pools(&observer, 3);
        raw_adopt(&peer, socket);
        raw_hello(&peer, "");
        fill(&peer, PAGE);
        raw_close(&peer);
        await_pools(&observer, 2);
        raw_close(&observer);
}
END_TEST

START_TEST(private_pools_come_and_go)
{
        Filemem__Hello hello = hello_for("");
        struct raw observer, raws[20];
        size_t fds;

        hello.private_pool = true;
        raw_open(&observer, the_daemon.socket, "");
        fds = daemon_count_fds(&the_daemon);
        for (int round = 0; round < 5; round++) {
                for (int i = 0; i < 20; i++) {
                        join(&raws[i], &hello);
                        fill(&raws[i], 4 * PAGE);
                }
                await_pools(&observer, 22);
                for (int i = 0; i < 20; i++)
                        raw_close(&raws[i]);
                await_pools(&observer, 2);
                daemon_await_fds(&the_daemon, fds);
        }
        raw_close(&observer);
}
END_TEST

START_TEST(daemon_stops_with_pools_of_every_sort)
{
        Filemem__Hello hello = hello_for("");
        struct raw_operation operation;
        struct raw raw;

        hello.private_pool = true;
        join(&raw, &hello);
        fill(&raw, MIB);
        raw_open_peer(&operation, false, "");
        raw_do(&raw, &operation);
        daemon_stop(&the_daemon);
        raw_receive_end(&raw);
        raw_close(&raw);
        start();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("pools");
        TCase *tests = harness_case(suite, "pools", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, pools_are_apart);
        tcase_add_test(tests, pools_are_listed_and_asked_about);
        tcase_add_test(tests, usage_and_dump_of_another_pool_are_told);
        tcase_add_test(tests, hello_that_contradicts_itself_is_refused);
        tcase_add_test(tests, read_only_session_reads_and_changes_nothing);
        tcase_add_test(tests, session_without_a_pool_asks_and_holds_nothing);
        tcase_add_test(tests, private_pool_is_nobody_elses);
        tcase_add_test(tests, private_pool_ends_with_its_last_session);
        tcase_add_test(tests, private_pool_lives_as_long_as_an_unused_peer);
        tcase_add_test(tests, private_pools_come_and_go);
        tcase_add_test(tests, daemon_stops_with_pools_of_every_sort);
        add_peer_tests(suite);
        add_administration_tests(suite);
        return harness_run(suite);
}
