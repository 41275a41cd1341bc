// SPDX-License-Identifier: Apache-2.0
#include "window.h"

#include "fault_map.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE     UINT64_C(4096)
#define CHUNK    (UINT64_C(1) << 20)
#define CAPACITY (64 * CHUNK)

static struct window window;
static int fd;

static void make_file(uint64_t capacity)
{
        fd = memfd_create("window", MFD_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(ftruncate(fd, (off_t)capacity), 0);
}

static void drop(void)
{
        window_deinit(&window);
        close(fd);
}

static unsigned char *map(uint64_t start, uint64_t end)
{
        unsigned char *address = NULL;

        ck_assert_int_eq(window_map(&window, start, end, &address), 0);
        ck_assert_ptr_nonnull(address);
        return address;
}

/* VMAs of the file, and the bytes in them. */
static unsigned count_areas(uint64_t *ret_bytes)
{
        FILE *maps = fopen("/proc/self/maps", "re");
        unsigned count = 0;
        char line[512];

        ck_assert_ptr_nonnull(maps);
        *ret_bytes = 0;
        while (fgets(line, sizeof(line), maps)) {
                char *dash;

                if (!strstr(line, "memfd:window"))
                        continue;
                *ret_bytes -= strtoumax(line, &dash, 16);
                *ret_bytes += strtoumax(dash + 1, NULL, 16);
                count++;
        }
        fclose(maps);
        return count;
}

START_TEST(a_range_is_at_its_offset_in_the_window)
{
        unsigned char *first, *second;

        make_file(CAPACITY);
        window_init(&window, fd, CAPACITY, CHUNK, PROT_READ | PROT_WRITE);
        second = map(5 * CHUNK + PAGE, 5 * CHUNK + 2 * PAGE);
        first = map(0, PAGE);
        ck_assert_ptr_eq(second, first + 5 * CHUNK + PAGE);
        memcpy(second, "there", 6);
        ck_assert_ptr_eq(map(5 * CHUNK + PAGE, 6 * CHUNK), second);
        drop();
}
END_TEST

START_TEST(there_is_no_window_before_something_is_mapped)
{
        make_file(CAPACITY);
        fault_map_at(0);
        window_init(&window, fd, CAPACITY, CHUNK, PROT_READ | PROT_WRITE);
        ck_assert_ptr_null(window_find(&window, 0, PAGE, PROT_READ));
        ck_assert(!fault_map_happened());
        fault_map_at(-1);
        window_deinit(&window);
        map(0, PAGE);
        ck_assert_ptr_eq(window_find(&window, 0, PAGE, PROT_READ), window.base);
        ck_assert_ptr_null(window_find(&window, 0, PAGE, PROT_READ | PROT_EXEC));
        ck_assert_ptr_null(window_find(&window, 0, PAGE, 0));
        ck_assert_ptr_null(window_find(&window, CHUNK, CHUNK + PAGE, PROT_READ));
        drop();
}
END_TEST

START_TEST(what_is_written_is_in_the_file)
{
        char text[6] = "";

        make_file(CAPACITY);
        window_init(&window, fd, CAPACITY, CHUNK, PROT_READ | PROT_WRITE);
        memcpy(map(CAPACITY - PAGE, CAPACITY), "there", 6);
        ck_assert_int_eq(pread(fd, text, 6, (off_t)(CAPACITY - PAGE)), 6);
        ck_assert_str_eq(text, "there");
        drop();
}
END_TEST

START_TEST(only_chunks_that_are_asked_for_are_mapped)
{
        uint64_t bytes;

        make_file(CAPACITY);
        window_init(&window, fd, CAPACITY, CHUNK, PROT_READ | PROT_WRITE);
        ck_assert_uint_eq(count_areas(&bytes), 0);
        map(3 * CHUNK, 3 * CHUNK + PAGE);
        map(7 * CHUNK, 9 * CHUNK);
        ck_assert_uint_eq(count_areas(&bytes), 2);
        ck_assert_uint_eq(bytes, 3 * CHUNK);
        drop();
}
END_TEST

START_TEST(neighbouring_chunks_become_one_area)
{
        uint64_t bytes;

        make_file(CAPACITY);
        window_init(&window, fd, CAPACITY, CHUNK, PROT_READ | PROT_WRITE);
        for (unsigned i = 0; i < 64; i += 2)
                map(i * CHUNK, i * CHUNK + PAGE);
        ck_assert_uint_eq(count_areas(&bytes), 32);
        for (unsigned i = 1; i < 64; i += 2)
                map(i * CHUNK, i * CHUNK + PAGE);
        ck_assert_uint_eq(count_areas(&bytes), 1);
        ck_assert_uint_eq(bytes, CAPACITY);
        drop();
        make_file(CAPACITY);
        ck_assert_uint_eq(count_areas(&bytes), 0);
        close(fd);
}
END_TEST

START_TEST(nothing_is_mapped_beyond_the_capacity)
{
        uint64_t capacity = 2 * CHUNK + 3 * PAGE, bytes;

        make_file(capacity);
        window_init(&window, fd, capacity, CHUNK, PROT_READ | PROT_WRITE);
        map(2 * CHUNK, capacity);
        ck_assert_uint_eq(count_areas(&bytes), 1);
        ck_assert_uint_eq(bytes, 3 * PAGE);
        ck_assert_uint_eq(window_count_blocks(&window, 0, capacity), 1);
        drop();
}
END_TEST

START_TEST(without_address_space_each_chunk_is_somewhere)
{
        uint64_t capacity = 64 * (UINT64_C(1) << 30), bytes = 0;
        struct rlimit limit;
        char line[128];
        FILE *statm;

        /* What is mapped now and 1 GiB: the window of 64 GiB does not fit, chunks do. */
        statm = fopen("/proc/self/statm", "re");
        ck_assert_ptr_nonnull(statm);
        ck_assert_ptr_nonnull(fgets(line, sizeof(line), statm));
        fclose(statm);
        make_file(capacity);
        ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
        limit.rlim_cur = strtoumax(line, NULL, 10) * PAGE + (UINT64_C(1) << 30);
        ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);

        window_init(&window, fd, capacity, 16 * CHUNK, PROT_READ | PROT_WRITE);
        ck_assert_int_eq(window_make(&window), 0);
        ck_assert_ptr_null(window.base);
        ck_assert_uint_eq(window_count_blocks(&window, PAGE, 2 * PAGE), 1);
        ck_assert_uint_eq(window_count_blocks(&window, 0, 16 * CHUNK), 1);
        ck_assert_uint_eq(window_count_blocks(&window, 16 * CHUNK - PAGE, 48 * CHUNK + PAGE), 4);
        memcpy(map(17 * CHUNK, 18 * CHUNK), "there", 6);
        ck_assert_str_eq((char *)map(17 * CHUNK, 18 * CHUNK), "there");
        ck_assert_ptr_eq(map(16 * CHUNK, 17 * CHUNK) + CHUNK, map(17 * CHUNK, 18 * CHUNK));
        map(capacity - PAGE, capacity);
        ck_assert_uint_ge(count_areas(&bytes), 1);
        ck_assert_uint_eq(bytes, 32 * CHUNK);
        window_deinit(&window);
        ck_assert_uint_eq(count_areas(&bytes), 0);
        close(fd);
}
END_TEST

