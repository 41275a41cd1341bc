// SPDX-License-Identifier: Apache-2.0
/*
 * Sessions that outlive the daemon, in an imitation of systemd: clients that say what they like on
 * raw connections.
 */
#include "system/test_survive.h"

#include "filemem/statistics.h"
#include "proto/page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void set_up(void)
{
        manager_init(&manager, NULL, 64);
        manager_start(&manager);
}

static void tear_down(void)
{
        manager_deinit(&manager);
}

static void write_to(const struct raw *raw, uint64_t at, const char *text)
{
        ck_assert_int_eq(pwrite(raw->memfd, text, strlen(text), (off_t)at), (ssize_t)strlen(text));
}

static void assert_is(const struct raw *raw, uint64_t at, const char *text)
{
        char found[64] = {0};

        ck_assert_int_eq(pread(raw->memfd, found, strlen(text), (off_t)at), (ssize_t)strlen(text));
        ck_assert_str_eq(found, text);
}

/* Whether the memory is given back: no entry is left in the default pool. */
static void await_empty(void)
{
        struct raw raw;

        raw_open(&raw, manager.socket, "looks");
        for (int i = 0; i < 3000; i++) {
                Filemem__DumpEntry *entries;
                size_t count = raw_dump_all(&raw, &entries);

                free(entries);
                if (!count)
                        break;
                ck_assert_int_lt(i, 2999);
                usleep(10000);
        }
        raw_close(&raw);
}

/* Of the statistics. */
static struct filemem_statistics_totals read_totals(struct raw *raw)
{
        struct filemem_statistics_totals totals;
        struct raw_operation operation;
        uint64_t size;
        void *page;

        raw_statistics(&operation);
        size = raw_do(raw, &operation)->statistics->size;
        page = mmap(NULL, size, PROT_READ, MAP_SHARED, raw->peer, 0);
        ck_assert_ptr_ne(page, MAP_FAILED);
        ck_assert_int_eq(page_read(page, PAGE_TOTALS, 0, (page_word *)&totals, sizeof(totals)), 1);
        munmap(page, size);
        close(raw->peer);
        raw->peer = -1;
        return totals;
}

START_TEST(a_session_goes_on_after_sigkill)
{
        struct raw_operation operation;
        struct raw raw;
        uint64_t start, session;

        survive_open(&raw, "goes on");
        session = raw.session;
        start = raw_get(&raw, 4 * SURVIVE_PAGE, 1);
        write_to(&raw, start, "precious");
        survive_restart(SIGKILL);
        ck_assert_uint_eq(survive_resume(&raw), 1);
        assert_is(&raw, start, "precious");
        raw_decref(&operation, start, start + SURVIVE_PAGE);
        raw_do(&raw, &operation);
        ck_assert_uint_ne(raw_get(&raw, SURVIVE_PAGE, 1), start + SURVIVE_PAGE);
        raw_sessions(&operation, 0, 0);
        {
                const Filemem__SessionsPage *page = raw_do(&raw, &operation)->sessions;

                ck_assert_uint_eq(page->n_sessions, 1);
                ck_assert_uint_eq(page->sessions[0]->session, session);
                ck_assert_str_eq(page->sessions[0]->label, "goes on");
                ck_assert_int_eq(page->sessions[0]->pid, getpid());
                ck_assert_uint_eq(page->sessions[0]->held, 4 * SURVIVE_PAGE);
        }
        raw_close(&raw);
        await_empty();
}
END_TEST

START_TEST(it_goes_on_many_times)
{
        struct raw raw;
        uint64_t start;

        survive_open(&raw, "");
        start = raw_get(&raw, SURVIVE_PAGE, 1);
        write_to(&raw, start, "still");
        for (uint64_t i = 1; i <= 10; i++) {
                survive_restart(i % 2 ? SIGKILL : SIGTERM);
                ck_assert_uint_eq(survive_resume(&raw), i);
                raw_get(&raw, SURVIVE_PAGE, 1);
        }
        assert_is(&raw, start, "still");
        ck_assert_uint_eq(read_totals(&raw).restarts, 10);
        raw_close(&raw);
        await_empty();
}
END_TEST

