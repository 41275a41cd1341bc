// SPDX-License-Identifier: Apache-2.0
/*
 * Accounting and reclaim of memory that is in swap: a swap device of compressed memory (zram) is
 * made for this program alone, and undone whatever happens to it. A client process fills ranges of
 * all kinds and has them paged out.
 */
#include "memory/fixture.h"

#include "base/clock.h"
#include "support/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define SWAP_SIZE "268435456"
#define ZRAM      "/sys/class/zram-control/"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

/* ---- the swap device, in the guardian's process ------------------------------------------------
 */

static char number[16]; /* of the device; empty: there is none */
static char device[64];
static bool made_node, swapping;

static enum change impossible_or_failed(const char *what, int error)
{
        bool forbidden = error == -EPERM || error == -EACCES || error == -EROFS;

        printf("%s: %s\n", what, strerror(-error));
        return forbidden ? CHANGE_IMPOSSIBLE : CHANGE_FAILED;
}

static const char *attribute(const char *name)
{
        static char path[96];

        snprintf(path, sizeof(path), "/sys/block/zram%s/%s", number, name);
        return path;
}

/* The node of the device; one of our own where /dev does not follow the kernel. */
static int find_node(void)
{
        unsigned long major_number, minor_number;
        char text[32], *colon;
        int r = guardian_read(attribute("dev"), text, sizeof(text));

        if (r < 0)
                return r;
        snprintf(device, sizeof(device), "/dev/zram%s", number);
        if (access(device, F_OK) == 0)
                return 0;
        major_number = strtoul(text, &colon, 10);
        minor_number = strtoul(*colon == ':' ? colon + 1 : colon, NULL, 10);
        snprintf(device, sizeof(device), "/tmp/filemem-test-swap.%d", (int)getpid());
        if (mknod(device, S_IFBLK | 0600, makedev((unsigned)major_number, (unsigned)minor_number)) <
                0)
                return -errno;
        made_node = true;
        return 0;
}

/* What mkswap(8) does. */
static int write_header(void)
{
        static unsigned char page[FIXTURE_PAGE];
        static const unsigned char signature[10] = {
                'S', 'W', 'A', 'P', 'S', 'P', 'A', 'C', 'E', '2'};
        uint32_t version = 1, last = (uint32_t)(strtoul(SWAP_SIZE, NULL, 10) / FIXTURE_PAGE - 1);
        int fd = open(device, O_WRONLY | O_CLOEXEC), r = 0;

        if (fd < 0)
                return -errno;
        memcpy(page + 1024, &version, sizeof(version));
        memcpy(page + 1028, &last, sizeof(last));
        memcpy(page + sizeof(page) - sizeof(signature), signature, sizeof(signature));
        if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page) || fsync(fd) < 0)
                r = -errno;
        close(fd);
        return r;
}

static void load_module(void)
{
        pid_t pid = fork();

        if (pid == 0) {
                execlp("modprobe", "modprobe", "-q", "zram", (char *)NULL);
                _exit(EXIT_FAILURE);
        }
        waitpid(pid, NULL, 0);
}

static enum change set_up_swap(void)
{
        int r;

        if (access(ZRAM "hot_add", F_OK) < 0)
                load_module();
        if (access(ZRAM "hot_add", F_OK) < 0) {
                printf("no zram in this kernel\n");
                return CHANGE_IMPOSSIBLE;
        }
        r = guardian_read(ZRAM "hot_add", number, sizeof(number));
        if (r < 0)
                return impossible_or_failed(ZRAM "hot_add", r);
        r = guardian_write(attribute("disksize"), SWAP_SIZE);
        if (r < 0)
                return impossible_or_failed("disksize", r);
        r = find_node();
        if (r < 0)
                return impossible_or_failed("mknod", r);
        r = write_header();
        if (r < 0)
                return impossible_or_failed(device, r);
        if (swapon(device, SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK) < 0)
                return impossible_or_failed("swapon", -errno);
        swapping = true;
        return CHANGE_MADE;
}

static bool undo_swap(void)
{
        bool undone = true;

        if (swapping && swapoff(device) < 0)
                undone = false;
        if (made_node)
                unlink(device);
        if (number[0] && guardian_write(ZRAM "hot_remove", number) < 0)
                undone = false;
        if (!undone)
                printf("the swap device zram%s could not be removed: %s\n", number,
                        strerror(errno));
        return undone;
}

/* ---- clients: processes of their own -----------------------------------------------------------
 */

/* What every test begins with: a range of each kind, of which every stride-th page is filled. */
static struct {
        struct range range;
        unsigned stride;
        uint64_t committed;
} filled[KIND_COUNT];

static struct holder *holder;

