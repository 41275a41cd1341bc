// SPDX-License-Identifier: Apache-2.0
/* Allocations that are committed before they are handed out, step by step. */
#include "memory/fixture.h"

#include "base/error.h"
#include "memory/budget.h"
#include "support/fault.h"

#include <errno.h>
#include <fcntl.h>

#define MIB  (UINT64_C(1) << 20)
#define NONE 12345

static struct holder *holder, *other;

/* ---- what the kernel and the budget say --------------------------------------------------------
 */

static unsigned commits;   /* pieces that were asked for */
static unsigned fail_from; /* the first of them that fails; 0: none */
static int fail_with;
static uint64_t budget; /* bytes that the file may have stored in all */

static int count_or_fail(int fd, int mode, off_t offset, off_t length)
{
        if (!(mode & FALLOC_FL_PUNCH_HOLE) && ++commits >= fail_from && fail_from) {
                errno = fail_with;
                return -1;
        }
        return fallocate(fd, mode, offset, length);
}

static int available(uint64_t *ret)
{
        uint64_t used = stored();

        *ret = budget > used ? budget - used : 0;
        return 0;
}

static int unknown(uint64_t *ret)
{
        (void)ret;
        return -EACCES;
}

static void set_up(void)
{
        fixture_set_up();
        pool->file.fallocate = count_or_fail;
        memory->available = available;
        budget = UINT64_MAX;
        commits = fail_from = 0;
        ck_assert_int_eq(holder_new(pool, &holder), 0);
        ck_assert_int_eq(holder_new(pool, &other), 0);
}

static void tear_down(void)
{
        ck_assert_uint_eq(memory->committing, 0);
        other = holder_free(other);
        holder = holder_free(holder);
        fixture_tear_down();
}

/* ---- jobs --------------------------------------------------------------------------------------
 */

struct answer {
        struct pool_job job;
        int result;
};

static void note(struct pool_job *job, int result)
{
        struct answer *answer = (struct answer *)job;

        assert(answer->result == NONE); /* libcheck's would allocate */
        answer->result = result;
}

static void begin(struct answer *answer, uint64_t length)
{
        *answer = (struct answer){.job.done = note, .result = NONE};
        pool_prepare(&answer->job, holder, length, KIND_TMPFS, true);
}

static bool step(void)
{
        return reclaim_step(pool, clock_now()) == RECLAIM_MORE;
}

static int finish(struct answer *answer)
{
        while (answer->result == NONE)
                step();
        return answer->result;
}

static int commit(struct answer *answer, uint64_t length)
{
        begin(answer, length);
        return finish(answer);
}

/* Nothing is allocated, stored or promised. */
static void expect_nothing(void)
{
        struct holder_information information;

        reclaim_all();
        holder_information(holder, &information);
        ck_assert_uint_eq(information.held, 0);
        ck_assert_uint_eq(pool->tree.totals.entries, 0);
        ck_assert_uint_eq(stored(), 0);
        ck_assert_uint_eq(memory->committing, 0);
        pool_validate(pool);
}

static void expect_counted(uint64_t committed)
{
        struct pool_usage usage;

        pool_usage(pool, &usage);
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], committed);
        ck_assert(usage.exact);
}

/* ---- scenarios ---------------------------------------------------------------------------------
 */

START_TEST(all_pages_are_stored_and_counted_without_a_scan)
{
        struct answer answer;

        ck_assert_int_eq(commit(&answer, 100 * MIB), 0);
        ck_assert_uint_eq(answer.job.range.start, 0);
        ck_assert_uint_eq(answer.job.range.end, 100 * MIB);
        ck_assert_uint_eq(answer.job.size, 128 * MIB);
        ck_assert_uint_eq(commits, 4);
        ck_assert_uint_eq(stored(), 100 * MIB);
        expect_counted(100 * MIB);
        ck_assert(client_reads_zero(answer.job.range));
        ck_assert_int_eq(pool_decref(holder, answer.job.range), 0);
        expect_nothing();
}
END_TEST

