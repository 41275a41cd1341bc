// SPDX-License-Identifier: Apache-2.0
/*
 * A daemon that dies at its n-th step, for every n: between receiving and answering, before,
 * between and after the two halves of everything that is written down or put into the store. A
 * client that does all operations has to notice nothing but Resumed.
 */
#include "system/test_survive.h"

#include <filemem/filemem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGES(n) ((n)*SURVIVE_PAGE)

/* Nothing, so the first allocation is at 0, and first fit says where all others are. */
static void allocate_and_share(struct raw *raw)
{
        struct raw_operation operations[4];
        const Filemem__Reply *reply;

        raw_allocate(&operations[0], PAGES(2), 1);
        raw_allocate(&operations[1], PAGES(3), 2);
        raw_decref(&operations[2], PAGES(1000), PAGES(1001));
        raw_incref(&operations[3], 0, PAGES(2));
        reply = survive_call(raw, operations, 4, NULL);
        ck_assert_uint_eq(reply->n_results, 4);
        ck_assert_uint_eq(reply->results[0]->allocated->start, 0);
        ck_assert_uint_eq(reply->results[0]->allocated->end, PAGES(2));
        ck_assert_uint_eq(reply->results[1]->allocated->start, PAGES(2));
        ck_assert_uint_eq(reply->results[1]->allocated->end, PAGES(5));
        ck_assert_int_eq(reply->results[2]->status, FILEMEM__STATUS__STATUS_ENOENT);
        ck_assert_int_eq(reply->results[3]->status, 0);
}

/* The refusal in it would be none if it were tried again after what follows. */
static void release_and_ask(struct raw *raw)
{
        struct raw_operation operations[5];
        const Filemem__Reply *reply;

        raw_decommit(&operations[0], 0, PAGES(2), false);
        raw_decref(&operations[1], PAGES(1), PAGES(2));
        raw_usage(&operations[2]);
        raw_decref(&operations[3], PAGES(5), PAGES(6));
        raw_allocate(&operations[4], PAGES(1), 3);
        reply = survive_call(raw, operations, 5, NULL);
        ck_assert_uint_eq(reply->n_results, 5);
        ck_assert_int_eq(reply->results[0]->status, 0);
        ck_assert_int_eq(reply->results[1]->status, 0);
        ck_assert_int_eq(reply->results[2]->body_case, FILEMEM__RESULT__BODY_USAGE);
        ck_assert_int_eq(reply->results[3]->status, FILEMEM__STATUS__STATUS_ENOENT);
        ck_assert_uint_eq(reply->results[4]->allocated->start, PAGES(5));
}

static void commit(struct raw *raw)
{
        struct raw_operation operation;
        const Filemem__Reply *reply;

        raw_allocate(&operation, PAGES(16), 4);
        operation.body.allocate.mode = FILEMEM__MODE__MODE_COMMIT;
        reply = survive_call(raw, &operation, 1, NULL);
        ck_assert_int_eq(reply->results[0]->status, 0);
        ck_assert(reply->results[0]->allocated->committed);
        ck_assert_uint_eq(reply->results[0]->allocated->start, PAGES(6));
}

static void release_silently(struct raw *raw)
{
        struct raw_operation operations[3];
        uint64_t events = 0;
        const Filemem__Reply *reply;

        raw_decref(&operations[0], PAGES(2), PAGES(5));
        raw_decref(&operations[1], PAGES(2), PAGES(5));
        raw_incref(&operations[2], PAGES(6), PAGES(7));
        for (int i = 0; i < 3; i++)
                operations[i].operation.no_reply = true;
        reply = survive_call(raw, operations, 3, &events);
        ck_assert_uint_eq(reply->n_results, 0);
        /* The event may come after its reply, or with that be lost: then it was none of another. */
        ck_assert_uint_eq(events & ~UINT64_C(2), 0);
}

