// SPDX-License-Identifier: Apache-2.0
#include "proto/fdset.h"
#include "test_hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * What is wrong with each message is checked in test_protocol.c and test_requests.c; here it is
 * what a client does all day, and others have to be able to live beside it.
 */

/* Half of a request to allocate a page: what is encoded says 12 bytes and has 6. */
static void half_a_message(const struct hostile *hostile)
{
        struct raw raw;

        if (!hostile_open(hostile, &raw))
                return;
        raw_send_bytes(&raw, "\x12\x0c\x08\x07\x12\x08", 6, NULL, 0);
        raw_receive(&raw);
        raw_close(&raw);
}

static void half_a_message_and_no_end(const struct hostile *hostile)
{
        struct raw raw;

        if (!hostile_open(hostile, &raw))
                return;
        while (raw_send_bytes(&raw, "\x12\x0c\x08\x07\x12\x08", 6, NULL, 0) == 0)
                ;
        raw_close(&raw);
}

static void too_large(const struct hostile *hostile)
{
        static const char zeros[2 * WIRE_MESSAGE_MAX];
        struct raw raw;

        if (!hostile_open(hostile, &raw))
                return;
        while (raw_send_bytes(&raw, zeros, sizeof(zeros), NULL, 0) == 0)
                ;
        raw_close(&raw);
}

static void connect_and_go(const struct hostile *hostile)
{
        struct raw raw;

        if (raw_try_connect(&raw, hostile->daemon.socket) == 0)
                raw_close(&raw);
}

/* Keeps as many connections as it likes, and waits in each for what comes of it. */
static void say_nothing(const struct hostile *hostile)
{
        struct raw raws[16];
        size_t count = 0;

        while (count < 16 && raw_try_connect(&raws[count], hostile->daemon.socket) == 0)
                count++;
        for (size_t i = 0; i < count; i++) {
                raw_receive(&raws[i]);
                raw_close(&raws[i]);
        }
}

static void open_and_go(const struct hostile *hostile)
{
        struct raw raw;

        if (hostile_open(hostile, &raw))
                raw_close(&raw);
}

static void send_253_descriptors(const struct hostile *hostile)
{
        int fds[FDSET_MAX], fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        struct raw raw;

        for (int i = 0; i < FDSET_MAX; i++)
                fds[i] = fd;
        if (hostile_open(hostile, &raw)) {
                while (raw_send_bytes(&raw, "\x12\x02\x08\x01", 4, fds, FDSET_MAX) == 0)
                        ;
                raw_close(&raw);
        }
        close(fd);
}

/* In the messages that the daemon has not read yet there is the connection itself, again and again.
 */
static void send_the_connection_itself(const struct hostile *hostile)
{
        struct raw raw;

        if (!hostile_open(hostile, &raw))
                return;
        for (int i = 0; i < 100; i++)
                if (raw_send_bytes(&raw, "\x12\x02\x08\x01", 4, &raw.fd, 1) < 0)
                        break;
        raw_close(&raw);
}

/* The most expensive questions; when its answers fill all buffers it is held up, and so goes. */
static void never_read(const struct hostile *hostile)
{
        struct raw_operation operations[64];
        struct raw raw;

        if (!hostile_open(hostile, &raw))
                return;
        for (int i = 0; i < 64; i++)
                raw_dump(&operations[i], 0, 0);
        fcntl(raw.fd, F_SETFL, O_NONBLOCK);
        while (raw_try_request(&raw, operations, 64) == 0)
                ;
        poll(NULL, 0, 20);
        raw_close(&raw);
}

static void flood(const struct hostile *hostile)
{
        struct raw_operation operations[WIRE_OPERATIONS_MAX];
        struct raw raw;

        if (!hostile_open(hostile, &raw))
                return;
        for (size_t i = 0; i < WIRE_OPERATIONS_MAX; i++)
                raw_usage(&operations[i]);
        while (raw_try_request(&raw, operations, WIRE_OPERATIONS_MAX) == 0 && raw_receive(&raw))
                ;
        raw_close(&raw);
}

/* Nothing is answered, whatever is asked: each operation is a refusal, and an event. */
static void flood_of_refusals(const struct hostile *hostile)
{
        struct raw_operation operations[WIRE_OPERATIONS_MAX];
        struct raw raw;

        if (!hostile_open(hostile, &raw))
                return;
        for (size_t i = 0; i < WIRE_OPERATIONS_MAX; i++) {
                raw_decref(&operations[i], 0, 64 * HOSTILE_PAGE);
                operations[i].operation.no_reply = true;
        }
        while (raw_try_request(&raw, operations, WIRE_OPERATIONS_MAX) == 0)
                for (size_t i = 0; i < WIRE_OPERATIONS_MAX; i++)
                        if (!raw_receive(&raw))
                                break;
        raw_close(&raw);
}

/* ---- requests that are not its business -------------------------------------------------------
 */

