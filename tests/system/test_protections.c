// SPDX-License-Identifier: Apache-2.0
/*
 * Every protection that a mapping can have, with every flag, in sessions that may write and in
 * those that may only read, in a pool that may be mapped for exec and in one that may not: the real
 * daemon, and what the kernel says of the mapping.
 */
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE        ((size_t)4096)
#define LENGTH      (3 * PAGE)
#define PROTECTIONS (PROT_READ | PROT_WRITE | PROT_EXEC)
#define FLAGS       (FILEMEM_MAP_FIXED | FILEMEM_MAP_PRECOMMIT)

/* Both pools, each with a session that may write, and one that may only read. */
enum access { MAY_EXEC = 1, READ_ONLY = 2, ACCESSES = 4 };

static struct daemon the_daemon;
static filemem_session *sessions[ACCESSES];

static void start(void)
{
        daemon_start(&the_daemon, "[pool default]\ncapacity = 64M\n"
                                  "[pool code]\ncapacity = 64M\nexec = yes\n");
        for (unsigned access = 0; access < ACCESSES; access++) {
                const struct filemem_options options = {.size = sizeof(options),
                        .pool = access & MAY_EXEC ? "code" : NULL,
                        .read_only = (access & READ_ONLY) != 0};

                ck_assert_int_eq(filemem_open(the_daemon.socket, &options, &sessions[access]), 0);
        }
}

static void stop(void)
{
        for (unsigned access = 0; access < ACCESSES; access++)
                filemem_close(sessions[access]);
        daemon_stop(&the_daemon);
}

/* A new range in the pool of that access. It is kept: nothing is given back while pages are
 * counted. */
static struct filemem_range allocate(unsigned access)
{
        struct filemem_range range;

        ck_assert_int_eq(
                filemem_allocate(sessions[access & MAY_EXEC], LENGTH, FILEMEM_MAPPED, &range), 0);
        return range;
}

static uint64_t count_stored(unsigned access)
{
        uint64_t bytes;

        ck_assert_int_eq(filemem_total_usage(sessions[access], &bytes), 0);
        return bytes;
}

/* A line of /proc/self/maps: "from-to rwxs offset ...". */
struct line {
        uint64_t from, to;
        const char *letters;
        uint64_t offset;
};

static struct line parse(char *text)
{
        struct line line;
        char *end;

        line.from = strtoull(text, &end, 16);
        ck_assert_int_eq(*end, '-');
        line.to = strtoull(end + 1, &end, 16);
        ck_assert_int_eq(*end, ' ');
        line.letters = end + 1;
        line.offset = strtoull(end + 6, NULL, 16);
        return line;
}

/* The mapping that begins there, as the kernel sees it. Returns its protection; -1: none. */
static int find_protection(const void *address, uint64_t *ret_offset)
{
        FILE *maps = fopen("/proc/self/maps", "re");
        int protection = -1;
        char text[512];

        ck_assert_ptr_nonnull(maps);
        while (protection < 0 && fgets(text, sizeof(text), maps)) {
                struct line line = parse(text);

                if (line.from != (uintptr_t)address)
                        continue;
                ck_assert_uint_eq(line.to - line.from, LENGTH);
                protection = (line.letters[0] == 'r' ? PROT_READ : 0) |
                             (line.letters[1] == 'w' ? PROT_WRITE : 0) |
                             (line.letters[2] == 'x' ? PROT_EXEC : 0);
                *ret_offset = line.offset;
        }
        fclose(maps);
        return protection;
}

static int expect(unsigned access, int protection, unsigned flags)
{
        if (protection & PROT_WRITE && access & READ_ONLY)
                return -EACCES;
        if (flags & FILEMEM_MAP_PRECOMMIT && !(protection & PROT_WRITE))
                return -EINVAL;
        return protection & PROT_EXEC && !(access & MAY_EXEC) ? -EACCES : 0;
}

