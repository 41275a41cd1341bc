// SPDX-License-Identifier: Apache-2.0
#include "support/harness.h"

#include "memory/memfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE     UINT64_C(4096)
#define CAPACITY (UINT64_C(1) << 40)

static struct memfile file = MEMFILE_NONE;

static void set_up(void)
{
        ck_assert_int_eq(memfile_create(&file, "test", CAPACITY, false), 0);
}

static void tear_down(void)
{
        memfile_close(&file);
}

static uint64_t stored(void)
{
        struct memfile_state state;

        ck_assert_int_eq(memfile_stat(&file, &state), 0);
        return state.stored;
}

START_TEST(a_new_file_has_its_capacity_and_costs_nothing)
{
        struct stat info;

        ck_assert_int_eq(fstat(file.client_fd, &info), 0);
        ck_assert_uint_eq((uint64_t)info.st_size, CAPACITY);
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

START_TEST(nobody_can_resize_it)
{
        ck_assert_int_eq(ftruncate(file.client_fd, 0), -1);
        ck_assert_int_eq(errno, EPERM);
        ck_assert_int_eq(ftruncate(file.client_fd, (off_t)CAPACITY + 4096), -1);
        ck_assert_int_eq(errno, EPERM);
}
END_TEST

START_TEST(nobody_can_seal_it_further)
{
        int seals[] = {F_SEAL_FUTURE_WRITE, F_SEAL_WRITE, F_SEAL_SEAL};

        for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
                ck_assert_int_eq(fcntl(file.client_fd, F_ADD_SEALS, seals[i]), -1);
                ck_assert_int_eq(errno, EPERM);
        }
}
END_TEST

START_TEST(nobody_can_write_beyond_the_capacity)
{
        ck_assert_int_eq(pwrite(file.client_fd, "x", 1, (off_t)CAPACITY), -1);
        ck_assert_int_eq(errno, EPERM);
        ck_assert_int_eq(fallocate(file.client_fd, 0, (off_t)CAPACITY, 4096), -1);
}
END_TEST

START_TEST(it_is_for_its_owner_and_not_executable)
{
        struct stat info;

        ck_assert_int_eq(fstat(file.fd, &info), 0);
        ck_assert_uint_eq(info.st_mode & 07777, 0600);
        ck_assert(fcntl(file.fd, F_GETFD) & FD_CLOEXEC);
        ck_assert(fcntl(file.client_fd, F_GETFD) & FD_CLOEXEC);
        fchmod(file.client_fd, 0700); /* MFD_NOEXEC_SEAL: refused where the kernel has it */
        ck_assert_int_eq(fstat(file.fd, &info), 0);
        ck_assert_uint_eq(info.st_mode & 0111, 0);
}
END_TEST

START_TEST(an_executable_one_can_be_mapped_so)
{
        struct memfile exec = MEMFILE_NONE;
        void *page;

        ck_assert_int_eq(memfile_create(&exec, "exec", 1 << 24, true), 0);
        page = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, exec.client_fd, 0);
        ck_assert_ptr_ne(page, MAP_FAILED);
        munmap(page, PAGE);
        memfile_close(&exec);
}
END_TEST

START_TEST(flags_and_offset_of_clients_are_not_the_daemons)
{
        ck_assert_int_eq(fcntl(file.client_fd, F_SETFL, O_APPEND), 0);
        ck_assert_int_eq(lseek(file.client_fd, 12345, SEEK_SET), 12345);
        ck_assert_int_eq(fcntl(file.fd, F_GETFL) & O_APPEND, 0);
        ck_assert_int_eq(lseek(file.fd, 0, SEEK_CUR), 0);
}
END_TEST

START_TEST(a_punched_range_reads_zero_and_costs_nothing)
{
        char text[6] = "";

        ck_assert_int_eq(pwrite(file.client_fd, "hello", 5, (off_t)PAGE), 5);
        ck_assert_uint_eq(stored(), PAGE);
        ck_assert_int_eq(memfile_punch(&file, (struct range){PAGE, 2 * PAGE}), 0);
        ck_assert_uint_eq(stored(), 0);
        ck_assert_int_eq(pread(file.client_fd, text, 5, (off_t)PAGE), 5);
        ck_assert_int_eq(memcmp(text, "\0\0\0\0\0", 5), 0);
}
END_TEST

