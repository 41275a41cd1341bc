// SPDX-License-Identifier: Apache-2.0
/*
 * A million holdings of a thousand sessions: how long a pool takes to go on from its journal, and
 * that it is the same pool then. It measures.
 */
#include "memory/reborn.h"

#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define SESSIONS 1000u
#define HOLDINGS 1000u

/* Of the processor, which is all that it takes. A debug build is several times slower than the
 * second that is promised, and a loaded machine slower again; what is quadratic takes hours. */
#define PATIENCE_MS (UINT64_C(20000) * harness_slowness())

static uint64_t processor_time(void)
{
        struct timespec time;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        return (uint64_t)time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec;
}

static struct holder *holders[SESSIONS];

static void measure(const char *what)
{
        uint64_t begun, took;
        struct pool *again;
        int journal_fd = copy_memfd(pool_journal_fd(pool));

        begun = processor_time();
        again = reborn_from(pool, journal_fd);
        for (uint32_t i = 0; i < SESSIONS; i++)
                ck_assert_ptr_nonnull(pool_claim_holder(again, i + 1));
        pool_release_unclaimed(again);
        took = (processor_time() - begun) / NSEC_PER_MSEC;
        printf("%s: %llu holdings of %u sessions go on in %llu ms of the processor\n", what,
                (unsigned long long)again->tree.totals.entries, SESSIONS, (unsigned long long)took);
        ck_assert_uint_lt(took, PATIENCE_MS);
        assert_same(pool, again);
        reborn_free(again);
}

START_TEST(a_million_holdings_go_on)
{
        const struct memory_options memory_options = {.accounting = ACCOUNTING_BEST};
        const struct pool_options options = {.name = "test", .capacity = UINT64_C(16) << 30};
        uint32_t count = HOLDINGS / harness_slowness(), failed = 0;
        struct range range;
        uint64_t size;

        ck_assert_int_eq(memory_new(&memory_options, &memory), 0);
        ck_assert_int_eq(pool_new(memory, &options, &pool), 0);
        ck_assert_int_eq(pool_keep_journal(pool), 0);
        for (uint32_t i = 0; i < SESSIONS; i++)
                ck_assert_int_eq(holder_new_for(pool, i + 1, &holders[i]), 0);
        for (uint32_t k = 0; k < count; k++)
                for (uint32_t i = 0; i < SESSIONS; i++)
                        failed += pool_allocate(holders[i], (1 + (k + i) % 3) * FIXTURE_PAGE,
                                          (k + i) % KIND_COUNT, &range, &size) != 0;
        ck_assert_uint_eq(failed, 0);
        measure("from all that happened");
        while (pool->recorder->copy.wanted)
                copy_step(pool, clock_now());
        measure("from a copy");
        pool_stop_journal(pool);
        for (uint32_t i = 0; i < SESSIONS; i++)
                holder_free(holders[i]);
        memory_stop(memory);
        pool = pool_free(pool);
        memory = memory_free(memory);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("resume_large");
        TCase *large = harness_case(suite, "large", 300);

        tcase_add_test(large, a_million_holdings_go_on);
        return harness_run(suite);
}