START_TEST(every_mmap_that_fails_is_told_and_can_be_tried_again)
{
        unsigned char *address = NULL;

        make_file(CAPACITY);
        window_init(&window, fd, CAPACITY, CHUNK, PROT_READ | PROT_WRITE);
        /* The array of chunks: no window at all. */
        fault_map_at(0);
        ck_assert_int_eq(window_map(&window, 0, PAGE, &address), -ENOMEM);
        fault_map_at(0);
        ck_assert_int_eq(window_make(&window), -ENOMEM);
        ck_assert_ptr_null(window_find(&window, 0, PAGE, PROT_READ));
        ck_assert_ptr_null(address);
        /* The reservation: the other way. */
        fault_map_at(1);
        ck_assert_int_eq(window_make(&window), 0);
        ck_assert(fault_map_happened());
        ck_assert_ptr_null(window.base);
        fault_map_at(0);
        ck_assert_int_eq(window_map(&window, 0, PAGE, &address), -ENOMEM);
        ck_assert_ptr_null(address);
        map(0, PAGE);
        window_deinit(&window);
        /* A chunk: the second of three. The window stays whole. */
        window_init(&window, fd, CAPACITY, CHUNK, PROT_READ | PROT_WRITE);
        ck_assert_int_eq(window_make(&window), 0);
        fault_map_at(1);
        ck_assert_int_eq(window_map(&window, 0, 3 * CHUNK, &address), -ENOMEM);
        ck_assert(fault_map_happened());
        ck_assert_ptr_null(address);
        ck_assert_ptr_eq(map(0, 3 * CHUNK), window.base);
        drop();
}
END_TEST

