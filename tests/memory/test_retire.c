// SPDX-License-Identifier: Apache-2.0
/* Pools that end while others go on. */
#include "memory/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pool *second;
static struct holder *holder;

static void set_up(void)
{
        struct pool_options options = {.name = "second", .capacity = FIXTURE_CAPACITY};

        fixture_set_up();
        ck_assert_int_eq(pool_new(memory, &options, &second), 0);
        ck_assert_int_eq(holder_new(second, &holder), 0);
}

/* A copy of the second pool's memfd, as a client has it that went away. */
static int keep_file(void)
{
        int fd = fcntl(pool_fd(second), F_DUPFD_CLOEXEC, 0);

        ck_assert_int_ge(fd, 0);
        return fd;
}

static uint64_t stored_in(int fd)
{
        struct stat info;

        ck_assert_int_eq(fstat(fd, &info), 0);
        return (uint64_t)info.st_blocks * 512;
}

/* Writes to every second page of a range, so that there is much to be found. */
static void fill(int fd, struct range range)
{
        for (uint64_t at = range.start; at < range.end; at += 2 * FIXTURE_PAGE)
                ck_assert_int_eq(pwrite(fd, "x", 1, (off_t)at), 1);
}

START_TEST(retired_pool_is_freed_by_the_reclaim_thread)
{
        struct range range;
        int fd;

        set_up();
        ck_assert_int_eq(memory_start(memory), 0);
        range = take(holder, 8192, 1);
        fd = keep_file();
        fill(fd, range);
        ck_assert_uint_eq(stored_in(fd), 4096 * FIXTURE_PAGE);
        holder_free(holder);
        pool_retire(second);
        /* Who still has the file sees it empty. */
        for (int i = 0; i < 2000 && stored_in(fd); i++)
                usleep(5000);
        ck_assert_uint_eq(stored_in(fd), 0);
        close(fd);
        fixture_tear_down();
}
END_TEST

START_TEST(retired_pools_do_not_disturb_another)
{
        struct holder *other;
        struct range range;

        set_up();
        ck_assert_int_eq(memory_start(memory), 0);
        holder_free(holder);
        pool_retire(second);
        ck_assert_int_eq(holder_new(pool, &other), 0);
        for (int i = 0; i < 50; i++) {
                struct pool_options options = {.name = "more", .capacity = FIXTURE_CAPACITY};

                ck_assert_int_eq(pool_new(memory, &options, &second), 0);
                ck_assert_int_eq(holder_new(second, &holder), 0);
                fill(pool_fd(second), take(holder, 64, 1));
                /* Its orphan may be released or not when it is retired. */
                holder_free(holder);
                pool_retire(second);
                range = take(other, 16, 1);
                client_touch(range, 1);
                ck_assert_int_eq(pool_decref(other, range), 0);
        }
        wait_until_stored(0);
        holder_free(other);
        fixture_tear_down();
}
END_TEST

/* Large holdings are released piece by piece: what is left of them goes with the pool. */
START_TEST(retired_pool_takes_its_orphans_along)
{
        struct holder *other;

        set_up();
        ck_assert_int_eq(holder_new(second, &other), 0);
        for (int i = 0; i < 2000; i++) {
                struct range range = take(holder, 1, 1);

                if (i % 2)
                        ck_assert_int_eq(pool_incref(other, range), 0);
        }
        ck_assert_int_eq(memory_start(memory), 0);
        holder_free(other);
        holder_free(holder);
        pool_retire(second);
        fixture_tear_down();
}
END_TEST

START_TEST(stop_frees_what_is_retired)
{
        set_up();
        fill(pool_fd(second), take(holder, 8192, 1));
        ck_assert_int_eq(memory_start(memory), 0);
        holder_free(holder);
        pool_retire(second);
        memory_stop(memory); /* whatever the thread has come to; the harness counts descriptors */
        fixture_tear_down();
}
END_TEST

START_TEST(without_threads_it_is_freed_at_once)
{
        set_up();
        take(holder, 4, 1);
        holder_free(holder);
        pool_retire(second);
        fixture_tear_down();
}
END_TEST

START_TEST(read_only_file_cannot_be_written)
{
        char path[64];
        int fd;

        fixture_set_up();
        fd = pool_read_only_fd(pool);
        ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
        ck_assert_ptr_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
        ck_assert_int_eq(errno, EACCES);
        ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
        ck_assert_int_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        ck_assert_int_eq(access(path, F_OK), 0);
        fixture_tear_down();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("retire");
        TCase *tests = harness_case(suite, "retire", 30);

        tcase_add_test(tests, retired_pool_is_freed_by_the_reclaim_thread);
        tcase_add_test(tests, retired_pools_do_not_disturb_another);
        tcase_add_test(tests, retired_pool_takes_its_orphans_along);
        tcase_add_test(tests, stop_frees_what_is_retired);
        tcase_add_test(tests, without_threads_it_is_freed_at_once);
        tcase_add_test(tests, read_only_file_cannot_be_written);
        return harness_run(suite);
}
