// SPDX-License-Identifier: Apache-2.0
/*
 * The journal of sessions is written anew while they come and go, a little with each change: a
 * daemon that dies in between, and one that dies after it.
 */
#include "system/test_survive.h"

#include "journal/private.h"

#include <sys/mman.h>

#define CROWD 300

/* Some of them leave, and as many others come, while the journal is being written anew. */
#define MOVING 10

/* Records between which the journal is written anew, less some. */
#define FAR 3500u

static struct raw crowd[CROWD + MOVING];
static struct raw busy;
static const struct journal_header *header;

static void begin(void)
{
        void *map;

        manager_init(&manager,
                "[limits]\nuser_sessions = none\ntotal_sessions = none\n"
                "[pool default]\njoin = *\n",
                CROWD + 65);
        manager_start(&manager);
        map = mmap(NULL, sizeof(*header), PROT_READ, MAP_SHARED, manager_find(&manager, "j"), 0);
        ck_assert_ptr_ne(map, MAP_FAILED);
        header = map;
        survive_open(&busy, "busy");
        for (int i = 0; i < CROWD; i++)
                survive_open(&crowd[i], "stays");
}

static uint32_t active(void)
{
        return atomic_load(&header->active) != journal_selector(0);
}

/* An area begins with a seed of its own. */
static uint64_t seed_of_next(void)
{
        return *(volatile const uint64_t *)&header->areas[!active()].seed;
}

/* Has so many records written: that there is no such session is one each. */
static void write_records(size_t count)
{
        struct raw_operation operations[100];

        for (size_t i = 0; i < count; i++)
                raw_kick_session(&operations[i], UINT64_MAX);
        ck_assert_uint_eq(survive_call(&busy, operations, count, NULL)->n_results, count);
}

static void write_until_it_is_being_written_anew(void)
{
        uint64_t seed = seed_of_next();

        while (atomic_load(&header->areas[active()].count) < FAR)
                write_records(100);
        for (int i = 0; i < 20000 && seed_of_next() == seed; i++)
                write_records(1);
        ck_assert_uint_ne(seed_of_next(), seed);
}

static void move(void)
{
        for (int i = 0; i < MOVING / 2; i++) {
                raw_close(&crowd[i]);
                survive_open_anyway(&crowd[CROWD + i], true); /* with a pool of its own */
        }
        /* From the end of those that were, which are not copied yet. */
        for (int i = MOVING / 2; i < MOVING; i++) {
                raw_close(&crowd[CROWD - 1 - i]);
                survive_open(&crowd[CROWD + i], "late");
        }
}

static void assert_all_go_on(void)
{
        manager_await_count(&manager, 's', CROWD + 1);
        survive_restart(SIGKILL);
        ck_assert_uint_eq(manager_count(&manager, 's'), CROWD + 1);
        for (int i = 0; i < CROWD + MOVING; i++) {
                if (crowd[i].fd < 0)
                        continue;
                survive_resume(&crowd[i]);
                raw_get(&crowd[i], SURVIVE_PAGE, 1);
        }
}

static void end(void)
{
        for (int i = 0; i < CROWD + MOVING; i++)
                if (crowd[i].fd >= 0)
                        raw_close(&crowd[i]);
        raw_close(&busy);
        manager_await_count(&manager, 's', 0);
        munmap((void *)(uintptr_t)header, sizeof(*header));
        manager_deinit(&manager);
}

START_TEST(all_go_on_when_it_dies_while_the_journal_is_written_anew)
{
        uint32_t before;

        begin();
        before = active();
        write_until_it_is_being_written_anew();
        move();
        ck_assert_uint_eq(active(), before); /* it is under way */
        assert_all_go_on();
        end();
}
END_TEST

START_TEST(all_go_on_when_the_journal_was_written_anew)
{
        uint32_t before;

        begin();
        before = active();
        write_until_it_is_being_written_anew();
        move();
        for (int i = 0; i < 1000 && active() == before; i++)
                write_records(1);
        ck_assert_uint_ne(active(), before);
        /* It has what there is, and not what there was. */
        ck_assert_uint_lt(atomic_load(&header->areas[active()].count), UINT64_C(4) * CROWD);
        assert_all_go_on();
        end();
}
END_TEST

TCase *survive_compaction_case(Suite *suite)
{
        TCase *compaction = harness_case(suite, "compaction", 120);

        tcase_add_test(compaction, all_go_on_when_it_dies_while_the_journal_is_written_anew);
        tcase_add_test(compaction, all_go_on_when_the_journal_was_written_anew);
        return compaction;
}
