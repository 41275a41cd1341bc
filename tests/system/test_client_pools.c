// SPDX-License-Identifier: Apache-2.0
/* The library: peers, inherited sessions, pools of one's own. */
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define PAGE       UINT64_C(4096)

static struct daemon the_daemon;

static void start(void)
{
        daemon_start(&the_daemon, "[pool second]\ncapacity = 64M\njoin = *\n");
}

static void stop(void)
{
        daemon_stop(&the_daemon);
}

static filemem_session *open_with(struct filemem_options options)
{
        filemem_session *session;

        options.size = sizeof(options);
        ck_assert_msg(filemem_open(the_daemon.socket, &options, &session) == 0, "%s",
                filemem_open_error());
        return session;
}

static filemem_session *open_plain(void)
{
        return open_with((struct filemem_options){0});
}

static int open_peer(filemem_session *session, bool read_only)
{
        const struct filemem_peer_options options = {
                .size = sizeof(options), .read_only = read_only, .label = "peer"};
        int fd;

        ck_assert_msg(
                filemem_open_peer(session, &options, &fd) == 0, "%s", filemem_last_error(session));
        ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
        return fd;
}

static filemem_session *adopt(int fd)
{
        filemem_session *session;

        ck_assert_msg(filemem_open_fd(fd, NULL, &session) == 0, "%s", filemem_open_error());
        return session;
}

static char *fill(filemem_session *session, struct filemem_range *ret)
{
        void *address;

        ck_assert_int_eq(filemem_allocate(session, PAGE, FILEMEM_ANONYMOUS, ret), 0);
        ck_assert_int_eq(filemem_map(session, *ret, READ_WRITE, &address), 0);
        strcpy(address, "hello");
        return address;
}

START_TEST(peer_shares_the_pool)
{
        filemem_session *session = open_plain(), *peer;
        struct filemem_range range;
        void *address;

        fill(session, &range);
        peer = adopt(open_peer(session, false));
        ck_assert(!filemem_is_read_only(peer));
        ck_assert_uint_gt(filemem_session_id(peer), filemem_session_id(session));
        ck_assert_int_eq(filemem_incref(peer, range), 0);
        filemem_close(session);
        ck_assert_int_eq(filemem_map(peer, range, READ_WRITE, &address), 0);
        ck_assert_str_eq(address, "hello");
        filemem_close(peer);
}
END_TEST

START_TEST(read_only_peer_reads)
{
        filemem_session *session = open_plain(), *peer;
        struct filemem_range range;
        void *address;
        int fd;

        fill(session, &range);
        peer = adopt(open_peer(session, true));
        ck_assert(filemem_is_read_only(peer));
        ck_assert_int_eq(filemem_map(peer, range, READ_WRITE, &address), -EACCES);
        ck_assert_int_eq(filemem_map_into(peer, range, NULL, READ_WRITE, 0, &address), -EACCES);
        ck_assert_int_eq(filemem_map(peer, range, PROT_READ, &address), 0);
        ck_assert_str_eq(address, "hello");
        ck_assert_int_eq(mprotect(address, PAGE, READ_WRITE), -1);
        ck_assert_int_eq(errno, EACCES);
        ck_assert_int_eq(filemem_map_into(peer, range, NULL, PROT_READ, 0, &address), 0);
        munmap(address, PAGE);
        ck_assert_int_eq(filemem_allocate(peer, PAGE, FILEMEM_TMPFS, &range), -EACCES);
        ck_assert_str_eq(filemem_last_error(peer), "this session may only read");
        ck_assert_int_eq(filemem_incref(peer, range), -EACCES);
        ck_assert_int_eq(filemem_open_peer(peer, NULL, &fd), -EACCES);
        filemem_close(adopt(open_peer(peer, true)));
        filemem_close(peer);
        filemem_close(session);
}
END_TEST

START_TEST(session_may_ask_for_reading)
{
        filemem_session *session = open_with((struct filemem_options){.read_only = true});
        struct filemem_range range;

        ck_assert(filemem_is_read_only(session));
        ck_assert_int_eq(filemem_allocate(session, PAGE, FILEMEM_TMPFS, &range), -EACCES);
        ck_assert_int_eq(fcntl(filemem_fd(session), F_GETFL) & O_ACCMODE, O_RDONLY);
        filemem_close(session);
}
END_TEST