START_TEST(a_hole_that_a_failed_mmap_left_is_closed_or_given_up)
{
        unsigned char *address = NULL, *other;

        make_file(CAPACITY);
        window_init(&window, fd, CAPACITY, CHUNK, PROT_READ | PROT_WRITE);
        ck_assert_int_eq(window_make(&window), 0);
        /* As kernels before 6.12 do it: what was there is gone when mmap() fails. */
        ck_assert_int_eq(munmap(window.base + CHUNK, CHUNK), 0);
        fault_map_at(0);
        ck_assert_int_eq(window_map(&window, CHUNK, 2 * CHUNK, &address), -ENOMEM);
        ck_assert(fault_map_is_mapped(window.base + CHUNK));
        ck_assert_ptr_eq(map(CHUNK, 2 * CHUNK), window.base + CHUNK);

        /* The hole cannot be closed either: whatever comes to be there is never mapped over. */
        ck_assert_int_eq(munmap(window.base + 5 * CHUNK, CHUNK), 0);
        fault_map_many(0, 2);
        ck_assert_int_eq(window_map(&window, 5 * CHUNK, 6 * CHUNK, &address), -ENOMEM);
        ck_assert(!fault_map_is_mapped(window.base + 5 * CHUNK));
        other = mmap(window.base + 5 * CHUNK, CHUNK, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        ck_assert_ptr_eq(other, window.base + 5 * CHUNK);
        memcpy(other, "mine", 5);
        ck_assert_int_eq(window_map(&window, 5 * CHUNK, 6 * CHUNK, &address), -ENOMEM);
        ck_assert_int_eq(window_map(&window, 0, CAPACITY, &address), -ENOMEM);
        ck_assert_str_eq((char *)other, "mine");
        map(6 * CHUNK, 7 * CHUNK);
        drop();
}
END_TEST

static atomic_int started;

static void *map_all(void *argument)
{
        unsigned char **first = argument;

        atomic_fetch_add(&started, 1);
        while (atomic_load(&started) < 8)
                ;
        for (unsigned i = 0; i < 64; i++)
                if (window_map(&window, i * CHUNK, (i + 1) * CHUNK, &first[i]) < 0)
                        first[i] = NULL;
        return NULL;
}

START_TEST(threads_that_come_together_see_one_mapping)
{
        static unsigned char *places[8][64];
        pthread_t threads[8];
        uint64_t bytes;

        make_file(CAPACITY);
        window_init(&window, fd, CAPACITY, CHUNK, PROT_READ | PROT_WRITE);
        for (unsigned i = 0; i < 8; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, map_all, places[i]), 0);
        for (unsigned i = 0; i < 8; i++)
                pthread_join(threads[i], NULL);
        for (unsigned i = 0; i < 8; i++)
                for (unsigned j = 0; j < 64; j++)
                        ck_assert_ptr_eq(places[i][j], window.base + j * CHUNK);
        ck_assert_uint_eq(count_areas(&bytes), 1);
        drop();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("window");
        TCase *tests = harness_case(suite, "window", 20);

        tcase_add_test(tests, a_range_is_at_its_offset_in_the_window);
        tcase_add_test(tests, there_is_no_window_before_something_is_mapped);
        tcase_add_test(tests, what_is_written_is_in_the_file);
        tcase_add_test(tests, only_chunks_that_are_asked_for_are_mapped);
        tcase_add_test(tests, neighbouring_chunks_become_one_area);
        tcase_add_test(tests, nothing_is_mapped_beyond_the_capacity);
        tcase_add_test(tests, without_address_space_each_chunk_is_somewhere);
        tcase_add_test(tests, every_mmap_that_fails_is_told_and_can_be_tried_again);
        tcase_add_test(tests, a_hole_that_a_failed_mmap_left_is_closed_or_given_up);
        tcase_add_test(tests, threads_that_come_together_see_one_mapping);
        return harness_run(suite);
}
