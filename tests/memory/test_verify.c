// SPDX-License-Identifier: Apache-2.0
/*
 * Zero pages, where somebody writes through a mapping of what he has given up: what is seen in a
 * pool that does not look (zero = off), in one that does (zero = verify), and what neither can
 * help.
 */
#include "memory/fixture.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB  (UINT64_C(1) << 20)
#define NONE 12345

static struct holder *holder;
static unsigned punches;
static bool punching_fails;

/* ---- the client: a process that writes to the first pages of the pool, without end -------------
 */

static pid_t client;

static _Noreturn void client_run(unsigned count)
{
        volatile unsigned char *pages_ = mmap(
                NULL, count * FIXTURE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, pool_fd(pool), 0);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (pages_ == MAP_FAILED)
                _exit(EXIT_FAILURE);
        for (;;)
                for (unsigned i = 0; i < count; i++)
                        pages_[i * FIXTURE_PAGE] = 0x5a;
}

static void client_begin(unsigned count)
{
        client = fork();
        ck_assert_int_ge(client, 0);
        if (client == 0)
                client_run(count);
}

static void client_signal(int number)
{
        ck_assert_int_eq(kill(client, number), 0);
}

/* From here on it writes nothing. */
static void client_pause(void)
{
        int status;

        client_signal(SIGSTOP);
        ck_assert_int_eq(waitpid(client, &status, WUNTRACED), client);
        ck_assert(WIFSTOPPED(status));
}

static void client_end(void)
{
        client_signal(SIGKILL);
        ck_assert_int_eq(waitpid(client, NULL, 0), client);
        client = 0;
}

static unsigned char byte_at(uint64_t offset)
{
        unsigned char byte;

        ck_assert_int_eq(pread(pool_fd(pool), &byte, 1, (off_t)offset), 1);
        return byte;
}

static void await_byte(uint64_t offset)
{
        uint64_t deadline = clock_now() + 20 * NSEC_PER_SEC;
        struct timespec moment = {.tv_nsec = 100000};

        while (byte_at(offset) != 0x5a) {
                ck_assert_uint_lt(clock_now(), deadline);
                nanosleep(&moment, NULL);
        }
}

/* ---- the pool ----------------------------------------------------------------------------------
 */

static int count_or_fail(int fd, int mode, off_t offset, off_t length)
{
        punches++;
        if (punching_fails) {
                errno = EPERM;
                return -1;
        }
        return fallocate(fd, mode, offset, length);
}

/* What the kernel does to the pages is the last that happens before the client is stopped. */
static int pause_and_punch(int fd, int mode, off_t offset, off_t length)
{
        if (client)
                client_pause();
        return count_or_fail(fd, mode, offset, length);
}

static void set_up(void)
{
        fixture_set_up();
        pool->file.fallocate = count_or_fail;
        ck_assert_int_eq(holder_new(pool, &holder), 0);
        punches = 0;
        punching_fails = false;
        client = 0;
}

static void tear_down(void)
{
        if (client)
                client_end();
        holder = holder_free(holder);
        fixture_tear_down();
}

struct answer {
        struct pool_job job;
        int result;
};

static void note(struct pool_job *job, int result)
{
        ((struct answer *)job)->result = result;
}

static int prepare(struct answer *answer, uint64_t length, bool commit)
{
        *answer = (struct answer){.job.done = note, .result = NONE};
        pool_prepare(&answer->job, holder, length, KIND_ANONYMOUS, commit);
        while (answer->result == NONE)
                reclaim_step(pool, clock_now());
        return answer->result;
}

static struct range verified(uint64_t length)
{
        struct answer answer;

        pool->zero_verify = true;
        ck_assert_int_eq(prepare(&answer, length, false), 0);
        ck_assert_uint_eq(answer.job.range.end - answer.job.range.start, length);
        return answer.job.range;
}

/* Somebody had the first pages, gave them up, and they were given back; but he goes on writing. */
static void begin_stale_writer(void)
{
        struct range range = take(holder, 4, KIND_TMPFS);

        client_begin(4);
        await_byte(0);
        ck_assert_int_eq(pool_decref(holder, range), 0);
        reclaim_all();
        await_byte(3 * FIXTURE_PAGE);
}

/* ---- scenarios ---------------------------------------------------------------------------------
 */

START_TEST(off_a_stale_byte_is_seen)
{
        begin_stale_writer();
        ck_assert_uint_eq(take(holder, 4, KIND_ANONYMOUS).start, 0);
        await_byte(0);
        client_pause();
        ck_assert(!client_reads_zero(pages(0, 4)));
}
END_TEST