START_TEST(sigterm_is_as_good_as_a_crash)
{
        struct raw raw, other;

        survive_open(&raw, "");
        raw_open(&other, manager.socket, "does not survive");
        raw_get(&raw, SURVIVE_PAGE, 1);
        ck_assert_int_eq(manager_kill(&manager, SIGTERM), 0);
        raw_receive_end(&other);
        raw_close(&other);
        manager_start(&manager);
        survive_resume(&raw);
        raw_get(&raw, SURVIVE_PAGE, 1);
        raw_close(&raw);
}
END_TEST

START_TEST(who_does_not_ask_for_it_does_not_survive)
{
        struct raw raw;

        raw_open(&raw, manager.socket, "");
        raw_get(&raw, SURVIVE_PAGE, 1);
        ck_assert_uint_eq(manager_count(&manager, 's'), 0);
        survive_restart(SIGKILL);
        raw_receive_end(&raw);
        raw_close(&raw);
        await_empty();
}
END_TEST

START_TEST(what_is_done_is_taken_out_of_the_store)
{
        Filemem__Hello hello = FILEMEM__HELLO__INIT;
        struct raw raw[3];

        ck_assert_uint_eq(manager_count(&manager, 0), 3); /* j, and p1 and j1 of the default pool */
        for (int i = 0; i < 2; i++)
                survive_open(&raw[i], "");
        hello.major = WIRE_MAJOR;
        hello.private_pool = true;
        hello.resumable = true;
        raw_connect(&raw[2], manager.socket);
        ck_assert(raw_greet(&raw[2], &hello)->welcome->survives);
        manager_await_count(&manager, 's', 3);
        manager_await_count(&manager, 'p', 2);
        for (int i = 0; i < 3; i++)
                raw_close(&raw[i]);
        manager_await_count(&manager, 0, 3);
}
END_TEST

START_TEST(a_private_pool_survives_with_its_sessions)
{
        struct raw_operation operation;
        struct raw raw;
        uint64_t start;

        survive_open_anyway(&raw, true);
        start = raw_get(&raw, SURVIVE_PAGE, 2);
        write_to(&raw, start, "mine");
        survive_restart(SIGKILL);
        survive_resume(&raw);
        raw_pool_info(&operation);
        ck_assert(raw_do(&raw, &operation)->pool_info->private_pool);
        assert_is(&raw, start, "mine");
        raw_close(&raw);
        manager_await_count(&manager, 'p', 1);
}
END_TEST

START_TEST(peers_survive_used_or_not)
{
        struct raw_operation operation;
        struct raw raw, used, unused;

        survive_open(&raw, "");
        for (int i = 0; i < 2; i++) {
                raw_open_peer(&operation, false, "peer");
                raw_do(&raw, &operation);
                raw_adopt(i ? &unused : &used, raw.peer);
                raw.peer = -1;
        }
        ck_assert(survive_greet(&used, "")->welcome->survives);
        raw_get(&used, SURVIVE_PAGE, 1);
        survive_restart(SIGKILL);
        survive_resume(&raw);
        survive_resume(&used);
        {
                const Filemem__ToClient *answer = survive_greet(&unused, "late");

                ck_assert_int_eq(answer->body_case, FILEMEM__TO_CLIENT__BODY_WELCOME);
                ck_assert(answer->welcome->survives);
                ck_assert_uint_eq(answer->welcome->parent, raw.session);
        }
        raw_get(&unused, SURVIVE_PAGE, 1);
        survive_restart(SIGKILL);
        survive_resume(&raw);
        survive_resume(&used);
        survive_resume(&unused);
        raw_close(&raw);
        raw_get(&used, SURVIVE_PAGE, 1);
        raw_close(&used);
        raw_close(&unused);
        await_empty();
}
END_TEST

