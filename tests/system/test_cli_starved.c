// SPDX-License-Identifier: Apache-2.0
/*
 * The commands of filememctl where memory runs out: in each of its own allocations, in each of
 * jansson's, and in each that the program makes at all. No crash, no leak, an error instead of half
 * an answer, and a session that is as good as before.
 */
#include "command.h"
#include "ctl.h"
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/fault.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE  UINT64_C(4096)
#define WORDS 16

static struct daemon the_daemon;
static filemem_session *holders[3];
static filemem_session *asking;
static char since[128];

/* ---- running a command ------------------------------------------------------------------------
 */

/* In this process; n: the allocation that fails, or -1. What it prints is of no interest. */
static int run(const char *line, long n)
{
        char words[256], *argv[WORDS + 1] = {"filememctl"}, *rest = words;
        struct options options;
        int argc = 1, r;

        snprintf(words, sizeof(words), "%s", line);
        while (argc < WORDS && (argv[argc] = strtok_r(rest, " ", &rest)))
                argc++;
        optind = 0;
        ck_assert_msg(options_parse(&options, argc, argv) == EXIT_CODE_OK, "%s", line);
        fault_alloc_at(n);
        r = options.command->run ? options.command->run(asking, &options)
                                 : options.command->run_alone(&options);
        n = fault_alloc_happened();
        fault_alloc_at(-1);
        fflush(stdout);
        return n && r == 0 ? 1000 : r;
}

/* Each allocation of it, one after the other. Returns how many there are. */
static long starve(const char *line, bool may_do_with_less)
{
        long n = 0;

        ck_assert_msg(run(line, -1) == 0, "%s: %s", line, filemem_last_error(asking));
        for (;; n++) {
                int r = run(line, n);

                if (r == 0)
                        return n;
                ck_assert_msg(
                        r == -ENOMEM || (r > 0 && r < 1000) || (r == 1000 && may_do_with_less),
                        "%s: %ld: %d", line, n, r);
                ck_assert_msg(n < 10000, "%s does not end", line);
        }
}

/* ---- the scene --------------------------------------------------------------------------------
 */

static filemem_session *open_session(const char *label, bool no_pool)
{
        const struct filemem_options options = {
                .size = sizeof(options), .label = label, .no_pool = no_pool};
        filemem_session *session;

        ck_assert_int_eq(filemem_open(NULL, &options, &session), 0);
        return session;
}

static struct filemem_range fill(filemem_session *session, enum filemem_kind kind)
{
        struct filemem_range range;
        void *address;

        ck_assert_int_eq(filemem_allocate(session, 8 * PAGE, kind, &range), 0);
        ck_assert_int_eq(filemem_map(session, range, PROT_READ | PROT_WRITE, &address), 0);
        memset(address, 1, 5 * PAGE);
        return range;
}

static void keep_usage(void)
{
        char line[256];

        snprintf(since, sizeof(since), "%s/since.json", the_daemon.folder);
        fflush(stdout);
        snprintf(line, sizeof(line), "usage --by session --json");
        ck_assert_ptr_nonnull(freopen(since, "we", stdout));
        ck_assert_int_eq(run(line, -1), 0);
}

/* Three that hold something, some of it in common; one has gone since usage was kept. */
static void start(void)
{
        filemem_session *gone;

        daemon_start(&the_daemon, NULL);
        setenv("FILEMEM_SOCKET", the_daemon.socket, 1);
        asking = open_session("asking", true);
        gone = open_session("gone", false);
        fill(gone, FILEMEM_TMPFS);
        for (int i = 0; i < 3; i++) {
                holders[i] = open_session(i ? "many" : "", false);
                ck_assert_int_eq(
                        filemem_incref(holders[i], fill(holders[0], (enum filemem_kind)(i + 1))),
                        0);
        }
        keep_usage();
        filemem_close(gone);
        ck_assert_ptr_nonnull(freopen("/dev/null", "we", stdout));
        ck_assert_ptr_nonnull(freopen("/dev/null", "we", stderr));
}

