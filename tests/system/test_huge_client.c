// SPDX-License-Identifier: Apache-2.0
/*
 * Huge pages of a pool with `huge = advise`: the library, the real daemon, and shared memory's huge
 * pages set to `advise` for the time of this program.
 */
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"
#include "support/huge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)
#define MIB  (UINT64_C(1) << 20)
#define HUGE (2 * MIB)

static struct daemon the_daemon;
static filemem_session *session;

static void start(void)
{
        daemon_start(&the_daemon, "[pool default]\ncapacity = 1G\nhuge = advise\n");
        ck_assert_int_eq(filemem_open(the_daemon.socket, NULL, &session), 0);
}

static void start_never(void)
{
        daemon_start(&the_daemon, "[pool default]\ncapacity = 1G\n");
        ck_assert_int_eq(filemem_open(the_daemon.socket, NULL, &session), 0);
}

static void stop(void)
{
        filemem_close(session);
        daemon_stop(&the_daemon);
}

static struct filemem_range get(uint64_t length, enum filemem_mode mode)
{
        struct filemem_range range;

        ck_assert_msg(filemem_allocate_mode(session, length, FILEMEM_MAPPED, mode, &range) == 0,
                "%s", filemem_last_error(session));
        return range;
}

static volatile unsigned char *map(filemem_session *from, struct filemem_range range)
{
        void *address;

        ck_assert_int_eq(filemem_map(from, range, PROT_READ | PROT_WRITE, &address), 0);
        return address;
}

static uint64_t total(void)
{
        uint64_t bytes;

        ck_assert_int_eq(filemem_total_usage(session, &bytes), 0);
        return bytes;
}

/* What is committed by a store to one byte of a range, `offset` from its start. */
static uint64_t cost_of_byte(filemem_session *from, struct filemem_range range, uint64_t offset)
{
        uint64_t before = total();

        map(from, range)[offset] = 1;
        return total() - before;
}

/* Whether a line of smaps begins an area, which then is the one that this address is in. */
static bool begins_area(const char *line, const volatile void *address, bool *ret_inside)
{
        uintptr_t from, to;
        char *rest;

        from = strtoumax(line, &rest, 16);
        if (rest == line || *rest != '-')
                return false;
        to = strtoumax(rest + 1, NULL, 16);
        *ret_inside = from <= (uintptr_t)address && (uintptr_t)address < to;
        return true;
}

/* Bytes that are mapped by huge pages in the area that this address is in: neighbours are one. */
static uint64_t mapped_huge(const volatile void *address)
{
        static const char key[] = "ShmemPmdMapped:";
        FILE *maps = fopen("/proc/self/smaps", "re");
        bool inside = false;
        uint64_t bytes = 0;
        char line[512];

        ck_assert_ptr_nonnull(maps);
        while (fgets(line, sizeof(line), maps))
                if (!begins_area(line, address, &inside) && inside &&
                        strncmp(line, key, sizeof(key) - 1) == 0)
                        bytes = strtoumax(line + sizeof(key) - 1, NULL, 10) << 10;
        fclose(maps);
        return bytes;
}

START_TEST(large_ranges_have_huge_pages_and_small_neighbours_have_not)
{
        struct filemem_range before = get(64 * PAGE, FILEMEM_LAZY),
                             large = get(2 * HUGE, FILEMEM_LAZY),
                             after = get(64 * PAGE, FILEMEM_LAZY), last = get(HUGE, FILEMEM_LAZY);

        ck_assert_uint_eq(cost_of_byte(session, before, 0), PAGE);
        ck_assert_uint_eq(cost_of_byte(session, large, HUGE + 5), HUGE);
        ck_assert_uint_eq(cost_of_byte(session, large, 0), HUGE);
        ck_assert_uint_eq(cost_of_byte(session, after, 0), PAGE);
        ck_assert_uint_eq(cost_of_byte(session, last, 0), HUGE);
        ck_assert_uint_eq(cost_of_byte(session, before, 63 * PAGE), PAGE);
        ck_assert_uint_eq(mapped_huge(map(session, large)), 3 * HUGE);
        ck_assert_uint_eq(mapped_huge(map(session, before)), 0);
}
END_TEST

START_TEST(the_part_of_a_huge_page_at_the_end_is_small)
{
        struct filemem_range range = get(HUGE + MIB, FILEMEM_LAZY);

        ck_assert_uint_eq(range.start % HUGE, 0);
        ck_assert_uint_eq(cost_of_byte(session, range, HUGE + MIB - 1), PAGE);
        ck_assert_uint_eq(cost_of_byte(session, range, 0), HUGE);
}
END_TEST

START_TEST(mapping_more_than_what_one_holds_asks_for_nothing_there)
{
        struct filemem_range small = get(PAGE, FILEMEM_LAZY), chunk = {0, 16 * MIB};

        map(session, chunk);
        ck_assert_uint_eq(cost_of_byte(session, small, 0), PAGE);
        ck_assert_uint_eq(cost_of_byte(session, chunk, HUGE), PAGE); /* that is nobody's */
}
END_TEST

static const enum filemem_mode modes[] = {FILEMEM_POPULATE, FILEMEM_COMMIT};