static uint64_t word_of(uint64_t page)
{
        return page * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static bool fill(unsigned char *base)
{
        for (unsigned kind = 0; kind < KIND_COUNT; kind++)
                for (uint64_t at = filled[kind].range.start; at < filled[kind].range.end;
                        at += filled[kind].stride * FIXTURE_PAGE)
                        for (uint64_t i = 0; i < FIXTURE_PAGE; i += sizeof(uint64_t))
                                *(uint64_t *)(base + at + i) = word_of(at / FIXTURE_PAGE + i);
        return true;
}

/* Reads no page that was not filled: that would commit it. */
static bool read_back(unsigned char *base)
{
        for (unsigned kind = 0; kind < KIND_COUNT; kind++)
                for (uint64_t at = filled[kind].range.start; at < filled[kind].range.end;
                        at += filled[kind].stride * FIXTURE_PAGE)
                        for (uint64_t i = 0; i < FIXTURE_PAGE; i += sizeof(uint64_t))
                                if (*(uint64_t *)(base + at + i) != word_of(at / FIXTURE_PAGE + i))
                                        return false;
        return true;
}

static bool read_one_kind(unsigned char *base)
{
        volatile unsigned char *bytes = base;
        unsigned char sum = 0;

        for (uint64_t at = filled[KIND_ANONYMOUS].range.start;
                at < filled[KIND_ANONYMOUS].range.end; at += FIXTURE_PAGE)
                sum |= bytes[at];
        return sum != 0;
}

/* mincore(2) calls a page in swap absent: a second opinion, for once what is wanted. */
static uint64_t count_resident(unsigned char *base, size_t size)
{
        static unsigned char present[65536];
        uint64_t count = 0;

        if (size / FIXTURE_PAGE > sizeof(present) || mincore(base, size, present) < 0)
                return UINT64_MAX;
        for (size_t i = 0; i < size / FIXTURE_PAGE; i++)
                count += present[i] & 1;
        return count;
}

/*
 * What this process has touched. Again and again, on one core after the other: MADV_PAGEOUT passes
 * over pages that wait in a core's list of new ones, and moves on those of its own core only.
 */
static bool page_out(unsigned char *base)
{
        size_t size = filled[KIND_COUNT - 1].range.end;
        uint64_t deadline = clock_now() + 10 * NSEC_PER_SEC;
        long cores = sysconf(_SC_NPROCESSORS_CONF);

        for (long turn = 0; count_resident(base, size); turn++) {
                cpu_set_t core;

                CPU_ZERO(&core);
                CPU_SET((size_t)(turn % cores), &core);
                (void)sched_setaffinity(0, sizeof(core), &core); /* it may be offline: the next */
                if (madvise(base, size, MADV_PAGEOUT) < 0 || clock_now() > deadline)
                        return false;
        }
        return true;
}

static bool fill_and_page_out(unsigned char *base)
{
        return fill(base) && page_out(base);
}

static bool read_back_and_page_out(unsigned char *base)
{
        return read_back(base) && page_out(base);
}

/* A process that maps the pool's file, does that, and ends. */
static void client(bool (*work)(unsigned char *base))
{
        size_t size = filled[KIND_COUNT - 1].range.end;
        pid_t pid = fork();
        int status;

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, pool_fd(pool), 0);

                _exit(base != MAP_FAILED && work(base) ? EXIT_SUCCESS : EXIT_FAILURE);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
}

/* ---- scenarios ---------------------------------------------------------------------------------
 */

static void set_up(void)
{
        fixture_set_up();
        ck_assert_int_eq(holder_new(pool, &holder), 0);
        for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
                uint64_t count = 300 + 10 * kind;

                filled[kind].range = take(holder, count, kind);
                filled[kind].stride = 1 + kind % 3;
                filled[kind].committed =
                        (count + filled[kind].stride - 1) / filled[kind].stride * FIXTURE_PAGE;
        }
}

static void tear_down(void)
{
        holder = holder_free(holder);
        fixture_tear_down();
}

static void count_by(enum accounting accounting)
{
        ck_assert_int_eq(account_choose(accounting, &memory->accounting), 0);
}

static const enum accounting ways[] = {ACCOUNTING_CACHESTAT, ACCOUNTING_SEEK};

/* All that was filled and no more; nothing freed or stray. */
static void expect_filled(const struct pool_usage *usage)
{
        uint64_t sum = 0;

        for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
                ck_assert_uint_eq(usage->committed[kind], filled[kind].committed);
                sum += usage->committed[kind];
        }
        ck_assert_uint_eq(usage->reclaimable_committed, 0);
        ck_assert_uint_eq(usage->stray, 0);
        ck_assert_uint_eq(usage->total, sum);
        ck_assert_uint_eq(stored(), sum);
        ck_assert(usage->exact);
}

START_TEST(swapped_pages_are_committed_in_every_kind)
{
        struct pool_usage usage;

        count_by(ways[_i]);
        client(fill_and_page_out);
        usage = usage_after_scan();
        expect_filled(&usage);
        ck_assert_uint_eq(usage.swapped, ways[_i] == ACCOUNTING_CACHESTAT ? usage.total : 0);
}
END_TEST

