// SPDX-License-Identifier: Apache-2.0
#include "fault_map.h"
#include "peer.h"
#include "support/fault.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- no daemon ------------------------------------------------------------------------------- */

START_TEST(no_socket_is_enoent_with_a_sentence)
{
        filemem_session *session = (filemem_session *)&session;

        ck_assert_int_eq(filemem_open("/nonexistent/socket", NULL, &session), -ENOENT);
        ck_assert_ptr_eq(session, (filemem_session *)&session);
        ck_assert_ptr_nonnull(strstr(filemem_open_error(), "/nonexistent/socket"));
        ck_assert_ptr_nonnull(strstr(filemem_open_error(), "no daemon"));
        ck_assert_str_eq(filemem_strerror(NULL, -ENOENT), filemem_open_error());
}
END_TEST

/* Binds a socket of that type in a new folder. listens: or is that of a dead daemon. */
static int bind_socket(int type, bool listens, char *path, size_t size, const char *folder)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        snprintf(path, size, "%s/socket", folder);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        if (listens)
                ck_assert_int_eq(listen(fd, 1), 0);
        return fd;
}

START_TEST(a_dead_socket_is_econnrefused)
{
        const char *folder = harness_make_folder();
        filemem_session *session;
        char path[90];

        close(bind_socket(SOCK_SEQPACKET, true, path, sizeof(path), folder));
        ck_assert_int_eq(filemem_open(path, NULL, &session), -ECONNREFUSED);
        harness_remove_folder(folder);
}
END_TEST

START_TEST(a_stream_socket_is_that_of_something_else)
{
        const char *folder = harness_make_folder();
        filemem_session *session;
        char path[90];
        int fd = bind_socket(SOCK_STREAM, true, path, sizeof(path), folder);

        ck_assert_int_eq(filemem_open(path, NULL, &session), -EPROTOTYPE);
        ck_assert_ptr_nonnull(strstr(filemem_open_error(), "something else"));
        close(fd);
        harness_remove_folder(folder);
}
END_TEST

