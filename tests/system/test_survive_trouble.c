// SPDX-License-Identifier: Apache-2.0
/*
 * What goes wrong around the end of a daemon: a full store, a systemd that does not hear, journals
 * that are damaged or of another version, clients that say nothing or nonsense.
 */
#include "system/test_survive.h"

#include "journal/private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(const char *config, size_t maximum)
{
        manager_init(&manager, config, maximum);
        manager_start(&manager);
}

/* ---- the store ------------------------------------------------------------------------------- */

START_TEST(where_the_store_is_full_sessions_do_not_survive_and_are_told)
{
        struct raw kept, other;

        start(NULL, 4); /* three for the journal and the pool */
        survive_open(&kept, "");
        raw_connect(&other, manager.socket);
        ck_assert(!survive_greet(&other, "")->welcome->survives);
        raw_get(&other, SURVIVE_PAGE, 1);
        ck_assert(manager_log_has(&manager, "does not survive the daemon: the store is full"));
        survive_restart(SIGKILL);
        raw_receive_end(&other);
        survive_resume(&kept);
        raw_close(&other);
        /* Where one goes there is room again. */
        raw_close(&kept);
        manager_await_count(&manager, 's', 0);
        survive_open(&kept, "");
        raw_close(&kept);
        ck_assert_uint_eq(manager.dropped, 0);
        manager_deinit(&manager);
}
END_TEST

START_TEST(where_the_store_is_full_sessions_can_be_refused)
{
        const Filemem__ToClient *answer;
        struct raw kept, other;

        start("[daemon]\nwhen_store_is_full = refuse\n[pool default]\njoin = *\n", 4);
        survive_open(&kept, "");
        raw_connect(&other, manager.socket);
        answer = survive_greet(&other, "");
        ck_assert_int_eq(answer->body_case, FILEMEM__TO_CLIENT__BODY_GOODBYE);
        ck_assert_int_eq(answer->goodbye->status, FILEMEM__STATUS__STATUS_ENOMEM);
        raw_close(&other);
        raw_open(&other, manager.socket, "wants no more");
        raw_close(&other);
        raw_close(&kept);
        manager_deinit(&manager);
}
END_TEST

START_TEST(who_comes_while_systemd_does_not_hear_waits_and_nobody_else)
{
        struct raw old, waiting[40];
        unsigned welcome = 0;

        start(NULL, 64);
        survive_open(&old, "");
        manager_set_deaf(&manager, true);
        usleep(20000);
        for (int i = 0; i < 40; i++) {
                Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
                Filemem__Hello hello = FILEMEM__HELLO__INIT;

                raw_connect(&waiting[i], manager.socket);
                hello.major = WIRE_MAJOR;
                hello.resumable = true;
                message.body_case = FILEMEM__TO_DAEMON__BODY_HELLO;
                message.hello = &hello;
                raw_send(&waiting[i], &message);
        }
        raw_get(&old, SURVIVE_PAGE, 1);
        for (int i = 0; i < 40; i++)
                welcome += raw_is_readable(&waiting[i]);
        manager_set_deaf(&manager, false);
        for (int i = 0; i < 40; i++) {
                const Filemem__ToClient *answer = raw_receive(&waiting[i]);

                ck_assert_int_eq(answer->body_case, FILEMEM__TO_CLIENT__BODY_WELCOME);
                ck_assert(answer->welcome->survives);
        }
        ck_assert_uint_lt(welcome, 40);
        manager_await_count(&manager, 's', 41);
        survive_restart(SIGKILL);
        for (int i = 0; i < 40; i++) {
                survive_resume(&waiting[i]);
                raw_close(&waiting[i]);
        }
        survive_resume(&old);
        raw_close(&old);
        manager_await_count(&manager, 's', 0);
        manager_deinit(&manager);
}
END_TEST

/* ---- clients --------------------------------------------------------------------------------- */

START_TEST(who_says_nothing_or_nonsense_disturbs_nobody)
{
        struct raw honest, silent, wild;

        start(NULL, 64);
        survive_open(&honest, "");
        survive_open(&silent, "");
        survive_open(&wild, "");
        raw_get(&silent, SURVIVE_PAGE, 1);
        survive_restart(SIGKILL);
        for (int i = 0; i < 2000; i++)
                ck_assert_int_eq(raw_send_bytes(&wild, "\xff\xfe\xfd", 3, NULL, 0), 0);
        survive_resume(&honest);
        raw_get(&honest, SURVIVE_PAGE, 1);
        survive_await_sessions(3);
        /* Later is fine too. */
        survive_resume(&silent);
        raw_get(&silent, SURVIVE_PAGE, 1);
        survive_resume(&wild);
        raw_get(&wild, SURVIVE_PAGE, 1);
        /* After Resume nonsense is what it always was. */
        raw_send_bytes(&wild, "\xff\xfe\xfd", 3, NULL, 0);
        raw_receive_goodbye(&wild);
        raw_close(&wild);
        raw_close(&silent);
        raw_close(&honest);
        manager_deinit(&manager);
}
END_TEST