START_TEST(what_was_counted_before_stays_when_it_is_swapped)
{
        struct pool_usage usage;

        count_by(ways[_i]);
        client(fill);
        usage = usage_after_scan();
        expect_filled(&usage);
        ck_assert_uint_eq(usage.swapped, 0);
        client(read_back_and_page_out);
        usage = usage_after_scan();
        expect_filled(&usage);
}
END_TEST

START_TEST(what_comes_back_is_what_was_written)
{
        struct pool_usage usage;

        count_by(ways[_i]);
        client(fill_and_page_out);
        usage_after_scan();
        client(read_back);
        usage = usage_after_scan();
        expect_filled(&usage);
}
END_TEST

START_TEST(some_in_memory_and_some_in_swap_are_exact)
{
        struct pool_usage usage;

        count_by(ways[_i]);
        filled[KIND_ANONYMOUS].stride = 1;
        filled[KIND_ANONYMOUS].committed =
                filled[KIND_ANONYMOUS].range.end - filled[KIND_ANONYMOUS].range.start;
        client(fill_and_page_out);
        client(read_one_kind);
        usage = usage_after_scan();
        expect_filled(&usage);
        if (ways[_i] == ACCOUNTING_CACHESTAT) {
                ck_assert_uint_gt(usage.swapped, 0);
                ck_assert_uint_le(usage.swapped, usage.total - filled[KIND_ANONYMOUS].committed);
        }
}
END_TEST

START_TEST(decommitted_swap_is_gone)
{
        struct pool_usage usage;

        count_by(ways[_i]);
        client(fill_and_page_out);
        usage_after_scan();
        for (unsigned kind = 0; kind < KIND_COUNT; kind++)
                ck_assert_int_eq(decommit(holder, filled[kind].range, false), 0);
        ck_assert_uint_eq(stored(), 0);
        usage = usage_after_scan();
        for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
                ck_assert_uint_eq(usage.committed[kind], 0);
                ck_assert(client_reads_zero(filled[kind].range));
        }
        ck_assert_uint_eq(usage.swapped, 0);
}
END_TEST

START_TEST(freed_swap_is_given_back)
{
        struct pool_usage usage;

        count_by(ways[_i]);
        client(fill_and_page_out);
        usage_after_scan();
        for (unsigned kind = 0; kind < KIND_COUNT; kind++)
                ck_assert_int_eq(pool_decref(holder, filled[kind].range), 0);
        pool_usage(pool, &usage);
        ck_assert_uint_eq(usage.reclaimable_committed, stored());
        reclaim_all();
        ck_assert_uint_eq(stored(), 0);
        usage = usage_after_scan();
        ck_assert_uint_eq(usage.swapped, 0);
        ck_assert_uint_eq(usage.total, 0);
}
END_TEST

START_TEST(half_a_freed_range_leaves_the_other_half_in_swap)
{
        struct range range = filled[KIND_SYSTEM].range, half = range;
        struct pool_usage usage;

        count_by(ways[_i]);
        client(fill_and_page_out);
        half.end = half.start + (range.end - range.start) / 2;
        ck_assert_int_eq(pool_decref(holder, half), 0);
        reclaim_all();
        usage = usage_after_scan();
        filled[KIND_SYSTEM].committed = range.end - half.end;
        expect_filled(&usage);
        ck_assert_uint_eq(usage.swapped, ways[_i] == ACCOUNTING_CACHESTAT ? usage.total : 0);
}
END_TEST

static int run_tests(void)
{
        enum accounting accounting;
        int first = account_choose(ACCOUNTING_CACHESTAT, &accounting) == -ENOSYS;
        Suite *suite = suite_create("swap");
        TCase *swap = harness_case(suite, "swap", 60);

        tcase_add_checked_fixture(swap, set_up, tear_down);
        tcase_add_loop_test(swap, swapped_pages_are_committed_in_every_kind, first, 2);
        tcase_add_loop_test(swap, what_was_counted_before_stays_when_it_is_swapped, first, 2);
        tcase_add_loop_test(swap, what_comes_back_is_what_was_written, first, 2);
        tcase_add_loop_test(swap, some_in_memory_and_some_in_swap_are_exact, first, 2);
        tcase_add_loop_test(swap, decommitted_swap_is_gone, first, 2);
        tcase_add_loop_test(swap, freed_swap_is_given_back, first, 2);
        tcase_add_loop_test(swap, half_a_freed_range_leaves_the_other_half_in_swap, first, 2);
        if (first)
                printf("no cachestat in this kernel: SEEK_DATA alone is tested\n");
        return harness_run(suite);
}

int main(void)
{
        if (geteuid() != 0) {
                printf("a swap device needs root\n");
                return GUARDIAN_SKIPPED;
        }
        return guardian_run(set_up_swap, undo_swap, run_tests);
}