START_TEST(both_ways_of_counting_see_all_pages)
{
        struct answer answer;

        memory->accounting = _i ? ACCOUNTING_SEEK : memory->accounting;
        ck_assert_int_eq(commit(&answer, 3 * MIB), 0);
        ck_assert_uint_eq(usage_after_scan().committed[KIND_TMPFS], 3 * MIB);
        ck_assert_int_eq(pool_decref(holder, answer.job.range), 0);
        expect_nothing();
}
END_TEST

START_TEST(what_is_known_of_the_neighbours_stays_exact)
{
        struct range before = take(holder, 100, KIND_TMPFS);
        struct answer answer;

        client_touch(pages(before.start, before.start + 41), 1);
        usage_after_scan();
        ck_assert_int_eq(commit(&answer, 50 * FIXTURE_PAGE), 0);
        ck_assert_uint_eq(answer.job.range.start, before.end);
        ck_assert_uint_eq(pool->tree.totals.entries, 1);
        expect_counted(91 * FIXTURE_PAGE);
        ck_assert_uint_eq(usage_after_scan().committed[KIND_TMPFS], 91 * FIXTURE_PAGE);
}
END_TEST

static void client_punch(struct range range)
{
        ck_assert_int_eq(fallocate(pool_fd(pool), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                 (off_t)range.start, (off_t)(range.end - range.start)),
                0);
}

START_TEST(after_a_scan_in_the_middle_another_is_needed)
{
        struct range other_range = take(other, 2, KIND_MAPPED);
        struct pool_usage usage;
        struct answer answer;

        begin(&answer, 64 * MIB);
        step();
        step();
        ck_assert_uint_eq(usage_after_scan().committed[KIND_TMPFS], 32 * MIB);
        /* The scan has seen the ctime of this, and would believe that nothing has changed since. */
        client_punch(pages(512, 514));
        ck_assert_uint_eq(usage_after_scan().committed[KIND_TMPFS], 32 * MIB - 2 * FIXTURE_PAGE);
        client_touch(other_range, 1);
        ck_assert_int_eq(finish(&answer), 0);
        pool_usage(pool, &usage);
        ck_assert(!usage.exact);
        usage = usage_after_scan();
        ck_assert(usage.exact);
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], 64 * MIB - 2 * FIXTURE_PAGE);
        ck_assert_uint_eq(usage.committed[KIND_MAPPED], 2 * FIXTURE_PAGE);
}
END_TEST

START_TEST(meanwhile_nobody_else_gets_the_range)
{
        struct pool_entry entry;
        struct answer answer;
        uint64_t next;

        begin(&answer, 64 * MIB);
        step();
        step();
        ck_assert_int_eq(pool_incref(other, pages(0, 1)), OUTCOME_REFS_OVERFLOW);
        ck_assert_int_eq(pool_decref(other, pages(0, 1)), OUTCOME_NOT_HELD);
        ck_assert_int_eq(decommit(other, pages(0, 1), true), OUTCOME_NOT_HELD);
        ck_assert_uint_eq(take(other, 1, KIND_TMPFS).start, 64 * MIB);
        ck_assert_uint_eq(pool_dump(pool, 0, &entry, 1, &next), 1);
        ck_assert_uint_eq(entry.refs, UINT32_MAX);
        pool_validate(pool);
        ck_assert_int_eq(finish(&answer), 0);
        ck_assert_int_eq(pool_incref(other, pages(0, 1)), 0);
}
END_TEST

