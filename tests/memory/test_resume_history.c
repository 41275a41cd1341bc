// SPDX-License-Identifier: Apache-2.0
/*
 * Pools that go on from their journals: at every step of a random history, and after a crash at
 * every instruction that changes a journal.
 */
#include "memory/reborn.h"

#include "base/crash.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a random history ------------------------------------------------------------------------ */

#define PAGES   300u
#define HOLDERS 4u
#define STEPS   4000u

static struct holder *holders[HOLDERS];
static uint64_t next_session = 1, next_request[HOLDERS];
static uint64_t state = 88172645463325252u;

static uint32_t draw(uint32_t below)
{
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (uint32_t)(state % below);
}

static void step_change(uint32_t i, uint32_t what)
{
        uint32_t start = draw(PAGES), end = start + 1 + draw(20);
        struct range range;
        uint64_t size;
        int r;

        if (what < 40)
                r = pool_allocate(
                        holders[i], (1 + draw(8)) * FIXTURE_PAGE, draw(KIND_COUNT), &range, &size);
        else if (what < 60)
                r = pool_incref(holders[i], pages(start, end));
        else
                r = pool_decref(holders[i], pages(start, end));
        if (r)
                holder_note(holders[i], r);
}

static void step_session(uint32_t i)
{
        holder_free(holders[i]);
        holders[i] = join(next_session++);
        next_request[i] = 1;
}

/* Mostly requests of some operations, some that are never sent again. */
static void step(void)
{
        uint32_t i = draw(HOLDERS), what = draw(140);

        if (draw(50) == 0)
                i = 0; /* alone for a while, perhaps */
        if (what >= 100) {
                if (what < 102)
                        step_session(i);
                else if (what < 106)
                        reclaim_step(pool, clock_now());
                else
                        copy_step(pool, clock_now());
                return;
        }
        if (draw(4) == 0)
                next_request[i]++;
        begin(holders[i], draw(10) ? next_request[i] : 0, draw(256));
        step_change(i, what);
}

START_TEST(at_every_step_the_next_life_is_the_same)
{
        reborn_set_up();
        pool->recorder->piece = 12;
        for (uint32_t i = 0; i < HOLDERS; i++)
                holders[i] = join(next_session++);
        for (unsigned i = 0; i < STEPS / harness_slowness(); i++) {
                pool->recorder->limit = 100;
                if (i % 1000 == 999)
                        for (uint32_t all = 0; all < HOLDERS; all++)
                                step_session(all);
                step();
                assert_survives();
        }
        for (uint32_t i = 0; i < HOLDERS; i++)
                holder_free(holders[i]);
        reclaim_all();
        assert_survives();
        fixture_tear_down();
}
END_TEST

/* ---- crashes --------------------------------------------------------------------------------- */

/* What a child does until it dies. Each step leaves what it came to where the parent sees it. */
static void live(uint32_t *steps)
{
        struct holder *first = join(1), *second;

        second = join(2);
        pool->recorder->piece = 1;
        for (uint32_t i = 0; i < 6; i++) {
                begin(first, i + 1, 0);
                take(first, 4, KIND_TMPFS);
                *steps += 1;
                begin(second, i + 1, 0);
                pool_incref(second, pages(UINT64_C(4) * i + 1, UINT64_C(4) * i + 3));
                *steps += 1;
                pool->recorder->copy.wanted = i == 2 || i == 4;
                while (is_more(copy_step(pool, clock_now())) && i != 2) {
                }
                begin(first, i + 1, 1);
                pool_decref(first, pages(UINT64_C(4) * i, UINT64_C(4) * i + 2));
                *steps += 1;
                reclaim_step(pool, clock_now());
        }
        holder_free(first);
        *steps += 1;
}

START_TEST(whoever_dies_at_any_step_leaves_all_that_was_told)
{
        uint32_t *steps =
                mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        long n = 1;
        int status = 0;

        for (;; n += harness_slowness()) {
                struct pool_result result;
                struct holder *first;
                struct pool *again;
                pid_t child;

                *steps = 0;
                reborn_set_up();
                child = fork();
                ck_assert_int_ge(child, 0);
                if (child == 0) {
                        crash_arm(n);
                        live(steps);
                        _exit(0);
                }
                ck_assert_int_eq(waitpid(child, &status, 0), child);
                again = reborn(pool);
                ck_assert(!pool_is_damaged(again));
                pool_validate(again);
                first = pool_claim_holder(again, 1);
                /* What was through is there; of what was under way, all or nothing. */
                for (uint32_t i = 0; i < 6 && first && 3 * i + 1 <= *steps && *steps < 18; i++)
                        ck_assert(i >= 5 || holder_last_request(first) >= i + 1);
                if (first && *steps % 3 == 1 && *steps < 18) {
                        ck_assert(holder_recall(first, *steps / 3 + 1, 0, &result));
                        ck_assert_uint_eq(result.range.end - result.range.start, 4 * FIXTURE_PAGE);
                }
                reborn_free(again);
                fixture_tear_down();
                if (!WIFSIGNALED(status))
                        break;
                ck_assert_int_eq(WTERMSIG(status), SIGKILL);
        }
        ck_assert_int_eq(status, 0);
        ck_assert_int_gt(n, 200);
        munmap(steps, 4096);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("resume_history");
        TCase *history = harness_case(suite, "history", 120);

        tcase_add_test(history, at_every_step_the_next_life_is_the_same);
        tcase_add_test(history, whoever_dies_at_any_step_leaves_all_that_was_told);
        return harness_run(suite);
}
