// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "test_daemon.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)
#define SIZE (UINT64_C(8) << 20)

/* Within some seconds, nothing is allocated any more and the kernel stores nothing for the pool. */
static void check_all_released(struct raw *observer)
{
        uint64_t deadline = clock_now() + 30 * NSEC_PER_SEC;

        for (;;) {
                Filemem__DumpEntry *entries;
                size_t count = raw_dump_all(observer, &entries);
                struct stat info;

                free(entries);
                ck_assert_int_eq(fstat(observer->memfd, &info), 0);
                if (count == 0 && info.st_blocks == 0)
                        return;
                ck_assert_msg(clock_now() < deadline, "%zu entries and %ld blocks are left", count,
                        (long)info.st_blocks);
                usleep(2000);
        }
}

/* Allocates and writes to it. Returns where. */
static uint64_t commit(struct raw *raw, uint64_t size)
{
        uint64_t start = raw_get(raw, size, 1);
        void *memory =
                mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, raw->memfd, (off_t)start);

        ck_assert_ptr_ne(memory, MAP_FAILED);
        memset(memory, 'x', size);
        munmap(memory, size);
        return start;
}

struct scene {
        struct daemon daemon;
        struct raw observer;
};

static void scene_start(struct scene *scene)
{
        daemon_start(&scene->daemon, "[pool default]\ncapacity = 1G\n");
        raw_open(&scene->observer, scene->daemon.socket, "observer");
}

static void scene_stop(struct scene *scene)
{
        check_all_released(&scene->observer);
        raw_close(&scene->observer);
        daemon_stop(&scene->daemon);
}

START_TEST(close_releases_all_and_returns_the_pages)
{
        struct scene scene;
        struct raw raw;

        scene_start(&scene);
        raw_open(&raw, scene.daemon.socket, "closing");
        commit(&raw, SIZE);
        commit(&raw, PAGE);
        raw_close(&raw);
        scene_stop(&scene);
}
END_TEST

START_TEST(half_close_ends_the_session_after_its_answers)
{
        struct raw_operation operation;
        struct scene scene;
        struct raw raw;
        uint64_t id;

        scene_start(&scene);
        raw_open(&raw, scene.daemon.socket, "half closing");
        commit(&raw, SIZE);
        raw_ping(&operation);
        id = raw_request(&raw, &operation, 1);
        ck_assert_int_eq(shutdown(raw.fd, SHUT_WR), 0);
        raw_receive_reply(&raw, id);
        raw_receive_end(&raw);
        check_all_released(&scene.observer);
        raw_close(&raw);
        scene_stop(&scene);
}
END_TEST

START_TEST(what_others_hold_too_stays)
{
        struct raw_operation operation;
        Filemem__DumpEntry *entries;
        struct scene scene;
        struct raw raw;
        uint64_t start;

        scene_start(&scene);
        raw_open(&raw, scene.daemon.socket, "first");
        start = commit(&raw, SIZE);
        raw_incref(&operation, start + PAGE, start + 2 * PAGE);
        raw_do(&scene.observer, &operation);
        raw_close(&raw);
        do {
                size_t count = raw_dump_all(&scene.observer, &entries);

                raw_settle(&scene.observer);
                ck_assert_uint_ge(count, 1);
                if (count == 1)
                        break;
                free(entries);
        } while (true);
        ck_assert_uint_eq(entries[0].start, start + PAGE);
        ck_assert_uint_eq(entries[0].end, start + 2 * PAGE);
        free(entries);
        raw_decref(&operation, start + PAGE, start + 2 * PAGE);
        raw_do(&scene.observer, &operation);
        scene_stop(&scene);
}
END_TEST

/* ---- clients that die ------------------------------------------------------------------------ */