START_TEST(verify_the_range_is_zero_when_it_is_looked_at)
{
        begin_stale_writer();
        pool->file.fallocate = pause_and_punch;
        ck_assert_uint_eq(verified(4 * FIXTURE_PAGE).start, 0);
        ck_assert(client_reads_zero(pages(0, 4)));
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

/* The kernel has no way to take a page out of a mapping for good: that is what pools are for. */
START_TEST(verify_does_not_help_against_who_goes_on_writing)
{
        begin_stale_writer();
        pool->file.fallocate = pause_and_punch;
        ck_assert_uint_eq(verified(4 * FIXTURE_PAGE).start, 0);
        client_signal(SIGCONT);
        await_byte(0);
}
END_TEST

START_TEST(verify_ends_whatever_is_written_meanwhile)
{
        begin_stale_writer();
        for (int i = 0; i < 200; i++) {
                struct range range = verified(4 * FIXTURE_PAGE);

                ck_assert_uint_eq(range.start, 0);
                ck_assert_int_eq(pool_decref(holder, range), 0);
                reclaim_all();
        }
}
END_TEST

START_TEST(what_is_not_stored_is_not_punched)
{
        struct range range = verified(256 * MIB);

        ck_assert_uint_eq(punches, 0);
        ck_assert_uint_eq(range.start, 0);
}
END_TEST

START_TEST(stale_pages_here_and_there_are_punched_in_few_pieces)
{
        struct range stray = {.start = 300 * MIB - FIXTURE_PAGE, .end = 300 * MIB};

        client_touch((struct range){MIB, 9 * MIB}, 2);
        client_touch(stray, 1);
        client_touch((struct range){300 * MIB, 301 * MIB}, 1);
        ck_assert_uint_eq(verified(300 * MIB).end, 300 * MIB);
        ck_assert_uint_eq(punches, 2);
        ck_assert_uint_eq(stored(), MIB); /* what is beyond is none of it */
        ck_assert(client_reads_zero((struct range){0, 10 * MIB}));
        ck_assert(client_reads_zero(stray));
}
END_TEST

START_TEST(where_punching_fails_it_is_zeroed_by_hand)
{
        struct memory_statistics statistics;

        client_touch(pages(0, 4), 1);
        punching_fails = true;
        ck_assert_uint_eq(verified(4 * FIXTURE_PAGE).start, 0);
        ck_assert(client_reads_zero(pages(0, 4)));
        memory_statistics(memory, &statistics);
        ck_assert_uint_eq(statistics.punch_failures, 1);
        ck_assert_uint_eq(usage_after_scan().committed[KIND_ANONYMOUS], 4 * FIXTURE_PAGE);
}
END_TEST

START_TEST(what_cannot_be_made_zero_is_handed_to_nobody)
{
        struct rlimit before, none = {.rlim_cur = 0};
        struct answer answer;

        client_touch(pages(0, 4), 1);
        punching_fails = true;
        pool->zero_verify = true;
        signal(SIGXFSZ, SIG_IGN);
        ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
        none.rlim_max = before.rlim_max;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
        ck_assert_int_eq(prepare(&answer, 4 * FIXTURE_PAGE, false), -EFBIG);
        reclaim_all();
        ck_assert_uint_eq(pool->tree.totals.freed, 4);
        ck_assert_int_eq(prepare(&answer, FIXTURE_PAGE, false), 0);
        ck_assert_uint_eq(answer.job.range.start, 4 * FIXTURE_PAGE);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        punching_fails = false;
        reclaim_all();
        ck_assert_uint_eq(pool->tree.totals.freed, 0);
        ck_assert_uint_eq(verified(FIXTURE_PAGE).start, 0);
        ck_assert(client_reads_zero(pages(0, 4)));
}
END_TEST

START_TEST(what_is_verified_can_be_committed_too)
{
        struct answer answer;

        client_touch(pages(0, 8), 2);
        pool->zero_verify = true;
        ck_assert_int_eq(prepare(&answer, 8 * FIXTURE_PAGE, true), 0);
        ck_assert(client_reads_zero(pages(0, 8)));
        ck_assert_uint_eq(stored(), 8 * FIXTURE_PAGE);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("verify");
        TCase *tests = harness_case(suite, "verify", 60);

        tcase_add_checked_fixture(tests, set_up, tear_down);
        tcase_add_test(tests, off_a_stale_byte_is_seen);
        tcase_add_test(tests, verify_the_range_is_zero_when_it_is_looked_at);
        tcase_add_test(tests, verify_does_not_help_against_who_goes_on_writing);
        tcase_add_test(tests, verify_ends_whatever_is_written_meanwhile);
        tcase_add_test(tests, what_is_not_stored_is_not_punched);
        tcase_add_test(tests, stale_pages_here_and_there_are_punched_in_few_pieces);
        tcase_add_test(tests, where_punching_fails_it_is_zeroed_by_hand);
        tcase_add_test(tests, what_cannot_be_made_zero_is_handed_to_nobody);
        tcase_add_test(tests, what_is_verified_can_be_committed_too);
        return harness_run(suite);
}