/* What the gate of a scan rests on; an empty punch counts as well. */
START_TEST(punching_changes_the_ctime)
{
        struct memfile_state before, again, punched;

        ck_assert_int_eq(pwrite(file.client_fd, "hello", 5, 0), 5);
        ck_assert_int_eq(memfile_stat(&file, &before), 0);
        ck_assert_int_eq(memfile_stat(&file, &again), 0);
        ck_assert_int_eq(again.changed, before.changed);
        usleep(10000); /* before Linux 6.13 ctime moves in steps of a tick */
        ck_assert_int_eq(memfile_punch(&file, (struct range){0, PAGE}), 0);
        ck_assert_int_eq(memfile_stat(&file, &punched), 0);
        ck_assert_int_ne(punched.changed, before.changed);
}
END_TEST

START_TEST(zeroing_by_hand_leaves_holes_alone)
{
        char text[6] = "";

        ck_assert_int_eq(pwrite(file.client_fd, "hello", 5, (off_t)(7 * PAGE)), 5);
        ck_assert_int_eq(memfile_zero(&file, (struct range){0, CAPACITY}), 0);
        ck_assert_uint_eq(stored(), PAGE);
        ck_assert_int_eq(pread(file.client_fd, text, 5, (off_t)(7 * PAGE)), 5);
        ck_assert_int_eq(memcmp(text, "\0\0\0\0\0", 5), 0);
}
END_TEST

static int interrupted;

static int interrupt_twice(int fd, int mode, off_t offset, off_t length)
{
        if (interrupted++ < 2) {
                errno = EINTR;
                return -1;
        }
        return fallocate(fd, mode, offset, length);
}

START_TEST(a_punch_that_is_interrupted_goes_on)
{
        ck_assert_int_eq(pwrite(file.client_fd, "hello", 5, 0), 5);
        file.fallocate = interrupt_twice;
        ck_assert_int_eq(memfile_punch(&file, (struct range){0, PAGE}), 0);
        ck_assert_int_eq(interrupted, 3);
        ck_assert_uint_eq(stored(), 0);
}
END_TEST

START_TEST(data_is_found_where_it_is)
{
        struct range found;

        ck_assert_int_eq(memfile_find_data(&file, (struct range){0, CAPACITY}, &found), -ENXIO);
        ck_assert_int_eq(pwrite(file.client_fd, "x", 1, (off_t)(5 * PAGE)), 1);
        ck_assert_int_eq(memfile_find_data(&file, (struct range){0, CAPACITY}, &found), 0);
        ck_assert_uint_eq(found.start, 5 * PAGE);
        ck_assert_uint_eq(found.end, 6 * PAGE);
        ck_assert_int_eq(memfile_find_data(&file, (struct range){0, 5 * PAGE}, &found), -ENXIO);
        ck_assert_int_eq(
                memfile_find_data(&file, (struct range){6 * PAGE, CAPACITY}, &found), -ENXIO);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("memfile");
        TCase *core = harness_case(suite, "core", 10);

        tcase_add_checked_fixture(core, set_up, tear_down);
        tcase_add_test(core, a_new_file_has_its_capacity_and_costs_nothing);
        tcase_add_test(core, nobody_can_resize_it);
        tcase_add_test(core, nobody_can_seal_it_further);
        tcase_add_test(core, nobody_can_write_beyond_the_capacity);
        tcase_add_test(core, it_is_for_its_owner_and_not_executable);
        tcase_add_test(core, an_executable_one_can_be_mapped_so);
        tcase_add_test(core, flags_and_offset_of_clients_are_not_the_daemons);
        tcase_add_test(core, a_punched_range_reads_zero_and_costs_nothing);
        tcase_add_test(core, punching_changes_the_ctime);
        tcase_add_test(core, zeroing_by_hand_leaves_holes_alone);
        tcase_add_test(core, a_punch_that_is_interrupted_goes_on);
        tcase_add_test(core, data_is_found_where_it_is);
        return harness_run(suite);
}