START_TEST(private_pool_is_shared_by_peers_alone)
{
        filemem_session *session = open_with((struct filemem_options){.private_pool = true}), *peer;
        struct filemem_range range;
        struct filemem_pool pool;

        fill(session, &range);
        ck_assert_int_eq(filemem_pool_info(session, &pool), 0);
        ck_assert(pool.private_pool);
        peer = adopt(open_peer(session, false));
        ck_assert_int_eq(filemem_pool_info(peer, &pool), 0);
        ck_assert_uint_eq(pool.sessions, 2);
        filemem_close(session);
        filemem_close(peer);
}
END_TEST

START_TEST(session_without_a_pool_asks)
{
        filemem_session *session = open_with((struct filemem_options){.no_pool = true});
        struct filemem_range range;
        struct filemem_pool pools[4];
        struct filemem_usage usage;
        uint64_t total;
        void *address;

        ck_assert_uint_eq(filemem_capacity(session), 0);
        ck_assert_int_eq(filemem_fd(session), -EACCES);
        ck_assert_int_eq(filemem_allocate(session, PAGE, FILEMEM_TMPFS, &range), -EACCES);
        range = (struct filemem_range){0, PAGE};
        ck_assert_int_eq(filemem_map(session, range, READ_WRITE, &address), -EINVAL);
        ck_assert_int_eq(filemem_total_usage(session, &total), -EACCES);
        ck_assert_int_eq(filemem_usage(session, &usage), -EACCES);
        ck_assert_int_eq(filemem_update_usage_of(session, "second", &usage), 0);
        ck_assert_int_eq(filemem_pools(session, 0, pools, 4), 2);
        ck_assert_str_eq(pools[1].name, "second");
        ck_assert_int_eq(filemem_pools(session, pools[1].id, pools, 4), 0);
        filemem_close(session);
}
END_TEST

START_TEST(older_options_are_understood)
{
        struct filemem_options options = {.read_only = true, .private_pool = true};
        filemem_session *session;

        options.size = offsetof(struct filemem_options, read_only);
        ck_assert_int_eq(filemem_open(the_daemon.socket, &options, &session), 0);
        ck_assert(!filemem_is_read_only(session));
        filemem_close(session);
}
END_TEST

/* ---- inherited ------------------------------------------------------------------------------- */

static void set_fd(int fd)
{
        char text[16];

        snprintf(text, sizeof(text), "%d", fd);
        setenv("FILEMEM_FD", text, 1);
}

START_TEST(inherited_session_needs_no_path)
{
        filemem_session *session = open_with((struct filemem_options){.private_pool = true});
        struct filemem_range range;
        int fd = open_peer(session, false), status;
        pid_t child;

        fill(session, &range);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (!child) {
                filemem_session *own, *second;
                void *address;

                setenv("FILEMEM_SOCKET", "/nowhere", 1);
                fcntl(fd, F_SETFD, 0); /* as by posix_spawn() */
                set_fd(fd);
                if (filemem_open(NULL, NULL, &own) < 0 ||
                        filemem_map(own, range, READ_WRITE, &address) < 0 ||
                        strcmp(address, "hello") != 0)
                        _exit(1);
                strcpy(address, "world");
                /* It serves once. */
                if (filemem_open(NULL, NULL, &second) != -EBUSY || filemem_ping(own) < 0)
                        _exit(2);
                filemem_close(own);
                if (filemem_open(NULL, NULL, &second) != -EBADF)
                        _exit(3);
                _exit(0);
        }
        close(fd);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        {
                void *address;

                ck_assert_int_eq(filemem_map(session, range, PROT_READ, &address), 0);
                ck_assert_str_eq(address, "world");
        }
        filemem_close(session);
}
END_TEST

