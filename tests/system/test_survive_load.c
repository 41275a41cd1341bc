// SPDX-License-Identifier: Apache-2.0
/*
 * SIGKILL under load, in an imitation of systemd.
 *
 *      test_survive_load [ROUNDS [CLIENTS [SEED]]]
 */
#include "support/harness.h"
#include "support/manager.h"
#include "system/survivors.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct manager manager;
static unsigned rounds = 10, clients = 50;
static unsigned long long seed = 1;

/* It is started again at once. */
static void kill_daemon(void *context)
{
        (void)context;
        pthread_mutex_lock(&manager.mutex);
        ck_assert_int_gt(manager.pid, 0);
        kill(manager.pid, SIGKILL);
        pthread_mutex_unlock(&manager.mutex);
}

START_TEST(nothing_is_lost_doubled_or_foreign)
{
        struct survivors_options options = {
                .socket = manager.socket,
                .clients = clients / harness_slowness(),
                .rounds = rounds / harness_slowness(),
                .seed = seed,
                .kill = kill_daemon,
        };
        struct survivors_report report = {0};
        const char *error;

        if (!options.rounds)
                options.rounds = 1;
        manager_init(&manager, "[pool default]\ncapacity = 256M\njoin = *\n", 512);
        options.socket = manager.socket;
        manager_set_restarts(&manager, true);
        manager_launch(&manager, 0);
        manager_await_ready(&manager);
        error = survivors_run(&options, &report);
        survivors_print(&report);
        survivors_free(&report);
        if (error)
                printf("%s\n", error);
        ck_assert_msg(!error, "%s", error);
        manager_set_restarts(&manager, false);
        ck_assert_uint_eq(manager.starts, options.rounds + 1);
        ck_assert_uint_eq(manager.others, 0);
        manager_deinit(&manager);
}
END_TEST

int main(int argc, char **argv)
{
        Suite *suite = suite_create("survive_load");
        TCase *load;

        if (argc > 1)
                rounds = (unsigned)strtoul(argv[1], NULL, 10);
        if (argc > 2)
                clients = (unsigned)strtoul(argv[2], NULL, 10);
        if (argc > 3)
                seed = strtoull(argv[3], NULL, 10);
        load = harness_case(suite, "load", 120 + rounds * 5);
        tcase_add_test(load, nothing_is_lost_doubled_or_foreign);
        return harness_run(suite);
}
