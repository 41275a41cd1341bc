// SPDX-License-Identifier: Apache-2.0
/*
 * Pools that go on from their journals: at every step of a random history, after a crash at every
 * instruction that changes one, and with journals that are damaged.
 */
#include "memory/reborn.h"

#include "base/cleanup.h"
#include "base/crash.h"
#include "journal/private.h"
#include "support/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void set_up(void)
{
        fixture_set_up();
        ck_assert_int_eq(pool_keep_journal(pool), 0);
}

static struct holder *join(uint64_t session)
{
        struct holder *holder;

        ck_assert_int_eq(holder_new_for(pool, session, &holder), 0);
        return holder;
}

static void assert_survives(void)
{
        struct pool *again = reborn(pool);

        assert_same(pool, again);
        reborn_free(again);
}

/* ---- one thing at a time --------------------------------------------------------------------- */

START_TEST(what_sessions_hold_survives)
{
        struct holder *first = join(1), *second = join(2);
        struct range range = take(first, 10, KIND_TMPFS);
        struct pool *again;

        take(second, 3, KIND_ANONYMOUS);
        ck_assert_int_eq(pool_incref(second, pages(2, 5)), 0);
        ck_assert_int_eq(pool_decref(first, pages(8, 10)), 0);
        again = reborn(pool);
        assert_same(pool, again);
        first->results.claimed = false;
        ck_assert_ptr_nonnull(pool_claim_holder(again, 1));
        ck_assert_ptr_null(pool_claim_holder(again, 1));
        ck_assert_ptr_null(pool_claim_holder(again, 3));
        reborn_free(again);
        (void)range;
        holder_free(first);
        holder_free(second);
        reclaim_all();
        assert_survives();
        fixture_tear_down();
}
END_TEST