/* The reply that a peer's socket came with may have been the last word of the daemon. */
static void use_peer(struct raw *raw)
{
        struct raw_operation operation;
        const Filemem__ToClient *answer;
        struct raw peer;

        raw_open_peer(&operation, false, "peer");
        ck_assert_int_eq(survive_call(raw, &operation, 1, NULL)->results[0]->status, 0);
        ck_assert_int_ge(raw->peer, 0);
        raw_adopt(&peer, raw->peer);
        raw->peer = -1;
        answer = survive_greet(&peer, "peer");
        while (answer && answer->body_case == FILEMEM__TO_CLIENT__BODY_RESUMED) {
                survive_say_resume(&peer);
                answer = survive_greet(&peer, "peer");
        }
        ck_assert_ptr_nonnull(answer);
        ck_assert(answer->welcome->survives);
        raw_incref(&operation, PAGES(6), PAGES(8));
        ck_assert_int_eq(survive_call(&peer, &operation, 1, NULL)->results[0]->status, 0);
        raw_close(&peer);
}

static void use_private_pool(void)
{
        struct raw_operation operation;
        struct raw raw;

        survive_open_anyway(&raw, true);
        raw_allocate(&operation, PAGES(1), 1);
        ck_assert_uint_eq(survive_call(&raw, &operation, 1, NULL)->results[0]->allocated->start, 0);
        raw_close(&raw);
}

static void check_entry(
        const Filemem__DumpEntry *entry, uint64_t start, uint64_t end, uint32_t refs)
{
        ck_assert_uint_eq(entry->start, PAGES(start));
        ck_assert_uint_eq(entry->end, PAGES(end));
        ck_assert_uint_eq(entry->refs, refs);
}

/* Nothing is lost and nothing is there twice. */
static void check_all(struct raw *raw)
{
        Filemem__DumpEntry *entries = NULL;
        struct raw_operation operation;
        const Filemem__Reply *reply;

        for (int i = 0;; i++) {
                free(entries);
                entries = NULL;
                raw_dump(&operation, 0, 0);
                reply = survive_call(raw, &operation, 1, NULL);
                if (reply->results[0]->dump->n_entries == 5)
                        break; /* what was freed is given back */
                ck_assert_int_lt(i, 3000);
                usleep(1000);
        }
        check_entry(reply->results[0]->dump->entries[0], 0, 1, 2);
        check_entry(reply->results[0]->dump->entries[1], 1, 2, 1);
        check_entry(reply->results[0]->dump->entries[2], 5, 6, 1);
        check_entry(reply->results[0]->dump->entries[3], 6, 7, 2);
        check_entry(reply->results[0]->dump->entries[4], 7, 22, 1);
}

/* A life with everything in it. */
static void live(void)
{
        struct raw raw;

        survive_open_anyway(&raw, false);
        allocate_and_share(&raw);
        release_and_ask(&raw);
        commit(&raw);
        release_silently(&raw);
        use_peer(&raw);
        use_private_pool();
        check_all(&raw);
        raw_close(&raw);
}

START_TEST(a_daemon_may_die_at_any_step)
{
        long n = survive_every_step(NULL, live);

        ck_assert_int_gt(n, 100);
        printf("%ld steps\n", n);
}
END_TEST

/* The same through the library, which opens sessions while the daemon dies. */
static void live_with_the_library(void)
{
        filemem_session *session, *peer;
        struct filemem_range range;
        int fd;

        ck_assert_int_eq(filemem_open(manager.socket, NULL, &session), 0);
        ck_assert_int_eq(filemem_allocate(session, PAGES(4), FILEMEM_ANONYMOUS, &range), 0);
        ck_assert_uint_eq(range.start, 0);
        ck_assert_int_eq(filemem_open_peer(session, NULL, &fd), 0);
        ck_assert_int_eq(filemem_open_fd(fd, NULL, &peer), 0);
        ck_assert_int_eq(filemem_incref(peer, range), 0);
        ck_assert_int_eq(filemem_decref(session, range), 0);
        ck_assert_int_eq(filemem_release(peer, range), 0);
        filemem_close(peer);
        filemem_close(session);
}

START_TEST(the_library_notices_nothing_of_it)
{
        ck_assert_int_gt(survive_every_step(NULL, live_with_the_library), 60);
}
END_TEST

TCase *survive_crash_case(Suite *suite)
{
        TCase *crash = harness_case(suite, "crash", 300);

        tcase_add_test(crash, a_daemon_may_die_at_any_step);
        tcase_add_test(crash, the_library_notices_nothing_of_it);
        return crash;
}