START_TEST(what_is_no_session_is_not_taken)
{
        filemem_session *session;
        int pipes[2], sockets[2];

        ck_assert_int_eq(pipe(pipes), 0);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
        setenv("FILEMEM_FD", "many", 1);
        ck_assert_int_eq(filemem_open(NULL, NULL, &session), -EBADF);
        setenv("FILEMEM_FD", "-1", 1);
        ck_assert_int_eq(filemem_open(NULL, NULL, &session), -EBADF);
        setenv("FILEMEM_FD", "99999999999999999999", 1);
        ck_assert_int_eq(filemem_open(NULL, NULL, &session), -EBADF);
        set_fd(1000);
        ck_assert_int_eq(filemem_open(NULL, NULL, &session), -EBADF);
        set_fd(pipes[0]);
        ck_assert_int_eq(filemem_open(NULL, NULL, &session), -ENOTSOCK);
        set_fd(sockets[0]);
        ck_assert_int_eq(filemem_open(NULL, NULL, &session), -ENOTSOCK);
        /* They are not the library's to close. */
        close(pipes[0]);
        close(pipes[1]);
        close(sockets[0]);
        close(sockets[1]);
        ck_assert_int_eq(filemem_open_fd(-1, NULL, &session), -EBADF);
        /* A path that is said comes first. */
        ck_assert_int_eq(filemem_open(the_daemon.socket, NULL, &session), 0);
        filemem_close(session);
        unsetenv("FILEMEM_FD");
}
END_TEST

START_TEST(descriptor_is_taken_over_also_when_it_fails)
{
        filemem_session *session = open_plain(), *other;
        struct filemem_options options = {.size = sizeof(options), .pool = "second"};
        int fd = open_peer(session, false);

        ck_assert_int_eq(filemem_open_fd(fd, &options, &other), -EACCES);
        ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
        options.size = 1;
        fd = open_peer(session, false);
        ck_assert_int_eq(filemem_open_fd(fd, &options, &other), -EINVAL);
        ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
        fd = open_peer(session, false);
        ck_assert_int_eq(filemem_open_fd(fd, NULL, NULL), -EINVAL);
        ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
        filemem_close(session);
}
END_TEST

/* A socket that does not block is made to: or a thread that waits would spin. */
START_TEST(socket_that_does_not_block_serves_too)
{
        filemem_session *session = open_plain(), *peer;
        int fd = open_peer(session, false);

        ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
        peer = adopt(fd);
        for (int i = 0; i < 100; i++)
                ck_assert_int_eq(filemem_ping(peer), 0);
        filemem_close(peer);
        filemem_close(session);
}
END_TEST

START_TEST(process_without_descriptors_goes_on)
{
        filemem_session *session = open_plain();
        struct rlimit before, none;
        int fd;

        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
        ck_assert_int_eq(filemem_open_peer(session, NULL, &fd), -EMFILE);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        filemem_close(adopt(open_peer(session, false)));
        filemem_close(session);
}
END_TEST

/* ---- many at once ---------------------------------------------------------------------------- */

static void *open_peers(void *argument)
{
        filemem_session *session = argument;

        for (unsigned i = 0; i < 200 / harness_slowness(); i++) {
                filemem_session *peer = adopt(open_peer(session, i % 2));

                ck_assert_int_eq(filemem_is_read_only(peer), i % 2);
                ck_assert_int_eq(filemem_ping(peer), 0);
                ck_assert_int_eq(filemem_ping(session), 0);
                filemem_close(peer);
        }
        return NULL;
}

/* Replies with descriptors go to whom they concern, whichever thread receives them. */
START_TEST(threads_open_peers_at_once)
{
        filemem_session *session = open_plain();
        pthread_t threads[4];

        for (int i = 0; i < 4; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, open_peers, session), 0);
        for (int i = 0; i < 4; i++)
                pthread_join(threads[i], NULL);
        filemem_close(session);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("client pools");
        TCase *tests = harness_case(suite, "client pools", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, peer_shares_the_pool);
        tcase_add_test(tests, read_only_peer_reads);
        tcase_add_test(tests, session_may_ask_for_reading);
        tcase_add_test(tests, private_pool_is_shared_by_peers_alone);
        tcase_add_test(tests, session_without_a_pool_asks);
        tcase_add_test(tests, older_options_are_understood);
        tcase_add_test(tests, inherited_session_needs_no_path);
        tcase_add_test(tests, what_is_no_session_is_not_taken);
        tcase_add_test(tests, descriptor_is_taken_over_also_when_it_fails);
        tcase_add_test(tests, socket_that_does_not_block_serves_too);
        tcase_add_test(tests, process_without_descriptors_goes_on);
        tcase_add_test(tests, threads_open_peers_at_once);
        return harness_run(suite);
}
