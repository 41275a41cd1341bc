// SPDX-License-Identifier: Apache-2.0
/*
 * Random operations of several holders against a naive array, with clients that write, read and
 * punch through the file itself; the pool is validated whole after every step, and after every scan
 * the sum over the kinds, reclaimable and stray is what the kernel stores, and every kind is what
 * the array says.
 */
#include "memory/fixture.h"

#include "base/error.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PAGES   400u
#define HOLDERS 3u
#define STEPS   20000u

struct model_page {
        uint32_t held[HOLDERS];
        uint8_t kind;
        bool allocated;
        bool committed;
};

static struct model_page model[PAGES];
static struct holder *holders[HOLDERS];
static uint64_t state = 88172645463325252u;

static uint32_t draw(uint32_t below)
{
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (uint32_t)(state % below);
}

static struct range draw_range(void)
{
        uint32_t start = draw(PAGES), end = start + 1 + draw(30);

        return pages(start, end < PAGES ? end : PAGES);
}

static uint32_t refs(const struct model_page *page)
{
        return page->held[0] + page->held[1] + page->held[2];
}

static bool all_held(struct range range, uint32_t holder)
{
        for (uint64_t i = range.start / FIXTURE_PAGE; i < range.end / FIXTURE_PAGE; i++)
                if (holder == HOLDERS ? !refs(&model[i]) : !model[i].held[holder])
                        return false;
        return true;
}

/* Freed pages are punched, and stray ones too if a scan has found some. */
static void step_reclaim(void)
{
        bool scrubs = pool->scrub;

        reclaim_all();
        for (uint32_t i = 0; i < PAGES; i++) {
                if (refs(&model[i]))
                        continue;
                if (model[i].allocated || scrubs)
                        model[i].committed = false;
                model[i].allocated = false;
        }
}

static void step_allocate(uint32_t holder)
{
        struct range range;
        uint64_t size;
        uint8_t kind = (uint8_t)draw(KIND_COUNT);

        ck_assert_int_eq(
                pool_allocate(holders[holder], (1 + draw(12)) * FIXTURE_PAGE, kind, &range, &size),
                0);
        if (range.end > PAGES * FIXTURE_PAGE) { /* above what the array models */
                ck_assert_int_eq(pool_decref(holders[holder], range), 0);
                for (uint64_t i = range.start / FIXTURE_PAGE; i < PAGES; i++)
                        model[i].allocated = true;
                step_reclaim();
                return;
        }
        for (uint64_t i = range.start / FIXTURE_PAGE; i < range.end / FIXTURE_PAGE; i++) {
                ck_assert(!model[i].allocated);
                model[i].allocated = true;
                model[i].kind = kind;
                model[i].held[holder] = 1;
        }
}

static void step_refs(uint32_t holder, bool up)
{
        struct range range = draw_range();
        bool fine = all_held(range, up ? HOLDERS : holder);
        int r = up ? pool_incref(holders[holder], range) : pool_decref(holders[holder], range);

        if (!fine) {
                ck_assert_int_gt(r, 0);
                return;
        }
        ck_assert_int_eq(r, 0);
        for (uint64_t i = range.start / FIXTURE_PAGE; i < range.end / FIXTURE_PAGE; i++)
                model[i].held[holder] += up ? 1 : UINT32_MAX;
}

/* A client with a mapping may do that anywhere, allocated or not. */
static void step_file(bool punch)
{
        struct range range = draw_range();

        if (punch)
                ck_assert_int_eq(
                        fallocate(pool_fd(pool), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                (off_t)range.start, (off_t)(range.end - range.start)),
                        0);
        else
                client_touch(range, 1);
        for (uint64_t i = range.start / FIXTURE_PAGE; i < range.end / FIXTURE_PAGE; i++)
                model[i].committed = !punch;
}

static void step_decommit(uint32_t holder)
{
        struct range range = draw_range();
        int r = decommit(holders[holder], range, true);

        ck_assert_int_eq(r == 0, all_held(range, holder));
        if (r)
                return;
        for (uint64_t i = range.start / FIXTURE_PAGE; i < range.end / FIXTURE_PAGE; i++)
                model[i].committed = false;
}

static void step_session(uint32_t holder)
{
        holders[holder] = holder_free(holders[holder]);
        ck_assert_int_eq(holder_new(pool, &holders[holder]), 0);
        for (uint32_t i = 0; i < PAGES; i++)
                model[i].held[holder] = 0;
}

static void step_scan(void)
{
        struct pool_usage usage = usage_after_scan();
        uint64_t committed[KIND_COUNT] = {0}, freed = 0, stray = 0, sum;

        for (uint32_t i = 0; i < PAGES; i++) {
                if (!model[i].committed)
                        continue;
                if (refs(&model[i]))
                        committed[model[i].kind] += FIXTURE_PAGE;
                else if (model[i].allocated)
                        freed += FIXTURE_PAGE;
                else
                        stray += FIXTURE_PAGE;
        }
        sum = freed + stray;
        for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
                ck_assert_uint_eq(usage.committed[kind], committed[kind]);
                sum += committed[kind];
        }
        ck_assert_uint_eq(usage.reclaimable_committed, freed);
        ck_assert_uint_eq(usage.stray, stray);
        ck_assert_uint_eq(sum, stored());
}

/* Now and then all leave, and one alone goes on: what it holds the pool's tree says. */
static uint32_t draw_holder(unsigned i)
{
        if (i % 400 == 0)
                for (uint32_t holder = 0; holder < HOLDERS; holder++)
                        step_session(holder);
        return i % 400 < 100 ? i / 400 % HOLDERS : draw(HOLDERS);
}

static void step(unsigned i)
{
        uint32_t holder = draw_holder(i), what = draw(100);

        if (what < 30)
                step_allocate(holder);
        else if (what < 45)
                step_refs(holder, true);
        else if (what < 70)
                step_refs(holder, false);
        else if (what < 80)
                step_file(false);
        else if (what < 83)
                step_file(true);
        else if (what < 88)
                step_decommit(holder);
        else if (what < 90)
                step_session(holder);
        else if (what < 95)
                step_scan();
        else
                step_reclaim();
        pool_validate(pool);
}

START_TEST(the_pool_is_what_the_array_is)
{
        fixture_set_up();
        for (uint32_t i = 0; i < HOLDERS; i++)
                ck_assert_int_eq(holder_new(pool, &holders[i]), 0);
        for (unsigned i = 0; i < STEPS / harness_slowness(); i++)
                step(i);
        for (uint32_t i = 0; i < HOLDERS; i++)
                holder_free(holders[i]);
        usage_after_scan(); /* finds what is stray */
        reclaim_all();
        ck_assert_uint_eq(stored(), 0);
        ck_assert_uint_eq(pool->tree.totals.entries, 0);
        fixture_tear_down();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("pool_model");
        TCase *model_case = harness_case(suite, "model", 60);

        tcase_add_test(model_case, the_pool_is_what_the_array_is);
        return harness_run(suite);
}