START_TEST(wrong_arguments_are_told_before_anything_is_done)
{
        struct filemem_options options = {.size = sizeof(options)};
        filemem_session *session;
        char text[200];

        ck_assert_int_eq(filemem_open(NULL, NULL, NULL), -EINVAL);
        memset(text, 'a', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        ck_assert_int_eq(filemem_open(text, NULL, &session), -ENAMETOOLONG);
        options.label = text + sizeof(text) - 1 - WIRE_LABEL_MAX - 1;
        ck_assert_int_eq(filemem_open("/nonexistent", &options, &session), -EINVAL);
        options.label++;
        ck_assert_int_eq(filemem_open("/nonexistent", &options, &session), -ENOENT);
        options.pool = text;
        ck_assert_int_eq(filemem_open("/nonexistent", &options, &session), -EINVAL);
        options.pool = NULL;
        options.size = 3;
        ck_assert_int_eq(filemem_open("/nonexistent", &options, &session), -EINVAL);
        ck_assert_str_ne(filemem_open_error(), "");
}
END_TEST

START_TEST(the_environment_says_where_the_daemon_is)
{
        filemem_session *session;

        ck_assert_int_eq(setenv("FILEMEM_SOCKET", "/nonexistent/of-environment", 1), 0);
        ck_assert_int_eq(filemem_open(NULL, NULL, &session), -ENOENT);
        ck_assert_ptr_nonnull(strstr(filemem_open_error(), "/nonexistent/of-environment"));
        ck_assert_int_eq(filemem_open("/nonexistent/said", NULL, &session), -ENOENT);
        ck_assert_ptr_nonnull(strstr(filemem_open_error(), "/nonexistent/said"));
}
END_TEST

static void serve(struct peer *peer)
{
        peer_serve(peer);
}

START_TEST(a_user_has_a_daemon_of_his_own)
{
        filemem_session *session;
        char folder[160], path[200];
        struct peer peer;

        peer_start(&peer, serve, NULL);
        snprintf(folder, sizeof(folder), "%s/filemem", peer.folder);
        snprintf(path, sizeof(path), "%s/filemem.sock", folder);
        ck_assert_int_eq(mkdir(folder, 0755), 0);
        ck_assert_int_eq(symlink(peer.path, path), 0);
        ck_assert_int_eq(chmod(peer.folder, 0755), 0);
        ck_assert_int_eq(chmod(peer.path, 0666), 0);
        unsetenv("FILEMEM_SOCKET");
        setenv("XDG_RUNTIME_DIR", peer.folder, 1);
        /* As root the service is meant; not as another user. */
        if (geteuid() == 0)
                ck_assert_int_eq(seteuid(65534), 0);
        ck_assert_int_eq(filemem_open(NULL, NULL, &session), 0);
        ck_assert_int_eq(getuid() == 0 ? seteuid(0) : 0, 0);
        ck_assert_ptr_null(filemem_close(session));
        peer_stop(&peer);
}
END_TEST

/* ---- what a daemon may say ------------------------------------------------------------------- */

START_TEST(a_welcome_makes_a_session)
{
        filemem_session *session;
        struct peer peer;

        peer_start(&peer, serve, NULL);
        session = peer_open(&peer);
        ck_assert_str_eq(filemem_open_error(), "");
        ck_assert_uint_eq(filemem_page_size(session), PEER_PAGE);
        ck_assert_uint_eq(filemem_capacity(session), PEER_CAPACITY);
        ck_assert_uint_eq(filemem_session_id(session), 4711);
        ck_assert_int_ge(filemem_fd(session), 0);
        ck_assert_int_ne(fcntl(filemem_fd(session), F_GETFD) & FD_CLOEXEC, 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_ptr_null(filemem_close(session));
        peer_stop(&peer);
}
END_TEST

/* One wrong thing each. */
static const struct wrong {
        const char *what;
        uint32_t major;
        uint64_t capacity, page_size, chunk_size;
        int fds; /* -1: one that is no memory; -2: not sealed */
} wrongs[] = {
        {"major 0", 0, PEER_CAPACITY, PEER_PAGE, PEER_CHUNK, 1},
        {"major 2", 2, PEER_CAPACITY, PEER_PAGE, PEER_CHUNK, 1},
        {"no capacity", 1, 0, PEER_PAGE, PEER_CHUNK, 1},
        {"capacity not that of the file", 1, PEER_CAPACITY * 2, PEER_PAGE, PEER_CHUNK, 1},
        {"capacity smaller than the file", 1, PEER_CHUNK, PEER_PAGE, PEER_CHUNK, 1},
        {"capacity not of pages", 1, PEER_CAPACITY - 1, PEER_PAGE, PEER_CHUNK, 1},
        {"capacity beyond 2^63", 1, UINT64_MAX - 4095, PEER_PAGE, PEER_CHUNK, 1},
        {"no page", 1, PEER_CAPACITY, 0, PEER_CHUNK, 1},
        {"page of 3", 1, PEER_CAPACITY, 3, PEER_CHUNK, 1},
        {"page of 2 KiB", 1, PEER_CAPACITY, 2048, PEER_CHUNK, 1},
        {"no chunk", 1, PEER_CAPACITY, PEER_PAGE, 0, 1},
        {"chunk of 3 pages", 1, PEER_CAPACITY, PEER_PAGE, 3 * PEER_PAGE, 1},
        {"chunk of half a page", 1, PEER_CAPACITY, PEER_PAGE, PEER_PAGE / 2, 1},
        {"no memory", 1, PEER_CAPACITY, PEER_PAGE, PEER_CHUNK, 0},
        {"two memories", 1, PEER_CAPACITY, PEER_PAGE, PEER_CHUNK, 2},
        {"memory is a socket", 1, PEER_CAPACITY, PEER_PAGE, PEER_CHUNK, -1},
        {"memory is not sealed", 1, PEER_CAPACITY, PEER_PAGE, PEER_CHUNK, -2},
};

static void welcome_wrongly(struct peer *peer)
{
        const struct wrong *wrong = peer->argument;
        int fds[2] = {peer->memfd, peer->memfd};
        Filemem__Welcome welcome;
        int loose = memfd_create("loose", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (ftruncate(loose, (off_t)PEER_CAPACITY) < 0)
                abort();
        peer_accept(peer);
        peer_receive(peer);
        peer_fill_welcome(peer, &welcome);
        welcome.major = wrong->major;
        welcome.capacity = wrong->capacity;
        welcome.page_size = wrong->page_size;
        welcome.chunk_size = wrong->chunk_size;
        if (wrong->fds == -1)
                fds[0] = peer->fd;
        if (wrong->fds == -2)
                fds[0] = loose;
        peer_send_welcome(peer, &welcome, fds, wrong->fds < 0 ? 1 : (size_t)wrong->fds);
        close(loose);
}

START_TEST(a_welcome_with_one_wrong_thing_is_eproto)
{
        filemem_session *session = NULL;
        struct peer peer;

        peer_start(&peer, welcome_wrongly, &wrongs[_i]);
        ck_assert_msg(filemem_open(peer.path, NULL, &session) == -EPROTO, "%s", wrongs[_i].what);
        ck_assert_ptr_null(session);
        ck_assert_str_ne(filemem_open_error(), "");
        peer_stop(&peer);
}
END_TEST

/* Other answers to Hello. */
enum answer {
        ANSWER_NOISE,
        ANSWER_TOO_LONG,
        ANSWER_EMPTY_MESSAGE,
        ANSWER_REPLY,
        ANSWER_EVENT,
        ANSWER_MANY_FDS,
        ANSWER_EMPTY_PACKET,
        ANSWER_HANG_UP,
        ANSWER_UNREAD,
        ANSWER_BYE,
        ANSWER_BYE_VERSION,
        ANSWER_BYE_POOL,
        ANSWER_BYE_FULL_UNREAD,
};

static const struct {
        int result;
        const char *sentence;
} answers[] = {
        [ANSWER_NOISE] = {-EPROTO, "no filememd"},
        [ANSWER_TOO_LONG] = {-EPROTO, "no filememd"},
        [ANSWER_EMPTY_MESSAGE] = {-EPROTO, "no filememd"},
        [ANSWER_REPLY] = {-EPROTO, "no filememd"},
        [ANSWER_EVENT] = {-EPROTO, "no filememd"},
        [ANSWER_MANY_FDS] = {-EPROTO, "no memory"},
        [ANSWER_EMPTY_PACKET] = {-ECONNRESET, "hung up"},
        [ANSWER_HANG_UP] = {-ECONNRESET, "hung up"},
        [ANSWER_UNREAD] = {-ECONNRESET, "hung up"},
        [ANSWER_BYE] = {-ECONNRESET, "stopping"},
        [ANSWER_BYE_VERSION] = {-EPROTO, "unsupported (it speaks 2 to 3)"},
        [ANSWER_BYE_POOL] = {-ENOENT, "no such?pool"},
        [ANSWER_BYE_FULL_UNREAD] = {-ENOMEM, "full"},
};

static void send_noise(struct peer *peer, size_t size)
{
        static uint8_t noise[WIRE_MESSAGE_MAX + 1];

        memset(noise, 0xff, sizeof(noise));
        peer_send_bytes(peer, noise, size, NULL, 0);
}

static void answer_strangely(struct peer *peer)
{
        /* Field 99, a varint: a message without a body that we know. */
        static const uint8_t unknown[] = {0x98, 0x06, 0x01};
        enum answer answer = *(const enum answer *)peer->argument;
        int fds[253];

        peer_accept(peer);
        if (answer != ANSWER_UNREAD && answer != ANSWER_BYE_FULL_UNREAD)
                peer_receive(peer);
        switch (answer) {
        case ANSWER_NOISE:
                send_noise(peer, 100);
                break;
        case ANSWER_TOO_LONG:
                send_noise(peer, WIRE_MESSAGE_MAX + 1);
                break;
        case ANSWER_EMPTY_MESSAGE:
                peer_send_bytes(peer, unknown, sizeof(unknown), NULL, 0);
                break;
        case ANSWER_REPLY:
                peer_reply(peer, 0, NULL);
                break;
        case ANSWER_EVENT:
                peer_send_event(peer, 1, FILEMEM__STATUS__STATUS_EIO, "");
                break;
        case ANSWER_MANY_FDS: {
                Filemem__Welcome welcome;

                for (size_t i = 0; i < 253; i++)
                        fds[i] = peer->memfd;
                peer_fill_welcome(peer, &welcome);
                peer_send_welcome(peer, &welcome, fds, 253);
                break;
        }
        case ANSWER_EMPTY_PACKET:
                peer_send_bytes(peer, "", 0, NULL, 0);
                break;
        case ANSWER_BYE:
                peer_send_goodbye(peer, FILEMEM__STATUS__STATUS_OK, "stopping");
                break;
        case ANSWER_BYE_VERSION:
                peer_send_goodbye(peer, FILEMEM__STATUS__STATUS_EPROTO, "unsupported");
                break;
        case ANSWER_BYE_POOL:
                peer_send_goodbye(peer, FILEMEM__STATUS__STATUS_ENOENT, "no such\033pool");
                break;
        case ANSWER_BYE_FULL_UNREAD:
                peer_send_goodbye(peer, FILEMEM__STATUS__STATUS_ENOMEM, "full");
                break;
        case ANSWER_HANG_UP:
        case ANSWER_UNREAD:
                break;
        }
}

START_TEST(every_other_answer_has_its_result_and_sentence)
{
        enum answer answer = (enum answer)_i;
        filemem_session *session = NULL;
        struct peer peer;
        int r;

        peer_start(&peer, answer_strangely, &answer);
        /* What hangs up is waited for, in case it is being started again. */
        if (answers[_i].result == -ECONNRESET)
                filemem_set_timeout(UINT64_C(1000) * 1000 * 1000);
        r = filemem_open(peer.path, NULL, &session);
        ck_assert_int_eq(r, answers[_i].result);
        ck_assert_msg(strstr(filemem_open_error(), answers[_i].sentence) != NULL, "%s",
                filemem_open_error());
        ck_assert_ptr_null(session);
        peer_stop(&peer);
}
END_TEST

START_TEST(the_sentence_of_a_failure_goes_with_the_next_success)
{
        filemem_session *session;
        struct peer peer;

        ck_assert_int_eq(filemem_open("/nonexistent", NULL, &session), -ENOENT);
        ck_assert_str_ne(filemem_open_error(), "");
        peer_start(&peer, serve, NULL);
        session = peer_open(&peer);
        ck_assert_str_eq(filemem_open_error(), "");
        filemem_close(session);
        peer_stop(&peer);
}
END_TEST

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

START_TEST(every_mapping_that_fails_is_enomem_or_done_without)
{
        filemem_session *session = NULL;
        struct peer peer;
        unsigned failures = 0;

        peer_start(&peer, serve_many, NULL);
        for (long n = 0;; n++) {
                bool happened;
                int r;

                fault_map_at(n);
                r = filemem_open(peer.path, NULL, &session);
                happened = fault_map_happened();
                fault_map_at(-1);
                ck_assert(r == 0 || r == -ENOMEM);
                if (r == 0)
                        filemem_close(session);
                if (!happened)
                        break;
                failures += r < 0;
        }
        /* What every session has, and the array of chunks; not the window. */
        ck_assert_uint_eq(failures, 2);
        end_serve_many(&peer);
}
END_TEST

/* ---- a daemon that dies while somebody opens --------------------------------------------------
 */

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
        filemem_session *session;
        struct peer peer;

        peer_start(&peer, die_twice, NULL);
        session = peer_open(&peer);
        ck_assert_int_eq(filemem_ping(session), 0);
        filemem_close(session);
        peer_stop(&peer);
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
        filemem_session *session;
        struct peer peer;

        peer_start(&peer, die_and_come_back, NULL);
        session = peer_open(&peer);
        ck_assert_int_eq(filemem_ping(session), 0);
        filemem_close(session);
        peer_stop(&peer);
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

START_TEST(a_kernel_that_cannot_tell_a_child_gets_no_session)
{
        filemem_session *session = NULL;

        fault_advise(EINVAL);
        ck_assert_int_eq(filemem_open("/nonexistent", NULL, &session), -EINVAL);
        ck_assert_ptr_nonnull(strstr(filemem_open_error(), "forked child"));
        ck_assert_ptr_null(session);
}
END_TEST

START_TEST(closing_nothing_is_fine)
{
        ck_assert_ptr_null(filemem_close(NULL));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("open");
        TCase *tests = harness_case(suite, "open", 20);

        tcase_add_test(tests, no_socket_is_enoent_with_a_sentence);
        tcase_add_test(tests, a_dead_socket_is_econnrefused);
        tcase_add_test(tests, a_stream_socket_is_that_of_something_else);
        tcase_add_test(tests, wrong_arguments_are_told_before_anything_is_done);
        tcase_add_test(tests, the_environment_says_where_the_daemon_is);
        tcase_add_test(tests, a_user_has_a_daemon_of_his_own);
        tcase_add_test(tests, a_welcome_makes_a_session);
        tcase_add_loop_test(tests, a_welcome_with_one_wrong_thing_is_eproto, 0,
                sizeof(wrongs) / sizeof(wrongs[0]));
        tcase_add_loop_test(tests, every_other_answer_has_its_result_and_sentence, 0,
                sizeof(answers) / sizeof(answers[0]));
        tcase_add_test(tests, the_sentence_of_a_failure_goes_with_the_next_success);
        tcase_add_test(tests, every_allocation_that_fails_is_enomem_and_leaves_nothing);
        tcase_add_test(tests, every_mapping_that_fails_is_enomem_or_done_without);
        tcase_add_test(tests, a_daemon_that_dies_meanwhile_is_waited_for);
        tcase_add_test(tests, nobody_who_listens_after_that_is_waited_for_too);
        tcase_add_test(tests, a_socket_that_is_gone_after_that_is_an_answer);
        tcase_add_test(tests, opening_keeps_to_the_timeout);
        tcase_add_test(tests, a_kernel_that_cannot_tell_a_child_gets_no_session);
        tcase_add_test(tests, closing_nothing_is_fine);
        return harness_run(suite);
}