START_TEST(a_kicked_session_does_not_come_back)
{
        struct raw_operation operation;
        struct raw raw, admin;

        start(NULL, 64);
        survive_open(&raw, "");
        survive_open(&admin, "");
        raw_kick_session(&operation, raw.session);
        raw_do(&admin, &operation);
        raw_receive_goodbye(&raw);
        raw_receive_end(&raw);
        manager_await_count(&manager, 's', 1);
        survive_restart(SIGKILL);
        survive_resume(&admin);
        survive_await_sessions(1);
        raw_close(&raw);
        raw_close(&admin);
        manager_deinit(&manager);
}
END_TEST

START_TEST(a_destroyed_pool_does_not_come_back)
{
        struct raw_operation operation;
        struct raw raw, admin;

        start("[pool default]\njoin = *\n[pool other]\njoin = *\n", 64);
        raw_connect(&raw, manager.socket);
        {
                Filemem__Hello hello = FILEMEM__HELLO__INIT;

                hello.major = WIRE_MAJOR;
                hello.pool = (char *)(uintptr_t) "other";
                hello.resumable = true;
                ck_assert(raw_greet(&raw, &hello)->welcome->survives);
        }
        raw_get(&raw, SURVIVE_PAGE, 1);
        survive_open(&admin, "");
        raw_destroy_pool(&operation, "other");
        raw_do(&admin, &operation);
        manager_await_count(&manager, 'p', 1);
        survive_restart(SIGKILL);
        survive_resume(&admin);
        /* The configuration names it: it is there anew, and empty. */
        raw_dump(&operation, 0, 0);
        operation.body.dump.pool = (char *)(uintptr_t) "other";
        ck_assert_uint_eq(raw_do(&admin, &operation)->dump->n_entries, 0);
        raw_close(&raw);
        raw_close(&admin);
        manager_deinit(&manager);
}
END_TEST

/* ---- journals -------------------------------------------------------------------------------- */

static struct journal_header *map_journal(const char *name)
{
        struct journal_header *header = mmap(
                NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, manager_find(&manager, name), 0);

        ck_assert_ptr_ne(header, MAP_FAILED);
        return header;
}

static struct journal_area_header *active_area(struct journal_header *header)
{
        return &header->areas[header->active != journal_selector(0)];
}

/* The first record of the active area. */
static uint8_t *first_record(struct journal_header *header)
{
        ck_assert_uint_eq(
                header->active, journal_selector(0)); /* else it is beyond what is mapped */
        return (uint8_t *)header + JOURNAL_HEADER_SIZE;
}

START_TEST(a_damaged_journal_keeps_the_memory_and_gives_nothing)
{
        struct raw_operation operation;
        struct journal_header *header;
        struct raw raw;
        char found[9] = {0};
        uint64_t at;

        start(NULL, 64);
        survive_open(&raw, "");
        at = raw_get(&raw, SURVIVE_PAGE, 1);
        ck_assert_int_eq(pwrite(raw.memfd, "precious", 8, (off_t)at), 8);
        header = map_journal("j1");
        first_record(header)[8] ^= 1;
        munmap(header, 1 << 20);
        survive_restart(SIGKILL);
        ck_assert(manager_log_has(&manager, "its journal is damaged"));
        survive_resume(&raw);
        raw.next_id = 100;
        raw_allocate(&operation, SURVIVE_PAGE, 1);
        ck_assert_int_eq(raw_call(&raw, &operation)->status, FILEMEM__STATUS__STATUS_EIO);
        ck_assert_int_eq(pread(raw.memfd, found, 8, (off_t)at), 8);
        ck_assert_str_eq(found, "precious");
        /* It stays so, until an administrator ends it. */
        survive_restart(SIGKILL);
        survive_resume(&raw);
        ck_assert_int_eq(raw_call(&raw, &operation)->status, FILEMEM__STATUS__STATUS_EIO);
        raw_destroy_pool(&operation, "default");
        raw_do(&raw, &operation);
        raw_receive_goodbye(&raw);
        raw_close(&raw);
        survive_restart(SIGKILL);
        raw_open(&raw, manager.socket, "");
        raw_get(&raw, SURVIVE_PAGE, 1);
        raw_close(&raw);
        manager_deinit(&manager);
}
END_TEST

START_TEST(a_damaged_journal_of_sessions_ends_them)
{
        struct journal_header *header;
        struct raw raw;

        start(NULL, 64);
        survive_open(&raw, "");
        raw_get(&raw, SURVIVE_PAGE, 1);
        header = map_journal("j");
        memset(first_record(header), 0xee, (size_t)3 * 256);
        munmap(header, 1 << 20);
        survive_restart(SIGKILL);
        ck_assert(manager_log_has(&manager, "the journal of sessions is damaged"));
        raw_receive_end(&raw);
        raw_close(&raw);
        survive_open(&raw, "");
        ck_assert_uint_eq(raw_get(&raw, SURVIVE_PAGE, 1), 0);
        survive_restart(SIGKILL);
        survive_resume(&raw);
        raw_close(&raw);
        manager_deinit(&manager);
}
END_TEST

