// SPDX-License-Identifier: Apache-2.0
/*
 * What is asked of the daemon beside memory, over its end: it is done once, and who asked gets the
 * answer of then.
 */
#include "system/test_survive.h"

#include <stdio.h>
#include <string.h>

static const char config[] = "[pool default]\njoin = *\nadmin = *\n";

static int call(struct raw *raw, struct raw_operation *operation)
{
        return (int)survive_call(raw, operation, 1, NULL)->results[0]->status;
}

/* The name of the pool that it is in. */
static void find_pool(struct raw *raw, char *ret, size_t size)
{
        struct raw_operation operation;

        raw_pool_info(&operation);
        snprintf(ret, size, "%s",
                survive_call(raw, &operation, 1, NULL)->results[0]->pool_info->name);
}

/* What happens twice is refused the second time: there is no such session and no such pool. */
static void administrate(struct raw *admin)
{
        struct raw_operation operations[4];
        struct raw guest, victim;
        const Filemem__Reply *reply;
        char pool[128];

        survive_open_anyway(&victim, false);
        survive_open_anyway(&guest, true);
        find_pool(&guest, pool, sizeof(pool));
        raw_allocate(&operations[0], SURVIVE_PAGE, 1);
        raw_kick_session(&operations[1], victim.session);
        raw_kick_session(&operations[2], victim.session);
        raw_destroy_pool(&operations[3], pool);
        reply = survive_call(admin, operations, 4, NULL);
        ck_assert_uint_eq(reply->n_results, 4);
        ck_assert_uint_eq(reply->results[0]->allocated->start, 0);
        ck_assert_int_eq(reply->results[1]->status, 0);
        ck_assert_int_eq(reply->results[2]->status, FILEMEM__STATUS__STATUS_ENOENT);
        ck_assert_int_eq(reply->results[3]->status, 0);
        raw_reload(&operations[0]);
        ck_assert_int_eq(call(admin, &operations[0]), 0);
        raw_allocate(&operations[0], SURVIVE_PAGE, 1);
        ck_assert_uint_eq(survive_call(admin, operations, 1, NULL)->results[0]->allocated->start,
                SURVIVE_PAGE);
        raw_close(&guest);
        raw_close(&victim);
}

static void live(void)
{
        struct raw admin;

        survive_open_anyway(&admin, false);
        administrate(&admin);
        raw_close(&admin);
}

START_TEST(a_daemon_may_die_at_any_step_of_administration)
{
        ck_assert_int_gt(survive_every_step(config, live), 50);
}
END_TEST

/* Of the last request only, but as often as daemons come and go. */
START_TEST(results_go_on_with_every_daemon)
{
        struct raw_operation operations[2];
        const Filemem__Reply *reply;
        struct raw admin, victim;

        manager_init(&manager, config, 64);
        manager_start(&manager);
        survive_open(&admin, "");
        survive_open_anyway(&victim, false);
        raw_kick_session(&operations[0], victim.session);
        raw_kick_session(&operations[1], victim.session);
        survive_send(&admin, 1, operations, 2, false);
        raw_receive_reply(&admin, 1);
        for (int i = 0; i < 3; i++) {
                survive_restart(SIGKILL);
                ck_assert_uint_eq(survive_resume(&admin), 1);
        }
        survive_send(&admin, 1, operations, 2, false);
        reply = raw_receive_reply(&admin, 1);
        ck_assert_int_eq(reply->results[0]->status, 0);
        ck_assert_int_eq(reply->results[1]->status, FILEMEM__STATUS__STATUS_ENOENT);
        /* A newer one is another. */
        survive_send(&admin, 2, operations, 1, false);
        ck_assert_int_eq(
                raw_receive_reply(&admin, 2)->results[0]->status, FILEMEM__STATUS__STATUS_ENOENT);
        raw_close(&victim);
        raw_close(&admin);
        manager_deinit(&manager);
}
END_TEST

TCase *survive_administration_case(Suite *suite)
{
        TCase *administration = harness_case(suite, "administration", 300);

        tcase_add_test(administration, a_daemon_may_die_at_any_step_of_administration);
        tcase_add_test(administration, results_go_on_with_every_daemon);
        return administration;
}