START_TEST(a_hello_that_nobody_has_read_is_answered_by_the_next_daemon)
{
        struct raw_operation operation;
        struct raw raw, peer;

        survive_open(&raw, "");
        raw_open_peer(&operation, false, "peer");
        raw_do(&raw, &operation);
        raw_adopt(&peer, raw.peer);
        raw.peer = -1;
        manager_kill(&manager, SIGKILL);
        raw_send_hello(&peer, WIRE_MAJOR, "", "waits");
        manager_start(&manager);
        ck_assert_int_eq(raw_receive(&peer)->body_case, FILEMEM__TO_CLIENT__BODY_WELCOME);
        raw_close(&peer);
        raw_close(&raw);
}
END_TEST

START_TEST(limits_of_a_peer_survive)
{
        struct raw_operation operation;
        struct raw raw, peer;

        survive_open(&raw, "");
        raw_open_peer(&operation, false, "small");
        operation.body.open_peer.max_bytes = 2 * SURVIVE_PAGE;
        raw_do(&raw, &operation);
        raw_adopt(&peer, raw.peer);
        raw.peer = -1;
        survive_greet(&peer, "");
        raw_get(&peer, SURVIVE_PAGE, 1);
        survive_restart(SIGKILL);
        survive_resume(&raw);
        survive_resume(&peer);
        raw_get(&peer, SURVIVE_PAGE, 1);
        raw_allocate(&operation, SURVIVE_PAGE, 1);
        ck_assert_int_eq(raw_call(&peer, &operation)->status, FILEMEM__STATUS__STATUS_EDQUOT);
        raw_close(&peer);
        raw_close(&raw);
}
END_TEST

/* ---- once ------------------------------------------------------------------------------------ */

START_TEST(what_was_applied_is_not_done_again)
{
        struct raw_operation operations[3];
        const Filemem__Reply *reply;
        struct raw raw;
        uint64_t first;

        survive_open(&raw, "");
        first = raw_get(&raw, SURVIVE_PAGE, 1); /* request 1 */
        raw_allocate(&operations[0], 2 * SURVIVE_PAGE, 1);
        raw_decref(&operations[1], UINT64_C(1) << 30, (UINT64_C(1) << 30) + SURVIVE_PAGE);
        raw_incref(&operations[2], first, first + SURVIVE_PAGE);
        survive_send(&raw, 2, operations, 3, false);
        reply = raw_receive_reply(&raw, 2);
        ck_assert_uint_eq(reply->results[0]->allocated->start, first + SURVIVE_PAGE);
        survive_restart(SIGKILL);
        ck_assert_uint_eq(survive_resume(&raw), 2);
        /* As if the reply had been lost; and an older one, of which the reply was. */
        survive_send(&raw, 1, operations, 1, false);
        survive_send(&raw, 2, operations, 3, false);
        reply = raw_receive_reply(&raw, 2);
        ck_assert_uint_eq(reply->n_results, 3);
        ck_assert_uint_eq(reply->results[0]->allocated->start, first + SURVIVE_PAGE);
        ck_assert_uint_eq(reply->results[0]->allocated->end, first + 3 * SURVIVE_PAGE);
        ck_assert_int_eq(reply->results[1]->status, FILEMEM__STATUS__STATUS_ENOENT);
        ck_assert_int_eq(reply->results[2]->status, 0);
        /* And answered once in this life, it is not again. */
        survive_send(&raw, 2, operations, 3, false);
        raw.next_id = 3;
        ck_assert_uint_eq(raw_get(&raw, SURVIVE_PAGE, 1), first + 3 * SURVIVE_PAGE);
        raw_decref(&operations[0], first, first + SURVIVE_PAGE);
        raw_do(&raw, &operations[0]);
        raw_do(&raw, &operations[0]);
        ck_assert_int_ne(raw_call(&raw, &operations[0])->status, 0);
        raw_close(&raw);
}
END_TEST