/* What an older daemon must not touch; then the newer one is there again. */
static void refuse_newer(const char *name)
{
        struct journal_header *header;
        struct raw raw;
        size_t count;

        start(NULL, 64);
        survive_open(&raw, "");
        raw_get(&raw, SURVIVE_PAGE, 1);
        header = map_journal(name);
        active_area(header)->version++;
        manager_kill(&manager, SIGKILL);
        count = manager_count(&manager, 0);
        for (int i = 0; i < 3; i++) {
                manager_launch(&manager, 0);
                ck_assert_int_eq(WEXITSTATUS(manager_await_end(&manager)), 1);
                ck_assert_uint_eq(manager_count(&manager, 0), count);
        }
        ck_assert(manager_log_has(&manager, "a newer filememd was here"));
        active_area(header)->version--;
        munmap(header, 1 << 20);
        manager_start(&manager);
        survive_resume(&raw);
        raw_get(&raw, SURVIVE_PAGE, 1);
        raw_close(&raw);
        manager_deinit(&manager);
}

START_TEST(what_a_newer_daemon_left_is_refused_and_left_alone)
{
        refuse_newer("j");
        refuse_newer("j1");
}
END_TEST

START_TEST(what_an_older_daemon_left_is_read)
{
        struct journal_header *headers[2];
        uint32_t versions[2];
        struct raw raw;

        start(NULL, 64);
        survive_open(&raw, "");
        raw_get(&raw, SURVIVE_PAGE, 1);
        headers[0] = map_journal("j");
        headers[1] = map_journal("j1");
        for (int i = 0; i < 2; i++)
                versions[i] = active_area(headers[i])->version--;
        survive_restart(SIGKILL);
        for (int i = 0; i < 2; i++) {
                ck_assert_uint_eq(active_area(headers[i])->version, versions[i]);
                munmap(headers[i], 1 << 20);
        }
        survive_resume(&raw);
        ck_assert_uint_eq(raw_get(&raw, SURVIVE_PAGE, 1), SURVIVE_PAGE);
        raw_close(&raw);
        manager_deinit(&manager);
}
END_TEST

START_TEST(without_a_store_all_is_as_it_was)
{
        struct raw raw;

        start(NULL, 0);
        raw_connect(&raw, manager.socket);
        ck_assert(!survive_greet(&raw, "")->welcome->survives);
        raw_get(&raw, SURVIVE_PAGE, 1);
        ck_assert_int_eq(manager_kill(&manager, SIGTERM), 0);
        raw_receive_end(&raw);
        raw_close(&raw);
        manager_deinit(&manager);
}
END_TEST

START_TEST(a_pool_that_left_the_configuration_drains)
{
        struct raw raw, late;
        const Filemem__ToClient *answer;
        Filemem__Hello hello = FILEMEM__HELLO__INIT;
        FILE *file;

        start("[pool default]\njoin = *\n[pool other]\njoin = *\n", 64);
        hello.major = WIRE_MAJOR;
        hello.pool = (char *)(uintptr_t) "other";
        hello.resumable = true;
        raw_connect(&raw, manager.socket);
        ck_assert(raw_greet(&raw, &hello)->welcome->survives);
        file = fopen(manager.config, "w");
        fputs("[pool default]\njoin = *\n", file);
        fclose(file);
        survive_restart(SIGKILL);
        survive_resume(&raw);
        raw_get(&raw, SURVIVE_PAGE, 1);
        raw_connect(&late, manager.socket);
        answer = raw_greet(&late, &hello);
        ck_assert_int_eq(answer->body_case, FILEMEM__TO_CLIENT__BODY_GOODBYE);
        raw_close(&late);
        raw_close(&raw);
        manager_await_count(&manager, 'p', 1);
        manager_deinit(&manager);
}
END_TEST

TCase *survive_trouble_case(Suite *suite)
{
        TCase *trouble = harness_case(suite, "trouble", 60);

        tcase_add_test(trouble, where_the_store_is_full_sessions_do_not_survive_and_are_told);
        tcase_add_test(trouble, where_the_store_is_full_sessions_can_be_refused);
        tcase_add_test(trouble, who_comes_while_systemd_does_not_hear_waits_and_nobody_else);
        tcase_add_test(trouble, who_says_nothing_or_nonsense_disturbs_nobody);
        tcase_add_test(trouble, a_kicked_session_does_not_come_back);
        tcase_add_test(trouble, a_destroyed_pool_does_not_come_back);
        tcase_add_test(trouble, a_damaged_journal_keeps_the_memory_and_gives_nothing);
        tcase_add_test(trouble, a_damaged_journal_of_sessions_ends_them);
        tcase_add_test(trouble, what_a_newer_daemon_left_is_refused_and_left_alone);
        tcase_add_test(trouble, what_an_older_daemon_left_is_read);
        tcase_add_test(trouble, without_a_store_all_is_as_it_was);
        tcase_add_test(trouble, a_pool_that_left_the_configuration_drains);
        return trouble;
}