static void stop(void)
{
        for (int i = 0; i < 3; i++)
                filemem_close(holders[i]);
        filemem_close(asking);
        daemon_stop(&the_daemon);
}

/* ---- tests ------------------------------------------------------------------------------------
 */

START_TEST(a_table_is_whole_or_an_error)
{
        static const char *const lines[] = {"ping", "status", "usage", "usage --json", "limits",
                "usage --by session --sort -committed", "usage --by uid --raw",
                "usage --by label --json", "usage --by pool", "usage --delta=1ns --by session",
                "sessions --json", "sessions --over 1ns --color=always", "holders 0-64K",
                "leaks --idle 1ns", "dump", "pools --columns all", "trim", "gaps", "help --json"};

        char line[64];

        snprintf(line, sizeof(line), "session %llu --limit 2",
                (unsigned long long)filemem_session_id(holders[0]));
        ck_assert_int_gt(starve(line, false), 1);
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
                ck_assert_msg(starve(lines[i], false) > 1, "%s allocates nothing", lines[i]);
}
END_TEST

/* Allocations of jansson fail too; where it has no room for a letter it leaves that out. */
START_TEST(what_was_written_before_is_read_or_not)
{
        char line[256];

        json_set_alloc_funcs(malloc, free);
        snprintf(line, sizeof(line), "usage --by session --since %s", since);
        ck_assert_int_gt(starve(line, true), 50);
}
END_TEST

/* Who cannot join the pool for a look into it sees the rest. */
START_TEST(a_map_is_drawn_with_less_or_not_at_all)
{
        char line[256];

        ck_assert_int_gt(starve("map", true), 1);
        ck_assert_int_gt(starve("map --json --range 0-1M", true), 2);
        snprintf(line, sizeof(line), "map --svg %s/map.svg", the_daemon.folder);
        ck_assert_int_gt(starve(line, true), 4);
}
END_TEST

START_TEST(top_shows_a_sample_or_says_why_not)
{
        ck_assert_int_gt(starve("top --batch --limit 1", false), 3);
}
END_TEST

#ifdef FILEMEM_STARVE

/* With so many words of the environment before it. Returns the exit code. */
static int run_program(const char *environment, const char *line)
{
        char command[1024];

        snprintf(command, sizeof(command), "LC_ALL=C LD_PRELOAD=" FILEMEM_STARVE " %s %s %s",
                environment, FILEMEM_CTL, line);
        return ctl_shell(command);
}

START_TEST(the_program_gives_its_answer_or_one_sentence)
{
        static const char *const lines[] = {"usage --json", "status", "sessions", "limits"};
        const char *line = lines[_i];
        char at[32];
        long count;

        ck_assert_int_eq(run_program("STARVE_COUNT=1", line), 0);
        count = strtol(ctl_errors, NULL, 10);
        ck_assert_int_gt(count, 50);
        for (long n = 0; n < count; n++) {
                int code;

                snprintf(at, sizeof(at), "STARVE_AT=%ld", n);
                code = run_program(at, line);
                ck_assert_msg(code >= 0 && code <= 3, "%s: %ld: %d", line, n, code);
                if (!code)
                        continue;
                ck_assert_msg(
                        !strncmp(ctl_errors, "filememctl: ", 12) && !strchr(ctl_errors, '\n')[1],
                        "%s: %ld: %s", line, n, ctl_errors);
        }
}
END_TEST

#endif

int main(void)
{
        Suite *suite = suite_create("cli starved");
        TCase *tests = harness_case(suite, "starved", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, a_table_is_whole_or_an_error);
        tcase_add_test(tests, what_was_written_before_is_read_or_not);
        tcase_add_test(tests, a_map_is_drawn_with_less_or_not_at_all);
        tcase_add_test(tests, top_shows_a_sample_or_says_why_not);
#ifdef FILEMEM_STARVE
        tcase_add_loop_test(tests, the_program_gives_its_answer_or_one_sentence, 0, 4);
#else
        puts("a sanitizer: the program is not starved as a whole, only its own allocations are");
#endif
        return harness_run(suite);
}