/* Runs `live` in a process of its own, up to where it says so, and returns the process. */
static pid_t start_client(const struct scene *scene, void (*live)(struct raw *raw, int ready))
{
        int ready[2];
        pid_t pid;
        char byte;

        ck_assert_int_eq(pipe(ready), 0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                struct raw raw;

                close(ready[0]);
                close(scene->observer.fd);
                raw_open(&raw, scene->daemon.socket, "mortal");
                live(&raw, ready[1]);
                for (;;)
                        pause();
        }
        close(ready[1]);
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        return pid;
}

static void say_ready(int ready)
{
        ck_assert_int_eq(write(ready, "", 1), 1);
}

static void kill_client(pid_t pid)
{
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static void live_holding(struct raw *raw, int ready)
{
        commit(raw, SIZE);
        say_ready(ready);
}

START_TEST(killed_client_releases_all)
{
        struct scene scene;

        scene_start(&scene);
        kill_client(start_client(&scene, live_holding));
        scene_stop(&scene);
}
END_TEST

/* Its child sleeps with the socket open, as one does that a program forgot to close it for. */
static void live_with_heir(struct raw *raw, int ready)
{
        pid_t heir;

        commit(raw, SIZE);
        heir = fork();
        if (heir == 0)
                for (;;)
                        pause();
        ck_assert_int_eq(write(ready, "", 1), 1);
        ck_assert_int_eq(write(ready, &heir, sizeof(heir)), sizeof(heir));
}

START_TEST(child_that_inherits_the_socket_does_not_keep_it_alive)
{
        pid_t pid, heir;
        struct scene scene;
        int ready[2];
        char byte;

        scene_start(&scene);
        ck_assert_int_eq(pipe(ready), 0);
        pid = fork();
        if (pid == 0) {
                struct raw raw;

                close(scene.observer.fd);
                raw_open(&raw, scene.daemon.socket, "parent");
                live_with_heir(&raw, ready[1]);
                for (;;)
                        pause();
        }
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        ck_assert_int_eq(read(ready[0], &heir, sizeof(heir)), sizeof(heir));
        kill_client(pid);
        check_all_released(&scene.observer); /* and the heir lives */
        ck_assert_int_eq(kill(heir, 0), 0);
        ck_assert_int_eq(kill(heir, SIGKILL), 0);
        close(ready[0]);
        close(ready[1]);
        scene_stop(&scene);
}
END_TEST

/* Connects, says Hello, leaves the socket to a child and is gone before the daemon looks. */
static pid_t leave_connection(const struct scene *scene)
{
        int ready[2];
        pid_t pid, heir;

        ck_assert_int_eq(pipe(ready), 0);
        pid = fork();
        if (pid == 0) {
                struct raw raw;

                close(scene->observer.fd);
                raw_connect(&raw, scene->daemon.socket);
                raw_send_hello(&raw, WIRE_MAJOR, "", "gone");
                heir = fork();
                if (heir == 0)
                        for (;;)
                                pause();
                ck_assert_int_eq(write(ready[1], &heir, sizeof(heir)), sizeof(heir));
                _exit(0);
        }
        ck_assert_int_eq(read(ready[0], &heir, sizeof(heir)), sizeof(heir));
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        close(ready[0]);
        close(ready[1]);
        return heir;
}

START_TEST(process_that_died_before_it_was_accepted_has_no_session)
{
        struct scene scene;
        size_t fds;
        pid_t heir;

        scene_start(&scene);
        fds = daemon_count_fds(&scene.daemon);
        ck_assert_int_eq(kill(scene.daemon.pid, SIGSTOP), 0);
        heir = leave_connection(&scene);
        ck_assert_int_eq(kill(scene.daemon.pid, SIGCONT), 0);
        check_all_released(&scene.observer); /* it has looked */
        daemon_await_fds(&scene.daemon, fds);
        ck_assert_int_eq(kill(heir, SIGKILL), 0);
        scene_stop(&scene);
}
END_TEST

static void live_with_garbage(struct raw *raw, int ready)
{
        commit(raw, SIZE);
        ck_assert_int_eq(
                raw_send_bytes(raw, "\x12\x7f\x08", 3, NULL, 0), 0); /* says 127 bytes, has 1 */
        say_ready(ready);
}

START_TEST(half_a_message_releases_all)
{
        struct scene scene;
        pid_t pid;

        scene_start(&scene);
        pid = start_client(&scene, live_with_garbage);
        check_all_released(&scene.observer); /* while it lives */
        kill_client(pid);
        scene_stop(&scene);
}
END_TEST

static void send_in_flight(struct raw *raw, uint64_t start)
{
        for (int i = 0; i < 64; i++) {
                struct raw_operation operations[2];

                raw_allocate(&operations[0], PAGE, 2);
                raw_decommit(&operations[1], start, start + SIZE, true);
                if (i % 3 == 0)
                        raw_update_usage(&operations[1]);
                raw_request(raw, operations, 2);
        }
}

static void live_in_flight(struct raw *raw, int ready)
{
        send_in_flight(raw, commit(raw, SIZE));
        say_ready(ready);
}

START_TEST(death_with_64_requests_in_flight_releases_all)
{
        struct scene scene;
        int rounds = harness_slowness() > 1 ? 10 : 50;

        scene_start(&scene);
        for (int i = 0; i < rounds; i++)
                kill_client(start_client(&scene, live_in_flight));
        scene_stop(&scene);
}
END_TEST

static pid_t stopped_daemon;

static void live_in_flight_of_stopped(struct raw *raw, int ready)
{
        uint64_t start = commit(raw, SIZE);

        ck_assert_int_eq(kill(stopped_daemon, SIGSTOP), 0);
        send_in_flight(raw, start);
        say_ready(ready);
}

START_TEST(death_found_together_with_its_requests_releases_all)
{
        struct scene scene;

        scene_start(&scene);
        stopped_daemon = scene.daemon.pid;
        kill_client(start_client(&scene, live_in_flight_of_stopped));
        ck_assert_int_eq(kill(scene.daemon.pid, SIGCONT), 0);
        scene_stop(&scene);
}
END_TEST

START_TEST(connection_that_never_says_hello_costs_nothing_once_gone)
{
        struct scene scene;
        struct raw raws[20];
        size_t fds;

        scene_start(&scene);
        fds = daemon_count_fds(&scene.daemon);
        for (int i = 0; i < 20; i++)
                raw_connect(&raws[i], scene.daemon.socket);
        for (int i = 0; i < 20; i++)
                raw_close(&raws[i]);
        daemon_await_fds(&scene.daemon, fds);
        scene_stop(&scene);
}
END_TEST

START_TEST(identities_are_not_used_again)
{
        struct scene scene;
        uint64_t last;

        scene_start(&scene);
        last = scene.observer.session;
        for (int i = 0; i < 20; i++) {
                struct raw raw;

                raw_open(&raw, scene.daemon.socket, "again");
                ck_assert_uint_gt(raw.session, last);
                last = raw.session;
                raw_close(&raw);
        }
        scene_stop(&scene);
}
END_TEST

void add_lifetime_tests(Suite *suite)
{
        TCase *tests = harness_case(suite, "lifetime", 60);

        tcase_add_test(tests, close_releases_all_and_returns_the_pages);
        tcase_add_test(tests, half_close_ends_the_session_after_its_answers);
        tcase_add_test(tests, what_others_hold_too_stays);
        tcase_add_test(tests, killed_client_releases_all);
        tcase_add_test(tests, child_that_inherits_the_socket_does_not_keep_it_alive);
        tcase_add_test(tests, process_that_died_before_it_was_accepted_has_no_session);
        tcase_add_test(tests, half_a_message_releases_all);
        tcase_add_test(tests, death_with_64_requests_in_flight_releases_all);
        tcase_add_test(tests, death_found_together_with_its_requests_releases_all);
        tcase_add_test(tests, connection_that_never_says_hello_costs_nothing_once_gone);
        tcase_add_test(tests, identities_are_not_used_again);
}
