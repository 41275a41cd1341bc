// SPDX-License-Identifier: Apache-2.0
#include "test_hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/*
 * What a client does to the memory itself, of which the daemon hears nothing. Whoever has the file
 * can write to all of it: that is what a pool means. But nobody can change the file.
 */
#define CAPACITY  (UINT64_C(64) << 20)
#define EXEC_SEAL 0x0020 /* F_SEAL_EXEC, Linux 6.3 */

/* ---- the file ---------------------------------------------------------------------------------
 */

/* Tries all that would change the file for others. Returns how much of it worked. */
static int change_the_file(int fd)
{
        static const int seals[] = {F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE,
                F_SEAL_FUTURE_WRITE, EXEC_SEAL};
        int done = 0;

        done += ftruncate(fd, 0) == 0;
        done += ftruncate(fd, (off_t)CAPACITY - 4096) == 0;
        done += ftruncate(fd, (off_t)CAPACITY + 4096) == 0;
        done += fallocate(fd, 0, 0, (off_t)CAPACITY + 4096) == 0;
        done += fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096) == 0;
        done += fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, 4096) == 0;
        done += pwrite(fd, "x", 1, (off_t)CAPACITY) == 1;
        done += lseek(fd, 0, SEEK_END) != (off_t)CAPACITY;
        for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++)
                done += fcntl(fd, F_ADD_SEALS, seals[i]) == 0;
        return done;
}

/* The same for what only the owner of the file may. */
static int take_the_file(int fd)
{
        char path[64];
        int done = 0;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        done += fchmod(fd, 0777) == 0;
        done += chmod(path, 0777) == 0;
        done += fchown(fd, getuid(), getgid()) == 0;
        done += fsetxattr(fd, "user.filemem", "x", 1, 0) == 0;
        done += fsetxattr(fd, "trusted.filemem", "x", 1, 0) == 0;
        done += open(path, O_RDWR | O_CLOEXEC) >= 0;
        done += open(path, O_RDONLY | O_CLOEXEC) >= 0;
        done += open(path, O_RDWR | O_TRUNC | O_CLOEXEC) >= 0;
        return done;
}

/* In a process that is a client. Returns what it returned, at most 100. */
static int as_client(const struct hostile *hostile, bool other, int (*act)(int fd))
{
        pid_t pid = fork();
        int status;

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                struct raw raw;

                if (other)
                        hostile_become_other();
                _exit(hostile_open(hostile, &raw) ? act(raw.memfd) : 101);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void check_file(const struct hostile *hostile)
{
        struct stat info;

        ck_assert_int_eq(fstat(hostile->honest.raw.memfd, &info), 0);
        ck_assert_int_eq(info.st_size, (off_t)CAPACITY);
        ck_assert_uint_eq(info.st_mode & 07777, 0600);
}

/* Not even the user that the daemon runs as. */
START_TEST(nobody_resizes_or_seals_the_file)
{
        struct hostile hostile;

        hostile_start(&hostile);
        ck_assert_int_eq(as_client(&hostile, false, change_the_file), 0);
        ck_assert_int_eq(as_client(&hostile, true, change_the_file), 0);
        check_file(&hostile);
        honest_check_memory(&hostile.honest, "changed file");
        hostile_stop(&hostile);
}
END_TEST

/* Only root can be two users. Where all are one, and so own the file, that is what is left to see.
 */
START_TEST(another_user_cannot_open_the_file_again_or_change_its_mode)
{
        struct hostile hostile;
        int done;

        hostile_start(&hostile);
        done = as_client(&hostile, true, take_the_file);
        if (geteuid() == 0) {
                ck_assert_int_eq(done, 0);
                check_file(&hostile);
        }
        /* Its owner can: so the daemon has a user of its own. */
        ck_assert_int_gt(as_client(&hostile, false, take_the_file), 0);
        hostile_stop(&hostile);
}
END_TEST

static int run_the_file(int fd)
{
        char *const nothing[] = {NULL};

        if (pwrite(fd, "#!/bin/true\n", 12, (off_t)CAPACITY - 4096) != 12)
                return 100;
        fexecve(fd, nothing, nothing);
        return errno == EACCES ? 0 : 1;
}

START_TEST(the_file_cannot_be_executed)
{
        struct hostile hostile;

        hostile_start(&hostile);
        ck_assert_int_eq(as_client(&hostile, true, run_the_file), 0);
        ck_assert_int_eq(as_client(&hostile, false, run_the_file), 0);
        hostile_stop(&hostile);
}
END_TEST

/* ---- beside an honest client ------------------------------------------------------------------
 */

/* What lies behind the range that the honest client keeps. */
static off_t behind(const struct hostile *hostile)
{
        return (off_t)hostile->honest.start + 64 * (off_t)HOSTILE_PAGE;
}

static void change_the_file_all_day(const struct hostile *hostile)
{
        struct raw raw;

        if (!hostile_open(hostile, &raw))
                return;
        for (int i = 0; i < 1000; i++)
                change_the_file(raw.memfd);
        raw_close(&raw);
}

/* Locks and flags are of the open file description, which the daemon has one of its own of. */
static void lock_the_file(const struct hostile *hostile)
{
        const struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        struct raw raw;

        if (!hostile_open(hostile, &raw))
                return;
        flock(raw.memfd, LOCK_EX | LOCK_NB);
        fcntl(raw.memfd, F_OFD_SETLK, &all);
        fcntl(raw.memfd, F_SETLEASE, F_WRLCK);
        fcntl(raw.memfd, F_SETFL, O_APPEND | O_NONBLOCK | O_DIRECT);
        lseek(raw.memfd, 12345, SEEK_SET);
        usleep(20000);
        raw_close(&raw);
}

static void ask_for_usage(struct raw *raw)
{
        struct raw_operation operation;

        raw_update_usage(&operation);
        if (raw_try_request(raw, &operation, 1) == 0)
                raw_receive(raw);
}

static void punch_where_nothing_is_its_own(const struct hostile *hostile)
{
        off_t start = behind(hostile);
        struct raw raw;

        if (!hostile_open(hostile, &raw))
                return;
        for (int i = 0; i < 100; i++) {
                if (fallocate(raw.memfd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, start,
                            (off_t)CAPACITY - start) < 0)
                        _exit(1);
                ask_for_usage(&raw);
        }
        raw_close(&raw);
}

/* The pool's capacity is all that there is to take, and is given back. */
static void fill_where_nothing_is_its_own(const struct hostile *hostile)
{
        off_t start = behind(hostile);
        struct raw raw;

        if (!hostile_open(hostile, &raw))
                return;
        for (int i = 0; i < 3; i++) {
                if (fallocate(raw.memfd, FALLOC_FL_KEEP_SIZE, start, (off_t)CAPACITY - start) < 0)
                        _exit(1);
                ask_for_usage(&raw);
        }
        raw_close(&raw);
}

static void write_where_nothing_is_its_own(const struct hostile *hostile)
{
        off_t start = behind(hostile);
        size_t size = CAPACITY - (size_t)start;
        unsigned char *memory;
        struct raw raw;

        if (!hostile_open(hostile, &raw))
                return;
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, raw.memfd, start);
        if (memory == MAP_FAILED)
                _exit(1);
        /* Every other page, from behind what the honest client comes and goes in. */
        for (size_t at = 1u << 20; at < size; at += 2 * HOSTILE_PAGE)
                memory[at] = 'x';
        ask_for_usage(&raw);
        munmap(memory, size);
        raw_close(&raw);
}