START_TEST(other_work_is_done_between_the_pieces)
{
        struct range range = take(holder, 16, KIND_ANONYMOUS),
                     freed = take(holder, 16, KIND_MAPPED);
        struct answer large, small;

        client_touch(range, 1);
        client_touch(freed, 1);
        begin(&large, 512 * MIB);
        step();
        begin(&small, FIXTURE_PAGE);
        ck_assert_int_eq(pool_decref(holder, freed), 0);
        ck_assert_int_eq(decommit(holder, range, false), 0);
        ck_assert_int_eq(large.result, NONE);
        while (small.result == NONE)
                ck_assert(step());
        ck_assert_int_eq(small.result, 0);
        ck_assert_uint_eq(pool->tree.totals.freed, 0);
        ck_assert_int_eq(large.result, NONE);
        ck_assert_uint_le(commits, 4);
        ck_assert_int_eq(finish(&large), 0);
}
END_TEST

static const int refusals[] = {ENOMEM, ENOSPC};

START_TEST(lack_of_memory_is_a_refusal_that_leaves_nothing)
{
        struct answer answer;

        fail_from = (unsigned)_i / 2 + 1;
        fail_with = refusals[_i % 2];
        ck_assert_int_eq(commit(&answer, 100 * MIB), OUTCOME_NO_MEMORY);
        ck_assert_uint_eq(stored(), 0); /* by the time of the answer */
        expect_nothing();
        fail_from = 0;
        ck_assert_int_eq(commit(&answer, 100 * MIB), 0);
}
END_TEST

START_TEST(an_error_of_the_kernel_is_told_and_leaves_nothing)
{
        struct answer answer;

        fail_from = 2;
        fail_with = EPERM;
        ck_assert_int_eq(commit(&answer, 100 * MIB), -EPERM);
        expect_nothing();
}
END_TEST

START_TEST(what_is_over_the_budget_is_refused_before_anything_is_done)
{
        struct answer answer;

        budget = 100 * MIB - 1;
        ck_assert_int_eq(commit(&answer, 100 * MIB), OUTCOME_OVER_BUDGET);
        ck_assert_uint_eq(commits, 0);
        expect_nothing();
        budget = 100 * MIB;
        ck_assert_int_eq(commit(&answer, 100 * MIB), 0);
}
END_TEST

START_TEST(a_budget_that_is_not_known_is_an_error)
{
        struct answer answer;

        memory->available = unknown;
        ck_assert_int_eq(commit(&answer, FIXTURE_PAGE), -EACCES);
        expect_nothing();
}
END_TEST

START_TEST(memory_is_not_promised_twice)
{
        struct answer first, second;

        budget = 100 * MIB;
        begin(&first, 64 * MIB);
        begin(&second, 64 * MIB);
        ck_assert_int_eq(finish(&first), 0);
        ck_assert_int_eq(finish(&second), OUTCOME_OVER_BUDGET);
        ck_assert_uint_eq(stored(), 64 * MIB);
}
END_TEST

START_TEST(one_whose_memory_others_take_meanwhile_is_undone)
{
        struct answer answer;

        begin(&answer, 96 * MIB);
        step();
        step();
        ck_assert_uint_eq(stored(), 32 * MIB);
        budget = 95 * MIB;
        ck_assert_int_eq(finish(&answer), OUTCOME_OVER_BUDGET);
        ck_assert_uint_eq(commits, 1);
        expect_nothing();
}
END_TEST

START_TEST(one_that_is_cancelled_ends_at_the_next_piece)
{
        struct answer answer;

        begin(&answer, 512 * MIB);
        for (int i = 0; i < _i; i++)
                step();
        pool_cancel(&answer.job);
        ck_assert_int_eq(finish(&answer), -ECANCELED);
        ck_assert_uint_le(commits, (unsigned)_i);
        expect_nothing();
}
END_TEST

START_TEST(what_makes_no_sense_is_refused_like_any_allocation)
{
        struct answer answer = {.job.done = note, .result = NONE};

        ck_assert_int_eq(commit(&answer, 0), OUTCOME_LENGTH_ZERO);
        ck_assert_int_eq(commit(&answer, 1), OUTCOME_LENGTH_UNALIGNED);
        ck_assert_int_eq(commit(&answer, UINT64_MAX & ~(FIXTURE_PAGE - 1)), OUTCOME_POOL_FULL);
        ck_assert_int_eq(commit(&answer, FIXTURE_CAPACITY + FIXTURE_PAGE), OUTCOME_POOL_FULL);
        answer.result = NONE;
        pool_prepare(&answer.job, holder, FIXTURE_PAGE, KIND_COUNT, true);
        ck_assert_int_eq(finish(&answer), OUTCOME_KIND_UNKNOWN);
        expect_nothing();
}
END_TEST