/* Asks for all of them, and has to be refused each. */
static void be_refused(
        const struct hostile *hostile, struct raw_operation *operations, size_t count)
{
        const Filemem__ToClient *message;
        struct raw raw;

        if (!hostile_open(hostile, &raw))
                return;
        while (raw_try_request(&raw, operations, count) == 0 && (message = raw_receive(&raw))) {
                ck_assert_int_eq(message->body_case, FILEMEM__TO_CLIENT__BODY_REPLY);
                for (size_t i = 0; i < message->reply->n_results; i++)
                        if (message->reply->results[i]->status == FILEMEM__STATUS__STATUS_OK)
                                _exit(1);
        }
        raw_close(&raw);
}

static void release_what_others_hold(const struct hostile *hostile)
{
        uint64_t start = hostile->honest.start;
        struct raw_operation operations[64];

        for (uint64_t i = 0; i < 64; i++)
                raw_decref(&operations[i], start, start + (i + 1) * HOSTILE_PAGE);
        be_refused(hostile, operations, 64);
}

static void decommit_what_others_hold(const struct hostile *hostile)
{
        uint64_t start = hostile->honest.start;
        struct raw_operation operations[64];

        for (uint64_t i = 0; i < 64; i++)
                raw_decommit(&operations[i], start, start + (i + 1) * HOSTILE_PAGE, i % 2);
        be_refused(hostile, operations, 64);
}

static void offsets_at_the_edges(const struct hostile *hostile)
{
        static const uint64_t edges[] = {0, 1, UINT32_MAX, UINT64_C(1) << 32, UINT64_C(1) << 44,
                INT64_MAX, UINT64_C(1) << 63, (UINT64_C(1) << 63) - 4096, UINT64_MAX - 4095,
                UINT64_MAX};
        const size_t count = sizeof(edges) / sizeof(edges[0]);
        struct raw_operation operations[4 * 10 * 10];
        size_t used = 0;

        for (size_t i = 0; i < count; i++)
                for (size_t j = 0; j < count; j++) {
                        if (used + 4 > WIRE_OPERATIONS_MAX)
                                break;
                        raw_allocate(&operations[used++], edges[j] ? edges[j] : 1, (int)i);
                        raw_incref(&operations[used++], edges[i], edges[j]);
                        raw_decref(&operations[used++], edges[i], edges[j]);
                        raw_decommit(&operations[used++], edges[i], edges[j], j % 2);
                }
        be_refused(hostile, operations, used);
}

/* ---- deaths -----------------------------------------------------------------------------------
 */

/* A child of it opens a session, has 64 requests under way, and is gone. */
static void die_with_64_requests(const struct hostile *hostile)
{
        struct raw_operation operations[3];
        pid_t pid = fork();
        struct raw raw;

        if (pid) {
                waitpid(pid, NULL, 0);
                return;
        }
        if (!hostile_open(hostile, &raw))
                _exit(0);
        raw_allocate(&operations[0], 16 * HOSTILE_PAGE, 3);
        raw_decommit(&operations[1], 0, 16 * HOSTILE_PAGE, true);
        raw_update_usage(&operations[2]);
        for (int i = 0; i < 64; i++)
                raw_try_request(&raw, operations, 3);
        kill(getpid(), SIGKILL);
}

/* ---- the table --------------------------------------------------------------------------------
 */

static const struct row {
        const char *name;
        hostile_fn *act;
} rows[] = {
        {"half a message", half_a_message},
        {"half a message and no end", half_a_message_and_no_end},
        {"too large", too_large},
        {"connect and go", connect_and_go},
        {"say nothing", say_nothing},
        {"open and go", open_and_go},
        {"253 descriptors", send_253_descriptors},
        {"the connection itself", send_the_connection_itself},
        {"never read", never_read},
        {"flood", flood},
        {"flood of refusals", flood_of_refusals},
        {"release what others hold", release_what_others_hold},
        {"decommit what others hold", decommit_what_others_hold},
        {"offsets at the edges", offsets_at_the_edges},
        {"die with 64 requests", die_with_64_requests},
};

START_TEST(what_a_client_says_all_day_disturbs_nobody)
{
        const struct row *row = &rows[_i];
        struct hostile hostile;
        struct stat log;

        hostile_start(&hostile);
        hostile_beside(&hostile, row->name, row->act, 2);
        /* Nor does it fill the disk of the operator. */
        ck_assert_int_eq(stat(hostile.daemon.log, &log), 0);
        ck_assert_int_lt(log.st_size, 65536);
        hostile_stop(&hostile);
}
END_TEST

void add_hostile_message_tests(Suite *suite)
{
        TCase *tests = harness_case(suite, "messages", 60);

        tcase_add_loop_test(tests, what_a_client_says_all_day_disturbs_nobody, 0,
                (int)(sizeof(rows) / sizeof(rows[0])));
}
