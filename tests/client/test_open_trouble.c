// SPDX-License-Identifier: Apache-2.0
/* What goes wrong while somebody opens: memory, daemons that die, daemons that do not answer. */
#include "fault_map.h"
#include "peer.h"
#include "support/fault.h"
#include "support/harness.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- no memory ------------------------------------------------------------------------------- */

static void serve_many(struct peer *peer)
{
        /* Until the test has got through; each attempt is a connection or none at all. */
        while (atomic_load(&peer->step) == 0) {
                peer_accept(peer);
                if (atomic_load(&peer->step) == 0 && peer_receive(peer)) {
                        Filemem__Welcome welcome;

                        peer_fill_welcome(peer, &welcome);
                        peer_send_welcome(peer, &welcome, &peer->memfd, 1);
                }
                while (peer_receive(peer))
                        ;
                peer_hang_up(peer);
        }
}

/* Lets the script see that the test is through. */
static void end_serve_many(struct peer *peer)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        peer_reach(peer, 1);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", peer->path);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        close(fd);
        peer_stop(peer);
}

START_TEST(every_allocation_that_fails_is_enomem_and_leaves_nothing)
{
        filemem_session *session = NULL;
        struct peer peer;
        unsigned failures = 0;

        peer_start(&peer, serve_many, NULL);
        for (long n = 0;; n++) {
                size_t before = harness_count_fds();
                int r;

                fault_alloc_at(n);
                r = filemem_open(peer.path, NULL, &session);
                fault_alloc_at(-1);
                if (r == 0)
                        break;
                ck_assert_int_eq(r, -ENOMEM);
                ck_assert_ptr_null(session);
                ck_assert_str_ne(filemem_open_error(), "");
                ck_assert_uint_le(harness_count_fds(), before + 1); /* the peer's end */
                failures++;
        }
        ck_assert_uint_ge(failures, 1);
        filemem_close(session);
        end_serve_many(&peer);
}
END_TEST

/* But for the page of the fork guard, which is one for the process. */
START_TEST(opening_maps_nothing)
{
        filemem_session *first, *session = NULL;
        struct peer peer;

        peer_start(&peer, serve_many, NULL);
        ck_assert_int_eq(filemem_open(peer.path, NULL, &first), 0);
        filemem_close(first);
        fault_map_at(0);
        ck_assert_int_eq(filemem_open(peer.path, NULL, &session), 0);
        ck_assert(!fault_map_happened());
        fault_map_at(-1);
        filemem_close(session);
        end_serve_many(&peer);
}
END_TEST

START_TEST(a_first_call_that_finds_no_memory_is_enomem_and_can_be_tried_again)
{
        const struct filemem_range page = {0, PEER_PAGE};
        filemem_session *session;
        void *address = NULL;
        struct peer peer;

        peer_start(&peer, peer_serve, NULL);
        session = peer_open(&peer);
        fault_map_at(0);
        ck_assert_int_eq(filemem_release(session, page), -ENOMEM);
        ck_assert_str_ne(filemem_last_error(session), "");
        fault_map_at(0);
        ck_assert_int_eq(filemem_ping(session), -ENOMEM);
        ck_assert_int_eq(filemem_ping(session), 0);
        /* From here on a thread needs no more. */
        fault_map_at(0);
        ck_assert_int_eq(filemem_release(session, page), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert(!fault_map_happened());

        fault_map_at(0);
        ck_assert_int_eq(filemem_map(session, page, PROT_READ, &address), -ENOMEM);
        ck_assert_ptr_null(address);
        ck_assert_ptr_nonnull(strstr(filemem_last_error(session), "address space"));
        fault_map_at(0);
        ck_assert_int_eq(filemem_map_blocks(session, page, PROT_READ, NULL, 0), -ENOMEM);
        ck_assert_int_eq(filemem_map(session, page, PROT_READ, &address), 0);
        ck_assert_int_eq(filemem_map_blocks(session, page, PROT_READ, NULL, 0), 1);
        filemem_close(session);
        peer_stop(&peer);
}
END_TEST

/* ---- a daemon that dies while somebody opens --------------------------------------------------
 */

static void open_and_ping(void (*script)(struct peer *peer))
{
        filemem_session *session;
        struct peer peer;

        peer_start(&peer, script, NULL);
        session = peer_open(&peer);
        ck_assert_int_eq(filemem_ping(session), 0);
        filemem_close(session);
        peer_stop(&peer);
}

/* Dies twice, before and after it has read the Hello, and is there again. */
static void die_twice(struct peer *peer)
{
        peer_accept(peer);
        peer_hang_up(peer);
        peer_accept(peer);
        peer_receive(peer);
        peer_hang_up(peer);
        peer_serve(peer);
}

START_TEST(a_daemon_that_dies_meanwhile_is_waited_for)
{
        open_and_ping(die_twice);
}
END_TEST

/* Dies, is gone with its listener, and comes back at the same place. */
static void die_and_come_back(struct peer *peer)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        peer_accept(peer);
        close(peer->listener);
        peer_hang_up(peer);
        poll(NULL, 0, 50);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s.new", peer->path);
        peer->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (bind(peer->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
                listen(peer->listener, 16) < 0 || rename(address.sun_path, peer->path) < 0)
                abort();
        peer_serve(peer);
}

START_TEST(nobody_who_listens_after_that_is_waited_for_too)
{
        open_and_ping(die_and_come_back);
}
END_TEST

/* An orderly end removes the socket: nobody will be there. */
static void remove_and_die(struct peer *peer)
{
        peer_accept(peer);
        unlink(peer->path);
}

START_TEST(a_socket_that_is_gone_after_that_is_an_answer)
{
        filemem_session *session = NULL;
        struct peer peer;

        peer_start(&peer, remove_and_die, NULL);
        ck_assert_int_eq(filemem_open(peer.path, NULL, &session), -ENOENT);
        peer_stop(&peer);
}
END_TEST

static void never_answer(struct peer *peer)
{
        peer_accept(peer);
        peer_await(peer, 1);
}

START_TEST(opening_keeps_to_the_timeout)
{
        filemem_session *session = NULL;
        struct peer peer;

        peer_start(&peer, never_answer, NULL);
        ck_assert(filemem_set_timeout(UINT64_C(20) * 1000 * 1000) == FILEMEM_NO_TIMEOUT);
        ck_assert_int_eq(filemem_open(peer.path, NULL, &session), -ETIMEDOUT);
        ck_assert_ptr_nonnull(strstr(filemem_open_error(), "in time"));
        peer_reach(&peer, 1);
        peer_stop(&peer);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("open_trouble");
        TCase *tests = harness_case(suite, "open_trouble", 20);

        tcase_add_test(tests, every_allocation_that_fails_is_enomem_and_leaves_nothing);
        tcase_add_test(tests, opening_maps_nothing);
        tcase_add_test(tests, a_first_call_that_finds_no_memory_is_enomem_and_can_be_tried_again);
        tcase_add_test(tests, a_daemon_that_dies_meanwhile_is_waited_for);
        tcase_add_test(tests, nobody_who_listens_after_that_is_waited_for_too);
        tcase_add_test(tests, a_socket_that_is_gone_after_that_is_an_answer);
        tcase_add_test(tests, opening_keeps_to_the_timeout);
        return harness_run(suite);
}
