// SPDX-License-Identifier: Apache-2.0
/* What may answer to Hello, and what becomes of it. */
#include "peer.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

START_TEST(a_welcome_makes_a_session)
{
        filemem_session *session;
        struct peer peer;

        peer_start(&peer, peer_serve, NULL);
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

/* A later version may say more than this one knows: a field 1000, of so many bytes that the packet
 * has the size that the test says. */
static void welcome_at_length(struct peer *peer)
{
        static uint8_t packet[WIRE_MESSAGE_MAX];
        size_t size = *(const size_t *)peer->argument, head;
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__Welcome welcome;

        peer_accept(peer);
        peer_receive(peer);
        peer_fill_welcome(peer, &welcome);
        message.body_case = FILEMEM__TO_CLIENT__BODY_WELCOME;
        message.welcome = &welcome;
        head = (size_t)wire_encode_to_client(&message, packet);
        packet[head++] = 0xc2;
        packet[head++] = 0x3e; /* number and type of the field; then its length */
        head += 2;
        packet[head - 2] = (uint8_t)(0x80 | ((size - head) & 0x7f));
        packet[head - 1] = (uint8_t)((size - head) >> 7);
        peer_send_bytes(peer, packet, size, &peer->memfd, 1);
        while (peer_receive(peer))
                ;
}

START_TEST(an_answer_may_say_more_but_not_more_than_there_is_room_for)
{
        for (size_t size = WIRE_GREETING_MAX; size <= WIRE_GREETING_MAX + 1; size++) {
                bool fits = size == WIRE_GREETING_MAX;
                size_t before = harness_count_fds();
                filemem_session *session = NULL;
                struct peer peer;

                peer_start(&peer, welcome_at_length, &size);
                ck_assert_int_eq(filemem_open(peer.path, NULL, &session), fits ? 0 : -EPROTO);
                if (fits)
                        ck_assert_uint_eq(filemem_capacity(session), PEER_CAPACITY);
                else
                        ck_assert_ptr_nonnull(strstr(filemem_open_error(), "no filememd"));
                filemem_close(session);
                peer_stop(&peer);
                ck_assert_uint_eq(harness_count_fds(), before);
        }
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
        peer_start(&peer, peer_serve, NULL);
        session = peer_open(&peer);
        ck_assert_str_eq(filemem_open_error(), "");
        filemem_close(session);
        peer_stop(&peer);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("welcome");
        TCase *tests = harness_case(suite, "welcome", 20);

        tcase_add_test(tests, a_welcome_makes_a_session);
        tcase_add_test(tests, an_answer_may_say_more_but_not_more_than_there_is_room_for);
        tcase_add_loop_test(tests, a_welcome_with_one_wrong_thing_is_eproto, 0,
                sizeof(wrongs) / sizeof(wrongs[0]));
        tcase_add_loop_test(tests, every_other_answer_has_its_result_and_sentence, 0,
                sizeof(answers) / sizeof(answers[0]));
        tcase_add_test(tests, the_sentence_of_a_failure_goes_with_the_next_success);
        return harness_run(suite);
}
