// SPDX-License-Identifier: Apache-2.0
/* Pools whose journals are damaged, of another version, or could not grow. */
#include "memory/reborn.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "journal/private.h"
#include "support/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

static char said[256];

/* A line may take its time: it is not said under a lock. */
static bool note_event(const struct log_record *record)
{
        lock_assert_none();
        strcat(strcat(said, record->event), " ");
        return true;
}

START_TEST(where_the_journal_cannot_grow_a_copy_makes_it_whole)
{
        struct holder *holder = join(1);
        struct journal *journal = &pool->recorder->journal;
        size_t real = journal->area_size;
        struct pool *again;

        log_set_sink(note_event);
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
        ck_assert_str_eq(said, "JOURNAL_DAMAGED JOURNAL_FULL JOURNAL_WHOLE ");
        log_set_sink(NULL);
        assert_survives();
        holder_free(holder);
        fixture_tear_down();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("resume_damage");
        TCase *damage = harness_case(suite, "damage", 30);

        tcase_add_checked_fixture(damage, reborn_set_up, NULL);
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