START_TEST(what_nobody_claims_is_released_and_given_back)
{
        struct holder *holder = join(1);
        struct range range = take(holder, 100, KIND_TMPFS);
        struct pool *again;

        client_touch(range, 1);
        again = reborn(pool);
        pool_release_unclaimed(again);
        while (is_more(reclaim_step(again, 0))) {
        }
        ck_assert_uint_eq(stored(), 0);
        ck_assert_uint_eq(again->tree.totals.entries, 0);
        reborn_free(again);
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

START_TEST(the_first_scan_makes_what_is_committed_exact)
{
        struct holder *holder = join(1);
        struct pool_usage usage;
        struct pool *again;

        client_touch(take(holder, 100, KIND_TMPFS), 2);
        again = reborn(pool);
        pool_usage(again, &usage);
        ck_assert(!usage.exact);
        ck_assert_int_eq(scan_run(again), 0);
        pool_usage(again, &usage);
        ck_assert(usage.exact);
        ck_assert_uint_eq(usage.committed[KIND_TMPFS], 50 * FIXTURE_PAGE);
        reborn_free(again);
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

static void begin(struct holder *holder, uint64_t request, uint32_t operation)
{
        ck_assert_int_eq(holder_begin(holder, request, operation), 0);
}

START_TEST(results_of_the_last_request_survive)
{
        struct holder *holder = join(5), *next;
        struct pool_result result;
        struct range range;
        struct pool *again;

        begin(holder, 7, 0);
        take(holder, 1, KIND_TMPFS);
        begin(holder, 8, 0);
        take(holder, 2, KIND_TMPFS);
        begin(holder, 8, 2);
        ck_assert_int_eq(pool_decref(holder, pages(50, 51)), OUTCOME_NOT_ALLOCATED);
        holder_note(holder, OUTCOME_NOT_ALLOCATED);
        begin(holder, 8, 3);
        range = take(holder, 3, KIND_ANONYMOUS);
        begin(holder, 8, 255);
        ck_assert_int_eq(pool_decref(holder, range), 0);
        again = reborn(pool);
        assert_same(pool, again);
        next = pool_claim_holder(again, 5);
        ck_assert_uint_eq(holder_last_request(next), 8);
        ck_assert(!holder_recall(next, 7, 0, &result));
        ck_assert(!holder_recall(next, 8, 1, &result));
        ck_assert(!holder_recall(next, 0, 0, &result));
        ck_assert(holder_recall(next, 8, 2, &result));
        ck_assert_int_eq(result.result, OUTCOME_NOT_ALLOCATED);
        ck_assert(holder_recall(next, 8, 3, &result));
        ck_assert_int_eq(result.result, 0);
        ck_assert_uint_eq(result.range.start, range.start);
        ck_assert_uint_eq(result.range.end, range.end);
        ck_assert(holder_recall(next, 8, 255, &result));
        ck_assert(!result.part);
        reborn_free(again);
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

START_TEST(a_decref_in_parts_goes_on_where_it_was)
{
        struct holder *holder = join(1), *next;
        struct range range = take(holder, 40000, KIND_TMPFS);
        uint64_t from = range.start;
        struct pool_result result;
        struct pool *again;

        for (uint64_t page = 0; page < 40000; page += 2)
                ck_assert_int_eq(pool_incref(holder, pages(page, page + 1)), 0);
        begin(holder, 1, 4);
        ck_assert_int_eq(pool_decref_part(holder, range, &from), 0);
        ck_assert_uint_lt(from, range.end);
        again = reborn(pool);
        assert_same(pool, again);
        next = pool_claim_holder(again, 1);
        ck_assert(holder_recall(next, 1, 4, &result));
        ck_assert(result.part);
        ck_assert_uint_eq(result.range.end, from);
        from = result.range.end;
        begin(next, 1, 4);
        while (from < range.end)
                ck_assert_int_eq(pool_decref_part(next, range, &from), 0);
        ck_assert(holder_recall(next, 1, 4, &result));
        ck_assert(!result.part);
        reborn_free(again);
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

static int done_result;

static void note_done(struct pool_job *job, int result)
{
        (void)job;
        done_result = result;
}

START_TEST(an_allocation_that_is_being_prepared_is_not_there_yet)
{
        struct holder *holder = join(1), *next;
        struct pool_job job = {.done = note_done};
        struct pool_result result;
        struct pool *again;

        done_result = 12345;
        begin(holder, 3, 1);
        pool_prepare(&job, holder, 100 * FIXTURE_PAGE, KIND_TMPFS, true);
        while (done_result == 12345) {
                assert_survives();
                reclaim_step(pool, clock_now());
        }
        ck_assert_int_eq(done_result, 0);
        again = reborn(pool);
        assert_same(pool, again);
        next = pool_claim_holder(again, 1);
        ck_assert(holder_recall(next, 3, 1, &result));
        ck_assert_uint_eq(result.range.start, job.range.start);
        ck_assert_uint_eq(result.range.end, job.range.end);
        reborn_free(again);
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

START_TEST(an_allocation_that_is_given_up_is_freed)
{
        struct holder *holder = join(1);
        struct pool_job job = {.done = note_done};

        done_result = 12345;
        pool_prepare(&job, holder, 100 * FIXTURE_PAGE, KIND_TMPFS, true);
        reclaim_step(pool, clock_now());
        pool_cancel(&job);
        while (done_result == 12345) {
                reclaim_step(pool, clock_now());
                assert_survives();
        }
        ck_assert_int_eq(done_result, -ECANCELED);
        reclaim_all();
        assert_survives();
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

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
        set_up();
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
                set_up();
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

/* ---- damage ---------------------------------------------------------------------------------- */

static struct record *record_at(uint32_t index)
{
        const struct journal *journal = &pool->recorder->journal;

        return (struct record *)(void *)journal->areas[journal->active].records + index;
}

/* Three lives: damaged once, it stays so. */
static void assert_damaged(struct pool *again)
{
        struct pool *third;
        struct range range;
        uint64_t size;
        struct holder *holder;

        ck_assert(pool_is_damaged(again));
        ck_assert_int_eq(holder_new_for(again, 99, &holder), 0);
        ck_assert_int_eq(
                pool_allocate(holder, FIXTURE_PAGE, 0, &range, &size), OUTCOME_POOL_DAMAGED);
        third = reborn(again);
        ck_assert(pool_is_damaged(third));
        reborn_free(third);
        holder_free(holder);
}

START_TEST(a_damaged_journal_gives_nothing_and_punches_nothing)
{
        struct holder *holder = join(1);
        struct pool *again;

        for (int i = 0; i < 10; i++)
                client_touch(take(holder, 2, KIND_TMPFS), 1);
        ck_assert_int_eq(pool_decref(holder, pages(0, 4)), 0);
        record_at(5)->start ^= 1;
        again = reborn(pool);
        assert_damaged(again);
        pool_release_unclaimed(again);
        while (is_more(reclaim_step(again, 0))) {
        }
        ck_assert_uint_eq(stored(), 20 * FIXTURE_PAGE);
        reborn_free(again);
        record_at(5)->start ^= 1;
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

START_TEST(a_journal_that_is_none_keeps_the_memory)
{
        struct holder *holder = join(1);
        struct pool *again;
        int fd;

        client_touch(take(holder, 2, KIND_TMPFS), 1);
        fd = copy_memfd(pool_journal_fd(pool));
        ck_assert_int_eq(pwrite(fd, "garbage!", 8, 0), 8);
        again = reborn_from(pool, fd);
        ck_assert(pool_is_damaged(again));
        ck_assert_ptr_null(pool_claim_holder(again, 1));
        assert_damaged(again);
        ck_assert_uint_eq(stored(), 2 * FIXTURE_PAGE);
        reborn_free(again);
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

/* A record that is whole and cannot be true. */
static void assert_contradicts(struct record record)
{
        struct journal copy;
        const struct journal_format format = {.version = RECORD_VERSION,
                .record_size = sizeof(struct record),
                .area_size = pool->recorder->journal.area_size};
        int fd = copy_memfd(pool_journal_fd(pool));
        struct pool *again;

        ck_assert_int_eq(journal_open(&copy, &format, fcntl(fd, F_DUPFD_CLOEXEC, 0)), 0);
        journal_continue(&copy, journal_count(&pool->recorder->journal));
        ck_assert_int_eq(journal_append(&copy, &record), 0);
        journal_close(&copy);
        again = reborn_from(pool, fd);
        ck_assert(pool_is_damaged(again));
        reborn_free(again);
}

START_TEST(what_contradicts_is_damage)
{
        struct holder *holder = join(1);
        const uint32_t all = FIXTURE_CAPACITY / FIXTURE_PAGE;

        take(holder, 10, KIND_TMPFS);
        ck_assert_int_eq(pool_decref(holder, pages(5, 6)), 0);
        assert_survives();
        assert_contradicts((struct record){.type = 0});
        assert_contradicts((struct record){.type = 200});
        assert_contradicts((struct record){.type = RECORD_KEEP, .start = 9, .end = 12});
        assert_contradicts((struct record){.type = RECORD_KEEP, .start = 12, .end = 12});
        assert_contradicts((struct record){.type = RECORD_KEEP, .start = 13, .end = 12});
        assert_contradicts((struct record){.type = RECORD_KEEP, .start = 12, .end = all + 1});
        assert_contradicts((struct record){.type = RECORD_KEEP, .start = 12, .end = 13, .kind = 6});
        assert_contradicts((struct record){.type = RECORD_GIVE, .start = 9, .end = 11});
        assert_contradicts((struct record){.type = RECORD_GIVE, .start = 8, .end = 9});
        assert_contradicts((struct record){.type = RECORD_JOIN, .slot = 0});
        assert_contradicts((struct record){.type = RECORD_JOIN, .slot = UINT32_MAX});
        assert_contradicts((struct record){.type = RECORD_LEAVE, .slot = 0});
        assert_contradicts((struct record){.type = RECORD_LEAVE, .slot = 1});
        assert_contradicts((struct record){.type = RECORD_LEAVE, .slot = UINT32_MAX});
        assert_contradicts(
                (struct record){.type = RECORD_HOLD, .start = 5, .end = 6, .kind = 3, .value = 0});
        assert_contradicts((struct record){
                .type = RECORD_HOLD, .start = 5, .end = 6, .kind = 3, .value = UINT32_MAX});
        assert_contradicts(
                (struct record){.type = RECORD_HOLD, .start = 5, .end = 7, .kind = 3, .value = 1});
        assert_contradicts((struct record){
                .type = RECORD_HOLD, .start = 20, .end = 21, .kind = 3, .value = 1});
        assert_contradicts((struct record){.type = RECORD_ALLOCATE, .start = 5, .end = 6});
        assert_contradicts((struct record){.type = RECORD_ALLOCATE, .start = 9, .end = 12});
        assert_contradicts((struct record){.type = RECORD_INCREF, .start = 9, .end = 11});
        assert_contradicts(
                (struct record){.type = RECORD_DECREF, .start = 4, .end = 6, .value = 1});
        assert_contradicts(
                (struct record){.type = RECORD_DECREF, .start = 4, .end = 5, .value = 2});
        assert_contradicts(
                (struct record){.type = RECORD_DECREF, .start = 4, .end = 5, .value = 0});
        assert_contradicts(
                (struct record){.type = RECORD_RESULT, .request = 1, .value = OUTCOME_COUNT});
        assert_contradicts((struct record){.type = RECORD_RESULT, .slot = 3, .request = 1});
        assert_contradicts((struct record){.type = RECORD_SIZE, .value = all + 1});
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

START_TEST(a_newer_journal_is_refused_and_left_alone)
{
        const struct pool_options options = {.name = "test", .capacity = FIXTURE_CAPACITY};
        struct holder *holder = join(1);
        int journal_fd, fd = fcntl(pool->file.fd, F_DUPFD_CLOEXEC, 0);
        struct journal *journal = &pool->recorder->journal;
        struct pool *again;

        take(holder, 2, KIND_TMPFS);
        journal->areas[journal->active].header->version = RECORD_VERSION + 1;
        journal_fd = copy_memfd(pool_journal_fd(pool));
        ck_assert_int_eq(pool_resume(memory, &options, fd, journal_fd, &again), -EPROTONOSUPPORT);
        journal->areas[journal->active].header->version = RECORD_VERSION;
        fd_close(journal_fd);
        fd_close(fd);
        assert_survives();
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

START_TEST(another_file_is_refused)
{
        struct pool_options options = {.name = "test", .capacity = FIXTURE_CAPACITY};
        int fd = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int journal_fd = copy_memfd(pool_journal_fd(pool));
        struct pool *again;

        ck_assert_int_eq(ftruncate(fd, FIXTURE_CAPACITY), 0);
        ck_assert_int_eq(pool_resume(memory, &options, fd, journal_fd, &again), -EBADMSG);
        fd_close(fd);
        options.capacity = 2 * FIXTURE_CAPACITY;
        fd = fcntl(pool->file.fd, F_DUPFD_CLOEXEC, 0);
        ck_assert_int_eq(pool_resume(memory, &options, fd, journal_fd, &again), -EBADMSG);
        fd_close(fd);
        fd_close(journal_fd);
        fixture_tear_down();
}
END_TEST

START_TEST(an_older_journal_is_read_and_written_anew)
{
        struct holder *holder = join(1);
        struct journal *journal = &pool->recorder->journal;
        struct pool *again, *third;

        take(holder, 2, KIND_TMPFS);
        ck_assert_int_eq(pool_decref(holder, pages(1, 2)), 0);
        journal->areas[journal->active].header->version = RECORD_VERSION - 1;
        again = reborn(pool);
        assert_same(pool, again);
        ck_assert(journal_is_current(&again->recorder->journal));
        third = reborn(again);
        assert_same(pool, third);
        reborn_free(third);
        reborn_free(again);
        journal->areas[journal->active].header->version = RECORD_VERSION;
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

START_TEST(without_memory_it_is_refused_and_nothing_leaks)
{
        const struct pool_options options = {.name = "test", .capacity = FIXTURE_CAPACITY};
        struct holder *first = join(1), *second = join(2);
        int fd = fcntl(pool->file.fd, F_DUPFD_CLOEXEC, 0);
        int journal_fd = copy_memfd(pool_journal_fd(pool)), r;
        struct pool *again;
        long n = 0;

        begin(first, 1, 1);
        take(first, 4, KIND_TMPFS);
        ck_assert_int_eq(pool_incref(second, pages(1, 2)), 0);
        fd_close(journal_fd);
        journal_fd = copy_memfd(pool_journal_fd(pool));
        do {
                fault_alloc_at(n++);
                r = pool_resume(memory, &options, fd, journal_fd, &again);
                ck_assert(r == 0 || r == -ENOMEM);
        } while (r);
        fault_alloc_at(-1);
        ck_assert_int_gt(n, 4);
        assert_same(pool, again);
        reborn_free(again);
        holder_free(first);
        holder_free(second);
        fixture_tear_down();
}
END_TEST

START_TEST(where_the_journal_cannot_grow_a_copy_makes_it_whole)
{
        struct holder *holder = join(1);
        struct journal *journal = &pool->recorder->journal;
        size_t real = journal->area_size;
        struct pool *again;

        journal->area_size = JOURNAL_STEP; /* as if there were no memory for more */
        for (unsigned i = 0; i < 3000; i++) {
                take(holder, 1, KIND_TMPFS);
                ck_assert_int_eq(pool_decref(holder, pages(0, 1)), 0);
                ck_assert_int_eq(reclaim_finish(pool, &(struct range){0, FIXTURE_PAGE}, 1), 0);
        }
        ck_assert(pool->recorder->failed);
        journal->area_size = real;
        again = reborn(pool);
        ck_assert(pool_is_damaged(again));
        reborn_free(again);
        take(holder, 7, KIND_TMPFS);
        reclaim_all();
        ck_assert(!pool->recorder->failed);
        assert_survives();
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("resume");
        TCase *single = harness_case(suite, "single", 30);
        TCase *history = harness_case(suite, "history", 120);
        TCase *damage = harness_case(suite, "damage", 30);

        tcase_add_checked_fixture(single, set_up, NULL);
        tcase_add_test(single, what_sessions_hold_survives);
        tcase_add_test(single, what_nobody_claims_is_released_and_given_back);
        tcase_add_test(single, the_first_scan_makes_what_is_committed_exact);
        tcase_add_test(single, results_of_the_last_request_survive);
        tcase_add_test(single, a_decref_in_parts_goes_on_where_it_was);
        tcase_add_test(single, an_allocation_that_is_being_prepared_is_not_there_yet);
        tcase_add_test(single, an_allocation_that_is_given_up_is_freed);
        tcase_add_test(history, at_every_step_the_next_life_is_the_same);
        tcase_add_test(history, whoever_dies_at_any_step_leaves_all_that_was_told);
        tcase_add_checked_fixture(damage, set_up, NULL);
        tcase_add_test(damage, a_damaged_journal_gives_nothing_and_punches_nothing);
        tcase_add_test(damage, a_journal_that_is_none_keeps_the_memory);
        tcase_add_test(damage, what_contradicts_is_damage);
        tcase_add_test(damage, a_newer_journal_is_refused_and_left_alone);
        tcase_add_test(damage, another_file_is_refused);
        tcase_add_test(damage, an_older_journal_is_read_and_written_anew);
        tcase_add_test(damage, without_memory_it_is_refused_and_nothing_leaks);
        tcase_add_test(damage, where_the_journal_cannot_grow_a_copy_makes_it_whole);
        return harness_run(suite);
}