START_TEST(one_that_asks_for_nothing_more_gets_its_range)
{
        struct answer answer = {.job.done = note, .result = NONE};

        pool_prepare(&answer.job, holder, 3 * FIXTURE_PAGE, KIND_TMPFS, false);
        ck_assert_int_eq(finish(&answer), 0);
        ck_assert_uint_eq(answer.job.range.end, 3 * FIXTURE_PAGE);
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

START_TEST(a_stop_in_the_middle_leaves_the_range_to_its_holder)
{
        struct answer answer;

        begin(&answer, 64 * MIB);
        step();
        step();
        ck_assert_uint_eq(stored(), 32 * MIB);
        memory_stop(memory);
        ck_assert_int_eq(answer.result, -ECANCELED);
        memory->committing = 0; /* nobody counts any more */
        holder = holder_free(holder);
        pool_validate(pool);
        reclaim_all();
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

START_TEST(without_memory_for_nodes_all_or_nothing_is_done)
{
        bool happened = true;

        for (long n = 0; happened; n++) {
                struct answer answer;
                int r;

                memory->available = budget_available; /* libcheck allocates as well */
                begin(&answer, 40 * MIB);
                fault_alloc_at(n);
                r = finish(&answer);
                happened = fault_alloc_happened();
                fault_alloc_at(-1);
                ck_assert(r == 0 || (happened && r == -ENOMEM));
                ck_assert_uint_eq(memory->committing, 0);
                pool_validate(pool);
                if (r == 0)
                        ck_assert_int_eq(pool_decref(holder, answer.job.range), 0);
                expect_nothing();
                /* The next round begins with no nodes that are left over. */
                ck_assert_int_eq(commit(&answer, FIXTURE_PAGE), 0);
                ck_assert_int_eq(pool_decref(holder, answer.job.range), 0);
                expect_nothing();
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("prepare");
        TCase *tests = harness_case(suite, "commit", 60);

        tcase_add_checked_fixture(tests, set_up, tear_down);
        tcase_add_test(tests, all_pages_are_stored_and_counted_without_a_scan);
        tcase_add_loop_test(tests, both_ways_of_counting_see_all_pages, 0, 2);
        tcase_add_test(tests, what_is_known_of_the_neighbours_stays_exact);
        tcase_add_test(tests, after_a_scan_in_the_middle_another_is_needed);
        tcase_add_test(tests, meanwhile_nobody_else_gets_the_range);
        tcase_add_test(tests, other_work_is_done_between_the_pieces);
        tcase_add_loop_test(tests, lack_of_memory_is_a_refusal_that_leaves_nothing, 0, 8);
        tcase_add_test(tests, an_error_of_the_kernel_is_told_and_leaves_nothing);
        tcase_add_test(tests, what_is_over_the_budget_is_refused_before_anything_is_done);
        tcase_add_test(tests, a_budget_that_is_not_known_is_an_error);
        tcase_add_test(tests, memory_is_not_promised_twice);
        tcase_add_test(tests, one_whose_memory_others_take_meanwhile_is_undone);
        tcase_add_loop_test(tests, one_that_is_cancelled_ends_at_the_next_piece, 0, 5);
        tcase_add_test(tests, what_makes_no_sense_is_refused_like_any_allocation);
        tcase_add_test(tests, one_that_asks_for_nothing_more_gets_its_range);
        tcase_add_test(tests, a_stop_in_the_middle_leaves_the_range_to_its_holder);
        tcase_add_test(tests, without_memory_for_nodes_all_or_nothing_is_done);
        return harness_run(suite);
}