START_TEST(populated_and_committed_ranges_are_huge_too)
{
        struct filemem_range range = get(8 * MIB, modes[_i]);
        volatile unsigned char *bytes = map(session, range);
        struct filemem_usage usage;

        ck_assert_uint_eq(total(), 8 * MIB);
        for (uint64_t i = 0; i < 8 * MIB; i += PAGE) {
                ck_assert_uint_eq(bytes[i], 0);
                bytes[i] = 1;
        }
        ck_assert_uint_eq(mapped_huge(bytes), 8 * MIB);
        ck_assert_int_eq(filemem_update_usage(session, &usage), 0);
        ck_assert_uint_eq(usage.committed[FILEMEM_MAPPED], 8 * MIB);
        ck_assert_uint_eq(usage.total, 8 * MIB);
}
END_TEST

static void await_nothing(void)
{
        for (int i = 0; i < 2000 && total(); i++)
                usleep(10000);
        ck_assert_uint_eq(total(), 0);
}

START_TEST(what_becomes_of_the_place_later_is_small_again)
{
        struct filemem_range range = get(HUGE, FILEMEM_LAZY), small;

        ck_assert_uint_eq(cost_of_byte(session, range, 0), HUGE);
        if (_i)
                ck_assert_int_eq(filemem_release(session, range), 0);
        else
                ck_assert_int_eq(filemem_decref(session, range), 0);
        await_nothing();
        small = get(PAGE, FILEMEM_LAZY);
        ck_assert_uint_eq(small.start, range.start);
        ck_assert_uint_eq(cost_of_byte(session, small, 0), PAGE);
}
END_TEST

START_TEST(a_part_that_is_given_up_takes_its_huge_page_with_it)
{
        struct filemem_range range = get(2 * HUGE, FILEMEM_LAZY);
        struct filemem_range part = {range.start + 5 * PAGE, range.start + 6 * PAGE};

        map(session, range);
        ck_assert_int_eq(filemem_decref(session, part), 0);
        ck_assert_uint_eq(cost_of_byte(session, range, 0), PAGE);
        ck_assert_uint_eq(cost_of_byte(session, range, HUGE), HUGE);
}
END_TEST

START_TEST(who_takes_a_reference_has_them_and_who_only_looks_has_not)
{
        struct filemem_range range = get(2 * HUGE, FILEMEM_LAZY);
        filemem_session *guest;

        ck_assert_int_eq(filemem_open(the_daemon.socket, NULL, &guest), 0);
        ck_assert_uint_eq(cost_of_byte(guest, range, 0), PAGE);
        ck_assert_int_eq(filemem_incref(guest, range), 0);
        ck_assert_uint_eq(cost_of_byte(guest, range, HUGE), HUGE);
        filemem_close(guest);
}
END_TEST

START_TEST(a_mapping_of_ones_own_has_them_where_it_fits)
{
        struct filemem_range range = get(HUGE, FILEMEM_LAZY);
        char *space = mmap(NULL, 3 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *place;
        void *mapped;

        ck_assert_ptr_ne(space, MAP_FAILED);
        place = space + (HUGE - (uintptr_t)space % HUGE) % HUGE;
        ck_assert_int_eq(filemem_map_into(session, range, place, PROT_READ | PROT_WRITE,
                                 FILEMEM_MAP_FIXED | FILEMEM_MAP_PRECOMMIT, &mapped),
                0);
        ck_assert_uint_eq(total(), HUGE);
        ck_assert_uint_eq(mapped_huge(mapped), HUGE);
        munmap(space, 3 * HUGE);
}
END_TEST

START_TEST(a_pool_that_says_never_has_none)
{
        struct filemem_range range = get(2 * HUGE, FILEMEM_LAZY);
        struct filemem_pool pool;

        ck_assert_int_eq(filemem_pool_info(session, &pool), 0);
        ck_assert(!pool.huge_advise);
        ck_assert_uint_eq(cost_of_byte(session, range, 0), PAGE);
        range = get(HUGE, FILEMEM_POPULATE);
        ck_assert_uint_eq(mapped_huge(map(session, range)), 0);
}
END_TEST

static int run_tests(void)
{
        Suite *suite = suite_create("huge_client");
        TCase *advise = harness_case(suite, "advise", 60);
        TCase *never = harness_case(suite, "never", 60);

        tcase_add_checked_fixture(advise, start, stop);
        tcase_add_test(advise, large_ranges_have_huge_pages_and_small_neighbours_have_not);
        tcase_add_test(advise, the_part_of_a_huge_page_at_the_end_is_small);
        tcase_add_test(advise, mapping_more_than_what_one_holds_asks_for_nothing_there);
        tcase_add_loop_test(advise, populated_and_committed_ranges_are_huge_too, 0, 2);
        tcase_add_loop_test(advise, what_becomes_of_the_place_later_is_small_again, 0, 2);
        tcase_add_test(advise, a_part_that_is_given_up_takes_its_huge_page_with_it);
        tcase_add_test(advise, who_takes_a_reference_has_them_and_who_only_looks_has_not);
        tcase_add_test(advise, a_mapping_of_ones_own_has_them_where_it_fits);
        tcase_add_checked_fixture(never, start_never, stop);
        tcase_add_test(never, a_pool_that_says_never_has_none);
        return harness_run(suite);
}

int main(void)
{
        return guardian_run(huge_set_up, huge_undo, run_tests);
}