static const struct row {
        const char *name;
        hostile_fn *act;
} rows[] = {
        {"resize and seal", change_the_file_all_day},
        {"lock", lock_the_file},
        {"punch", punch_where_nothing_is_its_own},
        {"fill", fill_where_nothing_is_its_own},
        {"write", write_where_nothing_is_its_own},
};

START_TEST(what_a_client_does_to_the_file_all_day_disturbs_nobody)
{
        const struct row *row = &rows[_i];
        struct hostile hostile;

        hostile_start(&hostile);
        hostile_beside(&hostile, row->name, row->act, 2);
        hostile_stop(&hostile);
}
END_TEST

/* ---- what is left of it -----------------------------------------------------------------------
 */

static int fill_and_go(int fd)
{
        return fallocate(fd, FALLOC_FL_KEEP_SIZE, 64 * (off_t)HOSTILE_PAGE,
                       (off_t)(CAPACITY - 64 * HOSTILE_PAGE)) < 0;
}

START_TEST(memory_that_was_filled_by_nobody_is_given_back_and_zero)
{
        struct hostile hostile;
        unsigned char *memory;
        uint64_t start;

        hostile_start(&hostile);
        ck_assert_int_eq(as_client(&hostile, true, fill_and_go), 0);
        honest_await_alone(
                &hostile.honest, "filled"); /* which asks for the usage, as operators do */
        start = raw_get(&hostile.honest.raw, 8u << 20, 1);
        memory =
                mmap(NULL, 8u << 20, PROT_READ, MAP_SHARED, hostile.honest.raw.memfd, (off_t)start);
        ck_assert_ptr_ne(memory, MAP_FAILED);
        ck_assert_int_eq(memory[0], 0);
        ck_assert_int_eq(memcmp(memory, memory + 1, (8u << 20) - 1), 0);
        munmap(memory, 8u << 20);
        hostile_stop(&hostile);
}
END_TEST

static int punch_all(int fd)
{
        return fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, (off_t)CAPACITY) < 0;
}

/* What a pool mate can do; and the numbers say so. */
START_TEST(a_pool_mate_can_lose_what_is_in_the_pool_and_the_numbers_tell)
{
        const Filemem__UsageReport *usage;
        struct raw_operation operation;
        struct hostile hostile;

        hostile_start(&hostile);
        ck_assert_int_eq(as_client(&hostile, true, punch_all), 0);
        ck_assert_int_eq(hostile.honest.memory[0], 0); /* no SIGBUS: the page is there, and empty */
        hostile.honest.memory[0] = 'x';
        raw_update_usage(&operation);
        usage = raw_do(&hostile.honest.raw, &operation)->usage;
        ck_assert(usage->exact);
        ck_assert_uint_eq(usage->total, HOSTILE_PAGE);
        ck_assert_uint_eq(usage->kinds[1]->allocated, 64 * HOSTILE_PAGE);
        hostile_stop(&hostile);
}
END_TEST

void add_hostile_memory_tests(Suite *suite)
{
        TCase *tests = harness_case(suite, "memory", 60);

        tcase_add_test(tests, nobody_resizes_or_seals_the_file);
        tcase_add_test(tests, another_user_cannot_open_the_file_again_or_change_its_mode);
        tcase_add_test(tests, the_file_cannot_be_executed);
        tcase_add_loop_test(tests, what_a_client_does_to_the_file_all_day_disturbs_nobody, 0,
                (int)(sizeof(rows) / sizeof(rows[0])));
        tcase_add_test(tests, memory_that_was_filled_by_nobody_is_given_back_and_zero);
        tcase_add_test(tests, a_pool_mate_can_lose_what_is_in_the_pool_and_the_numbers_tell);
}
