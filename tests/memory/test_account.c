// SPDX-License-Identifier: Apache-2.0
#include "support/harness.h"

#include "memory/account.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define PAGE     UINT64_C(4096)
#define CAPACITY (UINT64_C(1) << 34)

static struct memfile file = MEMFILE_NONE;
static const enum accounting ways[] = {ACCOUNTING_CACHESTAT, ACCOUNTING_SEEK};

static void set_up(void)
{
        ck_assert_int_eq(memfile_create(&file, "test", CAPACITY, false), 0);
}

static void tear_down(void)
{
        memfile_close(&file);
}

static void touch(uint64_t page)
{
        ck_assert_int_eq(pwrite(file.client_fd, "x", 1, (off_t)(page * PAGE)), 1);
}

static uint64_t count(enum accounting way, uint64_t start, uint64_t end)
{
        struct account_count found;

        ck_assert_int_eq(
                account_count(way, &file, (struct range){start * PAGE, end * PAGE}, &found), 0);
        return found.committed / PAGE;
}

/* cachestat is missing before Linux 6.5 and where a seccomp filter forbids it: the only excuse. */
static bool works(enum accounting way)
{
        enum accounting chosen;

        return account_choose(way, &chosen) == 0;
}

START_TEST(both_ways_count_the_same)
{
        enum accounting way = ways[_i];

        if (!works(way)) {
                printf("%s does not work on this kernel: not compared\n", account_name(way));
                ck_assert_int_eq(way, ACCOUNTING_CACHESTAT);
                return;
        }
        ck_assert_uint_eq(count(way, 0, CAPACITY / PAGE), 0);
        for (uint64_t page = 100; page < 200; page += 2)
                touch(page);
        for (uint64_t page = 1000; page < 1100; page++)
                touch(page);
        touch(CAPACITY / PAGE - 1);
        ck_assert_uint_eq(count(way, 0, CAPACITY / PAGE), 151);
        ck_assert_uint_eq(count(way, 100, 101), 1);
        ck_assert_uint_eq(count(way, 101, 102), 0);
        ck_assert_uint_eq(count(way, 150, 1050), 75);
        ck_assert_uint_eq(count(way, CAPACITY / PAGE - 1, CAPACITY / PAGE), 1);
}
END_TEST

START_TEST(what_was_chosen_works_here)
{
        enum accounting chosen = ACCOUNTING_BEST;

        ck_assert_int_eq(account_choose(ACCOUNTING_BEST, &chosen), 0);
        ck_assert_int_ne(chosen, ACCOUNTING_BEST);
        touch(3);
        ck_assert_uint_eq(count(chosen, 0, 10), 1);
        ck_assert_int_eq(account_choose(ACCOUNTING_SEEK, &chosen), 0);
        ck_assert_int_eq(chosen, ACCOUNTING_SEEK);
        ck_assert_str_eq(account_name(chosen), "seek");
        ck_assert_str_eq(account_name(ACCOUNTING_CACHESTAT), "cachestat");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("account");
        TCase *core = harness_case(suite, "core", 10);

        tcase_add_checked_fixture(core, set_up, tear_down);
        tcase_add_loop_test(core, both_ways_count_the_same, 0, 2);
        tcase_add_test(core, what_was_chosen_works_here);
        return harness_run(suite);
}