/* What is in the way of a fixed mapping, with pages on both sides that are not its. */
static unsigned char *make_place(void)
{
        unsigned char *place =
                mmap(NULL, LENGTH + 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        ck_assert_ptr_ne(place, MAP_FAILED);
        return place;
}

static void check_mapping(
        unsigned access, int protection, const unsigned char *mapped, struct filemem_range range)
{
        volatile unsigned char *bytes;
        uint64_t offset = 0;
        void *window;

        ck_assert_int_eq(find_protection(mapped, &offset), protection);
        ck_assert_uint_eq(offset, range.start);
        ck_assert_int_eq(
                filemem_map(sessions[access & MAY_EXEC], range, PROT_READ | PROT_WRITE, &window),
                0);
        bytes = window;
        bytes[PAGE] = 7;
        if (protection & PROT_READ)
                ck_assert_uint_eq(mapped[PAGE], 7);
        if (protection & PROT_WRITE) {
                ((volatile unsigned char *)(uintptr_t)mapped)[LENGTH - 1] = 9;
                ck_assert_uint_eq(bytes[LENGTH - 1], 9);
        }
}

static void check_refused(unsigned char *place)
{
        uint64_t offset;

        /* What was in the way still is. */
        ck_assert_int_eq(find_protection(place + PAGE, &offset), -1);
        ck_assert_uint_eq(place[PAGE], 0);
}

static void try(unsigned access, int protection, unsigned flags)
{
        struct filemem_range range = allocate(access);
        unsigned char *place = make_place();
        uint64_t before = count_stored(access);
        int expected = expect(access, protection, flags), r;
        void *mapped = NULL;

        r = filemem_map_into(sessions[access], range, place + PAGE, protection, flags, &mapped);
        ck_assert_msg(r == expected, "access %u, protection %d, flags %u: %d, not %d", access,
                protection, flags, r, expected);
        ck_assert_int_eq(filemem_last_error(sessions[access])[0] != 0, r < 0);
        ck_assert_uint_eq(count_stored(access) - before,
                r == 0 && flags & FILEMEM_MAP_PRECOMMIT ? LENGTH : 0);
        if (r == 0) {
                ck_assert((mapped == place + PAGE) == ((flags & FILEMEM_MAP_FIXED) != 0));
                check_mapping(access, protection, mapped, range);
                ck_assert_int_eq(munmap(mapped, LENGTH), 0);
        } else {
                ck_assert_ptr_null(mapped);
                check_refused(place);
        }
        ck_assert_int_eq(munmap(place, LENGTH + 2 * PAGE), 0);
}

START_TEST(each_mapping_is_what_was_asked_for_or_refused)
{
        for (int protection = 0; protection <= PROTECTIONS; protection++)
                for (unsigned flags = 0; flags <= FLAGS; flags++)
                        try((unsigned)_i, protection, flags);
}
END_TEST

START_TEST(the_window_is_never_for_exec)
{
        struct filemem_range range = allocate((unsigned)_i);
        filemem_session *session = sessions[_i];

        for (int protection = 0; protection <= PROTECTIONS; protection++) {
                bool refused =
                        protection & PROT_EXEC || (protection & PROT_WRITE && _i & READ_ONLY);
                int expected = refused ? -EACCES : protection ? 0 : -EINVAL, r;
                struct filemem_block block;
                void *address;

                r = filemem_map(session, range, protection, &address);
                ck_assert_msg(r == expected, "protection %d: %d, not %d", protection, r, expected);
                /* One block, as there is a window. */
                r = filemem_map_blocks(session, range, protection, &block, 1);
                ck_assert_int_eq(r, expected ? expected : 1);
        }
}
END_TEST

#if defined(__x86_64__)
static const unsigned char return_42[] = {0xb8, 42, 0, 0, 0, 0xc3};
#elif defined(__aarch64__)
static const unsigned char return_42[] = {0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6};
#else
// cppcheck-suppress preprocessorErrorDirective
#error "what returns 42 on this machine is not known here"
#endif

START_TEST(what_is_mapped_for_exec_runs)
{
        struct filemem_range range = allocate(MAY_EXEC);
        int (*function)(void);
        void *window, *code;

        ck_assert_int_eq(
                filemem_map(sessions[MAY_EXEC], range, PROT_READ | PROT_WRITE, &window), 0);
        memcpy(window, return_42, sizeof(return_42));
        ck_assert_int_eq(filemem_map_into(sessions[MAY_EXEC | (_i ? READ_ONLY : 0)], range, NULL,
                                 PROT_READ | PROT_EXEC, 0, &code),
                0);
        __builtin___clear_cache(code, (char *)code + sizeof(return_42));
        memcpy(&function, &code, sizeof(function));
        ck_assert_int_eq(function(), 42);
        ck_assert_int_eq(munmap(code, LENGTH), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("protections");
        TCase *tests = harness_case(suite, "protections", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_loop_test(tests, each_mapping_is_what_was_asked_for_or_refused, 0, ACCESSES);
        tcase_add_loop_test(tests, the_window_is_never_for_exec, 0, ACCESSES);
        /* In a session that may only read, too. */
        tcase_add_loop_test(tests, what_is_mapped_for_exec_runs, 0, 2);
        return harness_run(suite);
}