START_TEST(what_is_sent_before_resume_is_discarded)
{
        struct raw_operation operation;
        struct raw raw;

        survive_open(&raw, "");
        manager_kill(&manager, SIGKILL);
        raw_allocate(&operation, SURVIVE_PAGE, 1);
        for (uint64_t id = 1; id <= 5; id++)
                survive_send(&raw, id, &operation, 1, false);
        for (int i = 0; i < 20; i++)
                ck_assert_int_eq(raw_send_bytes(&raw, "\xff\xff\xff garbage", 12, NULL, 0), 0);
        ck_assert_int_eq(raw_send_bytes(&raw, "x", 1, &raw.memfd, 1), 0);
        manager_start(&manager);
        ck_assert_uint_eq(survive_resume(&raw), 0);
        raw.next_id = 1;
        ck_assert_uint_eq(raw_get(&raw, SURVIVE_PAGE, 1), 0);
        raw_close(&raw);
}
END_TEST

/* ---- clients that go ------------------------------------------------------------------------- */

START_TEST(who_hung_up_meanwhile_is_gone)
{
        struct raw raw, stays;

        survive_open(&raw, "goes");
        survive_open(&stays, "stays");
        raw_get(&raw, SURVIVE_PAGE, 1);
        manager_kill(&manager, SIGKILL);
        raw_close(&raw);
        manager_start(&manager);
        survive_await_sessions(1);
        survive_resume(&stays);
        raw_close(&stays);
        await_empty();
}
END_TEST

/* The socket is open in this process still, but it was another one that connected. */
START_TEST(whose_process_died_meanwhile_is_gone)
{
        int sockets[2], status;
        struct raw raw;
        pid_t child;

        survive_open(&raw, "fixture");
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
        child = fork();
        if (child == 0) {
                struct raw own;

                survive_open(&own, "dies");
                raw_get(&own, SURVIVE_PAGE, 1);
                if (fork() == 0) {
                        char byte;

                        close(sockets[0]);
                        (void)!read(sockets[1], &byte, 1);
                        _exit(0);
                }
                (void)!write(sockets[1], "x", 1);
                pause();
        }
        {
                char byte;

                ck_assert_int_eq(read(sockets[0], &byte, 1), 1);
        }
        manager_kill(&manager, SIGKILL);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        manager_start(&manager);
        survive_await_sessions(1);
        survive_resume(&raw);
        raw_close(&raw);
        await_empty();
        close(sockets[0]);
        close(sockets[1]);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("survive");
        TCase *goes_on = harness_case(suite, "goes_on", 60);
        TCase *once = harness_case(suite, "once", 60);
        TCase *gone = harness_case(suite, "gone", 60);

        tcase_add_checked_fixture(goes_on, set_up, tear_down);
        tcase_add_test(goes_on, a_session_goes_on_after_sigkill);
        tcase_add_test(goes_on, it_goes_on_many_times);
        tcase_add_test(goes_on, sigterm_is_as_good_as_a_crash);
        tcase_add_test(goes_on, who_does_not_ask_for_it_does_not_survive);
        tcase_add_test(goes_on, what_is_done_is_taken_out_of_the_store);
        tcase_add_test(goes_on, a_private_pool_survives_with_its_sessions);
        tcase_add_test(goes_on, peers_survive_used_or_not);
        tcase_add_test(goes_on, a_hello_that_nobody_has_read_is_answered_by_the_next_daemon);
        tcase_add_test(goes_on, limits_of_a_peer_survive);
        tcase_add_checked_fixture(once, set_up, tear_down);
        tcase_add_test(once, what_was_applied_is_not_done_again);
        tcase_add_test(once, what_is_sent_before_resume_is_discarded);
        tcase_add_checked_fixture(gone, set_up, tear_down);
        tcase_add_test(gone, who_hung_up_meanwhile_is_gone);
        tcase_add_test(gone, whose_process_died_meanwhile_is_gone);
        survive_administration_case(suite);
        survive_crash_case(suite);
        survive_compaction_case(suite);
        survive_trouble_case(suite);
        return harness_run(suite);
}
